//! Revocation data over HTTP, and proxies.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::evidence::network::HttpEvidence;
use bulla::http::{HttpClient, HttpSettings, ProxySettings};

use super::support::{Effect, Options, Registry, Reply};
use super::*;

fn evidence() -> HttpEvidence {
    HttpEvidence::new(Arc::new(HttpClient::new(HttpEvidence::settings(settings().0.http)).unwrap()))
}

#[test]
fn a_crl_is_fetched_whole_or_not_at_all() {
    let server = Registry::start(Options::default());
    let url = format!("http://{}/ca.crl?secret", server.host());
    server.answer("GET", "/ca.crl", 1, Reply::new(200).body("crl"));
    assert_eq!(evidence().fetch_crl(&url, 3).unwrap(), b"crl");
    server.answer("GET", "/ca.crl", 1, Reply::new(200).body("crl"));
    assert_eq!(evidence().fetch_crl(&url, 2).unwrap_err().code(), DiagnosticCode::EvidenceUnavailable);
    server.answer("GET", "/ca.crl", 1, Reply::new(200));
    assert_eq!(evidence().fetch_crl(&url, 2).unwrap_err().code(), DiagnosticCode::EvidenceUnavailable);
    let error = evidence().fetch_crl(&url, 3).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::EvidenceUnavailable);
    assert!(error.to_string().contains("404") && error.to_string().contains(&server.host()), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    // Broken off, hung up on, told to wait: tried again.
    server.answer("GET", "/ca.crl", 1, Reply { cut: Some(1), ..Reply::new(200).body("crl") });
    server.rule("GET", "/ca.crl", 1, Effect::HangUp);
    server.answer("GET", "/ca.crl", 1, Reply::new(200).body("crl"));
    assert_eq!(evidence().fetch_crl(&url, 3).unwrap(), b"crl");
    server.answer("GET", "/ca.crl", usize::MAX, Reply { cut: Some(1), ..Reply::new(200).body("crl") });
    assert_eq!(evidence().fetch_crl(&url, 3).unwrap_err().code(), DiagnosticCode::NetworkFailed);
    for bad in ["ldap://x/y", "file:///etc/passwd", "", "http://", "http://user:secret@x/y"] {
        let error = evidence().fetch_crl(bad, 3).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::EvidenceUnavailable, "{bad}");
    }
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (mut settings, _) = settings();
    settings.http.timeouts.response = Duration::from_millis(100);
    settings.http.timeouts.idle = Duration::from_millis(100);
    let evidence = HttpEvidence::new(Arc::new(HttpClient::new(settings.http).unwrap()));
    let error = evidence.fetch_crl(&format!("http://{address}/x"), 3).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::NetworkFailed);
    drop(listener);
}

/// Conformance 10.07, 10.17: the limit is that of the address, so nobody who is silent is asked again.
#[test]
fn silence_is_waited_for_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let (settings, waits) = settings();
    let mut http = HttpEvidence::settings(settings.http);
    assert_eq!(http.timeouts.response, Duration::from_secs(5));
    http.timeouts.response = Duration::from_millis(100);
    let evidence = HttpEvidence::new(Arc::new(HttpClient::new(http.clone()).unwrap()));
    assert_eq!(evidence.fetch_crl(&url, 3).unwrap_err().code(), DiagnosticCode::NetworkFailed);
    assert!(waits.lock().unwrap().is_empty());
    // Nobody listens: that may be over in a moment.
    drop(listener);
    assert_eq!(evidence.fetch_crl(&url, 3).unwrap_err().code(), DiagnosticCode::NetworkFailed);
    assert_eq!(waits.lock().unwrap().len(), 2);
    // A responder has two seconds, however patient its client is otherwise.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    http.timeouts.response = Duration::from_secs(600);
    let evidence = HttpEvidence::new(Arc::new(HttpClient::new(http).unwrap()));
    let error = evidence.fetch_ocsp(&url, b"request", 3).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::NetworkFailed);
    assert_eq!(waits.lock().unwrap().len(), 2);
    drop(listener);
}

/// A proxy that leads every tunnel to the same place, and tells what it was asked for.
fn proxy(target: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let inner = Arc::clone(&asked);
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            inner.lock().unwrap().push(line.trim().to_owned());
        }
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut back, mut to) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back, &mut to));
        let _ = std::io::copy(&mut stream, &mut server);
    });
    (address, asked)
}

#[test]
fn other_hosts_are_reached_through_the_proxy() {
    let server = Registry::start(Options::default());
    server.answer("GET", "/ca.crl", 1, Reply::new(200).body("crl"));
    let (address, asked) = proxy(server.host());
    let variables = move |name: &str| (name == "HTTP_PROXY").then(|| format!("http://me:pw@{address}"));
    let http = HttpSettings { proxies: ProxySettings::from_env(variables), ..settings().0.http };
    let evidence = HttpEvidence::new(Arc::new(HttpClient::new(http).unwrap()));
    assert_eq!(evidence.fetch_crl("http://crl.example.test/ca.crl", 9).unwrap(), b"crl");
    let asked = asked.lock().unwrap().join("\n");
    assert!(asked.starts_with("CONNECT crl.example.test:80 HTTP/1.1"), "{asked}");
    assert!(asked.contains("Basic bWU6cHc="), "{asked}");
}

/// Conformance 10.08.
#[test]
fn a_responder_is_asked_in_the_address_or_by_post() {
    let server = Registry::start(Options::default());
    let url = format!("http://{}/ocsp/", server.host());
    let ask = |request: &[u8], limit| evidence().fetch_ocsp(&url, request, limit);
    // base64 of this is "+/8=", and each of the three signs has a meaning in an address.
    server.answer("GET", "/ocsp/%2B%2F8%3D", 1, Reply::new(200).body("answer"));
    assert_eq!(ask(&[0xfb, 0xff], 6).unwrap(), b"answer");
    assert_eq!(server.count("POST", "/ocsp"), 0);
    // Not by GET: then by POST, whole and with its type.
    server.answer("GET", "/ocsp/", 1, Reply::new(405));
    server.answer("POST", "/ocsp/", 1, Reply::new(200).body("posted"));
    assert_eq!(ask(&[0xfb, 0xff], 6).unwrap(), b"posted");
    let long = vec![7; 200];
    server.forget_requests();
    server.answer("POST", "/ocsp/", 1, Reply::new(200).body("posted"));
    assert_eq!(ask(&long, 6).unwrap(), b"posted");
    let seen = server.seen();
    assert_eq!((seen.len(), &seen[0].body), (1, &long));
    assert_eq!(seen[0].header("content-type"), Some("application/ocsp-request"));
    for reply in [Reply::new(500), Reply::new(200), Reply::new(200).body("too long")] {
        server.answer("POST", "/ocsp/", usize::MAX, reply);
        assert!(ask(&long, 6).is_err());
    }
}
