//! Calls out, with names, connections and origins of the tests' own. Whatever is called, packets go to loopback only.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An address of the public internet, to which the tests connect no more than to any other.
const PUBLIC: &str = "93.184.216.34";

/// Another, behind which connections neither come about nor fail.
const SWALLOWS: &str = "2606:4700::1";

/// Names as the test says, each question answered by the next of its answers and then by the last; and one origin,
/// whatever address is called.
struct TestOutside {
    names: HashMap<&'static str, Vec<&'static [&'static str]>>,
    origin: SocketAddr,
    asked: Mutex<Vec<String>>,
    called: Mutex<Vec<SocketAddr>>,
}

impl Outside for TestOutside {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|known| *known == name).count();
        asked.push(name.to_owned());
        let answers = self.names.get(name);
        let answer = answers.and_then(|answers| answers.get(before).or(answers.last()));
        let found = answer.map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect());
        std::future::ready(found.ok_or_else(|| io::ErrorKind::NotFound.into())).boxed()
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.called.lock().unwrap().push(address);
        match (address.ip().to_string().as_str(), address.port()) {
            // The discard port stands for all at which nobody listens.
            (_, 9) => std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())).boxed(),
            (SWALLOWS, _) => std::future::pending().boxed(),
            _ => TcpStream::connect(self.origin).boxed(),
        }
    }
}

/// What an origin does with a request: sends these bytes, and then.
struct Reply(Vec<u8>, Then);

enum Then {
    Close,
    /// Says nothing more.
    Stay,
    /// Says this over and over, with this pause.
    Repeat(&'static [u8], Duration),
}

/// An origin that does what a test says with each request, and keeps what it was asked.
struct Origin {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

type Script = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

impl Origin {
    async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Origin {
        Origin::start_with(Arc::new(script), None).await
    }

    async fn start_with(script: Script, tls: Option<TlsAcceptor>) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = Arc::clone(&origin.heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, heads, tls) = (Arc::clone(&script), Arc::clone(&heads), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, script, heads).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream, script, heads).await,
                            Err(_) => Ok(()),
                        },
                    }
                });
            }
        });
        origin
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    heads: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heads.lock().unwrap().push(head.clone());
    let Reply(bytes, then) = script(&head);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Stay => std::future::pending().await,
        Then::Repeat(bytes, pause) => loop {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            tokio::time::sleep(pause).await;
        },
    }
}

fn reply(text: impl Into<Vec<u8>>) -> Reply {
    Reply(text.into(), Then::Close)
}

fn file() -> Reply {
    reply("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/html\r\n\r\nfile")
}

fn redirect(place: &str) -> Reply {
    reply(format!("HTTP/1.1 302 Found\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n"))
}

/// One that fetches from this origin, under whatever names and addresses.
struct TestFetcher {
    fetcher: Fetcher,
    outside: Arc<TestOutside>,
}

impl TestFetcher {
    fn new(origin: &Origin) -> TestFetcher {
        TestFetcher::with(origin, |_| {})
    }

    fn with(origin: &Origin, change: impl FnOnce(&mut Fetcher)) -> TestFetcher {
        let public: &[&str] = &[PUBLIC];
        let names = HashMap::from([
            ("origin.example", vec![public]),
            ("origin.example.", vec![public]),
            ("other.example", vec![public]),
            ("internal.example", vec![&["10.0.0.1", "fd00::1"][..]]),
            ("mixed.example", vec![&["127.0.0.1", "::ffff:10.0.0.1", PUBLIC, "169.254.169.254"][..]]),
            ("rebinding.example", vec![public, &["127.0.0.1"][..]]),
            ("half.example", vec![&[SWALLOWS, PUBLIC][..]]),
            ("swallowed.example", vec![&[SWALLOWS][..]]),
            ("nothing.example", vec![&[][..]]),
            ("localhost", vec![&["::1", "127.0.0.1"][..]]),
        ]);
        let (asked, called) = Default::default();
        let outside = Arc::new(TestOutside { names, origin: origin.address, asked, called });
        let limits = Limits { fetch_wait: Duration::from_secs(10), ..Limits::default() };
        let mut fetcher =
            Fetcher { outside: outside.clone(), tls: Tls::default(), allowed: Vec::new(), limits };
        change(&mut fetcher);
        TestFetcher { fetcher, outside }
    }

    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        let fetched = self.fetcher.fetch(&SourceUrl::parse(url).unwrap(), Errand::upload(1000)).await;
        fetched.map(|fetched| fetched.bytes)
    }

    /// Returns every address that was called, in order.
    fn called(&self) -> Vec<String> {
        self.outside.called.lock().unwrap().iter().map(ToString::to_string).collect()
    }

    fn asked(&self) -> Vec<String> {
        self.outside.asked.lock().unwrap().clone()
    }
}

