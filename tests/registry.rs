//! The registry client, against a scripted registry and Debian's `docker-registry`.
#![cfg(feature = "registry")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]
#![allow(clippy::as_conversions, missing_docs, unreachable_pub, reason = "tests")]

#[path = "registry/auth.rs"]
mod auth;
#[path = "registry/debian.rs"]
mod debian;
#[path = "registry/evidence.rs"]
mod evidence;
#[path = "registry/pull.rs"]
mod pull;
#[path = "registry/push.rs"]
mod push;
#[path = "registry/referrers.rs"]
mod referrers;
#[cfg(feature = "demo")]
#[path = "registry/signing.rs"]
mod signing;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/registry.rs"]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::config::credentials::FirstOf;
use bulla::http::{Credential, CredentialError, CredentialProvider, HttpSettings, RetryPolicy, Timeouts};
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType, Repository};
use bulla::store::registry::{PlainHttp, RegistryClient, RegistrySettings, RegistryStore};
use bulla::store::{ContentKind, ContentStore, StoreError, fetch};

/// Settings that do not wait, and the waits that they were asked for.
fn settings() -> (RegistrySettings, Arc<Mutex<Vec<Duration>>>) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let inner = Arc::clone(&waits);
    let http = HttpSettings {
        retry: RetryPolicy {
            attempts: 4,
            sleep: Arc::new(move |wait| inner.lock().unwrap().push(wait)),
            ..RetryPolicy::default()
        },
        timeouts: Timeouts { await_continue: Duration::from_millis(300), ..Timeouts::default() },
        ..HttpSettings::default()
    };
    let settings = RegistrySettings {
        http,
        plain_http: PlainHttp::default(),
        credentials: Arc::new(FirstOf::default()),
        limits: Limits::default(),
    };
    (settings, waits)
}

fn client() -> Arc<RegistryClient> {
    RegistryClient::new(settings().0).unwrap()
}

fn client_as(credentials: impl CredentialProvider + 'static) -> Arc<RegistryClient> {
    RegistryClient::new(RegistrySettings { credentials: Arc::new(credentials), ..settings().0 }).unwrap()
}

/// One credential for every registry of a test.
struct Everywhere(Credential);

impl CredentialProvider for Everywhere {
    fn credential(&self, _: &str) -> Result<Option<Credential>, CredentialError> {
        Ok(Some(self.0.clone()))
    }
}

fn repository(host: &str) -> Repository {
    Repository::new(host, "team/app").unwrap()
}

fn source(registry: &support::Registry) -> RegistryStore {
    client().source(&repository(&registry.host()))
}

const REPO: &str = "team/app";

/// An image manifest with these layers.
fn image(layers: &[Descriptor], subject: Option<&Descriptor>, artifact_type: Option<&str>) -> Vec<u8> {
    let mut document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": Descriptor::of(MediaType::OCI_EMPTY, b"{}"),
        "layers": layers,
    });
    if let Some(subject) = subject {
        document["subject"] = serde_json::to_value(subject.bare()).unwrap();
        document["annotations"] = serde_json::json!({"org.example.note": "kept"});
    }
    if let Some(artifact_type) = artifact_type {
        document["artifactType"] = artifact_type.into();
    }
    serde_json::to_vec(&document).unwrap()
}

fn index(entries: &[Descriptor]) -> Vec<u8> {
    bulla::oci::IndexDocument::new(entries.to_vec()).to_bytes().unwrap()
}

fn blob(store: &dyn ContentStore, content: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    fetch(store, &Descriptor::of("application/octet-stream", content), ContentKind::Blob, 1 << 30)
}

fn code<T>(result: Result<T, StoreError>) -> DiagnosticCode {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => error.code(),
    }
}

/// Something that does not repeat itself.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
