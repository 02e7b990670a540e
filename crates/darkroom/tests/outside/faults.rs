//! Faults on request: what an application's retries meet.

use std::time::{Duration, Instant};

use darkroom::dev::{ACCOUNT_HASH, ACCOUNT_ID};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::common::client::{Request, read_answer, read_to_end};
use super::dev::Dev;

/// Sends a request, and returns what comes until the connection ends, which may be with an error.
async fn raw(dev: &Dev, request: Request) -> Vec<u8> {
    let mut stream = TcpStream::connect(dev.address()).await.unwrap();
    stream.write_all(&request.bytes()).await.unwrap();
    let mut received = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut received);
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the connection ends");
    received
}

#[tokio::test]
async fn a_refusal_has_the_form_of_its_place() {
    let dev = Dev::start().await;
    let check = async |fault, request: Request, status, expected: &str| {
        dev.told("faults", fault).await;
        let answer = request.send().await;
        assert_eq!((answer.status, answer.text().as_str()), (status, expected));
        answer
    };
    let envelope = |code: u32, message: &str| {
        format!(
            r#"{{"result":null,"success":false,"errors":[{{"code":{code},"message":"{message}"}}],"messages":[]}}"#
        )
    };
    let limited = envelope(10429, "Rate limited. Please wait and consider throttling your request speed");
    let answer = check(json!({ "status": 429 }), dev.upload(), 429, &limited).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("ratelimit"), Some("\"default\";r=0;t=1"));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=1200;w=300"));
    let longer = json!({ "status": 429, "retry_after_seconds": 7 });
    assert_eq!(check(longer, dev.upload(), 429, &limited).await.header("retry-after"), Some("7"));

    check(json!({ "status": 500 }), dev.upload(), 500, &envelope(5500, "Internal error")).await;
    check(json!({ "status": 404 }), dev.upload(), 404, &envelope(5404, "Image not found")).await;
    check(json!({ "status": 418 }), dev.upload(), 418, &envelope(5400, "Fault on request")).await;
    check(json!({ "status": 502 }), dev.upload(), 502, &envelope(5500, "Fault on request")).await;
    let own = json!({ "status": 403, "code": 9109, "message": "No" });
    check(own, dev.upload(), 403, &envelope(9109, "No")).await;
    let batch = dev.request("GET", "/batch/images/v2");
    check(json!({ "status": 500 }), batch, 500, &envelope(5500, "Internal error")).await;

    let image = format!("/{ACCOUNT_HASH}/any/public");
    let fault = "ERROR 9523: Could not resize the image: internal error while processing the image";
    let answer = check(json!({ "status": 500 }), dev.request("GET", &image), 500, fault).await;
    assert_eq!(answer.header("cf-images"), Some("err=9523"));
    let upload_host = dev.request("POST", &format!("/upload/{ACCOUNT_HASH}/any"));
    let plain = "ERROR 10429: Rate limited. Please wait and consider throttling your request speed";
    // A browser shows a page's script an answer that allows it, and nothing else.
    let answer = check(json!({ "status": 429 }), upload_host, 429, plain).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));

    // Nothing was done, and nothing waits any more.
    assert!(dev.images().await.is_empty());
    assert_eq!(dev.dev("GET", "faults").send().await.result(), json!({ "faults": [] }));
}

#[tokio::test]
async fn a_fault_meets_the_calls_that_it_names_and_no_others() {
    let dev = Dev::start().await;
    let fault = json!({ "status": 503, "method": "POST", "call": "upload_image", "times": 2 });
    assert_eq!(dev.told("faults", fault.clone()).await, fault);
    let below = json!({ "status": 500, "path": format!("/{ACCOUNT_HASH}/") });
    dev.told("faults", below).await;
    assert_eq!(dev.call("GET", "/images/v1/stats").send().await.status, 200);
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(dev.request("GET", path).send().await.status, 200, "{path}");
    }
    for expected in [503, 503, 200] {
        assert_eq!(dev.upload().send().await.status, expected);
    }
    assert_eq!(dev.request("GET", &format!("/{ACCOUNT_HASH}/a/public")).send().await.status, 500);

    // What a browser asks before it uploads is not the upload.
    let path = format!("/upload/{ACCOUNT_HASH}/a");
    dev.told("faults", json!({ "status": 500, "call": "direct_upload" })).await;
    assert_eq!(dev.request("OPTIONS", &path).send().await.status, 204);
    assert_eq!(dev.request("POST", &path).send().await.status, 500);
    dev.told("faults", json!({ "status": 500, "method": "OPTIONS" })).await;
    assert_eq!(dev.request("OPTIONS", &path).send().await.status, 500);

    dev.told("faults", json!({ "status": 500 })).await;
    dev.dev("DELETE", "faults").send().await.result();
    assert_eq!(dev.call("GET", "/images/v1/stats").send().await.status, 200);
}

