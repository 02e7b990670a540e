//! JPEG: libjpeg-turbo in Rust. For pictures at a half, a quarter or an eighth of their size, [`reduced`] is faster, and
//! reads most files.

mod bits;
mod frame;
mod huffman;
mod progressive;
mod reduced;
mod rgb;
mod scan;
mod sequential;
mod waves;

use std::borrow::Cow;

use darkroom_model::RenderLimits;
use libjpeg_turbo_rs::{
    ColorSpace, ComponentInfo, DecodeLimits, Decoder as Reader, Encoder, JpegError, PixelFormat,
    ScalingFactor, Subsampling,
};

use super::{Decoder, EncodeOptions, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Scans of a progressive file. Encoders write ten or so; each costs a walk over all pixels.
const SCANS_MAX: usize = 100;

/// Pixels up to which tables are made for the picture: all its coefficients are held for that, and those of the
/// largest take more memory than there is.
const OWN_TABLES_PIXELS_MAX: usize = 50_000_000;

/// Returns a file that has an end: of one that is cut off, what is whole and what there is of a scan. The decoder
/// looks for the end of each scan of a progressive file.
pub(super) fn completed(bytes: &[u8]) -> Cow<'_, [u8]> {
    const END_OF_IMAGE: u8 = 0xd9;
    // Most files say at their end that it is one, and need no walk.
    if bytes.ends_with(&[0xff, END_OF_IMAGE]) {
        return bytes.into();
    }
    let mut at = 2;
    while let Some((start, marker)) = next_marker(bytes, at) {
        let length = match marker {
            END_OF_IMAGE => return bytes.into(),
            // These stand alone.
            0x01 | 0xd0..=0xd8 => 0,
            _ => match bytes.get(start + 2..start + 4) {
                Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => usize::MAX,
            },
        };
        at = start.saturating_add(2).saturating_add(length);
        if at > bytes.len() {
            return [&bytes[..start], &[0xff, END_OF_IMAGE]].concat().into();
        }
    }
    [bytes, &[0xff, END_OF_IMAGE]].concat().into()
}

/// Finds the next marker: where it begins, and what it is.
fn next_marker(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let rest = bytes.get(from..)?;
    let found = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff))?;
    Some((from + found, rest[found + 1]))
}

pub(super) struct JpegDecoder<'a> {
    header: Header,
    bytes: &'a [u8],
    reader: Option<Reader<'a>>,
    /// Whether CMYK is stored as Adobe does, as what is left of the paper.
    is_inverted: bool,
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
        let pixels = u64::from(reader.header().width) * u64::from(reader.header().height);
        let scans_max = limits.progressive_work_max / pixels.max(1);
        if reader.header().is_progressive && scans_max < SCANS_MAX as u64 {
            let decode_limits = DecodeLimits { max_scans: scans_max as usize, ..decode_limits };
            reader = Reader::new_with_limits(bytes, decode_limits).map_err(decode_error)?;
        }
        if !is_sampling_read(&reader) {
            return Err(RenderError::Unsupported("JPEG with unevenly sampled inks".to_owned()));
        }
        // As browsers show what is cut off: the part that is there.
        reader.set_lenient(true);
        let frame = reader.header();
        let header = Header {
            size: Size { width: frame.width.into(), height: frame.height.into() },
            icc_profile: reader.icc_profile().ok().flatten(),
            exif: reader.exif_data().map(<[u8]>::to_vec),
            ..Header::default()
        };
        Ok(JpegDecoder { header, bytes, reader: Some(reader), is_inverted: is_adobe(bytes) })
    }
}

