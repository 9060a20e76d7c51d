//! Lists of referrers under tags, for registries without the API (OCI distribution-spec, "Referrers Tag Schema" and
//! "Pushing Manifests with Subject"; Notary conformance 1.17 to 1.19).

use std::sync::PoisonError;

use serde_json::Value;

use super::read::accepting_manifests;
use super::referrers::{not_an_index, parse_index};
use super::{RegistryError, RegistryStore, expect_digest};
use crate::digest::Digest;
use crate::http::{Method, shown};
use crate::oci::{Descriptor, IndexDocument, LayoutError, MediaType, referrers_tag};

/// How often an entry is added again when others overwrite the list at the same time.
const ATTEMPTS: usize = 5;

/// A list as it lies in the registry.
struct List {
    bytes: Vec<u8>,
    entries: Vec<Descriptor>,
}

impl RegistryStore {
    /// What the tag of the subject lists, and what the longer tag lists that oras writes for sha512 (it does not cut
    /// the digest, conformance 1.18). No tag is no referrers.
    pub(super) fn listed_by_tag(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let short = referrers_tag(subject).to_string();
        let long = format!("{}-{}", subject.algorithm().name(), subject.hex());
        let mut entries = self.list(&short, &[404])?.map(|list| list.entries).unwrap_or_default();
        if long != short {
            // Longer than a tag may be: registries that follow the specification refuse it.
            entries.extend(self.list(&long, &[400, 404])?.map(|list| list.entries).unwrap_or_default());
        }
        let limit = self.limits().referrers;
        if entries.len() > limit {
            return Err(RegistryError::TooManyReferrers { url: format!("{}:{short}", self.repository), limit });
        }
        Ok(entries)
    }

    fn list(&self, tag: &str, absent: &[u16]) -> Result<Option<List>, RegistryError> {
        let request = accepting_manifests(self.request(Method::GET, &format!("manifests/{tag}"))?);
        let (answer, bytes) = self.fetch(request, self.limits().manifest_bytes)?;
        match answer.status() {
            200 => {}
            status if absent.contains(&status) => return Ok(None),
            _ => return Err(self.status_error(&Method::GET, answer)),
        }
        if answer.content_type().as_deref() != Some(MediaType::OCI_INDEX) {
            return Err(not_an_index(&answer));
        }
        if let Some(said) = super::digest_header(&answer)? {
            expect_digest(&answer, &said.algorithm().digest(&bytes))?;
        }
        let entries = parse_index(&answer, &bytes)?.manifests;
        Ok(Some(List { bytes, entries }))
    }

    /// Sees to it that `entry` is found as a referrer of `subject`: adds it under the tag unless it is listed, there or
    /// by the API.
    pub(super) fn ensure_listed(&self, subject: &Digest, entry: &Descriptor) -> Result<(), RegistryError> {
        let found = self.find_referrers(subject)?;
        if found.descriptors.iter().any(|found| found.digest == entry.digest) {
            return Ok(());
        }
        self.add_to_list(subject, entry)
    }

    /// Lists `entry` under the subject's tag, whether or not the registry lists it by itself: for readers that know the
    /// tag only (Notation's `--force-referrers-tag`, conformance 1.20).
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn list_under_tag(&self, subject: &Digest, entry: &Descriptor) -> Result<(), RegistryError> {
        self.add_to_list(subject, entry)
    }

    /// Adds `entry` to the list under the subject's tag. There is no way to do that at once, so the list is read again
    /// afterwards, and written again if somebody else's list came between.
    pub(super) fn add_to_list(&self, subject: &Digest, entry: &Descriptor) -> Result<(), RegistryError> {
        let _ours = self.client.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = referrers_tag(subject).to_string();
        let url = format!("{}:{tag}", self.repository);
        for _ in 0..ATTEMPTS {
            let list = self.list(&tag, &[404])?;
            if list.as_ref().is_some_and(|list| list.entries.iter().any(|found| found.digest == entry.digest)) {
                return Ok(());
            }
            let broken = |error| RegistryError::Index {
                url: url.clone(),
                source: LayoutError::Json { name: "the list of referrers", error },
            };
            let bytes = extended(list.as_ref().map(|list| &list.bytes[..]), entry).map_err(broken)?;
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > self.limits().manifest_bytes {
                return Err(RegistryError::TooManyReferrers { url, limit: self.limits().referrers });
            }
            let request = self.request(Method::PUT, &format!("manifests/{tag}"))?;
            let answer = self.send(request.header("content-type", MediaType::OCI_INDEX).body(bytes))?;
            if !matches!(answer.status(), 200..=204) {
                return Err(self.status_error(&Method::PUT, answer));
            }
        }
        let listed = self.list(&tag, &[404])?.is_some_and(|list| list.entries.iter().any(|e| e.digest == entry.digest));
        let attempts = ATTEMPTS;
        let url = self.request(Method::GET, &format!("manifests/{tag}")).map_or(url, |request| shown(request.url()));
        if listed { Ok(()) } else { Err(RegistryError::Contended { url, attempts }) }
    }
}

/// The list with one more entry. Other entries keep members that [`Descriptor`] does not know.
fn extended(list: Option<&[u8]>, entry: &Descriptor) -> Result<Vec<u8>, crate::json::JsonError> {
    let mut document: Value = match list {
        Some(bytes) => crate::json::from_slice(bytes)?,
        None => serde_json::to_value(IndexDocument::new(Vec::new())).map_err(crate::json::JsonError::from)?,
    };
    let entry = serde_json::to_value(entry).map_err(crate::json::JsonError::from)?;
    if let Some(members) = document.as_object_mut() {
        match members.entry("manifests").or_insert(Value::Null) {
            Value::Array(entries) => entries.push(entry),
            other => *other = Value::Array(vec![entry]),
        }
    }
    crate::json::to_vec(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_entries_of_a_list_stay_as_they_are() {
        let one = Descriptor::of("a/b", b"1");
        let two = Descriptor { artifact_type: Some("x/y".into()), ..Descriptor::of("a/b", b"2") };
        let first = extended(None, &one).unwrap();
        assert_eq!(IndexDocument::parse(&first).unwrap().manifests, vec![one.clone()]);
        let text =
            String::from_utf8(first).unwrap().replace("\"size\":1", "\"size\":1,\"urls\":[\"u\"],\"data\":\"MQ==\"");
        let second = extended(Some(text.as_bytes()), &two).unwrap();
        assert_eq!(IndexDocument::parse(&second).unwrap().manifests, vec![one, two]);
        let second = String::from_utf8(second).unwrap();
        assert!(second.contains("\"urls\":[\"u\"]") && second.contains("\"data\":\"MQ==\""), "{second}");
        assert!(extended(Some(br#"{"schemaVersion":2,"manifests":null}"#), &Descriptor::of("a/b", b"")).is_ok());
    }
}
