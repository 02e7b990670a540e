//! Details, edit, delete and blob (reference: api §5 to §8).

use serde_json::json;

use super::common::client::Form;
use super::common::{OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TestServer, pictures};

/// Ids of paths that no image has.
const NOTHING: [&str; 9] =
    ["nothing", "%2e%2e", "..", "a%00b", "%ff", "%2Fa", "a%2F", "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12", "%"];

#[tokio::test]
async fn details_are_what_the_upload_answered() {
    let server = TestServer::start_on_disk().await;
    let fields = [("id", "cats/tabby"), ("creator", "ann"), ("metadata", r#"{"a":1.50}"#)];
    let uploaded = server.upload(&fields).send().await;
    // Slashes of an id may be sent as they are: the Go SDK and old Python SDKs do not encode them.
    for path in ["/images/v1/cats%2Ftabby", "/images/v1/cats/tabby", "/images/v1/c%61ts%2ftabby"] {
        let details = server.call("GET", path).token(READ_TOKEN).send().await;
        assert_eq!(details.text(), uploaded.text());
    }
    server.call("GET", "/images/v1/cats%252Ftabby").send().await.refusal(404, 5404);
    let head = server.call("HEAD", "/images/v1/cats/tabby").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(uploaded.body.len().to_string().as_str()));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = TestServer::start_on_disk().await;
    for id in NOTHING.into_iter().map(str::to_owned).chain(["a".repeat(1025), "%C3%A9".repeat(1025)]) {
        for (method, rest) in [("GET", ""), ("DELETE", ""), ("GET", "/blob")] {
            let error =
                server.call(method, &format!("/images/v1/{id}{rest}")).send().await.refusal(404, 5404);
            assert_eq!(error["message"], "Image not found", "{method} {id}{rest}");
        }
        server.call("PATCH", &format!("/images/v1/{id}")).json("{}").send().await.refusal(404, 5404);
    }
}

#[tokio::test]
async fn an_account_does_not_see_the_images_of_another() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "mine")]).await;
    let other = |method: &str, rest: &str| {
        let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1/mine{rest}");
        server.request(method, &path).token(OTHER_TOKEN)
    };
    other("GET", "").send().await.refusal(404, 5404);
    other("GET", "/blob").send().await.refusal(404, 5404);
    other("PATCH", "").json("{}").send().await.refusal(404, 5404);
    other("DELETE", "").send().await.refusal(404, 5404);
    server.call("GET", "/images/v1/mine").send().await.result();
}

