//! How long work tells what it is doing, and hears that it should stop.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::store::RawContent;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Finding out what belongs to an artifact.
    Discovering,
    /// Getting revocation data for the signatures.
    Supplying,
    /// Writing the bundle.
    Packing,
    /// Hashing and judging.
    Verifying,
    /// Writing to the destination.
    Importing,
    /// Making names visible.
    Publishing,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovering => "discovering",
            Self::Supplying => "collecting evidence",
            Self::Packing => "packing",
            Self::Verifying => "verifying",
            Self::Importing => "importing",
            Self::Publishing => "publishing",
        })
    }
}

/// Who hears of progress. Calls come from several threads.
pub trait Progress: Send + Sync {
    /// A new stage begins, with so many bytes to go where that is known.
    fn stage(&self, what: Stage, total_bytes: Option<u64>);

    /// So many more bytes of the stage are done.
    fn advance(&self, bytes: u64);

    /// The work is done; no stage follows.
    fn done(&self);

    /// Whether the work should stop as soon as it can.
    fn cancelled(&self) -> bool;
}

/// Nobody hears, nobody stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn stage(&self, _: Stage, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn done(&self) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// The work was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was interrupted")]
pub struct Cancelled;

impl Diagnostic for Cancelled {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::Interrupted
    }

    fn hint(&self) -> Option<String> {
        Some("run the same command again".into())
    }
}

impl From<Cancelled> for io::Error {
    /// Not [`io::ErrorKind::Interrupted`], which readers and writers take as "try again".
    fn from(cancelled: Cancelled) -> Self {
        Self::other(cancelled)
    }
}

/// Goes on only while nobody asked to stop.
///
/// # Errors
/// The work was cancelled.
pub fn proceed(progress: &dyn Progress) -> Result<(), Cancelled> {
    if progress.cancelled() { Err(Cancelled) } else { Ok(()) }
}

/// The result of work that may have failed because it was told to stop: then that is the error, whatever it looked like.
///
/// # Errors
/// Those of the work, or that it was cancelled.
pub fn or_cancelled<T, E: From<Cancelled>>(result: Result<T, E>, progress: &dyn Progress) -> Result<T, E> {
    match result {
        Err(_) if progress.cancelled() => Err(Cancelled.into()),
        result => result,
    }
}

/// A reader or writer whose bytes count as progress, and that fails once the work is cancelled.
pub struct Counted<'a, T> {
    inner: T,
    progress: &'a dyn Progress,
}

impl<'a, T> Counted<'a, T> {
    /// Counts what goes through `inner`.
    pub const fn new(inner: T, progress: &'a dyn Progress) -> Self {
        Self { inner, progress }
    }

    /// What was counted, back.
    pub fn into_inner(self) -> T {
        self.inner
    }

    fn count(&self, bytes: usize) {
        self.progress.advance(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl<T: fmt::Debug> fmt::Debug for Counted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        proceed(self.progress)?;
        let count = self.inner.read(buffer)?;
        self.count(count);
        Ok(count)
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        proceed(self.progress)?;
        let count = self.inner.write(bytes)?;
        self.count(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Content whose bytes count as progress when a sink reads them, and that breaks off once the work is cancelled.
pub fn counted(content: RawContent, progress: &Arc<dyn Progress>) -> RawContent {
    let progress = Arc::clone(progress);
    content.watched(move |bytes| {
        proceed(progress.as_ref())?;
        progress.advance(bytes);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Descriptor;
    use crate::store::copy_to;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Asks to stop after `most` bytes.
    struct StopAfter {
        most: u64,
        seen: AtomicU64,
    }

    impl Progress for StopAfter {
        fn stage(&self, _: Stage, _: Option<u64>) {}
        fn advance(&self, bytes: u64) {
            self.seen.fetch_add(bytes, Ordering::Relaxed);
        }
        fn done(&self) {}
        fn cancelled(&self) -> bool {
            self.seen.load(Ordering::Relaxed) >= self.most
        }
    }

    #[test]
    fn counts_and_stops_readers_and_writers() {
        let progress = StopAfter { most: 6, seen: AtomicU64::new(0) };
        let mut out = Counted::new(Vec::new(), &progress);
        out.write_all(b"hello").unwrap();
        assert_eq!(progress.seen.load(Ordering::Relaxed), 5);
        out.write_all(b"!").unwrap();
        let error = out.write_all(b"more").unwrap_err();
        assert!(error.get_ref().unwrap().is::<Cancelled>());
        assert_eq!(out.into_inner(), b"hello!");
        let mut text = String::new();
        assert!(Counted::new(&b"abc"[..], &progress).read_to_string(&mut text).is_err());
    }

    #[test]
    fn content_breaks_off_instead_of_being_read_again_for_ever() {
        let bytes = vec![7; 1 << 20];
        let descriptor = Descriptor::of("a/b", &bytes);
        let progress: Arc<dyn Progress> = Arc::new(StopAfter { most: 300_000, seen: AtomicU64::new(0) });
        let mut out = Vec::new();
        assert!(copy_to(counted(RawContent::from_bytes(bytes), &progress), &descriptor, &mut out).is_err());
        assert!(out.len() < descriptor.size.try_into().unwrap());
    }
}
