//! How long until a server answers? From the start of the process to the first 200 of `/health/ready`: of `darkroom dev`,
//! of `darkroom dev` with the photographs of the repository as its seed, and of `darkroom serve` on a folder that is not
//! there yet, in turn. `cargo xtask bench start`.
//!
//! Aim: `dev` in under 200 ms. Everything stays on loopback and ends by itself.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 30;
/// How long a start may take before the measurement gives up.
const WAIT: Duration = Duration::from_secs(20);

const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/photos");
const WAYS: [(&str, &[&str]); 3] = [
    ("dev", &["dev"]),
    ("dev --seed (5 photographs)", &["dev", "--seed", SEED]),
    ("serve, new folder", &["serve"]),
];

fn main() {
    let mut times = WAYS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, words), times) in WAYS.iter().zip(&mut times) {
            times.push(start(words));
        }
    }
    println!(
        "\nfrom the start of the process to the first 200 of /health/ready, {ROUNDS} starts each, in turn\n"
    );
    println!("| | median | slowest |");
    println!("|---|--:|--:|");
    for ((name, _), times) in WAYS.iter().zip(&mut times) {
        times.sort();
        let [median, slowest] = [times[ROUNDS / 2], times[ROUNDS - 1]].map(|time| time.as_secs_f64() * 1e3);
        println!("| {name} | {median:.1} ms | {slowest:.1} ms |");
    }
}

/// A process that ends with the measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(words: &[&str]) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    // Nobody else takes a port that was free just now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
    command.args(words).args(["--listen", &address.to_string()]).current_dir(folder.path()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let _server = Server(command.spawn().unwrap());
    while !is_ready(address) {
        assert!(began.elapsed() < WAIT, "{words:?} did not start");
        std::thread::sleep(Duration::from_micros(200));
    }
    began.elapsed()
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    let asked = stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .and_then(|()| stream.read_to_string(&mut answer));
    asked.is_ok() && answer.starts_with("HTTP/1.1 200 ")
}
