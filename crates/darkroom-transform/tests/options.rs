//! Each option on real photographs and on pictures made for the purpose: sizes and types exactly, pixels against a
//! computation of their own.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use darkroom_model::image_options::{BorderTrim, Color, Flip, Gravity, Length, OutputFormat, Trim, Width};
use darkroom_model::{Fit, ImageOptions, KeptMetadata, MediaType, RenderLimits};
use darkroom_transform::{Accepts, RenderError, RenderRequest, Rendered, RenderedContent, render};
use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};

/// Pixels of a PNG, in as many channels as it has.
#[derive(Clone, PartialEq)]
struct Pixels {
    width: usize,
    height: usize,
    channels: usize,
    bytes: Vec<u8>,
}

/// Without the pixels, of which there are many.
impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{} in {} channels, {} on average", self.width, self.height, self.channels, self.mean())
    }
}

impl Pixels {
    fn read(png: &[u8]) -> Pixels {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let (width, height) = (info.width as usize, info.height as usize);
        Pixels { width, height, channels: info.color_type.samples(), bytes }
    }

    /// A PNG of these pixels, and of a profile.
    fn png(&self, icc_profile: Option<Vec<u8>>) -> Vec<u8> {
        let mut info = png::Info::with_size(self.width as u32, self.height as u32);
        info.color_type = if self.channels == 4 { png::ColorType::Rgba } else { png::ColorType::Rgb };
        info.icc_profile = icc_profile.map(Into::into);
        let mut bytes = Vec::new();
        let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
        writer.write_image_data(&self.bytes).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn filled(width: usize, height: usize, pixel: &[u8]) -> Pixels {
        Pixels { width, height, channels: pixel.len(), bytes: pixel.repeat(width * height) }
    }

    fn at(&self, x: usize, y: usize) -> &[u8] {
        let at = (y * self.width + x) * self.channels;
        &self.bytes[at..at + self.channels]
    }

    /// The picture of which each pixel is the one that a function names here.
    fn moved(&self, width: usize, height: usize, from: impl Fn(usize, usize) -> (usize, usize)) -> Pixels {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let bytes = places.flat_map(|(x, y)| self.at(from(x, y).0, from(x, y).1).to_vec()).collect();
        Pixels { width, height, channels: self.channels, bytes }
    }

    fn mean(&self) -> f64 {
        self.bytes.iter().map(|&value| f64::from(value)).sum::<f64>() / self.bytes.len() as f64
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        self.bytes.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>()
            / self.bytes.len() as f64
    }

    fn mean_difference(&self, other: &Pixels) -> f64 {
        assert_eq!((self.width, self.height, self.channels), (other.width, other.height, other.channels));
        let differences = self.bytes.iter().zip(&other.bytes).map(|(a, b)| f64::from(a.abs_diff(*b)));
        differences.sum::<f64>() / self.bytes.len() as f64
    }
}

fn photo(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/photos/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn try_render(source: &[u8], options: ImageOptions) -> Result<Rendered, RenderError> {
    let request = RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() };
    render(source, &request)
}

/// Renders to PNG.
fn shown(source: &[u8], options: ImageOptions) -> Pixels {
    let options = ImageOptions { format: OutputFormat::PngForce, ..options };
    let rendered = try_render(source, options).unwrap();
    assert_eq!(rendered.facts.content, RenderedContent::Image(MediaType::Png));
    let pixels = Pixels::read(&rendered.bytes);
    assert_eq!(
        (pixels.width, pixels.height),
        (rendered.facts.width as usize, rendered.facts.height as usize)
    );
    pixels
}

fn neutral() -> ImageOptions {
    ImageOptions::default()
}

fn sized(fit: Fit, width: u32, height: u32) -> ImageOptions {
    ImageOptions { fit, width: Some(Width::Pixels(width)), height: Some(height), ..neutral() }
}

const RED: Color = Color { red: 255, green: 0, blue: 0, alpha: 255 };

#[test]
fn each_option_gives_the_size_and_type_that_it_says() {
    let pixels = |pixels| Some(Length::Pixels(pixels));
    let top_left = Trim { top: pixels(20.0), left: pixels(51.0), ..Trim::default() };
    let jpeg = OutputFormat::Jpeg;
    let flip = Flip { horizontal: true, vertical: false };
    // 451×300.
    let chelsea = photo("chelsea.png");
    for (options, width, height, media_type) in [
        (neutral(), 451, 300, MediaType::Png),
        (ImageOptions { format: jpeg, ..neutral() }, 451, 300, MediaType::Jpeg),
        (ImageOptions { format: OutputFormat::Png, ..neutral() }, 451, 300, MediaType::Jpeg),
        (ImageOptions { format: OutputFormat::BaselineJpeg, ..neutral() }, 451, 300, MediaType::Jpeg),
        (ImageOptions { width: Some(Width::Pixels(100)), ..neutral() }, 100, 67, MediaType::Png),
        (ImageOptions { height: Some(100), ..neutral() }, 150, 100, MediaType::Png),
        (ImageOptions { height: Some(100), dpr: 2.0, ..neutral() }, 301, 200, MediaType::Png),
        (ImageOptions { height: Some(1_000), ..neutral() }, 451, 300, MediaType::Png),
        (sized(Fit::ScaleDown, 100, 100), 100, 67, MediaType::Png),
        (sized(Fit::ScaleUp, 902, 902), 902, 600, MediaType::Png),
        (sized(Fit::Contain, 902, 902), 902, 600, MediaType::Png),
        (sized(Fit::Cover, 100, 100), 100, 100, MediaType::Png),
        (sized(Fit::Cover, 600, 600), 600, 600, MediaType::Png),
        (sized(Fit::Crop, 600, 200), 451, 200, MediaType::Png),
        (sized(Fit::AspectCrop, 600, 600), 300, 300, MediaType::Png),
        (sized(Fit::Pad, 100, 100), 100, 100, MediaType::Png),
        (sized(Fit::Squeeze, 70, 90), 70, 90, MediaType::Png),
        (ImageOptions { gravity: Gravity::Auto, ..sized(Fit::Cover, 100, 100) }, 100, 100, MediaType::Png),
        (ImageOptions { gravity: Gravity::Entropy, ..sized(Fit::Crop, 50, 299) }, 50, 299, MediaType::Png),
        (ImageOptions { trim: top_left, ..neutral() }, 400, 280, MediaType::Png),
        (ImageOptions { trim: top_left, quarter_turns: 1, ..neutral() }, 280, 400, MediaType::Png),
        (
            ImageOptions { quarter_turns: 3, width: Some(Width::Pixels(150)), ..neutral() },
            150,
            226,
            MediaType::Png,
        ),
        (ImageOptions { flip, ..neutral() }, 451, 300, MediaType::Png),
        (ImageOptions { blur: 20.0, sharpen: 1.0, format: jpeg, ..neutral() }, 451, 300, MediaType::Jpeg),
        (ImageOptions { background: Some(RED), saturation: 0.0, ..neutral() }, 451, 300, MediaType::Png),
    ] {
        let said = format!("{options:?}");
        let rendered = try_render(&chelsea, options.clone()).unwrap();
        let facts = rendered.facts;
        let found = (facts.content, facts.width, facts.height);
        assert_eq!(found, (RenderedContent::Image(media_type), width, height), "{said}");
        assert_eq!(try_render(&chelsea, options).unwrap().bytes, rendered.bytes, "{said}");
    }
}

#[test]
fn turns_and_trims_move_pixels_and_change_none() {
    let source = photo("chelsea.png");
    let (w, h) = (451, 300);
    let pixels = Pixels::read(&source);
    let flip = |horizontal, vertical| ImageOptions { flip: Flip { horizontal, vertical }, ..neutral() };
    let turn = |quarter_turns| ImageOptions { quarter_turns, ..neutral() };
    assert_eq!(shown(&source, neutral()), pixels);
    assert_eq!(shown(&source, flip(true, false)), pixels.moved(w, h, |x, y| (w - 1 - x, y)));
    assert_eq!(shown(&source, flip(false, true)), pixels.moved(w, h, |x, y| (x, h - 1 - y)));
    assert_eq!(shown(&source, flip(true, true)), pixels.moved(w, h, |x, y| (w - 1 - x, h - 1 - y)));
    assert_eq!(shown(&source, turn(1)), pixels.moved(h, w, |x, y| (y, h - 1 - x)));
    assert_eq!(shown(&source, turn(2)), pixels.moved(w, h, |x, y| (w - 1 - x, h - 1 - y)));
    assert_eq!(shown(&source, turn(3)), pixels.moved(h, w, |x, y| (w - 1 - y, x)));
    let first_flipped = ImageOptions { quarter_turns: 1, ..flip(true, false) };
    assert_eq!(shown(&source, first_flipped.clone()), pixels.moved(h, w, |x, y| (w - 1 - y, h - 1 - x)));
    let length = |pixels| Some(Length::Pixels(pixels));
    let trim = Trim {
        top: length(10.0),
        right: length(20.0),
        bottom: length(30.0),
        left: length(40.0),
        ..Trim::default()
    };
    let trimmed = pixels.moved(w - 60, h - 40, |x, y| (x + 40, y + 10));
    assert_eq!(shown(&source, ImageOptions { trim, ..neutral() }), trimmed);
    // What is trimmed is trimmed first.
    let all = shown(&source, ImageOptions { trim, ..first_flipped });
    assert_eq!(all, trimmed.moved(h - 40, w - 60, |x, y| (w - 61 - y, h - 41 - x)));
}

#[test]
fn a_crop_shows_the_part_that_gravity_names() {
    let source = photo("chelsea.png");
    let pixels = Pixels::read(&source);
    // As high as the source, so that nothing is resized.
    for (x, left) in [(0.5, 176), (0.0, 0), (1.0, 351), (0.25, 88)] {
        let options = ImageOptions { gravity: Gravity::Point { x, y: 0.5 }, ..sized(Fit::Cover, 100, 300) };
        assert_eq!(shown(&source, options), pixels.moved(100, 300, |px, py| (px + left, py)), "{x}");
    }
}

#[test]
fn what_draws_the_eye_stays_in_sight() {
    // Grey, with a spot of noise at the right and below.
    let mut pixels = Pixels::filled(400, 200, &[128, 128, 128]);
    for y in 120..180 {
        for x in 310..370 {
            let at = (y * 400 + x) * 3;
            pixels.bytes[at..at + 3].copy_from_slice(&[(x * 71 + y * 37) as u8, 40, (x * y) as u8]);
        }
    }
    let source = pixels.png(None);
    for gravity in [Gravity::Auto, Gravity::Entropy, Gravity::Face] {
        for (turns, width, height) in [(0, 100, 100), (1, 100, 100), (0, 60, 100), (2, 60, 100)] {
            let options = ImageOptions { gravity, quarter_turns: turns, ..sized(Fit::Cover, width, height) };
            let shown = shown(&source, options);
            let busy = shown.bytes.chunks(3).filter(|pixel| pixel[1] < 90).count();
            // The spot is 30×30 in the output.
            assert!(busy > 700, "{gravity:?}, turned {turns}, {width}×{height}: {busy}");
        }
    }
    let options = ImageOptions { gravity: Gravity::Face, ..sized(Fit::Cover, 100, 100) };
    let warnings = try_render(&source, options).unwrap().facts.warnings;
    assert_eq!(warnings, ["face detection is not available, gravity=auto was used"]);
}

#[test]
fn a_fit_that_lacks_a_side_says_so() {
    for (fit, warnings) in [
        (Fit::Cover, vec!["cover fit mode needs both width and height"]),
        (Fit::AspectCrop, vec!["aspect-crop fit mode needs both width and height"]),
        (Fit::Contain, vec![]),
    ] {
        let options = ImageOptions { height: None, ..sized(fit, 50, 1) };
        let rendered = try_render(&photo("chelsea.png"), options).unwrap();
        assert_eq!((rendered.facts.width, rendered.facts.height), (50, 33));
        assert_eq!(rendered.facts.warnings, warnings);
    }
}

#[test]
fn what_would_be_too_large_is_refused() {
    let source = Pixels::filled(20, 10, &[1, 2, 3]).png(None);
    for (options, expected) in [
        (sized(Fit::Contain, 12_001, 12_001), Some((12_001, 6_001))),
        (sized(Fit::Squeeze, 10_001, 10_000), Some((10_001, 10_000))),
        (ImageOptions { dpr: 3.0, ..sized(Fit::Cover, 4_001, 10) }, Some((12_003, 30))),
        // Never are more than 100×100 pixels of the enlarged image made.
        (sized(Fit::Cover, 100, 100), None),
        (sized(Fit::Cover, 1, 7_000), None),
    ] {
        match (try_render(&source, options.clone()), expected) {
            (Ok(_), None) => {}
            (Err(RenderError::EnlargedTooMuch { width, height, side_max: 12_000 }), Some(size)) => {
                assert_eq!((width, height), size);
            }
            (found, _) => panic!("{options:?}: {:?}", found.map(|rendered| rendered.facts)),
        }
    }
}

#[test]
fn tones_are_what_a_computation_of_their_own_says() {
    let source = photo("chelsea.png");
    let pixels = Pixels::read(&source);
    let each = |change: &dyn Fn(f64) -> f64| {
        let bytes =
            pixels.bytes.iter().map(|&value| change(f64::from(value)).round().clamp(0.0, 255.0) as u8);
        Pixels { bytes: bytes.collect(), ..pixels.clone() }
    };
    let half = shown(&source, ImageOptions { brightness: 0.5, ..neutral() });
    assert_eq!(half, each(&|value| value * 0.5));
    assert!((half.mean() * 2.0 - pixels.mean()).abs() < 0.6);
    let contrast = shown(&source, ImageOptions { contrast: 1.5, ..neutral() });
    assert_eq!(contrast, each(&|value| (value - 127.5) * 1.5 + 127.5));
    let dark = shown(&source, ImageOptions { gamma: 0.5, ..neutral() });
    let squared = each(&|value| value * value / 255.0);
    assert!(dark.bytes.iter().zip(&squared.bytes).all(|(got, want)| got.abs_diff(*want) <= 1));
    assert!(shown(&source, ImageOptions { gamma: 2.0, ..neutral() }).mean() > pixels.mean());
    for pixel in shown(&source, ImageOptions { saturation: 0.0, ..neutral() }).bytes.chunks(3) {
        assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2], "{pixel:?}");
    }
    let zero = ImageOptions { brightness: 0.0, contrast: 0.0, gamma: 0.0, ..neutral() };
    assert_eq!(shown(&source, zero), pixels);
}

