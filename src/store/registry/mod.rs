//! Registries (OCI distribution-spec 1.1): one repository as a store and as a sink.
//!
//! What a registry says is a claim: digests, sizes and lists are checked by whoever reads the content. An answer that
//! is an error is never taken for absence; the only statuses that mean "not here" are named where they are read.

mod auth;
mod challenge;
mod error;
mod read;
mod referrers;
mod resume;
mod tag_schema;
mod upload;
mod write;

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::digest::{Digest, shorten};
use crate::http::{
    Answer, CredentialProvider, HttpClient, HttpError, HttpSettings, Method, Request, Uri, is_loopback, origin, shown,
};
use crate::limits::Limits;
use crate::oci::Repository;

use auth::{Authorizer, Scope};
use error::Asked;
pub use error::{Detail, RegistryError};

/// Which registries are asked without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainHttp {
    /// Hosts, with their port if references have one, in any case.
    pub hosts: Vec<String>,
    /// How this machine itself is asked.
    pub loopback: LoopbackScheme,
}

/// How registries on this machine are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoopbackScheme {
    /// `localhost` with a port and loopback addresses without TLS, as Notation does (conformance 1.33).
    #[default]
    Plain,
    /// Like any other host.
    Tls,
}

/// What a [`RegistryClient`] is given.
#[derive(Clone)]
pub struct RegistrySettings {
    /// The HTTP client's part.
    pub http: HttpSettings,
    /// Which registries are asked without TLS.
    pub plain_http: PlainHttp,
    /// Who knows credentials.
    pub credentials: Arc<dyn CredentialProvider>,
    /// Bounds. Manifests and pages of referrers are under `manifest_bytes`, all pages under `referrers`.
    pub limits: Limits,
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings")
            .field("http", &self.http)
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}

/// The part that all repositories share: connections, tokens, settings.
#[derive(Debug)]
pub struct RegistryClient {
    http: Arc<HttpClient>,
    settings: RegistrySettings,
    authorizer: Authorizer,
    /// Changes to lists of referrers are read-modify-write, so ours come one after the other.
    listing: Mutex<()>,
}

/// One way of sending a request; `T` is what comes besides the answer.
type Send<'a, T> = dyn FnMut(&Request) -> Result<(Answer, T), HttpError> + 'a;

/// A registry: what references call it, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    base: String,
}

impl Host {
    fn is_plain(&self) -> bool {
        self.base.starts_with("http://")
    }
}

impl RegistryClient {
    /// A client with these settings.
    ///
    /// # Errors
    /// An extra authority's certificate cannot be read.
    pub fn new(settings: RegistrySettings) -> Result<Arc<Self>, HttpError> {
        let http = Arc::new(HttpClient::new(settings.http.clone())?);
        let authorizer = Authorizer::new(Arc::clone(&settings.credentials));
        Ok(Arc::new(Self { http, settings, authorizer, listing: Mutex::default() }))
    }

    /// The HTTP client underneath, to share its connections.
    pub const fn http(&self) -> &Arc<HttpClient> {
        &self.http
    }

    /// A repository to read from.
    pub fn source(self: &Arc<Self>, repository: &Repository) -> RegistryStore {
        self.store(repository, &["pull"])
    }

    /// A repository to write to, and to read from.
    pub fn destination(self: &Arc<Self>, repository: &Repository) -> RegistryStore {
        self.store(repository, &["pull", "push"])
    }

    /// Asks whether the registry lets us in: `GET /v2/` (OCI distribution-spec, "Determining Support"). `host` is written
    /// as in references.
    ///
    /// # Errors
    /// The registry refuses the credentials, or cannot be asked.
    pub fn log_in(&self, host: &str) -> Result<(), RegistryError> {
        let host = self.host(host);
        let request = Request::to(Method::GET, &format!("{}/v2/", host.base))?;
        let mut send = |request: &Request| self.http.send(request).map(|answer| (answer, ()));
        let (answer, ()) = self.authorized(&host, &Scope::default(), request, &mut send)?;
        if answer.status() == 200 { Ok(()) } else { Err(self.status_error(&host, &Method::GET, answer)) }
    }

    fn status_error(&self, host: &Host, method: &Method, answer: Answer) -> RegistryError {
        let attempts = self.http.settings().retry.attempts;
        let asked = Asked { method, host: &host.name, given: self.authorizer.knows(host), attempts };
        RegistryError::of_status(&asked, answer)
    }

    fn store(self: &Arc<Self>, repository: &Repository, actions: &[&str]) -> RegistryStore {
        RegistryStore {
            client: Arc::clone(self),
            host: self.host(repository.host()),
            scope: Scope::repository(repository.path(), actions),
            repository: repository.clone(),
            mount_from: None,
        }
    }

    fn host(&self, name: &str) -> Host {
        let plain = &self.settings.plain_http;
        let (bare, port) = match name.rsplit_once(':') {
            Some((bare, port)) if !port.ends_with(']') => (bare, Some(port)),
            _ => (name, None),
        };
        // `localhost` alone may be a name in somebody's network; with a port it is this machine.
        let here = is_loopback(bare) && (port.is_some() || !bare.eq_ignore_ascii_case("localhost"));
        let is_plain = plain.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
            || (here && plain.loopback == LoopbackScheme::Plain);
        // Docker's registry answers under another name than the one that references have (conformance 1.32).
        let contact = if name.eq_ignore_ascii_case("docker.io") { "registry-1.docker.io" } else { name };
        Host { name: name.to_owned(), base: format!("{}://{contact}", if is_plain { "http" } else { "https" }) }
    }

