//! `GET /{hash}/{image…}/{variant or options}` (reference: delivery §1, §2, §10, §11).

use darkroom_model::{AccountConfigEdit, AccountId, AccountSettingsChange, Timestamp, signature};

use super::common::client::{Answer, Form};
use super::common::{ACCOUNT, HASH, TestServer, pictures};

/// Asserts that this is a refusal of delivery.
#[track_caller]
fn check_refusal(answer: &Answer, status: u16, code: u32, message: &str) {
    assert_eq!(answer.status, status, "{message}");
    assert_eq!(answer.text(), format!("ERROR {code}: {message}"));
    assert_eq!(answer.header("cf-images"), Some(format!("err={code}").as_str()));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

/// Starts a server on which URLs may have options of their own.
async fn flexible() -> TestServer {
    let server = TestServer::start_on_disk().await;
    configure(&server, AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() })
        .await;
    server
}

async fn configure(server: &TestServer, edit: AccountConfigEdit) {
    let account = AccountId::parse(ACCOUNT).unwrap();
    let change = AccountSettingsChange::EditConfig(edit);
    server.service().change_account_settings(&account, change).await.unwrap();
}

async fn upload(server: &TestServer, id: &str, file: &[u8]) {
    let form = Form::default().field("id", id).file("a", file);
    server.call("POST", "/images/v1").form(&form).send().await.result();
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
        assert_eq!(
            (answer.status, pictures::kind_of(&answer.body)),
            (200, Some(("image/png", 1, 1))),
            "{path}"
        );
        let length = answer.body.len().to_string();
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", &length),
            ("cache-control", "public, max-age=172800, stale-while-revalidate=7200"),
            ("vary", "accept"),
            ("accept-ranges", "bytes"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", "*"),
            (
                "content-security-policy",
                "default-src 'none'; navigate-to 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline';",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("warning"), None);
        let head = server.request("HEAD", &path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-type", "content-length", "cache-control", "vary", "accept-ranges", "etag"] {
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }
}

#[tokio::test]
async fn variants_and_options_are_rendered() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    for options in [
        r#"{"id":"thumb","options":{"fit":"cover","width":100,"height":80}}"#,
        r#"{"id":"wide","options":{"width":200}}"#,
        r#"{"id":"plain","options":{}}"#,
    ] {
        server.call("POST", "/images/v1/variants").json(options).send().await.result();
    }
    for (form, expected) in [
        ("public", ("image/jpeg", 640, 427)),
        ("plain", ("image/jpeg", 640, 427)),
        ("thumb", ("image/jpeg", 100, 80)),
        ("wide", ("image/jpeg", 200, 133)),
        ("w=320", ("image/jpeg", 320, 214)),
        ("width=320,height=100,fit=squeeze", ("image/jpeg", 320, 100)),
        ("w=100,dpr=2", ("image/jpeg", 200, 133)),
        ("w=100,format=png-force", ("image/png", 100, 67)),
        ("w=100,h=100,fit=crop,format=webp,compression=fast", ("image/jpeg", 100, 100)),
        ("w=nonsense,unknown=1", ("image/jpeg", 640, 427)),
    ] {
        for prefix in ["", "/cdn-cgi/imagedelivery"] {
            let answer = server.request("GET", &format!("{prefix}/{HASH}/photo/{form}")).send().await;
            assert_eq!(answer.status, 200, "{form}: {}", answer.text());
            assert_eq!(pictures::kind_of(&answer.body), Some(expected), "{form}");
            assert_eq!(answer.header("content-type"), Some(expected.0), "{form}");
        }
    }
}

