//! The same certificates and tokens judged by bulla and by openssl: thousands of random chains and mutations, the same ones every
//! time. Where the two differ, a table says why bulla is right; a difference without a reason fails.
//!
//! `BULLA_DIFFERENTIAL=N` makes N chains and N tokens instead of the few hundred that every run can afford, and
//! `BULLA_DIFFERENTIAL_SEED` others.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bulla::code::Diagnostic as _;
use bulla::limits::Limits;
use bulla::ops::path::{NamedFile, PathFiles, path_limits, verify_path};
use bulla::pki::validation::{PathSettings, PolicyInputs, Purpose, RevocationMode};
use bulla::pki::{HashAlgorithm, NamedHash, WeakHashes};
use bulla::time::UnixTime;
use bulla::tsp::{Stamp, StampSettings};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use crate::forge::{MESSAGE, integer, octets, oid, sequence};
use crate::openssl::{Pki, pki, tlv};
use crate::random::Random;
use crate::tokens;

const CHAINS: usize = 700;
const TOKENS: usize = 300;
/// 2030-01-01: the time at which chains are judged, unless a case moves it.
const AT: i64 = 1_893_456_000;
const DAY: i64 = 86_400;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn count(default: usize) -> usize {
    setting("BULLA_DIFFERENTIAL").map_or(default, |count| usize::try_from(count).unwrap())
}

/// A way in which the two differ.
struct Difference {
    /// What bulla says: `valid` or a code.
    bulla: &'static str,
    /// What openssl says: `OK`, `unreadable`, or the number of its error; empty stands for anything else than bulla's.
    openssl: &'static str,
    /// Part of bulla's message, where the code alone says too little.
    message: &'static str,
    /// Part of what was changed.
    about: &'static str,
    /// Why bulla is right.
    why: &'static str,
}

const CHAIN_DIFFERENCES: &[Difference] = &[
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "",
        about: "",
        why: "strict DER and RFC 5280 §4.1: openssl reads BER, extensions twice, unknown versions, odd times and alike",
    },
    Difference {
        bulla: "valid",
        openssl: "10",
        message: "",
        about: "validity",
        why: "notAfter is inclusive (RFC 5280 §4.1.2.5); for openssl a certificate has expired in that very second",
    },
    Difference {
        bulla: "valid",
        openssl: "",
        message: "(unsupported)",
        about: "octet",
        why: "RFC 5280 §6.1 hands the leaf's key on and does not use it, so that one of an unknown kind is no fault of the path",
    },
    Difference {
        bulla: "path-invalid",
        openssl: "OK",
        message: "keyCertSign without cA",
        about: "",
        why: "RFC 5280 §4.2.1.3 and §4.2.1.9: keyCertSign must not be asserted without cA; openssl asks under -x509_strict only",
    },
    Difference {
        bulla: "certificate-policy-unmet",
        openssl: "OK",
        message: "",
        about: "policyConstraints",
        why: "a trust anchor's own constraints on policies count (a choice, see --help); openssl leaves those of the anchor out",
    },
    Difference {
        bulla: "certificate-policy-unmet",
        openssl: "OK",
        message: "",
        about: "1 certificates",
        why: "an anchor that is itself the leaf is asked for a policy like any leaf; openssl asks nothing of a single certificate",
    },
    Difference {
        bulla: "valid",
        openssl: "26",
        message: "",
        about: "2.5.29.37.0",
        why: "anyExtendedKeyUsage is for every purpose (RFC 5280 §4.2.1.12); openssl wants the purpose itself",
    },
    Difference {
        bulla: "name-constraints-violated",
        openssl: "OK",
        message: "cannot be held against",
        about: "nameConstraints",
        why: "RFC 5280 §4.2.1.10: a constraint that cannot be compared forbids the names of its form; openssl lets them through",
    },
    Difference {
        bulla: "path-invalid",
        openssl: "OK",
        message: "basicConstraints must say cA",
        about: "",
        why: "RFC 5280 §6.1.4 k, and an anchor's certificate counts; openssl takes a self-signed certificate without extensions for one of an authority",
    },
    Difference {
        bulla: "valid",
        openssl: "unreadable",
        message: "",
        about: "not 0c",
        why: "an attribute's value in a name is ANY (RFC 5280 §4.1.2.4): one that is no text is compared octet by octet; openssl does not read it",
    },
];