#[test]
fn a_blur_lowers_the_variance_and_sharpening_raises_it() {
    let source = photo("chelsea.png");
    let pixels = Pixels::read(&source);
    let blurred = |blur| shown(&source, ImageOptions { blur, ..neutral() });
    assert_eq!(blurred(0.9), pixels);
    let mut before = pixels.variance();
    for radius in [1.0, 4.0, 20.0, 100.0, 250.0] {
        let blurred = blurred(radius);
        assert!(blurred.variance() < before * 0.999, "{radius}: {} after {before}", blurred.variance());
        assert!((blurred.mean() - pixels.mean()).abs() < 8.0, "{radius}");
        before = blurred.variance();
    }
    let sharp = |sharpen| shown(&source, ImageOptions { sharpen, ..neutral() });
    assert!(pixels.variance() < sharp(1.0).variance() && sharp(1.0).variance() < sharp(10.0).variance());
    assert!(pixels.mean_difference(&sharp(1.0)) < 8.0);
}

#[test]
fn padding_is_white_or_of_the_background_and_part_of_what_is_blurred_and_brightened() {
    let source = photo("chelsea.png");
    let pad = sized(Fit::Pad, 451, 451);
    let white = shown(&source, pad.clone());
    // (451 − 300) / 2 = 75 rows above.
    assert_eq!((white.at(0, 74), white.at(450, 375)), ([255; 3].as_slice(), [255; 3].as_slice()));
    assert_eq!(white.at(7, 75), Pixels::read(&source).at(7, 0));
    let red = shown(&source, ImageOptions { background: Some(RED), ..pad.clone() });
    assert_eq!((red.at(0, 0), red.at(450, 450)), ([255, 0, 0].as_slice(), [255, 0, 0].as_slice()));
    let dark = shown(&source, ImageOptions { brightness: 0.5, ..pad.clone() });
    assert_eq!(dark.at(0, 0), [128; 3]);
    let blurred = shown(&source, ImageOptions { blur: 20.0, ..pad });
    assert!(blurred.at(200, 70)[0] < 250);
}

