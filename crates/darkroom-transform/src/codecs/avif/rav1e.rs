//! Writing by rav1e, in Rust: slow, and good enough where no C++ and no assembler can be built.

use ravif::{BitDepth, Encoder, Img, RGBA8};

use crate::RenderError;
use crate::picture::{Layout, Picture};

/// The fastest: an image of a thousand pixels on a side takes a second even so.
const SPEED: u8 = 10;

pub(super) fn encode(picture: &Picture, quality: u8) -> Result<Vec<u8>, RenderError> {
    let opaque = |color: &[u8]| RGBA8::new(color[0], color[1], color[2], u8::MAX);
    let pixels: Vec<RGBA8> = match picture.layout {
        Layout::Rgb => picture.bytes.chunks_exact(3).map(opaque).collect(),
        Layout::Rgba => picture.bytes.chunks_exact(4).map(|p| RGBA8::new(p[0], p[1], p[2], p[3])).collect(),
        Layout::Cmyk => return Err(RenderError::encoding("an AVIF has no inks")),
    };
    let quality = f32::from(quality.clamp(1, 100));
    let encoder = Encoder::new()
        .with_quality(quality)
        .with_alpha_quality(quality)
        .with_speed(SPEED)
        .with_bit_depth(BitDepth::Eight)
        // Also how many tiles there are: the same on every machine.
        .with_num_threads(Some(1));
    let image = Img::new(&pixels[..], picture.size.width as usize, picture.size.height as usize);
    Ok(encoder.encode_rgba(image).map_err(RenderError::encoding)?.avif_file)
}