/// How the two judged, counted.
#[derive(Default)]
struct Tally {
    agreed: BTreeMap<&'static str, usize>,
    differences: BTreeMap<String, (usize, &'static str)>,
    unexplained: Vec<String>,
}

impl Tally {
    fn add(&mut self, ours: &Verdict, theirs: &str, table: &[Difference], what: &str) {
        let accepted = [ours.word == "valid", theirs == "OK"];
        if accepted[0] == accepted[1] {
            *self.agreed.entry(if accepted[0] { "both accept" } else { "both refuse" }).or_default() += 1;
            return;
        }
        let fits = |row: &&Difference| {
            row.bulla == ours.word
                && (row.openssl.is_empty() || row.openssl == theirs)
                && ours.message.contains(row.message)
                && what.contains(row.about)
        };
        match table.iter().find(fits) {
            Some(row) => {
                let name = format!("bulla: {} {}, openssl: {theirs} {}", row.bulla, row.message, row.about);
                self.differences.entry(name).or_insert((0, row.why)).0 += 1;
            }
            None => {
                self.unexplained
                    .push(format!("bulla: {} ({}), openssl: {theirs}\n    {what}", ours.word, ours.message));
            }
        }
    }

    fn end(self, name: &str) {
        let mut out = format!("{name}\n");
        for (word, count) in &self.agreed {
            out += &format!("{count:6} {word}\n");
        }
        for (difference, (count, why)) in &self.differences {
            out += &format!("{count:6} {difference}\n         {why}\n");
        }
        out += &format!("{:6} unexplained\n", self.unexplained.len());
        let _ = std::io::stderr().write_all(out.as_bytes());
        assert!(self.unexplained.is_empty(), "{}", self.unexplained.join("\n"));
        for word in ["both accept", "both refuse"] {
            assert!(self.agreed.contains_key(word), "{word}: never");
        }
    }
}

struct Verdict {
    word: String,
    message: String,
}

// ── chains ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// A certificate to be.
#[derive(Clone)]
struct Draft {
    subject: String,
    issuer: String,
    from: i64,
    to: i64,
    /// Which key of the ring.
    key: usize,
    signer: usize,
    version: u8,
    extensions: Vec<Vec<u8>>,
}

struct Ring(Vec<SigningKey>);

impl Ring {
    fn new() -> Self {
        Self((1..=6u8).map(|octet| SigningKey::from_slice(&[octet; 32]).unwrap()).collect())
    }

    fn public(&self, key: usize) -> Vec<u8> {
        let point = self.0[key].verifying_key().to_sec1_point(false);
        let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
        sequence(&[&algorithm, &tlv(3, &[&[0], point.as_bytes()].concat())])
    }

    fn sign(&self, key: usize, tbs: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0[key].sign(tbs);
        sequence(&[tbs, &ecdsa(), &tlv(3, &[&[0], signature.as_bytes()].concat())])
    }
}

fn ecdsa() -> Vec<u8> {
    sequence(&[&oid("1.2.840.10045.4.3.2")])
}

fn name(common_name: &str) -> Vec<u8> {
    let part = |kind: &str, text: &str| tlv(0x31, &sequence(&[&oid(kind), &tlv(12, text.as_bytes())]));
    sequence(&[&part("2.5.4.10", "bulla"), &part("2.5.4.3", common_name)])
}

fn time(seconds: i64) -> Vec<u8> {
    let text: String = UnixTime::from_seconds(seconds).to_string().chars().filter(|c| !"-:T".contains(*c)).collect();
    if seconds < 2_524_608_000 { tlv(0x17, &text.as_bytes()[2..]) } else { tlv(0x18, text.as_bytes()) }
}

fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(dotted), flag, &octets(value)])
}

fn basic(ca: Option<bool>, length: Option<u8>, critical: bool) -> Vec<u8> {
    let flag: &[u8] = match ca {
        Some(true) => &[1, 1, 0xff],
        Some(false) => &[1, 1, 0],
        None => &[],
    };
    let length = length.map(integer).unwrap_or_default();
    extension("2.5.29.19", critical, &sequence(&[flag, &length]))
}

/// keyUsage of one octet.
fn usage(bits: u8) -> Vec<u8> {
    extension("2.5.29.15", true, &tlv(3, &[u8::try_from(bits.trailing_zeros()).unwrap().min(7), bits]))
}