/// Fetches from an origin that always does this.
async fn fetch_from(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Result<Bytes, FetchError> {
    let origin = Origin::start(script).await;
    TestFetcher::new(&origin).fetch("http://origin.example/").await
}

#[tokio::test]
async fn a_file_comes_whole_and_is_asked_for_plainly() {
    let origin = Origin::start(|_| file()).await;
    let fetcher = TestFetcher::new(&origin);
    let fetched = fetcher.fetch("http://Origin.example:8080/a b/é.png?c=d#e").await;
    assert_eq!(fetched.as_deref(), Ok(&b"file"[..]));
    assert_eq!(fetcher.called(), ["93.184.216.34:8080"]);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "GET /a%20b/%C3%A9.png?c=d HTTP/1.1\r\nhost: origin.example:8080\r\nuser-agent: Darkroom/{version}\r\n\
         accept: image/*, */*;q=0.5\r\naccept-encoding: identity\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(origin.heads(), [expected]);
}

#[tokio::test]
async fn what_must_not_be_called_is_not_called() {
    let origin = Origin::start(|_| file()).await;
    let fetcher = TestFetcher::new(&origin);
    for host in [
        "127.0.0.1",
        "127.255.0.1:8080",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:93.184.216.34]",
        "[::7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::93.184.216.34]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[2001:db8::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "localhost:3535",
        "LOCALHOST",
        "internal.example",
        "nothing.example",
        "unknown.example",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/latest/meta-data/");
            assert_eq!(fetcher.fetch(&url).await, Err(FetchError::Refused), "{url}");
        }
    }
    assert_eq!(fetcher.called(), [""; 0]);
    assert_eq!(origin.heads(), [""; 0]);
}

#[tokio::test]
async fn of_a_name_only_what_may_be_called_is_called() {
    let origin = Origin::start(|_| file()).await;
    let fetcher = TestFetcher::new(&origin);
    assert!(fetcher.fetch("http://mixed.example/").await.is_ok());
    assert_eq!(fetcher.called(), ["93.184.216.34:80"]);
}

#[tokio::test]
async fn a_name_is_resolved_once_for_check_and_use() {
    let origin = Origin::start(|_| file()).await;
    let fetcher = TestFetcher::new(&origin);
    assert!(fetcher.fetch("http://rebinding.example/").await.is_ok());
    assert_eq!((fetcher.asked().len(), fetcher.called()), (1, vec!["93.184.216.34:80".to_owned()]));
    // By now it resolves to loopback.
    assert_eq!(fetcher.fetch("http://rebinding.example/").await, Err(FetchError::Refused));
    assert_eq!((fetcher.asked().len(), fetcher.called().len()), (2, 1));
}

#[tokio::test]
async fn every_redirect_is_judged_anew() {
    for (place, error) in [
        ("http://127.0.0.1/", FetchError::Refused),
        ("//169.254.169.254/latest/meta-data/", FetchError::Refused),
        ("https://[::ffff:10.0.0.1]/", FetchError::Refused),
        ("http://internal.example/", FetchError::Refused),
        ("http://localhost:3535/", FetchError::Refused),
        // The name of the first request, which resolves to loopback when it is asked for again.
        ("/again", FetchError::Refused),
        ("http://2130706433/", FetchError::BadRedirect),
        ("http://0x7f.1/", FetchError::BadRedirect),
        ("http://me:word@/", FetchError::BadRedirect),
        ("file:///etc/passwd", FetchError::BadRedirect),
        ("ftp://origin.example/", FetchError::BadRedirect),
        ("data:image/png;base64,AAAA", FetchError::BadRedirect),
        ("http://origin.example:0/", FetchError::BadRedirect),
    ] {
        let origin = Origin::start(move |_| redirect(place)).await;
        let fetcher = TestFetcher::new(&origin);
        assert_eq!(fetcher.fetch("http://rebinding.example/").await, Err(error), "{place}");
        assert_eq!(fetcher.called(), ["93.184.216.34:80"], "{place}");
    }
}

