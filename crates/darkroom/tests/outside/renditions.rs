//! Renditions that are kept: in memory, in the data folder, over restarts; and when they are not shown any more
//! (reference: delivery §10).

use std::fs;
use std::path::{Path, PathBuf};

use darkroom::settings::CatalogEngine;
use darkroom_model::{AccountId, signature};

use super::common::client::{Answer, Form};
use super::common::{ACCOUNT, HASH, TestServer, pictures};

async fn upload(server: &TestServer, id: &str, file: &[u8]) {
    let form = Form::default().field("id", id).file("a", file);
    server.call("POST", "/images/v1").form(&form).send().await.result();
}

async fn get(server: &TestServer, path: &str) -> Answer {
    server.request("GET", &format!("/{HASH}/{path}")).send().await
}

/// Asserts that this is a rendition that was made now (`m`) or there already (`h`).
#[track_caller]
fn check(answer: &Answer, class: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.header("cf-images").unwrap();
    assert!(told.starts_with(&format!("internal=ok/{class} q=")), "{told}, expected {class}");
    assert!(told.ends_with(&format!(" l={}", answer.body.len())), "{told}");
}

async fn metric(server: &TestServer, name: &str) -> u64 {
    let metrics = server.request("GET", "/metrics").send().await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("darkroom_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

/// Returns the files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_was_rendered_is_not_rendered_again() {
    let server = TestServer::start_on_disk().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let first = get(&server, "photo/public").await;
    check(&first, "m");
    for query in ["", "?sig=0", "?exp=5", "?anything=1&x"] {
        let again = get(&server, &format!("photo/public{query}")).await;
        check(&again, "h");
        assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
    }
    // The same content is the same rendition, whatever image it is; another variant is another.
    upload(&server, "copy", pictures::PHOTO).await;
    check(&get(&server, "copy/public").await, "h");
    let other = r#"{"id":"other","options":{"width":50}}"#;
    server.call("POST", "/images/v1/variants").json(other).send().await.result();
    check(&get(&server, "photo/other").await, "m");
    // Of a variant that changes, the next request sees it.
    let edit = r#"{"options":{"width":60}}"#;
    server.call("PATCH", "/images/v1/variants/other").json(edit).send().await.result();
    let changed = get(&server, "photo/other").await;
    check(&changed, "m");
    assert_eq!(pictures::kind_of(&changed.body).unwrap().1, 60);
    let counts = ["cache_hits_total", "cache_misses_total", "renditions_rendered_total"];
    let mut counted = Vec::new();
    for name in counts {
        counted.push(metric(&server, name).await);
    }
    assert_eq!(counted, [5, 3, 3]);
    assert!(metric(&server, "cache_memory_bytes").await > first.body.len() as u64);
}

#[tokio::test]
async fn one_rendering_is_for_all_who_ask_meanwhile() {
    let server = TestServer::start_on_disk().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let request = server.request("GET", &format!("/{HASH}/photo/public"));
    let all = (0..40).map(|_| {
        let request = request.clone();
        tokio::spawn(async move { request.send().await })
    });
    let answers: Vec<Answer> =
        futures_util::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    assert_eq!(metric(&server, "renditions_rendered_total").await, 1);
    assert_eq!(metric(&server, "cache_hits_total").await + metric(&server, "cache_misses_total").await, 40);
}

#[tokio::test]
async fn renditions_outlive_the_server_and_damage() {
    let server = TestServer::start_on_disk().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let first = get(&server, "photo/public").await;
    check(&first, "m");
    let (_, folder) = server.stop_and_keep().await;
    let data = folder.path().join("data");
    let kept = files(&data.join("renditions"));
    assert_eq!(kept.len(), 1, "{kept:?}");

    let restart = async || {
        TestServer::start_with(CatalogEngine::Lmdb, |settings| settings.data.clone_from(&data)).await
    };
    let server = restart().await;
    let again = get(&server, "photo/public").await;
    check(&again, "h");
    assert_eq!(again.body, first.body);
    server.stop().await;

    let whole = fs::read(&kept[0]).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for damaged in [&changed[..], &whole[..100], b"", b"<html>something else</html>"] {
        fs::write(&kept[0], damaged).unwrap();
        let server = restart().await;
        let again = get(&server, "photo/public").await;
        check(&again, "m");
        assert_eq!(again.body, first.body);
        server.stop().await;
        // It was written anew; how long its making took is in it, too.
        assert_ne!(fs::read(&kept[0]).unwrap(), damaged);
        let server = restart().await;
        check(&get(&server, "photo/public").await, "h");
        server.stop().await;
    }

    // All of it can be thrown away.
    fs::remove_dir_all(data.join("renditions")).unwrap();
    let server = restart().await;
    check(&get(&server, "photo/public").await, "m");
    assert_eq!(server.service().purge_renditions().await.renditions, 1);
    check(&get(&server, "photo/public").await, "m");
}

#[tokio::test]
async fn what_is_deleted_or_made_private_is_not_shown_from_the_cache() {
    let server = TestServer::start_on_disk().await;
    upload(&server, "photo", pictures::PHOTO).await;
    check(&get(&server, "photo/public").await, "m");
    check(&get(&server, "photo/public").await, "h");
    server.call("DELETE", "/images/v1/photo").send().await.result();
    assert_eq!(get(&server, "photo/public").await.status, 404);
    // Another image under its name is that image.
    upload(&server, "photo", pictures::PNG).await;
    let other = get(&server, "photo/public").await;
    check(&other, "m");
    assert_eq!(other.header("content-type"), Some("image/png"));

    let form = Form::default().file("a.jpg", pictures::PHOTO);
    let image = server.call("POST", "/images/v1").form(&form).send().await.result();
    let id = image["id"].as_str().unwrap();
    let path = format!("{id}/public");
    check(&get(&server, &path).await, "h");
    let private = r#"{"requireSignedURLs":true}"#;
    let edited = server.call("PATCH", &format!("/images/v1/{id}")).json(private).send().await.result();
    let path = format!("{}/public", edited["id"].as_str().unwrap());
    assert_eq!(get(&server, &path).await.status, 403);
    let settings = server.service().account_settings(&AccountId::parse(ACCOUNT).unwrap()).await.unwrap();
    let (_, key) = settings.signing_keys().next().unwrap();
    let sig = signature::sign(key, &format!("/{HASH}/{path}"));
    let signed = get(&server, &format!("{path}?sig={sig}")).await;
    check(&signed, "h");
    assert_eq!(signed.header("cache-control"), Some("private, max-age=3600"));
}

#[tokio::test]
async fn where_nothing_is_kept_nothing_is_written() {
    let memory = TestServer::start().await;
    let no_disk = TestServer::start_with(CatalogEngine::Lmdb, |settings| {
        settings.limits.rendition_disk_bytes_max = 0;
    });
    let no_cache = TestServer::start_with(CatalogEngine::Memory, |settings| {
        settings.limits.rendition_memory_bytes_max = 0;
    });
    for (server, then) in [(memory, "h"), (no_disk.await, "h"), (no_cache.await, "m")] {
        upload(&server, "photo", pictures::PHOTO).await;
        check(&get(&server, "photo/public").await, "m");
        check(&get(&server, "photo/public").await, then);
        assert!(!server.folder.path().join("data/renditions").exists());
        assert_eq!(metric(&server, "cache_disk_bytes").await, 0);
    }
}

#[tokio::test]
async fn what_is_kept_has_a_bound() {
    let server = TestServer::start_with(CatalogEngine::Lmdb, |settings| {
        settings.limits.rendition_memory_bytes_max = 20_000;
        settings.limits.rendition_disk_bytes_max = 40_000;
    });
    let server = server.await;
    upload(&server, "photo", pictures::PHOTO).await;
    for width in 100..120 {
        let variant = format!(r#"{{"id":"w{width}","options":{{"width":{width}}}}}"#);
        server.call("POST", "/images/v1/variants").json(&variant).send().await.result();
        check(&get(&server, &format!("photo/w{width}")).await, "m");
        assert!(metric(&server, "cache_memory_bytes").await <= 20_000);
        assert!(metric(&server, "cache_disk_bytes").await <= 40_000);
    }
    let (_, folder) = server.stop_and_keep().await;
    let kept = files(&folder.path().join("data/renditions"));
    let bytes: u64 = kept.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!((1..20).contains(&kept.len()) && bytes <= 40_000, "{} files, {bytes} bytes", kept.len());
}