fn purposes(critical: bool, dotted: &[&str]) -> Vec<u8> {
    extension("2.5.29.37", critical, &tlv(0x30, &dotted.iter().flat_map(|one| oid(one)).collect::<Vec<u8>>()))
}

fn policies(dotted: &[&str]) -> Vec<u8> {
    extension(
        "2.5.29.32",
        false,
        &tlv(0x30, &dotted.iter().flat_map(|one| sequence(&[&oid(one)])).collect::<Vec<u8>>()),
    )
}

fn general(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => tlv(0x82, random.pick(&[&b"a.example"[..], b"example", b"b.a.example", b"other.test", b"*.a.example"])),
        1 => tlv(0x81, random.pick(&[&b"x@a.example"[..], b"a.example", b".example", b"X@A.EXAMPLE"])),
        2 => tlv(0x86, random.pick(&[&b"http://a.example/x"[..], b".example", b"a.example", b"urn:x"])),
        3 => tlv(0xa4, &name(random.pick(&["leaf", "x"]))),
        4 => tlv(0xa4, &tlv(0x30, &tlv(0x31, &sequence(&[&oid("2.5.4.10"), &tlv(12, b"bulla")])))),
        _ => tlv(0x87, random.pick(&[&[10, 0, 0, 1][..], &[10, 0, 0, 0, 255, 0, 0, 0], &[192, 168, 0, 1]])),
    }
}

fn constraints(random: &mut Random) -> Vec<u8> {
    let trees = |random: &mut Random| -> Vec<u8> {
        (0..=random.below(2)).flat_map(|_| sequence(&[&general(random)])).collect()
    };
    let permitted = if random.one_in(2) { tlv(0xa0, &trees(random)) } else { Vec::new() };
    let excluded = if permitted.is_empty() || random.one_in(3) { tlv(0xa1, &trees(random)) } else { Vec::new() };
    extension("2.5.29.30", true, &sequence(&[&permitted, &excluded]))
}

impl Draft {
    fn tbs(&self) -> Vec<u8> {
        self.tbs_with(&Ring::new())
    }

    fn tbs_with(&self, ring: &Ring) -> Vec<u8> {
        let list = tlv(0x30, &self.extensions.concat());
        let extensions = if self.extensions.is_empty() { Vec::new() } else { tlv(0xa3, &list) };
        let version = if self.version == 1 { Vec::new() } else { tlv(0xa0, &integer(self.version - 1)) };
        sequence(&[
            &version,
            &integer(u8::try_from(self.key + 1).unwrap()),
            &ecdsa(),
            &name(&self.issuer),
            &sequence(&[&time(self.from), &time(self.to)]),
            &name(&self.subject),
            &ring.public(self.key),
            &extensions,
        ])
    }
}

/// Everything about one case.
struct Case {
    /// Leaf first.
    chain: Vec<Vec<u8>>,
    at: i64,
    purpose: Purpose,
    explicit: bool,
    policy: Option<&'static str>,
    what: String,
}

const POLICIES: [&str; 3] = ["1.2.3.4", "1.2.3.5", "2.5.29.32.0"];

impl Case {
    fn new(random: &mut Random, ring: &Ring) -> Self {
        let length = 1 + random.below(4);
        let mut drafts: Vec<Draft> = (0..length).map(|position| plain(position, length)).collect();
        let mut case = Self {
            chain: Vec::new(),
            at: AT,
            purpose: Purpose::ALL[random.below(5)],
            explicit: false,
            policy: None,
            what: format!("{length} certificates"),
        };
        if case.purpose == Purpose::CodeSigning {
            // openssl 3.0 does not know it.
            case.purpose = Purpose::Any;
        }
        for _ in 0..random.below(4) {
            let at = random.below(length);
            let what = change(random, &mut drafts, at, &mut case);
            case.what += &format!("; {at}: {what}");
        }
        case.what += &format!("; for {}, explicit {}, {:?}", case.purpose.as_str(), case.explicit, case.policy);
        case.chain = drafts.iter().map(|draft| ring.sign(draft.signer, &draft.tbs_with(ring))).collect();
        if random.one_in(4) {
            case.damage(random, ring, &drafts);
        }
        case
    }

