//! Files with detached signatures (Notary signature-specification, "Blob Signatures"; conformance section 12).

use std::io::{self, Read};

use super::verify::fetch_missing;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Algorithm, Digest, shorten};
use crate::evidence::LiveEvidence;
use crate::limits::Limits;
use crate::notary::{EnvelopeType, SignatureEnvelope};
use crate::oci::{Descriptor, MediaType};
use crate::pki::{Crl, HashAlgorithm, KeyKind};
use crate::time::UnixTime;
use crate::trust::{PolicyStatement, TrustStores};
use crate::verification::{
    CarriedEvidence, Failure, FoundSignature, Freshness, Memo, RevocationReading, SignatureOutcome, Terms,
    VerificationPlugins, evaluate_blob,
};

/// The media type of a file of which nothing else is said (conformance 2.04).
pub const DEFAULT_MEDIA_TYPE: &str = "application/octet-stream";

/// The name of a detached signature: `FILE.jws.sig` or `FILE.cose.sig` (conformance 12.02).
pub fn signature_name(blob: &str, kind: EnvelopeType) -> String {
    format!("{blob}.{}.sig", format_name(kind))
}

const fn format_name(kind: EnvelopeType) -> &'static str {
    match kind {
        EnvelopeType::Jws => "jws",
        EnvelopeType::Cose => "cose",
    }
}

/// The format of a detached signature by its file's name: the last part is `sig`, the one before it the format, in any
/// case, and there is a third one at least (conformance 12.04).
///
/// # Errors
/// Another name: nothing is guessed.
pub fn signature_format(name: &str) -> Result<EnvelopeType, BlobError> {
    let mut parts = name.rsplitn(3, '.');
    let (ending, format, rest) = (parts.next(), parts.next(), parts.next());
    let kinds = [EnvelopeType::Jws, EnvelopeType::Cose];
    let named = |text: &str| kinds.into_iter().find(|kind| text.eq_ignore_ascii_case(format_name(*kind)));
    match (ending, format.and_then(named), rest) {
        (Some(ending), Some(kind), Some(_)) if ending.eq_ignore_ascii_case("sig") => Ok(kind),
        _ => Err(BlobError::SignatureName { name: shorten(name) }),
    }
}

/// A media type as RFC 6838 §4.2 writes it, perhaps with parameters (conformance 12.07).
///
/// # Errors
/// Anything else.
pub fn parse_media_type(text: &str) -> Result<MediaType, BlobError> {
    let essence = text.split(';').next().unwrap_or_default().trim_matches(' ');
    let token = |part: &str| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.len() <= 127 && part.bytes().all(word)
    };
    match essence.split_once('/') {
        Some((kind, sub)) if token(kind) && token(sub) && !text.contains(char::is_control) => Ok(MediaType::new(text)),
        _ => Err(BlobError::MediaType { text: shorten(text) }),
    }
}

/// Describes a file for a signature by a key of that kind: the key decides the hash (conformance 12.05).
///
/// # Errors
/// Reading failed.
pub fn describe_for(kind: KeyKind, media_type: MediaType, blob: &mut dyn Read) -> io::Result<Descriptor> {
    describe(kind.hash(), media_type, blob)
}

/// The algorithm of a blob's digest, by the hash of its signature.
pub(super) const fn algorithm_of(hash: HashAlgorithm) -> Algorithm {
    match hash {
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Sha384 => Algorithm::Sha384,
        HashAlgorithm::Sha512 => Algorithm::Sha512,
    }
}

fn describe(hash: HashAlgorithm, media_type: MediaType, blob: &mut dyn Read) -> io::Result<Descriptor> {
    let mut hasher = algorithm_of(hash).hasher();
    let size = read_all(blob, |bytes| hasher.update(bytes))?;
    Ok(Descriptor::new(media_type, hasher.finish(), size))
}

