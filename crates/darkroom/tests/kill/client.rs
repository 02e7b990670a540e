//! As much of an HTTP client as the test needs: one request a connection, and a truncated answer is no answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes; only a server that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer that arrived whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns the `result` of an answer that must be a success.
    #[track_caller]
    pub(crate) fn result(&self) -> serde_json::Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, 200, "{text}");
        let mut envelope: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(envelope["success"], true, "{text}");
        envelope["result"].take()
    }
}

/// Sends a request of the workers and returns its answer; an error if the server went away before the last byte.
pub(crate) fn send(
    server: SocketAddr,
    method: &str,
    path: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> io::Result<Answer> {
    send_as(crate::API_TOKEN, server, method, path, content_type, body)
}

/// Sends a request with a token.
pub(crate) fn send_as(
    token: &str,
    server: SocketAddr,
    method: &str,
    path: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: {}\r\n",
        body.len()
    );
    if let Some(content_type) = content_type {
        request += &format!("content-type: {content_type}\r\n");
    }
    request += "\r\n";
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..head_end]).ok()?;
    let body = &answer[head_end..];
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (body.len() == length).then(|| Answer { status, body: body.to_vec() })
}
