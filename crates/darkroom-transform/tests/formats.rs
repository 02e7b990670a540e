//! Every kind of file that a format allows becomes the pixels that it stands for.

mod common;

use common::{file, gif_frames, narrowed, pixels, png_pixels, request};
use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{Limits, MediaType, RenderLimits};
use darkroom_transform::{
    Probe, RenderError, RenderRequest, Rendered, RenderedContent, is_sent_untransformed, probe, render,
};
use png::{BitDepth, ColorType};

fn write_png(
    color: ColorType,
    depth: BitDepth,
    palette: Option<&[u8]>,
    transparent: Option<&[u8]>,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    if let Some(transparent) = transparent {
        encoder.set_trns(transparent.to_vec());
    }
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(data).expect("as many pixels as there are");
    drop(writer);
    bytes
}

#[test]
fn pngs_of_each_kind_have_their_pixels() {
    use BitDepth::{Eight, Four, One, Sixteen};
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let palette: &[u8] = &[10, 20, 30, 40, 50, 60];
    let cases: [(Vec<u8>, [&[u8]; 2]); 9] = [
        (write_png(Grayscale, One, None, None, &[0x40]), [&[0, 0, 0], &[255, 255, 255]]),
        (write_png(Grayscale, Four, None, None, &[0x1f]), [&[17, 17, 17], &[255, 255, 255]]),
        (write_png(Grayscale, Eight, None, Some(&[0, 7]), &[7, 8]), [&[7, 7, 7, 0], &[8, 8, 8, 255]]),
        (write_png(Grayscale, Sixteen, None, None, &[9, 0, 200, 0]), [&[9, 9, 9], &[200, 200, 200]]),
        (write_png(GrayscaleAlpha, Eight, None, None, &[7, 3, 8, 4]), [&[7, 7, 7, 3], &[8, 8, 8, 4]]),
        (write_png(Indexed, One, Some(palette), None, &[0x40]), [&[10, 20, 30], &[40, 50, 60]]),
        (
            write_png(Indexed, Eight, Some(palette), Some(&[9]), &[0, 1]),
            [&[10, 20, 30, 9], &[40, 50, 60, 255]],
        ),
        (
            write_png(Rgb, Sixteen, None, None, &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]),
            [&[1, 2, 3], &[4, 5, 6]],
        ),
        (write_png(Rgba, Eight, None, None, &[1, 2, 3, 4, 5, 6, 7, 8]), [&[1, 2, 3, 4], &[5, 6, 7, 8]]),
    ];
    for (index, (source, expected)) in cases.iter().enumerate() {
        assert_eq!(pixels(source), (2, 1, expected.map(<[u8]>::to_vec).to_vec()), "case {index}");
    }
}

#[test]
fn an_interlaced_png_has_its_pixels() {
    let (width, height, pixels) = pixels(&file("pictures/interlaced.png"));
    let expected: Vec<_> = (0..7).flat_map(|y| (0..9).map(move |x| vec![x * 20, y * 30, 77])).collect();
    assert_eq!((width, height, pixels), (9, 7, expected));
}

#[test]
fn of_an_animated_png_the_first_frame_is_shown() {
    let rendered = render(&file("pictures/animated.png"), &request(OutputFormat::WebP)).unwrap();
    assert_eq!(look(&rendered).frames, 1);
}

#[test]
fn a_quality_allows_a_png_a_palette() {
    let source = file("../../../tests/photos/chelsea.png");
    let mut request = narrowed(OutputFormat::PngForce, 200);
    let full = render(&source, &request).unwrap();
    request.options.quality = Some(80);
    let small = render(&source, &request).unwrap();
    // The color type stands in the header: 3 is a palette, 2 is not.
    assert_eq!((full.bytes[25], small.bytes[25]), (2, 3));
    assert!(small.bytes.len() * 5 < full.bytes.len() * 3, "{} of {}", small.bytes.len(), full.bytes.len());
    let ((_, _, full), (_, _, small)) = (png_pixels(&full.bytes), png_pixels(&small.bytes));
    let squares = full.concat().into_iter().zip(small.concat());
    let squares: f64 = squares.map(|(a, b)| f64::from(a.abs_diff(b)).powi(2)).sum();
    let mean = squares / (full.len() * 3) as f64;
    assert!(mean < 60.0, "mean square error {mean}");
}