/// Reads to the end, and says how much it was.
pub(super) fn read_all(blob: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut size: u64 = 0;
    let mut chunk = vec![0; 256 << 10];
    loop {
        match blob.read(&mut chunk) {
            Ok(0) => return Ok(size),
            Ok(count) => {
                take(chunk.get(..count).unwrap_or_default());
                size = size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What a blob is judged with.
pub struct BlobJudging<'a> {
    /// The statement of the blob policy.
    pub statement: &'a PolicyStatement,
    /// The trust stores that it names.
    pub stores: &'a TrustStores,
    /// The verification time.
    pub at: UnixTime,
    /// How old revocation data may be.
    pub freshness: Freshness,
    /// What a revocation means for what was signed before it.
    pub revocation: RevocationReading,
    /// Metadata that the signature must carry.
    pub user_metadata: &'a std::collections::BTreeMap<String, String>,
    /// The media type that the signature must name, where that matters (conformance 12.06).
    pub media_type: Option<MediaType>,
    /// CRLs that the operator supplied.
    pub supplied: &'a [Crl],
    /// The plugins that signatures may demand; without any, such signatures are bad.
    pub plugins: Option<&'a dyn VerificationPlugins>,
    /// Where revocation data that is not at hand may be fetched.
    pub live: Option<&'a dyn LiveEvidence>,
}

/// A blob, judged.
#[derive(Debug)]
pub struct JudgedBlob {
    /// The file, by the hash of its signature; where the signature cannot be read, by SHA-256.
    pub blob: Descriptor,
    /// The signature, judged; `None` where the policy says skip.
    pub outcome: Option<SignatureOutcome>,
}

/// Judges a file by its detached signature. What is wrong with the signature is an outcome.
///
/// # Errors
/// Reading the file failed.
pub fn verify_blob(
    kind: EnvelopeType,
    signature: &[u8],
    blob: &mut dyn Read,
    judging: &BlobJudging<'_>,
    limits: &Limits,
) -> io::Result<JudgedBlob> {
    let media_type = MediaType::new(kind.media_type());
    let envelope = SignatureEnvelope::parse(&media_type, signature, limits).map_err(Failure::from);
    let hash = envelope.as_ref().map_or(HashAlgorithm::Sha256, |envelope| envelope.algorithm().hash());
    let signed = envelope.as_ref().ok().and_then(|envelope| envelope.claimed_payload().ok());
    let claimed = signed.map(|payload| payload.target().media_type.clone());
    let wanted = judging.media_type.clone().or(claimed).unwrap_or_else(|| MediaType::new(DEFAULT_MEDIA_TYPE));
    let blob = describe(hash, wanted, blob)?;
    let digest = Digest::sha256(signature);
    let found = FoundSignature { digest, subject: blob.clone(), media_type: Some(media_type), envelope };
    let mut evidence = CarriedEvidence::default();
    for crl in judging.supplied {
        evidence.insert(crl.clone());
    }
    if judging.live.is_some() {
        let memo = Memo::new(limits);
        fetch_missing(std::iter::once(&found), judging.live, judging.at, &mut evidence, limits, &memo);
    }
    let terms = Terms {
        stores: judging.stores,
        plugins: judging.plugins,
        evidence: &evidence,
        at: judging.at,
        freshness: judging.freshness,
        revocation: judging.revocation,
        user_metadata: judging.user_metadata,
        limits,
    };
    let outcome = evaluate_blob(&blob, &found, judging.statement, &terms);
    Ok(JudgedBlob { blob, outcome })
}

/// Why a blob or its signature is not dealt with at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The name of the signature does not tell its format.
    #[error("{name:?} is no name of a detached signature")]
    SignatureName {
        /// The name.
        name: String,
    },
    /// No media type.
    #[error("{text:?} is no media type")]
    MediaType {
        /// The text.
        text: String,
    },
}

impl Diagnostic for BlobError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UsageInvalid
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SignatureName { .. } => "it reads FILE.jws.sig or FILE.cose.sig".into(),
            Self::MediaType { .. } => "a media type reads like application/octet-stream".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_format() {
        // Conformance 12.02, 12.04.
        assert_eq!(signature_name("a.tar.gz", EnvelopeType::Cose), "a.tar.gz.cose.sig");
        for (name, wanted) in [
            ("a.jws.sig", EnvelopeType::Jws),
            ("a.b.COSE.Sig", EnvelopeType::Cose),
            (".jws.sig", EnvelopeType::Jws),
            ("a.cose.jws.sig", EnvelopeType::Jws),
        ] {
            assert_eq!(signature_format(name), Ok(wanted), "{name}");
        }
        for bad in ["", "a", "jws.sig", "a.sig", "a.jws", "a.jws.sig.txt", "a.pgp.sig", "a.jws.sig."] {
            assert!(signature_format(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn media_types_have_two_parts() {
        // Conformance 12.07.
        for good in ["a/b", "application/vnd.x+json", "text/plain; charset=utf-8"] {
            assert!(parse_media_type(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "a/", "/b", "a/b/c", "a b/c", "ä/b", "a/b\n"] {
            assert!(parse_media_type(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_key_decides_the_hash() {
        // Conformance 12.05.
        for (kind, name) in [
            (KeyKind::P256, "sha256"),
            (KeyKind::Rsa3072, "sha384"),
            (KeyKind::P384, "sha384"),
            (KeyKind::P521, "sha512"),
        ] {
            let described = describe_for(kind, MediaType::new("a/b"), &mut &b"12345"[..]).unwrap();
            assert_eq!((described.digest.algorithm().name(), described.size), (name, 5));
        }
    }
}
