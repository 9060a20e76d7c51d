//! Random chains of certificates against `openssl verify`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bulla::code::Diagnostic as _;
use bulla::ops::path::{NamedFile, PathFiles, path_limits, verify_path};
use bulla::pki::validation::{PathSettings, PolicyInputs, Purpose};
use bulla::time::UnixTime;

use super::drafts::{
    AT, DAY, Draft, Ring, basic, constraints, extension, general, plain, policies, purposes, put, usage,
};
use super::{Difference, Tally, Verdict, count, setting};
use crate::forge::{integer, oid, sequence};
use crate::openssl::{Pki, pki, tlv};
use crate::random::Random;

const CHAINS: usize = 700;

const CHAIN_DIFFERENCES: &[Difference] = &[
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "twice",
        about: "",
        why: "RFC 5280 §4.2: no more than one instance of an extension; openssl goes by the first",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate of version",
        about: "",
        why: "RFC 5280 §4.1.2.1 and §4.1.2.9: extensions are for version 3; openssl reads them in any",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "two different signature algorithms",
        about: "octet",
        why: "RFC 5280 §4.1.1.2: both must be the same, an anchor's too; openssl looks only where it verifies a signature, which an anchor's is not",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "malformed ASN.1 DER value for BOOLEAN",
        about: "octet",
        why: "X.690 §11.1: TRUE is FF in DER; openssl takes whatever is not zero",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "not a certificate in DER: unknown/unsupported ASN.1 DER tag",
        about: "octet",
        why: "X.690 §10.2 and RFC 5280 §4.1.2.4: strings are primitive, a set is constructed; openssl reads BER, and names whose values are of any type",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "not a certificate in DER: malformed OID",
        about: "octet",
        why: "an attribute type below 2.48 is legal and read by openssl; no name has one, and bulla's reader of OIDs knows none: refused, on the safe side",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "of the certificate is malformed",
        about: "1 certificates",
        why: "an anchor that is itself the leaf must be well formed; openssl does not look into the extensions of a certificate that is its own anchor",
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
