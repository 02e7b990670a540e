//! Whole files of each type, cut-off files, lying files, and files of chance.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod sources;

use darkroom_model::{Limits, MediaType};
use darkroom_transform::{Probe, ProbeError, probe};
use proptest::prelude::*;

/// Name, bytes, type; width, height and frames.
type Picture = (&'static str, &'static [u8], MediaType, (u32, u32, u32));

/// Files that encoders made (`pictures/`, by Pillow 13, a few pixels each) and photographs, with what they are.
const PICTURES: [Picture; 18] = [
    ("still.png", include_bytes!("pictures/still.png"), MediaType::Png, (8, 5, 1)),
    ("animated.png", include_bytes!("pictures/animated.png"), MediaType::Png, (6, 4, 3)),
    ("still.gif", include_bytes!("pictures/still.gif"), MediaType::Gif, (6, 4, 1)),
    ("animated.gif", include_bytes!("pictures/animated.gif"), MediaType::Gif, (6, 4, 3)),
    ("lossy.webp", include_bytes!("pictures/lossy.webp"), MediaType::WebP, (7, 5, 1)),
    ("lossless.webp", include_bytes!("pictures/lossless.webp"), MediaType::WebP, (7, 5, 1)),
    ("alpha.webp", include_bytes!("pictures/alpha.webp"), MediaType::WebP, (7, 5, 1)),
    ("animated.webp", include_bytes!("pictures/animated.webp"), MediaType::WebP, (7, 5, 3)),
    ("still.avif", include_bytes!("pictures/still.avif"), MediaType::Avif, (16, 9, 1)),
    ("alpha.avif", include_bytes!("pictures/alpha.avif"), MediaType::Avif, (16, 9, 1)),
    ("animated.avif", include_bytes!("pictures/animated.avif"), MediaType::Avif, (16, 9, 3)),
    ("baseline.jpg", include_bytes!("pictures/baseline.jpg"), MediaType::Jpeg, (9, 6, 1)),
    ("progressive.jpg", include_bytes!("pictures/progressive.jpg"), MediaType::Jpeg, (9, 6, 1)),
    ("gray.jpg", include_bytes!("pictures/gray.jpg"), MediaType::Jpeg, (9, 6, 1)),
    ("plain.svg", include_bytes!("pictures/plain.svg"), MediaType::Svg, (12, 7, 1)),
    ("chelsea.png", include_bytes!("../../../tests/photos/chelsea.png"), MediaType::Png, (451, 300, 1)),
    ("rocket.jpg", include_bytes!("../../../tests/photos/rocket.jpg"), MediaType::Jpeg, (640, 427, 1)),
    (
        "hubble_deep_field.jpg",
        include_bytes!("../../../tests/photos/hubble_deep_field.jpg"),
        MediaType::Jpeg,
        (1000, 872, 1),
    ),
];

fn look(bytes: &[u8]) -> Result<Probe, ProbeError> {
    probe(bytes, &Limits::default())
}

fn check(name: &str, bytes: &[u8], media_type: MediaType, (width, height, frames): (u32, u32, u32)) {
    assert_eq!(look(bytes), Ok(Probe { media_type, width, height, frames }), "{name}");
}

fn tiny_pictures() -> impl Iterator<Item = (&'static str, &'static [u8], MediaType)> {
    let tiny = PICTURES.into_iter().filter(|(_, bytes, ..)| bytes.len() < 4096);
    tiny.map(|(name, bytes, media_type, _)| (name, bytes, media_type))
}

#[test]
fn whole_files_are_what_they_are() {
    for (name, bytes, media_type, shape) in PICTURES {
        check(name, bytes, media_type, shape);
    }
}

