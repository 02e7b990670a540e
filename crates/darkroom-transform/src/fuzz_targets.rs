//! What must hold for any bytes at all: the bodies of the fuzz targets in `fuzz/`, replayed over the committed corpus by
//! every test run.

use darkroom_model::image_options::OutputFormat;
use darkroom_model::{ImageOptions, Limits, MediaType, RenderLimits};

use crate::{Accepts, RenderRequest, probe, render};

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
