//! Every error that there is, produced from outside: status, code, message, headers (reference: errors §1, §2, §4).
//!
//! The matches have no arm for "the rest": an error that nobody produces does not compile.

use std::time::Duration;

use darkroom::settings::{CatalogEngine, Rate, Settings};
use darkroom_api::ErrorName;
use darkroom_api::error_codes::ERROR_ROWS;
use darkroom_model::{AccountConfigEdit, AccountId, AccountSettingsChange, Timestamp, signature};
use darkroom_service::{DeliverError, FetchError, RenderError};

use super::common::client::{Answer, Form, Request};
use super::common::{ACCOUNT, HASH, OTHER_ACCOUNT, READ_TOKEN, TestServer, pictures};

async fn memory(change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::start_with(CatalogEngine::Memory, change).await
}

fn file(content: &[u8]) -> Form {
    Form::default().file("a.png", content)
}

/// Makes a server that answers with this error, and gets it from there.
async fn produce(name: ErrorName) -> Answer {
    use ErrorName as E;
    let server = match name {
        E::RateLimited => {
            memory(|to| to.token_rate = Some(Rate { requests: 1, window: Duration::from_secs(60) })).await
        }
        E::UploadTimedOut => memory(|to| to.limits.body_wait = Duration::from_millis(50)).await,
        E::InsufficientStorage => {
            TestServer::start_with(CatalogEngine::Lmdb, |to| to.limits.min_free_bytes = u64::MAX).await
        }
        _ => TestServer::start_on_disk().await,
    };
    let call = |method: &str, path: &str| server.call(method, &format!("/images/v1{path}"));
    let upload = |form: Form| call("POST", "").form(&form);
    let request = match name {
        E::ForbiddenEndpoint => {
            let batch = call("GET", "/batch_token").send().await.result();
            server.request("GET", "/batch/images/v1/stats").token(batch["token"].as_str().unwrap())
        }
        E::InvalidApiToken => {
            server.request("GET", "/client/v4/user/tokens/verify").token("nobody-knows-this-one")
        }
        E::InvalidRequestHeaders => {
            call("GET", "").without("authorization").header("authorization", "Basic YTpi")
        }
        E::NoRoute => call("GET", "/a/"),
        E::TooLarge => upload(file(&vec![0; (10 << 20) + 1])),
        E::UnknownAuthKey => {
            call("GET", "").without("authorization").header("x-auth-key", "nobody-knows-this-one")
        }
        E::MissingCredentials => call("GET", "").without("authorization"),
        E::UnknownAccessToken => call("GET", "").token("nobody-knows-this-one"),
        E::NoPermission => call("DELETE", "/a").token(READ_TOKEN),
        E::MethodNotAllowed => call("PUT", "/a"),
        E::RateLimited => {
            call("GET", "").send().await.result();
            call("GET", "")
        }
        E::Invalid => call("GET", "?page=0"),
        E::UnusableAccount => {
            let path = format!("/client/v4/accounts/{OTHER_ACCOUNT}/images/v1");
            server.request("GET", &path).token(READ_TOKEN)
        }
        E::ImageNotFound => call("GET", "/a"),
        E::VariantNotFound => call("GET", "/variants/a"),
        E::KeyNotFound => call("DELETE", "/keys/a"),
        E::UploadHostMethodNotAllowed => server.request("PUT", &format!("/upload/{HASH}/a")),
        E::UploadTimedOut => {
            let whole = file(pictures::PNG).body();
            let length = whole.len().to_string();
            call("POST", "").form_header().header("content-length", &length).body(&whole[..whole.len() / 2])
        }
        E::Duplicate => {
            server.uploaded(&[("id", "a")]).await;
            upload(file(pictures::PNG).field("id", "a"))
        }
        E::UploadLinkExpired => {
            let draft = server.call("POST", "/images/v2/direct_upload").json(r#"{"id":"a"}"#);
            draft.send().await.result();
            server.clock.set(Timestamp::parse("2026-01-01T00:30:00.001Z").unwrap());
            server.request("POST", &format!("/upload/{HASH}/a")).form(&file(pictures::PNG))
        }
        E::PrivateCustomId => upload(file(pictures::PNG).field("id", "a").field("requireSignedURLs", "true")),
        E::InvalidCustomId => upload(file(pictures::PNG).field("id", "a/")),
        E::DimensionsTooLarge => upload(file(&pictures::png_of_size(12_001, 1))),
        E::NotAForm => call("POST", "").header("content-type", "image/png").body(pictures::PNG),
        E::AnimationTooLarge => upload(file(&pictures::gif_of_frames(10_000, 5_000, 3))),
        E::FetchFailed => upload(Form::default().field("url", "http://127.0.0.1/a.png")),
        E::NotAnImage => upload(file(b"words")),
        E::Internal => {
            server.uploaded(&[("id", "a")]).await;
            std::fs::remove_dir_all(server.folder.path().join("data/originals")).unwrap();
            call("GET", "/a/blob")
        }
        E::Unavailable => {
            // What a server does on its way to its end.
            server.service().close().await;
            call("GET", "")
        }
        E::InsufficientStorage => upload(file(pictures::PNG)),
    };
    request.send().await
}

/// These are answered by the upload host only, in plain text; that the others read the same there is tested with it.
fn is_of_the_upload_host(name: ErrorName) -> bool {
    matches!(name, ErrorName::UploadHostMethodNotAllowed | ErrorName::UploadLinkExpired)
}

/// Headers that some errors have, whose values the request decides.
fn check_decided_headers(name: ErrorName, answer: &Answer) {
    let allow = match name {
        ErrorName::MethodNotAllowed => Some("GET, PATCH, DELETE"),
        ErrorName::UploadHostMethodNotAllowed => Some("POST, OPTIONS"),
        _ => None,
    };
    assert_eq!(answer.header("allow"), allow, "{name:?}");
    if name == ErrorName::RateLimited {
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    } else {
        let row_has = name.row().headers.iter().find(|(header, _)| *header == "retry-after");
        assert_eq!(answer.header("retry-after"), row_has.map(|(_, value)| *value), "{name:?}");
    }
}

#[tokio::test]
async fn every_row_of_the_table_is_answered_as_it_stands() {
    for row in ERROR_ROWS {
        let (name, answer) = (row.name, produce(row.name).await);
        let text = answer.text();
        assert_eq!(answer.status, row.status, "{name:?}: {text}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name:?}");
        if is_of_the_upload_host(name) {
            assert_eq!(text, format!("ERROR {}: {}", row.code, row.message));
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        } else {
            let json = answer.json();
            let error = &json["errors"][0];
            // That of the batch host is a text (reference: errors §1).
            let code: serde_json::Value =
                if name == ErrorName::ForbiddenEndpoint { "103".into() } else { row.code.into() };
            assert_eq!(error["code"], code, "{name:?}: {text}");
            let message = error["message"].as_str().unwrap();
            let rest = message.strip_prefix(row.message).unwrap_or_else(|| panic!("{name:?}: {text}"));
            assert!(rest.is_empty() || rest.starts_with(": ") || row.message.is_empty(), "{name:?}: {text}");
            assert_eq!((&json["success"], &json["result"]), (&false.into(), &serde_json::Value::Null));
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        for (header, value) in row.headers {
            assert_eq!(answer.header(header), Some(*value), "{name:?}");
        }
        let is_named = row.headers.iter().any(|(header, _)| *header == "x-should-retry");
        assert_eq!(answer.header("x-should-retry").is_some(), is_named, "{name:?}");
        check_decided_headers(name, &answer);
    }
}

/// A private image, and its URL signed for so long.
async fn signed(server: &TestServer, query: &str) -> String {
    let id = server.uploaded(&[("requireSignedURLs", "true")]).await;
    let settings = server.service().account_settings(&AccountId::parse(ACCOUNT).unwrap()).await.unwrap();
    let (_, key) = settings.signing_keys().next().unwrap();
    let url = format!("/{HASH}/{id}/public{query}");
    let separator = if query.is_empty() { '?' } else { '&' };
    format!("{url}{separator}sig={}", signature::sign(key, &url))
}

async fn switch_options_on(server: &TestServer) {
    let edit = AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() };
    let change = AccountSettingsChange::EditConfig(edit);
    let account = AccountId::parse(ACCOUNT).unwrap();
    server.service().change_account_settings(&account, change).await.unwrap();
}

/// What a viewer is told: status, code, how the message begins.
type Told = (u16, u32, &'static str);

/// Returns a request that is refused so, and what is told.
async fn refused_delivery(server: &TestServer, error: &DeliverError) -> (Request, Told) {
    let get = |path: &str| server.request("GET", &format!("/{HASH}/{path}"));
    match error {
        DeliverError::UnknownAccountHash => {
            let request = server.request("GET", "/unknown/a/public");
            (request, (403, 9427, "Image access denied with incorrect account id"))
        }
        DeliverError::NotFound => (get("nothing/public"), (404, 9404, "Could not fetch the image")),
        DeliverError::UnknownVariant => {
            let message = "Image access denied: This account doesn't have variant with this name";
            (get("a/none"), (403, 9425, message))
        }
        DeliverError::FlexibleVariantsOff => {
            (get("a/w=5"), (403, 9429, "Flexible variants are not enabled for the account"))
        }
        DeliverError::OptionsOnPrivateImage => {
            switch_options_on(server).await;
            let id = server.uploaded(&[("requireSignedURLs", "true")]).await;
            let message = "Image access denied: Flexible variants can not be used for private images";
            (get(&format!("{id}/w=5")), (403, 9425, message))
        }
        DeliverError::SignatureMissing => {
            let id = server.uploaded(&[("requireSignedURLs", "true")]).await;
            let message = "Image access denied: check failed: The URL signature is missing";
            (get(&format!("{id}/public")), (403, 9425, message))
        }
        DeliverError::SignatureMismatch => {
            let url = signed(server, "").await.replace("?sig=", "?a=1&sig=");
            let message =
                "Image access denied: check failed: Malformed data found: The URL signature does not match.";
            (server.request("GET", &url), (403, 9425, message))
        }
        DeliverError::SignatureExpired => {
            let url = signed(server, "?exp=1735689599").await;
            let message = "Image access denied: check failed: The URL signature has expired";
            (server.request("GET", &url), (403, 9425, message))
        }
        DeliverError::OriginNotAllowed => {
            let request = server.request("GET", "/cdn-cgi/image/w=5/https://example.com/a.png");
            (request, (403, 9401, "Transformation origin is not in allowed origins list"))
        }
        DeliverError::Fetch(_) => {
            let request = server.request("GET", "/cdn-cgi/image/w=5/https://127.0.0.1/a.png");
            (request, (502, 9407, "Could not fetch the image - invalid URL: resolver error"))
        }
        DeliverError::Render(_) => {
            switch_options_on(server).await;
            let message = "Could not resize the image: The image enlarged too much: 20000×20000, but maximum \
                           dimension allowed is 12000";
            (get("a/w=20000,fit=contain"), (403, 9413, message))
        }
        DeliverError::Busy { .. } => (get("a/public"), (503, 9522, "The service in this colo is too busy")),
        DeliverError::TookTooMuch => {
            let message = "The image is too large to process or the service is too busy";
            let form = Form::default().field("id", "photo").file("a.jpg", pictures::PHOTO);
            server.call("POST", "/images/v1").form(&form).send().await.result();
            (get("photo/public"), (504, 9529, message))
        }
        DeliverError::Unavailable => {
            server.service().close().await;
            (get("a/public"), (503, 9522, "The service in this colo is too busy"))
        }
        DeliverError::Internal(_) => {
            std::fs::remove_dir_all(server.folder.path().join("data/originals")).unwrap();
            (
                get("a/public"),
                (
                    500,
                    9523,
                    "Internal error. This isn't supposed to happen, please reach out to customer support with error id:",
                ),
            )
        }
    }
}

/// Every refusal of the service; a new one is missing here until it has an arm above.
fn deliver_errors() -> Vec<DeliverError> {
    use DeliverError as E;
    let cause = std::sync::Arc::new(std::io::Error::other("a cause"));
    let plain = [E::UnknownAccountHash, E::NotFound, E::UnknownVariant, E::FlexibleVariantsOff];
    let options = [E::OptionsOnPrivateImage];
    let signatures = [E::SignatureMissing, E::SignatureMismatch, E::SignatureExpired];
    let busy = E::Busy { retry_after: Duration::ZERO };
    let rendering = [E::Render(RenderError::NotAnImage), busy, E::TookTooMuch];
    let remote = [E::OriginNotAllowed, E::Fetch(FetchError::Refused)];
    let faults = [E::Unavailable, E::Internal(cause)];
    plain.into_iter().chain(options).chain(signatures).chain(remote).chain(rendering).chain(faults).collect()
}

#[track_caller]
fn check_told(answer: &Answer, (status, code, message): Told) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert!(text.starts_with(&format!("ERROR {code}: {message}")), "{text}");
    let told_in = answer.header("cf-images").or(answer.header("cf-resized"));
    assert_eq!(told_in, Some(format!("err={code}").as_str()));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn every_refusal_of_delivery_is_told_to_viewers() {
    for error in deliver_errors() {
        let server = TestServer::start_with(CatalogEngine::Lmdb, |settings| {
            let limits = &mut settings.limits;
            match error {
                DeliverError::Busy { .. } => (limits.render_workers_max, limits.render_queue_max) = (1, 0),
                DeliverError::TookTooMuch => limits.render_time_max = Duration::ZERO,
                DeliverError::Fetch(_) => settings.transform.origins = vec!["127.0.0.1".parse().unwrap()],
                _ => {}
            }
        });
        let server = server.await;
        // Whoever has the one renderer there is keeps it.
        let taken = match error {
            DeliverError::Busy { .. } => server.service().render_workers().place().await.ok(),
            _ => None,
        };
        server.uploaded(&[("id", "a")]).await;
        let (request, told) = refused_delivery(&server, &error).await;
        let answer = request.send().await;
        check_told(&answer, told);
        let is_retried = matches!(error, DeliverError::Busy { .. } | DeliverError::Unavailable);
        let retry_after = answer.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
        assert_eq!(retry_after.is_some_and(|seconds| seconds > 0), is_retried, "{error}");
        drop(taken);
    }
}

#[tokio::test]
async fn a_path_that_is_no_images_is_refused_before_anyone_is_asked() {
    let server = TestServer::start().await;
    let get = |path: &str| server.request("GET", path);
    let undecodable = format!("/{HASH}/a%/public");
    for (request, told) in [
        (get("/nothing"), (404, 9431, "Not found")),
        (get(&undecodable), (403, 9426, "The URL of imagedelivery.net has invalid text part")),
        (get("/cdn-cgi/image/w=5"), (403, 9401, "Transformation origin is not in allowed origins list")),
    ] {
        check_told(&request.send().await, told);
    }
    let posted = server.request("POST", &format!("/{HASH}/a/public")).send().await;
    check_told(&posted, (405, 5405, "Method not allowed"));
    assert_eq!(posted.header("allow"), Some("GET, HEAD, OPTIONS"));
}
