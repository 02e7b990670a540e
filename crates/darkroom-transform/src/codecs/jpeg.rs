//! JPEG: libjpeg-turbo in Rust, which can give a picture at a half, a quarter or an eighth for less than the whole.

use darkroom_model::RenderLimits;
use libjpeg_turbo_rs::{
    ColorSpace, DecodeLimits, Decoder as Reader, Encoder, JpegError, PixelFormat, ScalingFactor, Subsampling,
};

use super::{Decoder, EncodeOptions, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Scans of a progressive file. Encoders write ten or so; each costs a walk over all pixels.
const SCANS_MAX: usize = 100;

pub(super) struct JpegDecoder<'a> {
    header: Header,
    reader: Option<Reader<'a>>,
}

impl<'a> JpegDecoder<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &RenderLimits) -> Result<JpegDecoder<'a>, RenderError> {
        let decode_limits = DecodeLimits {
            max_width: limits.side_max as usize,
            max_height: limits.side_max as usize,
            max_pixels: limits.pixels_max,
            max_scans: SCANS_MAX,
            max_memory: None,
        };
        let mut reader = Reader::new_with_limits(bytes, decode_limits).map_err(decode_error)?;
        // As browsers show what is cut off: the part that is there.
        reader.set_lenient(true);
        let frame = reader.header();
        let header = Header {
            size: Size { width: frame.width.into(), height: frame.height.into() },
            icc_profile: reader.icc_profile().ok().flatten(),
            exif: reader.exif_data().map(<[u8]>::to_vec),
            ..Header::default()
        };
        Ok(JpegDecoder { header, reader: Some(reader) })
    }
}

impl Decoder for JpegDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let layout = match reader.jpeg_color_space() {
            ColorSpace::Cmyk | ColorSpace::Ycck => Layout::Cmyk,
            _ => Layout::Rgb,
        };
        reader.set_output_format(if layout == Layout::Cmyk { PixelFormat::Cmyk } else { PixelFormat::Rgb });
        let shrink = [8, 4, 2].into_iter().find(|shrink| *shrink <= shrink_max).unwrap_or(1);
        reader.set_scale(ScalingFactor::try_new(1, shrink).map_err(decode_error)?);
        let image = reader.decode_image().map_err(decode_error)?;
        let size = Size { width: image.width as u32, height: image.height as u32 };
        let picture = Picture::new(size, layout, image.data);
        let picture =
            picture.ok_or_else(|| RenderError::damaged("the JPEG has fewer pixels than it says"))?;
        Ok(Some(Frame { picture, delay_ms: 0 }))
    }
}

pub(super) fn encode(
    picture: &Picture,
    progressive: bool,
    options: EncodeOptions<'_>,
) -> Result<Vec<u8>, RenderError> {
    let format = match picture.layout {
        Layout::Rgb => PixelFormat::Rgb,
        Layout::Rgba => PixelFormat::Rgbx,
        Layout::Cmyk => PixelFormat::Cmyk,
    };
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let mut encoder = Encoder::new(&picture.bytes, width, height, format)
        .quality(options.quality)
        .subsampling(Subsampling::S420)
        .progressive(progressive);
    if let Some(exif) = options.exif {
        encoder = encoder.exif_data(exif);
    }
    encoder.encode().map_err(RenderError::encoding)
}

fn decode_error(error: JpegError) -> RenderError {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}
