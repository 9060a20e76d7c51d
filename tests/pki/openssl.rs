//! A throw-away PKI: openssl in a temporary directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bulla::limits::Limits;
use bulla::pki::{Certificate, Crl, certificates_from_file};
use tempfile::TempDir;

pub(crate) struct Pki {
    dir: TempDir,
}

/// Extensions of the certificates that conform.
pub(crate) const ROOT: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
pub(crate) const SIGNER: &str =
    "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning";
pub(crate) const AUTHORITY: &str =
    "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping";

/// `None`, visibly, where there is no openssl.
pub(crate) fn pki() -> Option<Pki> {
    let found =
        Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        crate::skip::tool(format_args!("no openssl on this machine"));
        return None;
    }
    Some(Pki { dir: TempDir::new().unwrap() })
}

impl Pki {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs openssl with arguments separated by blanks; `%` inside an argument stands for a blank.
    pub(crate) fn run(&self, arguments: &str) {
        let output = self.output(arguments);
        assert!(output.status.success(), "openssl {arguments}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn output(&self, arguments: &str) -> std::process::Output {
        let arguments: Vec<String> = arguments.split_whitespace().map(|argument| argument.replace('%', " ")).collect();
        Command::new("openssl").args(&arguments).current_dir(self.dir.path()).output().unwrap()
    }

    /// Makes `NAME.key`: `ec:P-256`, `rsa:2048`, `ed25519`.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        match kind.split_once(':') {
            Some(("rsa", bits)) => self.run(&format!("genrsa -out {name}.key {bits}")),
            Some((_, curve)) => {
                self.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out {name}.key"));
            }
            None => self.run(&format!("genpkey -algorithm {kind} -out {name}.key")),
        }
    }

    /// Makes `NAME.pem` for `KEY.key` under `/C=US/ST=WA/L=Seattle/O=bulla/CN=NAME`, signed by the certificate and key `issuer`, or by
    /// itself.
    pub(crate) fn issue(
        &self,
        name: &str,
        key: &str,
        issuer: Option<&str>,
        extensions: &str,
        options: &str,
    ) -> Certificate {
        self.issue_as(name, name, key, issuer, extensions, options)
    }

    pub(crate) fn issue_as(
        &self,
        file: &str,
        common_name: &str,
        key: &str,
        issuer: Option<&str>,
        extensions: &str,
        options: &str,
    ) -> Certificate {
        self.write("ext.cnf", format!("{extensions}\n"));
        self.run(&format!(
            "req -new -key {key}.key -subj /C=US/ST=WA/L=Seattle/O=bulla/CN={common_name} -out {file}.csr"
        ));
        let issuer = match issuer {
            Some(issuer) => format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
            None => format!("-signkey {key}.key"),
        };
        let days = if options.contains("-days") { "" } else { "-days 3650" };
        let digest = if options.contains("-sha") { "" } else { "-sha256" };
        self.run(&format!(
            "x509 -req -in {file}.csr {issuer} -extfile ext.cnf -out {file}.pem {days} {digest} {options}"
        ));
        self.certificate(file)
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        let mut found = certificates_from_file(&self.read(&format!("{name}.pem")), &Limits::default()).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    /// A CRL of `issuer` with lines of openssl's index: `(serial, what)`, where `what` is `DATE[,reason[,date]]`.
    pub(crate) fn crl(&self, issuer: &str, entries: &[(&str, &str)], extensions: &str, options: &str) -> Crl {
        Crl::from_der(self.crl_der(issuer, entries, extensions, options)).unwrap()
    }

    pub(crate) fn crl_der(&self, issuer: &str, entries: &[(&str, &str)], extensions: &str, options: &str) -> Vec<u8> {
        let line = |(serial, what): &(&str, &str)| format!("R\t491231235959Z\t{what}\t{serial}\tunknown\t/CN=x\n");
        self.write("index.txt", entries.iter().map(line).collect::<String>());
        self.write("index.txt.attr", "unique_subject = no\n");
        let number = if options.contains("-crlexts") { "" } else { "crl_extensions = ext\n" };
        self.write("crlnumber", "07\n");
        self.write(
            "ca.cnf",
            format!(
                "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_md = sha256\n\
                 default_crl_days = 30\n{number}[ext]\nauthorityKeyIdentifier = keyid\n{extensions}\n"
            ),
        );
        self.run(&format!("ca -gencrl -config ca.cnf -cert {issuer}.pem -keyfile {issuer}.key -out out.crl {options}"));
        self.run("crl -in out.crl -outform DER -out out.der");
        self.read("out.der")
    }
}

/// A DER value.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let octets = length.to_be_bytes();
    let significant = &octets[octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1)..];
    let mut der = vec![tag];
    if length >= 0x80 {
        der.push(0x80 | u8::try_from(significant.len()).unwrap());
    }
    der.extend_from_slice(significant);
    der.extend_from_slice(content);
    der
}

/// `../shared` beside the checkout, or beside the folder of worktrees.
pub(crate) fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared", "../../shared"].map(|place| root.join(place)).into_iter().find(|path| path.is_dir());
    if found.is_none() {
        crate::skip::always(format_args!("no ../shared with the reference's vectors"));
    }
    found
}
