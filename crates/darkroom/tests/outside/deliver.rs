//! `GET /{hash}/{image…}/{variant or options}` (reference: delivery §1, §2, §10, §11).

use darkroom_model::{AccountConfigEdit, AccountId, AccountSettingsChange, Timestamp, signature};

use super::common::client::{Answer, Form};
use super::common::{ACCOUNT, HASH, TestServer, pictures};

/// Asserts that this is a refusal of delivery.
#[track_caller]
fn check_refusal(answer: &Answer, status: u16, code: u32, message: &str) {
    assert_eq!((answer.status, answer.text()), (status, format!("ERROR {code}: {message}")));
    assert_eq!(answer.header("cf-images"), Some(format!("err={code}").as_str()));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_public_image_is_for_everyone() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a/b c%/d.png")]).await;
    for path in [
        format!("/{HASH}/a/b%20c%25/d.png/public"),
        format!("/{HASH}/a%2Fb%20c%25%2fd.png/public"),
        format!("/cdn-cgi/imagedelivery/{HASH}/a/b%20c%25/d.png/public"),
        format!("/{HASH}/a/b%20c%25/d.png/public?sig=0123&exp=1&other"),
    ] {
        let answer = server.request("GET", &path).send().await;
        assert_eq!((answer.status, &answer.body[..]), (200, pictures::PNG), "{path}");
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", "67"),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", "*"),
            (
                "content-security-policy",
                "default-src 'none'; navigate-to 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline';",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        let head = server.request("HEAD", &path).send().await;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("67")));
        assert_eq!(head.header("etag"), answer.header("etag"));
    }
}

#[tokio::test]
async fn a_client_that_has_the_image_gets_304() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a")]).await;
    let path = format!("/{HASH}/a/public");
    let etag = server.request("GET", &path).send().await.header("etag").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let same = server.request(method, &path).header("if-none-match", &etag).send().await;
        assert_eq!((same.status, same.body.len()), (304, 0));
        assert_eq!(same.header("etag"), Some(etag.as_str()));
        assert_eq!(same.header("cache-control"), Some("no-cache"));
    }
    // The tag of the blob is another: a rendition will not be the original.
    let blob = server.call("GET", "/images/v1/a/blob").send().await;
    assert_ne!(blob.header("etag"), Some(etag.as_str()));
    // Who may not see it, or what is gone, is told so whatever the client has.
    server.call("DELETE", "/images/v1/a").send().await.result();
    let gone = server.request("GET", &path).header("if-none-match", &etag).send().await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn refusals_come_in_the_order_of_the_reference() {
    let server = TestServer::start_on_disk().await;
    let get = async |path: &str| server.request("GET", path).send().await;
    server.uploaded(&[("id", "a")]).await;
    let private = server.uploaded(&[("requireSignedURLs", "true")]).await;
    for path in
        ["/", "/a", "/favicon.ico", "/a/b", &format!("/{HASH}/a/public/"), &format!("/{HASH}//public")]
    {
        check_refusal(&get(path).await, 404, 9431, "Not found");
    }
    for path in [format!("/{HASH}/%ff/public"), format!("/{HASH}/a%/public"), format!("/{HASH}/a%2/public")] {
        let message = "The URL of imagedelivery.net has invalid text part";
        check_refusal(&get(&path).await, 403, 9426, message);
    }
    let message = "Image access denied with incorrect account id";
    for path in ["/unknown/nothing/none", "/unknown/a%00/public", "/unknown/%2e%2e/public"] {
        check_refusal(&get(path).await, 403, 9427, message);
    }
    let message = "Could not fetch the image — the server returned HTTP error 404 Not Found";
    for path in ["nothing/none", "nothing/w=5", "%2e%2e/public", "a%00/public"] {
        check_refusal(&get(&format!("/{HASH}/{path}")).await, 404, 9404, message);
    }
    let message = "Image access denied: This account doesn't have variant with this name";
    for id in ["a", &private] {
        check_refusal(&get(&format!("/{HASH}/{id}/none")).await, 403, 9425, message);
        check_refusal(&get(&format!("/{HASH}/{id}/Public")).await, 403, 9425, message);
    }
    let message = "Flexible variants are not enabled for the account";
    check_refusal(&get(&format!("/{HASH}/a/w=5")).await, 403, 9429, message);
    let message = "Image access denied: check failed: The URL signature is missing";
    check_refusal(&get(&format!("/{HASH}/{private}/public")).await, 403, 9425, message);
    let signed = get(&format!("/{HASH}/{private}/public?exp=4102444800&sig=00")).await;
    check_refusal(
        &signed,
        403,
        9425,
        "Image access denied: check failed: Malformed data found: The URL signature does not match. Expecting SHA-256 HMAC of the path without domain nor query string",
    );
}

