//! What an uploaded file is, by its bytes (reference: api §3.2).
//!
//! One file for each format. Every walk is a loop that moves forward over the bytes; what a header claims is
//! compared with what is there and never used to reserve memory. Sizes and places are `u64`, so that no sum of
//! claimed numbers can wrap.

mod avif;
pub(crate) mod boxes;
mod gif;
mod jpeg;
mod png;
pub(crate) mod svg;
pub(crate) mod view;
pub(crate) mod webp;

use darkroom_model::{Limits, MediaType};

use view::View;

/// What a look at a file showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Its type, by its content.
    pub media_type: MediaType,
    /// Width in pixels; 0 if an SVG gives none.
    pub width: u32,
    /// Height in pixels; 0 if an SVG gives none.
    pub height: u32,
    /// Frames; 1 for a still image.
    pub frames: u32,
}

/// Why a file is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProbeError {
    /// No image of an accepted type. HEIC is one of those not accepted.
    #[error("not an image of an accepted type")]
    NotAnImage,
    /// An image by its first bytes, but cut off or contradicting itself; what was missing.
    #[error("damaged image: {0}")]
    Damaged(&'static str),
    /// A side or the area is above its limit.
    #[error("image dimensions exceed the maximum")]
    TooLarge,
    /// All frames of the animation together are above the limit of the area.
    #[error("frames of the animation exceed the maximum")]
    AnimationTooLarge,
}

/// Says what a file is, without decoding it.
///
/// A file with more than its image (bytes after the end marker) is accepted: cameras and editors write such files.
///
/// ```
/// use darkroom_model::Limits;
/// use darkroom_transform::{ProbeError, probe};
/// assert_eq!(probe(b"hello", &Limits::default()), Err(ProbeError::NotAnImage));
/// ```
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Probe, ProbeError> {
    let view = View::new(bytes);
    let media_type = media_type_of(bytes).ok_or(ProbeError::NotAnImage)?;
    let shape = match media_type {
        MediaType::Jpeg => jpeg::walk(view)?,
        MediaType::Png => png::walk(view)?,
        MediaType::Gif => gif::walk(view)?,
        MediaType::WebP => webp::walk(view)?,
        MediaType::Avif => avif::walk(view)?,
        MediaType::Svg => svg::walk(bytes)?,
    };
    judge(media_type, shape, limits)?;
    Ok(Probe { media_type, width: shape.width, height: shape.height, frames: shape.frames })
}

/// What the walk over one container found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    width: u32,
    height: u32,
    frames: u32,
    /// The largest picture that a decoder must hold at once, where it is larger than width × height.
    largest: (u32, u32),
}

impl Shape {
    fn still(width: u32, height: u32) -> Shape {
        Shape { width, height, frames: 1, largest: (width, height) }
    }
}

fn media_type_of(bytes: &[u8]) -> Option<MediaType> {
    if bytes.starts_with(&jpeg::SIGNATURE) {
        Some(MediaType::Jpeg)
    } else if bytes.starts_with(&png::SIGNATURE) {
        Some(MediaType::Png)
    } else if gif::SIGNATURES.iter().any(|signature| bytes.starts_with(signature)) {
        Some(MediaType::Gif)
    } else if webp::is_webp(bytes) {
        Some(MediaType::WebP)
    } else if avif::is_avif(View::new(bytes)) {
        Some(MediaType::Avif)
    } else if svg::is_svg(bytes) {
        Some(MediaType::Svg)
    } else {
        None
    }
}

/// Applies the limits. The side of a WebP ends at 16,383 by format; an SVG has no pixels.
fn judge(media_type: MediaType, shape: Shape, limits: &Limits) -> Result<(), ProbeError> {
    if media_type == MediaType::Svg {
        return Ok(());
    }
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let (width, height) = shape.largest;
    let frame_area = area((shape.width, shape.height)).max(area(shape.largest));
    let side_too_long = shape.width.max(shape.height).max(width).max(height) > limits.side_max;
    if (side_too_long && media_type != MediaType::WebP) || frame_area > limits.pixels_max {
        return Err(ProbeError::TooLarge);
    }
    if frame_area.saturating_mul(u64::from(shape.frames)) > limits.pixels_max {
        return Err(ProbeError::AnimationTooLarge);
    }
    Ok(())
}