#[test]
fn what_is_cut_off_a_jpeg_is_grey() {
    let whole = file("../../../tests/photos/rocket.jpg");
    let (width, height, expected) = pixels(&whole);
    let (cut_width, cut_height, cut) = pixels(&whole[..whole.len() / 2]);
    assert_eq!((cut_width, cut_height), (width, height));
    assert_eq!(cut[..100], expected[..100]);
    // By a step of the arithmetic, which is not the same on every processor.
    assert!(cut[cut.len() - 1].iter().all(|sample| sample.abs_diff(128) <= 1), "{:?}", cut[cut.len() - 1]);
}

#[test]
fn of_a_progressive_jpeg_that_is_cut_off_the_scans_that_are_there_are_shown() {
    let photo = file("../../../tests/photos/rocket.jpg");
    let whole = render(&photo, &narrowed(OutputFormat::Jpeg, 200)).unwrap().bytes;
    let (width, height, expected) = pixels(&whole);
    // Wherever it ends behind its first scan: in pixels, in tables, in the head of a scan.
    let scans: Vec<usize> = (2..whole.len()).filter(|&at| whole[at..].starts_with(b"\xff\xda")).collect();
    for length in (scans[1] - 20..whole.len()).step_by(37) {
        let (cut_width, cut_height, cut) = pixels(&whole[..length]);
        assert_eq!((cut_width, cut_height), (width, height));
        let difference = cut.iter().flatten().zip(expected.iter().flatten());
        let difference: u64 = difference.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = difference as f64 / (expected.len() * 3) as f64;
        assert!(mean < 12.0, "{length} of {}: {mean}", whole.len());
    }
}

#[test]
fn adobes_ink_is_what_other_peoples_ink_is_not() {
    let adobe = file("pictures/cmyk.jpg");
    let at = adobe.windows(5).position(|window| window == b"Adobe").unwrap();
    let mut other = adobe.clone();
    other[at..at + 5].copy_from_slice(b"Adieu");
    let (adobe, other) = (
        render(&adobe, &request(OutputFormat::BaselineJpeg)),
        render(&other, &request(OutputFormat::BaselineJpeg)),
    );
    assert_ne!(adobe.unwrap().bytes, other.unwrap().bytes);
}

#[test]
fn inks_that_the_decoder_cannot_join_are_refused() {
    let uneven = file("../../../fuzz/corpus/render_jpeg/cmyk-q95-p0-s2");
    let rendered = render(&uneven, &request(OutputFormat::Jpeg));
    assert!(matches!(rendered, Err(RenderError::Unsupported(_))), "{rendered:?}");
}

#[test]
fn a_progressive_jpeg_costs_its_pixels_times_its_scans() {
    let source = file("pictures/progressive.jpg");
    let scans = source.windows(2).filter(|window| window == b"\xff\xda").count() as u64;
    let Probe { width, height, .. } = probe(&source, &Limits::default()).unwrap();
    let work = u64::from(width) * u64::from(height) * scans;
    for (progressive_work_max, is_refused) in [(work, false), (work - 1, true), (0, true)] {
        let mut request = request(OutputFormat::Jpeg);
        request.limits.progressive_work_max = progressive_work_max;
        let rendered = render(&source, &request);
        assert_eq!(rendered == Err(RenderError::TooLarge), is_refused, "{progressive_work_max}");
        // What has no passes is not judged by them.
        assert!(render(&file("pictures/baseline.jpg"), &request).is_ok());
    }
}

