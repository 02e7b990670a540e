//! What do ten thousand connections that do nothing cost those that do something? Two servers, each a process of its own
//! with the same images: one has 10,000 idle keep-alive connections and 200 slow ones, held by a third process, the other
//! has none. A list is asked of both in turn. `cargo xtask bench connections`.
//!
//! Aim: a p99 under twice that of the quiet server. Everything stays on loopback and ends by itself.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const IDLE: usize = 10_000;
/// Half of them send a request a byte at a time, half of them take an answer so.
const SLOW: usize = 200;
const IMAGES: usize = 1_000;
const ROUNDS: usize = 20;
const LISTS_OF_A_ROUND: usize = 200;

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const TOKEN: &str = "a-token-that-may-write";
const BOUNDARY: &str = "----darkroom-bench-boundary";
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

/// Tells this program, started anew, which server to hold connections to.
const HOLD: &str = "DARKROOM_BENCH_HOLD";

fn main() {
    // Each connection is an open file in two processes; both get what we have.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    if let Some(needed) = limit.maximum.filter(|&maximum| maximum < (IDLE + SLOW + 500) as u64) {
        panic!("a process may open {needed} files, too few for {IDLE} connections: ulimit -Hn");
    }
    match std::env::var(HOLD) {
        Ok(address) => tokio::runtime::Runtime::new().unwrap().block_on(hold(address.parse().unwrap())),
        Err(_) => measure(),
    }
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = Server::start(&folder.path().join("quiet"));
    let crowded = Server::start(&folder.path().join("crowded"));
    for server in [&quiet, &crowded] {
        server.fill();
        // Warm, before memory is counted.
        server.list_times(LISTS_OF_A_ROUND);
    }
    let before = crowded.memory_bytes();
    let _crowd = Crowd::gather(crowded.address);
    let after = crowded.memory_bytes();

    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let round = [&quiet, &crowded].map(|server| sorted(server.list_times(LISTS_OF_A_ROUND)));
        ratios.push(at(&round[1], 0.99).as_secs_f64() / at(&round[0], 0.99).as_secs_f64());
        let [of_quiet, of_crowded] = round;
        alone.extend(of_quiet);
        beside.extend(of_crowded);
    }
    let connections = crowded.connections();
    assert!(connections >= IDLE + SLOW, "only {connections} connections were left");

    let (alone, beside) = (sorted(alone), sorted(beside));
    ratios.sort_by(f64::total_cmp);
    println!("\na list of 100 images, {} times each, in turn\n", alone.len());
    println!("| | alone | beside {IDLE} idle and {SLOW} slow connections | ratio |");
    println!("|---|--:|--:|--:|");
    for (name, place) in [("p50", 0.50), ("p99", 0.99)] {
        let [alone, beside] = [&alone, &beside].map(|times| at(times, place).as_secs_f64() * 1e3);
        println!("| {name} | {alone:.2} ms | {beside:.2} ms | {:.2} |", beside / alone);
    }
    println!("| p99, median of {ROUNDS} rounds | | | {:.2} |", ratios[ROUNDS / 2]);
    let each = after.saturating_sub(before) / (IDLE + SLOW) as u64;
    println!("\nmemory of a connection: {each} bytes ({} MiB for all)", (after - before) >> 20);
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times
}

