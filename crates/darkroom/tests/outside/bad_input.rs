//! What goes wrong around a server: two at once, clocks that are set back, things deleted while they are in use.
//! What is wrong with a single request is tested with its call.

use std::process::Stdio;
use std::time::{Duration, Instant};

use darkroom_model::{AccountId, SigningKeyName, Timestamp, signature};
use serde_json::{Value, json};

use super::common::client::{Answer, Form};
use super::common::{ACCOUNT, HASH, TestServer, pictures};
use super::first_start::command;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

async fn send_file(server: &TestServer, path: &str) -> Answer {
    server.request("POST", path).form(&Form::default().file("tiny.png", pictures::PNG)).send().await
}

async fn draft(server: &TestServer, body: Value) -> String {
    let answer =
        server.call("POST", "/images/v2/direct_upload").json(&body.to_string()).send().await.result();
    format!("/upload/{HASH}/{}", answer["id"].as_str().unwrap())
}

#[tokio::test]
async fn of_clients_with_one_upload_url_at_the_same_moment_one_succeeds() {
    let server = TestServer::start_on_disk().await;
    for round in 0..5 {
        let path = draft(&server, json!({ "id": format!("draft-{round}") })).await;
        let answers = futures_util::future::join_all((0..6).map(|_| send_file(&server, &path))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
    }
    let stats = server.call("GET", "/images/v1/stats").send().await.result();
    assert_eq!(stats["count"]["current"], 5);
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_no_order_and_ends_nothing_early() {
    let server = TestServer::start_on_disk().await;
    server.clock.set(at("2026-01-02T00:00:00.000Z"));
    server.uploaded(&[("id", "first")]).await;
    let path = draft(&server, json!({"id": "draft", "expiry": "2026-01-02T00:10:00Z"})).await;
    let batch = server.call("GET", "/images/v1/batch_token").send().await.result();

    server.clock.set(at("2026-01-01T00:00:00.000Z"));
    server.uploaded(&[("id", "second")]).await;
    server.clock.set(at("2026-01-02T00:00:00.001Z"));
    server.uploaded(&[("id", "third")]).await;
    let page = server.call("GET", "/images/v2?sort_order=asc").send().await.result();
    let told: Vec<_> =
        page["images"].as_array().unwrap().iter().map(|image| (&image["id"], &image["uploaded"])).collect();
    let earlier = &json!("2026-01-02T00:00:00.000Z");
    assert_eq!(told[..2], [(&json!("first"), earlier), (&json!("second"), earlier)]);
    assert_eq!(told[2], (&json!("third"), &json!("2026-01-02T00:00:00.001Z")));

    // What has an end has it by the clock as it is read; before it, everything holds.
    server.clock.set(at("2025-12-31T00:00:00.000Z"));
    let list = server.request("GET", "/batch/images/v2").token(batch["token"].as_str().unwrap());
    assert_eq!(list.send().await.result()["images"].as_array().map(Vec::len), Some(3));
    send_file(&server, &path).await.result();
    let ids = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(ids["images"][0]["id"], "draft", "what came last is the newest");
}

#[tokio::test]
async fn a_variant_and_a_key_in_use_can_be_deleted_and_open_nothing_from_then_on() {
    let server = TestServer::start_on_disk().await;
    let variant =
        json!({ "id": "hero", "options": {"width": 5}, "neverRequireSignedURLs": true }).to_string();
    server.call("POST", "/images/v1/variants").json(&variant).send().await.result();
    let id = server.uploaded(&[("requireSignedURLs", "true")]).await;
    let hero = server.request("GET", &format!("/{HASH}/{id}/hero"));
    assert_eq!(hero.send().await.status, 200);
    server.call("DELETE", "/images/v1/variants/hero").send().await.result();
    assert_eq!(hero.send().await.header("cf-images"), Some("err=9425"));
    let details = server.call("GET", &format!("/images/v1/{id}")).send().await.result();
    assert_eq!(details["variants"].as_array().map(Vec::len), Some(1));

    // The last key is replaced, and what it had signed opens nothing.
    let account = AccountId::parse(ACCOUNT).unwrap();
    let settings = server.service().account_settings(&account).await.unwrap();
    let (name, key) = settings.signing_keys().next().unwrap();
    assert_eq!((name, settings.signing_keys().len()), (&SigningKeyName::default_key(), 1));
    let path = format!("/{HASH}/{id}/public");
    let signed = server.request("GET", &format!("{path}?sig={}", signature::sign(key, &path)));
    assert_eq!(signed.send().await.status, 200);
    let left = server.call("DELETE", "/images/v1/keys/default").send().await.result();
    assert_eq!(left["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(signed.send().await.status, 403);
}

#[test]
fn of_servers_started_at_the_same_moment_on_one_folder_one_serves() {
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            let mut command = command(folder.path(), &["--listen", "127.0.0.1:0"], &[]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut servers = [start(), start(), start()];
        let began = Instant::now();
        let running = loop {
            let running =
                servers.iter_mut().map(|server| usize::from(server.try_wait().unwrap().is_none())).sum();
            if running <= 1 || began.elapsed() > Duration::from_secs(20) {
                break running;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // The one that is left goes on: it was not only the last to fail.
        std::thread::sleep(Duration::from_millis(100));
        let mut refused = 0;
        for mut server in servers {
            let ended = server.try_wait().unwrap();
            let _ = server.kill();
            let output = server.wait_with_output().unwrap();
            let Some(status) = ended else { continue };
            let words = String::from_utf8(output.stderr).unwrap();
            assert_eq!(status.code(), Some(1), "{words}");
            assert!(words.contains("in use") && words.lines().count() == 1, "{words}");
            refused += 1;
        }
        assert_eq!((running, refused), (1, 2));
    }
}
