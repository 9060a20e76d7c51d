//! Where bulla and Notation 1.3.2 say different things of the same, and why. Numbers are those of the conformance checklist.

use Class::{Choice, Language, Reference, Release};

/// What kind of reason it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// The README states the choice (its tables "Choices").
    Choice,
    /// The specification says what bulla does; the checklist says that the reference does something else.
    Reference,
    /// The reference inherits it from Go's libraries, which read other things than the standards say.
    Language,
    /// It is of version 1: its successor does as bulla does.
    Release,
}

/// One reason, and the cases in which it makes a difference; `*` stands for any characters.
pub(super) struct Row {
    pub(super) class: Class,
    pub(super) why: &'static str,
    pub(super) cases: &'static [&'static str],
}

const fn row(class: Class, why: &'static str, cases: &'static [&'static str]) -> Row {
    Row { class, why, cases }
}

/// bulla says no, and Notation yes: bulla is stricter.
pub(super) const STRICTER: &[Row] = &[
    // Envelopes.
    row(
        Choice,
        "2.15, 14.01: unknown critical attributes",
        &[
            "cose/a-critical-integer-label",
            "cose/an-unknown-critical-attribute",
            "cose/crit-names-a-key-identifier-that-is-there",
            "jws/an-unknown-critical-attribute*",
            "jws/the-registered-header-b64-of-rfc-7797-as-critical",
            "verdict/an-unknown-critical-attribute-at-audit",
        ],
    ),
    row(
        Choice,
        "3.02: members that are unknown, twice, or in another case",
        &[
            "jws/a-member-in-another-case",
            "jws/a-member-twice",
            "jws/a-protected-member-twice",
            "jws/a-second-algorithm-in-another-case",
            "jws/another-member-at-the-top",
            "vectors/a-member-is-added-at-the-top",
        ],
    ),
    row(
        Choice,
        "3.03, 3.17: base64 with line breaks",
        &["jws/a-line-break-in-the-signature", "jws/x5c-with-line-breaks"],
    ),
    row(Choice, "3.19: salts of other lengths", &["algorithm/pss-with-a-*-salt-jws", "algorithm/pss-without-salt-jws"]),
    row(
        Language,
        "3.13: Go reads more than RFC 3339 writes",
        &["jws/a-fraction-behind-a-comma", "jws/an-offset-of-a-day"],
    ),
    row(Reference, "2.18: a plugin's version without a plugin", &["jws/the-version-of-a-plugin-that-is-not-asked-for"]),
    row(
        Choice,
        "4.05: times in floating point",
        &["cose/a-time-in-floating-point", "cose/a-whole-time-in-floating-point"],
    ),
    row(
        Choice,
        "4.08: the other scheme's time",
        &[
            "cose/a-signing-authority-with-a-signing-time",
            "cose/the-other-scheme-s-time-beside-the-own",
            "cose/crit-names-the-signing-time",
        ],
    ),
    row(
        Reference,
        "4.06, 3.10: what crit may not name, and names twice",
        &["cose/crit-names-something-twice", "cose/crit-names-the-algorithm", "cose/crit-names-the-content-type"],
    ),
    row(Choice, "4.12: two chains", &["cose/the-chain-in-both-headers"]),
    row(Choice, "4.13: a token that is no byte string", &["cose/a-timestamp-token-that-is-a-text"]),
    row(Choice, "1.26: envelopes of more than 4 MiB", &["jws/an-envelope-that-is-one-byte-larger"]),
    row(
        Choice,
        "2.08: members of a payload twice, or in another case",
        &["payload/a-second-digest-in-another-case", "payload/the-artifact-in-another-case"],
    ),
    row(Language, "2.02: Go reads a missing size as 0", &["payload/no-size"]),
    row(
        Language,
        "2.09: Go's registry client lowers media types",
        &["payload/compared-with-the-media-type-in-another-case"],
    ),
    // Manifests.
    row(Choice, "1.08: a subject of another type or size", &["verdict/a-subject-with-another-*"]),
    row(
        Reference,
        "1.04: neither form whole",
        &[
            "manifest/an-artifact-type-with-another-config",
            "manifest/an-artifact-type-with-the-legacy-config",
            "verdict/a-signature-manifest-that-mixes-two-forms",
        ],
    ),
    row(
        Reference,
        "1.01: what is no OCI image manifest",
        &[
            "manifest/an-artifact-type-twice",
            "manifest/schema-version-1",
            "manifest/another-media-type-inside-than-outside",
        ],
    ),
    // Certificates.
    row(Choice, "5.03: short keys of authorities", &["chain/a-root-with-a-short-rsa-key"]),
    row(Choice, "5.08: basicConstraints that are not critical", &["chain/basicconstraints-of-an-authority-*"]),
    row(Choice, "5.13: any purpose", &["chain/a-leaf-for-any-purpose"]),
    row(
        Choice,
        "5.15: SHA-1",
        &[
            "chain/a-self-signed-certificate-with-sha-1-alone",
            "revocation/*-crl-sha1",
            "revocation/*-ocsp-sha1-signature",
        ],
    ),
    // Trust.
    row(
        Choice,
        "7.04: unknown members of a policy, members twice or in another case, data behind it",
        &[
            "policy/a-blob-s-global-policy-in-an-oci-policy",
            "policy/a-member-in-another-case",
            "policy/a-member-twice",
            "policy/an-unknown-member-*",
            "policy/data-behind-the-document",
            "policy/verifytimestamp-in-lower-case",
        ],
    ),
    row(Choice, "7.20: skip for everything", &["policy/scope-skip-for-everything"]),
    row(
        Reference,
        "6.03, 14.26: stores named . and ..",
        &["policy/a-store-named-a-dot", "policy/a-store-named-two-dots"],
    ),
    row(Reference, "7.09: an empty verifyTimestamp is none of the two words", &["policy/timestamps-of-an-empty-word"]),
    row(Release, "7.01: Notation 1 knows trustpolicy.json only", &["config/a-*-beside-a-legacy-*"]),
    // Timestamps.
    row(
        Reference,
        "9.12, 9.15, 9.16: signed attributes and structures as RFC 5652 and DER have them",
        &[
            "timestamp/attributes-digest-twice",
            "timestamp/attributes-ess-issuer-serial-two",
            "timestamp/attributes-ess-twice",
            "timestamp/frame-ber-length",
            "timestamp/info-more",
        ],
    ),
    row(Language, "9.09, 9.27: genTime is a GeneralizedTime in UTC; Go takes any time", &["timestamp/gentime-*"]),
    row(Choice, "9.28: critical extensions of a TSTInfo", &["timestamp/info-extension-critical"]),
    // CRLs.
    row(
        Choice,
        "10.01, 10.05: evidence at hand that speaks against it is never left aside",
        &[
            "revocation/*-both-good-and-listed",
            "revocation/*-both-good-and-unreadable",
            "revocation/signing-ocsp-crl-instead-lists",
            "revocation/*-delta-not-announced-revokes",
        ],
    ),
    row(
        Choice,
        "8.32, 10.12: revoked is revoked whatever an authority's signing time",
        &["revocation/signing-reading-authority-now"],
    ),
    row(Reference, "10.18: the CRL's issuer is not compared", &["revocation/*-crl-other-name"]),
    row(
        Reference,
        "10.19: evidence of the future",
        &["revocation/*-crl-future", "revocation/*-delta-future", "revocation/signing-fresh-current-before-begin"],
    ),
    row(
        Choice,
        "10.15, 10.21: a CRL's scope counts",
        &[
            "revocation/*-crl-attribute-only-*",
            "revocation/*-crl-ca-only-leaf",
            "revocation/*-crl-indirect",
            "revocation/*-crl-point-differs",
            "revocation/*-crl-point-case-differs",
            "revocation/*-crl-some-reasons-*",
            "revocation/*-crl-user-and-ca-only",
            "revocation/*-crl-user-only-intermediate",
            "revocation/signing-form-scope-*",
            "revocation/signing-point-directory-name-differs",
            "revocation/*-delta-other-scope",
            "revocation/*-delta-wider-scope",
        ],
    ),
    row(
        Reference,
        "10.24: removeFromCRL in a base, a reason twice",
        &["revocation/*-crl-remove-in-base", "revocation/signing-form-entry-reason-twice"],
    ),
    row(
        Language,
        "10.17, 10.21: Go reads CRLs that are not DER, or not of RFC 5280",
        &[
            "revocation/*-crl-repeated-extension",
            "revocation/*-crl-trailing",
            "revocation/signing-form-delta-indicator-malformed",
            "revocation/signing-form-time-with*",
        ],
    ),
    // OCSP.
    row(
        Choice,
        "10.10, 10.13: CertIDs are compared whole",
        &[
            "revocation/*-ocsp-sha384",
            "revocation/*-ocsp-wrong-issuer-*",
            "revocation/signing-form-ocsp-key-hash-short",
        ],
    ),
    row(
        Choice,
        "10.10, 10.13: who may answer, and whether he is in good standing",
        &[
            "revocation/signing-ocsp-delegate-any-purpose",
            "revocation/signing-ocsp-delegate-critical",
            "revocation/signing-ocsp-delegate-ended",
            "revocation/signing-ocsp-delegate-is-a-signer",
            "revocation/signing-ocsp-delegate-no-purpose",
            "revocation/signing-ocsp-delegate-usage",
            "revocation/signing-openssl-ocsp-delegate-no-purpose",
            "revocation/signing-ocsp-intermediate-itself",
            "revocation/signing-form-ocsp-key-hash-of-another",
            "revocation/signing-ocsp-delegate-crl-expired",
            "revocation/signing-ocsp-delegate-offers-nothing-unchecked",
            "revocation/signing-ocsp-delegate-revoked",
            "revocation/signing-ocsp-delegate-unchecked",
            "revocation/signing-openssl-ocsp-delegate-unchecked",
        ],
    ),
    row(
        Reference,
        "10.10: answers of the future",
        &["revocation/*-ocsp-future", "revocation/*-fresh-ocsp-current-before-*"],
    ),
    row(
        Choice,
        "10.14, 10.22: of several answers about one certificate, all count",
        &["revocation/*-ocsp-two-answers-good-*", "revocation/signing-form-ocsp-sixty-four-answers"],
    ),
    row(
        Language,
        "10.14: Go reads responses that are not DER, or not of RFC 6960",
        &[
            "revocation/*-ocsp-critical-of-response",
            "revocation/signing-form-ocsp-good-with-content",
            "revocation/signing-form-ocsp-utc-time",
            "revocation/signing-form-ocsp-version-2",
        ],
    ),
    row(Choice, "10.14: no more than 64 answers in a response", &["revocation/signing-form-ocsp-many-answers"]),
];

/// bulla says yes, and Notation no: what must have the best reasons.
pub(super) const WIDER: &[Row] = &[
    row(
        Choice,
        "4.12: the chain in the protected header, as the specification allows",
        &["cose/the-chain-in-the-protected-header"],
    ),
    row(
        Choice,
        "4.13: a signing agent may be anything (the specification: never fail on it)",
        &["jws/a-signing-agent-that-is-no-string"],
    ),
    row(
        Choice,
        "6.04, 6.05: directories and other files in a store are passed over, as the specification has it",
        &[
            "trust-store/a-directory-is-passed-over",
            "trust-store/a-directory-whose-name-ends-like-a-certificate-s",
            "trust-store/another-ending-is-passed-over",
        ],
    ),
    row(Release, "7.01: Notation 1 knows trustpolicy.json only", &["config/the-oci-policy"]),
    row(
        Choice,
        "7.17, 7.21: scopes that end in /*",
        &["policy/scope-a-whole-registry-as-an-extension", "policy/selects-by-the-longest-match-as-an-extension"],
    ),
    row(Language, "9.27: Go knows nanoseconds; RFC 3161 any fraction", &["timestamp/fraction-long"]),
    row(
        Choice,
        "10.24: a hold is lifted by newer evidence, whichever kind it is",
        &["revocation/*-both-hold-lifted-by-crl"],
    ),
    row(
        Choice,
        "10.01: a CRL at hand settles also a certificate that names OCSP only",
        &["revocation/signing-ocsp-crl-instead"],
    ),
    row(
        Choice,
        "10.16: one CRL that covers the certificate suffices",
        &["revocation/signing-point-two-*", "revocation/signing-point-by-reasons-whole"],
    ),
    row(Choice, "10.25: LDAP addresses do not count", &["revocation/signing-point-ldap"]),
    row(Reference, "10.27: delta CRLs that the certificate announces", &["revocation/*-delta-certificate-says"]),
    row(
        Language,
        "10.09, 10.10: Go wants the first certificate in a response to be a delegate's; RFC 6960 lets any come along",
        &[
            "revocation/*-ocsp-certificate-along",
            "revocation/*-ocsp-delegate-other-first",
            "revocation/signing-form-ocsp-certificate-of-another",
            "revocation/*-openssl-ocsp-good",
            "revocation/*-openssl-ocsp-by-key",
            "revocation/*-openssl-ocsp-sha256",
        ],
    ),
    row(
        Language,
        "10.21: Go refuses certificates with a point relative to the issuer",
        &["revocation/signing-point-relative-name"],
    ),
];
