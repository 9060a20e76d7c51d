//! The six signature algorithms (Notary signature-specification, "Algorithm Selection").

use std::fmt;

use crate::pki::{HashAlgorithm, KeyKind, SignatureScheme};

/// A signature algorithm, by its name in RFC 7518.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-256
    Ps256,
    /// RSASSA-PSS with SHA-384
    Ps384,
    /// RSASSA-PSS with SHA-512
    Ps512,
    /// ECDSA on P-256 with SHA-256
    Es256,
    /// ECDSA on P-384 with SHA-384
    Es384,
    /// ECDSA on P-521 with SHA-512
    Es512,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 6] = [Self::Ps256, Self::Ps384, Self::Ps512, Self::Es256, Self::Es384, Self::Es512];

    /// The name in a JWS `alg` header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    /// The name in the plugin protocol (Notary plugin-extensibility, "Signing Algorithm").
    pub const fn plugin_name(self) -> &'static str {
        match self {
            Self::Ps256 => "RSASSA-PSS-SHA-256",
            Self::Ps384 => "RSASSA-PSS-SHA-384",
            Self::Ps512 => "RSASSA-PSS-SHA-512",
            Self::Es256 => "ECDSA-SHA-256",
            Self::Es384 => "ECDSA-SHA-384",
            Self::Es512 => "ECDSA-SHA-512",
        }
    }

    /// The algorithm of that name, compared byte by byte.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The number in a COSE `alg` header (conformance 4.04).
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Ps256 => -37,
            Self::Ps384 => -38,
            Self::Ps512 => -39,
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Es512 => -36,
        }
    }

    /// The algorithm of that number.
    pub fn find_cose(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose_id() == id)
    }

    /// The only algorithm with which a key of this kind may sign (conformance 5.01).
    pub const fn of_key(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa2048 => Self::Ps256,
            KeyKind::Rsa3072 => Self::Ps384,
            KeyKind::Rsa4096 => Self::Ps512,
            KeyKind::P256 => Self::Es256,
            KeyKind::P384 => Self::Es384,
            KeyKind::P521 => Self::Es512,
        }
    }

    /// The hash.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Ps256 | Self::Es256 => HashAlgorithm::Sha256,
            Self::Ps384 | Self::Es384 => HashAlgorithm::Sha384,
            Self::Ps512 | Self::Es512 => HashAlgorithm::Sha512,
        }
    }

    /// The signature scheme: PSS with a salt as long as the hash (RFC 7518 §3.5), or raw r and s (§3.4).
    pub const fn scheme(self) -> SignatureScheme {
        match self {
            Self::Ps256 | Self::Ps384 | Self::Ps512 => SignatureScheme::RsaPss(self.hash()),
            Self::Es256 | Self::Es384 | Self::Es512 => SignatureScheme::EcdsaRaw(self.hash()),
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_registry() {
        // Conformance 4.04, against the IANA registry as coset has it.
        use coset::iana::{Algorithm, EnumI64 as _};
        for (algorithm, registered) in SignatureAlgorithm::ALL.into_iter().zip([
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::ES512,
        ]) {
            assert_eq!(algorithm.cose_id(), registered.to_i64(), "{algorithm}");
            assert_eq!(SignatureAlgorithm::find_cose(registered.to_i64()), Some(algorithm));
        }
        for other in [0, 5, -8, -9, -47, -257, -65535] {
            assert_eq!(SignatureAlgorithm::find_cose(other), None, "{other}");
        }
    }

    #[test]
    fn the_key_decides_algorithm_and_hash() {
        // Conformance 5.01.
        for (kind, name) in [
            (KeyKind::Rsa2048, "PS256"),
            (KeyKind::Rsa3072, "PS384"),
            (KeyKind::Rsa4096, "PS512"),
            (KeyKind::P256, "ES256"),
            (KeyKind::P384, "ES384"),
            (KeyKind::P521, "ES512"),
        ] {
            let algorithm = SignatureAlgorithm::of_key(kind);
            assert_eq!((algorithm.name(), algorithm.hash()), (name, kind.hash()));
            assert_eq!(SignatureAlgorithm::find(name), Some(algorithm));
        }
        for other in ["none", "HS256", "RS256", "ps256", "ES256K", "EdDSA", ""] {
            assert_eq!(SignatureAlgorithm::find(other), None, "3.07: {other}");
        }
    }
}
