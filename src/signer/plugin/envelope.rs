//! Plugins that make whole envelopes (conformance 11.17, 11.25). What they signed is held against what they were given.

use std::collections::BTreeMap;

use super::PluginKey;
use super::error::PluginError;
use super::raw;
use crate::digest::shorten;
use crate::limits::Limits;
use crate::notary::annotation::BULLA_PREFIX;
use crate::notary::plugin::{CONTRACT_VERSION, Command, GenerateEnvelope, GeneratedEnvelope, PluginAnswerError};
use crate::notary::{
    AuthenticEnvelope, Authenticated, EnvelopeError, EnvelopeType, Payload, PayloadError, SignatureEnvelope,
};
use crate::oci::{Descriptor, MediaType};
use crate::pki::KeyKind;
use crate::signer::cose::SignedPayload;
use crate::signer::request::{checked_expiry, go_json, signed_annotations, whole_seconds};
use crate::signer::{Envelope, EnvelopeSource, SigningError, SigningOptions};
use crate::time::UnixTime;

/// What the payload's target may say; the reference allows these too (conformance 2.27).
const TARGET_MEMBERS: [&str; 8] =
    ["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"];

/// A key behind a plugin that makes whole envelopes.
#[derive(Debug)]
pub struct EnvelopePlugin {
    key: PluginKey,
    kind: Option<KeyKind>,
}

impl EnvelopePlugin {
    /// For artifacts: only the envelope tells of which kind the key is.
    pub const fn for_artifacts(key: PluginKey) -> Self {
        Self { key, kind: None }
    }

    /// For files, whose hash depends on the key (conformance 11.21, 12.05).
    ///
    /// # Errors
    /// The plugin fails, or does not know the key.
    pub fn for_blobs(key: PluginKey) -> Result<Self, PluginError> {
        let kind = Some(raw::describe(&key)?);
        Ok(Self { key, kind })
    }

    fn unusable(&self, source: impl Into<PluginAnswerError>) -> SigningError {
        PluginError::Answer { plugin: self.key.plugin.name().clone(), source: source.into() }.into()
    }
}

impl EnvelopeSource for EnvelopePlugin {
    fn key_kind(&self) -> Option<KeyKind> {
        self.kind
    }

    fn envelope(
        &self,
        kind: EnvelopeType,
        target: &Descriptor,
        options: &SigningOptions<'_>,
    ) -> Result<Envelope, SigningError> {
        if options.timestamp.is_some() {
            return Err(PluginError::Timestamp { plugin: self.key.plugin.name().clone() }.into());
        }
        let signing_time = whole_seconds(options.signing_time);
        let expiry = checked_expiry(signing_time, options.expiry)?;
        let annotations = signed_annotations(target, options)?;
        let payload = go_json(&SignedPayload::new(target, &annotations))?;
        let request = GenerateEnvelope {
            contract_version: CONTRACT_VERSION,
            key_id: &self.key.id,
            payload_type: Payload::MEDIA_TYPE,
            signature_envelope_type: kind.media_type(),
            payload: &payload,
            expiry_duration_in_seconds: expiry.map_or(0, |expiry| seconds_between(signing_time, expiry)),
            plugin_config: &self.key.config,
        };
        let read = |bytes: &[u8]| GeneratedEnvelope::parse(bytes, kind);
        let answer = self.key.plugin.ask(Command::GenerateEnvelope, &request, read)?;
        let envelope = self.checked(kind, answer.bytes, target, &annotations)?;
        Ok(Envelope { annotations: answer.annotations, ..envelope })
    }
}

fn seconds_between(from: UnixTime, to: UnixTime) -> u64 {
    u64::try_from(to.seconds().saturating_sub(from.seconds())).unwrap_or(0)
}

impl EnvelopePlugin {
    /// The envelope, if it is genuine and signs what was given, with nothing taken away (conformance 2.27, 11.25). Whom the
    /// signer's certificate belongs to is not asked.
    fn checked(
        &self,
        kind: EnvelopeType,
        bytes: Vec<u8>,
        target: &Descriptor,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Envelope, SigningError> {
        let media_type = MediaType::new(kind.media_type());
        let envelope = SignatureEnvelope::parse(&media_type, &bytes, &Limits::default());
        let (envelope, authentic) = envelope
            .and_then(|envelope| genuine(&envelope).map(|authentic| (envelope, authentic)))
            .map_err(|error| self.unusable(error))?;
        if let Some(kind) = self.kind.filter(|kind| *kind != authentic.chain().key_kind()) {
            return Err(SigningError::KeyKind { certified: authentic.chain().key_kind(), claimed: kind });
        }
        only_known_members(envelope.payload_bytes()).map_err(|error| self.unusable(error))?;
        authentic.payload().matches(target).map_err(|error| self.unusable(error))?;
        let signed = &authentic.payload().target().annotations;
        if let Some((key, _)) = annotations.iter().find(|(key, value)| signed.get(*key) != Some(value)) {
            return Err(self.unusable(PluginAnswerError::Annotation { key: key.clone() }));
        }
        // It may add others, but not say for whoever asked what the signature is for.
        if let Some(key) = signed.keys().find(|key| key.starts_with(BULLA_PREFIX) && !annotations.contains_key(*key)) {
            return Err(self.unusable(PluginAnswerError::Purpose { key: shorten(key) }));
        }
        let time = authentic.attributes().claimed_time().unwrap_or(UnixTime::from_seconds(0));
        authentic.chain().check_validity(time, time)?;
        Ok(Envelope {
            descriptor: Descriptor::of(media_type, &bytes),
            bytes,
            signing_time: whole_seconds(time),
            certificates: authentic.chain().certificates().iter().map(|one| one.der().to_vec()).collect(),
            annotations: BTreeMap::new(),
        })
    }
}

/// A plugin may demand that a plugin, itself as a rule, takes part where its signatures are judged.
fn genuine(envelope: &SignatureEnvelope) -> Result<AuthenticEnvelope, EnvelopeError> {
    match envelope.verify_with_plugins()? {
        Authenticated::Alone(envelope) | Authenticated::WithPlugin(envelope, _) => Ok(envelope),
    }
}

/// Conformance 2.27.
fn only_known_members(payload: &[u8]) -> Result<(), PluginAnswerError> {
    type Members = BTreeMap<String, serde_json::Value>;
    let malformed = |source| PluginAnswerError::Payload(PayloadError::from(source));
    let top: Members = crate::json::from_slice(payload).map_err(malformed)?;
    only(top.keys(), &["targetArtifact"])?;
    match top.get("targetArtifact").and_then(serde_json::Value::as_object) {
        Some(target) => only(target.keys(), &TARGET_MEMBERS),
        None => Ok(()),
    }
}

fn only<'a>(mut members: impl Iterator<Item = &'a String>, known: &[&str]) -> Result<(), PluginAnswerError> {
    match members.find(|member| !known.contains(&member.as_str())) {
        Some(member) => Err(PluginAnswerError::Member { member: shorten(member) }),
        None => Ok(()),
    }
}
