//! Small files that claim, or become, very much.

use super::files::{
    avif_grid, avif_that_claims, flat_gif, flat_webp, flat_webp_animation, gif_of_dots, jpeg_of_scans,
    jpeg_that_claims, png, zeros,
};
use super::{
    DAMAGED, Fate, NOT_AN_IMAGE, TOO_LARGE, Target, UPLOAD_DAMAGED, UPLOAD_TOO_LARGE, pixels, sources,
};
use crate::common::client::Answer;
use crate::common::pictures;

const STILL_AVIF: &[u8] = include_bytes!("../../../../darkroom-transform/tests/pictures/still.avif");
const GRID_AVIF: &[u8] = include_bytes!("../../../../darkroom-transform/tests/pictures/grid.avif");

/// The side of a thumbnail that is asked for.
const SMALL: Fate = Fate::Picture("image/png", 50, 50);
const THUMBNAIL: &str = "w=50,h=50,fit=squeeze,format=png-force";

/// Says whether a PNG has one colour, give or take what a lossy format does.
fn is_flat(answer: &Answer, color: [u8; 3]) -> bool {
    let is_close = |pixel: [u8; 3]| (0..3).all(|sample| pixel[sample].abs_diff(color[sample]) < 3);
    pixels(&answer.body).into_iter().all(is_close)
}

#[tokio::test]
async fn headers_of_sixteen_bits_a_side_are_refused_before_anything_is_decoded() {
    let target = Target::start().await;
    for (name, file) in [
        ("JPEG", sources::jpeg(65_535, 65_535)),
        ("PNG", sources::png(65_535, 65_535)),
        ("GIF", sources::gif(65_535, 65_535, &[(0, 0, 1, 1)])),
        ("frame of a GIF", sources::gif(1, 1, &[(0, 0, 65_535, 65_535)])),
        ("WebP", sources::webp_extended(65_535, 65_535, &[(0, 0, 1, 1)])),
        ("lossy WebP", sources::webp_lossy(16_383, 16_383)),
        ("AVIF", sources::avif(65_535, 65_535)),
    ] {
        assert!(file.len() < 250, "{name}: {}", file.len());
        target.check(name, &file, THUMBNAIL, UPLOAD_TOO_LARGE, TOO_LARGE).await;
    }
    target.stop().await;
}

#[tokio::test]
async fn pngs_that_inflate() {
    let target = Target::start().await;
    // As large as is let in, in some hundred kilobytes.
    let largest = png(10_000, 10_000, &[], &zeros(10_001 * 10_000));
    assert!(largest.len() < 110_000, "{}", largest.len());
    let answer = target.check("largest", &largest, THUMBNAIL, None, SMALL).await;
    assert!(is_flat(&answer, [0; 3]));
    let whole = Fate::Picture("image/jpeg", 10_000, 10_000);
    target.check_upload("largest, as it is", &largest, "format=jpeg", None, whole).await;
    let beyond = png(10_001, 10_000, &[], &zeros(1_000));
    target.check("beyond", &beyond, THUMBNAIL, UPLOAD_TOO_LARGE, TOO_LARGE).await;
    // What is behind the last pixel is not inflated, or not kept.
    let bomb = zeros(256 << 20);
    target.check("pixels", &png(10, 10, &[], &bomb), THUMBNAIL, None, SMALL).await;
    target.check("too few pixels", &png(10_000, 10_000, &[], &zeros(10_000)), THUMBNAIL, None, DAMAGED).await;
    for (kind, head) in
        [(b"zTXt", &b"Comment\0\0"[..]), (b"iTXt", b"Comment\0\x01\0\0\0"), (b"iCCP", b"sRGB\0\0")]
    {
        let name = String::from_utf8_lossy(kind);
        let file = png(10, 10, &[(kind, [head, &bomb].concat())], &zeros(110));
        target.check(&name, &file, THUMBNAIL, None, SMALL).await;
    }
    let texts = vec![(b"zTXt", [&b"Comment\0\0"[..], &zeros(1 << 20)].concat()); 200];
    target.check("many texts", &png(10, 10, &texts, &zeros(110)), THUMBNAIL, None, SMALL).await;
    target.stop().await;
}

#[tokio::test]
async fn gifs_of_many_pixels() {
    let target = Target::start().await;
    let flat = flat_gif(10_000, 10_000);
    assert!(flat.len() < 200_000, "{}", flat.len());
    let answer = target.check("one frame", &flat, THUMBNAIL, None, SMALL).await;
    assert!(is_flat(&answer, [0; 3]));
    let whole = Fate::Picture("image/jpeg", 10_000, 10_000);
    target.check_upload("one frame, as it is", &flat, "format=jpeg", None, whole).await;
    // The first frame is to go away again; of the second, which is not asked for, comes nothing.
    let mut restored = flat.clone();
    let extension = restored.windows(3).position(|window| window == b"!\xf9\x04").unwrap();
    restored[extension + 3] = 3 << 2;
    target.check("restored", &restored, THUMBNAIL, None, SMALL).await;
    // A large screen and frames of one pixel: each is as much work as a large one.
    let many = gif_of_dots(1_000, 1_000, 50);
    assert!(many.len() < 2_000);
    let animation = "w=50,format=webp";
    target
        .check("as many as are worked on", &many, animation, None, Fate::Picture("image/webp", 50, 50))
        .await;
    let words = "Could not resize the image: The animation is too large. Animation resolution is 1000×1000";
    let refused = Fate::Refused(403, 9413, words);
    let upload = Some((413, 5443));
    target.check("too many", &gif_of_dots(1_000, 1_000, 101), animation, upload, refused).await;
    target.check("millions", &gif_of_dots(1_000, 1_000, 300_000), animation, upload, refused).await;
    // Its first frame alone is none too large.
    target.check("the first of many", &gif_of_dots(1_000, 1_000, 300_000), THUMBNAIL, upload, SMALL).await;
    let dots = gif_of_dots(2, 2, 20_000);
    target.check("dots", &dots, "w=1,format=webp", None, Fate::Picture("image/webp", 1, 1)).await;
    target.stop().await;
}

