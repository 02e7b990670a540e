//! JPEG: segments up to the first scan. An end marker is not demanded: cameras omit it.

use super::view::View;
use super::{ProbeError, Shape};

/// The start of the image and the first byte of the next marker.
pub(super) const SIGNATURE: [u8; 3] = [0xff, 0xd8, 0xff];

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const CUT_OFF: ProbeError = ProbeError::Damaged("the JPEG ends before its first scan");

pub(super) fn walk(view: View<'_>) -> Result<Shape, ProbeError> {
    let mut size = None;
    let mut at = 2;
    loop {
        let (marker, after) = next_marker(view, at).ok_or(CUT_OFF)?;
        match marker {
            // TEM, the restart markers and a further start stand alone.
            0x01 | 0xd0..=0xd8 => {
                at = after;
                continue;
            }
            END_OF_IMAGE => return Err(CUT_OFF),
            _ => {}
        }
        let length = u64::from(view.u16_be(after).ok_or(CUT_OFF)?);
        if length < 2 {
            return Err(ProbeError::Damaged("a JPEG segment is shorter than its own length"));
        }
        let segment = view.part(after + 2, length - 2).ok_or(CUT_OFF)?;
        at = after + length;
        match marker {
            // The tables between the frame headers.
            0xc4 | 0xc8 | 0xcc => {}
            // Sequential, extended, progressive; the latter two also with arithmetic coding.
            0xc0..=0xc2 | 0xc9 | 0xca => {
                if size.is_some() {
                    return Err(ProbeError::Damaged("the JPEG has two frame headers"));
                }
                size = Some(frame_size(segment)?);
            }
            0xc3 | 0xc5..=0xc7 | 0xcb | 0xcd..=0xcf => {
                return Err(ProbeError::Damaged("the JPEG is lossless or hierarchical"));
            }
            START_OF_SCAN => {
                let (width, height) =
                    size.ok_or(ProbeError::Damaged("the JPEG has a scan before its frame header"))?;
                // At least one byte of the scan itself.
                view.u8(at).ok_or(CUT_OFF)?;
                return Ok(Shape::still(width, height));
            }
            _ => {}
        }
    }
}

/// Returns the next marker from `at` and the place behind it. Bytes between segments are passed over, as decoders do.
fn next_marker(view: View<'_>, at: u64) -> Option<(u8, u64)> {
    let rest = view.from(at)?.bytes();
    let pairs = rest.iter().zip(rest.iter().skip(1));
    let (index, (_, marker)) =
        pairs.enumerate().find(|(_, (first, second))| **first == 0xff && !matches!(**second, 0x00 | 0xff))?;
    Some((*marker, at + index as u64 + 2))
}

/// Reads a frame header: precision, height, width, number of components, three bytes for each.
fn frame_size(segment: View<'_>) -> Result<(u32, u32), ProbeError> {
    const SHORT: ProbeError = ProbeError::Damaged("the JPEG's frame header is cut off");
    let height = segment.u16_be(1).ok_or(SHORT)?;
    let width = segment.u16_be(3).ok_or(SHORT)?;
    let components = segment.u8(5).ok_or(SHORT)?;
    if segment.len() < 6 + 3 * u64::from(components) || components == 0 {
        return Err(SHORT);
    }
    if width == 0 || height == 0 {
        return Err(ProbeError::Damaged("the JPEG has a side of 0"));
    }
    Ok((width.into(), height.into()))
}
