//! References: where content is and what it is called (OCI distribution-spec, "Pulling Manifests").

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Algorithm, Digest, DigestError, shorten};

macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let legal = match text.as_bytes() {
            [first, rest @ ..] => {
                word(*first) && rest.len() < 128 && rest.iter().all(|b| word(*b) || b"-.".contains(b))
            }
            [] => false,
        };
        if legal { Ok(Self(text.to_owned())) } else { Err(ReferenceError::Tag { text: shorten(text) }) }
    }
}

text_serde!(Tag);

/// A repository: `host[:port]/path`. Its text is the scope of a trust policy statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// Host and port, as written.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name of the repository on its host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A repository on the same host or another, for a reader that has host and path apart.
    ///
    /// # Errors
    /// Either part is malformed.
    pub fn new(host: &str, path: &str) -> Result<Self, ReferenceError> {
        if !is_host(host) {
            return Err(ReferenceError::Host { text: shorten(host) });
        }
        if !is_repository_path(path) {
            return Err(ReferenceError::Path { text: shorten(path) });
        }
        Ok(Self { host: host.to_owned(), path: path.to_owned() })
    }
}

/// `label(.label)*[:port]`, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => (None, Some(port)),
                None if rest.is_empty() => (None, None),
                None => return false,
            }
        }
        None => match text.split_once(':') {
            Some((name, port)) => (Some(name), Some(port)),
            None => (Some(text), None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    text.len() <= 255 && name.is_none_or(|name| name.split('.').all(label)) && port.is_none_or(number)
}

/// `component(/component)*`, a component being `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_repository_path(text: &str) -> bool {
    text.len() <= 255 && text.split('/').all(is_component)
}

fn is_component(text: &str) -> bool {
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(word) && bytes.last().is_some_and(word);
    let separators =
        bytes.split(word).all(|run| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'));
    ends && separators
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (host, path) = text.split_once('/').ok_or_else(|| ReferenceError::NoHost { text: shorten(text) })?;
        Self::new(host, path)
    }
}

text_serde!(Repository);

/// What is wanted from a place: a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// By tag
    Tag(Tag),
    /// By digest
    Digest(Digest),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => fmt::Display::fmt(tag, f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

/// `host/repo[:tag][@digest]`, the name of an artifact in a registry. The host is always written out: nothing is
/// completed to a public registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: Option<Tag>,
    /// The digest; where both are given, the tag must point to it.
    pub digest: Option<Digest>,
}

impl Reference {
    /// `host/repository:tag`, where there is a tag: the only kind of name that container engines keep.
    pub fn tagged(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| format!("{}:{tag}", self.repository))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.repository, f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon behind the last slash starts a tag; one before it, a port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((head, tail)) if !tail.contains('/') && head.contains('/') => (head, Some(tail.parse()?)),
            _ => (name, None),
        };
        Ok(Self { repository: name.parse()?, tag, digest })
    }
}

text_serde!(Reference);

/// Where content is to be read from, or written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `host/repo[:tag][@digest]`
    Registry(Reference),
    /// `oci:DIR[:tag|@digest]`
    Layout {
        /// The directory.
        path: PathBuf,
        /// What in it; `None` means everything named there.
        target: Option<Target>,
    },
    /// `oci-archive:FILE[:tag|@digest]`, a bundle or any other tar of an OCI layout.
    Archive {
        /// The file.
        path: PathBuf,
        /// What in it; `None` means everything named there.
        target: Option<Target>,
    },
}

impl Location {
    /// Reads a location with an explicit form. A path without prefix is recognised by whoever may look at the disk,
    /// with [`Location::split_path`].
    ///
    /// # Errors
    /// No form fits.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if let Some(rest) = text.strip_prefix("oci:") {
            let (path, target) = Self::split_path(rest)?;
            return Ok(Self::Layout { path, target });
        }
        if let Some(rest) = text.strip_prefix("oci-archive:") {
            let (path, target) = Self::split_path(rest)?;
            return Ok(Self::Archive { path, target });
        }
        text.parse().map(Self::Registry)
    }

    /// Splits `PATH[:tag|@digest]` at the last `@` that a digest follows, else at the last `:` that a tag follows.
    ///
    /// # Errors
    /// Empty path, or a digest of an unsupported algorithm.
    pub fn split_path(text: &str) -> Result<(PathBuf, Option<Target>), ReferenceError> {
        let (path, target) = match text.rsplit_once('@') {
            Some((path, digest)) if digest.contains(':') && !digest.contains('/') => {
                (path, Some(Target::Digest(digest.parse()?)))
            }
            _ => match text.rsplit_once(':') {
                Some((path, tag)) if !tag.contains('/') => (path, Some(Target::Tag(tag.parse()?))),
                _ => (text, None),
            },
        };
        if path.is_empty() {
            return Err(ReferenceError::EmptyPath { text: shorten(text) });
        }
        Ok((PathBuf::from(path), target))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, path, target) = match self {
            Self::Registry(reference) => return fmt::Display::fmt(reference, f),
            Self::Layout { path, target } => ("oci", path, target),
            Self::Archive { path, target } => ("oci-archive", path, target),
        };
        write!(f, "{prefix}:{}", path.display())?;
        match target {
            Some(Target::Tag(tag)) => write!(f, ":{tag}"),
            Some(Target::Digest(digest)) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// The tag under which registries without a referrers API keep the list of a subject's referrers
/// (OCI distribution-spec, "Referrers Tag Schema"): the algorithm cut to 32 characters, the encoded part to 64.
pub fn referrers_tag(subject: &Digest) -> Tag {
    let encoded: String = subject.hex().chars().take(64).collect();
    Tag(format!("{}-{encoded}", subject.algorithm().name()))
}

/// What a cosign digest tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestTagKind {
    /// `.sig`
    Signature,
    /// `.att`
    Attestation,
    /// `.sbom`
    Sbom,
}

