//! The real program as a child process, and a client that keeps its connection.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";
const TOKEN: &str = "a-token-that-only-this-test-knows";
const BOUNDARY: &str = "cut";
/// Longer than any answer takes; only a server that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server is told: two processes that render, renditions kept nowhere, and limits that pictures of few bytes meet.
const SETTINGS: [(&str, &str); 9] = [
    ("DARKROOM_LISTEN", "127.0.0.1:0"),
    ("DARKROOM_ACCOUNT_ID", ACCOUNT),
    ("DARKROOM_ACCOUNT_HASH", HASH),
    ("DARKROOM_API_TOKEN", TOKEN),
    ("DARKROOM_RENDER_WORKERS_MAX", "2"),
    ("DARKROOM_RENDITION_MEMORY_BYTES_MAX", "0"),
    ("DARKROOM_RENDITION_DISK_BYTES_MAX", "0"),
    ("DARKROOM_RENDER_MEMORY_BYTES_MAX", "134217728"),
    ("DARKROOM_RENDER_TIME_MAX_SECONDS", "1"),
];

/// A server that is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

/// How much memory a server has.
pub(crate) struct Memory {
    pub(crate) resident_bytes: u64,
    own_bytes: u64,
}

impl Server {
    /// Starts a server on an empty folder, and waits until it listens.
    pub(crate) fn start(folder: &Path) -> Server {
        let log = folder.join("log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_darkroom"))
            .args(["serve", "--render-pixels-max", "95000000"])
            .current_dir(folder)
            .env_clear()
            .envs(SETTINGS)
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let address = loop {
            let words = fs::read_to_string(&log).unwrap();
            let address = words.split_once("listens on http://").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                break address.parse().unwrap();
            }
            if began.elapsed() > PATIENCE || child.try_wait().unwrap().is_some() {
                let _ = child.kill();
                panic!("it does not listen: {words}");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Server { child, address }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }

    /// Returns the memory of the server itself, without that of the processes that render.
    pub(crate) fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
        };
        Memory { resident_bytes: bytes("VmRSS:"), own_bytes: bytes("RssAnon:") }
    }

    /// Returns what the server counts.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let answer = self.connect().send("GET", "/metrics", "", b"");
        let text = String::from_utf8(answer.body).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        count.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { resident_bytes, own_bytes } = self;
        write!(f, "{} KiB resident, {} of them its own", resident_bytes >> 10, own_bytes >> 10)
    }
}

/// A client that waits for each answer.
pub(crate) struct Client(BufReader<TcpStream>);

/// What it was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the header `cf-images` says of an image that is not shown.
    pub(crate) error: String,
    body: Vec<u8>,
}

impl Client {
    /// Lets delivery URLs carry options.
    pub(crate) fn allow_options(&mut self) {
        let answer = self.api("PATCH", "/v1/config", "application/json", br#"{"flexible_variants":true}"#);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Uploads a file and returns its id, or the status of the refusal.
    pub(crate) fn upload(&mut self, file: &[u8]) -> Result<String, u16> {
        let head =
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), file, end.as_bytes()].concat();
        let answer = self.api("POST", "/v1", &format!("multipart/form-data; boundary={BOUNDARY}"), &body);
        if answer.status != 200 {
            return Err(answer.status);
        }
        let envelope: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        Ok(envelope["result"]["id"].as_str().unwrap().to_owned())
    }

    /// Asks for an image as its URL says: its id and options.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", &format!("/{HASH}/{path}"), "accept: image/avif,image/webp,*/*\r\n", b"")
    }

    fn api(&mut self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let headers = format!("authorization: Bearer {TOKEN}\r\ncontent-type: {content_type}\r\n");
        self.send(method, &format!("/client/v4/accounts/{ACCOUNT}/images{path}"), &headers, body)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {length}\r\n\r\n");
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
        let (mut answer, mut length) = (Answer { status: 0, error: String::new(), body: Vec::new() }, 0);
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "{path}: the connection ended");
            let line = line.trim_end();
            match line.split_once(": ") {
                _ if line.is_empty() => break,
                None => answer.status = line.split(' ').nth(1).unwrap().parse().unwrap(),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("cf-images", value)) if value.starts_with("err=") => answer.error = value.to_owned(),
                Some(_) => {}
            }
        }
        answer.body = vec![0; length];
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }
}
