//! Trust stores: named sets of certificates, each for one purpose (trust-policy specification, "Trust Store").

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::pki::Certificate;

/// What the certificates of a store may vouch for. Stores are never shared between types (conformance 6.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreType {
    /// Signers under `notary.x509`.
    Ca,
    /// Signing authorities under `notary.x509.signingAuthority`.
    SigningAuthority,
    /// RFC 3161 timestamp authorities.
    Tsa,
}

impl StoreType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Ca, Self::SigningAuthority, Self::Tsa];

    /// The name in a trust policy, and of the directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::Tsa => "tsa",
        }
    }
}

impl fmt::Display for StoreType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type and name of a store, as a trust policy writes it: `ca:acme`. The name is also that of a directory, so it
/// never leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustStoreName {
    kind: StoreType,
    name: String,
}

impl TrustStoreName {
    /// The type.
    pub const fn kind(&self) -> StoreType {
        self.kind
    }

    /// The name without its type.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for TrustStoreName {
    type Err = StoreNameError;

    /// Conformance 6.03 and 7.11; `.` and `..`, which the reference lets through, are refused.
    fn from_str(text: &str) -> Result<Self, StoreNameError> {
        let (kind, name) = text.split_once(':').ok_or_else(|| StoreNameError::NoType { text: shorten(text) })?;
        let kind = StoreType::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| StoreNameError::Type { found: shorten(kind) })?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.is_empty() || matches!(name, "." | "..") || !name.bytes().all(legal) {
            return Err(StoreNameError::Name { found: shorten(name) });
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for TrustStoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// Why a text names no trust store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreNameError {
    /// No colon.
    #[error("the trust store {text:?} has no type: write ca:NAME, signingAuthority:NAME or tsa:NAME")]
    NoType {
        /// The text.
        text: String,
    },
    /// No such type.
    #[error("{found:?} is no type of a trust store; write ca:NAME, signingAuthority:NAME or tsa:NAME")]
    Type {
        /// What is in front of the colon.
        found: String,
    },
    /// A name that no directory may have.
    #[error(
        "{found:?} cannot be the name of a trust store: it is the name of a directory, of letters, digits, '_', '.' and '-'"
    )]
    Name {
        /// What is behind the colon.
        found: String,
    },
}

impl Diagnostic for StoreNameError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UsageInvalid
    }

    fn hint(&self) -> Option<String> {
        Some("a store has a type (ca, signingAuthority or tsa) and a name of letters, digits, '_', '.' and '-'".into())
    }
}

/// Trust stores, read and checked.
#[derive(Debug, Clone, Default)]
pub struct TrustStores {
    stores: BTreeMap<TrustStoreName, Vec<Certificate>>,
}

impl TrustStores {
    /// Adds the certificates of one store.
    ///
    /// # Errors
    /// The store is empty, or a certificate may not be in a store of this type (conformance 6.07 to 6.09).
    pub fn insert(&mut self, name: TrustStoreName, certificates: Vec<Certificate>) -> Result<(), TrustStoreError> {
        if certificates.is_empty() {
            return Err(TrustStoreError::Empty { store: name });
        }
        for certificate in &certificates {
            inspect(&name, certificate)?;
        }
        self.stores.insert(name, certificates);
        Ok(())
    }

    /// The certificates of one store.
    pub fn get(&self, name: &TrustStoreName) -> Option<&[Certificate]> {
        self.stores.get(name).map(Vec::as_slice)
    }

    /// The certificates of all stores of type `kind` among `names`, each once (conformance 6.12, 6.13).
    ///
    /// # Errors
    /// None of `names` is of that type, or one was not read.
    pub fn anchors(&self, names: &[TrustStoreName], kind: StoreType) -> Result<Vec<Certificate>, TrustStoreError> {
        let mut anchors: Vec<Certificate> = Vec::new();
        for name in names.iter().filter(|name| name.kind == kind) {
            let store = self.get(name).ok_or_else(|| TrustStoreError::Missing { store: name.clone() })?;
            for certificate in store {
                if !anchors.contains(certificate) {
                    anchors.push(certificate.clone());
                }
            }
        }
        if anchors.is_empty() { Err(TrustStoreError::NoneOfType { kind }) } else { Ok(anchors) }
    }
}

/// Whether a certificate may be in a store of this type.
pub(crate) fn inspect(store: &TrustStoreName, certificate: &Certificate) -> Result<(), TrustStoreError> {
    let fits = match store.kind {
        StoreType::Ca | StoreType::SigningAuthority => certificate.is_ca() || certificate.is_self_signed(),
        StoreType::Tsa => certificate.is_ca() && certificate.is_self_signed(),
    };
    if fits {
        return Ok(());
    }
    Err(TrustStoreError::Unfit { store: store.clone(), certificate: certificate.short_name() })
}

/// Why a trust store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreError {
    /// It holds no certificate.
    #[error("the trust store {store} holds no certificate")]
    Empty {
        /// The store.
        store: TrustStoreName,
    },
    /// It was not read.
    #[error("the trust store {store} is not there")]
    Missing {
        /// The store.
        store: TrustStoreName,
    },
    /// The policy's statement names no store of the type that is needed.
    #[error("the trust policy names no trust store of type {kind} here")]
    NoneOfType {
        /// The type.
        kind: StoreType,
    },
    /// A certificate that cannot be an anchor of this kind.
    #[error("the certificate {certificate:?} may not be in the trust store {store}: {}", needed(.store))]
    Unfit {
        /// The store.
        store: TrustStoreName,
        /// The certificate's name.
        certificate: String,
    },
}

fn needed(store: &TrustStoreName) -> &'static str {
    match store.kind {
        StoreType::Tsa => "it must be a self-signed CA",
        StoreType::Ca | StoreType::SigningAuthority => "it must be a CA, or self-signed",
    }
}

impl Diagnostic for TrustStoreError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Empty { .. } | Self::Missing { .. } => DiagnosticCode::TrustStoreMissing,
            Self::NoneOfType { .. } => DiagnosticCode::ChainUntrusted,
            Self::Unfit { .. } => DiagnosticCode::TrustStoreInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { store } | Self::Empty { store } => {
                Some(format!("put the certificates into truststore/x509/{}/{}/", store.kind, store.name))
            }
            Self::NoneOfType { kind } => Some(format!("add \"{kind}:NAME\" to the statement's trustStores")),
            Self::Unfit { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_elsewhere() {
        // Conformance 6.01, 6.03, 7.11.
        for text in ["ca:acme-rockets", "signingAuthority:a.b", "tsa:_", "ca:..."] {
            assert_eq!(text.parse::<TrustStoreName>().unwrap().to_string(), text);
        }
        for bad in [
            "", "ca", "ca:", "CA:x", "Tsa:x", "x509:x", ":x", "ca:.", "ca:..", "ca:a/b", "ca:a:b", "ca:*", "ca: a",
            "ca:é",
        ] {
            assert!(bad.parse::<TrustStoreName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn stores_of_another_type_do_not_count() {
        // Conformance 6.09, 6.12, 6.13, 14.35.
        let mut stores = TrustStores::default();
        let name: TrustStoreName = "ca:acme".parse().unwrap();
        assert_eq!(stores.insert(name.clone(), Vec::new()), Err(TrustStoreError::Empty { store: name.clone() }));
        let anchors = |kind| stores.anchors(std::slice::from_ref(&name), kind).unwrap_err();
        assert_eq!(anchors(StoreType::Ca), TrustStoreError::Missing { store: name.clone() });
        assert_eq!(anchors(StoreType::SigningAuthority).code(), DiagnosticCode::ChainUntrusted);
    }
}
