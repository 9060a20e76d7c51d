//! The trust policy file.

use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigFile, ConfigRoots, file};
use crate::limits::Limits;
use crate::trust::PolicyDocument;

/// The names of the policy in a configuration directory, the first that exists (conformance 7.01).
const NAMES: [&str; 2] = ["trustpolicy.oci.json", "trustpolicy.json"];

/// Reads the trust policy: the file `given`, or, without one, `trustpolicy.oci.json` of Notation's configuration
/// directory, or, only where that does not exist, `trustpolicy.json`. A `given` directory is searched in the same way.
///
/// # Errors
/// There is none, it is not a regular file, or it breaks a rule.
pub fn load_policy(roots: &ConfigRoots, given: Option<&Path>, limits: &Limits) -> Result<PolicyDocument, ConfigError> {
    let candidates = match given {
        Some(path) if !path.is_dir() => vec![path.to_owned()],
        Some(directory) => in_directory(directory),
        None => in_directory(&roots.directory()?),
    };
    for path in &candidates {
        if let Some(bytes) = file::read(path, ConfigFile::Policy, limits.config_bytes)? {
            return PolicyDocument::parse(&bytes).map_err(|source| ConfigError::Policy { path: path.clone(), source });
        }
    }
    Err(ConfigError::PolicyMissing { path: candidates.into_iter().next().unwrap_or_default() })
}

fn in_directory(directory: &Path) -> Vec<PathBuf> {
    NAMES.map(|name| directory.join(name)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Diagnostic, DiagnosticCode};
    use std::fs;

    fn code(path: &Path) -> DiagnosticCode {
        let limits = Limits { config_bytes: 4096, ..Limits::default() };
        load_policy(&ConfigRoots::default(), Some(path), &limits).unwrap_err().code()
    }

    fn name(given: Option<&Path>) -> String {
        let document = load_policy(&ConfigRoots::default(), given, &Limits::default()).unwrap();
        document.statements().next().unwrap().1.name().to_owned()
    }

    #[test]
    fn the_new_name_comes_first_and_its_errors_are_final() {
        // Conformance 7.01, 7.12.
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (dir.path().join(NAMES[0]), dir.path().join(NAMES[1]));
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyMissing);
        let named = |name: &str| PolicyDocument::EXAMPLE.replace("\"acme\"", &format!("\"{name}\""));
        fs::write(&old, named("old")).unwrap();
        assert_eq!(name(Some(dir.path())), "old");
        fs::write(&new, "{}").unwrap();
        assert_eq!(code(dir.path()), DiagnosticCode::PolicyInvalid, "no fall-back behind a broken file");
        fs::write(&new, named("new")).unwrap();
        assert_eq!(name(Some(dir.path())), "new");
        assert_eq!(name(Some(&old)), "old", "a file by its own name");
        let roots = ConfigRoots { notation_config: Some(dir.path().to_owned()), ..ConfigRoots::default() };
        let found = load_policy(&roots, None, &Limits::default()).unwrap();
        assert_eq!(found.statements().next().unwrap().1.name(), "new");
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
        let hint = load_policy(&ConfigRoots::default(), Some(&dir.path().join("absent.json")), &Limits::default());
        let hint = hint.unwrap_err().hint().unwrap();
        assert!(hint.contains(PolicyDocument::EXAMPLE), "{hint}");
    }
}