#[test]
fn bytes_behind_the_end_are_no_damage() {
    for (name, bytes, media_type, shape) in PICTURES {
        // Boxes have no end but that of the file, and the end of a text is its last tag.
        if !matches!(media_type, MediaType::Avif | MediaType::Svg) {
            check(name, &[bytes, &[0; 100]].concat(), media_type, shape);
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused_where_its_end_is_demanded() {
    for (name, bytes, media_type) in tiny_pictures() {
        for end in 0..bytes.len() {
            let result = look(&bytes[..end]);
            let demanded = match media_type {
                // Cameras omit the end of a JPEG; its headers must be whole.
                MediaType::Jpeg => end <= start_of_scan_data(bytes),
                // What follows the last tag is white space.
                MediaType::Svg => end < bytes.trim_ascii_end().len(),
                _ => true,
            };
            assert_eq!(result.is_err(), demanded, "{name} at {end}: {result:?}");
            assert!(
                !matches!(result, Err(ProbeError::TooLarge | ProbeError::AnimationTooLarge)),
                "{name} at {end}"
            );
        }
    }
}

/// Returns where the data of the first scan begins.
fn start_of_scan_data(jpeg: &[u8]) -> usize {
    let marker = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    marker + 2 + usize::from(u16::from_be_bytes([jpeg[marker + 2], jpeg[marker + 3]]))
}

#[test]
fn other_types_are_no_images() {
    for bytes in [
        &b""[..],
        b"hello",
        b"%PDF-1.7",
        b"BM\x46\0\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0",
        b"<html><svg/></html>",
        b"<!DOCTYPE html><html></html>",
        b"{\"svg\": 1}",
        b"\xff\xd8",
        b"RIFF\x04\0\0\0WAVE",
        b"\x89PNG\r\n",
        b"GIF88a",
        b"\x1f\x8b\x08\0svgz",
        // UTF-16.
        b"\xff\xfe<\0s\0v\0g\0/\0>\0",
        b"<svg>\xff</svg>",
    ] {
        assert_eq!(look(bytes), Err(ProbeError::NotAnImage), "{bytes:?}");
    }
}

#[test]
fn heic_is_not_accepted() {
    let avif = PICTURES.iter().find(|(name, ..)| *name == "still.avif").unwrap().1;
    let mut heic = avif.to_vec();
    while let Some(at) = heic.windows(4).position(|window| window == b"avif") {
        heic[at..at + 4].copy_from_slice(b"heic");
    }
    assert_eq!(look(&heic), Err(ProbeError::NotAnImage));
}

#[test]
fn a_large_claim_on_few_bytes_is_refused() {
    let side = 65_535;
    assert_eq!(look(&sources::jpeg(65_535, 65_535)), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::png(side, side)), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::png(0x7fff_ffff, 0x7fff_ffff)), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::gif(65_535, 65_535, &[(0, 0, 1, 1)])), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::webp_lossy(16_383, 16_383)), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::webp_extended(1 << 24, 1 << 24, &[(0, 0, 1, 1)])), Err(ProbeError::TooLarge));
    assert_eq!(look(&sources::avif(u32::MAX, u32::MAX)), Err(ProbeError::TooLarge));
    for source in [sources::jpeg(65_535, 65_535), sources::png(side, side)] {
        assert!(source.len() <= 100);
    }
}

#[test]
fn a_side_of_0_is_damage() {
    for source in [
        sources::jpeg(0, 1),
        sources::jpeg(1, 0),
        sources::png(0, 1),
        sources::png(1, 0),
        sources::gif(0, 1, &[(0, 0, 1, 1)]),
        sources::gif(1, 0, &[(0, 0, 1, 1)]),
        sources::gif(1, 1, &[(0, 0, 0, 1)]),
        sources::gif(1, 1, &[(0, 0, 1, 0)]),
        sources::webp_lossy(0, 1),
        sources::webp_lossy(1, 0),
        sources::avif(0, 1),
        sources::avif(1, 0),
    ] {
        assert!(matches!(look(&source), Err(ProbeError::Damaged(_))), "{source:?}");
    }
}

#[test]
fn sides_have_a_limit_except_in_webp() {
    assert!(look(&sources::png(12_000, 1)).is_ok());
    assert_eq!(look(&sources::png(12_001, 1)), Err(ProbeError::TooLarge));
    assert!(look(&sources::jpeg(1, 12_000)).is_ok());
    assert_eq!(look(&sources::jpeg(1, 12_001)), Err(ProbeError::TooLarge));
    assert!(look(&sources::avif(12_000, 8_333)).is_ok());
    assert_eq!(look(&sources::avif(12_001, 1)), Err(ProbeError::TooLarge));
    assert!(look(&sources::webp_lossy(16_383, 6_000)).is_ok());
    assert_eq!(look(&sources::gif(1, 1, &[(0, 12_000, 1, 1)])), Err(ProbeError::TooLarge));
}

