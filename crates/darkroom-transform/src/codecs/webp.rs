//! WebP: read by Rust, written by libwebp.

use std::io::Cursor;

use darkroom_model::RenderLimits;
use image_webp::{DecodingError, WebPDecoder as Reader};

use super::{Decoder, EncodeOptions, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Bytes that a decoder may hold besides its output.
const MEMORY_MAX: usize = 512 << 20;

pub(super) struct WebPDecoder<'a> {
    header: Header,
    reader: Option<Reader<Cursor<&'a [u8]>>>,
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
            icc_profile: reader.icc_profile().map_err(decode_error)?,
            exif: reader.exif_metadata().map_err(decode_error)?,
            ..Header::default()
        };
        Ok(WebPDecoder { header, reader: Some(reader) })
    }
}

impl Decoder for WebPDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, _shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let length = reader.output_buffer_size().ok_or(RenderError::TooLarge)?;
        let layout = if reader.has_alpha() { Layout::Rgba } else { Layout::Rgb };
        let mut bytes = vec![0; length];
        reader.read_image(&mut bytes).map_err(decode_error)?;
        let picture = Picture::new(self.header.size, layout, bytes);
        let picture =
            picture.ok_or_else(|| RenderError::damaged("the WebP has fewer pixels than it says"))?;
        Ok(Some(Frame { picture, delay_ms: 0 }))
    }
}

pub(super) fn encode(_picture: &Picture, _options: EncodeOptions<'_>) -> Result<Vec<u8>, RenderError> {
    Err(RenderError::Unsupported("image/webp".to_owned()))
}

fn decode_error(error: DecodingError) -> RenderError {
    match error {
        DecodingError::MemoryLimitExceeded | DecodingError::ImageTooLarge => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}
