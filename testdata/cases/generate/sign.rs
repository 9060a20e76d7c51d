//! Keys of `pki`, and signatures that come out the same each time: ECDSA with the nonces of RFC 6979, PSS with salts from the
//! message. Nothing here is bulla's own signer.

use std::fs;

use rsa::pkcs8::DecodePrivateKey as _;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use signature::hazmat::PrehashSigner as _;

use crate::facts::folder;

/// The certificate's DER.
pub(super) fn der(certificate: &str) -> Vec<u8> {
    let text = fs::read_to_string(folder().join(format!("pki/{certificate}.pem"))).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let body: String = lines.take_while(|line| !line.starts_with("-----END")).collect();
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap()
}

/// Hash functions by their length in bits.
pub(super) fn hash(bits: u32, message: &[u8]) -> Vec<u8> {
    match bits {
        256 => Sha256::digest(message).to_vec(),
        384 => Sha384::digest(message).to_vec(),
        512 => Sha512::digest(message).to_vec(),
        _ => panic!("no such hash"),
    }
}

/// How to sign with an RSA key.
#[derive(Clone, Copy, Default)]
pub(super) enum Padding {
    /// PSS with a salt as long as the hash.
    #[default]
    Pss,
    /// PSS with a salt of this length.
    PssSalt(usize),
    /// PKCS #1 v1.5.
    Pkcs1,
}

/// A signature in the form of JOSE and COSE, with a hash of `bits`.
pub(super) fn sign(key: &str, message: &[u8], bits: u32, padding: Padding) -> Vec<u8> {
    let pem = fs::read_to_string(folder().join(format!("pki/{key}.key"))).unwrap();
    let digest = hash(bits, message);
    match key {
        "p384" => {
            let key = p384::ecdsa::SigningKey::from(p384::SecretKey::from_pkcs8_pem(&pem).unwrap());
            let signature: p384::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
            signature.to_bytes().to_vec()
        }
        "p521" => {
            let key = p521::ecdsa::SigningKey::from(p521::SecretKey::from_pkcs8_pem(&pem).unwrap());
            let signature: p521::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
            signature.to_bytes().to_vec()
        }
        rsa if rsa.starts_with("rsa") => {
            sign_rsa(&RsaPrivateKey::from_pkcs8_pem(&pem).unwrap(), &digest, bits, padding)
        }
        // What no signature may be made with: it is refused before anybody looks at the value.
        "p224" | "k256" | "ed25519" | "pss2048" => vec![1; 64],
        _ => {
            let key = p256::ecdsa::SigningKey::from(p256::SecretKey::from_pkcs8_pem(&pem).unwrap());
            let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).unwrap();
            signature.to_bytes().to_vec()
        }
    }
}

fn sign_rsa(key: &RsaPrivateKey, digest: &[u8], bits: u32, padding: Padding) -> Vec<u8> {
    let salt = match padding {
        Padding::Pss => digest.len(),
        Padding::PssSalt(length) => length,
        Padding::Pkcs1 => return pkcs1(key, digest, bits),
    };
    let mut random = Stream { seed: digest.to_vec(), counter: 0 };
    match bits {
        256 => key.sign_with_rng(&mut random, Pss::<Sha256>::new_with_salt(salt), digest),
        384 => key.sign_with_rng(&mut random, Pss::<Sha384>::new_with_salt(salt), digest),
        _ => key.sign_with_rng(&mut random, Pss::<Sha512>::new_with_salt(salt), digest),
    }
    .unwrap()
}

fn pkcs1(key: &RsaPrivateKey, digest: &[u8], bits: u32) -> Vec<u8> {
    match bits {
        256 => key.sign(Pkcs1v15Sign::new::<Sha256>(), digest),
        384 => key.sign(Pkcs1v15Sign::new::<Sha384>(), digest),
        _ => key.sign(Pkcs1v15Sign::new::<Sha512>(), digest),
    }
    .unwrap()
}

/// The generator's signatures under openssl, which knows nothing of the libraries that make and read them here.
#[test]
fn openssl_accepts_the_generators_signatures() {
    use std::process::{Command, Stdio};
    let found = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return crate::skip::tool(format_args!("openssl is not installed"));
    }
    let work = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(work.path().join(name), bytes).unwrap();
    write("message", b"what is signed");
    for (key, certificate, bits) in [
        ("rsa2048", "leaf-rsa2048", 256),
        ("rsa3072", "leaf-rsa3072", 384),
        ("rsa4096", "leaf-rsa4096", 512),
        ("leaf", "leaf", 256),
        ("p384", "leaf-p384", 384),
        ("p521", "leaf-p521", 512),
    ] {
        let signature = sign(key, b"what is signed", bits, Padding::Pss);
        assert_eq!(signature, sign(key, b"what is signed", bits, Padding::Pss), "{key}: the same each time");
        let rsa = key.starts_with("rsa");
        write("signature", &if rsa { signature } else { sequence(&signature) });
        let pem = folder().join(format!("pki/{certificate}.pem"));
        let public = Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(pem).output().unwrap();
        write("public", &public.stdout);
        let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
        let verified = Command::new("openssl")
            .current_dir(work.path())
            .args(["dgst", &format!("-sha{bits}"), "-verify", "public", "-signature", "signature"])
            .args(if rsa { &pss[..] } else { &[] })
            .arg("message")
            .output()
            .unwrap();
        assert!(verified.status.success(), "{key}: {}", String::from_utf8_lossy(&verified.stderr));
    }
}

/// SEQUENCE { r, s }, by hand.
fn sequence(raw: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if digits[0] >= 0x80 { vec![0] } else { Vec::new() };
        [vec![2, (sign.len() + digits.len()) as u8], sign, digits].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let long = if body.len() >= 0x80 { vec![0x81] } else { Vec::new() };
    [vec![0x30], long, vec![body.len() as u8], body].concat()
}

/// "Randomness" that is a function of what is signed. Fit for test data and for nothing else.
struct Stream {
    seed: Vec<u8>,
    counter: u64,
}

impl TryRng for Stream {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let block = Sha256::digest([&self.seed[..], &self.counter.to_le_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}
