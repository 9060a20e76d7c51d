//! The single list of diagnostic codes: stable kebab-case names, what each means and which exit status it leads to.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What kind of end a code stands for. The program maps it to an exit status in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Judged, and bad.
    Rejected,
    /// Could not be judged, or policy says not to.
    Undecided,
    /// The operator's command or configuration is wrong.
    Usage,
    /// The input is damaged or malformed.
    Damaged,
    /// I/O, permission or network.
    Environment,
    /// Nothing failed: something to know.
    Notice,
    /// A defect of bulla.
    Bug,
}

macro_rules! codes {
    ($($(#[$section:meta])* $class:ident: { $($variant:ident = $name:literal, $explanation:literal;)* })*) => {
        /// A stable name for one kind of failure or notice.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DiagnosticCode {
            $($(#[doc = concat!("`", $name, "`")] $variant,)*)*
        }

        impl DiagnosticCode {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            /// The kebab-case name.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            /// What it means and what to do, in a sentence or two.
            pub const fn explanation(self) -> &'static str {
                match self { $($(Self::$variant => $explanation,)*)* }
            }

            /// The kind of end it stands for.
            pub const fn class(self) -> Class {
                match self { $($(Self::$variant => Class::$class,)*)* }
            }
        }
    };
}

codes! {
    // ── judged, and bad ─────────────────────────────────────────────────────────────────────────────────────────
    Rejected: {
        SignatureAbsent = "signature-absent", "No Notary Project signature is attached to the artifact. Ask its publisher to sign it, or export it again with its referrers.";
        SignatureInvalid = "signature-invalid", "The signature value does not fit the signed bytes under the signer's key: one of them was altered.";
        SignatureManifestInvalid = "signature-manifest-invalid", "The manifest that should carry a signature does not follow the Notary Project's form: one layer, an envelope media type, an empty config.";
        EnvelopeMalformed = "envelope-malformed", "The signature envelope cannot be parsed, or breaks a rule of its format.";
        EnvelopeUnsupported = "envelope-unsupported", "The signature envelope is of a type that this version of bulla cannot judge, so it is not accepted.";
        EnvelopeTooLarge = "envelope-too-large", "The signature envelope is larger than the limit.";
        AlgorithmMismatch = "algorithm-mismatch", "The signature algorithm is not the one that the Notary Project prescribes for the signer's key.";
        AlgorithmUnsupported = "algorithm-unsupported", "A key or signature algorithm that is unknown, or too weak to be accepted.";
        CriticalAttributeUnknown = "critical-attribute-unknown", "The signature marks an attribute as critical that bulla does not know; the specification forbids to accept it.";
        SigningSchemeUnsupported = "signing-scheme-unsupported", "The signing scheme is neither notary.x509 nor notary.x509.signingAuthority.";
        PluginRequired = "plugin-required", "The signature asks for a verification plugin that is not installed, or that may not run where it is judged.";
        PluginRejected = "plugin-rejected", "The verification plugin that the signature demands rejects its signer, or says that a certificate was revoked.";
        PayloadMalformed = "payload-malformed", "The signed payload is not a Notary Project payload.";
        TargetMismatch = "target-mismatch", "The signature is genuine but signs another artifact: digest, size or media type differ.";
        UserMetadataMismatch = "user-metadata-mismatch", "The signature lacks metadata that the operator asked for.";
        CertificateMalformed = "certificate-malformed", "A certificate cannot be parsed.";
        CertificateProfileViolated = "certificate-profile-violated", "A certificate breaks the Notary Project's rules for its place in the chain (key usage, basic constraints, key size …).";
        ChainInvalid = "chain-invalid", "The certificate chain does not hold together: each certificate must be signed by the next, up to a self-signed root.";
        ChainUntrusted = "chain-untrusted", "The certificate chain does not lead to a certificate in the trust stores that the policy names.";
        PathInvalid = "path-invalid", "A certificate breaks a rule of RFC 5280 for its place in the path: basicConstraints, path length, keyUsage, or the form of an extension.";
        CriticalExtensionUnknown = "critical-extension-unknown", "A certificate has a critical extension that is unknown, or that RFC 5280 forbids to be critical. Whoever does not understand it must not rely on the certificate.";
        NameConstraintsViolated = "name-constraints-violated", "A name in a certificate lies outside what an authority above it may certify, or cannot be compared with those constraints.";
        CertificatePolicyUnmet = "certificate-policy-unmet", "The path is not valid under any of the certificate policies that are asked for.";
        CertificatePurposeMismatch = "certificate-purpose-mismatch", "keyUsage or extKeyUsage of a certificate does not allow the purpose that was asked for.";
        CertificateExpired = "certificate-expired", "A certificate was past its validity at the time that counts. A trusted timestamp would have kept the signature good.";
        CertificateNotYetValid = "certificate-not-yet-valid", "A certificate was not valid yet at the time that counts. If the host's clock is right, the signature is wrong.";
        CertificateRevoked = "certificate-revoked", "The certificate's issuer has revoked it.";
        IdentityUntrusted = "identity-untrusted", "The signer's certificate is genuine but its subject is none of the policy's trusted identities.";
        SignatureExpired = "signature-expired", "The signer set an expiry and it has passed.";
        TimestampAbsent = "timestamp-absent", "The policy demands an RFC 3161 timestamp and the signature has none.";
        TimestampInvalid = "timestamp-invalid", "The RFC 3161 timestamp token does not verify, or does not belong to this signature.";
        TimestampUntrusted = "timestamp-untrusted", "The timestamp authority's certificate does not lead to a trusted root: in a trust policy, to one in the tsa trust stores that it names.";
        TimestampOutsideValidity = "timestamp-outside-validity", "The timestamp lies outside the validity of a certificate of the signing chain, or of its own authority's certificate.";
        EncodingNotDer = "encoding-not-der", "Something signed is encoded in BER (indefinite or overlong lengths, unsorted sets) where DER is demanded: two readers could read it differently. Have it converted by whoever made it.";
        PolicyNotApplicable = "policy-not-applicable", "No statement of the trust policy covers this repository: none names it, none has a scope like host/* above it, and there is none for \"*\". Add one, or give --scope.";
        SealAbsent = "seal-absent", "--require-seal was given and the bundle is not sealed: it never was, or somebody took the seal away.";
        SealNotTrusted = "seal-not-trusted", "The bundle is sealed, but the host's trust policy does not trust its seal, so nothing in the bundle is trusted under the name that it has there.";
        SealUnmarked = "seal-unmarked", "What stands in the seal's place is a signature on the bundle manifest that does not say, in what it signs, that it is a seal: an older bulla made it, or somebody had the bundle manifest signed as if it were an artifact. Have the bundle sealed again by whom you trust.";
        SealSkipped = "seal-skipped", "--require-seal was given, and the trust policy says skip for seals: a seal that nobody judges proves nothing.";
        ArtifactNotTrusted = "artifact-not-trusted", "An artifact was not judged trusted, so it was not imported. --allow lets it in on the operator's word, and the receipt says so.";
    }
    // ── could not be judged ─────────────────────────────────────────────────────────────────────────────────────
    Undecided: {
        RevocationUnknown = "revocation-unknown", "Whether a certificate is revoked could not be determined. Unknown is never good.";
        CrlMissing = "crl-missing", "No CRL is at hand for a certificate that names a distribution point.";
        CrlExpired = "crl-expired", "The CRL is past its nextUpdate at the verification time. Carry a fresh one, or choose another freshness rule.";
        CrlTooOld = "crl-too-old", "The CRL was issued longer before the verification time than --freshness max-age allows.";
        CrlNotYetIssued = "crl-not-yet-issued", "The CRL was issued after the verification time: the host's clock or --at is behind.";
        CrlNotConclusive = "crl-not-conclusive", "The CRL says nothing about the authenticated signing time, or there is no authenticated signing time to hold it against.";
        CrlInvalid = "crl-invalid", "The CRL's signature, issuer or form is wrong, so it says nothing.";
        CrlOutOfScope = "crl-out-of-scope", "The CRL does not cover this kind of certificate (issuing distribution point), or needs a feature that is not supported.";
        EvidenceFlood = "evidence-flood", "More CRLs or OCSP responses claim to speak of a certificate than are tried, and the one that counts may be among the rest. Somebody may have flooded the bundle; export the artifact again, or remove stale evidence.";
        DeltaCrlMissing = "delta-crl-missing", "The CRL says that changes to it are published as delta CRLs, and none that continues it is at hand.";
        OcspMissing = "ocsp-missing", "No OCSP response is at hand for a certificate that can be checked through OCSP only.";
        OcspExpired = "ocsp-expired", "The OCSP response is past its nextUpdate at the verification time, or names none. Carry a fresh one, or choose another freshness rule.";
        OcspTooOld = "ocsp-too-old", "The OCSP response was issued longer before the verification time than --freshness max-age allows.";
        OcspNotYetIssued = "ocsp-not-yet-issued", "The OCSP response was issued after the verification time: the host's clock or --at is behind.";
        OcspNotConclusive = "ocsp-not-conclusive", "The OCSP response says nothing about the authenticated signing time, or there is no authenticated signing time to hold it against.";
        OcspUnknown = "ocsp-unknown", "The OCSP responder does not know the certificate, and no CRL settles the question.";
        OcspInvalid = "ocsp-invalid", "The OCSP response's signature, responder or form is wrong, or it is about another certificate, so it says nothing.";
        OcspResponderUnchecked = "ocsp-responder-unchecked", "Whether the OCSP responder's own certificate is revoked could not be determined by a CRL, so its response does not count.";
        OcspUnsupported = "ocsp-unsupported", "A gap in bundles of bulla 0.1: the certificate can be checked through OCSP only, which that version did not carry.";
        SkippedByPolicy = "skipped-by-policy", "The trust policy says skip for this repository: nothing was verified.";
        NotVerified = "not-verified", "Only the bytes were checked; no signature was judged.";
    }
    // ── the operator's command or configuration ─────────────────────────────────────────────────────────────────
    Usage: {
        UsageInvalid = "usage-invalid", "The command line does not fit together; see --help.";
        ReferenceMalformed = "reference-malformed", "A reference is not of the form host/repo[:tag][@digest], oci:DIR[:tag|@digest] or oci-archive:FILE[:tag|@digest].";
        ReferenceAmbiguous = "reference-ambiguous", "The source holds several artifacts and the reference does not say which.";
        NameMissing = "name-missing", "The artifact has no name to be exported or judged under. Give one with --as or --scope.";
        DigestMalformed = "digest-malformed", "A digest is not written as algorithm:hex.";
        DigestAlgorithmUnsupported = "digest-algorithm-unsupported", "Only sha256 and sha512 digests are accepted.";
        TimeMalformed = "time-malformed", "A time is not in RFC 3339 form.";
        PlatformUnknown = "platform-unknown", "No child of the index is for the platform that was asked for; or none was asked for, and there are several where one is needed.";
        PolicyMissing = "policy-missing", "There is no trust policy. Without one nothing can be trusted.";
        PolicyInvalid = "policy-invalid", "The trust policy breaks a rule of its format, so none of it is used. Scopes like host/* and host/path/* are bulla's extension; --strict-notation-policy refuses them, because Notation does.";
        TrustStoreMissing = "trust-store-missing", "A trust store that the policy names does not exist or is empty.";
        TrustStoreInvalid = "trust-store-invalid", "A trust store holds something that is not a usable certificate.";
        ConfigInvalid = "config-invalid", "A configuration file cannot be understood.";
        AlreadyExists = "already-exists", "Something of that name is there already, and nothing is overwritten unasked.";
        DestinationUnsupported = "destination-unsupported", "The destination cannot take this content.";
        InputUnreadable = "input-unreadable", "A file that the command names cannot be read, or is neither PEM nor DER of what it should hold.";
        KeyMissing = "key-missing", "No signing key was named, or none of that name is in signingkeys.json.";
        PassphraseNeeded = "passphrase-needed", "The private key is encrypted, and there is neither a file with its passphrase nor a terminal to ask for it.";
        PluginMissing = "plugin-missing", "No plugin of that name is installed, or what is installed is not a regular file. `bulla plugin list` shows those that are there.";
        PluginUnsuitable = "plugin-unsuitable", "The plugin cannot do what it is wanted for: its metadata do not list the capability.";
        DockerLoadUnsupported = "docker-load-unsupported", "What should be exported cannot be loaded by docker and podman: an index with several images, no image at all, or a layer that is encrypted or no tar.";
        KeyInvalid = "key-invalid", "A private key or its certificate chain cannot be used to sign.";
    }
    // ── damaged or malformed input ──────────────────────────────────────────────────────────────────────────────
    Damaged: {
        ArchiveMalformed = "archive-malformed", "The file is not a tar archive that bulla can read, or breaks off in the middle.";
        ArchiveTruncated = "archive-truncated", "The archive ends before it is complete. Copy it again.";
        ArchiveEntryForbidden = "archive-entry-forbidden", "The archive holds an entry that no bundle has: a link, a directory, a path that leads elsewhere, an unknown name.";
        ArchiveEntryDuplicate = "archive-entry-duplicate", "The archive holds two entries of one name.";
        ArchiveEntryUnexpected = "archive-entry-unexpected", "The archive holds an entry that its inventory does not list.";
        ArchiveExpandsTooMuch = "archive-expands-too-much", "The compressed archive grows beyond any honest size.";
        PluginPackageInvalid = "plugin-package-invalid", "What should be installed is no plugin: not what its SHA-256 says, no archive, or without exactly one program.";
        BundleManifestInvalid = "bundle-manifest-invalid", "The bundle's inventory is missing, malformed or contradicts itself.";
        BundleFeatureUnknown = "bundle-feature-unknown", "The bundle needs a feature that this version does not know. Use a newer bulla.";
        BundleSealInvalid = "bundle-seal-invalid", "What stands behind the bundle manifest is no seal on it: another subject, a second seal, or more than a seal may bring along.";
        BundleIndexMismatch = "bundle-index-mismatch", "index.json is not the one that the inventory describes: it was exchanged or edited.";
        DockerManifestMismatch = "docker-manifest-mismatch", "The bundle's manifest.json, by which docker and podman load images, is missing or says something else than follows from the images that are carried. Load nothing from this file.";
        StreamNotABundle = "stream-not-a-bundle", "What comes through the pipe is no bundle. A pipe cannot be read twice, and only bundles are in an order that makes this unnecessary: write it to a file and give that.";
        LayoutInvalid = "layout-invalid", "The OCI layout's oci-layout or index.json is missing or malformed.";
        BlobMissing = "blob-missing", "A blob that a manifest or the inventory names is not there.";
        BlobDigestMismatch = "blob-digest-mismatch", "The content is not what its digest says: it was altered or damaged.";
        BlobSizeMismatch = "blob-size-mismatch", "The content is longer or shorter than its descriptor says.";
        ManifestMalformed = "manifest-malformed", "A manifest or index cannot be parsed, is ambiguous, or is of a withdrawn kind.";
        ManifestTooLarge = "manifest-too-large", "A manifest or index is larger than the limit.";
        ManifestMismatch = "manifest-mismatch", "A manifest is not what the descriptor that led to it says (media type, subject, artifact type).";
        ClosureTooDeep = "closure-too-deep", "Indexes or referrers nest deeper than the limit.";
        ClosureTooLarge = "closure-too-large", "More manifests, blobs or referrers than the limit.";
        JsonMalformed = "json-malformed", "A JSON document is malformed, has a member twice, or is followed by other bytes.";
        LimitExceeded = "limit-exceeded", "Something is larger than the limit for its kind.";
    }
    // ── I/O, permission, network ────────────────────────────────────────────────────────────────────────────────
    Environment: {
        NotFound = "not-found", "The registry, layout or file does not have what was asked for.";
        IoFailed = "io-failed", "Reading or writing failed.";
        PermissionDenied = "permission-denied", "The operating system does not allow it.";
        StorageFull = "storage-full", "The disk is full. Nothing was left under the final name.";
        NetworkFailed = "network-failed", "The connection failed or broke off.";
        NetworkForbidden = "network-forbidden", "The operation needs the network, and it was told to do without.";
        RegistryUnauthorized = "registry-unauthorized", "The registry wants other credentials (401).";
        RegistryForbidden = "registry-forbidden", "The registry does not allow this to these credentials (403).";
        RegistryThrottled = "registry-throttled", "The registry asks to slow down (429), even after waiting.";
        RegistryFailed = "registry-failed", "The registry answered with an error, or with something that is not an answer.";
        CredentialsUnavailable = "credentials-unavailable", "A credential helper or Docker configuration could not be read.";
        EvidenceUnavailable = "evidence-unavailable", "Revocation data that judging will need could not be had.";
        Interrupted = "interrupted", "The work was interrupted. Nothing was left under the final name.";
        TimestampUnavailable = "timestamp-unavailable", "The timestamp authority could not be asked, declined, or its answer cannot be relied on, so nothing was signed or stamped.";
        PluginFailed = "plugin-failed", "A plugin could not be run, took too long, said too much, declined, or its answer cannot be used. Nothing is done with such an answer.";
        HttpSupportMissing = "http-support-missing", "This build of bulla holds no HTTP client.";
    }
    // ── to know ─────────────────────────────────────────────────────────────────────────────────────────────────
    Notice: {
        NamesAreClaims = "names-are-claims", "No trusted seal vouches for the names: which of them belongs to which digest is what a bundle's carrier, or whoever wrote a layout or archive, says.";
        SealIgnored = "seal-ignored", "The bundle is sealed and --ignore-seal was given: the seal was not judged, so names are what the bundle's carrier says.";
        DigestTagKept = "digest-tag-kept", "The destination has a cosign digest tag (.sig, .att or .sbom) for something else than the bundle brings. Nobody judged what is brought, so the tag was left as it was; what was brought is there under its digest.";
        NotEnforced = "not-enforced", "A check failed or was not made, and the artifact is trusted all the same: the level of the trust policy's statement, or its override, does not enforce it. Whoever wrote the policy decided so.";
        CheckSkipped = "check-skipped", "An override in the trust policy says skip for a check, so it was not made.";
        EvidenceMissing = "evidence-missing", "The bundle was exported without some revocation data, on the operator's word.";
        RevokedAfterSigning = "revoked-after-signing", "A certificate was revoked after the authenticated signing time, and --revocation-time point-in-time lets the signature stand.";
        RevocationNotOffered = "revocation-not-offered", "A certificate names neither OCSP nor a CRL, so its revocation cannot be asked about.";
        ProfileDeparture = "profile-departure", "A certificate or CRL departs from the profile that RFC 5280 sets for authorities, without being invalid for it. A stricter validator may refuse it; --strict-profile does.";
        SignaturesNotJudged = "signatures-not-judged", "More signatures are attached to an artifact than --max-signatures lets be judged, and none of those that were judged is good.";
        ContentNotRead = "content-not-read", "The bundle came through a pipe, and what stands before its layers decided against it. The rest was not read: nothing is known of it.";
        ContentOmitted = "content-omitted", "Part of the content was left out of the bundle on request.";
        ClockBehind = "clock-behind", "The host's clock is behind times that the input proves.";
    }
    // ── defects ─────────────────────────────────────────────────────────────────────────────────────────────────
    Bug: {
        InternalError = "internal-error", "A defect of bulla. Please report it with the command and the message.";
    }
}

impl DiagnosticCode {
    /// The code of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for DiagnosticCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for DiagnosticCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::find(&text).ok_or_else(|| serde::de::Error::custom("unknown diagnostic code"))
    }
}

/// An error that names its code and, where there is one, the way out.
pub trait Diagnostic: std::error::Error {
    /// The stable code.
    fn code(&self) -> DiagnosticCode;

    /// What the operator can do, in concepts; the program adds the names of its flags.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The code of an I/O error.
pub fn io_code(error: &std::io::Error) -> DiagnosticCode {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => DiagnosticCode::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => DiagnosticCode::PermissionDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiagnosticCode::StorageFull,
        ErrorKind::UnexpectedEof => DiagnosticCode::ArchiveTruncated,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::TimedOut
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => DiagnosticCode::NetworkFailed,
        _ => DiagnosticCode::IoFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let names: BTreeSet<_> = DiagnosticCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), DiagnosticCode::ALL.len());
        for code in DiagnosticCode::ALL {
            let name = code.as_str();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()), "{name}");
            assert_eq!(DiagnosticCode::find(name), Some(*code));
            // `bulla explain` and the report print it alone: it must say something.
            let explanation = code.explanation();
            assert!(explanation.ends_with('.') && explanation.split(' ').count() >= 4, "{name}: {explanation}");
        }
    }
}