#[tokio::test]
async fn redirects_are_followed_five_times() {
    let origin = Origin::start(|head| {
        let left: u32 = head["GET /".len()..].split(' ').next().unwrap().parse().unwrap();
        if left == 0 { file() } else { redirect(&(left - 1).to_string()) }
    })
    .await;
    let fetcher = TestFetcher::new(&origin);
    assert!(fetcher.fetch("http://origin.example/5").await.is_ok());
    assert_eq!(fetcher.called().len(), 6);
    assert_eq!(fetcher.fetch("http://origin.example/6").await, Err(FetchError::TooManyRedirects));
    assert_eq!(fetcher.called().len(), 12);
    let origin = Origin::start(|_| redirect("/loop")).await;
    let result = TestFetcher::new(&origin).fetch("http://origin.example/").await;
    assert_eq!((result, origin.heads().len()), (Err(FetchError::TooManyRedirects), 6));
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let origin = Origin::start(|head| match head.split(' ').nth(1) {
        Some("/here") => redirect("/there"),
        Some("/there") => redirect("http://other.example/away"),
        Some("/away") => redirect("http://you:else@origin.example/"),
        Some("/port") => redirect("http://origin.example:81/"),
        _ => file(),
    })
    .await;
    let fetcher = TestFetcher::new(&origin);
    assert!(fetcher.fetch("http://me:wo%40rd@origin.example/here").await.is_ok());
    assert!(fetcher.fetch("http://me:wo%40rd@origin.example/port").await.is_ok());
    let authorization = |head: &String| {
        let line = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        line.unwrap_or_default().to_owned()
    };
    let sent: Vec<String> = origin.heads().iter().map(authorization).collect();
    let (me, you) = ("Basic bWU6d29AcmQ=", "Basic eW91OmVsc2U=");
    assert_eq!(sent, [me, me, "", you, me, ""]);
    assert!(!origin.heads().concat().contains("me:wo"));
}

