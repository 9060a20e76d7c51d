//! What hostile input may cost: bytes, counts and depth ([`Limits`]), and work ([`Budget`]).

/// Upper bounds that every reader is given. A default is chosen once, here, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one image manifest or index. 4 MiB is the size that registries must accept (OCI distribution-spec,
    /// "Pushing Manifests") and what the Notary reference allows a signature manifest.
    pub manifest_bytes: u64,
    /// Bytes of a layout's `index.json` and of a bundle's inventory. They list every manifest, about 500 bytes each.
    pub index_bytes: u64,
    /// Bytes of a signature envelope. Real ones hold a few kilobytes; certificates and a timestamp token fill it.
    pub envelope_bytes: u64,
    /// Bytes of one CRL. The Notary reference stops at 32 MiB; a million entries with reasons need about 50 MB.
    pub crl_bytes: u64,
    /// Bytes of one OCSP response. The Notary reference reads 20 KiB; real ones hold one answer and one certificate, 2 KiB.
    pub ocsp_bytes: u64,
    /// Bytes of one certificate or certificate file in a trust store.
    pub certificate_bytes: u64,
    /// Certificates in one chain, token or file.
    pub certificates: usize,
    /// Bytes of a trust policy or configuration file.
    pub config_bytes: u64,
    /// Bytes of an image configuration that is read (not merely copied).
    pub image_config_bytes: u64,
    /// How deep indexes may nest, and how many referrers may follow one another.
    pub depth: usize,
    /// Manifests in one closure, and in all that are held at once.
    pub manifests: usize,
    /// Bytes of memory that the manifests of all closures take that are held at once, with what was made of them. A real
    /// one of a kilobyte takes three, so that the 25,000 signed artifacts for which an inventory has room stay well below;
    /// whoever wants to fill the memory can have a short annotation take twenty times its text.
    pub manifest_memory: u64,
    /// Blobs in one bundle, and in all closures that are held at once.
    pub blobs: usize,
    /// Referrers of one subject.
    pub referrers: usize,
    /// Signatures judged for one artifact: each costs a few public-key operations.
    pub signatures: usize,
    /// Signatures judged in one verification, each once for every name of an artifact that leads to it: ten times those of
    /// 10,000 artifacts.
    pub all_signatures: usize,
    /// CRLs, delta CRLs and OCSP responses that are tried for one certificate, of each kind; and certificates of a timestamp
    /// token that are tried for its authority's issuers. Each may cost a public-key operation. One is needed; more come
    /// together where an artifact went through several hands.
    pub evidence_tries: usize,
    /// The same for one verification, each piece counted once for each issuer, together with the signatures on timestamp
    /// tokens and their authorities: several times what 10,000 artifacts need that are all stamped and whose signers all
    /// have certificates of their own, and under a minute of work.
    pub all_evidence_tries: usize,
    /// Signatures of one artifact that are judged, the first by digest; those beyond are left (Notation's
    /// `--max-signatures`, conformance 1.27).
    pub judged_signatures: usize,
    /// How many times larger than the compressed file a `.tar.zst` may become, beyond the first 64 MiB. Real layers
    /// that are not yet compressed reach 20; 1,000 leaves room for sparse disk images and stops bombs.
    pub expansion: u64,
}

impl Limits {
    /// Bytes of one timestamp token: as many as an envelope with one may have.
    pub const fn token_bytes(&self) -> u64 {
        self.envelope_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            manifest_bytes: 4 * MIB,
            index_bytes: 64 * MIB,
            envelope_bytes: 4 * MIB,
            crl_bytes: 64 * MIB,
            ocsp_bytes: MIB,
            certificate_bytes: MIB,
            certificates: 64,
            config_bytes: 4 * MIB,
            image_config_bytes: 4 * MIB,
            depth: 32,
            manifests: 200_000,
            manifest_memory: 512 * MIB,
            blobs: 1_000_000,
            referrers: 10_000,
            signatures: 100,
            all_signatures: 100_000,
            evidence_tries: 32,
            all_evidence_tries: 100_000,
            judged_signatures: 100,
            expansion: 1_000,
        }
    }
}

/// Work that may still be done, counted in whatever unit the holder names; it can only shrink.
#[derive(Debug, Clone)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// A budget of `most` units.
    pub const fn new(most: usize) -> Self {
        Self { left: most }
    }

    /// Takes one unit; `false` when nothing is left.
    pub fn spend(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}