/// Returns the time that such a share of the sorted times does not exceed.
fn at(times: &[Duration], share: f64) -> Duration {
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

/// A server in a process of its own.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Server {
        fs::create_dir(folder).unwrap();
        let words = folder.join("words");
        let child = Command::new(env!("CARGO_BIN_EXE_darkroom"))
            .args(["--listen", "127.0.0.1:0", "--connections-max", "20000", "--head-wait-seconds", "3600"])
            .args(["--answer-wait-seconds", "3600", "--log", "warn"])
            .current_dir(folder)
            .env_clear()
            .envs([("DARKROOM_ACCOUNT_ID", ACCOUNT), ("DARKROOM_API_TOKEN", TOKEN)])
            .stdin(Stdio::null())
            .stderr(File::create(&words).unwrap())
            .spawn()
            .unwrap();
        let mut server = Server { child, address: "127.0.0.1:0".parse().unwrap() };
        let began = Instant::now();
        server.address = loop {
            let words = fs::read_to_string(&words).unwrap();
            let address = words.split_once("listens on http://").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                break address.parse().unwrap();
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{words}");
            std::thread::sleep(Duration::from_millis(10));
        };
        server
    }

    fn fill(&self) {
        const AT_ONCE: usize = 16;
        std::thread::scope(|scope| {
            for first in 0..AT_ONCE {
                scope.spawn(move || {
                    let mut client = Client::connect(self.address);
                    for number in (first..IMAGES).step_by(AT_ONCE) {
                        client.upload(number);
                    }
                });
            }
        });
    }

    /// Returns how long each of so many lists took, on one connection.
    fn list_times(&self, count: usize) -> Vec<Duration> {
        let mut client = Client::connect(self.address);
        let request = list(100);
        let list = |_| {
            let began = Instant::now();
            client.exchange(request.as_bytes());
            began.elapsed()
        };
        (0..count).map(list).collect()
    }

    /// Returns the memory that is the process's own: what of its database is in memory is the machine's.
    fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    fn connections(&self) -> usize {
        let mut client = Client::connect(self.address);
        let text = client.exchange(b"GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n");
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find_map(|line| line.strip_prefix("darkroom_connections ")).unwrap();
        line.parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn list(images: usize) -> String {
    format!(
        "GET /client/v4/accounts/{ACCOUNT}/images/v2?per_page={images} HTTP/1.1\r\nhost: bench\r\n\
         authorization: Bearer {TOKEN}\r\n\r\n"
    )
}

/// A client that waits for each answer.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(BufReader::new(stream))
    }

    /// Sends a request and returns the body of its answer, which must be 200.
    fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.0.get_mut().write_all(request).unwrap();
        let (mut length, mut head) = (0, String::new());
        loop {
            let from = head.len();
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "{head}");
            let line = &head[from..];
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
        body
    }

    fn upload(&mut self, number: usize) {
        let part = |disposition: &str| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n")
        };
        let metadata =
            format!("{}{{\"number\":{number},\"status\":\"active\"}}\r\n", part("name=\"metadata\""));
        let file = part("name=\"file\"; filename=\"pixel.gif\"");
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [metadata.as_bytes(), file.as_bytes(), PIXEL, end.as_bytes()].concat();
        let head = format!(
            "POST /client/v4/accounts/{ACCOUNT}/images/v1 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.exchange(&[head.as_bytes(), &body].concat());
    }
}

/// The process that holds connections, which end with it.
struct Crowd(Child);

impl Crowd {
    /// Returns when all of them are there.
    fn gather(address: SocketAddr) -> Crowd {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(HOLD, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut word).unwrap();
        assert_eq!(word, "ready\n");
        Crowd(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Holds connections until whoever started us goes away.
async fn hold(address: SocketAddr) {
    let mut idle = Vec::with_capacity(IDLE);
    while idle.len() < IDLE {
        // Not all at once: the queue of the listener is short.
        let some = (0..64.min(IDLE - idle.len())).map(|_| tokio::spawn(connect_and_ask(address)));
        for connection in some.collect::<Vec<_>>() {
            idle.push(connection.await.unwrap());
        }
    }
    for number in 0..SLOW {
        match number % 2 {
            0 => tokio::spawn(send_slowly(address)),
            _ => tokio::spawn(take_slowly(address)),
        };
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("ready");
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await;
    drop(idle);
}

/// Returns a connection on which a request has been answered.
async fn connect_and_ask(address: SocketAddr) -> tokio::net::TcpStream {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: bench\r\n\r\n").await.unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"live\n") {
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "closed");
        answer.extend_from_slice(&buffer[..count]);
    }
    stream
}

/// How often a slow client sends or takes a byte.
const PACE: Duration = Duration::from_millis(100);

async fn send_slowly(address: SocketAddr) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nx-filler: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(PACE).await;
    }
}

async fn take_slowly(address: SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // So that the answer waits at the server and not in the kernel.
    let _ = socket.set_recv_buffer_size(4096);
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(list(IMAGES).as_bytes()).await.unwrap();
    while stream.read(&mut [0]).await.is_ok_and(|count| count > 0) {
        tokio::time::sleep(PACE).await;
    }
}
