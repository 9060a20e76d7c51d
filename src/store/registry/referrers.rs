//! Finding referrers (OCI distribution-spec, "Listing Referrers"; Notary conformance 1.15 to 1.20).
//!
//! Both ways are always searched: a registry that was given the referrers API later may hold older lists under tags.

use std::collections::{BTreeMap, HashSet};

use super::{RegistryError, RegistryStore};
use crate::digest::{Digest, shorten};
use crate::http::{Answer, Method, origin, resolve, shown};
use crate::oci::{Descriptor, IndexDocument, MediaType};
use crate::store::{Referrers, Search, SearchMethod, SearchResult};

/// Pages of one list. A registry that sends pages of one entry still lists a thousand.
const PAGES: usize = 1_000;

impl RegistryStore {
    pub(super) fn find_referrers(&self, subject: &Digest) -> Result<Referrers, RegistryError> {
        let listed = self.listed_by_api(subject)?;
        let tagged = self.listed_by_tag(subject)?;
        let found = |list: &[Descriptor]| if list.is_empty() { SearchResult::Absent } else { SearchResult::Found };
        let api = listed.as_deref().map_or(SearchResult::Unsupported, found);
        let searches = vec![
            Search { method: SearchMethod::ReferrersApi, result: api },
            Search { method: SearchMethod::ReferrersTag, result: found(&tagged) },
        ];
        let mut union = BTreeMap::new();
        for descriptor in listed.into_iter().flatten().chain(tagged) {
            union.entry(descriptor.digest).or_insert(descriptor);
        }
        Ok(Referrers { descriptors: union.into_values().collect(), searches })
    }

    /// `None` if the registry does not offer the API: it answers 404, 405, 406 or 501, or with something that is no
    /// index. Every other status is an error, and so is any in the middle of a list.
    fn listed_by_api(&self, subject: &Digest) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let mut request = self.request(Method::GET, &format!("referrers/{subject}"))?;
        let first = request.url().clone();
        let mut seen = HashSet::from([first.to_string()]);
        let mut all = Vec::new();
        for page in 0..PAGES {
            let (answer, bytes) =
                self.fetch(request.header("accept", MediaType::OCI_INDEX), self.limits().manifest_bytes)?;
            match answer.status() {
                200 => {}
                404 | 405 | 406 | 501 if page == 0 => return Ok(None),
                _ => return Err(self.status_error(&Method::GET, answer)),
            }
            let media_type = answer.content_type().unwrap_or_default();
            if media_type != MediaType::OCI_INDEX {
                return if page == 0 { Ok(None) } else { Err(not_an_index(&answer)) };
            }
            all.extend(parse_index(&answer, &bytes)?.manifests);
            if all.len() > self.limits().referrers {
                return Err(RegistryError::TooManyReferrers { url: shown(&first), limit: self.limits().referrers });
            }
            let Some(link) = super::challenge::next_link(answer.headers("link")) else { return Ok(Some(all)) };
            let next = resolve(answer.url(), &link).filter(|next| origin(next) == origin(&first));
            let next =
                next.ok_or_else(|| RegistryError::ForeignLink { url: shown(answer.url()), target: shorten(&link) })?;
            if !seen.insert(next.to_string()) {
                break;
            }
            request = crate::http::Request::new(Method::GET, next);
        }
        Err(RegistryError::TooManyPages { url: shown(&first), limit: PAGES })
    }
}

pub(super) fn not_an_index(answer: &Answer) -> RegistryError {
    RegistryError::NotAnIndex { url: shown(answer.url()), found: shorten(&answer.content_type().unwrap_or_default()) }
}

pub(super) fn parse_index(answer: &Answer, bytes: &[u8]) -> Result<IndexDocument, RegistryError> {
    IndexDocument::parse(bytes).map_err(|source| RegistryError::Index { url: shown(answer.url()), source })
}