#[tokio::test]
async fn an_edit_changes_what_it_names() {
    let server = TestServer::start_on_disk().await;
    let fields = [("id", "a"), ("creator", "ann"), ("metadata", r#"{"a":1,"b":2}"#)];
    let uploaded = server.upload(&fields).send().await.result();
    let edit = async |body: &str| server.call("PATCH", "/images/v1/a").json(body).send().await.result();
    assert_eq!(edit("{}").await, uploaded);
    assert_eq!(edit(r#"{"unknown": [1, 2]}"#).await, uploaded);
    let image = edit(r#"{"metadata": {"c": 5.0}}"#).await;
    assert_eq!((&image["meta"], &image["creator"]), (&json!({"c": 5.0}), &json!("ann")));
    let image = edit(r#"{"creator": "bob"}"#).await;
    assert_eq!((&image["meta"], &image["creator"]), (&json!({"c": 5.0}), &json!("bob")));
    assert_eq!(server.call("GET", "/images/v1/a").send().await.result(), image);
    let listed = server.call("GET", "/images/v2?creator=bob&meta.c[eq:number]=5").send().await.result();
    assert_eq!(listed["images"], json!([image]));
    let gone = server.call("GET", "/images/v2?meta.a[eq]=1").send().await.result();
    assert_eq!(gone["images"], json!([]));
    let image = edit(r#"{"creator": null, "metadata": null, "requireSignedURLs": false}"#).await;
    assert_eq!((&image["meta"], image.get("creator")), (&json!({}), None));
}

#[tokio::test]
async fn an_edit_that_cannot_be_changes_nothing() {
    let server = TestServer::start_on_disk().await;
    let before = server.upload(&[("id", "a"), ("metadata", r#"{"a":1}"#)]).send().await.result();
    let long = format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(1017));
    let deep = format!(r#"{{"metadata":{}1{}}}"#, "{\"a\":".repeat(200), "}".repeat(200));
    for (body, pointer) in [
        ("", None),
        ("no json", None),
        ("[]", None),
        ("null", None),
        (r#"{"creator":"x""#, None),
        (r#"{"creator":5}"#, Some("/creator")),
        (r#"{"creator":"ok","metadata":"text"}"#, Some("/metadata")),
        (r#"{"creator":"ok","metadata":[1]}"#, Some("/metadata")),
        (r#"{"creator":"ok","metadata":{"a":1e400}}"#, Some("/metadata")),
        (r#"{"creator":"ok","requireSignedURLs":"true"}"#, Some("/requireSignedURLs")),
        (r#"{"creator":"ok","requireSignedURLs":null}"#, Some("/requireSignedURLs")),
        (&long, Some("/metadata")),
        (&deep, Some("/metadata")),
    ] {
        let error = server.call("PATCH", "/images/v1/a").json(body).send().await.refusal(400, 5400);
        assert_eq!(error["source"]["pointer"].as_str(), pointer, "{body}");
    }
    server
        .call("PATCH", "/images/v1/a")
        .json(r#"{"requireSignedURLs":true}"#)
        .send()
        .await
        .refusal(400, 5410);
    let large = format!(r#"{{"unknown":"{}"}}"#, "x".repeat(65_536));
    server.call("PATCH", "/images/v1/a").json(&large).send().await.refusal(413, 7011);
    assert_eq!(server.call("GET", "/images/v1/a").send().await.result(), before);
}

#[tokio::test]
async fn an_image_with_a_made_id_can_become_private_and_keeps_its_id() {
    let server = TestServer::start_on_disk().await;
    let id = server.uploaded(&[]).await;
    let path = format!("/images/v1/{id}");
    let image = server.call("PATCH", &path).json(r#"{"requireSignedURLs":true}"#).send().await.result();
    assert_eq!((&image["id"], &image["requireSignedURLs"]), (&json!(id), &json!(true)));
}

#[tokio::test]
async fn what_is_deleted_is_gone_at_once_and_its_id_is_free() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a"), ("creator", "first")]).await;
    // The Python SDK sends a content type with nothing behind it.
    let delete = server.call("DELETE", "/images/v1/a").json("").send().await;
    assert_eq!(delete.text(), r#"{"result":{},"success":true,"errors":[],"messages":[]}"#);
    delete.result();
    server.call("GET", "/images/v1/a").send().await.refusal(404, 5404);
    server.call("GET", "/images/v1/a/blob").send().await.refusal(404, 5404);
    server.call("DELETE", "/images/v1/a").send().await.refusal(404, 5404);
    let list = server.call("GET", "/images/v2").send().await.result();
    assert_eq!(list["images"], json!([]));
    server.uploaded(&[("id", "a"), ("creator", "second")]).await;
    let image = server.call("GET", "/images/v1/a").send().await.result();
    assert_eq!(image["creator"], "second");
}

#[tokio::test]
async fn a_blob_is_exactly_what_was_uploaded() {
    let server = TestServer::start_on_disk().await;
    for (id, content, content_type) in [
        ("a.png", pictures::PNG, "image/png"),
        ("b", pictures::GIF, "image/gif"),
        ("c/d", pictures::SVG, "image/svg+xml"),
    ] {
        let form = Form::default().field("id", id).file("wrong.jpg", content);
        server.call("POST", "/images/v1").form(&form).send().await.result();
        let path = format!("/images/v1/{id}/blob");
        let blob = server.call("GET", &path).header("accept", "image/*").token(READ_TOKEN).send().await;
        assert_eq!((blob.status, &blob.body[..]), (200, content), "{id}");
        assert_eq!(blob.header("content-type"), Some(content_type));
        assert_eq!(blob.header("x-content-type-options"), Some("nosniff"));
        let disposition = (content_type == "image/svg+xml").then_some("attachment");
        assert_eq!(blob.header("content-disposition"), disposition);
        let length = content.len().to_string();
        assert_eq!(blob.header("content-length"), Some(length.as_str()));

        let head = server.call("HEAD", &path).send().await;
        assert_eq!(
            (head.status, head.body.len(), head.header("content-length")),
            (200, 0, Some(length.as_str()))
        );

        let etag = blob.header("etag").unwrap();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        assert_eq!(head.header("etag"), Some(etag));
        for known in [etag, &format!("\"other\", W/{etag}"), "*"] {
            let same = server.call("GET", &path).header("if-none-match", known).send().await;
            assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(etag)));
        }
        let other = server.call("GET", &path).header("if-none-match", "\"other\"").send().await;
        assert_eq!(other.status, 200);
    }
    server
        .call("GET", "/images/v1/nothing/blob")
        .header("if-none-match", "*")
        .send()
        .await
        .refusal(404, 5404);
}

#[tokio::test]
async fn the_blob_of_an_id_that_ends_in_blob_has_its_own_path() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a/blob")]).await;
    let details = server.call("GET", "/images/v1/a%2Fblob").send().await.result();
    assert_eq!(details["id"], "a/blob");
    server.call("GET", "/images/v1/a/blob").send().await.refusal(404, 5404);
    let blob = server.call("GET", "/images/v1/a%2Fblob/blob").send().await;
    assert_eq!((blob.status, &blob.body[..]), (200, pictures::PNG));
}

#[tokio::test]
async fn a_private_blob_is_given_to_who_may_read() {
    let server = TestServer::start_on_disk().await;
    let id = server.uploaded(&[("requireSignedURLs", "true")]).await;
    let blob = server.call("GET", &format!("/images/v1/{id}/blob")).token(READ_TOKEN).send().await;
    assert_eq!((blob.status, &blob.body[..]), (200, pictures::PNG));
}

#[tokio::test]
async fn a_lost_original_is_a_fault_that_tells_nothing() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a")]).await;
    std::fs::remove_dir_all(server.folder.path().join("data/originals")).unwrap();
    let error = server.call("GET", "/images/v1/a/blob").send().await.refusal(500, 5500);
    assert_eq!(error, json!({"code": 5500, "message": "Internal error"}));
    // Everything else goes on.
    server.call("GET", "/images/v1/a").send().await.result();
}
