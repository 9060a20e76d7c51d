//! Sending blobs (OCI distribution-spec, "Pushing Blobs"): taken over from another repository, else in one piece, else
//! in chunks. A registry is never given the last byte of content that is not what its digest says.

use std::io::Read;

use super::auth::Scope;
use super::{RegistryError, RegistryStore, expect_digest};
use crate::digest::shorten;
use crate::http::{Answer, Body, HttpError, Method, Pace, Request, Uri, percent_encode, resolve, shown};
use crate::oci::Descriptor;
use crate::store::copy::{VerifiedReader, verified_reader};
use crate::store::{ContentKind, RawContent, StoreError, copy_to};

/// Up to here a blob is held in memory, so that sending it can be repeated.
const SMALL: u64 = 1 << 20;

/// The size of a chunk, unless the registry wants larger ones.
const CHUNK: u64 = 4 << 20;

/// The largest chunk that is made for a registry that wants larger ones.
const LARGEST_CHUNK: u64 = 16 << 20;

/// What came of asking for a blob of another repository.
enum Mount {
    /// The blob is there.
    Done,
    /// It is not, and the registry has opened an upload for it.
    Upload(Session),
    /// Neither.
    Declined,
}

/// An upload that the registry has opened.
struct Session {
    url: Uri,
    chunk: u64,
}

impl RegistryStore {
    pub(super) fn put_blob(&self, descriptor: &Descriptor, content: RawContent) -> Result<(), StoreError> {
        let session = match self.mount(descriptor)? {
            Mount::Done => return Ok(()),
            Mount::Upload(session) => Some(session),
            Mount::Declined => None,
        };
        if descriptor.size > SMALL {
            return self.put_large(descriptor, session, verified_reader(content, descriptor));
        }
        let mut bytes = Vec::new();
        copy_to(content, descriptor, &mut bytes)?;
        Ok(self.put_small(descriptor, session, &bytes)?)
    }

    /// Asks the registry to take the blob over from the other repository. It may decline in any way it likes.
    fn mount(&self, descriptor: &Descriptor) -> Result<Mount, RegistryError> {
        let Some(source) = &self.mount_from else { return Ok(Mount::Declined) };
        let tail = format!("blobs/uploads/?mount={}&from={}", descriptor.digest, percent_encode(source.path()));
        let request = self.request(Method::POST, &tail)?;
        let scope = Scope::repository(source.path(), &["pull"]).merged(&self.scope);
        let mut send = |request: &Request| self.client.http.send(request).map(|answer| (answer, ()));
        let answer = match self.client.authorized(&self.host, &scope, request, &mut send) {
            Ok((answer, ())) => answer,
            // No token for both repositories: the blob can still be sent.
            Err(RegistryError::Unauthorized { .. } | RegistryError::Forbidden { .. }) => return Ok(Mount::Declined),
            Err(error) => return Err(error),
        };
        Ok(match answer.status() {
            201 => Mount::Done,
            202 => Mount::Upload(session(&answer)?),
            _ => Mount::Declined,
        })
    }

    fn start(&self) -> Result<Session, RegistryError> {
        let answer = self.send(self.request(Method::POST, "blobs/uploads/")?)?;
        match answer.status() {
            202 => session(&answer),
            _ => Err(self.status_error(&Method::POST, answer)),
        }
    }

    /// Best effort: registries throw forgotten uploads away by themselves.
    fn cancel(&self, url: Uri) {
        let mut send = |request: &Request| self.client.http.try_send(request).map(|answer| (answer, ()));
        let _ = self.client.authorized(&self.host, &self.scope, Request::new(Method::DELETE, url), &mut send);
    }

    fn put_small(&self, descriptor: &Descriptor, session: Option<Session>, bytes: &[u8]) -> Result<(), RegistryError> {
        let session = session.map_or_else(|| self.start(), Ok)?;
        let request = finish(&session.url, descriptor)?.body(bytes.to_vec());
        let answer = self.send(request)?;
        match answer.status() {
            200..=204 => expect_digest(&answer, &descriptor.digest),
            status if refuses_one_piece(status) => {
                self.cancel(session.url);
                let mut reader = bytes;
                self.put_chunks(descriptor, &mut reader)
            }
            // The answer to a first attempt was lost, and the registry knows no such upload any more.
            404 if self.has_content(descriptor, ContentKind::Blob)? => Ok(()),
            _ => Err(self.status_error(&Method::PUT, answer)),
        }
    }

    fn put_large(
        &self,
        descriptor: &Descriptor,
        session: Option<Session>,
        mut reader: VerifiedReader<'_>,
    ) -> Result<(), StoreError> {
        let session = session.map_or_else(|| self.start(), Ok)?;
        let result = match self.put_stream(descriptor, &session, &mut reader) {
            Ok(None) => return Ok(()),
            Ok(Some(refusal)) if refuses_one_piece(refusal.status()) && !reader.is_touched() => None,
            Ok(Some(refusal)) => Some(self.status_error(&Method::PUT, refusal)),
            Err(error) => Some(error),
        };
        self.cancel(session.url);
        let result = result.map_or_else(|| self.put_chunks(descriptor, &mut reader), Err);
        match reader.take_failure() {
            Some(failure) => Err(failure),
            None => Ok(result?),
        }
    }

