//! Small pictures of every format, and what is left of them after some harm.

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, RenderLimits};
use darkroom_transform::{Accepts, RenderRequest, render};

use crate::hostile::PHOTO;

const ANIMATED_GIF: &[u8] = include_bytes!("../../../../fuzz/corpus/render_gif/animated");
const ANIMATED_WEBP: &[u8] = include_bytes!("../../../../fuzz/corpus/render_webp/animated");
const AVIF_WITH_ALPHA: &[u8] = include_bytes!("../../../../fuzz/corpus/render_avif/alpha");
const CAT: &[u8] = include_bytes!("../../../../tests/photos/chelsea.png");
const DRAWING: &[u8] =
    b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"30\"><circle r=\"9\"/></svg>";

/// A file to be uploaded.
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    /// No pixels are made of it.
    pub(crate) is_drawing: bool,
}

/// Pictures that are shown.
pub(crate) fn harmless() -> Vec<Picture> {
    let pictures = [
        &small(PHOTO, 320, OutputFormat::Jpeg)[..],
        &small(CAT, 64, OutputFormat::BaselineJpeg),
        &small(CAT, 100, OutputFormat::PngForce),
        &small(PHOTO, 200, OutputFormat::WebP),
        &small(CAT, 64, OutputFormat::Avif),
        AVIF_WITH_ALPHA,
        ANIMATED_GIF,
        ANIMATED_WEBP,
        DRAWING,
    ];
    pictures.map(|bytes| Picture { bytes: bytes.to_vec(), is_drawing: bytes == DRAWING }).into()
}

/// The same with the end missing, and with bytes changed behind the head.
pub(crate) fn damaged() -> Vec<Vec<u8>> {
    let pictures =
        || harmless().into_iter().filter(|picture| !picture.is_drawing).map(|picture| picture.bytes);
    let cut = pictures().map(|bytes| bytes[..bytes.len() * 9 / 10].to_vec());
    let changed = pictures().map(|mut bytes| {
        let from = bytes.len() * 3 / 4;
        bytes[from..].iter_mut().step_by(13).for_each(|byte| *byte ^= 0x55);
        bytes
    });
    cut.chain(changed).collect()
}

/// Files that are refused when they come: no image, half of a head, and more pixels than there may be.
pub(crate) fn refused() -> Vec<Vec<u8>> {
    let mut bomb = CAT[..200].to_vec();
    bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    vec![b"no image at all".repeat(1_000), PHOTO[..12].to_vec(), bomb]
}

fn small(source: &[u8], width: u32, format: OutputFormat) -> Vec<u8> {
    let options = ImageOptions { width: Some(Width::Pixels(width)), format, ..ImageOptions::default() };
    let accepts = Accepts { avif: true, webp: true };
    let request = RenderRequest { options, accepts, limits: RenderLimits::default() };
    render(source, &request).unwrap().bytes
}
