//! Reading files of which only the plain kind is accepted.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{ConfigError, ConfigFile};

/// Reads a regular file of at most `limit` bytes; a symbolic link is not followed (conformance 6.02, 7.03). `None` means
/// that there is nothing of that name.
pub(super) fn read(path: &Path, wanted: ConfigFile, limit: u64) -> Result<Option<Vec<u8>>, ConfigError> {
    // NONBLOCK: opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => {
            return Err(ConfigError::NotAFile { path: path.to_owned(), wanted });
        }
        Err(errno) => return Err(ConfigError::Io { path: path.to_owned(), source: errno.into() }),
    };
    let failed = |source| ConfigError::Io { path: path.to_owned(), source };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(ConfigError::NotAFile { path: path.to_owned(), wanted });
    }
    let mut bytes = Vec::new();
    let found = file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(found).unwrap_or(u64::MAX) > limit {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit, wanted });
    }
    Ok(Some(bytes))
}
