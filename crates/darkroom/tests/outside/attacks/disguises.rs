//! Files that are an image and something else: what else they are is not sent.

use super::files::{jpeg_with_segment, photo_gif, png_chunk};
use super::{Fate, NOT_AN_IMAGE, Target, UPLOAD_NOT_AN_IMAGE, check_fate, check_picture_headers};
use crate::common::pictures::{PHOTO, PNG};

/// What a browser or a server would run, and what is looked for in what is sent.
const PAYLOADS: [&str; 3] = [
    "/*--><html><script>alert('darkroom')</script><!--*/=1;alert('darkroom');/*",
    "<?php system($_GET['darkroom']); ?>",
    "PK\x03\x04darkroom.html",
];

const FORMATS: [(&str, &str); 4] =
    [("jpeg", "image/jpeg"), ("png-force", "image/png"), ("webp", "image/webp"), ("avif", "image/avif")];

/// Uploads an image with something else in it, and checks that no rendition of it has any of that.
async fn check_plain(target: &Target, name: &str, media_type: &str, file: &[u8], payload: &str) {
    assert!(has(file, payload.as_bytes()), "{name} has its payload");
    for (format, media_type) in FORMATS {
        let options = format!("w=40,h=30,fit=squeeze,format={format}");
        let answer = target.check(name, file, &options, None, Fate::Picture(media_type, 40, 30)).await;
        assert!(!has(&answer.body, b"darkroom"), "{name} as {media_type}");
    }
    // In the format that it has, at its own size; and with all metadata that may be kept.
    let id = target.new_name();
    target.store(&id, file).await;
    for options in ["public", "metadata=keep,q=80"] {
        let answer = target.hosted(&id, options).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        check_picture_headers(name, &answer, media_type);
        assert!(!has(&answer.body, b"darkroom"), "{name} as {options}");
    }
    // Its owner, who has a token, gets all of it back, as the image that it is.
    let blob = target.server.call("GET", &format!("/images/v1/{id}/blob")).send().await;
    assert!(blob.status == 200 && blob.body == file, "{name}");
    assert_eq!(blob.header("content-type"), Some(media_type), "{name}");
    assert_eq!(blob.header("x-content-type-options"), Some("nosniff"), "{name}");
}

fn has(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

#[tokio::test]
async fn gifs_that_are_scripts() {
    let target = Target::start().await;
    let small = target.hosted("ordinary", "w=80,h=60,fit=crop,format=png-force").await.body;
    let gif = photo_gif(&small, 80, 60);
    for payload in PAYLOADS {
        // Behind the colours, before the first frame.
        let at = 13 + 3 * 256;
        let comment = [&[b'!', 0xfe, payload.len() as u8], payload.as_bytes(), &[0]].concat();
        let commented = [&gif[..at], &comment, &gif[at..]].concat();
        check_plain(&target, "GIF with a comment", "image/gif", &commented, payload).await;
        let followed = [&gif[..], payload.as_bytes()].concat();
        check_plain(&target, "GIF with something behind it", "image/gif", &followed, payload).await;
    }
    // Its width begins a comment of a script, which its end closes.
    let mut script = gif.clone();
    script[6..8].copy_from_slice(b"/*");
    script.extend(b"*/=1;alert('darkroom')");
    let answer = target.remote(&script, "w=40,format=webp").await;
    check_fate("GIF whose head is a script", &answer, "cf-resized", Fate::Picture("image/webp", 40, 1));
    target.stop().await;
}

#[tokio::test]
async fn jpegs_with_pages_in_their_segments() {
    let target = Target::start().await;
    for payload in PAYLOADS {
        for (name, marker, head) in [
            ("JPEG with a comment", 0xfe, &b""[..]),
            ("JPEG with XMP", 0xe1, b"http://ns.adobe.com/xap/1.0/\0"),
            ("JPEG with a segment of an application", 0xef, b""),
        ] {
            let file = jpeg_with_segment(PHOTO, marker, &[head, payload.as_bytes()].concat());
            check_plain(&target, name, "image/jpeg", &file, payload).await;
        }
        check_plain(
            &target,
            "JPEG with something behind it",
            "image/jpeg",
            &[PHOTO, payload.as_bytes()].concat(),
            payload,
        )
        .await;
    }
    target.stop().await;
}

#[tokio::test]
async fn pngs_with_archives_behind_them() {
    let target = Target::start().await;
    let png = target.hosted("ordinary", "w=80,format=png-force").await.body;
    let header = 8 + 25;
    for payload in PAYLOADS {
        check_plain(
            &target,
            "PNG with something behind it",
            "image/png",
            &[&png[..], payload.as_bytes()].concat(),
            payload,
        )
        .await;
        for (kind, head) in [(b"tEXt", &b"Comment\0"[..]), (b"iTXt", b"Comment\0\0\0\0\0"), (b"pwNd", b"")] {
            let chunk = png_chunk(kind, &[head, payload.as_bytes()].concat());
            let file = [&png[..header], &chunk, &png[header..]].concat();
            check_plain(&target, "PNG with a text", "image/png", &file, payload).await;
        }
    }
    target.stop().await;
}

#[tokio::test]
async fn what_begins_as_something_else_is_no_image() {
    let target = Target::start().await;
    for beginning in [
        "%PDF-1.7\n",
        "<!DOCTYPE html><html>",
        "<html><svg xmlns='http://www.w3.org/2000/svg'/>",
        "PK\x03\x04",
        "#!/bin/sh\n",
        " ",
    ] {
        for image in [PHOTO, PNG] {
            let file = [beginning.as_bytes(), image].concat();
            let options = "w=40,format=jpeg";
            target.check(beginning, &file, options, UPLOAD_NOT_AN_IMAGE, NOT_AN_IMAGE).await;
        }
    }
    target.stop().await;
}

/// Every upload of these tests is named `picture.png`, and the origin says that all it has is HTML.
#[tokio::test]
async fn a_drawing_named_as_a_picture_is_a_drawing() {
    let target = Target::start().await;
    let svg =
        b"<svg xmlns='http://www.w3.org/2000/svg' width='4' height='3'><script>darkroom()</script></svg>";
    let fate = Fate::Picture("image/svg+xml", 4, 3);
    for options in ["w=40", "format=svg"] {
        let answer = target.check("SVG", svg, options, None, fate).await;
        assert!(!has(&answer.body, b"script") && !has(&answer.body, b"darkroom"), "{}", answer.text());
    }
    let words = "Conversion between SVG and raster formats is not supported";
    for format in ["jpeg", "png-force", "webp", "avif"] {
        let refused = Fate::Refused(415, 9412, words);
        target.check("SVG", svg, &format!("format={format}"), None, refused).await;
    }
    target.stop().await;
}
