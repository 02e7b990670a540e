//! How often someone may call (reference: api §1.5).

use std::time::Duration;

use darkroom::settings::{CatalogEngine, Rate, Settings};
use darkroom_model::Network;

use super::common::client::Answer;
use super::common::{HASH, READ_TOKEN, TestServer};

async fn start_with(change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::start_with(CatalogEngine::Memory, change).await
}

fn rate(requests: u32, seconds: u64) -> Option<Rate> {
    Some(Rate { requests, window: Duration::from_secs(seconds) })
}

/// Asserts that this is a refusal of someone who called too often, and returns after how many seconds to call again.
#[track_caller]
fn check_refused(answer: &Answer) -> u64 {
    answer.refusal(429, 10429);
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn without_a_rate_nothing_is_counted() {
    let server = TestServer::start().await;
    for _ in 0..20 {
        let answer = server.call("GET", "/images/v2").send().await;
        answer.result();
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
    }
}

#[tokio::test]
async fn a_token_that_calls_too_often_waits_and_no_other_does() {
    let server = start_with(|settings| settings.token_rate = rate(2, 300)).await;
    let list = server.call("GET", "/images/v2");
    for remaining in [1, 0] {
        let answer = list.send().await;
        answer.result();
        let told = answer.header("ratelimit").unwrap();
        assert!(told.starts_with(&format!("\"default\";r={remaining};t=")), "{told}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=2;w=300"));
    }
    let refused = list.send().await;
    assert!((290..=300).contains(&check_refused(&refused)));
    assert!(refused.header("ratelimit").unwrap().starts_with("\"default\";r=0;t="));
    check_refused(
        &server.request("GET", "/client/v4/user/tokens/verify").token(super::common::TOKEN).send().await,
    );
    list.clone().token(READ_TOKEN).send().await.result();
    // Who is not known is told only that, and counts for nobody.
    list.clone().token("a-token-of-nobody").send().await.refusal(403, 9109);
}

#[tokio::test]
async fn a_window_ends() {
    let server = start_with(|settings| settings.token_rate = rate(1, 1)).await;
    let list = server.call("GET", "/images/v2");
    list.send().await.result();
    assert_eq!(check_refused(&list.send().await), 1);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    list.send().await.result();
}

#[tokio::test]
async fn an_address_is_counted_whatever_it_shows() {
    let server = start_with(|settings| {
        settings.address_rate = rate(2, 300);
        settings.trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()];
    });
    let server = server.await;
    let list = |client: &str| server.call("GET", "/images/v2").header("x-forwarded-for", client);
    list("192.0.2.1").token("a-token-of-nobody").send().await.refusal(403, 9109);
    let answer = list("192.0.2.1").send().await;
    assert!(answer.header("ratelimit").unwrap().starts_with("\"address\";r=0;t="));
    check_refused(&list("192.0.2.1").send().await);
    // What it adds before what the proxy says does not help it.
    check_refused(&list("198.51.100.7, 192.0.2.1").send().await);
    let upload_host =
        server.request("POST", &format!("/upload/{HASH}/a")).header("x-forwarded-for", "192.0.2.1");
    let answer = upload_host.send().await;
    assert_eq!((answer.status, answer.text().starts_with("ERROR 10429: ")), (429, true));
    list("192.0.2.2").send().await.result();
    // Pictures are for everyone, and a page has many.
    for _ in 0..5 {
        let path = format!("/{HASH}/nothing/public");
        let answer = server.request("GET", &path).header("x-forwarded-for", "192.0.2.1").send().await;
        assert_eq!((answer.status, answer.header("ratelimit")), (404, None));
    }
}

#[tokio::test]
async fn both_rates_are_told() {
    let server = start_with(|settings| {
        settings.token_rate = rate(9, 60);
        settings.address_rate = rate(5, 1);
    });
    let answer = server.await.call("GET", "/images/v2").send().await;
    assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=9;w=60, \"address\";q=5;w=1"));
}