#[test]
fn a_background_lies_beneath_what_is_transparent() {
    let mut pixels = Pixels::filled(4, 2, &[0, 0, 255, 255]);
    pixels.bytes[..4].copy_from_slice(&[9, 9, 9, 0]);
    pixels.bytes[4..8].copy_from_slice(&[0, 0, 255, 128]);
    let source = pixels.png(None);
    assert_eq!(shown(&source, neutral()), pixels);
    let red = shown(&source, ImageOptions { background: Some(RED), ..neutral() });
    assert_eq!(
        (red.at(0, 0), red.at(1, 0), red.at(2, 0)),
        ([255, 0, 0].as_slice(), [127, 0, 128].as_slice(), [0, 0, 255].as_slice())
    );
    // Asked for as JPEG, it lies on white; not asked for, it is no JPEG.
    let large = Pixels::filled(64, 64, &[0, 0, 0, 0]).png(None);
    let jpeg = try_render(&large, ImageOptions { format: OutputFormat::Jpeg, ..neutral() }).unwrap();
    assert_eq!(jpeg.facts.content, RenderedContent::Image(MediaType::Jpeg));
    assert!(shown(&jpeg.bytes, neutral()).bytes.iter().all(|&value| value > 250));
    let png = try_render(&large, ImageOptions { format: OutputFormat::Png, ..neutral() }).unwrap();
    assert_eq!(png.facts.content, RenderedContent::Image(MediaType::Png));
    let on_red = ImageOptions { format: OutputFormat::Png, background: Some(RED), ..neutral() };
    let on_red = try_render(&large, on_red).unwrap();
    assert_eq!(on_red.facts.content, RenderedContent::Image(MediaType::Jpeg));
}

