//! A JPEG at an eighth of its size, which is what a thumbnail of a photograph is made of.
//!
//! Each block of 8×8 becomes one pixel: its mean, the DC coefficient. The others are passed over, where they have half
//! the resolution but for a few; of a progressive file, whole scans are. What comes out is what libjpeg makes of the
//! file at this scale, but for rounding.
//!
//! It reads what is whole and as most files are: eight bits, Huffman codes, gray or YCbCr with the usual sampling. Of
//! anything else, and of whatever is not as T.81 wants it, it says "not mine" (`None`): the decoder that reads
//! everything then begins anew, and says what is wrong with the file.

use super::bits::next_marker;
use super::frame::Frame;
use super::huffman::Codes;
use super::scan::{Scan, Tables, read_blocks, read_means, refine_means};
use crate::picture::Picture;

/// How far a component has come: no scan brought it, or all bits but so many, the lowest, are there.
type Progress = Option<u8>;

/// Decodes a file; `None` if that is better left to the other decoder.
pub(super) fn decode(bytes: &[u8], scans_max: usize) -> Option<Picture> {
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut progress: [Progress; 3] = [None; 3];
    let mut scans = 0;
    let mut at = 2;
    loop {
        let (marker, start) = marker(bytes, at)?;
        if marker == 0xd9 {
            let frame = frame?;
            let is_whole = progress.iter().take(frame.components.len()).all(|progress| *progress == Some(0));
            return is_whole.then(|| frame.picture(&tables.steps))?;
        }
        let length = usize::from(u16::from_be_bytes(*bytes.get(start..)?.first_chunk()?));
        let segment = bytes.get(start + 2..start + length)?;
        at = start + length;
        match marker {
            0xc0 | 0xc1 if frame.is_none() => frame = Some(Frame::read(segment, marker == 0xc2)?),
            0xc4 => read_codes(segment, &mut tables)?,
            // A component's steps are those of its first scan; that they change is rare enough.
            0xdb if scans == 0 => read_steps(segment, &mut tables)?,
            0xdd => tables.restart_interval = u16::from_be_bytes(segment.try_into().ok()?).into(),
            0xda => {
                let frame = frame.as_mut()?;
                scans += 1;
                if scans > scans_max {
                    return None;
                }
                let scan = Scan::read(segment, frame)?;
                at = read_scan(frame, &scan, &tables, bytes, at, &mut progress)?;
                let is_whole =
                    progress.iter().take(frame.components.len()).all(|progress| *progress == Some(0));
                if is_whole && !frame.is_progressive {
                    return frame.picture(&tables.steps);
                }
            }
            0xe0..=0xef | 0xfe => {}
            _ => return None,
        }
    }
}

/// Returns the marker at a place, and the place behind it.
fn marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(at..)?;
    let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
    let marker = *rest.get(fill)?;
    (fill > 0).then_some((marker, at + fill + 1))
}

/// Reads a scan, or passes over it; returns the place of the next marker.
fn read_scan(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
    progress: &mut [Progress; 3],
) -> Option<usize> {
    let (before, after) = scan.low_bits;
    if frame.is_progressive && scan.band.0 > 0 {
        return next_marker(bytes, at);
    }
    let is_first = before == 0;
    for component in scan.components() {
        let progress = progress.get_mut(component)?;
        let is_due =
            if is_first { progress.is_none() } else { *progress == Some(before) && before == after + 1 };
        *progress = is_due.then_some(Some(after))?;
    }
    match (frame.is_progressive, scan.band, scan.low_bits) {
        (false, (0, 63), (0, 0)) => read_blocks(frame, scan, tables, bytes, at),
        (true, (0, 0), (0, 0..=13)) => read_means(frame, scan, tables, bytes, at),
        (true, (0, 0), (1..=13, _)) => refine_means(frame, scan, tables, bytes, at),
        _ => None,
    }
}

/// Reads a DHT segment (T.81 B.2.4.2).
fn read_codes(mut segment: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((head, rest)) = segment.split_first() {
        let (codes, rest) = Codes::read(rest)?;
        let slots = match head >> 4 {
            0 => &mut tables.dc,
            1 => &mut tables.ac,
            _ => return None,
        };
        *slots.get_mut(usize::from(head & 15))? = Some(Box::new(codes));
        segment = rest;
    }
    Some(())
}

/// Reads a DQT segment (T.81 B.2.4.1).
fn read_steps(mut segment: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((head, rest)) = segment.split_first() {
        let mut steps = [0; 64];
        let length = match head >> 4 {
            0 => {
                steps.iter_mut().zip(rest).for_each(|(step, byte)| *step = (*byte).into());
                64
            }
            1 => {
                let pairs = rest.as_chunks::<2>().0;
                steps.iter_mut().zip(pairs).for_each(|(step, pair)| *step = u16::from_be_bytes(*pair));
                128
            }
            _ => return None,
        };
        segment = rest.get(length..)?;
        *tables.steps.get_mut(usize::from(head & 15))? = Some(steps);
    }
    Some(())
}
