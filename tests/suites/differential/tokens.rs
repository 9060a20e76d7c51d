//! Tokens with one bit flipped against `openssl ts -verify`.

use bulla::limits::Limits;
use bulla::pki::validation::RevocationMode;
use bulla::pki::{HashAlgorithm, NamedHash, WeakHashes};
use bulla::tsp::{Stamp, StampSettings};

use super::{Difference, Tally, Verdict, count, setting};
use crate::forge::MESSAGE;
use crate::random::Random;
use crate::tokens;

const TOKENS: usize = 300;

const TOKEN_DIFFERENCES: &[Difference] = &[
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside: not a certificate in DER",
        about: "in the intermediate",
        why: "a token with a certificate that is not DER is malformed; openssl reads it more loosely, and is given the same intermediate aside, unharmed",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside: the certificate names two different signature algorithms",
        about: "in the intermediate",
        why: "RFC 5280 §4.1.1.2 wants them the same in every certificate of the token; openssl reads it more loosely, and is given the same intermediate aside, unharmed",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside: the extension",
        about: "in the intermediate",
        why: "a token with a certificate whose extensions cannot be read is malformed; openssl reads it more loosely, and is given the same intermediate aside, unharmed",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside: the certificate has the extension",
        about: "in the intermediate",
        why: "RFC 5280 §4.2: no more than one instance of an extension, in every certificate of the token; openssl reads it more loosely, and is given the same intermediate aside, unharmed",
    },
    Difference {
        bulla: "certificate-malformed",
        openssl: "OK",
        message: "a certificate inside: a certificate of version",
        about: "in the intermediate",
        why: "RFC 5280 §4.1.2.1: extensions are for version 3, in every certificate of the token; openssl reads it more loosely, and is given the same intermediate aside, unharmed",
    },
    Difference {
        bulla: "algorithm-unsupported",
        openssl: "OK",
        message: "the signature algorithm",
        about: "",
        why: "the signer's signatureAlgorithm must be one that is known and fit the key; openssl ts goes by key and digest alone",
    },
    Difference {
        bulla: "timestamp-invalid",
        openssl: "OK",
        message: "the signature does not verify",
        about: "is 03, not 02",
        why: "the signer's signatureAlgorithm says ECDSA with SHA-384 now; openssl ts goes by key and digest alone",
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
        message: "CONTEXT-SPECIFIC [0] (primitive) not canonically encoded",
        about: "is 80, not a0",
        why: "X.690 §8.12: signedAttrs, a set, are constructed; openssl reads them under a primitive tag too",
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
