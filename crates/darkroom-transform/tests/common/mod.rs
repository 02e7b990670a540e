//! What several test files need: sources, requests, and pixels of what came out.
#![allow(dead_code)]

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, RenderLimits};
use darkroom_transform::{Accepts, RenderRequest, Rendered, render};

pub(crate) fn file(path: &str) -> Vec<u8> {
    let path = format!("{}/tests/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn request(format: OutputFormat) -> RenderRequest {
    let options = ImageOptions { format, ..ImageOptions::default() };
    RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() }
}

pub(crate) fn narrowed(format: OutputFormat, width: u32) -> RenderRequest {
    let mut request = request(format);
    request.options.width = Some(Width::Pixels(width));
    request
}

/// Renders to PNG and returns its pixels: width, height, samples of each.
pub(crate) fn pixels(source: &[u8]) -> (u32, u32, Vec<Vec<u8>>) {
    let rendered = render(source, &request(OutputFormat::PngForce)).expect("a picture");
    png_pixels(&rendered.bytes)
}

pub(crate) fn png_pixels(bytes: &[u8]) -> (u32, u32, Vec<Vec<u8>>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().expect("a PNG");
    let mut buffer = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut buffer).expect("its pixels");
    let pixels = buffer.chunks_exact(info.color_type.samples()).map(<[u8]>::to_vec).collect();
    (info.width, info.height, pixels)
}

/// Frames of a GIF as it is stored: delay in hundredths of a second, disposal, box, pixels as RGBA.
pub(crate) fn gif_frames(rendered: &Rendered) -> (gif::Repeat, Vec<gif::Frame<'static>>) {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(&rendered.bytes[..]).expect("a GIF");
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().expect("a frame") {
        frames.push(frame.clone());
    }
    (decoder.repeat(), frames)
}
