//! A client that sends exactly what it is told, right or wrong.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The boundary of every form.
const BOUNDARY: &str = "----darkroom-test-boundary";

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A form in the making.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn field(self, name: &str, content: &str) -> Form {
        self.part(&format!("name=\"{name}\""), content.as_bytes())
    }

    pub(crate) fn file(self, filename: &str, content: &[u8]) -> Form {
        self.part(&format!("name=\"file\"; filename=\"{filename}\""), content)
    }

    pub(crate) fn part(mut self, disposition: &str, content: &[u8]) -> Form {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// Returns the body, closed.
    pub(crate) fn body(&self) -> Vec<u8> {
        [&self.0[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
    }
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Request {
        let (method, target) = (method.to_owned(), target.to_owned());
        Request { address, method, target, headers: Vec::new(), body: None }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out a header that was added before.
    pub(crate) fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn token(self, token: &str) -> Request {
        self.without("authorization").header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn json(self, body: &str) -> Request {
        self.header("content-type", "application/json").body(body)
    }

    pub(crate) fn form(self, form: &Form) -> Request {
        self.form_header().body(form.body())
    }

    /// Says that a form follows, without one.
    pub(crate) fn form_header(self) -> Request {
        self.header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
    }

    /// Returns what goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !has("host") {
            head += &format!("host: {}\r\n", self.address);
        }
        if !has("connection") {
            head += "connection: close\r\n";
        }
        if let Some(body) = &self.body
            && !has("content-length")
            && !has("transfer-encoding")
        {
            head += &format!("content-length: {}\r\n", body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", self.body.as_deref().unwrap_or_default()].concat()
    }

    /// Sends it on a connection of its own and returns the answer, read to the end of the connection.
    pub(crate) async fn send(&self) -> Answer {
        exchange(self.address, &self.bytes()).await
    }
}

/// Sends these bytes on a connection of their own and returns everything that comes back as one answer.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has refused may not read to the end.
    let _ = stream.write_all(bytes).await;
    Answer::parse(&read_to_end(&mut stream).await)
}

/// Reads until the server closes.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut received)).await;
    read.expect("the server closes the connection").unwrap();
    received
}

/// Reads one answer, whose length its head says, from a connection that stays open.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut received = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer)).await;
        let count = read.expect("the server answers").unwrap();
        assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&buffer[..count]);
        let Some(answer) = Answer::try_parse(&received) else { continue };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if answer.body.len() >= length {
            return answer;
        }
    }
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Answer {
        Answer::try_parse(bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)))
    }

    fn try_parse(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Some(Answer { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Asserts that this is a refusal of the API, whole in its envelope, and returns the one error in it.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16, code: u32) -> serde_json::Value {
        let json = self.json();
        assert_eq!((self.status, &json["errors"][0]["code"]), (status, &code.into()), "{}", self.text());
        assert_eq!(json["success"], false);
        assert!(json["result"].is_null());
        assert_eq!(json["messages"], serde_json::json!([]));
        assert_eq!(json["errors"].as_array().map(Vec::len), Some(1));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        json["errors"][0].clone()
    }

    /// Asserts that this is a success of the API and returns its result.
    #[track_caller]
    pub(crate) fn result(&self) -> serde_json::Value {
        let json = self.json();
        assert_eq!((self.status, &json["success"]), (200, &true.into()), "{}", self.text());
        assert_eq!(json["errors"], serde_json::json!([]));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        json["result"].clone()
    }
}
