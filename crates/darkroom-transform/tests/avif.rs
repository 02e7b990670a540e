//! AVIF in and out: every kind of coding, and files that lie.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

#[expect(dead_code, reason = "files of other types are for other tests")]
mod sources;

use darkroom_model::image_options::OutputFormat;
use darkroom_model::{ImageOptions, Limits, MediaType, RenderLimits};
use darkroom_transform::{Accepts, RenderError, RenderRequest, probe, render};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Width, height, and bytes of red, green, blue, opacity.
type Pixels = (u32, u32, Vec<u8>);

fn request(format: OutputFormat, quality: Option<u8>) -> RenderRequest {
    let options = ImageOptions { format, quality, ..ImageOptions::default() };
    RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() }
}

/// Decodes a file by rendering it as PNG.
fn decode(bytes: &[u8]) -> Result<Pixels, RenderError> {
    let png = render(bytes, &request(OutputFormat::PngForce, None))?.bytes;
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    if info.color_type == png::ColorType::Rgb {
        pixels = pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    }
    Ok((info.width, info.height, pixels))
}

fn png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    bytes
}

fn avif(width: u32, height: u32, pixels: &[u8], quality: u8) -> Vec<u8> {
    render(&png(width, height, pixels), &request(OutputFormat::Avif, Some(quality))).unwrap().bytes
}