#[test]
fn a_webp_of_full_quality_loses_nothing() {
    for source in ["../../../tests/photos/chelsea.png", "pictures/alpha.webp"] {
        let mut request = narrowed(OutputFormat::WebP, 100);
        request.options.quality = Some(100);
        let webp = render(&file(source), &request).unwrap();
        let (width, height, lossless) = pixels(&webp.bytes);
        let png = render(&file(source), &narrowed(OutputFormat::PngForce, 100)).unwrap();
        let (_, _, png) = png_pixels(&png.bytes);
        assert_eq!((width, height), (webp.facts.width, webp.facts.height));
        // Colours of what shows nothing may change.
        let visible = |pixels: Vec<Vec<u8>>| {
            pixels
                .into_iter()
                .map(|pixel| if pixel.get(3) == Some(&0) { vec![0; 4] } else { pixel })
                .collect::<Vec<_>>()
        };
        assert_eq!(visible(lossless), visible(png), "{source}");
    }
}

#[test]
fn opacity_survives_a_lossy_webp() {
    let source = write_png(ColorType::Rgba, BitDepth::Eight, None, None, &[250, 9, 9, 0, 250, 9, 9, 200]);
    let webp = render(&source, &request(OutputFormat::WebP)).unwrap();
    let (_, _, pixels) = pixels(&webp.bytes);
    assert_eq!((pixels[0][3], pixels[1][3]), (0, 200));
}

const RED: [u8; 4] = [255, 0, 0, 255];
const GREEN: [u8; 4] = [0, 255, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const NONE: [u8; 4] = [0; 4];

/// What `disposals.gif` shows of five points, frame by frame, as Pillow sees it: a red ground that stays, a green box at
/// 4,4 that gives back what was beneath, a blue one at 8,0 that is cleared away, and a frame that draws nothing.
const SHOWN: [[[u8; 4]; 3]; 4] = [[RED, RED, RED], [RED, GREEN, RED], [RED, RED, BLUE], [RED, RED, NONE]];
const POINTS: [(usize, usize); 3] = [(0, 0), (5, 5), (9, 1)];
const DELAYS_MS: [u32; 4] = [10, 70, 200, 5_000];

#[test]
fn a_gif_shows_what_its_disposals_leave() {
    let mut request = request(OutputFormat::WebP);
    request.options.quality = Some(100);
    let webp = render(&file("pictures/disposals.gif"), &request).unwrap();
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&webp.bytes)).unwrap();
    decoder.set_background_color([0; 4]).unwrap();
    assert_eq!(decoder.dimensions(), (16, 12));
    // Shown again twice is shown three times.
    assert_eq!(decoder.loop_count(), image_webp::LoopCount::Times(3.try_into().unwrap()));
    assert!(decoder.has_alpha());
    for (shown, delay_ms) in SHOWN.iter().zip(DELAYS_MS) {
        let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
        assert_eq!(decoder.read_frame(&mut buffer).unwrap(), delay_ms);
        for ((x, y), expected) in POINTS.into_iter().zip(shown) {
            let pixel = &buffer[(y * 16 + x) * 4..][..4];
            // This decoder's arithmetic of layers is off by one now and then.
            let is_near = pixel.iter().zip(expected).all(|(one, other)| one.abs_diff(*other) <= 1);
            assert!(is_near, "{pixel:?}, not {expected:?}, at {x},{y}");
        }
    }
    assert!(decoder.read_frame(&mut vec![0; 16 * 12 * 4]).is_err());
}

#[test]
fn a_gif_stays_a_gif_and_comes_back_from_a_webp() {
    let mut lossless = request(OutputFormat::WebP);
    lossless.options.quality = Some(100);
    let source = file("pictures/disposals.gif");
    let webp = render(&source, &lossless).unwrap();
    for source in [source, webp.bytes] {
        let gif = render(&source, &request(OutputFormat::Auto)).unwrap();
        assert_eq!(gif.facts.content, RenderedContent::Image(MediaType::Gif));
        let (repeat, frames) = gif_frames(&gif);
        assert_eq!(repeat, gif::Repeat::Finite(2));
        let delays: Vec<_> = frames.iter().map(|frame| u32::from(frame.delay) * 10).collect();
        assert_eq!(delays, DELAYS_MS);
        // Read once more and seen as a whole, frame by frame.
        let again = render(&gif.bytes, &lossless).unwrap();
        assert_eq!(again.bytes, render(&file("pictures/disposals.gif"), &lossless).unwrap().bytes);
        // Only what differs is written.
        assert!(frames[1].width == 4 && frames[1].height == 4, "{:?}", (frames[1].width, frames[1].height));
    }
}

