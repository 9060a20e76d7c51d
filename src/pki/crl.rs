//! Certificate revocation lists (RFC 5280 §5), read without an allocation per entry: a list of a million entries costs its
//! bytes and, once it is asked often, an index of eight octets an entry.
//!
//! `list` reads what stands around the entries, `entry` the entries, `lookup` finds one, `index` finds it faster,
//! `verify` turns a CRL into a proof, `delta` joins changes to their base, `lines` shows everything and believes nothing.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use der::Tag;

use super::algorithm::SignatureAlgorithm;
use super::chain::shown;
use super::remembered::CheckedUnder;
use super::tlv::{Cursor, only};
use super::{Certificate, CrlError, IssuingDistributionPoint, Name, SerialNumber, scope};
use crate::digest::Digest;
use crate::time::UnixTime;

mod delta;
mod entry;
mod index;
mod lines;
mod list;
mod lookup;
mod verify;

use entry::count_entries;
use index::SerialIndex;
use list::{Extensions, TbsCertList};

pub use delta::{DeltaEntry, VerifiedDelta};
pub use lines::{CrlLine, LineSays};
pub use verify::{CrlEntry, VerifiedCrl};
pub(crate) use verify::{SignerUsage, Verified};

/// A CRL that can be read; nothing about its signature is known yet. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Inner>);

struct Inner {
    der: Arc<[u8]>,
    tbs: Range<usize>,
    /// The inside of `revokedCertificates`.
    entries: Range<usize>,
    entry_count: usize,
    issuer: Name,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    extensions: Extensions,
    digest: OnceLock<Digest>,
    checked: CheckedUnder,
    index: SerialIndex,
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {}, {} entries)", self.issuer(), self.this_update(), self.entry_count())
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Crl {}

impl Crl {
    /// Reads one version 2 CRL, with nothing behind it:
    /// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING }`.
    ///
    /// # Errors
    /// Anything that is not strict DER or not a CRL of version 2, malformed or repeated extensions, two different signature
    /// algorithms.
    pub fn from_der(der: impl Into<Arc<[u8]>>) -> Result<Self, CrlError> {
        let der = der.into();
        let content = only(&der, Tag::Sequence)?.value;
        let mut cursor = Cursor::new(content)?;
        let tbs = cursor.expect(Tag::Sequence)?;
        let outer = cursor.expect(Tag::Sequence)?;
        let signature = cursor.bit_octets()?.to_vec();
        cursor.finish()?;
        let list = TbsCertList::read(&tbs)?;
        if list.algorithm.raw != outer.raw {
            return Err(CrlError::AlgorithmsDiffer);
        }
        let start = der.len().saturating_sub(content.len());
        let end = start.saturating_add(tbs.raw.len());
        // Where the entries' end lies, counted from the end of the TBS.
        let entries_end = end.saturating_sub(list.behind_entries);
        let inner = Inner {
            tbs: start..end,
            entries: entries_end.saturating_sub(list.entries.len())..entries_end,
            entry_count: count_entries(list.entries)?,
            issuer: list.issuer,
            this_update: list.this_update,
            next_update: list.next_update,
            algorithm: SignatureAlgorithm::parse(&outer)?,
            signature,
            extensions: list.extensions,
            digest: OnceLock::new(),
            checked: CheckedUnder::default(),
            index: SerialIndex::default(),
            der: Arc::clone(&der),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The signed part, as received.
    pub fn tbs(&self) -> &[u8] {
        self.0.der.get(self.0.tbs.clone()).unwrap_or_default()
    }

    /// SHA-256 of the received bytes.
    pub fn digest(&self) -> Digest {
        *self.0.digest.get_or_init(|| Digest::sha256(self.der()))
    }

    /// Who signed it, by its own claim.
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// When it was issued.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// By when the next one will be issued.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.0.next_update
    }

    /// The CRL number.
    pub fn number(&self) -> Option<&SerialNumber> {
        self.0.extensions.number.as_ref()
    }

    /// Whether the CRL number is marked critical, which RFC 5280 §5.2.3 forbids.
    pub(crate) fn has_critical_number(&self) -> bool {
        self.0.extensions.number_is_critical
    }

    /// Whether it only lists changes.
    pub fn is_delta(&self) -> bool {
        self.0.extensions.base_crl_number.is_some()
    }

    /// Of a delta CRL: the number of the base that it needs.
    pub fn base_crl_number(&self) -> Option<&SerialNumber> {
        self.0.extensions.base_crl_number.as_ref()
    }

    /// The scope, if it has a limited one.
    pub fn idp(&self) -> Option<&IssuingDistributionPoint> {
        self.0.extensions.idp.as_ref()
    }

    /// URLs of delta CRLs.
    pub fn freshest_urls(&self) -> &[String] {
        &self.0.extensions.freshest_urls
    }

    /// Those of them that are `http:` or `https:`, in order, without repetition.
    pub fn http_freshest_urls(&self) -> Vec<&str> {
        super::certificate::http_urls(self.freshest_urls())
    }

    /// How many certificates it lists.
    pub fn entry_count(&self) -> usize {
        self.0.entry_count
    }

    fn is_indirect(&self) -> bool {
        self.idp().is_some_and(|idp| idp.indirect)
    }

    /// Whether `certificate` is in its scope, by its own word: nothing is said about who signed it.
    pub(crate) fn covers(&self, certificate: &Certificate) -> Result<(), CrlError> {
        let scope = if certificate.issuer() != self.issuer() {
            Err("it is another issuer's")
        } else {
            scope::covers_wholly(self.idp(), certificate)
        };
        scope.map_err(|scope| CrlError::OutOfScope {
            issuer: shown(self.issuer()),
            subject: shown(certificate.subject()),
            scope,
        })
    }

    fn entries(&self) -> &[u8] {
        self.0.der.get(self.0.entries.clone()).unwrap_or_default()
    }
}