#[tokio::test]
async fn the_best_format_that_a_client_names_is_sent() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let get = async |form: &str, accept: Option<&str>| {
        let request = server.request("GET", &format!("/{HASH}/photo/{form}"));
        let request = accept.iter().fold(request, |request, accept| request.header("accept", accept));
        request.send().await
    };
    let mut etags = Vec::new();
    for (accept, expected) in [
        (None, "image/jpeg"),
        (Some("image/webp,*/*"), "image/webp"),
        (Some("*/*"), "image/jpeg"),
        (Some("image/*"), "image/jpeg"),
        (Some("image/webp;q=0, image/avif;q=0.0"), "image/jpeg"),
        (Some("IMAGE/WEBP;q=0.5"), "image/webp"),
    ] {
        let answer = get("w=50", accept).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!((answer.header("content-type"), answer.header("vary")), (Some(expected), Some("accept")));
        etags.push((expected, answer.header("etag").unwrap().to_owned()));
    }
    // Who gets the same gets it under the same tag, and nobody else does.
    for (one, one_tag) in &etags {
        for (other, other_tag) in &etags {
            assert_eq!(one == other, one_tag == other_tag);
        }
    }
    // What a client has in one format it does not have in another.
    let jpeg = &etags[0].1;
    let request = server.request("GET", &format!("/{HASH}/photo/w=50")).header("accept", "image/webp");
    assert_eq!(request.header("if-none-match", jpeg).send().await.status, 200);
    let webp = get("w=100,f=webp", None).await;
    assert_eq!(pictures::kind_of(&webp.body), Some(("image/webp", 100, 67)));
    // A format that is asked for is no question of the client.
    for form in ["w=50,format=webp", "w=50,format=jpeg", "w=50,format=auto,compression=fast"] {
        let (plain, browser) = (get(form, None).await, get(form, Some("image/webp")).await);
        assert_eq!((plain.header("vary"), browser.header("vary")), (None, None), "{form}");
        assert_eq!(plain.header("etag"), browser.header("etag"), "{form}");
        assert_eq!(plain.body, browser.body, "{form}");
    }
}

