//! PNG: chunks from `IHDR` to `IEND`, `IDAT` between them; animated if `acTL` says so.

use super::view::View;
use super::{ProbeError, Shape};

pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

const CUT_OFF: ProbeError = ProbeError::Damaged("the PNG ends before IEND");
/// The largest length and side that the format allows.
const NUMBER_MAX: u32 = (1 << 31) - 1;

pub(super) fn walk(view: View<'_>) -> Result<Shape, ProbeError> {
    let mut at = SIGNATURE.len() as u64;
    let mut shape = None;
    let mut declared_frames = None;
    let mut frames = 0;
    let mut has_data = false;
    loop {
        let length = view.u32_be(at).ok_or(CUT_OFF)?;
        let kind: [u8; 4] = view.array(at + 4).ok_or(CUT_OFF)?;
        if length > NUMBER_MAX {
            return Err(ProbeError::Damaged("a PNG chunk is longer than the format allows"));
        }
        let data = view.part(at + 8, length.into()).ok_or(CUT_OFF)?;
        // The checksum belongs to the chunk.
        view.u32_be(at + 8 + u64::from(length)).ok_or(CUT_OFF)?;
        at += 12 + u64::from(length);
        match (&kind, &mut shape) {
            (b"IHDR", header @ None) => *header = Some(read_header(data)?),
            (b"IHDR", Some(_)) => return Err(ProbeError::Damaged("the PNG has two headers")),
            (_, None) => return Err(ProbeError::Damaged("the PNG does not begin with its header")),
            (b"IDAT", Some(_)) => has_data = true,
            (b"acTL", Some(_)) if !has_data => declared_frames = Some(read_frame_count(data)?),
            (b"fcTL", Some(shape)) => {
                frames += 1;
                check_frame(data, *shape)?;
            }
            (b"IEND", Some(shape)) if has_data => {
                return match declared_frames {
                    None => Ok(*shape),
                    Some(declared) if declared == frames => Ok(Shape { frames, ..*shape }),
                    Some(_) => Err(ProbeError::Damaged("the PNG has other frames than it declares")),
                };
            }
            (b"IEND", Some(_)) => return Err(ProbeError::Damaged("the PNG has no image data")),
            _ => {}
        }
    }
}

/// Reads `IHDR`: width, height, bit depth, colour type, compression, filter, interlace.
fn read_header(data: View<'_>) -> Result<Shape, ProbeError> {
    const WRONG: ProbeError = ProbeError::Damaged("the PNG's header is wrong");
    let bytes: [u8; 13] = data.bytes().try_into().map_err(|_| WRONG)?;
    let side = |at| data.u32_be(at).filter(|side| *side <= NUMBER_MAX).ok_or(WRONG);
    let (width, height) = (side(0)?, side(4)?);
    if width == 0 || height == 0 {
        return Err(ProbeError::Damaged("the PNG has a side of 0"));
    }
    let [.., depth, colour, compression, filter, interlace] = bytes;
    let depth_fits = match colour {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        _ => false,
    };
    if !depth_fits || compression != 0 || filter != 0 || interlace > 1 {
        return Err(WRONG);
    }
    Ok(Shape::still(width, height))
}

/// Reads `acTL`: number of frames, number of plays.
fn read_frame_count(data: View<'_>) -> Result<u32, ProbeError> {
    let frames = data.u32_be(0).filter(|frames| *frames > 0 && data.len() == 8);
    frames.ok_or(ProbeError::Damaged("the PNG's animation header is wrong"))
}

/// Checks that a frame (`fcTL`: number, width, height, x, y, …) lies within the picture.
fn check_frame(data: View<'_>, picture: Shape) -> Result<(), ProbeError> {
    const WRONG: ProbeError = ProbeError::Damaged("a frame of the PNG's animation is wrong");
    let side = |at, offset_at, side_max: u32| {
        let (side, offset) = (data.u32_be(at)?, data.u32_be(offset_at)?);
        let end = u64::from(side) + u64::from(offset);
        (side > 0 && end <= u64::from(side_max)).then_some(())
    };
    if data.len() != 26 {
        return Err(WRONG);
    }
    side(4, 12, picture.width).and(side(8, 16, picture.height)).ok_or(WRONG)
}
