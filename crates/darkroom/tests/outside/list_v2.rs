//! `GET /accounts/{account}/images/v2` (reference: list-v2 §5 to §8).

use std::collections::HashMap;

use darkroom::settings::{CatalogEngine, PublicUrl};
use darkroom_model::{AccountId, Creator, ImageId, Limits, Metadata, Timestamp};
use darkroom_service::{NewDraft, Upload};
use serde_json::Value;
use serde_json::value::RawValue;

use super::common::{ACCOUNT, HASH, OTHER_ACCOUNT, OTHER_TOKEN, READ_TOKEN, TestServer, pictures};

const VECTORS: &str = include_str!("../../../../tests/vectors/list-v2.json");

/// Puts the images of the vectors in, each at its time and in their order, and what they say must never appear: an image
/// of another account, and a draft.
async fn put_in(server: &TestServer) {
    let vectors: HashMap<String, Box<RawValue>> = serde_json::from_str(VECTORS).unwrap();
    let images: Vec<HashMap<String, Box<RawValue>>> = serde_json::from_str(vectors["images"].get()).unwrap();
    assert_eq!(images.len(), 12);
    for image in images {
        let text = |name: &str| image.get(name).map(|raw| serde_json::from_str::<String>(raw.get()).unwrap());
        server.clock.set(Timestamp::parse(&text("uploaded").unwrap()).unwrap());
        let limits = Limits::default();
        let upload = Upload {
            file: pictures::PNG.into(),
            filename: text("filename"),
            id: Some(ImageId::parse(&text("id").unwrap()).unwrap()),
            creator: text("creator").and_then(|creator| Creator::parse(&creator, &limits).unwrap()),
            // The very text: `5.0` and 9007199254740993 must come through as they are.
            metadata: image.get("meta").map(|raw| Metadata::parse(raw.get(), &limits).unwrap()),
            require_signed_urls: image["requireSignedURLs"].get() == "true",
            memory: None,
        };
        server.service().upload(&AccountId::parse(ACCOUNT).unwrap(), upload).await.unwrap();
    }
    let upload = Upload {
        file: pictures::PNG.into(),
        id: Some(ImageId::parse("img-01").unwrap()),
        metadata: Some(Metadata::parse(r#"{"status":"active"}"#, &Limits::default()).unwrap()),
        ..Upload::default()
    };
    server.service().upload(&AccountId::parse(OTHER_ACCOUNT).unwrap(), upload).await.unwrap();
    let draft = NewDraft {
        id: Some(ImageId::parse("img-13").unwrap()),
        metadata: Some(Metadata::parse(r#"{"status":"active"}"#, &Limits::default()).unwrap()),
        ..NewDraft::default()
    };
    server.service().create_draft(&AccountId::parse(ACCOUNT).unwrap(), draft).await.unwrap();
}

/// Runs every case of the vectors, its query spelled in one way.
async fn check_vectors(server: &TestServer, spell: fn(&str) -> String) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut tokens: HashMap<String, String> = HashMap::new();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 105);
    for case in cases {
        let (row, expected) = (&case["row"], &case["expect"]);
        let mut query = case["query"].as_str().unwrap().to_owned();
        if let Some((before, name)) = query.clone().rsplit_once("continuation_token=")
            && let Some(token) = tokens.get(name)
        {
            query = format!("{before}continuation_token={token}");
        }
        let answer = server.call("GET", &format!("/images/v2?{}", spell(&query))).send().await;
        if expected["status"] == 200 {
            let result = answer.result();
            let images = result["images"].as_array().unwrap();
            let ids: Vec<&Value> = images.iter().map(|image| &image["id"]).collect();
            let expected_ids: Vec<&Value> = expected["ids"].as_array().unwrap().iter().collect();
            assert_eq!(ids, expected_ids, "row {row}: {query}");
            match (expected["continuation_token"].as_str(), result["continuation_token"].as_str()) {
                (Some(name), Some(token)) => drop(tokens.insert(name.to_owned(), token.to_owned())),
                (None, None) => assert!(result["continuation_token"].is_null()),
                other => panic!("row {row}: {other:?}"),
            }
        } else {
            let status = expected["status"].as_u64().unwrap() as u16;
            let error = answer.refusal(status, expected["code"].as_u64().unwrap() as u32);
            assert_eq!(error["message"], expected["message"], "row {row}: {query}");
        }
    }
}

fn as_written(query: &str) -> String {
    query.to_owned()
}

/// As every SDK spells it: brackets, colons and pipes encoded.
fn encoded(query: &str) -> String {
    query.replace('[', "%5B").replace(']', "%5D").replace(':', "%3A").replace('|', "%7C")
}

/// Everything encoded that can be, dots too.
fn encoded_to_the_last(query: &str) -> String {
    let keep = |byte: u8| b"&=%+".contains(&byte);
    let mut rest = query.bytes();
    let mut spelled = String::new();
    while let Some(byte) = rest.next() {
        match byte {
            // An escape is one already.
            b'%' => spelled.extend(["%".to_owned(), rest.by_ref().take(2).map(char::from).collect()]),
            byte if keep(byte) => spelled.push(byte.into()),
            byte => spelled += &format!("%{byte:02x}"),
        }
    }
    spelled
}

async fn check_vectors_on(engine: CatalogEngine) {
    let server = TestServer::start_with(engine, |_| {}).await;
    put_in(&server).await;
    check_vectors(&server, as_written).await;
    check_vectors(&server, encoded).await;
    check_vectors(&server, encoded_to_the_last).await;
}

#[tokio::test]
async fn every_case_of_the_vectors_on_memory() {
    check_vectors_on(CatalogEngine::Memory).await;
}

#[tokio::test]
async fn every_case_of_the_vectors_on_lmdb() {
    check_vectors_on(CatalogEngine::Lmdb).await;
}

#[tokio::test]
async fn an_answer_has_the_shape_of_the_reference() {
    let server = TestServer::start_on_disk().await;
    put_in(&server).await;
    let answer =
        server.call("GET", "/images/v2?per_page=1&sort_order=asc").header("host", "img.test").send().await;
    let token = answer.result()["continuation_token"].as_str().unwrap().to_owned();
    assert_eq!(
        answer.text().replace(&token, "TOKEN"),
        format!(
            r#"{{"result":{{"continuation_token":"TOKEN","images":[{{"id":"img-01","filename":"cat.png","creator":"user123","meta":{{"status":"active","priority":5,"enabled":true,"region":{{"name":"eu-west"}},"ratings":4}},"requireSignedURLs":false,"uploaded":"2026-01-01T00:00:00.000Z","variants":["http://img.test/{HASH}/img-01/public"]}}]}},"success":true,"errors":[],"messages":[]}}"#
        )
    );
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
    let none = server.call("GET", "/images/v2?creator=nobody").send().await;
    assert_eq!(
        none.text(),
        r#"{"result":{"continuation_token":null,"images":[]},"success":true,"errors":[],"messages":[]}"#
    );
}

#[tokio::test]
async fn refusals_point_at_what_is_wrong_and_at_the_manual() {
    let server = TestServer::start().await;
    let long_field = "f".repeat(101);
    let long_creator = "c".repeat(1025);
    for (query, message, pointer) in [
        (
            "meta.status[not-eq]=x",
            "Unsupported metadata filter operator: 'not-eq'",
            "/query/meta.status[not-eq]",
        ),
        (
            "meta.a[eq]=1&meta.b[eq]=1&meta.c[eq]=1&meta.d[eq]=1&meta.e[eq]=1&meta.f[eq]=1",
            "Too many metadata filters: 6 provided, maximum 5 allowed",
            "/query",
        ),
        ("meta.status=x", "Invalid metadata filter: 'meta.status'", "/query/meta.status"),
        ("meta.a~b%2Fc=x", "Invalid metadata filter: 'meta.a~b/c'", "/query/meta.a~0b~1c"),
        (
            "meta.a.b.c.d.e.f[eq]=x",
            "Metadata filter field nested too deeply: 6 levels provided, maximum 5 allowed",
            "/query/meta.a.b.c.d.e.f[eq]",
        ),
        (
            &format!("meta.{long_field}[eq]=x"),
            "Metadata filter field name too long: 101 characters provided, maximum 100 allowed",
            &format!("/query/meta.{long_field}[eq]"),
        ),
        (
            "meta.first-name[eq]=x",
            "Invalid metadata filter field name: 'first-name'",
            "/query/meta.first-name[eq]",
        ),
        (
            "meta.a[in]=1|2|3|4|5|6|7|8|9|10|11",
            "Too many values for metadata filter operator 'in': 11 provided, maximum 10 allowed",
            "/query/meta.a[in]",
        ),
        (
            "meta.a[eq:number]=five",
            "Invalid number value for metadata filter operator 'eq:number': 'five'",
            "/query/meta.a[eq:number]",
        ),
        (
            "meta.a[eq:boolean]=yes",
            "Invalid boolean value for metadata filter operator 'eq:boolean': 'yes'",
            "/query/meta.a[eq:boolean]",
        ),
        ("per_page=0", "Invalid per_page: '0'", "/query/per_page"),
        ("sort_order=DESC", "Invalid sort_order: 'DESC'", "/query/sort_order"),
        ("continuation_token=x", "Invalid continuation_token", "/query/continuation_token"),
        (
            &format!("creator={long_creator}"),
            "Invalid creator: maximum 1024 characters allowed",
            "/query/creator",
        ),
        ("per_page=1&per_page=1", "Duplicate query parameter: 'per_page'", "/query/per_page"),
        ("creator=%FF", "Invalid query string: not valid UTF-8", "/query"),
    ] {
        let error = server.call("GET", &format!("/images/v2?{query}")).send().await.refusal(400, 5400);
        assert_eq!((&error["message"], &error["source"]["pointer"]), (&message.into(), &pointer.into()));
        assert!(error["documentation_url"].as_str().unwrap().starts_with("https://"), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_listing_only() {
    let server = TestServer::start_on_disk().await;
    put_in(&server).await;
    let other = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v2");
    let first = server.call("GET", "/images/v2?per_page=2&meta.status[eq]=active").send().await.result();
    let token = first["continuation_token"].as_str().unwrap();
    let ids = |result: &Value| -> Vec<String> {
        let images = result["images"].as_array().unwrap();
        images.iter().map(|image| image["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["img-11", "img-10"]);
    let path = format!("/images/v2?per_page=9&meta.status[eq]=active&continuation_token={token}");
    assert_eq!(ids(&server.call("GET", &path).send().await.result()), ["img-08", "img-01"]);
    for query in [
        format!("continuation_token={token}"),
        format!("meta.status[eq]=active&sort_order=asc&continuation_token={token}"),
        format!("meta.status[eq]=active&creator=user123&continuation_token={token}"),
        format!("meta.status[eq]=active&continuation_token={token}A"),
        format!("meta.status[eq]=active&continuation_token={}", &token[1..]),
        format!("meta.status[eq]=active&continuation_token={}", "A".repeat(4000)),
    ] {
        let error = server.call("GET", &format!("/images/v2?{query}")).send().await.refusal(400, 5400);
        assert_eq!(error["message"], "Invalid continuation_token", "{query}");
    }
    let foreign = format!("{other}?meta.status[eq]=active&continuation_token={token}");
    server.request("GET", &foreign).token(OTHER_TOKEN).send().await.refusal(400, 5400);
}

#[tokio::test]
async fn urls_begin_with_the_operators_url_or_the_clients_host() {
    let check = async |server: &TestServer, host: &str, expected: &str| {
        let request = server.call("GET", "/images/v2").header("host", host);
        let result = request.send().await.result();
        let url = result["images"][0]["variants"][0].as_str().unwrap().to_owned();
        assert_eq!(url, format!("{expected}/{HASH}/a%20b/c%25/public"), "{host}");
    };
    let server = TestServer::start().await;
    server.uploaded(&[("id", "a b/c%")]).await;
    check(&server, "img.example.com:8080", "http://img.example.com:8080").await;
    let local = format!("http://{}", server.address);
    for hostile in ["\",\"x\":\"", "</script>", "a/b", "a@b", ""] {
        check(&server, hostile, &local).await;
    }
    let named = TestServer::start_with(CatalogEngine::Memory, |settings| {
        settings.public_url = PublicUrl::parse("https://img.example.com/photos/");
    });
    let named = named.await;
    named.uploaded(&[("id", "a b/c%")]).await;
    check(&named, "evil.example", "https://img.example.com/photos").await;
}

#[tokio::test]
async fn a_request_without_host_gets_urls_with_the_address() {
    let server = TestServer::start().await;
    server.uploaded(&[("id", "a")]).await;
    let request = format!(
        "GET /client/v4/accounts/{ACCOUNT}/images/v2 HTTP/1.0\r\nauthorization: Bearer {READ_TOKEN}\r\n\r\n"
    );
    let answer = super::common::client::exchange(server.address, request.as_bytes()).await;
    let url = format!("http://{}/{HASH}/a/public", server.address);
    assert_eq!(answer.result()["images"][0]["variants"][0], url);
}

#[tokio::test]
async fn reading_is_enough_to_list_and_head_is_get_without_a_body() {
    let server = TestServer::start().await;
    server.uploaded(&[]).await;
    let get = server.call("GET", "/images/v2").token(READ_TOKEN).send().await;
    let head = server.call("HEAD", "/images/v2").token(READ_TOKEN).send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    let wrong = server.call("HEAD", "/images/v2?per_page=0").send().await;
    assert_eq!((wrong.status, wrong.body.len()), (400, 0));
}
