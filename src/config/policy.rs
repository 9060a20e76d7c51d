//! The trust policy files.

use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigFile, file};
use crate::limits::Limits;
use crate::trust::{BlobPolicyDocument, Dialect, PolicyDocument, PolicyError, PolicyKind};

/// The names of the policy in a configuration directory, the first that exists (conformance 7.01).
pub(super) const NAMES: [&str; 2] = ["trustpolicy.oci.json", "trustpolicy.json"];

/// The name of the policy for blobs in a configuration directory (conformance 7.02).
pub(super) const BLOB_NAMES: [&str; 1] = ["trustpolicy.blob.json"];

/// A policy, and where it was.
#[derive(Debug, Clone)]
pub struct LoadedPolicy<D = PolicyDocument> {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub document: D,
}

/// Reads the trust policy, in bulla's own dialect, from a file, or from a configuration directory:
/// `trustpolicy.oci.json`, or, only where that does not exist, `trustpolicy.json`.
///
/// # Errors
/// There is none, it is not a regular file, or it breaks a rule.
pub fn load_policy(path: &Path, limits: &Limits) -> Result<LoadedPolicy, ConfigError> {
    load_policy_as(path, Dialect::Bulla, limits)
}

/// Reads the trust policy as `dialect` says.
///
/// # Errors
/// As [`load_policy`].
pub fn load_policy_as(path: &Path, dialect: Dialect, limits: &Limits) -> Result<LoadedPolicy, ConfigError> {
    load(path, PolicyKind::Oci, &NAMES, limits, |bytes| PolicyDocument::parse_as(bytes, dialect))
}

/// Reads the trust policy for blobs from a file, or from a configuration directory: `trustpolicy.blob.json`.
///
/// # Errors
/// As [`load_policy`].
pub fn load_blob_policy(path: &Path, limits: &Limits) -> Result<LoadedPolicy<BlobPolicyDocument>, ConfigError> {
    load(path, PolicyKind::Blob, &BLOB_NAMES, limits, BlobPolicyDocument::parse)
}

fn load<D>(
    path: &Path,
    kind: PolicyKind,
    names: &[&str],
    limits: &Limits,
    parse: impl Fn(&[u8]) -> Result<D, PolicyError>,
) -> Result<LoadedPolicy<D>, ConfigError> {
    // A directory that is not there yet is told from a file by its name, so that the error says which file to write.
    let is_directory = path.is_dir() || (path.extension().is_none() && path.symlink_metadata().is_err());
    let candidates =
        if is_directory { names.iter().map(|name| path.join(name)).collect() } else { vec![path.to_owned()] };
    for path in &candidates {
        if let Some(bytes) = file::read(path, ConfigFile::Policy, limits.config_bytes)? {
            let document = parse(&bytes).map_err(|source| ConfigError::Policy { path: path.clone(), source })?;
            return Ok(LoadedPolicy { path: path.clone(), document });
        }
    }
    // A directory that does not exist looks like a file that does not.
    let is_file = path.extension().is_some_and(|ending| ending == "json");
    let expected = names.first().filter(|_| !is_file).map_or_else(|| path.to_owned(), |name| path.join(name));
    Err(ConfigError::PolicyMissing { path: expected, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Diagnostic, DiagnosticCode};
    use std::fs;

    fn code(path: &Path) -> DiagnosticCode {
        load_policy(path, &Limits { config_bytes: 4096, ..Limits::default() }).unwrap_err().code()
    }

    #[test]
    fn the_new_name_comes_first_and_its_errors_are_final() {
        // Conformance 7.01, 7.12.
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (dir.path().join(NAMES[0]), dir.path().join(NAMES[1]));
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyMissing);
        fs::write(&old, PolicyDocument::EXAMPLE).unwrap();
        assert_eq!(load_policy(dir.path(), &Limits::default()).unwrap().path, old);
        fs::write(&new, "{}").unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "no fall-back behind a broken file");
        fs::write(&new, PolicyDocument::EXAMPLE).unwrap();
        assert_eq!(load_policy(dir.path(), &Limits::default()).unwrap().path, new);
        assert_eq!(load_policy(&old, &Limits::default()).unwrap().path, old, "a file by its own name");
    }

    #[test]
    fn only_small_regular_files_are_read() {
        // Conformance 7.03.
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real.json");
        fs::write(&real, PolicyDocument::EXAMPLE).unwrap();
        let path = dir.path().join(NAMES[0]);
        std::os::unix::fs::symlink(&real, &path).unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "symbolic link");
        assert_eq!(code(&path), DiagnosticCode::PolicyInvalid, "symbolic link");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "directory");
        fs::remove_dir(&path).unwrap();
        let fifo = rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        );
        fifo.unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "FIFO, without waiting");
        fs::remove_file(&path).unwrap();
        fs::write(&path, format!("{}{}", PolicyDocument::EXAMPLE, " ".repeat(4096))).unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "too large");
        assert_eq!(code(&dir.path().join("absent.json")), DiagnosticCode::PolicyMissing);
        let absent = load_policy(&dir.path().join("absent"), &Limits::default()).unwrap_err().to_string();
        assert!(absent.ends_with("absent/trustpolicy.oci.json"), "{absent}");
        let hint = load_policy(&dir.path().join("absent.json"), &Limits::default()).unwrap_err().hint().unwrap();
        assert!(hint.contains(PolicyDocument::EXAMPLE), "{hint}");
        let error = load_policy(&dir.path().join("notation"), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("notation/trustpolicy.oci.json"), "{error}");
    }

    #[test]
    fn the_policy_for_blobs_is_a_file_of_its_own() {
        // Conformance 7.02, 7.03.
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        fs::write(dir.path().join(NAMES[0]), PolicyDocument::EXAMPLE).unwrap();
        let missing = load_blob_policy(dir.path(), &limits).unwrap_err();
        assert_eq!(missing.code(), DiagnosticCode::PolicyMissing, "never the OCI policy instead");
        assert!(missing.to_string().ends_with("trustpolicy.blob.json"), "{missing}");
        assert!(missing.hint().unwrap().contains(BlobPolicyDocument::EXAMPLE));
        let path = dir.path().join(BLOB_NAMES[0]);
        fs::write(&path, BlobPolicyDocument::EXAMPLE).unwrap();
        let loaded = load_blob_policy(dir.path(), &limits).unwrap();
        assert_eq!((&loaded.path, loaded.document.global().unwrap().name()), (&path, "acme"));
        fs::write(&path, PolicyDocument::EXAMPLE).unwrap();
        let other = load_blob_policy(&path, &limits).unwrap_err();
        assert_eq!(other.code(), DiagnosticCode::PolicyInvalid);
        assert!(other.to_string().contains("registryScopes"), "{other}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join(NAMES[0]), &path).unwrap();
        assert!(matches!(load_blob_policy(dir.path(), &limits), Err(ConfigError::NotAFile { .. })));
    }

    #[test]
    fn the_dialect_reaches_the_document() {
        let dir = tempfile::tempdir().unwrap();
        let text = PolicyDocument::EXAMPLE.replace("/team/app", "/*");
        fs::write(dir.path().join(NAMES[0]), text).unwrap();
        let load = |dialect| load_policy_as(dir.path(), dialect, &Limits::default());
        assert!(load(Dialect::Bulla).is_ok());
        assert_eq!(load(Dialect::Notation).unwrap_err().code(), DiagnosticCode::PolicyInvalid);
    }
}
