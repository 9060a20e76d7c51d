//! HTTP with nothing but the standard library: a server of static files on loopback that can fail on demand, and a
//! client that shows what a registry really says.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the server does with a path.
#[derive(Clone)]
pub enum File {
    Bytes(Vec<u8>),
    Status(u16),
    /// A content type and a content made from the body of the request.
    Answer(Arc<Answering>),
    /// Accepts the request and says nothing, until the client gives up or the server ends.
    Stall,
}

type Answering = dyn Fn(&[u8]) -> (String, Vec<u8>) + Send + Sync;

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    seen: Vec<String>,
}

/// A server; unknown paths are 404. It ends with its owner, port and all.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// On a free port.
    pub fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// On this port, if it is free.
    pub fn start_at(port: u16) -> Option<Self> {
        TcpListener::bind(("127.0.0.1", port)).ok().map(Self::listen)
    }

    fn listen(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (state, stop) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (inner, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (inner, stopped) = (Arc::clone(&inner), Arc::clone(&stopped));
                thread::spawn(move || stream.map(|stream| serve(stream, &inner, &stopped)));
            }
        });
        Self { address, state, stop, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves a file, or a failure, at `/NAME`.
    pub fn put(&self, name: &str, file: File) {
        self.state.lock().unwrap().files.insert(format!("/{name}"), file);
    }

    /// The paths that were asked for, so far.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn forget_requests(&self) {
        self.state.lock().unwrap().seen.clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, stop: &AtomicBool) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut body = 0;
    while line.trim_end() != "" {
        line.clear();
        reader.read_line(&mut line).ok()?;
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body = length.trim().parse().ok()?;
        }
    }
    let mut sent = vec![0; body];
    reader.read_exact(&mut sent).ok()?;
    let file = {
        let mut state = state.lock().unwrap();
        state.seen.push(path.clone());
        state.files.get(&path).cloned()
    };
    let mut kind = String::new();
    let (status, body) = match file {
        Some(File::Bytes(bytes)) => (200, bytes),
        Some(File::Answer(answer)) => {
            let (content_type, bytes) = answer(&sent);
            kind = format!("content-type: {content_type}\r\n");
            (200, bytes)
        }
        Some(File::Status(status)) => (status, b"no\n".to_vec()),
        Some(File::Stall) => {
            while !stop.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(50));
            }
            return None;
        }
        None => (404, b"no such file\n".to_vec()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} Status\r\n{kind}content-length: {length}\r\nconnection: close\r\n\r\n").ok()?;
    stream.write_all(&body).ok()
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// One request on its own connection.
pub fn request(host: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut answer = Answer { status, headers: lines.filter_map(pair).collect(), body: all[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        answer.body = dechunked(&answer.body);
    }
    answer
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap().trim(), 16).unwrap();
        if size == 0 {
            return out;
        }
        out.extend(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}
