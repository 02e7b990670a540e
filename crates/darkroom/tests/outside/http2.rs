//! Cleartext HTTP/2 with prior knowledge, beside HTTP/1.1 on the same port.

use std::time::Duration;

use bytes::Bytes;
use darkroom::settings::{CatalogEngine, Settings};
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::common::client::Form;
use super::common::{ACCOUNT, HASH, TOKEN, TestServer, pictures};

/// A client of one connection.
struct Client {
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A whole answer.
struct Answer {
    head: Response<()>,
    body: Vec<u8>,
}

impl Client {
    async fn connect(server: &TestServer) -> Client {
        Client::connect_with(server, &mut h2::client::Builder::new()).await
    }

    async fn connect_with(server: &TestServer, builder: &mut h2::client::Builder) -> Client {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Client { requests, connection: tokio::spawn(connection) }
    }

    /// Begins a request; its body is still to be sent unless it ends with its head.
    async fn begin(
        &self,
        request: Request<()>,
        ends: bool,
    ) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
        let mut requests = self.requests.clone().ready().await.unwrap();
        requests.send_request(request, ends).unwrap()
    }

    async fn send(&self, request: Request<()>, body: &[u8]) -> Result<Answer, h2::Error> {
        let (response, mut stream) = self.begin(request, body.is_empty()).await;
        if !body.is_empty() {
            send_all(&mut stream, body).await;
        }
        read(response.await?).await
    }

    /// Waits until the server has ended the connection.
    async fn ended(self) {
        drop(self.requests);
        let _ = tokio::time::timeout(Duration::from_secs(20), self.connection).await.expect("it ends");
    }
}

/// Sends a body as fast as the server takes it; returns how much of it the server took before it reset the stream.
async fn send_all(stream: &mut SendStream<Bytes>, mut body: &[u8]) -> usize {
    let whole = body.len();
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(Ok(room)) = std::future::poll_fn(|context| stream.poll_capacity(context)).await else {
            return whole - body.len();
        };
        let (piece, rest) = body.split_at(room.min(body.len()));
        stream.send_data(Bytes::copy_from_slice(piece), rest.is_empty()).unwrap();
        body = rest;
    }
    whole
}

async fn read(response: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        let _ = stream.flow_control().release_capacity(piece.len());
        body.extend_from_slice(&piece);
    }
    Ok(Answer { head: Response::from_parts(head, ()), body })
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://img.example.com{path}"))
}

fn call(method: &str, path: &str) -> http::request::Builder {
    let path = format!("/client/v4/accounts/{ACCOUNT}{path}");
    request(method, &path).header("authorization", format!("Bearer {TOKEN}"))
}

fn upload() -> Request<()> {
    let boundary = "multipart/form-data; boundary=----darkroom-test-boundary";
    call("POST", "/images/v1").header("content-type", boundary).body(()).unwrap()
}

impl Answer {
    #[track_caller]
    fn result(&self) -> serde_json::Value {
        assert_eq!(self.head.status(), 200, "{}", String::from_utf8_lossy(&self.body));
        let mut json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["result"].take()
    }
}

async fn start_with(change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::start_with(CatalogEngine::Memory, change).await
}

