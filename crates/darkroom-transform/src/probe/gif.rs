//! GIF: blocks from the screen to the trailer.

use super::view::View;
use super::{ProbeError, Shape};

pub(super) const SIGNATURES: [&[u8]; 2] = [b"GIF87a", b"GIF89a"];

const CUT_OFF: ProbeError = ProbeError::Damaged("the GIF ends before its trailer");

pub(super) fn walk(view: View<'_>) -> Result<Shape, ProbeError> {
    let (width, height) = (view.u16_le(6).ok_or(CUT_OFF)?, view.u16_le(8).ok_or(CUT_OFF)?);
    if width == 0 || height == 0 {
        return Err(ProbeError::Damaged("the GIF has a side of 0"));
    }
    let mut largest = (u32::from(width), u32::from(height));
    let mut frames: u32 = 0;
    let mut at = 13 + colour_table_length(view.u8(10).ok_or(CUT_OFF)?);
    loop {
        match view.u8(at).ok_or(CUT_OFF)? {
            b'!' => at = after_sub_blocks(view, at + 2)?,
            b',' => {
                let side = |offset_at, side_at| {
                    let end = u32::from(view.u16_le(offset_at)?) + u32::from(view.u16_le(side_at)?);
                    Some((end, view.u16_le(side_at)? > 0))
                };
                let (right, has_width) = side(at + 1, at + 5).ok_or(CUT_OFF)?;
                let (bottom, has_height) = side(at + 3, at + 7).ok_or(CUT_OFF)?;
                if !has_width || !has_height {
                    return Err(ProbeError::Damaged("a frame of the GIF has a side of 0"));
                }
                // A frame may reach beyond the screen: decoders then hold the larger picture.
                largest = (largest.0.max(right), largest.1.max(bottom));
                frames = frames.saturating_add(1);
                let table = colour_table_length(view.u8(at + 9).ok_or(CUT_OFF)?);
                // One byte of code size stands between the colours and the data.
                at = after_sub_blocks(view, at + 10 + table + 1)?;
            }
            b';' if frames == 0 => return Err(ProbeError::Damaged("the GIF has no frame")),
            b';' => return Ok(Shape { width: width.into(), height: height.into(), frames, largest }),
            _ => return Err(ProbeError::Damaged("the GIF has a block of unknown kind")),
        }
    }
}

/// Returns the length of the colour table that follows a block with these flags.
fn colour_table_length(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Passes over blocks that each begin with their length, up to and with the empty one.
fn after_sub_blocks(view: View<'_>, mut at: u64) -> Result<u64, ProbeError> {
    loop {
        let length = u64::from(view.u8(at).ok_or(CUT_OFF)?);
        at += 1 + length;
        if length == 0 {
            return Ok(at);
        }
    }
}
