//! What a plugin comes in: its program alone, or a .zip or .tar.gz with exactly one (conformance 11.29, 11.30). All of it is
//! hostile.

use std::io::{Cursor, Read};

use bulla::code::DiagnosticCode;
use bulla::notary::plugin::PluginName;

use crate::error::CommandError;

/// Bytes of the package, and of everything in it together: less than this.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// A file of the package.
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// The files of a plugin, and which plugin it is.
pub(super) struct Package {
    pub(super) plugin: PluginName,
    pub(super) files: Vec<Packed>,
}

fn refused(message: impl Into<String>) -> CommandError {
    CommandError::new(DiagnosticCode::PluginPackageInvalid, message).with_hint(
        "a plugin comes as its program, named notation-NAME, or as a .zip or .tar.gz with exactly one such program",
    )
}

fn broken(error: impl std::fmt::Display) -> CommandError {
    refused(format!("the archive cannot be read: {error}"))
}

impl Package {
    /// Reads a package; what it is, its content says.
    pub(super) fn read(name: &str, bytes: Vec<u8>) -> Result<Self, CommandError> {
        let files = if bytes.starts_with(b"PK\x03\x04") {
            unzip(bytes)?
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            untar(&bytes)?
        } else {
            vec![Packed { name: name.to_owned(), bytes, mode: 0o755 }]
        };
        Self::of(files)
    }

    /// A sole candidate is made executable; of several, only one may be (conformance 11.31).
    fn of(mut files: Vec<Packed>) -> Result<Self, CommandError> {
        let candidates: Vec<(usize, PluginName)> = files
            .iter()
            .enumerate()
            .filter_map(|(position, file)| Some((position, PluginName::of_program(&file.name)?)))
            .collect();
        let is_executable = |position: usize| files.get(position).is_some_and(|file| file.mode & 0o111 != 0);
        let executable: Vec<_> = candidates.iter().filter(|(position, _)| is_executable(*position)).collect();
        let (position, plugin) = match (executable.as_slice(), candidates.as_slice()) {
            ([one], _) => (*one).clone(),
            ([], [one]) => one.clone(),
            ([], _) => return Err(refused("there is no executable of the name notation-NAME")),
            _ => return Err(refused("there are several executables of the name notation-NAME")),
        };
        if let Some(file) = files.get_mut(position) {
            file.mode |= 0o100;
        }
        Ok(Self { plugin, files })
    }
}

/// What all files have by their own word, added up: entries that overlap in the archive cost nothing there, and all of it
/// here.
struct Declared(u64);

impl Declared {
    fn read(&mut self, size: u64, content: impl Read) -> Result<Vec<u8>, CommandError> {
        self.0 = self.0.saturating_add(size);
        if self.0 >= MOST_BYTES {
            return Err(refused(format!("what is in the archive has {MOST_BYTES} bytes or more")));
        }
        let mut bytes = Vec::new();
        content.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(broken)?;
        if u64::try_from(bytes.len()).ok() != Some(size) {
            return Err(refused("a file in the archive is not as long as the archive says"));
        }
        Ok(bytes)
    }
}

/// The last part of a name that stays where it is put.
fn checked_name(name: &str) -> Result<&str, CommandError> {
    if name.split(['/', '\\']).any(|part| part == "..") || name.contains('\0') {
        return Err(refused(format!("the archive holds the name {name:?}, which leads elsewhere")));
    }
    Ok(name.rsplit('/').next().unwrap_or_default())
}

fn take(files: &mut Vec<Packed>, file: Packed) -> Result<(), CommandError> {
    if file.name.is_empty() || file.name == "." || files.iter().any(|known| known.name == file.name) {
        return Err(refused(format!("the archive holds {:?} twice, or it is no name", file.name)));
    }
    files.push(file);
    Ok(())
}

fn unzip(bytes: Vec<u8>) -> Result<Vec<Packed>, CommandError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let (mut files, mut declared) = (Vec::new(), Declared(0));
    for position in 0..archive.len() {
        let entry = archive.by_index(position).map_err(broken)?;
        let path = entry.name().map_err(broken)?.into_owned();
        let name = checked_name(&path)?.to_owned();
        // Folders and what is in them have no place in a plugin's folder.
        if entry.is_dir() || path.contains('/') {
            continue;
        }
        if entry.is_symlink() {
            return Err(refused(format!("the archive holds {name:?}, which is a link")));
        }
        let mode = entry.unix_mode().unwrap_or(0o644);
        let bytes = declared.read(entry.size(), entry)?;
        take(&mut files, Packed { name, bytes, mode })?;
    }
    Ok(files)
}

fn untar(bytes: &[u8]) -> Result<Vec<Packed>, CommandError> {
    // Headers and padding are read too; nothing honest has more of them than content.
    let unpacked = flate2::read::GzDecoder::new(bytes).take(MOST_BYTES.saturating_mul(2));
    let mut archive = tar::Archive::new(unpacked);
    let (mut files, mut declared) = (Vec::new(), Declared(0));
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = checked_name(&path)?.to_owned();
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            return Err(refused(format!("the archive holds {name:?}, which is a link")));
        }
        if !kind.is_file() {
            continue;
        }
        let (mode, size) = (entry.header().mode().map_err(broken)?, entry.size());
        let bytes = declared.read(size, entry)?;
        take(&mut files, Packed { name, bytes, mode })?;
    }
    Ok(files)
}
