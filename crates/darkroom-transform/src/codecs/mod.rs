//! Files to pixels and back, one file for each format.
//!
//! What strangers uploaded is read by Rust only; C may write what we made.

mod avif;
mod canvas;
mod gif;
mod jpeg;
mod libwebp;
mod palette;
mod png;
mod webp;

use std::borrow::Cow;

use darkroom_model::{MediaType, RenderLimits};

use crate::RenderError;
use crate::encoding::Encoding;
use crate::geometry::Turn;
use crate::picture::Picture;
use crate::plan::Size;
use crate::probe::Probe;

/// What a decoder knows before it reads pixels.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Header {
    /// The size as stored.
    pub(crate) size: Size,
    /// How many times an animation is shown; 0 is for ever.
    pub(crate) loop_count: u16,
    /// What makes the stored image upright.
    pub(crate) upright: Turn,
    /// Its ICC profile.
    pub(crate) icc_profile: Option<Vec<u8>>,
    /// Its EXIF metadata: a TIFF file.
    pub(crate) exif: Option<Vec<u8>>,
}

/// One picture of a file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Frame {
    /// Its pixels, of the whole image: what earlier frames left is in it.
    pub(crate) picture: Picture,
    /// How long it is shown, in milliseconds; 0 for a still image.
    pub(crate) delay_ms: u32,
}

/// Reads the frames of one file.
pub(crate) trait Decoder {
    /// What is known of all frames.
    fn header(&self) -> &Header;

    /// Reads the next frame; `None` behind the last. `shrink_max` is how many times smaller it may be given than it is,
    /// at both sides alike; a decoder that saves nothing by it gives the size that is stored.
    fn next_frame(&mut self, shrink_max: u32) -> Result<Option<Frame>, RenderError>;
}

/// Returns a file as its decoder can make the best of it, one that is cut off with an end.
pub(crate) fn completed<'a>(bytes: &'a [u8], probe: &Probe) -> Cow<'a, [u8]> {
    if probe.media_type == MediaType::Jpeg { jpeg::completed(bytes) } else { bytes.into() }
}

/// Opens a file that [`probe`](crate::probe()) knows.
pub(crate) fn open<'a>(
    bytes: &'a [u8],
    probe: &Probe,
    limits: &RenderLimits,
) -> Result<Box<dyn Decoder + 'a>, RenderError> {
    match probe.media_type {
        MediaType::Jpeg => Ok(Box::new(jpeg::JpegDecoder::open(bytes, limits)?)),
        MediaType::Png => Ok(Box::new(png::PngDecoder::open(bytes, limits)?)),
        MediaType::WebP => Ok(Box::new(webp::WebPDecoder::open(bytes, limits)?)),
        MediaType::Gif => Ok(Box::new(gif::GifDecoder::open(bytes, limits)?)),
        MediaType::Avif => Ok(Box::new(avif::AvifDecoder::open(bytes, limits)?)),
        MediaType::Svg => Err(RenderError::SvgConversion),
    }
}

/// How a picture is written, besides the format.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct EncodeOptions<'a> {
    /// 1 to 100.
    pub(crate) quality: u8,
    /// Whether `quality` was asked for, and is not a default.
    pub(crate) is_quality_given: bool,
    /// Whether a quick result is worth more than a small one.
    pub(crate) is_fast: bool,
    /// EXIF metadata to write, where the format carries some: a TIFF file.
    pub(crate) exif: Option<&'a [u8]>,
}

/// Writes one picture.
pub(crate) fn encode(
    picture: &Picture,
    encoding: Encoding,
    options: EncodeOptions<'_>,
) -> Result<Vec<u8>, RenderError> {
    match encoding {
        Encoding::Jpeg { progressive } => jpeg::encode(picture, progressive, options),
        Encoding::Png => png::encode(picture, options),
        Encoding::WebP => webp::encode(picture, options),
        Encoding::Gif => gif::encode(picture),
        Encoding::Avif => avif::encode(picture, options),
    }
}

/// Writes an animation, one frame after the other.
pub(crate) enum AnimationEncoder {
    Gif(gif::Animation),
    WebP(libwebp::Animation),
}

impl AnimationEncoder {
    /// Begins an animation that is shown `loop_count` times; 0 is for ever.
    pub(crate) fn new(
        encoding: Encoding,
        size: Size,
        loop_count: u16,
        quality: u8,
    ) -> Result<AnimationEncoder, RenderError> {
        match encoding {
            Encoding::Gif => gif::Animation::new(size, loop_count).map(AnimationEncoder::Gif),
            Encoding::WebP => libwebp::Animation::new(size, loop_count, quality).map(AnimationEncoder::WebP),
            Encoding::Jpeg { .. } | Encoding::Png | Encoding::Avif => {
                Err(RenderError::encoding("the format has no animations here"))
            }
        }
    }

    /// Adds a frame, which must have the animation's size.
    pub(crate) fn add(&mut self, picture: &Picture, delay_ms: u32) -> Result<(), RenderError> {
        match self {
            AnimationEncoder::Gif(animation) => animation.add(picture, delay_ms),
            AnimationEncoder::WebP(animation) => animation.add(picture, delay_ms),
        }
    }

    /// Returns the file.
    pub(crate) fn finish(self) -> Result<Vec<u8>, RenderError> {
        match self {
            AnimationEncoder::Gif(animation) => animation.finish(),
            AnimationEncoder::WebP(animation) => animation.finish(),
        }
    }
}