#[test]
fn a_border_is_found_and_cut_off() {
    let framed =
        shown(&photo("chelsea.png"), ImageOptions { background: Some(RED), ..sized(Fit::Pad, 451, 451) });
    let source = framed.png(None);
    let border = |border| Trim { border: Some(border), ..Trim::default() };
    let trimmed = |trim| shown(&source, ImageOptions { trim, ..neutral() });
    assert_eq!(trimmed(border(BorderTrim::default())), Pixels::read(&photo("chelsea.png")));
    let kept = trimmed(border(BorderTrim { keep: 5.0, color: Some(RED), ..BorderTrim::default() }));
    assert_eq!((kept.width, kept.height), (451, 310));
    let blue = Color { red: 0, blue: 255, ..RED };
    assert_eq!(trimmed(border(BorderTrim { color: Some(blue), ..BorderTrim::default() })), framed);
    // In a JPEG, turned on its side and shown smaller.
    let stored = framed.moved(451, 451, |x, y| (y, x));
    let jpeg = jpeg(&stored, PixelFormat::Rgb, Some(&exif(5)));
    let trim = border(BorderTrim { tolerance: Some(40.0), ..BorderTrim::default() });
    let small = shown(&jpeg, ImageOptions { trim, width: Some(Width::Pixels(100)), ..neutral() });
    assert!((66..=67).contains(&small.height), "{}×{}", small.width, small.height);
}