    /// One octet of one certificate is another; half of the time it is signed again.
    fn damage(&mut self, random: &mut Random, ring: &Ring, drafts: &[Draft]) {
        let position = random.below(drafts.len());
        let draft = &drafts[position];
        let mut tbs = draft.tbs();
        if random.one_in(2) {
            let at = random.below(tbs.len());
            let old = tbs[at];
            tbs[at] ^= 1 << random.below(8);
            self.what += &format!("; {position}: octet {at} of its TBS is {:02x}, not {old:02x}, and signed", tbs[at]);
            self.chain[position] = ring.sign(draft.signer, &tbs);
        } else {
            let der = &mut self.chain[position];
            let at = random.below(der.len());
            let old = der[at];
            der[at] ^= 1 << random.below(8);
            self.what += &format!("; {position}: octet {at} is {:02x}, not {old:02x}", der[at]);
        }
    }

    fn bulla(&self) -> Verdict {
        let settings = PathSettings {
            purpose: self.purpose,
            policies: PolicyInputs {
                initial: self.policy.iter().map(|policy| policy.parse().unwrap()).collect(),
                require_explicit: self.explicit,
                ..PolicyInputs::default()
            },
            ..PathSettings::new(UnixTime::from_seconds(self.at))
        };
        let file = |der: &Vec<u8>| NamedFile { name: "x".into(), bytes: pem(der).into_bytes() };
        let (leaf, above) = (self.chain.first().unwrap(), self.chain.get(1..).unwrap());
        let root = above.last().unwrap_or(leaf);
        let files = PathFiles {
            leaf: pem(leaf).into_bytes(),
            trust_anchors: vec![file(root)],
            untrusted: above.iter().rev().skip(1).map(file).collect(),
            ..PathFiles::default()
        };
        let verdict = verify_path(&files, &settings, &path_limits()).unwrap();
        match verdict.outcome {
            Ok(_) => {
                let key = verdict.leaf.map(|leaf| leaf.public_key().describe()).unwrap_or_default();
                Verdict { word: "valid".into(), message: format!("leaf key: {key}") }
            }
            // What was left out is the reason that there is no path.
            Err(error) => match verdict.unusable.first() {
                Some(unusable) => Verdict { word: unusable.code.to_string(), message: unusable.message.clone() },
                None => Verdict { word: error.code().to_string(), message: error.to_string() },
            },
        }
    }

    fn openssl(&self, pki: &Pki) -> String {
        let (leaf, above) = (self.chain.first().unwrap(), self.chain.get(1..).unwrap());
        pki.write("leaf.pem", pem(leaf));
        pki.write("root.pem", pem(above.last().unwrap_or(leaf)));
        let untrusted: String = above.iter().rev().skip(1).map(|der| pem(der)).collect();
        let mut words = format!("verify -no-CApath -no-CAstore -partial_chain -attime {} -CAfile root.pem", self.at);
        if !untrusted.is_empty() {
            pki.write("untrusted.pem", untrusted);
            words += " -untrusted untrusted.pem";
        }
        words += match self.purpose {
            Purpose::Timestamping => " -purpose timestampsign",
            Purpose::ServerAuth => " -purpose sslserver",
            Purpose::ClientAuth => " -purpose sslclient",
            Purpose::Any | Purpose::CodeSigning => "",
        };
        words += if self.explicit { " -explicit_policy" } else { " -policy_check" };
        // Without one it has none at all, and not any.
        words += &format!(" -policy {}", self.policy.unwrap_or("2.5.29.32.0"));
        let output = pki.output(&format!("{words} leaf.pem"));
        let text = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return "OK".into();
        }
        let number = text.lines().find_map(|line| line.strip_prefix("error ")?.split(' ').next());
        number.filter(|number| number.parse::<u32>().is_ok()).unwrap_or("unreadable").to_owned()
    }
}

fn plain(position: usize, length: usize) -> Draft {
    let names = ["leaf", "a", "b", "c"];
    let top = position + 1 == length;
    let subject = if top { "root" } else { names[position] };
    let issuer = if position + 2 >= length { "root" } else { names[position + 1] };
    let extensions = match position {
        0 if length > 1 => vec![basic(None, None, false), usage(0x80)],
        _ => vec![basic(Some(true), None, true), usage(0x06)],
    };
    let signer = if top { position } else { position + 1 };
    Draft {
        subject: subject.into(),
        issuer: issuer.into(),
        from: AT - 100 * DAY,
        to: AT + 100 * DAY,
        key: position,
        signer,
        version: 3,
        extensions,
    }
}

