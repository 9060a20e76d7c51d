//! Showing who we are: challenges, tokens and what is remembered of them
//! (RFC 9110 §11, and the token scheme of the Docker registry that every registry follows).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::challenge::Challenge;
use super::error::Asked;
use super::{Host, RegistryError};
use crate::digest::shorten;
use crate::http::{
    Credential, CredentialProvider, HttpClient, HttpError, Method, Request, Secret, Uri, percent_encode, shown,
};
use crate::json;

/// What a token is to allow: actions on resources, as `repository:a/b:pull,push`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Scope(BTreeMap<String, BTreeSet<String>>);

impl Scope {
    /// Actions on one repository.
    pub(super) fn repository(path: &str, actions: &[&str]) -> Self {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        Self(BTreeMap::from([(format!("repository:{path}"), actions)]))
    }

    /// Reads a challenge's scope: several separated by spaces.
    pub(super) fn parse(text: &str) -> Self {
        let mut scope = Self::default();
        for one in text.split_ascii_whitespace() {
            if let Some((resource, actions)) = one.rsplit_once(':') {
                scope.0.entry(resource.to_owned()).or_default().extend(actions.split(',').map(str::to_owned));
            }
        }
        scope
    }

    /// This and `other` together.
    pub(super) fn merged(mut self, other: &Self) -> Self {
        for (resource, actions) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(actions.iter().cloned());
        }
        self
    }

    fn parts(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(resource, actions)| {
            format!("{resource}:{}", actions.iter().map(String::as_str).collect::<Vec<_>>().join(","))
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().collect::<Vec<_>>().join(" "))
    }
}

/// A token reply is a few kilobytes; group memberships can make it large.
const MOST_TOKEN: u64 = 256 * 1024;

/// Who names the client to authorization services.
const CLIENT_ID: &str = "bulla";

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

/// The memory of one process: credentials by host, `Authorization` headers by host and scope.
pub(super) struct Authorizer {
    provider: Arc<dyn CredentialProvider>,
    credentials: Mutex<HashMap<String, Option<Credential>>>,
    headers: Mutex<HashMap<(String, Scope), Secret>>,
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorizer")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Authorizer {
    pub(super) fn new(provider: Arc<dyn CredentialProvider>) -> Self {
        Self { provider, credentials: Mutex::default(), headers: Mutex::default() }
    }

    /// What worked last for this host and scope.
    pub(super) fn remembered(&self, host: &Host, scope: &Scope) -> Option<Secret> {
        lock(&self.headers).get(&(host.name.clone(), scope.clone())).cloned()
    }

    /// Whether there are credentials for the host, for an error's hint.
    pub(super) fn knows(&self, host: &Host) -> bool {
        matches!(lock(&self.credentials).get(&host.name), Some(Some(_)))
    }

    /// The `Authorization` header that answers one of the challenges, remembered for the next request; `None` if we
    /// have nothing to answer with.
    pub(super) fn answer(
        &self,
        http: &HttpClient,
        host: &Host,
        scope: &Scope,
        challenges: &[Challenge],
    ) -> Result<Option<Secret>, RegistryError> {
        let credential = self.credential(host)?;
        let by_scheme = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let header = match (by_scheme("bearer"), by_scheme("basic"), &credential) {
            (Some(_), _, Some(Credential::AccessToken(token))) => Some(bearer(host, token.expose())?),
            (Some(challenge), _, credential) => Some(self.token(http, host, scope, challenge, credential.as_ref())?),
            (None, Some(_), Some(Credential::Password { username, password })) => Some(basic(username, password)),
            _ => None,
        };
        if let Some(header) = &header {
            lock(&self.headers).insert((host.name.clone(), scope.clone()), header.clone());
        }
        Ok(header)
    }

    /// Asked once a host: a helper is a process, and may ask its user something.
    fn credential(&self, host: &Host) -> Result<Option<Credential>, RegistryError> {
        if let Some(known) = lock(&self.credentials).get(&host.name) {
            return Ok(known.clone());
        }
        let found = self.provider.credential(&host.name)?;
        lock(&self.credentials).insert(host.name.clone(), found.clone());
        Ok(found)
    }

