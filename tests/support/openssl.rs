//! A PKI, CRLs, timestamps and Notary signatures, all made by the openssl CLI. The signing input of an envelope is
//! assembled here from the specification's facts (conformance 2.x and 3.x), not by bulla.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub const DAY: i64 = 86_400;

/// The machine's clock.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// RFC 3339.
pub fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

/// `YYYYMMDDHHMMSSZ`, as openssl takes times.
fn asn1(seconds: i64) -> String {
    rfc3339(seconds).chars().filter(|c| c.is_ascii_digit() || *c == 'Z').collect()
}

/// The keys that a signer may have (conformance 5.01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    P521,
}

impl Key {
    pub const ALL: [Self; 6] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::P256, Self::P384, Self::P521];

    fn options(self) -> [&'static str; 4] {
        let (algorithm, option) = match self {
            Self::Rsa2048 => ("RSA", "rsa_keygen_bits:2048"),
            Self::Rsa3072 => ("RSA", "rsa_keygen_bits:3072"),
            Self::Rsa4096 => ("RSA", "rsa_keygen_bits:4096"),
            Self::P256 => ("EC", "ec_paramgen_curve:P-256"),
            Self::P384 => ("EC", "ec_paramgen_curve:P-384"),
            Self::P521 => ("EC", "ec_paramgen_curve:P-521"),
        };
        ["-algorithm", algorithm, "-pkeyopt", option]
    }

    const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// The algorithm's name in a JWS (3.07) and its hash.
    const fn algorithm(self) -> (&'static str, &'static str) {
        match self {
            Self::Rsa2048 => ("PS256", "sha256"),
            Self::Rsa3072 => ("PS384", "sha384"),
            Self::Rsa4096 => ("PS512", "sha512"),
            Self::P256 => ("ES256", "sha256"),
            Self::P384 => ("ES384", "sha384"),
            Self::P521 => ("ES512", "sha512"),
        }
    }

    /// Bytes of r and of s (3.20).
    const fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            _ => 66,
        }
    }
}

/// Somebody with a certificate: an authority or an end entity. Its name is the name of its files.
#[derive(Debug, Clone)]
pub struct Holder {
    pub name: String,
    pub key: Key,
    /// Itself first, the root last.
    chain: Vec<String>,
}

