//! RFC 3161 timestamp tokens (conformance section 9c).

use std::time::Duration;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::limits::Limits;
use crate::pki::{Certificate, ConformingChain, HashAlgorithm, SerialNumber};
use crate::time::UnixTime;

/// A token whose form is right; nothing about its signature is known yet.
#[derive(Debug, Clone)]
pub struct TimestampToken(());

impl TimestampToken {
    /// Reads a token (a CMS ContentInfo), with nothing behind it.
    pub fn parse(_der: &[u8], _limits: &Limits) -> Result<Self, TimestampError> {
        unimplemented!()
    }
    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        unimplemented!()
    }
    /// What the authority signed.
    pub fn info(&self) -> &TstInfo {
        unimplemented!()
    }
    /// The certificates in the token, in its order.
    pub fn certificates(&self) -> &[Certificate] {
        unimplemented!()
    }
    /// The authority's certificate by ESSCertIDv2 (conformance 9.16 to 9.18), of the first usable signer.
    pub fn signer(&self) -> Result<&Certificate, TimestampError> {
        unimplemented!()
    }
    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        unimplemented!()
    }
    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        unimplemented!()
    }
    /// Checks imprint, signature and the authority's path to one of `roots` at genTime.
    pub fn verify(
        &self,
        _message: &[u8],
        _roots: &[Certificate],
        _limits: &Limits,
    ) -> Result<VerifiedToken, TimestampError> {
        unimplemented!()
    }
}

/// What a timestamp authority signs (RFC 3161 §2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TstInfo {
    /// When the authority saw the imprint.
    pub gen_time: UnixTime,
    /// How far off genTime may be, both ways (conformance 9.26).
    pub accuracy: Duration,
    /// The authority's policy, in dotted form.
    pub policy: String,
    /// The token's serial number.
    pub serial: SerialNumber,
    /// The hash of the imprint.
    pub hash: HashAlgorithm,
    /// The hash of what was stamped.
    pub imprint: Vec<u8>,
}

/// A token that verified for a message and leads to a trusted authority.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    info: TstInfo,
    chain: ConformingChain,
    anchor: Certificate,
}

impl VerifiedToken {
    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        self.info.gen_time.saturating_sub(self.info.accuracy)
    }
    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        self.info.gen_time.saturating_add(self.info.accuracy)
    }
    /// When the authority saw the imprint.
    pub fn gen_time(&self) -> UnixTime {
        self.info.gen_time
    }
    /// The authority's chain, up to the anchor.
    pub fn chain(&self) -> &ConformingChain {
        &self.chain
    }
    /// The root that is trusted.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }
}

/// Which way a timestamp failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampFailure {
    /// The token is malformed, breaks a rule or its signature is wrong.
    Invalid,
    /// The token is of another message.
    ImprintMismatch,
    /// The authority does not lead to a trusted root.
    Untrusted,
}

/// Why a timestamp token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Not DER, or not a token.
    #[error("not a timestamp token: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
}

impl TimestampError {
    /// Invalid, of another message, or untrusted.
    pub fn failure(&self) -> TimestampFailure {
        TimestampFailure::Invalid
    }
}

impl Diagnostic for TimestampError {
    fn code(&self) -> DiagnosticCode {
        match self.failure() {
            TimestampFailure::Invalid | TimestampFailure::ImprintMismatch => DiagnosticCode::TimestampInvalid,
            TimestampFailure::Untrusted => DiagnosticCode::TimestampUntrusted,
        }
    }
}
