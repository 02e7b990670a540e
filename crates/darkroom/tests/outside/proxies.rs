//! What stands between the server and its clients, and the door beside it.

use darkroom::settings::CatalogEngine;
use darkroom_model::Network;

use super::common::client::Request;
use super::common::{HASH, TestServer};

async fn start_trusting(networks: &[&str]) -> TestServer {
    let trusted = networks.iter().map(|network| Network::parse(network).unwrap()).collect();
    TestServer::start_with(CatalogEngine::Memory, |settings| settings.trusted_proxies = trusted).await
}

/// Returns the URL that an answer gives for the image `a`.
async fn url_in(request: Request) -> String {
    let forwarded = request
        .header("host", "inside:8080")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "img.example.com")
        .header("x-forwarded-for", "192.0.2.1");
    forwarded.send().await.result()["variants"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn urls_are_what_a_trusted_proxy_says_and_nobody_else() {
    for (trusted, expected) in [
        (&["127.0.0.0/8"][..], format!("https://img.example.com/{HASH}/a/public")),
        (&["10.0.0.0/8", "127.0.0.1"], format!("https://img.example.com/{HASH}/a/public")),
        (&["10.0.0.0/8"], format!("http://inside:8080/{HASH}/a/public")),
        (&[], format!("http://inside:8080/{HASH}/a/public")),
    ] {
        let server = start_trusting(trusted).await;
        server.uploaded(&[("id", "a")]).await;
        assert_eq!(url_in(server.call("GET", "/images/v1/a")).await, expected, "{trusted:?}");
    }
}

#[tokio::test]
async fn administration_has_an_entrance_of_its_own() {
    let admin = vec!["127.0.0.1:0".parse().unwrap()];
    let server =
        TestServer::start_with(CatalogEngine::Memory, |settings| settings.admin_listen = Some(admin)).await;
    server.uploaded(&[("id", "a")]).await;
    let status = async |address, path: &str| Request::new(address, "GET", path).send().await.status;
    let (public, admin) = (server.address, server.admin_address());
    let image = format!("/{HASH}/a/public");
    assert_eq!(status(admin, "/metrics").await, 200);
    assert_eq!(status(admin, "/health/live").await, 200);
    assert_eq!(status(admin, "/health/ready").await, 200);
    assert_eq!(status(admin, &image).await, 404);
    assert_eq!(status(admin, "/client/v4/user/tokens/verify").await, 404);
    assert_eq!(status(public, "/health/ready").await, 200);
    assert_eq!(status(public, &image).await, 200);
    assert_ne!(status(public, "/metrics").await, 200);
}

#[tokio::test]
async fn a_full_house_can_still_be_looked_at() {
    let admin = vec!["127.0.0.1:0".parse().unwrap()];
    let server = TestServer::start_with(CatalogEngine::Memory, |settings| {
        settings.admin_listen = Some(admin);
        settings.limits.connections_max = 1;
    });
    let server = server.await;
    let _guest = tokio::net::TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let answer = Request::new(server.admin_address(), "GET", "/metrics").send().await;
    assert!(answer.text().contains("darkroom_connections 2"), "{}", answer.text());
}

#[tokio::test]
async fn what_a_proxy_passes_on_does_not_see_the_metrics() {
    let server = TestServer::start().await;
    assert_eq!(server.request("GET", "/metrics").send().await.status, 200);
    for header in ["x-forwarded-for", "forwarded", "via"] {
        let answer = server.request("GET", "/metrics").header(header, "192.0.2.1").send().await;
        assert_ne!(answer.status, 200, "{header}");
    }
}