impl Holder {
    /// The subject, as RFC 4514 writes it.
    pub fn subject(&self) -> String {
        format!("CN={},O=E2E,ST=Utrecht,C=NL", self.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Signing,
    Timestamping,
}

/// Where openssl works, and the URL under which the CRLs will be found.
pub struct Pki {
    folder: TempDir,
    base: String,
}

/// A root, an authority below it and a signer.
pub struct Chain {
    pub root: Holder,
    pub inter: Holder,
    pub leaf: Holder,
}

/// What goes into a signature beside the artifact.
#[derive(Default)]
pub struct Signing<'a> {
    pub expiry: Option<i64>,
    /// Who stamps it.
    pub tsa: Option<&'a Holder>,
    /// User metadata.
    pub metadata: Option<Value>,
    /// The claimed signing time, if not now.
    pub claimed: Option<i64>,
}

impl Pki {
    pub fn new(base: &str) -> Self {
        let pki = Self { folder: tempfile::tempdir().unwrap(), base: base.to_owned() };
        let ca = format!(
            "[ca]\ndefault_ca=one\n[one]\ndir={0}\ndatabase={0}/$ENV::ISSUER.index\ncrlnumber={0}/$ENV::ISSUER.crlnumber\n\
             new_certs_dir={0}/issued\npolicy=any\nrand_serial=yes\ndefault_md=sha256\ncrl_extensions=crl_ext\nunique_subject=no\n[crl_ext]\nauthorityKeyIdentifier=keyid\n\
             [any]\ncountryName=supplied\nstateOrProvinceName=supplied\norganizationName=supplied\ncommonName=supplied\n",
            pki.folder.path().display()
        );
        fs::write(pki.path("ca.cnf"), ca).unwrap();
        fs::create_dir(pki.path("issued")).unwrap();
        // Conformance 9.16: ESSCertIDv2, hence ess_cert_id_alg.
        let tsa = "[tsa]\ndefault_tsa=one\n[one]\nserial=tsa.serial\ncrypto_device=builtin\nsigner_digest=sha256\n\
                   default_policy=1.2.3.4.1\ndigests=sha256,sha384,sha512\naccuracy=secs:1\nordering=no\ntsa_name=no\n\
                   ess_cert_id_chain=no\ness_cert_id_alg=sha256\n";
        fs::write(pki.path("tsa.cnf"), tsa).unwrap();
        fs::write(pki.path("tsa.serial"), "01\n").unwrap();
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn try_openssl(&self, issuer: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder.path()).env("ISSUER", issuer).stdin(Stdio::null());
        let output = command.output().unwrap();
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(format!("openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) -> Vec<u8> {
        self.try_openssl("none", arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    fn request(&self, name: &str, key: Key) {
        let (key_file, request) = (format!("{name}.key"), format!("{name}.csr"));
        self.openssl(&[&["genpkey", "-out", &key_file][..], &key.options()].concat());
        let subject = format!("/C=NL/ST=Utrecht/O=E2E/CN={name}");
        self.openssl(&["req", "-new", "-key", &key_file, "-subj", &subject, "-out", &request]);
    }

    fn certify(&self, name: &str, key: Key, issuer: Option<&Holder>, extensions: &str, days: i64) -> Holder {
        self.request(name, key);
        let mut text = format!("[ext]\nsubjectKeyIdentifier=hash\n{extensions}");
        if let Some(issuer) = issuer {
            text.push_str("authorityKeyIdentifier=keyid\n");
            text.push_str(&format!("crlDistributionPoints=URI:{}/{}.crl\n", self.base, issuer.name));
        }
        fs::write(self.path(&format!("{name}.ext")), text).unwrap();
        let signing = issuer.map_or(name, |issuer| issuer.name.as_str());
        let (request, certificate, ext) = (format!("{name}.csr"), format!("{name}.pem"), format!("{name}.ext"));
        let (ca, ca_key) = (format!("{signing}.pem"), format!("{signing}.key"));
        // Since yesterday: a timestamp's accuracy reaches back before the moment at which it is made.
        let (from, to) = (asn1(now() - DAY), asn1(now() + days * DAY));
        let mut words = vec!["ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN"];
        words.extend(["-in", &request, "-out", &certificate, "-extfile", &ext, "-extensions", "ext"]);
        words.extend(["-startdate", &from, "-enddate", &to, "-keyfile", &ca_key]);
        match issuer {
            Some(_) => words.extend(["-cert", &ca]),
            None => words.push("-selfsign"),
        }
        self.try_openssl(signing, &words).unwrap();
        let mut chain = vec![name.to_owned()];
        chain.extend(issuer.iter().flat_map(|issuer| issuer.chain.clone()));
        Holder { name: name.to_owned(), key, chain }
    }

    fn authority(&self, name: &str, issuer: Option<&Holder>, path_length: &str) -> Holder {
        fs::write(self.path(&format!("{name}.index")), "").unwrap();
        fs::write(self.path(&format!("{name}.crlnumber")), "01\n").unwrap();
        let extensions =
            format!("basicConstraints=critical,CA:TRUE{path_length}\nkeyUsage=critical,keyCertSign,cRLSign\n");
        self.certify(name, Key::P256, issuer, &extensions, 3650)
    }

    /// A root authority (conformance 5.08, 5.10).
    pub fn root(&self, name: &str) -> Holder {
        self.authority(name, None, "")
    }

    /// An authority below another.
    pub fn intermediate(&self, name: &str, issuer: &Holder) -> Holder {
        self.authority(name, Some(issuer), ",pathlen:0")
    }

    /// An end entity (conformance 5.11 to 5.14).
    pub fn leaf(&self, name: &str, issuer: &Holder, key: Key, usage: Use, days: i64) -> Holder {
        let mut extensions = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n".to_owned();
        extensions.push_str(match usage {
            Use::Signing => "extendedKeyUsage=codeSigning\n",
            Use::Timestamping => "extendedKeyUsage=critical,timeStamping\n",
        });
        self.certify(name, key, Some(issuer), &extensions, days)
    }

    /// A root, an authority and an end entity whose names begin with `name`.
    pub fn chain(&self, name: &str, key: Key, usage: Use) -> Chain {
        let root = self.root(&format!("{name}-root"));
        let inter = self.intermediate(&format!("{name}-inter"), &root);
        let leaf = self.leaf(&format!("{name}-leaf"), &inter, key, usage, 365);
        Chain { root, inter, leaf }
    }

    /// The certificate in PEM.
    pub fn pem(&self, holder: &Holder) -> String {
        fs::read_to_string(self.path(&format!("{}.pem", holder.name))).unwrap()
    }

    /// The private key in PEM (PKCS#8).
    pub fn key_pem(&self, holder: &Holder) -> String {
        self.read(&format!("{}.key", holder.name))
    }

    /// The certificates in PEM, itself first, the root last.
    pub fn chain_pem(&self, holder: &Holder) -> String {
        holder.chain.iter().map(|name| self.read(&format!("{name}.pem"))).collect()
    }

    fn der(&self, name: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER"])
    }

    /// Puts a certificate on its issuer's next CRL.
    pub fn revoke(&self, issuer: &Holder, revoked: &Holder, reason: &str) {
        let (ca, key) = (format!("{}.pem", issuer.name), format!("{}.key", issuer.name));
        let certificate = format!("{}.pem", revoked.name);
        let words = ["ca", "-config", "ca.cnf", "-cert", &ca, "-keyfile", &key, "-revoke", &certificate];
        self.try_openssl(&issuer.name, &[&words[..], &["-crl_reason", reason]].concat()).unwrap();
    }

    /// The issuer's CRL, from an hour ago for 30 days.
    pub fn crl(&self, issuer: &Holder) -> Vec<u8> {
        self.crl_between(issuer, now() - 3600, now() + 30 * DAY)
    }

    /// The issuer's CRL with these times.
    pub fn crl_between(&self, issuer: &Holder, this_update: i64, next_update: i64) -> Vec<u8> {
        let (ca, key) = (format!("{}.pem", issuer.name), format!("{}.key", issuer.name));
        let (from, to) = (asn1(this_update), asn1(next_update));
        let words = ["ca", "-config", "ca.cnf", "-gencrl", "-cert", &ca, "-keyfile", &key, "-out", "one.crl.pem"];
        let times = ["-crl_lastupdate", &from, "-crl_nextupdate", &to];
        self.try_openssl(&issuer.name, &[&words[..], &times].concat()).unwrap();
        self.openssl(&["crl", "-in", "one.crl.pem", "-outform", "DER"])
    }

    /// A timestamp token over these bytes (conformance 9.01 to 9.03).
    pub fn timestamp(&self, tsa: &Holder, hash: &str, bytes: &[u8]) -> Vec<u8> {
        fs::write(self.path("stamped"), bytes).unwrap();
        let hash = format!("-{hash}");
        self.openssl(&["ts", "-query", "-data", "stamped", &hash, "-cert", "-out", "query.tsq"]);
        let above: String = tsa.chain[1..].iter().map(|name| self.read(&format!("{name}.pem"))).collect();
        fs::write(self.path("above.pem"), above).unwrap();
        let (signer, key) = (format!("{}.pem", tsa.name), format!("{}.key", tsa.name));
        let words = ["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-signer", &signer];
        let rest = ["-inkey", &key, "-chain", "above.pem", "-token_out", "-out", "token.der"];
        self.openssl(&[&words[..], &rest].concat());
        fs::read(self.path("token.der")).unwrap()
    }

    /// The authority's answer to a question (RFC 3161 §2.4.2).
    pub fn reply(&self, tsa: &Holder, query: &[u8]) -> Vec<u8> {
        fs::write(self.path("asked.tsq"), query).unwrap();
        self.response(tsa, "asked.tsq")
    }

    /// The authority's answer to somebody else's question, about this SHA-256.
    pub fn response_for_digest(&self, tsa: &Holder, hash: &str) -> Vec<u8> {
        self.openssl(&["ts", "-query", "-digest", hash, "-sha256", "-cert", "-out", "other.tsq"]);
        self.response(tsa, "other.tsq")
    }

    fn response(&self, tsa: &Holder, query: &str) -> Vec<u8> {
        let above: String = tsa.chain[1..].iter().map(|name| self.read(&format!("{name}.pem"))).collect();
        fs::write(self.path("above.pem"), above).unwrap();
        let (signer, key) = (format!("{}.pem", tsa.name), format!("{}.key", tsa.name));
        let words = ["ts", "-reply", "-config", "tsa.cnf", "-queryfile", query, "-signer", &signer];
        self.openssl(&[&words[..], &["-inkey", &key, "-chain", "above.pem", "-out", "response.tsr"]].concat());
        fs::read(self.path("response.tsr")).unwrap()
    }

    /// Whether openssl finds a token to be of these bytes, by an authority under that root.
    pub fn verify_token(&self, tsa: &Chain, token: &[u8], bytes: &[u8]) -> Result<(), String> {
        fs::write(self.path("judged.der"), token).unwrap();
        fs::write(self.path("judged.data"), bytes).unwrap();
        let root = format!("{}.pem", tsa.root.name);
        let words = ["ts", "-verify", "-in", "judged.der", "-token_in", "-data", "judged.data", "-CAfile", &root];
        self.try_openssl("none", &words).map(drop)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The signature value over these bytes: PSS with a salt as long as the hash (3.19), or r and s (3.20).
    fn sign(&self, signer: &Holder, bytes: &[u8]) -> Vec<u8> {
        fs::write(self.path("input"), bytes).unwrap();
        let (_, hash) = signer.key.algorithm();
        let (hash, key) = (format!("-{hash}"), format!("{}.key", signer.name));
        let mut words = vec!["dgst", &hash, "-sign", &key];
        if signer.key.is_rsa() {
            words.extend(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
        }
        words.push("input");
        let value = self.openssl(&words);
        if signer.key.is_rsa() { value } else { raw(&value, signer.key.coordinate()) }
    }

    /// The chain of a holder, in DER, itself first.
    pub fn certificates(&self, holder: &Holder) -> Vec<Vec<u8>> {
        holder.chain.iter().map(|name| self.der(name)).collect()
    }

    /// A JWS envelope over an artifact (conformance 2.01 to 2.14, 3.01 to 3.18).
    pub fn envelope(&self, signer: &Holder, target: &Value, signing: &Signing<'_>) -> Vec<u8> {
        let mut artifact = json!({
            "mediaType": target["mediaType"], "digest": target["digest"], "size": target["size"],
        });
        if let Some(metadata) = &signing.metadata {
            artifact["annotations"] = metadata.clone();
        }
        let payload = json!({"targetArtifact": artifact}).to_string();
        let mut protected = Map::new();
        let mut critical = vec!["io.cncf.notary.signingScheme"];
        protected.insert("alg".into(), signer.key.algorithm().0.into());
        protected.insert("cty".into(), "application/vnd.cncf.notary.payload.v1+json".into());
        protected.insert("io.cncf.notary.signingScheme".into(), "notary.x509".into());
        protected.insert("io.cncf.notary.signingTime".into(), rfc3339(signing.claimed.unwrap_or_else(now)).into());
        if let Some(expiry) = signing.expiry {
            protected.insert("io.cncf.notary.expiry".into(), rfc3339(expiry).into());
            critical.push("io.cncf.notary.expiry");
        }
        protected.insert("crit".into(), json!(critical));
        let protected = BASE64_URL_SAFE_NO_PAD.encode(Value::Object(protected).to_string());
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        let signature = self.sign(signer, format!("{protected}.{payload}").as_bytes());
        let chain: Vec<_> = self.certificates(signer).iter().map(|der| BASE64_STANDARD.encode(der)).collect();
        let mut header = json!({"x5c": chain, "io.cncf.notary.signingAgent": "openssl/3"});
        if let Some(tsa) = signing.tsa {
            let token = self.timestamp(tsa, signer.key.algorithm().1, &signature);
            header["io.cncf.notary.timestampSignature"] = BASE64_STANDARD.encode(token).into();
        }
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        json!({"payload": payload, "protected": protected, "header": header, "signature": signature})
            .to_string()
            .into_bytes()
    }

    /// The annotation that names the chain (conformance 1.09, 1.10).
    pub fn thumbprints(&self, signer: &Holder) -> String {
        let hex = |der: &Vec<u8>| Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        json!(self.certificates(signer).iter().map(hex).collect::<Vec<_>>()).to_string()
    }
}

/// From `SEQUENCE { r INTEGER, s INTEGER }` to both in fixed length.
fn raw(der: &[u8], coordinate: usize) -> Vec<u8> {
    let mut rest = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let mut out = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let value = &rest[2..2 + length];
        let value = value.strip_prefix(&[0]).unwrap_or(value);
        out.extend(std::iter::repeat_n(0, coordinate - value.len()));
        out.extend(value);
        rest = &rest[2 + length..];
    }
    out
}