#[test]
fn a_photograph_is_shown_upright_whatever_its_orientation() {
    let source = photo("chelsea.png");
    let (w, h) = (451, 300);
    let pixels = Pixels::read(&source);
    let small = |source: &[u8]| shown(source, ImageOptions { width: Some(Width::Pixels(90)), ..neutral() });
    let upright = small(&jpeg(&pixels, PixelFormat::Rgb, None));
    for (orientation, stored) in [
        (1, pixels.clone()),
        (2, pixels.moved(w, h, |x, y| (w - 1 - x, y))),
        (3, pixels.moved(w, h, |x, y| (w - 1 - x, h - 1 - y))),
        (4, pixels.moved(w, h, |x, y| (x, h - 1 - y))),
        (5, pixels.moved(h, w, |x, y| (y, x))),
        (6, pixels.moved(h, w, |x, y| (w - 1 - y, x))),
        (7, pixels.moved(h, w, |x, y| (w - 1 - y, h - 1 - x))),
        (8, pixels.moved(h, w, |x, y| (y, h - 1 - x))),
    ] {
        let shown = small(&jpeg(&stored, PixelFormat::Rgb, Some(&exif(orientation))));
        assert!(shown.mean_difference(&upright) < 2.0, "{orientation}: {}", shown.mean_difference(&upright));
    }
}