impl Decoder for JpegDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let shrink = [8, 4, 2].into_iter().find(|shrink| *shrink <= shrink_max).unwrap_or(1);
        let is_usual = matches!(reader.jpeg_color_space(), ColorSpace::Grayscale | ColorSpace::YCbCr);
        if shrink > 1
            && is_usual
            && let Some(picture) = reduced::decode(self.bytes, self.header.size, shrink as usize, SCANS_MAX)
        {
            return Ok(Some(Frame { picture, delay_ms: 0 }));
        }
        let layout = match reader.jpeg_color_space() {
            ColorSpace::Cmyk | ColorSpace::Ycck => Layout::Cmyk,
            _ => Layout::Rgb,
        };
        reader.set_output_format(if layout == Layout::Cmyk { PixelFormat::Cmyk } else { PixelFormat::Rgb });
        reader.set_scale(ScalingFactor::try_new(1, shrink).map_err(decode_error)?);
        let mut image = reader.decode_image().map_err(decode_error)?;
        if layout == Layout::Cmyk && self.is_inverted {
            image.data.iter_mut().for_each(|ink| *ink = 255 - *ink);
        }
        let size = Size { width: image.width as u32, height: image.height as u32 };
        let picture = Picture::new(size, layout, image.data);
        let picture =
            picture.ok_or_else(|| RenderError::damaged("the JPEG has fewer pixels than it says"))?;
        Ok(Some(Frame { picture, delay_ms: 0 }))
    }
}

/// Says whether the decoder can join the planes. Of four inks it takes the first and the last to have every pixel, and
/// the other two to be alike; of others it would read past the end of a plane, and panic.
fn is_sampling_read(reader: &Reader<'_>) -> bool {
    let sampling = |component: &ComponentInfo| (component.horizontal_sampling, component.vertical_sampling);
    match &reader.header().components[..] {
        [cyan, magenta, yellow, black] => {
            let ((across, down), (fewer_across, fewer_down)) = (sampling(cyan), sampling(magenta));
            sampling(black) == (across, down)
                && sampling(yellow) == (fewer_across, fewer_down)
                && fewer_across <= across
                && fewer_down <= down
        }
        _ => true,
    }
}

/// Says whether the file has Adobe's segment before its first scan.
fn is_adobe(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, 0xda, ..] => return false,
            [0xff, marker, high, low, data @ ..] => {
                if *marker == 0xee && data.starts_with(b"Adobe") {
                    return true;
                }
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length.max(2)..).unwrap_or_default();
            }
            _ => return false,
        }
    }
}

pub(super) fn encode(
    picture: &Picture,
    progressive: bool,
    options: EncodeOptions<'_>,
) -> Result<Vec<u8>, RenderError> {
    let (format, bytes) = match picture.layout {
        Layout::Rgb => (PixelFormat::Rgb, Cow::from(&picture.bytes)),
        // With four bytes a pixel the largest takes more memory than there is.
        Layout::Rgba => (PixelFormat::Rgb, Cow::from(on_white(picture))),
        Layout::Cmyk => (PixelFormat::Cmyk, Cow::from(&picture.bytes)),
    };
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let has_own_tables = !progressive && !options.is_fast && width * height <= OWN_TABLES_PIXELS_MAX;
    let mut encoder = Encoder::new(&bytes, width, height, format)
        .quality(options.quality)
        .subsampling(Subsampling::S420)
        .progressive(progressive)
        // Progressive files always have tables of their own; for others they save some percent, and take a second pass.
        .optimize_huffman(has_own_tables);
    if let Some(exif) = options.exif {
        encoder = encoder.exif_data(exif);
    }
    encoder.encode().map_err(RenderError::encoding)
}

/// Lays RGBA on white paper, which makes it RGB: the format has no opacity, and a JPEG was asked for by name.
fn on_white(picture: &Picture) -> Vec<u8> {
    let over = |color: u8, alpha: u8| {
        let (color, alpha) = (u32::from(color), u32::from(alpha));
        ((color * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let pixels = picture.bytes.chunks_exact(4);
    pixels.flat_map(|pixel| [0, 1, 2].map(|at| over(pixel[at], pixel[3]))).collect()
}

fn decode_error(error: JpegError) -> RenderError {
    match error {
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}

#[cfg(test)]
mod tests;