#[tokio::test]
async fn a_private_image_is_for_who_has_a_signed_url() {
    let server = TestServer::start_on_disk().await;
    server.clock.set(Timestamp(1_735_689_600_000));
    let private = server.uploaded(&[("requireSignedURLs", "true")]).await;
    let account = AccountId::parse(ACCOUNT).unwrap();
    let settings = server.service().account_settings(&account).await.unwrap();
    let (_, key) = settings.signing_keys().next().unwrap();
    let get = async |path: &str, message: &str| {
        let sig = signature::sign(key, message);
        let separator = if path.contains('?') { '&' } else { '?' };
        server.request("GET", &format!("{path}{separator}sig={sig}")).send().await
    };
    let path = format!("/{HASH}/{private}/public");
    let own = format!("/cdn-cgi/imagedelivery{path}");
    for (url, message) in [
        (path.clone(), path.clone()),
        (own.clone(), own.clone()),
        (own.clone(), path.clone()),
        (format!("{path}?exp=1735689600"), format!("{path}?exp=1735689600")),
        (format!("{path}?a=b/c&exp=4102444800"), format!("{path}?a=b%2Fc&exp=4102444800")),
    ] {
        let answer = get(&url, &message).await;
        assert_eq!((answer.status, &answer.body[..]), (200, pictures::PNG), "{url}");
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    }
    let late = get(&format!("{path}?exp=1735689599"), &format!("{path}?exp=1735689599")).await;
    check_refusal(&late, 403, 9425, "Image access denied: check failed: The URL signature has expired");
    let moved = get(&format!("{path}?exp=4102444800"), &path).await;
    assert_eq!(moved.status, 403);

    let flexible = AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() };
    let change = AccountSettingsChange::EditConfig(flexible);
    server.service().change_account_settings(&account, change).await.unwrap();
    let options = format!("/{HASH}/{private}/w=5");
    let message = "Image access denied: Flexible variants can not be used for private images";
    check_refusal(&get(&options, &options).await, 403, 9425, message);
    server.uploaded(&[("id", "a")]).await;
    let answer = server.request("GET", &format!("/{HASH}/a/w=5")).send().await;
    check_refusal(&answer, 501, 5501, "Not implemented: flexible variants");
    let answer = server.request("GET", &format!("/{HASH}/a/w=5,blur=300")).send().await;
    let message = "Missing or invalid resizing parameters: blur is '300', expected a number from 0 to 250";
    check_refusal(&answer, 400, 9401, message);
}

#[tokio::test]
async fn an_svg_waits_for_its_sanitiser() {
    let server = TestServer::start_on_disk().await;
    let form = Form::default().field("id", "s").file("a.svg", pictures::SVG);
    server.call("POST", "/images/v1").form(&form).send().await.result();
    let answer = server.request("GET", &format!("/{HASH}/s/public")).send().await;
    check_refusal(&answer, 415, 9520, "Original image has unsupported format");
}

#[tokio::test]
async fn images_are_only_read() {
    let server = TestServer::start_on_disk().await;
    let path = format!("/{HASH}/a/public");
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let answer = server.request(method, &path).body("x").send().await;
        check_refusal(&answer, 405, 5405, "Method not allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let preflight = server.request("OPTIONS", &path).header("origin", "https://example.com").send().await;
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
}