#[test]
fn areas_have_a_limit_in_all_frames_together() {
    assert!(look(&sources::png(10_000, 10_000)).is_ok());
    assert_eq!(look(&sources::png(10_000, 10_001)), Err(ProbeError::TooLarge));
    let frames = |count| vec![(0, 0, 1, 1); count];
    assert_eq!(look(&sources::gif(1_000, 1_000, &frames(100))).unwrap().frames, 100);
    let too_many = look(&sources::gif(1_000, 1_000, &frames(101)));
    assert_eq!(too_many, Err(ProbeError::AnimationTooLarge));
    let extended = |count| sources::webp_extended(1_000, 1_000, &vec![(0, 0, 2, 2); count]);
    assert_eq!(look(&extended(100)).unwrap().frames, 100);
    assert_eq!(look(&extended(101)), Err(ProbeError::AnimationTooLarge));
}

#[test]
fn contradictions_are_damage() {
    let picture = |name: &str| {
        PICTURES.iter().find(|(other, ..)| *other == name).map(|(_, bytes, ..)| bytes.to_vec()).unwrap()
    };
    let replaced = |name: &str, from: &[u8], to: &[u8]| {
        let mut bytes = picture(name);
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to);
        bytes
    };
    for (what, bytes) in [
        ("no header", replaced("still.png", b"IHDR", b"IHDX")),
        ("two headers", replaced("still.png", b"IDAT", b"IHDR")),
        ("no data", replaced("still.png", b"IDAT", b"iDAT")),
        ("no end", replaced("still.png", b"IEND", b"iEND")),
        ("another number of frames", replaced("animated.png", b"acTL\0\0\0\x03", b"acTL\0\0\0\x04")),
        ("a frame outside", sources::webp_extended(10, 10, &[(0, 0, 11, 1)])),
        (
            "a canvas that is too small",
            replaced("alpha.webp", b"VP8X\x0a\0\0\0\x10\0\0\0\x06", b"VP8X\x0a\0\0\0\x10\0\0\0\x05"),
        ),
        ("an animation without frames", sources::webp_extended(10, 10, &[])),
        ("no picture item", replaced("still.avif", b"pitm", b"xxxx")),
        ("no size", replaced("still.avif", b"ispe", b"xxxx")),
        ("no data", replaced("still.avif", b"mdat", b"free")),
        ("a frame before the screen's colours end", b"GIF89a\x01\0\x01\0\x80\0\0,;".to_vec()),
        ("no frame", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
    ] {
        let result = look(&bytes);
        assert!(matches!(result, Err(ProbeError::Damaged(_))), "{what}: {result:?}");
    }
}