#[tokio::test]
async fn webps_of_many_pixels() {
    let target = Target::start().await;
    let flat = flat_webp(16_383, 6_103);
    assert!(flat.len() < 50, "{}", flat.len());
    let answer = target.check("one frame", &flat, THUMBNAIL, None, SMALL).await;
    assert!(is_flat(&answer, [0, 200, 0]));
    let beyond = flat_webp(16_383, 16_383);
    target.check("beyond", &beyond, THUMBNAIL, UPLOAD_TOO_LARGE, TOO_LARGE).await;
    let animation = "w=50,format=webp";
    let many = flat_webp_animation(1_000, 1_000, 50);
    target
        .check("as many as are worked on", &many, animation, None, Fate::Picture("image/webp", 50, 50))
        .await;
    let words = "Could not resize the image: The animation is too large. Animation resolution is 1000×1000";
    let refused = Fate::Refused(403, 9413, words);
    let upload = Some((413, 5443));
    target.check("too many", &flat_webp_animation(1_000, 1_000, 101), animation, upload, refused).await;
    let dots = flat_webp_animation(2, 2, 10_000);
    target.check("dots", &dots, "w=1,format=webp", None, Fate::Picture("image/webp", 1, 1)).await;
    target.stop().await;
}

#[tokio::test]
async fn avifs_that_claim_much() {
    let target = Target::start().await;
    for (name, avif) in [("still", STILL_AVIF), ("grid", GRID_AVIF)] {
        let beyond = avif_that_claims(avif, 65_535, 65_535);
        target.check(name, &beyond, THUMBNAIL, UPLOAD_TOO_LARGE, TOO_LARGE).await;
        // As large as is let in; what is coded is tiny.
        let largest = avif_that_claims(avif, 12_000, 8_333);
        target.check(name, &largest, THUMBNAIL, None, DAMAGED).await;
    }
    // One tile of few bytes, shown again and again.
    target.store("flat", &png(1_000, 1_000, &[], &zeros(1_001 * 1_000))).await;
    let tile = target.hosted("flat", "format=avif").await.body;
    let grid = avif_grid(&tile, 1_000, 6, 6);
    assert!(grid.len() < 20_000, "{}", grid.len());
    let answer = target.check("grid", &grid, THUMBNAIL, None, SMALL).await;
    assert!(is_flat(&answer, [0; 3]));
    let beyond = avif_grid(&tile, 1_000, 11, 10);
    target.check("grid", &beyond, THUMBNAIL, UPLOAD_TOO_LARGE, TOO_LARGE).await;
    target.stop().await;
}

#[tokio::test]
async fn progressive_jpegs_of_thousands_of_scans() {
    let target = Target::start().await;
    let options = "w=64,format=jpeg,q=1";
    let small = target.hosted("ordinary", options).await.body;
    let large = target.hosted("ordinary", "w=600,format=jpeg").await.body;
    for (name, jpeg) in [("thousands", &small), ("a hundred and more", &large)] {
        let file = jpeg_of_scans(jpeg, 3 << 19);
        assert!(file.len() > 1_500_000);
        target.check(name, &file, THUMBNAIL, None, TOO_LARGE).await;
    }
    // Scans of next to no bytes, each a walk over all pixels that the frame claims.
    let claims = jpeg_that_claims(&jpeg_of_scans(&small, 20_000), 10_000, 10_000);
    target.check("claims", &claims, THUMBNAIL, None, TOO_LARGE).await;
    target.stop().await;
}

#[tokio::test]
async fn svgs_that_expand() {
    let target = Target::start().await;
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">"#;
    let laughs: String = (1..10)
        .map(|level| format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10)))
        .collect();
    let laughs = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY l0 \"lol\">{laughs}]>{head}<text>&l9;</text></svg>"
    );
    target.check("laughs", laughs.as_bytes(), "format=svg", None, DAMAGED).await;
    let long = format!(
        "<!DOCTYPE svg [<!ENTITY a \"{}\">]>{head}<text>{}</text></svg>",
        "a".repeat(100_000),
        "&a;".repeat(100_000)
    );
    target.check("quadratic", long.as_bytes(), "format=svg", None, TOO_LARGE).await;
    let deep = format!("{head}{}{}</svg>", "<g>".repeat(500_000), "</g>".repeat(500_000));
    target.check("deep", deep.as_bytes(), "format=svg", None, DAMAGED).await;
    let outside =
        format!("<!DOCTYPE svg [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>{head}<text>&a;</text></svg>");
    let picture = Fate::Picture("image/svg+xml", 9, 9);
    let answer = target.check("outside", outside.as_bytes(), "format=svg", None, picture).await;
    assert!(!answer.text().contains("root:"), "{}", answer.text());
    target.stop().await;
}

#[tokio::test]
async fn what_is_no_image_at_all() {
    let target = Target::start().await;
    target.check("nothing", b"", THUMBNAIL, UPLOAD_DAMAGED, NOT_AN_IMAGE).await;
    target.check("zeros", &[0; 1 << 20], THUMBNAIL, super::UPLOAD_NOT_AN_IMAGE, NOT_AN_IMAGE).await;
    let endless = [pictures::PNG, &[0xff; 5 << 20]].concat();
    target.check("much behind the end", &endless, THUMBNAIL, None, SMALL).await;
    target.stop().await;
}
