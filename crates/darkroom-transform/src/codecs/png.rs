//! PNG.

use std::io::Cursor;

use darkroom_model::RenderLimits;
use png::{BitDepth, ColorType, DecodingError, Transformations};

use super::palette::{self, Indexed};
use super::{Decoder, EncodeOptions, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Bytes that chunks besides the pixels may take.
const CHUNK_BYTES_MAX: usize = 16 << 20;

pub(super) struct PngDecoder<'a> {
    header: Header,
    reader: Option<png::Reader<Cursor<&'a [u8]>>>,
}

impl<'a> PngDecoder<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &RenderLimits) -> Result<PngDecoder<'a>, RenderError> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_limits(png::Limits { bytes: CHUNK_BYTES_MAX });
        decoder.ignore_checksums(true);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let reader = decoder.read_info().map_err(decode_error)?;
        let info = reader.info();
        let size = Size { width: info.width, height: info.height };
        if u64::from(size.width) * u64::from(size.height) > limits.pixels_max {
            return Err(RenderError::TooLarge);
        }
        // The decoder takes it that every colour of a palette is whole, and panics where one is not.
        let palette = info.palette.as_deref().unwrap_or_default();
        if info.color_type == ColorType::Indexed && !palette.len().is_multiple_of(3) {
            return Err(RenderError::damaged("the PNG's palette ends within a colour"));
        }
        let header = Header {
            size,
            icc_profile: info.icc_profile.as_ref().map(|profile| profile.to_vec()),
            exif: info.exif_metadata.as_ref().map(|exif| exif.to_vec()),
            ..Header::default()
        };
        Ok(PngDecoder { header, reader: Some(reader) })
    }
}

impl Decoder for PngDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, _shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let length = reader.output_buffer_size().ok_or(RenderError::TooLarge)?;
        let mut bytes = vec![0; length];
        let info = reader.next_frame(&mut bytes).map_err(decode_error)?;
        let (layout, bytes) = match info.color_type {
            ColorType::Rgb => (Layout::Rgb, bytes),
            ColorType::Rgba => (Layout::Rgba, bytes),
            ColorType::Grayscale => (Layout::Rgb, bytes.into_iter().flat_map(|grey| [grey; 3]).collect()),
            ColorType::GrayscaleAlpha => {
                let pixels = bytes.chunks_exact(2);
                (Layout::Rgba, pixels.flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect())
            }
            ColorType::Indexed => return Err(RenderError::damaged("the PNG's palette was not applied")),
        };
        let picture = Picture::new(self.header.size, layout, bytes);
        let picture = picture.ok_or_else(|| RenderError::damaged("the PNG has fewer pixels than it says"))?;
        Ok(Some(Frame { picture, delay_ms: 0 }))
    }
}

pub(super) fn encode(picture: &Picture, options: EncodeOptions<'_>) -> Result<Vec<u8>, RenderError> {
    // Higher levels take ten times as long, and photographs do not become smaller.
    let compression = if options.is_fast { png::Compression::Fastest } else { png::Compression::Fast };
    let indexed = if options.is_quality_given { indexed(picture)? } else { None };
    let color = match (&indexed, picture.layout) {
        (Some(_), _) => ColorType::Indexed,
        (None, Layout::Rgb) => ColorType::Rgb,
        (None, Layout::Rgba) => ColorType::Rgba,
        (None, Layout::Cmyk) => return Err(RenderError::encoding("a PNG cannot be CMYK")),
    };
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, picture.size.width, picture.size.height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression);
    if let Some(indexed) = &indexed {
        encoder.set_palette(indexed.colors());
        if indexed.palette.iter().any(|color| color[3] < 255) {
            encoder.set_trns(indexed.palette.iter().map(|color| color[3]).collect::<Vec<_>>());
        }
    }
    let mut writer = encoder.write_header().map_err(RenderError::encoding)?;
    let pixels = indexed.as_ref().map_or(&picture.bytes, |indexed| &indexed.indices);
    writer.write_image_data(pixels).map_err(RenderError::encoding)?;
    writer.finish().map_err(RenderError::encoding)?;
    Ok(out)
}

/// Returns the picture in 256 colours, which a quality that is asked for allows (reference: delivery §4.3); `None` where
/// soft edges would be lost.
fn indexed(picture: &Picture) -> Result<Option<Indexed>, RenderError> {
    if let Some(indexed) = palette::exact(picture) {
        return Ok(Some(indexed));
    }
    let is_soft = picture.layout == Layout::Rgba
        && picture.bytes.chunks_exact(4).any(|pixel| !matches!(pixel[3], 0 | 255));
    if is_soft { Ok(None) } else { palette::reduced(picture).map(Some) }
}

fn decode_error(error: DecodingError) -> RenderError {
    match error {
        DecodingError::LimitsExceeded => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}