/// Colours that change little from pixel to pixel, so that chroma may be stored once for several, and the opacity that is asked for.
fn gradient(width: u32, height: u32, alpha: impl Fn(u32) -> u8) -> Vec<u8> {
    let pixel =
        |x: u32, y: u32| [(x * 255 / width.max(64)) as u8, (y * 255 / height.max(64)) as u8, 90, alpha(x)];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

const RED: [u8; 4] = [200, 40, 40, 255];
const GREEN: [u8; 4] = [40, 180, 60, 255];
const BLUE: [u8; 4] = [40, 60, 200, 255];
const GREY: [u8; 4] = [150, 150, 150, 255];

/// Compares the middle of each quarter of a picture, left to right and top to bottom.
fn check(name: &str, bytes: &[u8], size: (u32, u32), quarters: [[u8; 4]; 4]) {
    let (width, height, pixels) = decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((width, height), size, "{name}");
    let places = [(1, 1), (3, 1), (1, 3), (3, 3)];
    for ((x, y), expected) in places.into_iter().zip(quarters) {
        let at = ((y * height / 4 * width + x * width / 4) * 4) as usize;
        let found = &pixels[at..at + 4];
        let distance = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(distance <= 4, "{name} at {x}/4, {y}/4: {found:?} instead of {expected:?}");
    }
}

macro_rules! picture {
    ($name:literal) => {
        ($name, &include_bytes!(concat!("pictures/", $name, ".avif"))[..])
    };
}

// Written by libavif's `avifenc` 0.11 from one picture of four colours, 16×12 pixels; the grid from one of 140×132.

#[test]
fn every_coding_of_colours_is_read() {
    let all = [RED, GREEN, BLUE, GREY];
    for (name, bytes) in [
        picture!("yuv420"),
        picture!("yuv420-limited-bt709"),
        picture!("yuv422-10bit"),
        picture!("yuv444-12bit-limited-bt2020"),
        picture!("identity"),
    ] {
        check(name, bytes, (16, 12), all);
    }
    let grey = |level| [level, level, level, 255];
    let (name, bytes) = picture!("yuv400-10bit");
    check(name, bytes, (16, 12), [88, 124, 70, 150].map(grey));
    let (name, bytes) = picture!("grid");
    check(name, bytes, (140, 132), all);
}

#[test]
fn opacity_is_read_and_colours_are_divided_by_it() {
    let half = |[red, green, blue, _]: [u8; 4]| [red, green, blue, 128];
    for (name, bytes) in [picture!("alpha-10bit-limited"), picture!("premultiplied")] {
        check(name, bytes, (16, 12), [RED, half(GREEN), BLUE, half(GREY)]);
    }
}

#[test]
fn turns_and_mirrors_are_undone() {
    // A quarter turn against the clock; top and bottom exchanged; a turn, then left and right exchanged.
    let (name, bytes) = picture!("turned");
    check(name, bytes, (12, 16), [GREEN, GREY, RED, BLUE]);
    let (name, bytes) = picture!("mirrored");
    check(name, bytes, (16, 12), [BLUE, GREY, RED, GREEN]);
    let (name, bytes) = picture!("turned-mirrored");
    check(name, bytes, (12, 16), [GREY, GREEN, BLUE, RED]);
}

#[test]
fn the_first_picture_of_a_sequence_is_read() {
    let (width, height, _) = decode(picture!("animated").1).unwrap();
    assert_eq!((width, height), (16, 9));
}

#[test]
fn what_is_written_is_read_again() {
    for (width, height) in [(64, 48), (1, 1), (3, 5), (129, 2)] {
        let pixels = gradient(width, height, |_| 255);
        let bytes = avif(width, height, &pixels, 90);
        assert_eq!(probe(&bytes, &Limits::default()).unwrap().media_type, MediaType::Avif);
        let (found_width, found_height, found) = decode(&bytes).unwrap();
        assert_eq!((found_width, found_height), (width, height));
        let sum: u64 = found.iter().zip(&pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = sum as f64 / pixels.len() as f64;
        assert!(mean < 3.0, "{width}×{height} is off by {mean}");
    }
}

#[test]
fn opacity_is_written() {
    let pixels = gradient(40, 20, |x| if x < 20 { 255 } else { 100 });
    let (_, _, found) = decode(&avif(40, 20, &pixels, 90)).unwrap();
    assert!(found[10 * 40 * 4 + 5 * 4 + 3] > 250);
    assert!(found[10 * 40 * 4 + 30 * 4 + 3].abs_diff(100) < 5);
}

#[test]
fn quality_costs_bytes() {
    let pixels = gradient(200, 100, |_| 255);
    let sizes = [1, 50, 85, 100].map(|quality| avif(200, 100, &pixels, quality).len());
    assert!(sizes.is_sorted(), "{sizes:?}");
    assert!(sizes[0] < sizes[3], "{sizes:?}");
}

#[test]
fn the_same_picture_makes_the_same_file() {
    let pixels = gradient(150, 140, |x| x as u8);
    assert_eq!(avif(150, 140, &pixels, 60), avif(150, 140, &pixels, 60));
}

/// A file as long as an upload of a photograph: noise does not compress.
fn noise(rng: &mut TestRng) -> Vec<u8> {
    let mut pixels = gradient(160, 120, |x| 255 - (x as u8) / 2);
    for color in pixels.iter_mut().filter(|color| **color % 4 != 0) {
        *color ^= rng.next_u32() as u8 & 31;
    }
    avif(160, 120, &pixels, 80)
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let file = noise(&mut TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    assert!(decode(&file).is_ok());
    let ends = (0..file.len()).step_by(1024).chain(0..600).chain(file.len() - 50..file.len());
    for end in ends {
        assert!(decode(&file[..end]).is_err(), "{end} of {}", file.len());
    }
}

#[test]
fn a_changed_file_is_a_picture_or_an_error() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let own = noise(&mut rng);
    let files =
        [&own[..], picture!("grid").1, picture!("premultiplied").1, picture!("alpha-10bit-limited").1];
    let mut read = 0;
    for round in 0..1_000 {
        let mut file = files[round % files.len()].to_vec();
        // Every other time in the headers, which are small.
        let reach = if (round / files.len()).is_multiple_of(2) { file.len() } else { file.len().min(600) };
        for _ in 0..=rng.next_u32() % 8 {
            file[rng.next_u32() as usize % reach] = rng.next_u32() as u8;
        }
        read += usize::from(decode(&file).is_ok());
    }
    assert!((1..1_000).contains(&read), "{read} of 1,000 were read");
}

/// Replaces a text of a file that is there just once.
fn replaced(file: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<_> = file.windows(from.len()).enumerate().filter(|(_, w)| *w == from).collect();
    assert_eq!(places.len(), 1, "{from:?}");
    [&file[..places[0].0], to, &file[places[0].0 + from.len()..]].concat()
}

/// The property that tells the size of a picture.
fn size_property(width: u32, height: u32) -> Vec<u8> {
    [&b"ispe\0\0\0\0"[..], &width.to_be_bytes(), &height.to_be_bytes()].concat()
}

#[test]
fn a_size_that_is_not_that_of_the_picture_is_refused() {
    let (_, file) = picture!("yuv420");
    let claim =
        |width, height| decode(&replaced(file, &size_property(16, 12), &size_property(width, height)));
    assert_eq!(claim(65_535, 65_535), Err(RenderError::TooLarge));
    for (width, height) in [(9_999, 9_999), (17, 12), (16, 13), (8, 8), (1, 1), (0, 12)] {
        assert!(claim(width, height).is_err(), "{width}×{height}");
    }
}

#[test]
fn a_picture_that_is_larger_than_its_size_is_not_decoded() {
    let file = avif(300, 200, &gradient(300, 200, |_| 255), 50);
    let file = replaced(&file, &size_property(300, 200), &size_property(30, 20));
    assert_eq!(decode(&file), Err(RenderError::TooLarge));
}

#[test]
fn a_grid_of_other_tiles_than_it_says_is_refused() {
    let (_, file) = picture!("grid");
    // Version, flags, rows and columns less one, width, height.
    let grid = |rows: u8, columns: u8, width: u16, height: u16| {
        [&[0, 0, rows - 1, columns - 1][..], &width.to_be_bytes(), &height.to_be_bytes()].concat()
    };
    let from = grid(2, 2, 140, 132);
    assert!(decode(&replaced(file, &from, &from)).is_ok());
    for to in [grid(255, 255, 140, 132), grid(1, 4, 140, 132), grid(4, 1, 140, 132), grid(2, 2, 9_999, 132)] {
        assert!(matches!(decode(&replaced(file, &from, &to)), Err(RenderError::Damaged(_))), "{to:?}");
    }
    let larger = replaced(file, &from, &grid(2, 2, 9_999, 9_999));
    let larger = replaced(&larger, &size_property(140, 132), &size_property(9_999, 9_999));
    assert!(
        matches!(decode(&larger), Err(RenderError::Damaged(_))),
        "four small tiles cover no large picture"
    );
}

#[test]
fn boxes_of_a_few_bytes_are_an_error() {
    for file in [sources::avif(8, 8), sources::avif_with_locations(&[0; 8])] {
        assert!(matches!(decode(&file), Err(RenderError::Damaged(_))));
    }
    // Boxes in boxes are not followed.
    let deep = (0..2_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        [&(8 + inner.len() as u32).to_be_bytes()[..], b"meta", &inner].concat()
    });
    let file = [&b"\0\0\0\x10ftypavif\0\0\0\0"[..], &deep, b"\0\0\0\x09mdatx"].concat();
    assert!(decode(&file).is_err());
}
