//! The real program behind the real nginx, with the example of `deploy`: ids with encoded slashes, bodies of 10 MB.
//!
//! It needs nginx, so `cargo xtask test` runs it, and `cargo test` alone does not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";
const TOKEN: &str = "a-token-that-may-write";
const HOST: &str = "images.example.com";
const BOUNDARY: &str = "----darkroom-test-boundary";
const FILE_BYTES_MAX: usize = 10 << 20;

/// One grey pixel. What follows the end of a picture belongs to its file.
const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";

/// A program that is killed when it is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is there.
fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(began.elapsed() < Duration::from_secs(20), "{what}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start_darkroom(folder: &Path) -> (Program, SocketAddr) {
    let words = folder.join("darkroom.log");
    let child = Command::new(env!("CARGO_BIN_EXE_darkroom"))
        .args(["--listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1"])
        .current_dir(folder)
        .env_clear()
        .env("DARKROOM_ACCOUNT_ID", ACCOUNT)
        .env("DARKROOM_ACCOUNT_HASH", HASH)
        .env("DARKROOM_API_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stderr(File::create(&words).unwrap())
        .spawn()
        .unwrap();
    let program = Program(child);
    let address = until("darkroom starts", || {
        let words = fs::read_to_string(&words).unwrap();
        let (_, rest) = words.split_once("listens on http://")?;
        rest.split_once('\n')?.0.parse().ok()
    });
    (program, address)
}

/// Returns the example as it stands, but for names that only a real host has: certificates and the standard port.
fn example(ours: SocketAddr, theirs: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx.conf");
    let text = fs::read_to_string(path).unwrap();
    let mut replaced = 0;
    let lines = text.lines().map(|line| {
        let changed = match line.trim() {
            "server 127.0.0.1:3535;" => format!("server {ours};"),
            "listen 443 ssl;" => format!("listen {theirs};"),
            "listen [::]:443 ssl;" => String::new(),
            text if text.starts_with("ssl_certificate") => String::new(),
            _ => return line.to_owned(),
        };
        replaced += 1;
        changed
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(replaced, 5, "the example has changed; so must this test");
    text
}

fn start_nginx(folder: &Path, darkroom: SocketAddr) -> (Program, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    let shown = folder.display();
    fs::write(folder.join("example.conf"), example(darkroom, address)).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {shown}/{kind};\n"))
        .collect();
    let main = format!(
        "daemon off;\nmaster_process off;\npid {shown}/nginx.pid;\nerror_log {shown}/nginx.log;\nevents {{}}\n\
         http {{\n  access_log off;\n{temporary}  include {shown}/example.conf;\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
    drop(free);
    let child = Command::new(nginx())
        .args(["-e", "nginx-start.log", "-p"])
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let program = Program(child);
    until("nginx starts", || TcpStream::connect(address).ok());
    (program, address)
}

/// Returns the program; not everyone has the folder of administrators' programs in the path.
fn nginx() -> PathBuf {
    let usual = Path::new("/usr/sbin/nginx");
    if usual.exists() { usual.to_owned() } else { "nginx".into() }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}: {:?}", self.status, self.head))
    }
}

fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n");
    head += &format!("authorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // Who has refused may not read to the end.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = answer[end + 4..].to_vec();
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Answer { status, head: head.to_ascii_lowercase(), body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 2 + length + 2..];
    }
    whole
}

fn call(address: SocketAddr, method: &str, path: &str) -> Answer {
    send(address, method, &format!("/client/v4/accounts/{ACCOUNT}{path}"), &[], b"")
}

fn upload(address: SocketAddr, id: &str, file: &[u8]) -> Answer {
    let part = |disposition: &str, content: &[u8]| {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let body = [
        part("name=\"id\"", id.as_bytes()),
        part("name=\"file\"; filename=\"a.png\"", file),
        format!("--{BOUNDARY}--\r\n").into_bytes(),
    ];
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = format!("/client/v4/accounts/{ACCOUNT}/images/v1");
    send(address, "POST", &path, &[("content-type", &content_type)], &body.concat())
}

#[test]
#[ignore = "needs nginx: cargo xtask test --only proxy"]
fn everything_works_through_nginx() {
    let folder = tempfile::tempdir().unwrap();
    let (_darkroom, darkroom) = start_darkroom(folder.path());
    let (_nginx, address) = start_nginx(folder.path(), darkroom);

    // Upload: as large as a file may be.
    let mut picture = PNG.to_vec();
    picture.resize(FILE_BYTES_MAX, 7);
    let uploaded = upload(address, "a/b c/50%.png", &picture).json();
    let image = &uploaded["result"];
    assert_eq!(image["id"], "a/b c/50%.png", "{uploaded}");
    let url = image["variants"][0].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{HOST}")).expect("the name that the client used");

    // Details, by an id with encoded slashes; and by one that begins with two, which stays wrong.
    let details = call(address, "GET", "/images/v1/a%2Fb%20c%2F50%25.png").json();
    assert_eq!(&details["result"], image);
    assert_eq!(call(address, "GET", "/images/v1//a%2Fb%20c%2F50%25.png").status, 404);

    let listed = call(address, "GET", "/images/v2?per_page=10").json();
    assert_eq!(&listed["result"]["images"][0], image);

    // Delivery, however slashes are written, whole and in part.
    assert!(path.starts_with(&format!("/{HASH}/a/b%20c/50%25.png/")), "{path}");
    for path in [path, &path.replace("a/b", "a%2Fb")] {
        let answer = send(address, "GET", path, &[], b"");
        assert!(answer.status == 200 && answer.body.starts_with(b"\x89PNG"), "{}", answer.head);
        let part = send(address, "GET", path, &[("range", "bytes=0-66")], b"");
        assert_eq!((part.status, &part.body[..]), (206, &answer.body[..67]));
    }

    // What is too large is said in JSON, as long as nginx takes it at all.
    picture.push(7);
    let refused = upload(address, "larger", &picture);
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (413, &7011.into()));
    picture.resize(13 << 20, 7);
    assert_eq!(upload(address, "much-larger", &picture).status, 413);

    assert_eq!(call(address, "DELETE", "/images/v1/a%2Fb%20c%2F50%25.png").status, 200);
    assert_eq!(send(address, "GET", path, &[], b"").status, 404);
    assert_eq!(send(address, "GET", "/metrics", &[], b"").status, 404);
    assert_eq!(send(address, "GET", "/health/ready", &[], b"").status, 200);
}