#[tokio::test]
async fn a_connection_is_cut_off_where_it_was_asked_for() {
    let dev = Dev::start().await;
    for (place, done) in [("before_call", 0), ("before_answer", 1)] {
        dev.told("faults", json!({ "cut_off": place })).await;
        assert_eq!(String::from_utf8_lossy(&raw(&dev, dev.upload()).await), "", "{place}");
        assert_eq!(dev.images().await.len(), done, "{place}");
    }
    let stats = || dev.call("GET", "/images/v1/stats");
    let whole = stats().send().await;
    dev.told("faults", json!({ "cut_off": "in_answer" })).await;
    let received = String::from_utf8(raw(&dev, stats()).await).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", whole.body.len())), "{head}");
    assert_eq!(body, &whole.text()[..whole.body.len() / 2]);

    let recent = dev.dev("GET", "requests").send().await.result();
    assert_eq!(recent["requests"][0]["status"], json!(null));
    assert_eq!(recent["requests"][0]["fault"], true);
}

#[tokio::test]
async fn a_late_answer_is_the_normal_one() {
    let dev = Dev::start().await;
    dev.told("faults", json!({ "delay_ms": 300 })).await;
    let began = Instant::now();
    dev.upload().send().await.result();
    assert!(began.elapsed() >= Duration::from_millis(300));

    // The call is made at once: whoever gives up has changed something all the same.
    dev.told("faults", json!({ "delay_ms": 120_000 })).await;
    let mut stream = TcpStream::connect(dev.address()).await.unwrap();
    stream.write_all(&dev.upload().bytes()).await.unwrap();
    while dev.images().await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    dev.told("faults", json!({ "delay_ms": 50, "status": 500 })).await;
    assert_eq!(dev.upload().send().await.status, 500);
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_unless_a_body_was_not_read() {
    let dev = Dev::start().await;
    dev.told("faults", json!({ "status": 500, "times": 2 })).await;
    let mut stream = TcpStream::connect(dev.address()).await.unwrap();
    let stats = dev.call("GET", "/images/v1/stats").header("connection", "keep-alive");
    for expected in [500, 200] {
        if expected == 200 {
            dev.dev("DELETE", "faults").send().await.result();
        }
        stream.write_all(&stats.bytes()).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, expected);
    }
    dev.told("faults", json!({ "status": 500 })).await;
    stream.write_all(&dev.upload().header("connection", "keep-alive").bytes()).await.unwrap();
    let answer = super::common::client::Answer::parse(&read_to_end(&mut stream).await);
    assert_eq!((answer.status, answer.header("connection")), (500, Some("close")));
}

#[tokio::test]
async fn faults_asked_for_wrongly_are_refused_with_their_field() {
    let dev = Dev::start().await;
    let known = "expected one of before_call, before_answer, in_answer";
    for (body, expected) in [
        ("{}", "expected at least one of status, delay_ms, cut_off".to_owned()),
        (r#"{"times":3}"#, "expected at least one of status, delay_ms, cut_off".to_owned()),
        (r#"{"status":200}"#, "status: expected an integer from 400 to 599".to_owned()),
        (r#"{"status":"500"}"#, "status: expected an integer from 400 to 599".to_owned()),
        (r#"{"status":500,"times":0}"#, "times: expected an integer from 1 to 1000".to_owned()),
        (r#"{"status":500,"times":1001}"#, "times: expected an integer from 1 to 1000".to_owned()),
        (r#"{"delay_ms":120001}"#, "delay_ms: expected an integer from 1 to 120000".to_owned()),
        (r#"{"cut_off":"soon"}"#, format!("cut_off: {known}")),
        (r#"{"cut_off":5}"#, format!("cut_off: {known}")),
        (r#"{"cut_off":"in_answer","status":500}"#, "cut_off: expected without status: nobody would see it".to_owned()),
        (r#"{"cut_off":"in_answer","code":5}"#, "code: expected together with status".to_owned()),
        (r#"{"delay_ms":5,"retry_after_seconds":1}"#, "retry_after_seconds: expected together with status".to_owned()),
        (r#"{"status":500,"path":"images"}"#, "path: expected the beginning of a path, such as /client/v4/accounts/".to_owned()),
        (r#"{"status":500,"method":"post"}"#, "method: expected one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned()),
        (r#"{"statsu":500}"#, "statsu: unknown field, expected one of method, path, call, times, status, code, message, retry_after_seconds, delay_ms, cut_off".to_owned()),
    ] {
        let refusal = dev.dev("POST", "faults").json(body).send().await.refusal(400, 5400);
        assert_eq!(refusal["message"], format!("Invalid request body: {expected}"), "{body}");
    }
    let refusal = dev.dev("POST", "faults").json(r#"{"status":500,"call":"upload"}"#).send().await;
    let message = refusal.refusal(400, 5400)["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Invalid request body: call: expected one of verify_token"), "{message}");
    assert!(message.contains("upload_image") && message.ends_with("deliver, transform"), "{message}");
    for _ in 0..100 {
        dev.told("faults", json!({ "status": 500 })).await;
    }
    let refusal = dev.dev("POST", "faults").json(r#"{"status":500}"#).send().await.refusal(400, 5400);
    assert_eq!(refusal["message"], "Too many faults: at most 100 may wait at the same time");
    let path = format!("/client/v4/accounts/{ACCOUNT_ID}/images/v2");
    assert_eq!(dev.request("GET", &path).send().await.status, 500);
}
