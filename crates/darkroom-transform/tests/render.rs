//! Real photographs, rendered.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, Limits, MediaType, RenderLimits};
use darkroom_transform::{Accepts, RenderRequest, RenderedContent, probe, render};

fn photo(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/photos/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn a_photograph_becomes_a_small_jpeg() {
    let options = ImageOptions {
        width: Some(Width::Pixels(200)),
        format: OutputFormat::Jpeg,
        ..ImageOptions::default()
    };
    let request = RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() };
    let rendered = render(&photo("rocket.jpg"), &request).unwrap();
    assert_eq!(rendered.facts.content, RenderedContent::Image(MediaType::Jpeg));
    let found = probe(&rendered.bytes, &Limits::default()).unwrap();
    assert_eq!((found.media_type, found.width), (MediaType::Jpeg, 200));
    assert_eq!((found.width, found.height), (rendered.facts.width, rendered.facts.height));
}