#[tokio::test]
async fn a_width_may_be_left_to_the_screen() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    for (headers, width) in [
        (&[("sec-ch-viewport-width", "300"), ("sec-ch-dpr", "1")][..], 320),
        (&[("sec-ch-viewport-width", "300"), ("sec-ch-dpr", "2")], 640),
        (&[("user-agent", "Mozilla/5.0 (iPhone) Mobile/15E148")], 320),
        (&[], 640),
    ] {
        let request = server.request("GET", &format!("/{HASH}/photo/width=auto,format=jpeg"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.send().await;
        // The photograph is 640 pixels wide, and is not enlarged.
        assert_eq!(pictures::kind_of(&answer.body).unwrap().1, width, "{headers:?}");
        assert_eq!(answer.header("vary"), Some("sec-ch-viewport-width, sec-ch-dpr, user-agent"));
    }
    let fixed = server.request("GET", &format!("/{HASH}/photo/width=320,format=jpeg")).send().await;
    assert_eq!(fixed.header("vary"), None);
    // The width that was chosen is the one thing that counts.
    assert!(fixed.header("cf-images").unwrap().starts_with("internal=ok/h "));
}

#[tokio::test]
async fn how_long_it_is_kept_is_for_variant_and_account_to_say() {
    let server = flexible().await;
    server.uploaded(&[("id", "a")]).await;
    let quick = r#"{"id":"quick","options":{"width":5,"browser_ttl":3600}}"#;
    server.call("POST", "/images/v1/variants").json(quick).send().await.result();
    let kept = async |form: &str| {
        let answer = server.request("GET", &format!("/{HASH}/a/{form}")).send().await;
        answer.header("cache-control").unwrap().to_owned()
    };
    for (account, variant, expected) in
        [(None, "quick", 3_600), (None, "public", 172_800), (None, "w=5", 172_800)].into_iter().chain([
            (Some(7_200), "quick", 3_600),
            (Some(7_200), "public", 7_200),
            (Some(7_200), "w=5", 7_200),
        ])
    {
        if account.is_some() {
            configure(&server, AccountConfigEdit { browser_ttl: account, ..AccountConfigEdit::default() })
                .await;
        }
        let expected = format!("public, max-age={expected}, stale-while-revalidate=7200");
        assert_eq!(kept(variant).await, expected, "{account:?} {variant}");
    }
}

#[tokio::test]
async fn what_is_not_quite_as_asked_is_said() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let get = async |form: &str| server.request("GET", &format!("/{HASH}/photo/{form}")).send().await;
    for (form, expected) in [
        ("w=10,dpr=5", "cf-images 299 \"dpr > 3 should never be used\""),
        ("w=10,format=png", "cf-images 299 \"JPEG vs PNG selection is automatic\""),
        ("w=10,upscale=generate", "cf-images 299 \"upscale=generate is not available\""),
        ("w=10,what%22ever%0d%0a=1", "cf-images 299 \"unknown option 'what22ever0d0a'\""),
    ] {
        // The same again from the cache.
        for _ in 0..2 {
            let answer = get(form).await;
            assert_eq!((answer.status, answer.header("warning")), (200, Some(expected)), "{form}");
        }
    }
    let many: String = (0..100).map(|number| format!(",x{number}=1")).collect();
    assert_eq!(get(&format!("w=10{many}")).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_rendered_is_refused_and_not_kept() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    // Its header is whole; what follows is pixels of another picture.
    upload(&server, "damaged", &pictures::png_of_size(90, 90)).await;
    let get = async |path: &str| server.request("GET", &format!("/{HASH}/{path}")).send().await;
    for _ in 0..2 {
        let answer = get("damaged/w=5").await;
        let words = "ERROR 9516: Could not resize the image: error during decoding: ";
        assert_eq!((answer.status, answer.header("cf-images")), (422, Some("err=9516")), "{}", answer.text());
        assert!(answer.text().starts_with(words), "{}", answer.text());
        assert_eq!((answer.header("cache-control"), answer.header("etag")), (Some("no-store"), None));
    }
    for (path, status, code, message) in [
        (
            "photo/w=50000,h=50000,fit=squeeze",
            403,
            9413,
            "Could not resize the image: The image enlarged too much: 50000×50000, but maximum dimension allowed is 12000",
        ),
        (
            "photo/w=5,segment=foreground",
            400,
            9401,
            "Missing or invalid resizing parameters: segment is 'foreground', expected not to be asked for: telling \
             foreground from background is not available",
        ),
        (
            "photo/foo=1",
            400,
            9401,
            "Missing or invalid resizing parameters: expected at least one option, such as width=400",
        ),
    ] {
        check_refusal(&get(path).await, status, code, message);
    }
    assert_eq!(get("photo/w=5").await.status, 200);
}

#[tokio::test]
async fn a_fault_of_the_server_has_an_id() {
    let server = TestServer::start_on_disk().await;
    server.uploaded(&[("id", "a")]).await;
    std::fs::remove_dir_all(server.folder.path().join("data/originals")).unwrap();
    let get = async || server.request("GET", &format!("/{HASH}/a/public")).send().await;
    let (one, other) = (get().await, get().await);
    let words = "ERROR 9523: Internal error. This isn't supposed to happen, please reach out to customer support with \
                 error id: ";
    let id = one.text().strip_prefix(words).unwrap().to_owned();
    assert_eq!((one.status, id.len(), id.matches('-').count()), (500, 36, 4));
    assert_ne!(one.text(), other.text());
}

#[tokio::test]
async fn an_animation_too_large_to_render_is_sent_as_it_is() {
    let server = flexible().await;
    let large = pictures::gif_of_frames(1_000, 1_000, 51);
    upload(&server, "large", &large).await;
    let get = |form: &str| server.request("GET", &format!("/{HASH}/large/{form}"));
    for form in ["public", "w=5", "w=5,format=webp"] {
        let answer = get(form).send().await;
        assert!(answer.status == 200 && answer.body == large, "{form}");
        assert_eq!(answer.header("content-type"), Some("image/gif"));
        assert_eq!(answer.header("content-length"), Some(large.len().to_string().as_str()));
        assert!(answer.header("cf-images").unwrap().starts_with("internal=ok/m q=0 n=0 c=0 "));
        assert!(answer.header("content-security-policy").is_some());
        let etag = answer.header("etag").unwrap();
        assert_eq!(get(form).header("if-none-match", etag).send().await.status, 304);
        let part = get(form).header("range", "bytes=0-5").send().await;
        assert_eq!((part.status, &part.body[..]), (206, &b"GIF89a"[..]));
    }
}

#[tokio::test]
async fn a_part_of_a_rendition_is_a_part_of_its_bytes() {
    let server = flexible().await;
    upload(&server, "photo", pictures::PHOTO).await;
    let request = server.request("GET", &format!("/{HASH}/photo/w=200,format=jpeg"));
    let whole = request.send().await;
    let length = whole.body.len();
    for (range, first, last) in
        [("bytes=0-0", 0, 0), ("bytes=10-99", 10, 99), ("bytes=-5", length - 5, length - 1)]
    {
        let part = request.clone().header("range", range).send().await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[first..=last]), "{range}");
        let content_range = format!("bytes {first}-{last}/{length}");
        assert_eq!(part.header("content-range"), Some(content_range.as_str()));
        assert_eq!(part.header("content-type"), Some("image/jpeg"));
        assert_eq!(part.header("etag"), whole.header("etag"));
    }
    let beyond = request.clone().header("range", format!("bytes={length}-").as_str()).send().await;
    assert_eq!((beyond.status, beyond.body.len()), (416, 0));
    let other = request.clone().header("range", "bytes=0-0").header("if-range", "\"other\"").send().await;
    assert_eq!((other.status, other.body.len()), (200, length));
}

