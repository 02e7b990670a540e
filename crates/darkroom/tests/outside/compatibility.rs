//! `compatibility = strict | extended`: every limit that has a second default, in both modes, from outside.

use darkroom::settings::table::{SETTINGS, Setting};
use darkroom::settings::{CatalogEngine, Settings};
use darkroom_model::{AccountId, Compatibility, Timestamp, signature};
use serde_json::{Value, json};

use super::common::client::{Answer, Form};
use super::common::{ACCOUNT, HASH, TestServer, pictures};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md");
const UUID: &str = "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12";

/// These bound the memory of the server, which no single request shows.
const OF_THE_SERVER: [&str; 2] = ["fetches_max", "upload_memory_bytes_max"];

fn mode(mode: Compatibility) -> impl FnOnce(&mut Settings) {
    move |settings| (settings.compatibility, settings.limits) = (mode, mode.limits())
}

/// The settings that have a second default, with both.
fn second_defaults() -> impl Iterator<Item = (&'static Setting, &'static str)> {
    SETTINGS.iter().filter_map(|setting| Some((setting, setting.extended?)))
}

/// Reads a default as a number; a permission is 1.
fn number(text: &str) -> u64 {
    match text {
        "false" => 0,
        "true" => 1,
        text => text.parse().unwrap(),
    }
}