/// Puts an extension in place of the one of the same kind.
fn put(draft: &mut Draft, extension: Vec<u8>) {
    let kind = |extension: &[u8]| extension.get(..7).map(<[u8]>::to_vec);
    draft.extensions.retain(|known| kind(known).map(|k| k[2..].to_vec()) != kind(&extension).map(|k| k[2..].to_vec()));
    draft.extensions.push(extension);
}

fn change(random: &mut Random, drafts: &mut [Draft], at: usize, case: &mut Case) -> String {
    const EKU: [&str; 5] =
        ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.8", "2.5.29.37.0"];
    let whole = drafts.len();
    let draft = &mut drafts[at];
    match random.below(14) {
        0 => {
            let ca = [Some(true), None, Some(true)][random.below(3)];
            let length =
                if ca.is_some() && random.one_in(2) { Some(u8::try_from(random.below(3)).unwrap()) } else { None };
            put(draft, basic(ca, length, random.one_in(2)));
            format!("basicConstraints {ca:?} {length:?}")
        }
        1 => {
            let bits = [0x80, 0x04, 0x02, 0x06, 0x40, 0x20, 0x86][random.below(7)];
            put(draft, usage(bits));
            format!("keyUsage {bits:02x}")
        }
        2 => {
            let count = 1 + random.below(2);
            let chosen: Vec<&str> = (0..count).map(|_| random.pick(&EKU)).collect();
            put(draft, purposes(random.one_in(2), &chosen));
            format!("extKeyUsage {chosen:?}")
        }
        3 | 4 if at > 0 => {
            put(draft, constraints(random));
            let names: Vec<u8> = (0..=random.below(2)).flat_map(|_| general(random)).collect();
            put(&mut drafts[0], extension("2.5.29.17", false, &tlv(0x30, &names)));
            "nameConstraints".into()
        }
        5 => {
            case.explicit = random.one_in(2);
            case.policy = [None, Some("1.2.3.4")][random.below(2)];
            let mut all = String::new();
            for draft in drafts.iter_mut().take(whole.saturating_sub(1)) {
                if !random.one_in(8) {
                    let policy = POLICIES[random.below(3)];
                    put(draft, policies(&[policy]));
                    all += &format!(" {policy}");
                }
            }
            format!("policies{all}")
        }
        6 if at > 0 => {
            let number = u8::try_from(random.below(3)).unwrap();
            let what = random.below(3);
            let field = match what {
                0 => extension("2.5.29.36", true, &sequence(&[&tlv(0x80, &[number])])),
                1 => extension("2.5.29.36", true, &sequence(&[&tlv(0x81, &[number])])),
                _ => extension("2.5.29.54", true, &integer(number)),
            };
            put(draft, field);
            format!("policyConstraints {what} {number}")
        }
        7 if at > 0 => {
            put(draft, policies(&["1.2.3.4", "1.2.3.5"]));
            let mapping = sequence(&[&sequence(&[&oid("1.2.3.4"), &oid("1.2.3.5")])]);
            put(draft, extension("2.5.29.33", true, &mapping));
            "policyMappings".into()
        }
        8 => {
            let (from, to) =
                [(AT + 1, AT + DAY), (AT - DAY, AT - 1), (AT, AT + DAY), (AT - DAY, AT), (AT + DAY, AT - DAY)]
                    [random.below(5)];
            (draft.from, draft.to) = (from, to);
            format!("validity {} to {}", from - AT, to - AT)
        }
        9 => {
            draft.extensions.push(extension("1.2.3.4.5", random.one_in(2), &[5, 0]));
            "an unknown extension".into()
        }
        10 => {
            draft.signer = random.below(6);
            "the signer".into()
        }
        11 => {
            draft.issuer = random.pick(&["root", "a", "b", "ROOT", " root  "]).to_owned();
            "the issuer".into()
        }
        12 => {
            draft.version = 1 + u8::try_from(random.below(3)).unwrap();
            if random.one_in(2) {
                draft.extensions.clear();
            }
            "the version".into()
        }
        13 => {
            draft.extensions.clear();
            "no extensions".into()
        }
        _ => {
            if let Some(first) = draft.extensions.first().cloned().filter(|_| random.one_in(2)) {
                draft.extensions.push(first);
                return "an extension twice".into();
            }
            draft.extensions.reverse();
            "the order of extensions".into()
        }
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[test]
fn chains_against_openssl() {
    let Some(pki) = pki() else { return };
    let ring = Ring::new();
    let mut random = Random::new(setting("BULLA_DIFFERENTIAL_SEED").unwrap_or(5280));
    let mut tally = Tally::default();
    for _ in 0..count(CHAINS) {
        let case = Case::new(&mut random, &ring);
        tally.add(&case.bulla(), &case.openssl(&pki), CHAIN_DIFFERENCES, &case.what);
    }
    tally.end("chains against openssl verify");
}

// ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────

const TOKEN_DIFFERENCES: &[Difference] = &[
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside",
        about: "in the intermediate",
        why: "a token with a malformed certificate is malformed; openssl reads it more loosely, and is given the intermediate aside",
    },
    Difference {
        bulla: "algorithm-unsupported",
        openssl: "OK",
        message: "the signature algorithm",
        about: "",
        why: "the signer's signatureAlgorithm must be one that is known and fit the key; openssl ts goes by key and digest alone",
    },
    Difference {
        bulla: "valid",
        openssl: "no",
        message: "",
        about: "in the intermediate",
        why: "the intermediate in the token has a wrong signature now and is not used, the one given aside is; openssl cannot read it",
    },
    Difference {
        bulla: "valid",
        openssl: "no",
        message: "",
        about: "in digestAlgorithms",
        why: "RFC 5652 §5.1: the set only announces what the signers use, is not signed, and each signer names its own; openssl reads it",
    },
    Difference {
        bulla: "timestamp-invalid",
        openssl: "OK",
        message: "authority's certificate is not in the token",
        about: "",
        why: "the signer's issuer is compared octet by octet, as the signed ESSCertID's is; openssl compares without case",
    },
    Difference {
        bulla: "timestamp-invalid",
        openssl: "OK",
        message: "in DER",
        about: "",
        why: "DER has one encoding of a value; openssl reads others too",
    },
    Difference {
        bulla: "encoding-not-der",
        openssl: "OK",
        message: "",
        about: "",
        why: "DER has one encoding of a value; openssl reads others too",
    },
    Difference {
        bulla: "timestamp-invalid",
        openssl: "OK",
        message: "is of version",
        about: "",
        why: "RFC 5652 §5.1 and §5.3 say which version goes with what; openssl ignores the versions",
    },
];

#[test]
fn tokens_against_openssl() {
    let Some(world) = tokens::world() else { return };
    let good = world.recipe().make(&world.pki, &world.tsa);
    let inside = world.mid.der();
    let start = good.windows(inside.len()).position(|window| window == inside).unwrap();
    let intermediate = start..start + inside.len();
    // SignedData's version, and the set behind it.
    let start = good.windows(3).position(|window| window == [2, 1, 3]).unwrap() + 3;
    let algorithms = start..start + 2 + usize::from(good[start + 1]);
    let limits = Limits::default();
    let material = bulla::pki::validation::Material {
        anchors: vec![world.pki.certificate("root")],
        untrusted: vec![world.mid.clone()],
        ..bulla::pki::validation::Material::default()
    };
    let settings = StampSettings {
        at: world.tsa.validity().not_before,
        weak: WeakHashes::Refused,
        revocation: RevocationMode::Off,
    };
    let hash = HashAlgorithm::Sha256;
    let mut random = Random::new(setting("BULLA_DIFFERENTIAL_SEED").unwrap_or(3161));
    let mut tally = Tally::default();
    for turn in 0..count(TOKENS) {
        let mut token = good.clone();
        let mut what = String::from("as it should be");
        if turn > 0 {
            let at = random.below(token.len());
            token[at] ^= 1 << random.below(8);
            let place = match at {
                at if intermediate.contains(&at) => "in the intermediate: ",
                at if algorithms.contains(&at) => "in digestAlgorithms: ",
                _ => "",
            };
            what = format!("{place}octet {at} of {} is {:02x}, not {:02x}", token.len(), token[at], good[at]);
        }
        let judged = Stamp::parse(&token, &limits).and_then(|stamp| {
            stamp.judge(NamedHash::Strong(hash), &hash.digest(MESSAGE), &material, &settings).map(drop)
        });
        let ours = match judged {
            Ok(()) => Verdict { word: "valid".into(), message: String::new() },
            Err(error) => Verdict { word: error.own_code().to_string(), message: error.to_string() },
        };
        let theirs = if world.openssl_takes(&token) { "OK" } else { "no" };
        tally.add(&ours, theirs, TOKEN_DIFFERENCES, &what);
    }
    tally.end("tokens against openssl ts -verify");
}
