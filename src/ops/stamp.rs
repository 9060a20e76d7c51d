//! Judging a timestamp from files: `bulla timestamp verify`.

use std::io::{self, Read};

use sha2::{Sha256, Sha384, Sha512};

use super::path::{InputError, NamedFile, Reader, Unusable};
use crate::limits::Limits;
use crate::pki::{HashAlgorithm, NamedHash, single_encoding};
use crate::tsp::{Stamp, StampSettings, TimestampError, ValidStamp};

/// Octets that are read at a time.
const CHUNK: usize = 1 << 16;

/// What was stamped.
pub enum Stamped<'a> {
    /// The data itself, read once and hashed as the token wants it.
    Data(&'a mut dyn Read),
    /// A digest of it.
    Digest(NamedHash, Vec<u8>),
}

/// Everything that is given beside what was stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampFiles {
    /// A response or a bare token.
    pub token: NamedFile,
    /// Trust anchors.
    pub trust_anchors: Vec<NamedFile>,
    /// Other certificates.
    pub untrusted: Vec<NamedFile>,
    /// CRLs.
    pub crls: Vec<NamedFile>,
}

/// How a timestamp was judged.
#[derive(Debug, Clone)]
pub struct StampVerdict {
    /// The token, if it can be read.
    pub stamp: Option<Stamp>,
    /// Why the timestamp holds, or why not.
    pub outcome: Result<ValidStamp, TimestampError>,
    /// What was given and cannot be used; everything else was judged without it.
    pub unusable: Vec<Unusable>,
}

/// The DER of a token's or response's file: one PEM block, or the file as it is. It is at least framed like one.
///
/// # Errors
/// Neither PEM nor a SEQUENCE.
pub fn token_encoding(file: &NamedFile) -> Result<Vec<u8>, InputError> {
    let unreadable = |message: String| InputError { file: file.name.clone(), message };
    let der = single_encoding(&file.bytes).map_err(|block| {
        unreadable(format!("the PEM text is malformed, or holds too much, in its block number {block}"))
    })?;
    match der.first() {
        Some(0x30) => Ok(der),
        _ => Err(unreadable("it holds neither a timestamp token nor a timestamp response".into())),
    }
}

/// Judges a timestamp: the token, what it is of, and its authority's path (RFC 3161, RFC 5280 §6). A token that is framed
/// rightly but malformed inside is not valid; certificates and CRLs like that are left out.
///
/// # Errors
/// A file that holds nothing that could be judged, or data that cannot be read.
pub fn verify_stamp(
    files: &StampFiles,
    stamped: Stamped<'_>,
    settings: &StampSettings,
    limits: &Limits,
) -> Result<StampVerdict, InputError> {
    let mut reader = Reader::new(limits);
    let der = token_encoding(&files.token)?;
    let material = reader.material(&files.trust_anchors, &files.untrusted, &files.crls)?;
    let unusable = reader.unusable;
    let stamp = match Stamp::parse(&der, limits) {
        Ok(stamp) => stamp,
        Err(error) => return Ok(StampVerdict { stamp: None, outcome: Err(error), unusable }),
    };
    let (hash, digest) = match stamped {
        Stamped::Digest(hash, digest) => (hash, digest),
        Stamped::Data(data) => {
            let hash = stamp.info().hash;
            let digest = hash_of(hash, data)
                .map_err(|error| InputError { file: "the stamped data".into(), message: error.to_string() })?;
            // Of an unknown hash there is no digest; the token is refused for it.
            (hash, digest.unwrap_or_default())
        }
    };
    let outcome = stamp.judge(hash, &digest, &material, settings);
    Ok(StampVerdict { stamp: Some(stamp), outcome, unusable })
}

fn hash_of(hash: NamedHash, data: &mut dyn Read) -> io::Result<Option<Vec<u8>>> {
    match hash {
        NamedHash::Strong(HashAlgorithm::Sha256) => digest_of::<Sha256>(data).map(Some),
        NamedHash::Strong(HashAlgorithm::Sha384) => digest_of::<Sha384>(data).map(Some),
        NamedHash::Strong(HashAlgorithm::Sha512) => digest_of::<Sha512>(data).map(Some),
        NamedHash::Sha1 => digest_of::<sha1::Sha1>(data).map(Some),
        NamedHash::Other(_) => Ok(None),
    }
}

fn digest_of<D: sha2::Digest>(data: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut hasher = D::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = match data.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