/// Asks for so much of what a setting limits. Returns the answer, and the code of its refusal.
async fn ask(server: &TestServer, key: &str, much: u64) -> (Answer, u32) {
    let count = much as usize;
    let upload = async |parts: &[(&str, &str)]| server.upload(parts).send().await;
    let list = async |query: String| server.call("GET", &format!("/images/v2?{query}")).send().await;
    match key {
        "filters_max" => {
            let filters = (0..count).map(|index| format!("meta.a{index}[eq]=1"));
            (list(filters.collect::<Vec<_>>().join("&")).await, 5400)
        }
        "list_values_max" => {
            let values: Vec<String> = (0..count).map(|value| value.to_string()).collect();
            (list(format!("meta.a[in]={}", values.join("|"))).await, 5400)
        }
        "metadata_bytes_max" => {
            let metadata = format!(r#"{{"a":"{}"}}"#, "x".repeat(count - 8));
            (upload(&[("metadata", &metadata)]).await, 5400)
        }
        "file_bytes_max" => {
            let form = Form::default().file("large.png", &pictures::png_of_bytes(count));
            (server.call("POST", "/images/v1").form(&form).send().await, 7011)
        }
        "parts_max" => (upload(&vec![("unknown", ""); count - 1]).await, 5400),
        "private_custom_ids" => {
            let private = if much == 1 { "true" } else { "false" };
            (upload(&[("id", "a/custom id"), ("requireSignedURLs", private)]).await, 5410)
        }
        "uuid_custom_ids" => (upload(&[("id", if much == 1 { UUID } else { "no-uuid" })]).await, 5411),
        "variants_max" => {
            let listed = server.call("GET", "/images/v1/variants").send().await.result();
            let there = listed["variants"].as_object().unwrap().len();
            let create = async |index: usize| {
                let body = format!(r#"{{"id":"v{index}","options":{{}}}}"#);
                server.call("POST", "/images/v1/variants").json(&body).send().await
            };
            for index in there..count - 1 {
                create(index).await.result();
            }
            (create(count - 1).await, 5400)
        }
        "draft_life_min_seconds" | "draft_life_max_seconds" => {
            let now = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap();
            let body = json!({ "expiry": Timestamp(now.0 + much * 1000).to_string() }).to_string();
            (server.call("POST", "/images/v2/direct_upload").json(&body).send().await, 5400)
        }
        _ => panic!("{key} has a second default and no test in both modes"),
    }
}

/// Asserts that a setting's limit lets this much pass, and one step more not.
async fn check_limit(server: &TestServer, key: &str, much: u64, beyond: u64) {
    let (answer, _) = ask(server, key, much).await;
    assert_eq!(answer.status, 200, "{key} = {much}: {}", answer.text());
    let (answer, code) = ask(server, key, beyond).await;
    assert!((400..500).contains(&answer.status), "{key} = {beyond}: {}", answer.text());
    answer.refusal(answer.status, code);
}

#[tokio::test]
async fn every_second_default_holds_in_its_own_mode() {
    for (setting, extended) in second_defaults() {
        let key = setting.key;
        if OF_THE_SERVER.contains(&key) {
            continue;
        }
        let (first, second) = (number(setting.example), number(extended));
        let step = |much: u64| if first < second { much + 1 } else { much - 1 };
        let strict = TestServer::start_with(CatalogEngine::Memory, mode(Compatibility::Strict)).await;
        check_limit(&strict, key, first, step(first)).await;
        let wide = TestServer::start_with(CatalogEngine::Memory, mode(Compatibility::Extended)).await;
        match extended {
            "true" => assert_eq!(ask(&wide, key, 1).await.0.status, 200, "{key}"),
            _ => check_limit(&wide, key, second, step(second)).await,
        }
    }
}

#[test]
fn the_document_has_a_row_for_each() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (_, section) = document.split_once("\n## Extended\n").expect("a section 'Extended'");
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| -> Option<[String; 3]> {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
        Some([cells[0].trim_end_matches('`').to_owned(), cells[1].to_owned(), cells[2].to_owned()])
    };
    let documented: Vec<_> = section.lines().filter_map(row).collect();
    let held: Vec<_> = second_defaults()
        .map(|(setting, extended)| [setting.key, setting.example, extended].map(str::to_owned))
        .collect();
    assert_eq!(documented, held);
}

#[tokio::test]
async fn drafts_and_edits_read_the_same_permission_as_uploads() {
    for (compatibility, may) in [(Compatibility::Strict, false), (Compatibility::Extended, true)] {
        let server = TestServer::start_with(CatalogEngine::Memory, mode(compatibility)).await;
        let check = |answer: Answer, code: u32| match may {
            true => drop(answer.result()),
            false => drop(answer.refusal(400, code)),
        };
        let draft = |body: Value| server.call("POST", "/images/v2/direct_upload").json(&body.to_string());
        check(draft(json!({"id": "a", "requireSignedURLs": true})).send().await, 5410);
        check(draft(json!({"id": UUID.to_uppercase()})).send().await, 5411);
        server.uploaded(&[("id", "b")]).await;
        let edit = server.call("PATCH", "/images/v1/b").json(r#"{"requireSignedURLs":true}"#);
        check(edit.send().await, 5410);
        let delivered = server.request("GET", &format!("/{HASH}/b/public")).send().await;
        assert_eq!(delivered.status, if may { 403 } else { 200 });
    }
}

#[tokio::test]
async fn an_explicit_limit_beats_the_mode() {
    let server = TestServer::start_with(CatalogEngine::Memory, |settings| {
        mode(Compatibility::Extended)(settings);
        settings.limits.filters_max = 6;
        settings.limits.draft_life_max = std::time::Duration::from_secs(600);
    });
    let server = server.await;
    check_limit(&server, "filters_max", 6, 7).await;
    check_limit(&server, "draft_life_max_seconds", 600, 601).await;
    // What is made without an end ends in time too.
    let draft = server.call("POST", "/images/v2/direct_upload").send().await.result();
    let (_, path) = draft["uploadURL"].as_str().unwrap().split_once("/upload/").unwrap();
    server.clock.set(Timestamp::parse("2026-01-01T00:10:00.001Z").unwrap());
    let form = Form::default().file("tiny.png", pictures::PNG);
    assert_eq!(server.request("POST", &format!("/upload/{path}")).form(&form).send().await.status, 410);
}

/// Everything that strict mode would have refused, written in extended mode.
async fn write_wide(server: &TestServer) -> (String, String) {
    let metadata = format!(r#"{{"kind":"wide","a":"{}"}}"#, "x".repeat(16_000));
    server.uploaded(&[("id", "a/b"), ("requireSignedURLs", "true"), ("metadata", &metadata)]).await;
    server.uploaded(&[("id", UUID)]).await;
    let form = Form::default().field("id", "large").file("large.png", &pictures::png_of_bytes(11 << 20));
    server.call("POST", "/images/v1").form(&form).send().await.result();
    ask(server, "variants_max", 101).await.0.result();
    let draft = r#"{"id":"late","expiry":"2026-01-31T00:00:00Z","requireSignedURLs":true}"#;
    let draft = server.call("POST", "/images/v2/direct_upload").json(draft).send().await.result();
    let url = draft["uploadURL"].as_str().unwrap().split_once("/upload/").unwrap().1.to_owned();
    (metadata, format!("/upload/{url}"))
}

#[tokio::test]
async fn what_was_written_in_extended_mode_is_served_in_strict_mode() {
    let server = TestServer::start_with(CatalogEngine::Lmdb, mode(Compatibility::Extended)).await;
    let (metadata, upload_url) = write_wide(&server).await;
    let (_, folder) = server.stop_and_keep().await;
    let server = TestServer::start_with(CatalogEngine::Lmdb, |settings| {
        settings.data = folder.path().join("data");
    });
    let server = server.await;

    let private = server.call("GET", "/images/v1/a%2Fb").send().await.result();
    assert_eq!(private["requireSignedURLs"], true);
    assert_eq!(private["meta"], serde_json::from_str::<Value>(&metadata).unwrap());
    assert_eq!(private["variants"].as_array().map(Vec::len), Some(101));
    let found = server.call("GET", "/images/v2?meta.kind[eq]=wide").send().await.result();
    assert_eq!(found["images"], json!([private]));
    server.call("GET", &format!("/images/v1/{UUID}")).send().await.result();
    let blob = server.call("GET", "/images/v1/large/blob").send().await;
    assert_eq!(blob.body.len(), 11 << 20);

    // It is private still, and opens to who may see it.
    let path = format!("/{HASH}/a/b/public");
    assert_eq!(server.request("GET", &path).send().await.status, 403);
    let settings = server.service().account_settings(&AccountId::parse(ACCOUNT).unwrap()).await.unwrap();
    let (_, key) = settings.signing_keys().next().unwrap();
    let signed = format!("{path}?sig={}", signature::sign(key, &path));
    assert_eq!(server.request("GET", &signed).send().await.status, 200);

    // An edit that leaves what is wide leaves it; one that would write it anew is refused.
    let edit = |body: &str| server.call("PATCH", "/images/v1/a%2Fb").json(body);
    assert_eq!(edit(r#"{"creator":"me"}"#).send().await.result()["meta"], private["meta"]);
    edit(&format!(r#"{{"metadata":{metadata}}}"#)).send().await.refusal(400, 5400);
    edit(r#"{"requireSignedURLs":true}"#).send().await.refusal(400, 5410);
    let (answer, code) = ask(&server, "variants_max", 102).await;
    answer.refusal(400, code);
    server.call("DELETE", "/images/v1/variants/v7").send().await.result();

    // The one-time URL keeps its end, and its image what it was promised.
    server.clock.set(Timestamp::parse("2026-01-30T00:00:00.000Z").unwrap());
    let form = Form::default().file("tiny.png", pictures::PNG);
    let image = server.request("POST", &upload_url).form(&form).send().await.result();
    assert_eq!((&image["id"], &image["requireSignedURLs"]), (&json!("late"), &json!(true)));
}
