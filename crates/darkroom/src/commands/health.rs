//! `darkroom health`: does the server answer requests? For containers, whose supervisors run a program to find out.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::announcement::reachable;
use crate::settings::{Listen, Settings};

/// A server that takes longer than this to say that it is ready is not.
const WAIT: Duration = Duration::from_secs(3);

/// Asks `/health/ready` at the addresses of the setting `listen`, one after another. 0 if one says yes, 1 if none does;
/// why not is on standard error.
pub fn run(settings: &Settings) -> ExitCode {
    let addresses = match &settings.listen {
        Listen::Default => &Listen::DEFAULT[..],
        Listen::Named(addresses) => addresses,
    };
    for &address in addresses {
        match ask(reachable(address)) {
            Ok(answer) if is_ok(&answer) => return ExitCode::SUCCESS,
            Ok(answer) => eprintln!("darkroom: {address} answers: {}", first_line(&answer)),
            Err(error) => eprintln!("darkroom: {address} cannot be asked: {error}"),
        }
    }
    ExitCode::FAILURE
}

/// Returns the beginning of the answer.
fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let request = format!("GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}

fn is_ok(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Returns the first line, with nothing in it that a terminal would act on.
fn first_line(answer: &[u8]) -> String {
    let line = answer.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    line.escape_ascii().to_string()
}
