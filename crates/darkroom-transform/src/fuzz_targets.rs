//! What must hold for any bytes at all: the bodies of the fuzz targets in `fuzz/`.
//!
//! They stand here so that tests on the stable compiler run them too, over the committed corpora and over damaged files.
//! Each panics when a promise is broken.

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, Limits, MediaType, RenderLimits};

use crate::render::render_unguarded;
use crate::{Accepts, RenderRequest, RenderedContent, probe, render};

/// Limits that let a target run a thousand times a second.
const LIMITS: RenderLimits = RenderLimits {
    pixels_max: 1 << 18,
    side_max: 4_096,
    animation_pixels_max: 1 << 17,
    progressive_work_max: 1 << 20,
    output_side_max: 4_096,
    output_pixels_max: 1 << 18,
    avif_side_max: 64,
    ..RenderLimits::DEFAULT
};

/// The bytes may be a JPEG.
pub fn render_jpeg(bytes: &[u8]) {
    render_as(bytes, MediaType::Jpeg);
}

/// The bytes may be a PNG.
pub fn render_png(bytes: &[u8]) {
    render_as(bytes, MediaType::Png);
}

/// The bytes may be a GIF.
pub fn render_gif(bytes: &[u8]) {
    render_as(bytes, MediaType::Gif);
}

/// The bytes may be a WebP.
pub fn render_webp(bytes: &[u8]) {
    render_as(bytes, MediaType::WebP);
}

/// A file is rendered, whole and smaller, or refused; no codec panics; and what comes out is what was promised, by the
/// word of the probe.
fn render_as(bytes: &[u8], media_type: MediaType) {
    let limits = Limits { pixels_max: LIMITS.pixels_max, side_max: LIMITS.side_max, ..Limits::default() };
    let Ok(source) = probe(bytes, &limits) else { return };
    if source.media_type != media_type {
        return;
    }
    let jpeg = OutputFormat::BaselineJpeg;
    // Decoders give a half, a quarter or an eighth where less than that is left.
    let smaller = [3, 5, 9].map(|shrink| (Some((source.width / shrink).max(1)), jpeg));
    for (width, format) in [(None, OutputFormat::Auto)].into_iter().chain(smaller) {
        let options = ImageOptions { width: width.map(Width::Pixels), format, ..ImageOptions::default() };
        let request = RenderRequest { options, accepts: Accepts::default(), limits: LIMITS };
        let Ok(rendered) = render_unguarded(bytes, &request) else { continue };
        let probed = probe(&rendered.bytes, &Limits::default()).expect("what is sent can be read");
        assert_eq!(rendered.facts.content, RenderedContent::Image(probed.media_type));
        assert_eq!((rendered.facts.width, rendered.facts.height), (probed.width, probed.height));
        assert!(width.is_none_or(|width| probed.width <= width), "{} wide", probed.width);
    }
}

/// The bytes are an AVIF. It is rendered or refused, and what is rendered is a picture.
pub fn render_avif(bytes: &[u8]) {
    if !probe(bytes, &Limits::default()).is_ok_and(|found| found.media_type == MediaType::Avif) {
        return;
    }
    let request = RenderRequest {
        options: ImageOptions { format: OutputFormat::PngForce, ..ImageOptions::default() },
        accepts: Accepts::default(),
        // Small, so that a run sees many files.
        limits: RenderLimits { pixels_max: 1 << 16, ..RenderLimits::default() },
    };
    if let Ok(rendered) = render(bytes, &request) {
        let found = probe(&rendered.bytes, &Limits::default()).expect("what is rendered is an image");
        assert_eq!((found.width, found.height), (rendered.facts.width, rendered.facts.height));
    }
}

/// The bytes are an SVG. It is refused, or comes out without scripts and foreign content, and passes once more.
pub fn sanitise_svg(bytes: &[u8]) {
    let limits = RenderLimits { svg_bytes_max: 1 << 20, ..RenderLimits::default() };
    let Ok(once) = crate::sanitise_svg(bytes, &limits) else { return };
    assert!(once.len() <= limits.svg_bytes_max);
    let text = String::from_utf8(once).expect("what comes out is UTF-8").to_ascii_lowercase();
    for element in ["<script", "<foreignobject", "<iframe", "<handler", "<!doctype", "<!entity", "<?xml-"] {
        assert!(!text.contains(element), "{element} is left: {text}");
    }
}