impl DigestTagKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Signature, Self::Attestation, Self::Sbom];

    /// The ending of the tag, without the dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Attestation => "att",
            Self::Sbom => "sbom",
        }
    }
}

/// A cosign digest tag, `sha256-<hex>.sig`, and the subject that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestTag {
    /// The manifest that the tag is about.
    pub subject: Digest,
    /// What it holds.
    pub kind: DigestTagKind,
}

impl DigestTag {
    /// The tag itself; `None` where it would be longer than a tag may be (sha512).
    pub fn tag(&self) -> Option<Tag> {
        format!("{}-{}.{}", self.subject.algorithm().name(), self.subject.hex(), self.kind.suffix()).parse().ok()
    }

    /// Recognises such a tag.
    pub fn recognise(tag: &Tag) -> Option<Self> {
        let (name, suffix) = tag.as_str().rsplit_once('.')?;
        let kind = DigestTagKind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
        let (algorithm, hex) = name.split_once('-')?;
        let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == algorithm)?;
        Some(Self { subject: format!("{}:{hex}", algorithm.name()).parse().ok()?, kind })
    }
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// No slash behind a host.
    #[error("{text:?} names no host: references are written out in full")]
    NoHost {
        /// The text.
        text: String,
    },
    /// Not a host name with an optional port.
    #[error("{text:?} is not a registry host")]
    Host {
        /// The text.
        text: String,
    },
    /// Not a repository name.
    #[error("{text:?} is not a repository name: lower-case letters and digits, joined by . _ __ - or /")]
    Path {
        /// The text.
        text: String,
    },
    /// Not a tag.
    #[error("{text:?} is not a tag")]
    Tag {
        /// The text.
        text: String,
    },
    /// Nothing before the tag or digest.
    #[error("{text:?} names no path")]
    EmptyPath {
        /// The text.
        text: String,
    },
    /// The digest is malformed.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Diagnostic for ReferenceError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Digest(error) => error.code(),
            _ => DiagnosticCode::ReferenceMalformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("write host/repo[:tag][@digest], oci:DIR[:tag|@digest] or oci-archive:FILE[:tag|@digest]".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_print_as_they_are_written() {
        for text in [
            "registry.example/app".to_owned(),
            "localhost:5000/team/app:v1".to_owned(),
            "[::1]:5000/app:v1.2_3-x".to_owned(),
            format!("docker.io/library/a--b__c.d@{DIGEST}"),
            format!("host/app:v1@{DIGEST}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_references_are_refused() {
        for text in [
            "",
            "app",
            "app:v1",
            "/app",
            "host/",
            "host/App",
            "host/a/../b",
            "host//b",
            "host/a:",
            "host/a:.x",
            "host/a@sha256:x",
            "ho st/a",
            "-h/a",
            "host:99999/a",
            "host:/a",
            "[::1/a",
            "host/a___b",
            "host/-a",
            "host/a b",
            "https://host/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn locations_take_tags_and_digests_behind_a_path() {
        for (text, path, target) in [
            ("oci:dir", "dir", None),
            ("oci:/a/b:v1", "/a/b", Some("v1".to_owned())),
            ("oci:./a:b/c", "./a:b/c", None),
            (&format!("oci:a@{DIGEST}"), "a", Some(DIGEST.to_owned())),
            (&format!("oci-archive:x@y.tar@{DIGEST}"), "x@y.tar", Some(DIGEST.to_owned())),
            ("oci-archive:f.tar:v2", "f.tar", Some("v2".to_owned())),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.to_string(), text);
            let (Location::Layout { path: found, target: wanted } | Location::Archive { path: found, target: wanted }) =
                location
            else {
                panic!("{text} is a path")
            };
            assert_eq!((found, wanted.map(|t| t.to_string())), (PathBuf::from(path), target));
        }
        assert!(Location::parse("oci:").is_err());
        assert!(Location::parse("oci::v1").is_err());
    }

    #[test]
    fn tags_that_stand_for_digests() {
        let subject: Digest = DIGEST.parse().unwrap();
        assert_eq!(referrers_tag(&subject).as_str(), DIGEST.replace(':', "-"));
        // Conformance 1.17/1.18: 71 characters for sha512, not oras' 135.
        assert_eq!(referrers_tag(&Algorithm::Sha512.digest(b"")).as_str().len(), 71);
        for kind in DigestTagKind::ALL {
            let tag = DigestTag { subject, kind };
            assert_eq!(DigestTag::recognise(&tag.tag().unwrap()), Some(tag));
        }
        for other in ["v1.sig", "sha256-abc.sig", "latest"] {
            assert_eq!(DigestTag::recognise(&other.parse().unwrap()), None, "{other}");
        }
    }
}
