//! A JPEG at a half, a quarter or an eighth of its size, which is what renderings of photographs are made of.
//!
//! At an eighth, each block of 8×8 becomes one pixel: its mean, the DC coefficient; the others are passed over, and of a
//! progressive file whole scans are. Where chroma has half the resolution both ways, a block becomes two by two pixels.
//! Where a block becomes more than one pixel, these are summed up while its coefficients are read, as `waves` says.
//! What comes out is what libjpeg makes of the file at this scale, but for rounding.
//!
//! It reads what is whole and as most files are: eight bits, Huffman codes, gray or YCbCr with the usual sampling; of
//! progressive files, eighths. Of anything else, and of whatever is not as T.81 wants it, it says "not mine" (`None`): the decoder that reads
//! everything then begins anew, and says what is wrong with the file.

use super::bits::next_marker;
use super::frame::Frame;
use super::huffman::Codes;
use super::scan::{Part, Scan, Tables};
use super::{progressive, sequential};
use crate::picture::Picture;
use crate::plan::Size;

/// By component and coefficient: how many low bits are missing; `None` if all are.
type Progress = [[Option<u8>; 64]; 3];

/// Decodes a file that has this size, and makes it 2, 4 or 8 times smaller; `None` if that is better left to the other
/// decoder.
pub(super) fn decode(bytes: &[u8], size: Size, shrink: usize, scans_max: usize) -> Option<Picture> {
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    let mut progress: Progress = [[None; 64]; 3];
    let mut scans = 0;
    let mut at = 2;
    loop {
        let (marker, start) = marker(bytes, at)?;
        if marker == 0xd9 {
            let mut frame = frame.filter(|frame| has_means(frame, &progress))?;
            return frame.picture(&tables.steps);
        }
        let length = usize::from(u16::from_be_bytes(*bytes.get(start..)?.first_chunk()?));
        let segment = bytes.get(start + 2..start + length)?;
        at = start + length;
        match marker {
            0xc0..=0xc2 if frame.is_none() => {
                frame = Some(Frame::read(segment, marker == 0xc2, size, shrink)?);
            }
            0xc4 => read_codes(segment, &mut tables)?,
            // Each scan would have those that were there when it began; behind the first, there are hardly ever more.
            0xdb if scans == 0 => read_steps(segment, &mut tables)?,
            0xdd => tables.restart_interval = u16::from_be_bytes(segment.try_into().ok()?).into(),
            0xda if scans < scans_max => {
                let frame = frame.as_mut()?;
                let scan = Scan::read(segment, frame)?;
                at = read_scan(frame, &scan, &tables, bytes, at, &mut progress)?;
                scans += 1;
                // What follows is of no use, and need not be whole.
                if !frame.is_progressive && has_means(frame, &progress) {
                    return frame.picture(&tables.steps);
                }
            }
            0xe0..=0xef | 0xfe => {}
            _ => return None,
        }
    }
}

/// Says whether all bits are there of the mean of each block.
fn has_means(frame: &Frame, progress: &Progress) -> bool {
    progress.iter().take(frame.components.len()).all(|component| component[0] == Some(0))
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
    progress: &mut Progress,
) -> Option<usize> {
    let Scan { first, last, low_bits_before: before, low_bits_after: after, .. } = *scan;
    for part in &scan.parts {
        for missing in progress.get_mut(part.component)?.get_mut(first.into()..=last.into())? {
            let is_due = if before == 0 { missing.is_none() } else { *missing == Some(before) };
            *missing = is_due.then_some(Some(after))?;
        }
    }
    let has_sums = |part: &Part| frame.components.get(part.component).is_some_and(|one| one.side > 1);
    let is_first = before == 0 && after <= 13;
    let is_next = before == after + 1;
    match (frame.is_progressive, first, last) {
        (false, 0, 63) if (before, after) == (0, 0) => sequential::read(frame, scan, tables, bytes, at),
        (true, 0, 0) if is_first => progressive::read_means(frame, scan, tables, bytes, at),
        (true, 0, 0) if is_next => progressive::refine_means(frame, scan, tables, bytes, at),
        (true, 1.., _) if !(is_first || is_next) || scan.parts.len() > 1 => None,
        (true, 1.., _) if scan.parts.iter().any(has_sums) => {
            progressive::read_sums(frame, scan, tables, bytes, at)
        }
        (true, 1.., _) => next_marker(bytes, at),
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
