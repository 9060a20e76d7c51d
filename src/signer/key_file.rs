//! Private keys in PEM files, plain and encrypted, without leaving a trace of them in memory.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use der::Decode as _;
use pkcs8::EncryptedPrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::key::LocalKey;

/// A passphrase. It is shown nowhere, and its memory is zeroed when it goes.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// A passphrase of these bytes.
    pub const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The first line of a file, without its end: passphrases are typed, and editors end every line.
    pub fn first_line(bytes: &[u8]) -> Self {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Self(Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[passphrase]")
    }
}

/// The first private key of a PEM file. Other blocks and text around it are passed over.
pub struct KeyFile {
    label: &'static str,
    der: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    const PKCS8: &str = "PRIVATE KEY";
    const SEC1: &str = "EC PRIVATE KEY";
    const PKCS1: &str = "RSA PRIVATE KEY";
    const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

    /// Finds the key: PKCS#8 (`PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`), SEC 1 (`EC PRIVATE KEY`) or PKCS#1
    /// (`RSA PRIVATE KEY`) (conformance 5.20). openssl puts `EC PARAMETERS`, others put certificates before it.
    ///
    /// # Errors
    /// No such block, a malformed one, or one in openssl's own encryption, which has no integrity and a weak key
    /// derivation.
    pub fn parse(pem: &[u8]) -> Result<Self, KeyError> {
        let first = [Self::PKCS8, Self::SEC1, Self::PKCS1, Self::ENCRYPTED]
            .into_iter()
            .filter_map(|label| Some((find(pem, format!("-----BEGIN {label}-----").as_bytes())?, label)))
            .min_by_key(|(place, _)| place.start);
        let (begin, label) = first.ok_or(KeyError::NoKey)?;
        let malformed = || KeyError::Malformed { label };
        let body = pem.get(begin.end..).unwrap_or_default();
        let end = find(body, format!("-----END {label}-----").as_bytes()).ok_or_else(malformed)?;
        let body = body.get(..end.start).unwrap_or_default();
        // RFC 1421 headers are how openssl encrypts keys that are not PKCS#8.
        if find(body, b"Proc-Type:").is_some() {
            return Err(KeyError::TraditionalEncryption { label });
        }
        Ok(Self { label, der: decode(body).ok_or_else(malformed)? })
    }

    /// Whether a passphrase is needed.
    pub fn is_encrypted(&self) -> bool {
        self.label == Self::ENCRYPTED
    }

    /// The key of a file that is not encrypted.
    ///
    /// # Errors
    /// It is encrypted or malformed, or may not sign.
    pub fn read(&self) -> Result<LocalKey, KeyError> {
        match self.label {
            Self::PKCS8 => LocalKey::from_pkcs8(&self.der),
            Self::SEC1 => LocalKey::from_sec1(&self.der),
            Self::PKCS1 => LocalKey::from_pkcs1(&self.der),
            _ => Err(KeyError::Encrypted),
        }
    }

    /// The key of a file that is encrypted by PBES2 (RFC 8018 §6.2): PBKDF2 or scrypt, and AES. A plain one needs no
    /// passphrase.
    ///
    /// # Errors
    /// Another encryption, another passphrase, or as [`KeyFile::read`].
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<LocalKey, KeyError> {
        if !self.is_encrypted() {
            return self.read();
        }
        let malformed = |_| KeyError::Malformed { label: self.label };
        let info = EncryptedPrivateKeyInfoRef::from_der(&self.der).map_err(malformed)?;
        let mut plain = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
        let scheme = &info.encryption_algorithm;
        match scheme.decrypt_in_place(passphrase.0.as_slice(), &mut plain) {
            // A wrong passphrase is told by the padding, or else by what comes out: no key.
            Ok(plain) => LocalKey::from_pkcs8(plain).map_err(|error| match error {
                KeyError::Malformed { .. } => KeyError::Passphrase,
                other => other,
            }),
            Err(
                pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
                | pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. },
            ) => Err(KeyError::UnsupportedEncryption),
            Err(_) => Err(KeyError::Passphrase),
        }
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({})", self.label)
    }
}

/// Where `needle` is first.
fn find(text: &[u8], needle: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = text.windows(needle.len()).position(|window| window == needle)?;
    Some(start..start.saturating_add(needle.len()))
}

/// base64 in lines. Everything that held a part of the key is zeroed, also where it is malformed: so nothing here may
/// grow, because what grows leaves its old place as it was.
fn decode(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(body.len()));
    text.extend(body.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; text.len()]);
    let length = BASE64_STANDARD.decode_slice(&*text, &mut der).ok()?;
    der.truncate(length);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_a_line() {
        for (file, wanted) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b"secret\r\nmore\n", b"secret"),
            (b" with spaces \n", b" with spaces "),
            (b"", b""),
        ] {
            assert_eq!(Passphrase::first_line(file).0.as_slice(), wanted);
        }
        assert_eq!(format!("{:?}", Passphrase::first_line(b"hunter2")), "[passphrase]");
    }

    #[test]
    fn what_is_no_private_key_is_refused_without_a_word_of_it() {
        let refused = |text: &str| KeyFile::parse(text.as_bytes()).and_then(|file| file.read()).unwrap_err();
        assert!(matches!(refused(""), KeyError::NoKey));
        assert!(matches!(refused("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), KeyError::NoKey));
        assert!(matches!(refused("-----BEGIN PRIVATE KEY-----\nAAAA\n"), KeyError::Malformed { .. }));
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
            for body in ["MAA=", "hunter2!", "aHVudGVyMg=="] {
                let error = refused(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"));
                assert!(matches!(error, KeyError::Malformed { .. }), "{label}");
                assert!(!format!("{error:?} {error}").contains("hunter2"), "{error}");
            }
        }
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(matches!(refused(encrypted), KeyError::Encrypted));
        let file = KeyFile::parse(encrypted.as_bytes()).unwrap();
        assert!(matches!(file.decrypt(&Passphrase::first_line(b"x")), Err(KeyError::Malformed { .. })));
        assert_eq!(format!("{file:?}"), "KeyFile(ENCRYPTED PRIVATE KEY)");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";
        assert!(matches!(refused(old), KeyError::TraditionalEncryption { .. }));
    }
}
