//! Certificates of every kind, written octet by octet and signed.

use bulla::time::UnixTime;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use crate::forge::{integer, octets, oid, sequence};
use crate::openssl::tlv;
use crate::random::Random;

/// 2030-01-01: the time at which chains are judged, unless a case moves it.
pub(super) const AT: i64 = 1_893_456_000;
pub(super) const DAY: i64 = 86_400;

/// A certificate to be.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Which key of the ring.
    pub(super) key: usize,
    pub(super) signer: usize,
    pub(super) version: u8,
    pub(super) extensions: Vec<Vec<u8>>,
}

pub(super) struct Ring(Vec<SigningKey>);

impl Ring {
    pub(super) fn new() -> Self {
        Self((1..=6u8).map(|octet| SigningKey::from_slice(&[octet; 32]).unwrap()).collect())
    }

    fn public(&self, key: usize) -> Vec<u8> {
        let point = self.0[key].verifying_key().to_sec1_point(false);
        let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
        sequence(&[&algorithm, &tlv(3, &[&[0], point.as_bytes()].concat())])
    }

    pub(super) fn sign(&self, key: usize, tbs: &[u8]) -> Vec<u8> {
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

pub(super) fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(dotted), flag, &octets(value)])
}

pub(super) fn basic(ca: Option<bool>, length: Option<u8>, critical: bool) -> Vec<u8> {
    let flag: &[u8] = match ca {
        Some(true) => &[1, 1, 0xff],
        Some(false) => &[1, 1, 0],
        None => &[],
    };
    let length = length.map(integer).unwrap_or_default();
    extension("2.5.29.19", critical, &sequence(&[flag, &length]))
}

/// keyUsage of one octet.
pub(super) fn usage(bits: u8) -> Vec<u8> {
    extension("2.5.29.15", true, &tlv(3, &[u8::try_from(bits.trailing_zeros()).unwrap().min(7), bits]))
}

pub(super) fn purposes(critical: bool, dotted: &[&str]) -> Vec<u8> {
    extension("2.5.29.37", critical, &tlv(0x30, &dotted.iter().flat_map(|one| oid(one)).collect::<Vec<u8>>()))
}

pub(super) fn policies(dotted: &[&str]) -> Vec<u8> {
    extension(
        "2.5.29.32",
        false,
        &tlv(0x30, &dotted.iter().flat_map(|one| sequence(&[&oid(one)])).collect::<Vec<u8>>()),
    )
}

pub(super) fn general(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => tlv(0x82, random.pick(&[&b"a.example"[..], b"example", b"b.a.example", b"other.test", b"*.a.example"])),
        1 => tlv(0x81, random.pick(&[&b"x@a.example"[..], b"a.example", b".example", b"X@A.EXAMPLE"])),
        2 => tlv(0x86, random.pick(&[&b"http://a.example/x"[..], b".example", b"a.example", b"urn:x"])),
        3 => tlv(0xa4, &name(random.pick(&["leaf", "x"]))),
        4 => tlv(0xa4, &tlv(0x30, &tlv(0x31, &sequence(&[&oid("2.5.4.10"), &tlv(12, b"bulla")])))),
        _ => tlv(0x87, random.pick(&[&[10, 0, 0, 1][..], &[10, 0, 0, 0, 255, 0, 0, 0], &[192, 168, 0, 1]])),
    }
}

pub(super) fn constraints(random: &mut Random) -> Vec<u8> {
    let trees = |random: &mut Random| -> Vec<u8> {
        (0..=random.below(2)).flat_map(|_| sequence(&[&general(random)])).collect()
    };
    let permitted = if random.one_in(2) { tlv(0xa0, &trees(random)) } else { Vec::new() };
    let excluded = if permitted.is_empty() || random.one_in(3) { tlv(0xa1, &trees(random)) } else { Vec::new() };
    extension("2.5.29.30", true, &sequence(&[&permitted, &excluded]))
}

impl Draft {
    pub(super) fn tbs(&self) -> Vec<u8> {
        self.tbs_with(&Ring::new())
    }

    pub(super) fn tbs_with(&self, ring: &Ring) -> Vec<u8> {
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

pub(super) fn plain(position: usize, length: usize) -> Draft {
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
pub(super) fn put(draft: &mut Draft, extension: Vec<u8>) {
    let kind = |extension: &[u8]| extension.get(..7).map(<[u8]>::to_vec);
    draft.extensions.retain(|known| kind(known).map(|k| k[2..].to_vec()) != kind(&extension).map(|k| k[2..].to_vec()));
    draft.extensions.push(extension);
}