#[test]
fn animations_are_resized_frame_by_frame() {
    for source in ["pictures/animated.gif", "pictures/animated.webp"] {
        let source = file(source);
        let before = probe(&source, &Limits::default()).unwrap();
        for format in [OutputFormat::Auto, OutputFormat::WebP] {
            let mut request = narrowed(format, 3);
            let after = look(&render(&source, &request).unwrap());
            assert_eq!((after.width, after.frames), (3, before.frames));
            request.options.animated = false;
            assert_eq!(look(&render(&source, &request).unwrap()).frames, 1);
        }
        for format in [OutputFormat::Jpeg, OutputFormat::PngForce, OutputFormat::BaselineJpeg] {
            let after = look(&render(&source, &request(format)).unwrap());
            assert_eq!((after.frames, after.width), (1, before.width));
        }
    }
}

#[test]
fn animations_have_limits() {
    let source = file("pictures/disposals.gif");
    let probed = probe(&source, &Limits::default()).unwrap();
    let area: u64 = 16 * 12 * 4;
    let limited = |pixels_max, animation_pixels_max, output_pixels_max| RenderRequest {
        limits: RenderLimits {
            pixels_max,
            animation_pixels_max,
            output_pixels_max,
            ..RenderLimits::default()
        },
        ..narrowed(OutputFormat::WebP, 8)
    };
    assert_eq!(look(&render(&source, &limited(area, area, area)).unwrap()).width, 8);
    let unchanged = limited(area, area - 1, area);
    assert!(is_sent_untransformed(&probed, &unchanged));
    let rendered = render(&source, &unchanged).unwrap();
    assert_eq!(rendered.facts.content, RenderedContent::Image(MediaType::Gif));
    assert_eq!((rendered.facts.width, rendered.bytes), (16, source.clone()));
    let refused = limited(area - 1, area, area);
    let expected = RenderError::AnimationTooLarge { width: 16, height: 12, frames: 4, pixels_max: area - 1 };
    assert_eq!(render(&source, &refused), Err(expected));
    assert!(matches!(
        render(&source, &limited(area, area, 8 * 6 * 4 - 1)),
        Err(RenderError::EnlargedTooMuch { width: 8, height: 6, .. })
    ));
    // The first frame alone is small.
    let mut first = refused.clone();
    first.options.animated = false;
    assert!(render(&source, &first).is_ok());
    let first = RenderRequest { options: request(OutputFormat::Jpeg).options, ..refused };
    assert!(render(&source, &first).is_ok());
}

#[test]
fn a_description_says_both_sizes() {
    let describe = |source: &str, width| {
        let mut request = request(OutputFormat::Json);
        request.options.width = Some(Width::Pixels(width));
        let rendered = render(&file(source), &request).unwrap();
        assert_eq!(rendered.facts.content, RenderedContent::Json);
        serde_json::from_slice::<serde_json::Value>(&rendered.bytes).unwrap()
    };
    assert_eq!(
        describe("pictures/disposals.gif", 8),
        serde_json::json!({
            "width": 8, "height": 6,
            "original": {"file_size": 260, "width": 16, "height": 12, "format": "image/gif"}
        })
    );
    let svg = describe("pictures/plain.svg", 8);
    assert_eq!(svg["original"]["format"], "image/svg+xml");
}

#[test]
fn no_raster_becomes_an_svg() {
    let rendered = render(&file("pictures/still.png"), &request(OutputFormat::Svg));
    assert_eq!(rendered, Err(RenderError::SvgConversion));
}

fn look(rendered: &Rendered) -> Probe {
    let probed = probe(&rendered.bytes, &Limits::default()).expect("what is sent can be read");
    assert_eq!((probed.width, probed.height), (rendered.facts.width, rendered.facts.height));
    assert_eq!(rendered.facts.content, RenderedContent::Image(probed.media_type));
    probed
}