#[test]
fn odd_but_legal_files_are_accepted() {
    let jpeg = sources::jpeg(3, 2);
    // Filling bytes before a marker, bytes of nothing between segments, a comment, a restart marker.
    let odd = [&jpeg[..2], b"\xff\xff\xff\xfe\0\x04\xff\xc0\0\0\xff\xd0", &jpeg[2..]].concat();
    check("odd.jpg", &odd, MediaType::Jpeg, (3, 2, 1));
    let gif = sources::gif(3, 2, &[(0, 0, 3, 2)]);
    // A comment and a plain text extension before the first frame.
    let odd = [&gif[..13], b"!\xfe\x02hi\x01!\0!\x01\0", &gif[13..]].concat();
    check("odd.gif", &odd, MediaType::Gif, (3, 2, 1));
    let avif = sources::avif(3, 2);
    let (boxes, data) = avif.split_at(avif.len() - 9);
    assert_eq!(data, b"\0\0\0\x09mdatx");
    for data in [&b"\0\0\0\0mdatx"[..], b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x11x", b"\0\0\0\x08free\0\0\0\x08mdat"]
    {
        check("odd.avif", &[boxes, data].concat(), MediaType::Avif, (3, 2, 1));
    }
    for data in
        [&b"\0\0\0\x07mdatx"[..], b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xffx", b"\0\0\0\x01mdat\0"]
    {
        let result = look(&[boxes, data].concat());
        assert!(matches!(result, Err(ProbeError::Damaged(_))), "{data:?}: {result:?}");
    }
}

#[test]
fn the_size_of_an_svg_is_what_it_states_plainly() {
    for (tag, size) in [
        ("<svg/>", (0, 0)),
        ("<svg width='10' height='20'/>", (10, 20)),
        ("<svg width=\"10.4px\" height = \"20.5px\" />", (10, 21)),
        ("<svg width='100%' height='20'/>", (0, 0)),
        ("<svg width='100%' height='20' viewBox='0 0 30 40'/>", (30, 40)),
        ("<svg viewBox='-1,-1, 3.5e1 4'/>", (0, 0)),
        ("<svg viewBox='-1,-1, 35 4'/>", (35, 4)),
        ("<svg width='10' viewBox='0 0 30 40'></svg>", (30, 40)),
        ("<svg width='-1' height='1'/>", (0, 0)),
        ("<svg width='99999999999' height='1'/>", (u32::MAX, 1)),
        ("\u{feff}\n<svg:svg xmlns:svg='x' width='1' height='2'></svg:svg >\n<!-- a --> <?b?>", (1, 2)),
        ("<!DOCTYPE svg [<!ENTITY a '>]'> <!-- it's --> ]><svg width='1' height='2'/>", (1, 2)),
        ("<svg data-a='</svg>' width='1' height='2'><svg width='9' height='9'/></svg>", (1, 2)),
    ] {
        check(tag, tag.as_bytes(), MediaType::Svg, (size.0, size.1, 1));
    }
}

#[test]
fn an_svg_that_is_not_closed_is_damage() {
    for text in [
        "<svg ",
        "<svg width",
        "<svg width=",
        "<svg width=1/>",
        "<svg width='1",
        "<svg>",
        "<svg><g></g>",
        "<svg></svgx>",
        "<svg></svg>-->",
        "<svg <svg a='1'/>",
        "<svg é='1' =''/>",
    ] {
        let result = look(text.as_bytes());
        assert!(matches!(result, Err(ProbeError::Damaged(_))), "{text}: {result:?}");
    }
}

#[test]
fn work_stays_in_proportion_to_the_file() {
    // Items whose 65,535 extents take no bytes, as many as fit.
    let mut locations = b"\0\0\0\0\0\0\xff\xff".to_vec();
    locations.extend([0, 1, 0, 0, 0xff, 0xff].repeat(65_535));
    let comments = format!("<svg>{}", "<!-- -->".repeat(100_000));
    let prolog = format!("{}<svg/>", "<!---->".repeat(100_000));
    let quotes = format!("<svg {}", "a='b'".repeat(200_000));
    let markers = [&b"\xff\xd8"[..], &[0xff; 1_000_000]].concat();
    let started = std::time::Instant::now();
    for source in [comments.into_bytes(), prolog.into_bytes(), quotes.into_bytes(), markers] {
        assert!(look(&source).is_err());
    }
    assert!(look(&sources::avif_with_locations(&locations)).is_ok());
    // Generous: anything that is not linear takes minutes.
    assert!(started.elapsed().as_secs() < 20);
}

/// A file of [`PICTURES`] with some bytes changed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let tiny: Vec<&[u8]> = tiny_pictures().map(|(_, bytes, _)| bytes).collect();
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8);
    (proptest::sample::select(tiny), changes, any::<proptest::sample::Index>()).prop_map(
        |(picture, changes, end)| {
            let mut bytes = picture.to_vec();
            for (place, byte) in changes {
                *place.get_mut(&mut bytes[..]) = byte;
            }
            bytes.truncate(end.index(bytes.len()) + 1 + bytes.len() / 2);
            bytes
        },
    )
}

/// Whatever a file claims, what is accepted is within the limits.
fn check_accepted(bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(found) = probe(bytes, &limits) else { return };
    assert!(found.frames >= 1);
    if found.media_type != MediaType::Svg {
        assert!(found.width >= 1 && found.height >= 1);
        let pixels = u64::from(found.width) * u64::from(found.height) * u64::from(found.frames);
        assert!(pixels <= limits.pixels_max, "{found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_chance_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_accepted(&bytes);
    }

    #[test]
    fn bytes_of_chance_behind_a_signature_are_survived(
        head in proptest::sample::select(sources::HEADS.to_vec()),
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        check_accepted(&[head, &tail].concat());
    }

    #[test]
    fn changed_files_are_survived(bytes in mutated()) {
        check_accepted(&bytes);
    }
}
