//! WebP: read by Rust, written by libwebp.
//!
//! Of an animation each frame is read as a file of its own and drawn by us: `image-webp` does not clear a frame away
//! (it draws on what earlier ones left).

use std::io::Cursor;

use darkroom_model::RenderLimits;
use image_webp::{DecodingError, LoopCount, WebPDecoder as Reader};

use super::canvas::{Canvas, Disposal, Placement};
use super::{Decoder, EncodeOptions, Frame, Header, libwebp};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;
use crate::probe::webp::{self, Frame as StoredFrame};

/// Bytes that a decoder may hold besides its output.
const MEMORY_MAX: usize = 512 << 20;

pub(super) struct WebPDecoder<'a> {
    header: Header,
    pictures: Pictures<'a>,
}

/// What of a file is still to be read.
enum Pictures<'a> {
    None,
    Still(Reader<Cursor<&'a [u8]>>),
    Frames(Canvas, Box<dyn Iterator<Item = StoredFrame<'a>> + 'a>),
}

impl<'a> WebPDecoder<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &RenderLimits) -> Result<WebPDecoder<'a>, RenderError> {
        let mut reader = Reader::new(Cursor::new(bytes)).map_err(decode_error)?;
        reader.set_memory_limit(MEMORY_MAX);
        let (width, height) = reader.dimensions();
        if u64::from(width) * u64::from(height) > limits.pixels_max {
            return Err(RenderError::TooLarge);
        }
        let header = Header {
            size: Size { width, height },
            loop_count: match reader.loop_count() {
                LoopCount::Forever => 0,
                LoopCount::Times(times) => times.get(),
            },
            icc_profile: reader.icc_profile().map_err(decode_error)?,
            exif: reader.exif_metadata().map_err(decode_error)?,
            ..Header::default()
        };
        let pictures = match reader.is_animated() {
            true => Pictures::Frames(Canvas::new(header.size), Box::new(webp::frames(bytes))),
            false => Pictures::Still(reader),
        };
        Ok(WebPDecoder { header, pictures })
    }
}

impl Decoder for WebPDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, _shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let (canvas, frames) = match &mut self.pictures {
            Pictures::None => return Ok(None),
            Pictures::Still(reader) => {
                let picture = read(reader, self.header.size)?;
                self.pictures = Pictures::None;
                return Ok(Some(Frame { picture, delay_ms: 0 }));
            }
            Pictures::Frames(canvas, frames) => (canvas, frames),
        };
        let Some(frame) = frames.next() else { return Ok(None) };
        let file = as_file(&frame);
        let mut reader = Reader::new(Cursor::new(&file[..])).map_err(decode_error)?;
        reader.set_memory_limit(MEMORY_MAX);
        let picture = read(&mut reader, frame.area.size)?;
        let disposal = if frame.is_cleared { Disposal::Clear } else { Disposal::Keep };
        canvas.draw(Placement { area: frame.area, blends: frame.blends, disposal }, &picture);
        // Of the largest file, two pictures take most of the memory that there is.
        drop(picture);
        Ok(Some(Frame { picture: canvas.picture().clone(), delay_ms: frame.delay_ms }))
    }
}

/// Reads the one picture of a file, which must have the size that was promised.
fn read(reader: &mut Reader<Cursor<&[u8]>>, size: Size) -> Result<Picture, RenderError> {
    const WRONG: &str = "the WebP's picture has another size than it says";
    if reader.dimensions() != (size.width, size.height) {
        return Err(RenderError::damaged(WRONG));
    }
    let length = reader.output_buffer_size().ok_or(RenderError::TooLarge)?;
    let layout = if reader.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let mut bytes = vec![0; length];
    reader.read_image(&mut bytes).map_err(decode_error)?;
    Picture::new(size, layout, bytes).ok_or_else(|| RenderError::damaged(WRONG))
}

/// Makes a file of one frame: its chunks, before them a header that says there is opacity.
fn as_file(frame: &StoredFrame<'_>) -> Vec<u8> {
    const HAS_ALPHA: u8 = 0x10;
    let minus_one = |side: u32| (side - 1).to_le_bytes();
    let ([w0, w1, w2, _], [h0, h1, h2, _]) =
        (minus_one(frame.area.size.width), minus_one(frame.area.size.height));
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if frame.chunks.starts_with(b"ALPH") {
        file.extend(b"VP8X\x0a\0\0\0");
        file.extend([HAS_ALPHA, 0, 0, 0, w0, w1, w2, h0, h1, h2]);
    }
    file.extend(frame.chunks);
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

pub(super) fn encode(picture: &Picture, options: EncodeOptions<'_>) -> Result<Vec<u8>, RenderError> {
    libwebp::encode(picture, options.quality)
}

fn decode_error(error: DecodingError) -> RenderError {
    match error {
        DecodingError::MemoryLimitExceeded | DecodingError::ImageTooLarge => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}
