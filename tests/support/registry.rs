//! A registry on loopback for tests: std only, scripted, everything in memory. It follows OCI distribution-spec 1.1
//! where it is not told otherwise, and remembers every request.
//!
//! ```ignore
//! let registry = Registry::start(Options::default());
//! registry.manifest("a/b", Some("v1"), MediaType::OCI_INDEX, br#"…"#);
//! registry.rule("GET", "/referrers/", 2, Effect::status(429).header("retry-after", "1"));
//! ```
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use bulla::digest::{Algorithm, Digest};
use serde_json::{Value, json};

#[path = "registry/wire.rs"]
mod wire;

pub use wire::{Reply, Seen};
use wire::{form, read_head, send};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// How the registry behaves.
#[derive(Clone)]
pub struct Options {
    /// Whether there is a referrers API, and what it says if there is none.
    pub referrers: Referrers,
    /// Entries on a page of referrers.
    pub page: usize,
    /// Whether a manifest PUT is answered with `OCI-Subject` (only with the API).
    pub oci_subject: bool,
    /// Who may come in.
    pub auth: Auth,
    /// Whether `Range` is understood.
    pub ranges: bool,
    /// Whether `mount` is granted.
    pub mount: bool,
    /// Whether it speaks up at `Expect: 100-continue`.
    pub expect: bool,
}

#[derive(Clone, PartialEq)]
pub enum Referrers {
    /// As the specification says.
    Api,
    /// This status instead.
    Status(u16),
    /// Status 200 and something that is no index.
    Page(&'static str),
}

#[derive(Clone, PartialEq)]
pub enum Auth {
    Anyone,
    Basic {
        user: &'static str,
        password: &'static str,
    },
    /// Tokens from `/token` on the same address. Anyone gets tokens if there is no user.
    Bearer {
        user: Option<(&'static str, &'static str)>,
        refresh: Option<&'static str>,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            referrers: Referrers::Api,
            page: usize::MAX,
            oci_subject: true,
            auth: Auth::Anyone,
            ranges: true,
            mount: true,
            expect: true,
        }
    }
}

/// What a rule does to the requests that it is for.
pub enum Effect {
    /// Answers in the registry's stead, before it looks at authorization.
    Answer(Reply),
    /// Changes the registry's answer.
    Change(Box<dyn Fn(Reply) -> Reply + Send>),
    /// Hangs up without an answer.
    HangUp,
}

struct Rule {
    method: String,
    contains: String,
    times: usize,
    effect: Effect,
}