#[tokio::test]
async fn everything_is_as_over_http_1() {
    let server = TestServer::start_on_disk().await;
    let client = Client::connect(&server).await;
    let large = pictures::png_of_bytes(3 << 20);
    let form = Form::default().field("id", "a/b").file("a.png", &large).body();
    let image = client.send(upload(), &form).await.unwrap().result();
    assert_eq!(image["variants"][0], format!("http://img.example.com/{HASH}/a/b/public"));
    let details = client.send(call("GET", "/images/v1/a%2Fb").body(()).unwrap(), b"").await.unwrap();
    assert_eq!(details.result(), image);
    assert_eq!(details.head.version(), http::Version::HTTP_2);
    let list = client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap();
    assert_eq!(list.result()["images"][0], image);
    let blob = client.send(call("GET", "/images/v1/a%2Fb/blob").body(()).unwrap(), b"").await.unwrap();
    assert!(blob.body == large);
    let edit = call("PATCH", "/images/v1/a%2Fb").header("content-type", "application/json").body(()).unwrap();
    let edited = client.send(edit, br#"{"metadata":{"x":1}}"#).await.unwrap().result();
    assert_eq!(edited["meta"]["x"], 1);
    let head =
        client.send(request("HEAD", &format!("/{HASH}/a/b/public")).body(()).unwrap(), b"").await.unwrap();
    assert_eq!((head.head.status().as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.head.headers()["content-type"], "image/png");
    assert_ne!(head.head.headers()["content-length"], "0");
    let gone = client.send(call("DELETE", "/images/v1/a%2Fb").body(()).unwrap(), b"").await.unwrap();
    assert_eq!(gone.result(), serde_json::json!({}));
    // A refusal that leaves a body unread costs its own stream and no other.
    let refused = call("POST", "/images/v1").header("content-type", "image/png").body(()).unwrap();
    assert_eq!(client.send(refused, &large).await.unwrap().head.status(), 415);
    client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
}

/// Sends all of a body without a look at what comes back, as some clients do; then reads the answer.
async fn insist(client: &Client, request: Request<()>, body: &[u8]) -> Answer {
    let (response, mut stream) = client.begin(request, false).await;
    assert_eq!(send_all(&mut stream, body).await, body.len(), "the stream was reset");
    read(response.await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_refusal_reaches_who_sends_the_whole_body_first() {
    let server = TestServer::start().await;
    let full =
        TestServer::start_with(CatalogEngine::Lmdb, |settings| settings.limits.min_free_bytes = u64::MAX)
            .await;
    let (client, of_full) = (Client::connect(&server).await, Client::connect(&full).await);
    let body = Form::default().file("a.png", &pictures::png_of_bytes(5 << 20)).body();
    let wrong_token = {
        let mut request = upload();
        request.headers_mut().insert("authorization", "Bearer wrong-token".parse().unwrap());
        request
    };
    let wrong_type = call("POST", "/images/v1").header("content-type", "image/png").body(()).unwrap();
    let json = call("PATCH", "/images/v1/a").header("content-type", "application/json").body(()).unwrap();
    for (client, request, status) in [
        (&client, wrong_token, 403),
        (&client, wrong_type, 415),
        (&client, json, 413),
        (&of_full, upload(), 507),
    ] {
        // Other requests of the connection go on meanwhile.
        let list = async {
            let list = call("GET", "/images/v2").body(()).unwrap();
            client.send(list, b"").await.unwrap().result()
        };
        let (answer, _) = tokio::join!(insist(client, request, &body), list);
        assert_eq!(answer.head.status(), status);
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(json["success"], false, "{status}");
    }
}

#[tokio::test]
async fn who_sends_without_end_after_a_refusal_is_cut_off() {
    let server = TestServer::start().await;
    let client = Client::connect(&server).await;
    let refused = call("POST", "/images/v1").header("content-type", "image/png").body(()).unwrap();
    let (response, mut stream) = client.begin(refused, false).await;
    let taken = send_all(&mut stream, &vec![b'x'; 80 << 20]).await;
    assert!((64 << 20..68 << 20).contains(&taken), "{taken} bytes were taken");
    // Which is no failure of the request (RFC 9113 §8.1).
    let reset = std::future::poll_fn(|context| stream.poll_reset(context)).await.unwrap();
    assert_eq!(reset, Reason::NO_ERROR);
    assert_eq!(read(response.await.unwrap()).await.unwrap().head.status(), 415);
    client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
}

#[tokio::test]
async fn who_stops_sending_after_a_refusal_holds_a_place_for_a_while_only() {
    let server = start_with(|settings| settings.limits.connections_max = 1).await;
    let client = Client::connect(&server).await;
    let refused = call("POST", "/images/v1").header("content-type", "image/png").body(()).unwrap();
    let (response, mut stream) = client.begin(refused, false).await;
    stream.send_data(Bytes::from_static(b"x"), false).unwrap();
    assert_eq!(read(response.await.unwrap()).await.unwrap().head.status(), 415);
    let next = client.send(call("GET", "/images/v2").body(()).unwrap(), b"");
    let next = tokio::time::timeout(Duration::from_secs(20), next).await.expect("its place is free");
    next.unwrap().result();
    let reset = std::future::poll_fn(|context| stream.poll_reset(context)).await.unwrap();
    assert_eq!(reset, Reason::NO_ERROR);
}

#[tokio::test]
async fn requests_of_one_connection_are_answered_side_by_side_up_to_a_number() {
    let server = start_with(|settings| settings.limits.streams_max = 3).await;
    let client = Client::connect(&server).await;
    let form = Form::default().file("a.png", pictures::PNG).body();
    let mut begun = Vec::new();
    for _ in 0..2 {
        let (response, mut stream) = client.begin(upload(), false).await;
        stream.send_data(Bytes::copy_from_slice(&form[..50]), false).unwrap();
        begun.push((response, stream));
    }
    client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
    assert_eq!(client.requests.current_max_send_streams(), 3);
    for (response, mut stream) in begun {
        stream.send_data(Bytes::copy_from_slice(&form[50..]), true).unwrap();
        read(response.await.unwrap()).await.unwrap().result();
    }
}

#[tokio::test]
async fn requests_of_all_connections_are_no_more_than_connections_may_be() {
    let server = start_with(|settings| settings.limits.connections_max = 2).await;
    let client = Client::connect(&server).await;
    let form = Form::default().file("a.png", pictures::PNG).body();
    let mut begun = Vec::new();
    for _ in 0..2 {
        begun.push(client.begin(upload(), false).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (third, _stream) = client.begin(call("GET", "/images/v2").body(()).unwrap(), true).await;
    let third = tokio::spawn(third);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!third.is_finished());
    for (response, mut stream) in begun {
        stream.send_data(Bytes::copy_from_slice(&form), true).unwrap();
        read(response.await.unwrap()).await.unwrap().result();
    }
    assert_eq!(third.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let server = TestServer::start().await;
    let client = Client::connect(&server).await;
    let with =
        |bytes: usize| call("GET", "/images/v2").header("x-filler", "x".repeat(bytes)).body(()).unwrap();
    client.send(with(60_000), b"").await.unwrap().result();
    match client.send(with(70_000), b"").await {
        Ok(answer) => assert_eq!(answer.head.status(), 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_io(), "{error}"),
    }
    let other = Client::connect(&server).await;
    other.send(with(1), b"").await.unwrap().result();
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_ended() {
    let server = start_with(|settings| settings.limits.head_wait = Duration::from_millis(100)).await;
    let client = Client::connect(&server).await;
    client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
    let Client { requests, connection } = client;
    let ended = tokio::time::timeout(Duration::from_secs(20), connection).await;
    ended.expect("it ends").unwrap().unwrap();
    drop(requests);
}

#[tokio::test]
async fn a_request_in_progress_is_not_idleness() {
    let server = start_with(|settings| settings.limits.head_wait = Duration::from_millis(100)).await;
    let client = Client::connect(&server).await;
    let form = Form::default().file("a.png", pictures::PNG).body();
    let (response, mut stream) = client.begin(upload(), false).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.send_data(Bytes::copy_from_slice(&form), true).unwrap();
    read(response.await.unwrap()).await.unwrap().result();
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let server = start_with(|settings| settings.limits.body_wait = Duration::from_millis(100)).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin(upload(), false).await;
    stream.send_data(Bytes::from_static(b"------darkroom"), false).unwrap();
    assert_eq!(read(response.await.unwrap()).await.unwrap().head.status(), 408);
    client.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_not_waited_for() {
    let server = start_with(|settings| settings.limits.answer_wait = Duration::from_millis(200)).await;
    let form = Form::default().field("id", "large").file("a.png", &pictures::png_of_bytes(4 << 20));
    server.call("POST", "/images/v1").form(&form).send().await.result();
    // It has room for a little and makes no more; but it answers whatever else it is asked.
    let mut builder = h2::client::Builder::new();
    let client = Client::connect_with(&server, builder.initial_window_size(10_000)).await;
    let (response, _stream) =
        client.begin(call("GET", "/images/v1/large/blob").body(()).unwrap(), true).await;
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    client.ended().await;
    drop(response);
}

#[tokio::test]
async fn who_opens_and_resets_without_end_is_sent_away() {
    let server = TestServer::start().await;
    let client = Client::connect(&server).await;
    let mut sent_away = false;
    for _ in 0..20_000 {
        let Ok(mut requests) = client.requests.clone().ready().await else {
            sent_away = true;
            break;
        };
        let Ok((_, mut stream)) = requests.send_request(call("GET", "/images/v2").body(()).unwrap(), true)
        else {
            sent_away = true;
            break;
        };
        stream.send_reset(Reason::CANCEL);
    }
    // Either it was too fast, or each request was looked at in time; the server goes on in both cases.
    if sent_away {
        client.ended().await;
    }
    server.call("GET", "/images/v2").send().await.result();
}

#[tokio::test]
async fn stopping_finishes_what_was_begun() {
    let server = TestServer::start_on_disk().await;
    let (idle, client) = (Client::connect(&server).await, Client::connect(&server).await);
    idle.send(call("GET", "/images/v2").body(()).unwrap(), b"").await.unwrap().result();
    let form = Form::default().file("a.png", pictures::PNG).body();
    let (response, mut stream) = client.begin(upload(), false).await;
    stream.send_data(Bytes::copy_from_slice(&form[..50]), false).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let rest = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.send_data(Bytes::copy_from_slice(&form[50..]), true).unwrap();
        let answer = read(response.await.unwrap()).await.unwrap();
        idle.ended().await;
        answer
    };
    let (cut_off, answer) = tokio::join!(server.stop(), rest);
    answer.result();
    assert_eq!(cut_off, 0);
}