    /// Sends everything at once. An answer is a refusal.
    fn put_stream(
        &self,
        descriptor: &Descriptor,
        session: &Session,
        reader: &mut VerifiedReader<'_>,
    ) -> Result<Option<Answer>, RegistryError> {
        let request = finish(&session.url, descriptor)?;
        let mut send = |request: &Request| -> Result<(Answer, ()), HttpError> {
            if reader.is_touched() {
                let source = "the registry wants other credentials in the middle of an upload".into();
                return Err(HttpError::Transport { method: "PUT".into(), url: shown(request.url()), source });
            }
            let body = Body { reader: &mut *reader, size: descriptor.size };
            self.client.http.send_once(request, body).map(|answer| (answer, ()))
        };
        // A 401 makes `authorized` send again, which is possible while nothing was read.
        let (answer, ()) = self.client.authorized(&self.host, &self.scope, request, &mut send)?;
        match answer.status() {
            200..=204 => expect_digest(&answer, &descriptor.digest).map(|()| None),
            _ => Ok(Some(answer)),
        }
    }

    fn put_chunks(&self, descriptor: &Descriptor, reader: &mut dyn Read) -> Result<(), RegistryError> {
        let mut session = self.start()?;
        let result = self.put_all_chunks(descriptor, &mut session, reader);
        if result.is_err() {
            self.cancel(session.url);
        }
        result
    }

    fn put_all_chunks(
        &self,
        descriptor: &Descriptor,
        session: &mut Session,
        reader: &mut dyn Read,
    ) -> Result<(), RegistryError> {
        let mut start: u64 = 0;
        loop {
            let mut bytes = Vec::new();
            let read = (&mut *reader).take(session.chunk).read_to_end(&mut bytes);
            read.map_err(|source| HttpError::Transport {
                method: "PATCH".into(),
                url: shown(&session.url),
                source: source.into(),
            })?;
            if bytes.is_empty() {
                break;
            }
            let next = start.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            session.url = self.put_chunk(session.url.clone(), start, next, bytes)?;
            start = next;
        }
        let answer = self.send(finish(&session.url, descriptor)?)?;
        match answer.status() {
            200..=204 => expect_digest(&answer, &descriptor.digest),
            _ => Err(self.status_error(&Method::PUT, answer)),
        }
    }

    /// Sends one chunk, once: a repetition could be taken for the next one. Returns where the next one goes.
    fn put_chunk(&self, url: Uri, start: u64, next: u64, bytes: Vec<u8>) -> Result<Uri, RegistryError> {
        let request = Request::new(Method::PATCH, url)
            .header("content-type", "application/octet-stream")
            .header("content-range", format!("{start}-{}", next.saturating_sub(1)));
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut send = |request: &Request| {
            let mut reader = &bytes[..];
            self.client.http.send_once(request, Body { reader: &mut reader, size }).map(|answer| (answer, ()))
        };
        let (answer, ()) = self.client.authorized(&self.host, &self.scope, request, &mut send)?;
        match answer.status() {
            200..=204 => Ok(session(&answer)?.url),
            _ => Err(self.status_error(&Method::PATCH, answer)),
        }
    }
}

/// The statuses by which a registry, or a proxy before it, says that the blob is too much at once.
const fn refuses_one_piece(status: u16) -> bool {
    matches!(status, 405 | 411 | 413 | 415 | 501)
}

/// Where the upload goes on. It may be another server, but not without TLS if the registry has it.
fn session(answer: &Answer) -> Result<Session, RegistryError> {
    let location = answer.header("location").unwrap_or_default();
    let downgrade = |url: &Uri| answer.url().scheme_str() == Some("https") && url.scheme_str() != Some("https");
    let url = resolve(answer.url(), location).filter(|url| !location.is_empty() && !downgrade(url));
    let url = url.ok_or_else(|| RegistryError::Header {
        url: shown(answer.url()),
        header: "Location",
        found: shorten(location.split('?').next().unwrap_or_default()),
    })?;
    let wanted = answer.header("oci-chunk-min-length").and_then(|text| text.trim().parse().ok()).unwrap_or(CHUNK);
    Ok(Session { url, chunk: wanted.clamp(CHUNK, LARGEST_CHUNK) })
}

/// The request that ends an upload, with or without the content.
fn finish(url: &Uri, descriptor: &Descriptor) -> Result<Request, HttpError> {
    let separator = if url.query().is_some() { '&' } else { '?' };
    let text = format!("{url}{separator}digest={}", percent_encode(&descriptor.digest.to_string()));
    Ok(Request::to(Method::PUT, &text)?.header("content-type", "application/octet-stream").pace(Pace::Commit))
}
