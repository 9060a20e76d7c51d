//! Random envelopes under both: what one reads, the other must read, but for the reasons in the table.
//!
//! `BULLA_DIFFERENTIAL=N` makes N of each format instead of the few hundred that every run can afford, and
//! `BULLA_DIFFERENTIAL_SEED` others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulla::limits::Limits;
use bulla::notary::SignatureEnvelope;
use bulla::oci::Descriptor;
use bulla::time::UnixTime;

use super::worlds::{self, COSE, JWS, Said};
use super::{Clocks, ask, reasons};
use crate::generate::odd;
use crate::random::Random;
use crate::{runner, tools};

/// What bulla says where it alone refuses, and why that is right (see [`super::table`]).
const STRICTER: [(&str, &str); 13] = [
    ("for no plugin", "2.18"),
    ("which some take for", "3.02"),
    ("unknown field", "3.02"),
    ("duplicate", "3.02, 2.08"),
    ("missing field `size`", "2.02"),
    ("is not a time in RFC 3339 form", "3.13"),
    ("expected a string", "3.02"),
    ("base64", "3.03, 3.17"),
    ("repeats a label of the protected header", "RFC 9052 §3: Go's library takes the one in either"),
    ("is not a time in whole seconds under the tag 1", "4.05, 4.08"),
    ("timestampSignature\" is not a byte string", "4.13"),
    ("which the signing scheme notary.x509", "4.08"),
    ("is marked as critical, but it is absent or must not be critical", "4.06"),
];

/// What Notation says where it alone refuses.
const WIDER: [(&str, &str); 3] = [
    ("signingAgent of type string", "4.13: a signing agent may be anything"),
    ("certificate chain is not present", "4.12: the chain in the protected header"),
    ("CBOR tag isn't allowed", "RFC 9052 §3: what is unknown in the unprotected header is passed over, whatever it is"),
];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What bulla says against an envelope over no bytes of the type `a/b`; nothing where it takes it.
fn refusal(media_type: &str, bytes: &[u8]) -> Option<String> {
    let parsed = SignatureEnvelope::parse(&media_type.into(), bytes, &Limits::default());
    match parsed.and_then(|envelope| envelope.verify()) {
        Ok(envelope) => envelope.payload().matches(&Descriptor::of("a/b", b"")).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn odd_envelopes_are_read_alike() {
    let test = "odd_envelopes_are_read_alike";
    if !tools::there(test, &["notation"]) {
        return;
    }
    let at = UnixTime::from_seconds(worlds::ANY_TIME);
    let clocks = match Clocks::new([at].into_iter()) {
        Ok(clocks) => clocks,
        Err(why) => return tools::skip_always(test, &format!("the clock of this notation cannot be held: {why}")),
    };
    let (cases, _) = runner::cases();
    let case = cases.iter().find(|case| case.file.kind == "envelope").unwrap();
    let mut random = Random::new(setting("BULLA_DIFFERENTIAL_SEED").unwrap_or(9052));
    let mut envelopes = Vec::new();
    for _ in 0..setting("BULLA_DIFFERENTIAL").unwrap_or(300) {
        envelopes.extend([(JWS, odd::jws(&mut random)), (COSE, odd::cose(&mut random))]);
    }
    let (next, found) = (AtomicUsize::new(0), Mutex::new((BTreeMap::<_, usize>::new(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((media_type, bytes)) = envelopes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let world = worlds::around(case, media_type, bytes.clone());
                    let (theirs, said) = ask(&clocks.at(at), &world, case);
                    let ours = refusal(media_type, bytes);
                    let mut found = found.lock().unwrap();
                    *found.0.entry((*media_type, ours.is_none())).or_default() += 1;
                    let why: Vec<_> = reasons(&said).collect();
                    if !explained(ours.as_deref(), theirs == Said::Yes, &why) {
                        found.1.push(format!("{media_type} here {ours:?}, there {why:?}: {}", readable(bytes)));
                    }
                }
            });
        }
    });
    let (counts, differences) = found.into_inner().unwrap();
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    assert!(counts.values().all(|count| *count > envelopes.len() / 20), "some good, some bad: {counts:?}");
}

fn explained(refusal: Option<&str>, accepted: bool, reasons: &[&str]) -> bool {
    match (refusal, accepted) {
        (None, true) | (Some(_), false) => true,
        (None, false) => WIDER.iter().any(|(says, _)| reasons.iter().any(|reason| reason.contains(says))),
        (Some(refusal), true) => STRICTER.iter().any(|(says, _)| refusal.contains(says)),
    }
}

fn readable(bytes: &[u8]) -> String {
    if std::str::from_utf8(bytes).is_err() {
        return bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    // The protected header, and what else is short.
    let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let decode = |member: &str| {
        use base64::Engine as _;
        let text = document[member].as_str().unwrap_or_default();
        base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    format!("{:?} {:?}", decode("protected"), decode("payload"))
}
