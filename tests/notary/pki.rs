//! Certificates and signatures by the openssl CLI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory for openssl to work in.
pub(crate) struct Workshop(TempDir);

/// A key and its certificate.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) key: PathBuf,
    pub(crate) certificate: PathBuf,
}

pub(crate) const LEAF: &str = "keyUsage=critical,digitalSignature\nbasicConstraints=CA:false";
pub(crate) const CA: &str = "keyUsage=critical,keyCertSign,cRLSign\nbasicConstraints=critical,CA:true";

impl Workshop {
    /// `None`, said aloud, where there is no openssl.
    pub(crate) fn open() -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
            return Some(Self(tempfile::tempdir().unwrap()));
        }
        crate::skip::tool(format_args!("openssl is not installed"));
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl").current_dir(self.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// `kind` is `rsa:2048` or `ec:P-256`.
    fn key(&self, name: &str, kind: &str) -> PathBuf {
        let file = format!("{name}.key");
        let (algorithm, option) = match kind.split_once(':').unwrap() {
            ("rsa", bits) => ("RSA", format!("rsa_keygen_bits:{bits}")),
            (_, curve) => ("EC", format!("ec_paramgen_curve:{curve}")),
        };
        self.openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", &option, "-out", &file]);
        self.path().join(file)
    }

    /// A certificate by `issuer`, or a self-signed one.
    pub(crate) fn certificate(
        &self,
        name: &str,
        kind: &str,
        subject: &str,
        extensions: &str,
        issuer: Option<&Holder>,
    ) -> Holder {
        let key = self.key(name, kind);
        let (request, config, certificate) = (format!("{name}.csr"), format!("{name}.cnf"), format!("{name}.pem"));
        fs::write(self.path().join(&config), extensions).unwrap();
        let key_text = key.to_str().unwrap().to_owned();
        self.openssl(&["req", "-new", "-utf8", "-key", &key_text, "-subj", subject, "-out", &request]);
        let mut arguments: Vec<String> =
            ["x509", "-req", "-days", "3650", "-sha256", "-in", &request, "-extfile", &config, "-out", &certificate]
                .map(str::to_owned)
                .to_vec();
        match issuer {
            None => arguments.extend(["-signkey".to_owned(), key_text]),
            Some(issuer) => {
                let text = |path: &Path| path.to_str().unwrap().to_owned();
                arguments.extend(["-CA".to_owned(), text(&issuer.certificate), "-CAkey".to_owned(), text(&issuer.key)]);
                arguments.push("-CAcreateserial".to_owned());
            }
        }
        self.openssl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        Holder { key, certificate: self.path().join(certificate) }
    }

    /// A root, and a leaf with a key of `kind`.
    pub(crate) fn chain(&self, kind: &str) -> [Holder; 2] {
        let root = self.certificate("root", "ec:P-256", "/C=US/ST=WA/O=acme/CN=root", CA, None);
        let leaf = self.certificate("leaf", kind, "/C=US/ST=WA/O=acme/CN=leaf", LEAF, Some(&root));
        [leaf, root]
    }

    pub(crate) fn der(&self, holder: &Holder) -> Vec<u8> {
        self.openssl(&["x509", "-in", holder.certificate.to_str().unwrap(), "-outform", "DER"])
    }

    /// A signature over `input` in the form that JOSE and COSE use.
    pub(crate) fn sign(&self, input: &[u8], holder: &Holder, options: &Signing) -> Vec<u8> {
        fs::write(self.path().join("input"), input).unwrap();
        let hash = format!("-{}", options.hash);
        let mut arguments = vec!["dgst", &hash, "-sign", holder.key.to_str().unwrap()];
        for option in &options.padding {
            arguments.extend(["-sigopt", option]);
        }
        arguments.push("input");
        let signature = self.openssl(&arguments);
        match options.width {
            Some(width) => raw(&signature, width),
            None => signature,
        }
    }

    /// A JWS envelope over `protected` and `payload`, made without bulla.
    pub(crate) fn envelope(&self, protected: &Value, payload: &Value, chain: &[Holder], options: &Signing) -> Vec<u8> {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap());
        let (protected, payload) = (encode(protected), encode(payload));
        let signature = self.sign(format!("{protected}.{payload}").as_bytes(), &chain[0], options);
        let x5c: Vec<String> = chain.iter().map(|holder| STANDARD.encode(self.der(holder))).collect();
        let envelope = json!({
            "payload": payload, "protected": protected, "header": { "x5c": x5c },
            "signature": URL_SAFE_NO_PAD.encode(signature),
        });
        serde_json::to_vec(&envelope).unwrap()
    }
}

/// How openssl signs.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) hash: &'static str,
    pub(crate) padding: Vec<&'static str>,
    /// Of r and of s in octets, for ECDSA.
    pub(crate) width: Option<usize>,
}

impl Signing {
    pub(crate) fn ecdsa(hash: &'static str, width: usize) -> Self {
        Self { hash, padding: Vec::new(), width: Some(width) }
    }

    pub(crate) fn pss(hash: &'static str, salt: &'static str) -> Self {
        Self { hash, padding: vec!["rsa_padding_mode:pss", salt], width: None }
    }
}

/// SEQUENCE { r INTEGER, s INTEGER } to r and s of fixed width.
fn raw(der: &[u8], width: usize) -> Vec<u8> {
    let body = if der[1] & 0x80 == 0 { &der[2..] } else { &der[3..] };
    let (r, rest) = integer(body);
    let (s, rest) = integer(rest);
    assert!(rest.is_empty());
    [r, s].iter().flat_map(|number| [vec![0; width - number.len()], number.to_vec()].concat()).collect()
}

fn integer(der: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(der[0], 2);
    let (value, rest) = der[2..].split_at(usize::from(der[1]));
    let zeros = value.iter().take_while(|byte| **byte == 0).count();
    (&value[zeros..], rest)
}