#[tokio::test]
async fn what_is_no_file_is_told_by_its_status() {
    for status in [201, 204, 206, 300, 304, 305, 401, 403, 404, 410, 429, 500, 503, 599, 999] {
        let script = move |_: &str| reply(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
        assert_eq!(fetch_from(script).await, Err(FetchError::Status(status)));
    }
    for status in [301, 302, 303, 307, 308] {
        let script = move |_: &str| reply(format!("HTTP/1.1 {status} X\r\n\r\n"));
        assert_eq!(fetch_from(script).await, Err(FetchError::Status(status)), "without a place to go to");
    }
    assert_eq!(FetchError::Status(404).to_string(), "its host answered with status 404");
}

#[tokio::test]
async fn a_file_has_a_size() {
    let of = |length: usize| move |_: &str| reply([&head_of(length)[..], &vec![b'x'; length]].concat());
    assert_eq!(fetch_from(of(1000)).await.map(|file| file.len()), Ok(1000));
    assert_eq!(fetch_from(of(0)).await.map(|file| file.len()), Ok(0));
    // Refused by what it says, before it is sent.
    let declared = |_: &str| Reply(head_of(1001), Then::Stay);
    assert_eq!(fetch_from(declared).await, Err(FetchError::TooLarge));
    let huge =
        |_: &str| Reply(b"HTTP/1.1 200 X\r\ncontent-length: 18446744073709551614\r\n\r\n".into(), Then::Stay);
    assert!(matches!(fetch_from(huge).await, Err(FetchError::TooLarge | FetchError::NoHttp)));
    // Refused by what is sent, where nothing is said.
    for head in ["HTTP/1.1 200 X\r\n\r\n", "HTTP/1.0 200 X\r\n\r\n"] {
        let endless = move |_: &str| Reply(head.into(), Then::Repeat(b"xxxxxxxxxx", Duration::ZERO));
        assert_eq!(fetch_from(endless).await, Err(FetchError::TooLarge));
        let ended = move |_: &str| reply(format!("{head}{}", "x".repeat(1000)));
        assert_eq!(fetch_from(ended).await.map(|file| file.len()), Ok(1000));
    }
    let chunked = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
    let endless = move |_: &str| Reply(chunked.into(), Then::Repeat(b"a\r\nxxxxxxxxxx\r\n", Duration::ZERO));
    assert_eq!(fetch_from(endless).await, Err(FetchError::TooLarge));
    let whole = move |_: &str| reply(format!("{chunked}2\r\nfi\r\n2;a=b\r\nle\r\n0\r\nx-trailer: y\r\n\r\n"));
    assert_eq!(fetch_from(whole).await.as_deref(), Ok(&b"file"[..]));
}

fn head_of(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_wrong_length_is_no_file() {
    let cut = |_: &str| reply("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfile");
    assert_eq!(fetch_from(cut).await, Err(FetchError::NoHttp));
    let chunks = |end: &'static str| {
        move |_: &str| {
            reply(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfile\r\n{end}"))
        }
    };
    for end in ["", "0", "0\r\n", "zz\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "8\r\nfile"] {
        assert_eq!(fetch_from(chunks(end)).await, Err(FetchError::NoHttp), "{end:?}");
    }
    let two = |_: &str| reply("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nfile!");
    assert_eq!(fetch_from(two).await, Err(FetchError::NoHttp));
    // What follows belongs to nobody.
    let more = |_: &str| reply("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfile and more");
    assert_eq!(fetch_from(more).await.as_deref(), Ok(&b"file"[..]));
}

#[tokio::test]
async fn what_is_no_http_is_no_file() {
    for text in [
        "",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "file",
        "HTTP/0.9 200\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let result = fetch_from(move |_| reply(text)).await;
        assert!(matches!(result, Err(FetchError::NoHttp | FetchError::Status(101))), "{text:?}: {result:?}");
    }
    let early =
        |_: &str| reply("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfile");
    assert!(fetch_from(early).await.is_ok());
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let begin = || b"HTTP/1.1 200 OK\r\n".to_vec();
    let script = move |_: &str| Reply(begin(), Then::Repeat(&[b'x'; 4096], Duration::ZERO));
    assert_eq!(fetch_from(script).await, Err(FetchError::NoHttp));
    let lines = "a: b\r\n".repeat(1000).leak().as_bytes();
    let script = move |_: &str| Reply(begin(), Then::Repeat(lines, Duration::ZERO));
    assert_eq!(fetch_from(script).await, Err(FetchError::NoHttp));
}

#[tokio::test]
async fn time_is_limited_in_all() {
    let pause = Duration::from_millis(20);
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let scripts: [fn(Duration) -> Reply; 6] = [
        |_| Reply(Vec::new(), Then::Stay),
        |_| Reply(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfil".into(), Then::Stay),
        |pause| Reply(CHUNKED.into(), Then::Repeat(b"1\r\nx\r\n", pause)),
        |pause| Reply(b"HTTP/1.1 200 OK\r\nx: ".into(), Then::Repeat(b"y", pause)),
        |_| Reply(Vec::new(), Then::Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", Duration::ZERO)),
        // Each redirect is quick, and all of them take too long.
        |pause| {
            std::thread::sleep(pause * 4);
            redirect("/next")
        },
    ];
    for (place, script) in scripts.into_iter().enumerate() {
        let origin = Origin::start(move |_| script(pause)).await;
        let wait = Duration::from_millis(200);
        let fetcher = TestFetcher::with(&origin, |fetcher| fetcher.limits.fetch_wait = wait);
        let begun = Instant::now();
        assert_eq!(fetcher.fetch("http://origin.example/").await, Err(FetchError::TimedOut), "{place}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{place}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn nothing_is_unpacked() {
    // Ten gigabytes of zeros, as far as its maker is concerned.
    let bomb = |header: &'static str| {
        move |_: &str| {
            reply(format!("HTTP/1.1 200 OK\r\n{header}\r\ncontent-length: 4\r\n\r\n\x1f\x0b\x08\0"))
        }
    };
    for header in ["content-encoding: gzip", "content-encoding: identity, br", "content-encoding:"] {
        assert_eq!(fetch_from(bomb(header)).await, Err(FetchError::Encoded), "{header}");
    }
    assert_eq!(fetch_from(bomb("content-encoding: Identity")).await.map(|file| file.len()), Ok(4));
    let transfer = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x0b\r\n0\r\n\r\n";
    assert_eq!(fetch_from(move |_| reply(transfer)).await.as_deref(), Ok(&b"\x1f\x0b"[..]));
}

#[tokio::test]
async fn the_operator_may_allow_networks_and_allows_no_more() {
    let origin = Origin::start(|_| file()).await;
    let allowed = ["127.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap());
    let fetcher = TestFetcher::with(&origin, |fetcher| fetcher.allowed = allowed.to_vec());
    for host in ["127.0.0.1", "localhost:8080", "[fd00::1]"] {
        assert!(fetcher.fetch(&format!("http://{host}/")).await.is_ok(), "{host}");
    }
    assert_eq!(fetcher.called(), ["127.0.0.1:80", "127.0.0.1:8080", "[fd00::1]:80"]);
    for host in ["[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "[64:ff9b::7f00:1]"] {
        assert_eq!(fetcher.fetch(&format!("http://{host}/")).await, Err(FetchError::Refused), "{host}");
    }
    assert_eq!(fetcher.called().len(), 3);
}

#[tokio::test]
async fn a_host_that_does_not_listen_is_told_apart_from_one_that_must_not_be_called() {
    let origin = Origin::start(|_| file()).await;
    let result = TestFetcher::new(&origin).fetch("http://origin.example:9/").await;
    assert_eq!(result, Err(FetchError::NotConnected));
}

#[tokio::test]
async fn an_address_that_swallows_connections_leaves_time_for_the_next() {
    let origin = Origin::start(|_| file()).await;
    let wait = Duration::from_millis(800);
    let fetcher = TestFetcher::with(&origin, |fetcher| fetcher.limits.fetch_wait = wait);
    assert!(fetcher.fetch("http://half.example/").await.is_ok());
    assert_eq!(fetcher.called(), ["[2606:4700::1]:80", "93.184.216.34:80"]);
    assert_eq!(fetcher.fetch("http://swallowed.example/").await, Err(FetchError::NotConnected));
}

/// The bytes of a file that is kept for such tests.
macro_rules! certificates {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/certificates/", $name))
    };
}

/// An origin over TLS that proves to be `origin.example` and [`PUBLIC`], to whoever trusts the tests' authority.
async fn secure_origin(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Origin {
    let chain = vec![CertificateDer::from_pem_slice(certificates!("origin.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificates!("origin-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    Origin::start_with(Arc::new(script), Some(TlsAcceptor::from(Arc::new(config)))).await
}

fn trusting(fetcher: &mut Fetcher) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates!("authority.pem")).unwrap()).unwrap();
    fetcher.tls = Tls::trusting(roots);
}

#[tokio::test]
async fn tls_is_for_those_who_prove_who_they_are() {
    let origin = secure_origin(|_| file()).await;
    let fetcher = TestFetcher::with(&origin, trusting);
    for host in ["origin.example", "origin.example.", PUBLIC] {
        let fetched = fetcher.fetch(&format!("https://{host}/")).await;
        assert_eq!(fetched.as_deref(), Ok(&b"file"[..]), "{host}");
    }
    assert_eq!(fetcher.called(), ["93.184.216.34:443"; 3]);
    assert_eq!(fetcher.fetch("https://other.example/").await, Err(FetchError::NotTrusted));
    // Nobody vouches for it here.
    let empty = |fetcher: &mut Fetcher| fetcher.tls = Tls::trusting(RootCertStore::empty());
    let doubting = TestFetcher::with(&origin, empty);
    assert_eq!(doubting.fetch("https://origin.example/").await, Err(FetchError::NotTrusted));
    assert_eq!(origin.heads().len(), 3, "nothing is sent to whom it was not meant for");
}

#[tokio::test]
async fn tls_may_lead_to_plain_text_and_tells_it_no_secrets() {
    let origin = secure_origin(|_| redirect("http://origin.example/")).await;
    let fetcher = TestFetcher::with(&origin, trusting);
    // The origin speaks TLS on every port: the second request is not understood.
    assert_eq!(fetcher.fetch("https://me:word@origin.example/").await, Err(FetchError::NoHttp));
    assert_eq!(fetcher.called(), ["93.184.216.34:443", "93.184.216.34:80"]);
    assert_eq!(origin.heads().len(), 1);
}

#[tokio::test]
async fn what_an_origin_says_of_keeping_is_handed_on() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: \"a\"\r\ncache-control: max-age=5\r\n\r\nok";
    let origin = Origin::start(|_| Reply(answer.to_vec(), Then::Close)).await;
    let fetcher = TestFetcher::new(&origin);
    let url = SourceUrl::parse("http://origin.example/").unwrap();
    let fetched = fetcher.fetcher.fetch(&url, Errand::transformation(10)).await.unwrap();
    let expected = Fetched {
        bytes: "ok".into(),
        cache_control: Some("max-age=5".to_owned()),
        etag: Some("\"a\"".to_owned()),
    };
    assert_eq!(fetched, expected);
    fetcher.fetcher.fetch(&url, Errand::upload(10)).await.unwrap();
    let told: Vec<bool> =
        origin.heads().iter().map(|head| head.contains("via: 1.1 darkroom (image-resizing)")).collect();
    assert_eq!(told, [true, false]);
}