    fn token(
        &self,
        http: &HttpClient,
        host: &Host,
        scope: &Scope,
        challenge: &Challenge,
        credential: Option<&Credential>,
    ) -> Result<Secret, RegistryError> {
        let realm = realm(host, challenge)?;
        let scope = Scope::parse(challenge.get("scope").unwrap_or_default()).merged(scope);
        let service = challenge.get("service");
        let request = match credential {
            Some(Credential::IdentityToken(token)) => by_form(&realm, service, &scope, token)?,
            Some(Credential::Password { username, password }) => {
                by_query(&realm, service, &scope)?.authorization(Some(basic(username, password)))
            }
            _ => by_query(&realm, service, &scope)?,
        };
        let (answer, bytes) = http.fetch(&request, MOST_TOKEN)?;
        if answer.status() != 200 {
            let attempts = http.settings().retry.attempts;
            let asked = Asked { method: request.method(), host: &host.name, given: credential.is_some(), attempts };
            return Err(RegistryError::of_status(&asked, answer));
        }
        let unusable = || RegistryError::Token { realm: shown(&realm) };
        let reply: Reply = json::from_slice(&bytes).map_err(|_| unusable())?;
        let token = [reply.token, reply.access_token].into_iter().flatten().find(|token| !token.is_empty());
        bearer(host, &token.ok_or_else(unusable)?).map_err(|_| unusable())
    }
}

fn basic(username: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose()))))
}

/// A token becomes part of a header, so it must not end it.
fn bearer(host: &Host, token: &str) -> Result<Secret, RegistryError> {
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::new(format!("Bearer {token}")))
    } else {
        Err(RegistryError::Token { realm: host.name.clone() })
    }
}

/// The authorization service. Passwords go there, so it must be as well protected as the registry.
fn realm(host: &Host, challenge: &Challenge) -> Result<Uri, RegistryError> {
    let text = challenge.get("realm").unwrap_or_default();
    let refused = |reason| RegistryError::Realm {
        host: host.name.clone(),
        realm: shorten(text.split('?').next().unwrap_or("")),
        reason,
    };
    let uri = Request::to(Method::GET, text).map_err(|_| refused("which is no http or https address"))?.url().clone();
    if uri.scheme_str() == Some("https") || host.is_plain() {
        Ok(uri)
    } else {
        Err(refused("which is not protected by TLS as the registry is"))
    }
}

fn parameters(service: Option<&str>, scope: impl Iterator<Item = String>) -> Vec<String> {
    let service = service.map(|service| format!("service={}", percent_encode(service)));
    service.into_iter().chain(scope.map(|one| format!("scope={}", percent_encode(&one)))).collect()
}

fn by_query(realm: &Uri, service: Option<&str>, scope: &Scope) -> Result<Request, HttpError> {
    let query = parameters(service, scope.parts()).join("&");
    let separator = if realm.query().is_some() { '&' } else { '?' };
    Request::to(Method::GET, &format!("{realm}{separator}{query}"))
}

fn by_form(realm: &Uri, service: Option<&str>, scope: &Scope, token: &Secret) -> Result<Request, HttpError> {
    let mut form = parameters(service, [scope.to_string()].into_iter());
    form.push(format!("grant_type=refresh_token&client_id={CLIENT_ID}"));
    form.push(format!("refresh_token={}", percent_encode(token.expose())));
    Ok(Request::to(Method::POST, &realm.to_string())?
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.join("&").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_merge_by_resource() {
        let ours = Scope::repository("a/b", &["pull", "push"]);
        let asked = Scope::parse("repository:a/b:pull repository:c:pull registry:catalog:* junk");
        assert_eq!(asked.merged(&ours).to_string(), "registry:catalog:* repository:a/b:pull,push repository:c:pull");
    }

    #[test]
    fn a_realm_is_as_well_protected_as_its_registry() {
        let challenge = |realm: &str| {
            let header = format!("Bearer realm=\"{realm}\"");
            super::super::challenge::parse_challenges([header.as_str()].into_iter()).remove(0)
        };
        let safe = Host { name: "r.example".into(), base: "https://r.example".into() };
        let plain = Host { name: "r.example".into(), base: "http://r.example".into() };
        assert!(realm(&safe, &challenge("https://auth.example/token")).is_ok());
        assert!(realm(&plain, &challenge("http://auth.example/token")).is_ok());
        for bad in ["http://auth.example/token", "auth.example", "", "https://user:secret@auth.example/"] {
            let error = realm(&safe, &challenge(bad)).unwrap_err();
            assert!(matches!(error, RegistryError::Realm { .. }), "{bad}");
        }
    }

    #[test]
    fn a_token_that_would_end_its_header_is_refused() {
        let host = Host { name: "r.example".into(), base: "https://r.example".into() };
        assert!(bearer(&host, "abc.DEF_-=").is_ok());
        for bad in ["", "a b", "a\r\nX: y", "ü"] {
            assert!(bearer(&host, bad).is_err(), "{bad:?}");
        }
    }
}