#[tokio::test]
async fn a_client_that_has_the_image_gets_304() {
    let server = flexible().await;
    server.uploaded(&[("id", "a")]).await;
    // What could not be rendered need not be: the client has it.
    upload(&server, "damaged", &pictures::png_of_size(90, 90)).await;
    let path = format!("/{HASH}/a/public");
    let etag = server.request("GET", &path).send().await.header("etag").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let same = server.request(method, &path).header("if-none-match", &etag).send().await;
        assert_eq!((same.status, same.body.len()), (304, 0));
        assert_eq!(same.header("etag"), Some(etag.as_str()));
        assert_eq!(same.header("vary"), Some("accept"));
        let kept = "public, max-age=172800, stale-while-revalidate=7200";
        assert_eq!(same.header("cache-control"), Some(kept));
    }
    for form in ["w=5", "w=6"] {
        let request = server.request("HEAD", &format!("/{HASH}/a/{form}")).header("if-none-match", &etag);
        assert_eq!(request.send().await.status, 200, "{form}");
    }
    let damaged = server.request("GET", &format!("/{HASH}/damaged/public"));
    assert_eq!(damaged.send().await.status, 422);
    assert_eq!(damaged.header("if-none-match", "*").send().await.status, 304);
    // The tag of the blob is another: a rendition is not the original.
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
    for (url, message, seconds) in [
        (path.clone(), path.clone(), 3_600),
        (own.clone(), own.clone(), 3_600),
        (own.clone(), path.clone(), 3_600),
        (format!("{path}?exp=1735689600"), format!("{path}?exp=1735689600"), 0),
        (format!("{path}?exp=1735690200"), format!("{path}?exp=1735690200"), 600),
        (format!("{path}?a=b/c&exp=4102444800"), format!("{path}?a=b%2Fc&exp=4102444800"), 3_600),
    ] {
        let answer = get(&url, &message).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")), "{url}");
        let expected = format!("private, max-age={seconds}");
        assert_eq!(answer.header("cache-control"), Some(expected.as_str()), "{url}");
    }
    // A variant that never takes a signature is as public as any.
    let open = r#"{"id":"open","options":{},"neverRequireSignedURLs":true}"#;
    server.call("POST", "/images/v1/variants").json(open).send().await.result();
    let answer = server.request("GET", &format!("/{HASH}/{private}/open")).send().await;
    assert!(answer.header("cache-control").unwrap().starts_with("public, "));
    let late = get(&format!("{path}?exp=1735689599"), &format!("{path}?exp=1735689599")).await;
    check_refusal(&late, 403, 9425, "Image access denied: check failed: The URL signature has expired");
    let moved = get(&format!("{path}?exp=4102444800"), &path).await;
    assert_eq!(moved.status, 403);

    configure(&server, AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() })
        .await;
    let options = format!("/{HASH}/{private}/w=5");
    let message = "Image access denied: Flexible variants can not be used for private images";
    check_refusal(&get(&options, &options).await, 403, 9425, message);
    server.uploaded(&[("id", "a")]).await;
    let answer = server.request("GET", &format!("/{HASH}/a/w=5,blur=300")).send().await;
    let message = "Missing or invalid resizing parameters: blur is '300', expected a number from 0 to 250";
    check_refusal(&answer, 400, 9401, message);
}

#[tokio::test]
async fn an_svg_is_never_sent_as_it_is() {
    let server = flexible().await;
    upload(&server, "s", pictures::SVG).await;
    for form in ["public", "w=5", "format=svg", "format=png-force"] {
        let answer = server.request("GET", &format!("/{HASH}/s/{form}")).send().await;
        assert!(!answer.text().contains("<script"), "{form}");
    }
    let raster = server.request("GET", &format!("/{HASH}/s/format=jpeg")).send().await;
    check_refusal(&raster, 415, 9412, "Conversion between SVG and raster formats is not supported");
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