    /// Sends a request with whatever authorization the registry wants, and once more if it wants another. An upload
    /// that goes to another server than the registry gets none.
    fn authorized<T>(
        &self,
        host: &Host,
        scope: &Scope,
        request: Request,
        send: &mut Send<'_, T>,
    ) -> Result<(Answer, T), RegistryError> {
        let at_registry =
            |uri: &Uri| Request::to(Method::GET, &host.base).is_ok_and(|to| origin(to.url()) == origin(uri));
        if !at_registry(request.url()) {
            return Ok(send(&request)?);
        }
        let remembered = self.authorizer.remembered(host, scope);
        let first = request.authorization(remembered.clone());
        let (answer, rest) = send(&first)?;
        if answer.status() != 401 || !at_registry(answer.url()) {
            return Ok((answer, rest));
        }
        let challenges = challenge::parse_challenges(answer.headers("www-authenticate"));
        match self.authorizer.answer(&self.http, host, scope, &challenges)? {
            Some(header) if Some(&header) != remembered.as_ref() => Ok(send(&first.authorization(Some(header)))?),
            _ => Ok((answer, rest)),
        }
    }
}

/// One repository. Reading needs the right to pull, writing the right to push.
#[derive(Debug, Clone)]
pub struct RegistryStore {
    client: Arc<RegistryClient>,
    repository: Repository,
    host: Host,
    scope: Scope,
    mount_from: Option<Repository>,
}

impl RegistryStore {
    /// The repository.
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Blobs that this repository of the same registry has are taken over from there instead of being sent, where the
    /// registry agrees. A repository of another registry changes nothing.
    #[must_use]
    pub fn mounting_from(mut self, source: &Repository) -> Self {
        self.mount_from = (source.host() == self.repository.host()).then(|| source.clone());
        self
    }

    fn limits(&self) -> &Limits {
        &self.client.settings.limits
    }

    fn request(&self, method: Method, tail: &str) -> Result<Request, HttpError> {
        Request::to(method, &format!("{}/v2/{}/{tail}", self.host.base, self.repository.path()))
    }

    /// An answer of any status, its body unread.
    fn send(&self, request: Request) -> Result<Answer, RegistryError> {
        let mut send = |request: &Request| self.client.http.send(request).map(|answer| (answer, ()));
        self.client.authorized(&self.host, &self.scope, request, &mut send).map(|(answer, ())| answer)
    }

    /// An answer of any status, and its body up to `limit`.
    fn fetch(&self, request: Request, limit: u64) -> Result<(Answer, Vec<u8>), RegistryError> {
        let mut send = |request: &Request| self.client.http.fetch(request, limit);
        self.client.authorized(&self.host, &self.scope, request, &mut send)
    }

    fn status_error(&self, method: &Method, answer: Answer) -> RegistryError {
        self.client.status_error(&self.host, method, answer)
    }
}

/// `Docker-Content-Digest`, where the registry sends one.
fn digest_header(answer: &Answer) -> Result<Option<Digest>, RegistryError> {
    const NAME: &str = "docker-content-digest";
    let Some(text) = answer.header(NAME).filter(|text| !text.is_empty()) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| RegistryError::Header {
        url: shown(answer.url()),
        header: "Docker-Content-Digest",
        found: shorten(text),
    })
}

/// Whether the registry speaks of `expected`, if it says of what.
fn expect_digest(answer: &Answer, expected: &Digest) -> Result<(), RegistryError> {
    match digest_header(answer)? {
        Some(found) if found != *expected => {
            Err(RegistryError::DigestMismatch { url: shown(answer.url()), expected: *expected, found })
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for dyn CredentialProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialProvider")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::credentials::FirstOf;

    fn client(plain_http: PlainHttp) -> Arc<RegistryClient> {
        RegistryClient::new(RegistrySettings {
            http: HttpSettings::default(),
            plain_http,
            credentials: Arc::new(FirstOf::default()),
            limits: Limits::default(),
        })
        .unwrap()
    }

    #[test]
    fn hosts_and_their_schemes() {
        let usual = client(PlainHttp { hosts: vec!["Old.example:80".into()], ..Default::default() });
        for (name, base) in [
            ("docker.io", "https://registry-1.docker.io"),
            ("r.example", "https://r.example"),
            ("old.EXAMPLE:80", "http://old.EXAMPLE:80"),
            ("old.example", "https://old.example"),
            ("localhost:5000", "http://localhost:5000"),
            ("localhost", "https://localhost"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("[::1]", "http://[::1]"),
        ] {
            assert_eq!(usual.host(name), Host { name: name.into(), base: base.into() });
        }
        let strict = client(PlainHttp { loopback: LoopbackScheme::Tls, ..Default::default() });
        assert_eq!(strict.host("127.0.0.1:5000").base, "https://127.0.0.1:5000");
    }
}
