//! Requests and answers.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, Method, Request as Message, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, SendBody};

use super::retry::{AfterTimeout, is_passing, retry_after};
use super::url::{origin, parse, resolve, shown, shown_text};
use super::{HttpError, HttpSettings, Roots, Secret};

/// Which time limits a request is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A document that is read into memory: limited in all.
    Document,
    /// A large body: it must only keep moving.
    Stream,
    /// The end of an upload: the server may think long before it answers.
    Commit,
}

/// A request that may be repeated.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: Uri,
    headers: Vec<(&'static str, String)>,
    authorization: Option<Secret>,
    body: Option<Arc<[u8]>>,
    pace: Pace,
    within: Option<Duration>,
}

impl Request {
    /// A request without body.
    pub const fn new(method: Method, url: Uri) -> Self {
        Self { method, url, headers: Vec::new(), authorization: None, body: None, pace: Pace::Document, within: None }
    }

    /// A request for a text that may not be an address.
    ///
    /// # Errors
    /// It is no http or https address, or holds a user name.
    pub fn to(method: Method, url: &str) -> Result<Self, HttpError> {
        parse(url).map(|url| Self::new(method, url))
    }

    /// Adds a header. One that HTTP does not allow makes the request fail.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the `Authorization` header. It stays with the origin of the request's address: no redirect takes it on.
    #[must_use]
    pub fn authorization(mut self, value: Option<Secret>) -> Self {
        self.authorization = value;
        self
    }

    /// Sets a body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Limits one exchange in all, from the search for the host to the last byte of the answer.
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// The address.
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// The method.
    pub const fn method(&self) -> &Method {
        &self.method
    }
}

/// A body that cannot be sent twice. It must yield exactly `size` bytes, or fail.
pub struct Body<'a> {
    /// Where it comes from.
    pub reader: &'a mut dyn Read,
    /// How long it is.
    pub size: u64,
}

/// Holds a body to its announced size: ureq would wait for ever for the rest of one that ends early.
struct Exact<'a> {
    reader: &'a mut dyn Read,
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        if count == 0 && self.left > 0 && !out.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

/// An answer of any status, its body not read yet.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    url: Uri,
    headers: HeaderMap,
    body: ureq::Body,
}

/// What of an error's body may be worth showing.
const EXCERPT: u64 = 8 * 1024;

impl Answer {
    /// The status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The address that answered, after redirects.
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// The first header of that name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Every header of that name that is text.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// `Content-Length`
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// `Content-Type` without its parameters, in lower case as media types are compared (RFC 9110 §8.3.1).
    pub fn content_type(&self) -> Option<String> {
        let value = self.header("content-type")?.split(';').next()?.trim();
        (!value.is_empty()).then(|| value.to_ascii_lowercase())
    }

    /// The body as it comes. Its owner bounds it.
    pub fn into_reader(self) -> impl Read + Send + 'static {
        self.body.into_reader()
    }

    /// The whole body.
    ///
    /// # Errors
    /// It is longer than `limit`, or breaks off.
    pub fn read(&mut self, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        let mut reader = self.body.as_reader().take(limit.saturating_add(1));
        reader.read_to_end(&mut bytes).map_err(|source| HttpError::Transport {
            method: "the answer of".into(),
            url: shown(&self.url),
            source: Box::new(source),
        })?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(HttpError::BodyTooLarge { url: shown(&self.url), limit });
        }
        Ok(bytes)
    }

    /// The beginning of the body of an error, as far as it comes.
    pub fn excerpt(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.body.as_reader().take(EXCERPT).read_to_end(&mut bytes);
        bytes
    }
}

/// A client with its connections.
#[derive(Debug)]
pub struct HttpClient {
    settings: HttpSettings,
    /// One for each set of authorities: ureq takes its built-in ones or ours, not both.
    agents: Vec<Agent>,
    /// Which of them a host's certificate was accepted by.
    accepted: Mutex<HashMap<String, usize>>,
}

impl HttpClient {
    /// A client with these settings.
    ///
    /// # Errors
    /// An authority's certificate cannot be read.
    pub fn new(settings: HttpSettings) -> Result<Self, HttpError> {
        let mut agents = Vec::new();
        let own = own_authorities(&settings)?;
        if !own.is_empty() || settings.roots == Roots::OwnOnly {
            agents.push(agent(&settings, RootCerts::from(own)));
        }
        if settings.roots == Roots::BuiltinAndOwn {
            agents.push(agent(&settings, RootCerts::WebPki));
        }
        Ok(Self { settings, agents, accepted: Mutex::default() })
    }