#[test]
fn of_metadata_as_much_is_kept_as_was_asked_for() {
    let source = jpeg(&Pixels::filled(40, 20, &[9, 99, 199]), PixelFormat::Rgb, Some(&exif(6)));
    let kept = |metadata, format| {
        let rendered = try_render(&source, ImageOptions { metadata, format, ..neutral() }).unwrap();
        assert_eq!((rendered.facts.width, rendered.facts.height), (20, 40));
        rendered.bytes
    };
    let exif_of = |metadata| {
        let bytes = kept(metadata, OutputFormat::Jpeg);
        libjpeg_turbo_rs::Decoder::new(&bytes).unwrap().exif_data().map(<[u8]>::to_vec)
    };
    assert_eq!(exif_of(KeptMetadata::None), None);
    assert_eq!(exif_of(KeptMetadata::Keep), Some(exif(1)));
    let copyright = exif_of(KeptMetadata::Copyright).unwrap();
    assert!(copyright.ends_with(b"(c) Ada\0") && copyright.len() == 26 + 8, "{copyright:?}");
    let png = kept(KeptMetadata::Keep, OutputFormat::PngForce);
    assert!(!png.windows(4).any(|part| part == b"eXIf" || part == b"Ada\0"));
}

#[test]
fn colours_are_converted_to_srgb() {
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let source = Pixels::filled(30, 20, &[153, 102, 51]).png(Some(p3));
    let small = ImageOptions { width: Some(Width::Pixels(10)), ..neutral() };
    for options in [neutral(), small] {
        let shown = shown(&source, options);
        // As CSS Color 4 has it.
        let off = shown
            .at(3, 3)
            .iter()
            .zip([163, 100, 37])
            .map(|(&got, want): (_, i32)| (i32::from(got) - want).abs());
        assert!(off.max() <= Some(3), "{:?}", shown.at(3, 3));
    }
    let broken = Pixels::filled(30, 20, &[153, 102, 51]).png(Some(b"no profile at all".to_vec()));
    assert_eq!(shown(&broken, neutral()).at(3, 3), [153, 102, 51]);
}

#[test]
fn inks_become_colours_whether_or_not_they_are_written_inverted() {
    // What libjpeg calls CMYK is as it stands in the file: full ink is 0 with Adobe's segment.
    let stored = Pixels::filled(32, 32, &[255, 55, 255, 255]);
    let adobe = jpeg(&stored, PixelFormat::Cmyk, None);
    let magenta = shown(&adobe, neutral()).at(5, 5).to_vec();
    assert!(magenta[0] > 250 && magenta[1].abs_diff(55) < 4 && magenta[2] > 250, "{magenta:?}");
    let mut plain = adobe;
    let at = plain.windows(5).position(|part| part == b"Adobe").unwrap();
    // The segment goes, its mark and length with it.
    let length = usize::from(u16::from_be_bytes([plain[at - 2], plain[at - 1]]));
    plain.drain(at - 4..at - 2 + length);
    let black = shown(&plain, neutral()).at(5, 5).to_vec();
    assert!(black.iter().all(|&value| value < 4), "{black:?}");
}

fn jpeg(pixels: &Pixels, format: PixelFormat, exif: Option<&[u8]>) -> Vec<u8> {
    let encoder = Encoder::new(&pixels.bytes, pixels.width, pixels.height, format)
        .quality(95)
        .subsampling(Subsampling::S444);
    match exif {
        Some(exif) => encoder.exif_data(exif).encode().unwrap(),
        None => encoder.encode().unwrap(),
    }
}

/// EXIF with an orientation and a copyright.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"II\x2A\0\x08\0\0\0\x02\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    exif.extend([0x98, 0x82, 2, 0, 8, 0, 0, 0, 38, 0, 0, 0]);
    exif.extend([0; 4]);
    exif.extend(b"(c) Ada\0");
    exif
}
