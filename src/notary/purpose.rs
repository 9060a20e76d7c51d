//! What a signature is for. A Notary Project payload says what was signed and not what for, so whoever signs every artifact
//! that is handed to him would sign a list of names too, and never know what he vouched for. A signature that vouches for
//! more than an artifact says so in what it signs (`schemas/bundle-v1.md`, "The seal").

use std::collections::BTreeMap;

use super::annotation::{BULLA_PREFIX, PURPOSE, RESERVED_PREFIX};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Purpose {
    /// To vouch for an artifact or a file, as every Notary Project signature does. The payload says nothing of it.
    #[default]
    Artifact,
    /// To seal a bundle: to vouch for what its manifest lists.
    Seal,
}

impl Purpose {
    /// The value of the annotation [`PURPOSE`] in the signed payload; `None` where there is none.
    pub const fn mark(self) -> Option<&'static str> {
        match self {
            Self::Artifact => None,
            Self::Seal => Some("bundle-seal"),
        }
    }

    /// The prefix that keeps an annotation's key for others than whoever signs an artifact, where one does: the Notary
    /// Project's (conformance 1.12), and ours.
    pub fn reserved_prefix(key: &str) -> Option<&'static str> {
        [RESERVED_PREFIX, BULLA_PREFIX].into_iter().find(|prefix| key.starts_with(prefix))
    }

    /// Whether a payload with these annotations is signed for this purpose. One that is signed to seal is no worse a
    /// signature on the bundle manifest as an artifact: Notation would take it for one.
    ///
    /// # Errors
    /// It does not say so.
    pub(super) fn check(self, annotations: &BTreeMap<String, String>) -> Result<(), PurposeMismatch> {
        let Some(wanted) = self.mark() else { return Ok(()) };
        match annotations.get(PURPOSE) {
            Some(found) if found == wanted => Ok(()),
            found => Err(PurposeMismatch { wanted, found: found.map(|text| shorten(text)) }),
        }
    }
}

/// A genuine signature that is not for what it is used for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature does not say that it is a seal: the annotation {PURPOSE} of its payload is {}, not {wanted:?}",
    .found.as_ref().map_or("absent".to_owned(), |text| format!("{text:?}"))
)]
pub struct PurposeMismatch {
    /// What the payload should say.
    pub wanted: &'static str,
    /// What it says.
    pub found: Option<String>,
}

impl Diagnostic for PurposeMismatch {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::SealUnmarked
    }

    fn hint(&self) -> Option<String> {
        Some(
            "it was made by an older bulla or by hand, or by who thought to sign an artifact: have the bundle sealed again \
             with bulla export --seal"
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_seal_says_that_it_is_one_and_an_artifacts_signature_says_nothing() {
        let sealed = annotations(PURPOSE, "bundle-seal");
        assert_eq!(Purpose::Seal.check(&sealed), Ok(()));
        assert_eq!(Purpose::Artifact.check(&sealed), Ok(()));
        assert_eq!(Purpose::Artifact.check(&BTreeMap::new()), Ok(()));
        for (found, others) in [
            (None, BTreeMap::new()),
            (None, annotations("vnd.bulla.Purpose", "bundle-seal")),
            (None, annotations("bundle-seal", PURPOSE)),
            (Some(""), annotations(PURPOSE, "")),
            (Some("Bundle-Seal"), annotations(PURPOSE, "Bundle-Seal")),
            (Some("bundle-seal "), annotations(PURPOSE, "bundle-seal ")),
        ] {
            let error = Purpose::Seal.check(&others).unwrap_err();
            assert_eq!(error, PurposeMismatch { wanted: "bundle-seal", found: found.map(str::to_owned) });
            assert_eq!(error.code(), DiagnosticCode::SealUnmarked);
            assert!(error.to_string().contains("does not say that it is a seal"), "{error}");
        }
    }

    #[test]
    fn keys_of_others_are_known() {
        // Conformance 1.12.
        assert_eq!(Purpose::reserved_prefix("io.cncf.notary.x"), Some(RESERVED_PREFIX));
        assert_eq!(Purpose::reserved_prefix(PURPOSE), Some(BULLA_PREFIX));
        assert_eq!(Purpose::reserved_prefix("vnd.bulla.anything"), Some(BULLA_PREFIX));
        for free in ["", "purpose", "vnd.bullax", "vnd.bulla", "x.vnd.bulla.purpose"] {
            assert_eq!(Purpose::reserved_prefix(free), None, "{free}");
        }
    }
}