    /// The settings.
    pub const fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// Sends a request, following redirects of GET and HEAD, and again if it failed for the moment.
    ///
    /// # Errors
    /// There is no answer. An answer of any status is none.
    pub fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        self.repeat(|| self.follow(request))
    }

    /// Sends a request and reads the answer's body, again if either failed for the moment. The body of an error is left
    /// to [`Answer::excerpt`].
    ///
    /// # Errors
    /// As [`HttpClient::send`], or the body is longer than `limit`.
    pub fn fetch(&self, request: &Request, limit: u64) -> Result<(Answer, Vec<u8>), HttpError> {
        let mut bytes = Vec::new();
        let answer = self.repeat(|| {
            let mut answer = self.follow(request)?;
            bytes = if answer.status < 400 { answer.read(limit)? } else { Vec::new() };
            Ok(answer)
        })?;
        Ok((answer, bytes))
    }

    /// Sends a request a single time, following nothing: for what is not worth waiting for.
    ///
    /// # Errors
    /// There is no answer.
    pub fn try_send(&self, request: &Request) -> Result<Answer, HttpError> {
        self.exchange(request, &request.url, None)
    }

    /// Sends a body that exists once. The server may refuse it before it is sent; then the reader is untouched.
    ///
    /// # Errors
    /// There is no answer, or the reader failed.
    pub fn send_once(&self, request: &Request, body: Body<'_>) -> Result<Answer, HttpError> {
        self.exchange(request, &request.url, Some(body))
    }

    fn repeat(&self, mut attempt: impl FnMut() -> Result<Answer, HttpError>) -> Result<Answer, HttpError> {
        let policy = &self.settings.retry;
        let mut count = 1;
        loop {
            let result = attempt();
            let asked = match &result {
                Ok(answer) if is_passing(answer.status) => {
                    retry_after(answer.header("retry-after"), answer.header("date"))
                }
                Err(error) if policy.after_timeout == AfterTimeout::GiveUp && error.is_timeout() => return result,
                Err(error) if error.is_passing() => None,
                _ => return result,
            };
            if count >= policy.attempts {
                return result;
            }
            policy.wait(count, asked);
            count = count.saturating_add(1);
        }
    }

    fn follow(&self, request: &Request) -> Result<Answer, HttpError> {
        let mut url = request.url.clone();
        for _ in 0..=self.settings.redirects {
            let answer = self.exchange(request, &url, None)?;
            let follows = matches!(answer.status, 301 | 302 | 303 | 307 | 308)
                && (request.method == Method::GET || request.method == Method::HEAD);
            if !follows {
                return Ok(answer);
            }
            url = redirect_target(&answer)?;
        }
        Err(HttpError::Redirects { url: shown(&request.url), limit: self.settings.redirects })
    }

    /// One request to one address, with whichever authorities vouch for it.
    fn exchange(&self, request: &Request, url: &Uri, mut body: Option<Body<'_>>) -> Result<Answer, HttpError> {
        let host = url.authority().map(ToString::to_string).unwrap_or_default();
        let known = self.lock().get(&host).copied();
        let order = known.into_iter().chain((0..self.agents.len()).filter(|index| known != Some(*index)));
        let mut refusal = None;
        for index in order {
            let Some(agent) = self.agents.get(index) else { continue };
            let borrowed = body.as_mut().map(|body| Body { reader: &mut *body.reader, size: body.size });
            match self.exchange_with(agent, request, url, borrowed) {
                // A refused certificate ends the connection before anything is sent: others may vouch for it.
                Err(error @ HttpError::Certificate { .. }) => refusal = refusal.or(Some(error)),
                Err(error) => return Err(error),
                Ok(answer) => {
                    self.lock().insert(host, index);
                    return Ok(answer);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| HttpError::Url { url: shown(url) }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchange_with(
        &self,
        agent: &Agent,
        request: &Request,
        url: &Uri,
        body: Option<Body<'_>>,
    ) -> Result<Answer, HttpError> {
        match body {
            Some(body) => {
                let head = head(request, url, Some(body.size)).header("expect", "100-continue");
                let mut exact = Exact { reader: body.reader, left: body.size };
                self.run(agent, request, url, head.body(SendBody::from_reader(&mut exact)))
            }
            None if request.body.is_some() || wants_length(&request.method) => {
                let mut memory = io::Cursor::new(request.body.as_deref().unwrap_or_default());
                let size = u64::try_from(memory.get_ref().len()).unwrap_or(u64::MAX);
                let head = head(request, url, Some(size));
                self.run(agent, request, url, head.body(SendBody::from_reader(&mut memory)))
            }
            None => self.run(agent, request, url, head(request, url, None).body(())),
        }
    }

    fn run<S: ureq::AsSendBody>(
        &self,
        agent: &Agent,
        request: &Request,
        url: &Uri,
        message: Result<Message<S>, ureq::http::Error>,
    ) -> Result<Answer, HttpError> {
        let failed = |error| transport(request, url, error);
        let message = message.map_err(|error| failed(ureq::Error::Http(error)))?;
        let proxy = self.settings.proxies.find(url)?;
        self.trace(|| format!("\"{}\" \"{}\"", request.method, shown(url)), message.headers());
        let message = self
            .paced(agent.configure_request(message).proxy(proxy), request.pace)
            .timeout_global(request.within)
            .build();
        let (head, body) = agent.run(message).map_err(failed)?.into_parts();
        self.trace(|| format!("answer {} from \"{}\"", head.status.as_u16(), shown(url)), &head.headers);
        Ok(Answer { status: head.status.as_u16(), url: url.clone(), headers: head.headers, body })
    }

    /// Tells of one half of an exchange. What proves who we are is masked; of a redirect's target, which may prove it
    /// too, no query is shown.
    fn trace(&self, first: impl FnOnce() -> String, headers: &ureq::http::HeaderMap) {
        const MASKED: [&str; 4] = ["authorization", "proxy-authorization", "set-cookie", "cookie"];
        let Some(trace) = &self.settings.trace else { return };
        trace.line(&first());
        for (name, value) in headers {
            let text = String::from_utf8_lossy(value.as_bytes());
            let text = match name.as_str() {
                name if MASKED.contains(&name) => "*****",
                "location" => text.split('?').next().unwrap_or_default(),
                _ => text.as_ref(),
            };
            trace.line(&format!("   \"{name}\": \"{}\"", text.escape_debug()));
        }
    }

    fn paced<S: ureq::AsSendBody>(
        &self,
        config: ureq::config::ConfigBuilder<ureq::typestate::HttpCrateScope<S>>,
        pace: Pace,
    ) -> ureq::config::ConfigBuilder<ureq::typestate::HttpCrateScope<S>> {
        let timeouts = &self.settings.timeouts;
        let (response, idle) = match pace {
            Pace::Commit => (timeouts.commit, timeouts.commit),
            Pace::Document | Pace::Stream => (timeouts.response, timeouts.idle),
        };
        config
            .timeout_connect(Some(timeouts.connect))
            .timeout_resolve(Some(timeouts.connect))
            .timeout_send_request(Some(timeouts.response))
            .timeout_await_100(Some(timeouts.await_continue))
            .timeout_recv_response(Some(response))
            .timeout_per_read(Some(idle))
            .timeout_per_write(Some(timeouts.idle))
            .timeout_recv_body((pace != Pace::Stream).then_some(timeouts.document))
    }
}

fn head(request: &Request, url: &Uri, size: Option<u64>) -> ureq::http::request::Builder {
    let mut head = Message::builder().method(request.method.clone()).uri(url.clone());
    for (name, value) in &request.headers {
        head = head.header(*name, value);
    }
    if let Some(value) = request.authorization.as_ref().filter(|_| origin(url) == origin(&request.url)) {
        head = head.header("authorization", value.expose());
    }
    match size {
        Some(size) => head.header("content-length", size),
        None => head,
    }
}

/// Servers want to hear that there is no body where there could be one.
fn wants_length(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn redirect_target(answer: &Answer) -> Result<Uri, HttpError> {
    let location = answer.header("location").unwrap_or_default();
    let refused = || HttpError::RedirectTarget { url: shown(&answer.url), target: shown_text(location) };
    let target = resolve(&answer.url, location).filter(|_| !location.is_empty()).ok_or_else(refused)?;
    let downgrade = answer.url.scheme_str() == Some("https") && target.scheme_str() != Some("https");
    if downgrade { Err(refused()) } else { Ok(target) }
}

fn transport(request: &Request, url: &Uri, error: ureq::Error) -> HttpError {
    let (method, url) = (request.method.to_string(), shown(url));
    let text = error.to_string();
    // ureq hands the TLS library's error out as text or inside an I/O error; its words are all there is to go by.
    if let Some((_, reason)) = text.split_once("invalid peer certificate: ") {
        return HttpError::Certificate { method, url, reason: crate::digest::shorten(reason) };
    }
    let source = match error {
        ureq::Error::Io(error) => error.into(),
        other => other.into(),
    };
    HttpError::Transport { method, url, source }
}

fn own_authorities(settings: &HttpSettings) -> Result<Vec<Certificate<'static>>, HttpError> {
    let mut all = Vec::new();
    for (index, pem) in settings.ca_certificates.iter().enumerate() {
        let broken = || HttpError::Authority { position: index.saturating_add(1) };
        let before = all.len();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| broken())? {
                all.push(certificate);
            }
        }
        if all.len() == before {
            return Err(broken());
        }
    }
    Ok(all)
}

fn agent(settings: &HttpSettings, roots: RootCerts) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .accept_encoding("identity")
        .user_agent(settings.user_agent.as_str())
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .new_agent()
}
