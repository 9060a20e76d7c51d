//! Downloads that go on where they broke off (RFC 9110 §14).

use std::io::{self, Read};

use super::{RegistryError, RegistryStore};
use crate::digest::shorten;
use crate::http::{Answer, Method, Request, shown};
use crate::store::StoreError;

/// After this much without a break, breaks are counted anew: a large blob on a bad line needs many, a server that
/// sends a byte at a time gets few.
const PROGRESS: u64 = 16 << 20;

pub(super) struct ResumingReader {
    store: RegistryStore,
    request: Request,
    body: Option<Box<dyn Read + Send>>,
    offset: u64,
    size: u64,
    breaks: u32,
    counted_from: u64,
}

impl ResumingReader {
    pub(super) fn new(store: RegistryStore, request: Request, size: u64, answer: Answer) -> Self {
        let body: Option<Box<dyn Read + Send>> = Some(Box::new(answer.into_reader()));
        Self { store, request, body, offset: 0, size, breaks: 0, counted_from: 0 }
    }

    /// Opens the rest of the content.
    fn go_on(&mut self) -> Result<Box<dyn Read + Send>, RegistryError> {
        let policy = &self.store.client.http.settings().retry;
        if self.offset.saturating_sub(self.counted_from) >= PROGRESS {
            self.breaks = 0;
            self.counted_from = self.offset;
        }
        self.breaks = self.breaks.saturating_add(1);
        if self.breaks >= policy.attempts {
            return Err(RegistryError::BrokenOff {
                url: shown(self.request.url()),
                offset: self.offset,
                size: self.size,
                attempts: self.breaks.saturating_sub(1),
            });
        }
        policy.wait(self.breaks, None);
        let request = match self.offset {
            0 => self.request.clone(),
            offset => self.request.clone().header("range", format!("bytes={offset}-")),
        };
        let answer = self.store.send(request)?;
        match (answer.status(), self.offset) {
            (200, 0) => {}
            (206, offset) if range_start(&answer) == Some(offset) => {}
            (200 | 206, offset) => return Err(not_resumed(&answer, offset)),
            _ => return Err(self.store.status_error(&Method::GET, answer)),
        }
        Ok(Box::new(answer.into_reader()))
    }
}

fn not_resumed(answer: &Answer, offset: u64) -> RegistryError {
    let found = match answer.status() {
        206 => format!("answers with the range {:?}", shorten(answer.header("content-range").unwrap_or_default())),
        _ => "begins anew".into(),
    };
    RegistryError::NotResumed { url: shown(answer.url()), offset, found }
}

/// The first position of `Content-Range: bytes first-last/whole`.
fn range_start(answer: &Answer) -> Option<u64> {
    let range = answer.header("content-range")?.trim().strip_prefix("bytes")?.trim_start();
    range.split_once('-')?.0.parse().ok()
}

impl Read for ResumingReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let body = match &mut self.body {
                Some(body) => body,
                None => match self.go_on() {
                    Ok(body) => self.body.insert(body),
                    Err(error) => return Err(io::Error::other(StoreError::from(error))),
                },
            };
            match body.read(out) {
                Ok(0) if self.offset >= self.size => return Ok(0),
                Ok(0) => {}
                Ok(count) => {
                    self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) if self.offset >= self.size => return Err(error),
                Err(_) => {}
            }
            self.body = None;
        }
    }
}