#[derive(Default)]
pub struct Repo {
    pub manifests: BTreeMap<Digest, (String, Vec<u8>)>,
    pub tags: BTreeMap<String, Digest>,
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

#[derive(Default)]
struct State {
    repos: BTreeMap<String, Repo>,
    uploads: BTreeMap<usize, Vec<u8>>,
    tokens: BTreeMap<String, String>,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    counter: usize,
}

struct Shared {
    options: Options,
    address: SocketAddr,
    state: Mutex<State>,
    stop: AtomicBool,
}

/// A running registry. It ends with its owner.
pub struct Registry {
    shared: Arc<Shared>,
}

impl Registry {
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { options, address, state: Mutex::default(), stop: AtomicBool::new(false) });
        let inner = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.stop.load(Ordering::SeqCst) {
                    return;
                }
                let inner = Arc::clone(&inner);
                thread::spawn(move || stream.map(|stream| inner.serve(stream)));
            }
        });
        Self { shared }
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    pub fn blob(&self, repo: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.state().repos.entry(repo.into()).or_default().blobs.insert(digest, bytes.to_vec());
        digest
    }

    /// Puts a manifest, whatever it is.
    pub fn manifest(&self, repo: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> Digest {
        self.manifest_by(Algorithm::Sha256, repo, tag, media_type, bytes)
    }

    pub fn manifest_by(&self, by: Algorithm, repo: &str, tag: Option<&str>, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = by.digest(bytes);
        let mut state = self.state();
        let repo = state.repos.entry(repo.into()).or_default();
        repo.manifests.insert(digest, (media_type.into(), bytes.to_vec()));
        if let Some(tag) = tag {
            repo.tags.insert(tag.into(), digest);
        }
        digest
    }

    /// Looks at, or changes, what a repository holds.
    pub fn with<T>(&self, repo: &str, look: impl FnOnce(&mut Repo) -> T) -> T {
        look(self.state().repos.entry(repo.into()).or_default())
    }

    /// For the first `times` requests of that method (`*`: any) whose target contains the text. Older rules come first.
    pub fn rule(&self, method: &str, contains: &str, times: usize, effect: Effect) {
        self.state().rules.push(Rule { method: method.into(), contains: contains.into(), times, effect });
    }

    pub fn answer(&self, method: &str, contains: &str, times: usize, reply: Reply) {
        self.rule(method, contains, times, Effect::Answer(reply));
    }

    pub fn change(&self, method: &str, contains: &str, times: usize, change: impl Fn(Reply) -> Reply + Send + 'static) {
        self.rule(method, contains, times, Effect::Change(Box::new(change)));
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many requests of that method had the text in their target.
    pub fn count(&self, method: &str, contains: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.target.contains(contains)).count()
    }

    pub fn forget_requests(&self) {
        self.state().seen.clear();
    }

    /// Makes every token that was given out worthless.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Uploads that were opened and neither finished nor cancelled.
    pub fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.shared.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        // Head and body are written apart; without this the second waits for the client's delayed acknowledgement.
        stream.set_nodelay(true).ok()?;
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut seen = read_head(&mut reader)?;
            let early = self.rule_before(&seen);
            if let Some(Effect::HangUp) = early {
                self.state.lock().unwrap().seen.push(seen);
                return None;
            }
            let waits = seen.header("expect").is_some() && self.options.expect;
            let reply = match early {
                // Refused before the body: the client has not sent it, and the connection cannot go on.
                Some(Effect::Answer(reply)) if waits => {
                    self.state.lock().unwrap().seen.push(seen);
                    send(&mut writer, "", &reply.header("connection", "close"))?;
                    return None;
                }
                early => {
                    if waits {
                        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
                    }
                    let length = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
                    seen.body = vec![0; length];
                    reader.read_exact(&mut seen.body).ok()?;
                    self.state.lock().unwrap().seen.push(seen.clone());
                    match early {
                        Some(Effect::Answer(reply)) => reply,
                        _ => self.rule_after(&seen, self.route(&seen)),
                    }
                }
            };
            send(&mut writer, &seen.method, &reply)?;
            if reply.cut.is_some() {
                return None;
            }
        }
    }

    /// Takes the first rule for the request if it answers in our stead. A `Change` found first stays for later.
    fn rule_before(&self, seen: &Seen) -> Option<Effect> {
        let mut state = self.state.lock().unwrap();
        let rule = state.rules.iter_mut().find(|rule| rule.is_for(seen))?;
        let effect = match &rule.effect {
            Effect::Answer(reply) => Effect::Answer(reply.clone()),
            Effect::HangUp => Effect::HangUp,
            Effect::Change(_) => return None,
        };
        rule.times -= 1;
        Some(effect)
    }

    fn rule_after(&self, seen: &Seen, reply: Reply) -> Reply {
        let mut state = self.state.lock().unwrap();
        match state.rules.iter_mut().find(|rule| rule.is_for(seen)) {
            Some(Rule { effect: Effect::Change(change), times, .. }) => {
                *times -= 1;
                change(reply)
            }
            _ => reply,
        }
    }

    fn route(&self, seen: &Seen) -> Reply {
        let path = seen.path();
        if path == "/token" {
            return self.token(seen);
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Reply::new(404) };
        if let Some(refusal) = self.refuse(seen, rest) {
            return refusal;
        }
        for (part, handler) in [
            ("/manifests/", Self::manifests as fn(&Self, &Seen, &str, &str) -> Reply),
            ("/blobs/uploads/", Self::uploads),
            ("/blobs/", Self::blobs),
            ("/referrers/", Self::referrers),
            ("/tags/", Self::tags),
        ] {
            if let Some((repo, reference)) = rest.split_once(part) {
                return handler(self, seen, repo, reference);
            }
        }
        Reply::new(if rest.is_empty() { 200 } else { 404 })
    }

    fn refuse(&self, seen: &Seen, rest: &str) -> Option<Reply> {
        let unauthorized = |challenge: String| {
            Some(Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge))
        };
        let sent = seen.header("authorization").unwrap_or_default();
        match &self.options.auth {
            Auth::Anyone => None,
            Auth::Basic { user, password } if sent == basic(user, password) => None,
            Auth::Basic { .. } => unauthorized("Basic realm=\"here, and there\"".into()),
            Auth::Bearer { .. } => {
                let parts = ["/manifests/", "/blobs/", "/referrers/", "/tags/"];
                let repo = parts.iter().find_map(|part| rest.split_once(part)).map_or("", |(repo, _)| repo);
                let actions = if matches!(&*seen.method, "GET" | "HEAD") { "pull" } else { "pull,push" };
                let state = self.state.lock().unwrap();
                let granted = sent.strip_prefix("Bearer ").and_then(|token| state.tokens.get(token));
                let enough = |scope: &String| {
                    scope.split(' ').filter_map(|one| one.rsplit_once(':')).any(|(resource, granted)| {
                        resource == format!("repository:{repo}")
                            && actions.split(',').all(|action| granted.split(',').any(|one| one == action))
                    })
                };
                if granted.is_some_and(enough) {
                    return None;
                }
                let realm = format!("http://{}/token?x=y", self.address);
                unauthorized(format!(
                    "Negotiate, Bearer realm=\"{realm}\",service=\"a service\",scope=\"repository:{repo}:{actions}\""
                ))
            }
        }
    }

    fn token(&self, seen: &Seen) -> Reply {
        let Auth::Bearer { user, refresh } = &self.options.auth else { return Reply::new(404) };
        let pairs = match &*seen.method {
            "POST" => form(std::str::from_utf8(&seen.body).unwrap()),
            _ => form(seen.target.split_once('?').unwrap().1),
        };
        let get = |name: &str| pairs.iter().filter(|(k, _)| k == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
        let known = match (&*seen.method, user, refresh) {
            ("POST", _, Some(refresh)) => {
                get("grant_type") == ["refresh_token"]
                    && get("refresh_token") == [*refresh]
                    && get("client_id").len() == 1
            }
            ("GET", Some((user, password)), _) => seen.header("authorization") == Some(&basic(user, password)),
            ("GET", None, None) => seen.header("authorization").is_none(),
            _ => false,
        };
        if !known || get("service") != ["a service"] {
            return Reply::error(401, "UNAUTHORIZED", "who are you?");
        }
        let mut state = self.state.lock().unwrap();
        state.counter += 1;
        let token = format!("token-{}", state.counter);
        state.tokens.insert(token.clone(), get("scope").join(" "));
        let name = if state.counter.is_multiple_of(2) { "access_token" } else { "token" };
        Reply::new(200).body(json!({ name: token, "expires_in": 60 }).to_string())
    }

    fn manifests(&self, seen: &Seen, repo: &str, reference: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let repo = state.repos.entry(repo.into()).or_default();
        if seen.method == "PUT" {
            let by = reference.parse::<Digest>().map_or(Algorithm::Sha256, |digest| digest.algorithm());
            let digest = by.digest(&seen.body);
            match reference.parse::<Digest>() {
                Ok(asked) if asked != digest => return Reply::error(400, "DIGEST_INVALID", "other content"),
                Ok(_) => {}
                Err(_) => drop(repo.tags.insert(reference.into(), digest)),
            }
            let document: Value = serde_json::from_slice(&seen.body).unwrap();
            repo.manifests.insert(digest, (seen.header("content-type").unwrap().into(), seen.body.clone()));
            let reply = Reply::new(201).header("docker-content-digest", digest.to_string());
            return match document["subject"]["digest"].as_str() {
                Some(subject) if self.options.referrers == Referrers::Api && self.options.oci_subject => {
                    reply.header("oci-subject", subject)
                }
                _ => reply,
            };
        }
        let digest = reference.parse().ok().or_else(|| repo.tags.get(reference).copied());
        match digest.and_then(|digest| Some((digest, repo.manifests.get(&digest)?))) {
            Some((digest, (media_type, bytes))) => Reply::new(200)
                .header("content-type", media_type)
                .header("docker-content-digest", digest.to_string())
                .body(bytes.clone()),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "no such manifest"),
        }
    }

    fn blobs(&self, seen: &Seen, repo: &str, reference: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let blobs = &state.repos.entry(repo.into()).or_default().blobs;
        let Some(bytes) = reference.parse().ok().and_then(|digest| blobs.get(&digest)) else {
            return Reply::error(404, "BLOB_UNKNOWN", "no such blob");
        };
        let reply = Reply::new(200).header("docker-content-digest", reference);
        let range = seen.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        match range.map(|start| start.parse::<usize>().unwrap()).filter(|_| self.options.ranges) {
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                Reply { status: 206, ..reply }.header("content-range", range).body(&bytes[start..])
            }
            None => reply.body(bytes.clone()),
        }
    }

    fn referrers(&self, seen: &Seen, repo: &str, reference: &str) -> Reply {
        match self.options.referrers {
            Referrers::Api => {}
            Referrers::Status(status) => return Reply::new(status),
            Referrers::Page(text) => return Reply::new(200).header("content-type", "text/html").body(text),
        }
        let mut state = self.state.lock().unwrap();
        let manifests = &state.repos.entry(repo.into()).or_default().manifests;
        let all: Vec<Value> =
            manifests.iter().filter_map(|(digest, entry)| referrer(digest, entry, reference)).collect();
        let from: usize = seen.query("from").map_or(0, |text| text.parse().unwrap());
        let to = from.saturating_add(self.options.page).min(all.len());
        let page = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": all[from..to]});
        let reply = Reply::new(200).header("content-type", format!("{INDEX}; charset=utf-8")).body(page.to_string());
        if to < all.len() { reply.header("link", format!("<{}?from={to}>; rel=\"next\"", seen.path())) } else { reply }
    }

    fn tags(&self, _: &Seen, repo: &str, _: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let tags: Vec<_> = state.repos.entry(repo.into()).or_default().tags.keys().cloned().collect();
        Reply::new(200).header("content-type", "application/json").body(json!({"name": repo, "tags": tags}).to_string())
    }

    fn uploads(&self, seen: &Seen, repo: &str, reference: &str) -> Reply {
        let mut state = self.state.lock().unwrap();
        let here = |id: usize| format!("/v2/{repo}/blobs/uploads/{id}?state=s");
        if seen.method == "POST" {
            if let (Some(digest), Some(from), true) = (seen.query("mount"), seen.query("from"), self.options.mount) {
                let digest = digest.parse().unwrap();
                if let Some(bytes) = state.repos.get(&from).and_then(|from| from.blobs.get(&digest)).cloned() {
                    state.repos.entry(repo.into()).or_default().blobs.insert(digest, bytes);
                    return Reply::new(201).header("location", format!("/v2/{repo}/blobs/{digest}"));
                }
            }
            state.counter += 1;
            let id = state.counter;
            state.uploads.insert(id, Vec::new());
            return Reply::new(202).header("location", here(id));
        }
        let Some((id, mut bytes)) = reference.parse().ok().and_then(|id: usize| state.uploads.remove_entry(&id)) else {
            return Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        };
        match &*seen.method {
            "DELETE" => Reply::new(204),
            "PATCH" => {
                let start = seen.header("content-range").and_then(|range| range.split_once('-')?.0.parse().ok());
                let refused = start.is_some_and(|start: usize| start != bytes.len());
                bytes.extend(&seen.body);
                let end = bytes.len().saturating_sub(1);
                state.uploads.insert(id, bytes);
                let status = if refused { 416 } else { 202 };
                Reply::new(status).header("location", here(id)).header("range", format!("0-{end}"))
            }
            "PUT" => {
                bytes.extend(&seen.body);
                let digest: Digest = seen.query("digest").unwrap().parse().unwrap();
                if digest.algorithm().digest(&bytes) != digest {
                    return Reply::error(400, "DIGEST_INVALID", "other content");
                }
                state.repos.entry(repo.into()).or_default().blobs.insert(digest, bytes);
                Reply::new(201).header("docker-content-digest", digest.to_string())
            }
            _ => Reply::new(405),
        }
    }
}

impl Rule {
    fn is_for(&self, seen: &Seen) -> bool {
        self.times > 0 && (self.method == "*" || self.method == seen.method) && seen.target.contains(&self.contains)
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

fn referrer(digest: &Digest, (media_type, bytes): &(String, Vec<u8>), subject: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    if document["subject"]["digest"] != subject {
        return None;
    }
    let artifact_type = match &document["artifactType"] {
        Value::Null => &document["config"]["mediaType"],
        given => given,
    };
    Some(json!({
        "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len(),
        "artifactType": artifact_type, "annotations": document["annotations"],
    }))
}
