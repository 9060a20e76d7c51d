//! Which children of an index are wanted.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::oci::{Descriptor, Platform};

/// On BuildKit's attestation manifests: the child that they are about.
const ATTESTED: &str = "vnd.docker.reference.digest";

/// What a selection makes of the children of one index.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The children that stay.
    pub(super) kept: BTreeSet<Digest>,
    /// The platforms that there are.
    pub(super) offered: BTreeSet<Platform>,
    /// Whether a child was kept because its platform was asked for.
    pub(super) matched: bool,
}

/// Selects the children for any of the `wanted` platforms. A child without a platform stays, since nothing says that
/// it is not wanted; an attestation stays with the child that it is about. With nothing wanted, all stay.
pub(super) fn select(children: &[Descriptor], wanted: &[Platform]) -> Selection {
    let mut selection = Selection::default();
    if wanted.is_empty() {
        selection.kept = children.iter().map(|child| child.digest).collect();
        return selection;
    }
    let mut attestations = Vec::new();
    for child in children {
        match known_platform(child) {
            Some(platform) => {
                selection.offered.insert(platform.clone());
                if wanted.iter().any(|wanted| platform.satisfies(wanted)) {
                    selection.matched = true;
                    selection.kept.insert(child.digest);
                }
            }
            None => match child.annotations.get(ATTESTED) {
                Some(about) => attestations.push((child.digest, about)),
                None => {
                    selection.kept.insert(child.digest);
                }
            },
        }
    }
    for (attestation, about) in attestations {
        if about.parse().is_ok_and(|about: Digest| selection.kept.contains(&about)) {
            selection.kept.insert(attestation);
        }
    }
    selection
}

/// The platform of a child; BuildKit writes `unknown/unknown` for "none".
fn known_platform(child: &Descriptor) -> Option<&Platform> {
    child.platform.as_deref().filter(|platform| platform.os != "unknown" || platform.architecture != "unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(name: &str, platform: Option<&str>, about: Option<Digest>) -> Descriptor {
        let mut child = Descriptor::of("a/b", name.as_bytes());
        child.platform = platform.and_then(Platform::parse).map(Box::new);
        child.annotations.extend(about.map(|about| (ATTESTED.to_owned(), about.to_string())));
        child
    }

    #[test]
    fn attestations_stay_with_what_they_are_about() {
        let amd64 = child("amd64", Some("linux/amd64"), None);
        let arm64 = child("arm64", Some("linux/arm64/v8"), None);
        let of_amd64 = child("of amd64", Some("unknown/unknown"), Some(amd64.digest));
        let of_arm64 = child("of arm64", Some("unknown/unknown"), Some(arm64.digest));
        let plain = child("plain", None, None);
        let all = [of_amd64.clone(), of_arm64.clone(), amd64.clone(), arm64, plain.clone()];
        let selection = select(&all, &[Platform::parse("linux/amd64").unwrap()]);
        assert_eq!(selection.kept, BTreeSet::from([amd64.digest, of_amd64.digest, plain.digest]));
        assert!(selection.matched);
        assert_eq!(selection.offered.len(), 2);
        assert_eq!(select(&all, &[]).kept.len(), 5);
        let selection = select(&all, &[Platform::parse("linux/s390x").unwrap()]);
        assert!(!selection.matched);
        assert_eq!(selection.kept, BTreeSet::from([plain.digest]));
    }
}
