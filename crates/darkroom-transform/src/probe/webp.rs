//! WebP: a RIFF file with one picture, or with an extended header and any number of frames.

use super::view::View;
use super::{ProbeError, Shape};
use crate::plan::{Rect, Size};

const CUT_OFF: ProbeError = ProbeError::Damaged("the WebP is shorter than it declares");
const WRONG_FRAME: ProbeError = ProbeError::Damaged("a frame of the WebP is wrong");

/// Flag of the extended header: the file has frames.
const ANIMATED: u8 = 2;

pub(super) fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

pub(super) fn walk(view: View<'_>) -> Result<Shape, ProbeError> {
    let length = u64::from(view.u32_le(4).ok_or(CUT_OFF)?);
    let riff = view.part(8, length).ok_or(CUT_OFF)?;
    // Behind `WEBP`.
    let mut chunks = Chunks { view: riff.from(4).ok_or(CUT_OFF)?, at: 0 };
    let first = chunks.next().ok_or(CUT_OFF)??;
    match &first.kind {
        b"VP8 " | b"VP8L" => picture_size(first).map(|(width, height)| Shape::still(width, height)),
        b"VP8X" => extended(first.data, chunks),
        _ => Err(ProbeError::Damaged("the WebP begins with a chunk of unknown kind")),
    }
}

/// Reads the chunks behind an extended header: flags, three unused bytes, width − 1, height − 1.
fn extended(header: View<'_>, chunks: Chunks<'_>) -> Result<Shape, ProbeError> {
    const SHORT: ProbeError = ProbeError::Damaged("the WebP's extended header is cut off");
    let flags = header.u8(0).ok_or(SHORT)?;
    let canvas = (header.u24_le(4).ok_or(SHORT)? + 1, header.u24_le(7).ok_or(SHORT)? + 1);
    let animated = flags & ANIMATED != 0;
    let mut frames: u32 = 0;
    for chunk in chunks {
        let chunk = chunk?;
        match &chunk.kind {
            b"ANMF" if animated => check_frame(chunk.data, canvas)?,
            b"VP8 " | b"VP8L" if !animated && frames == 0 => {
                if picture_size(chunk)? != canvas {
                    return Err(ProbeError::Damaged("the WebP's picture has another size than its canvas"));
                }
            }
            _ => continue,
        }
        frames = frames.saturating_add(1);
    }
    if frames == 0 {
        return Err(ProbeError::Damaged("the WebP has no picture"));
    }
    Ok(Shape { width: canvas.0, height: canvas.1, frames, largest: canvas })
}

/// Checks a frame: x / 2, y / 2, width − 1, height − 1, duration, flags, then chunks of its own.
fn check_frame(data: View<'_>, canvas: (u32, u32)) -> Result<(), ProbeError> {
    let number = |at| data.u24_le(at).ok_or(WRONG_FRAME);
    let (x, y) = (number(0)? * 2, number(3)? * 2);
    let (width, height) = (number(6)? + 1, number(9)? + 1);
    if x + width > canvas.0 || y + height > canvas.1 {
        return Err(WRONG_FRAME);
    }
    let chunks = Chunks { view: data.from(16).ok_or(WRONG_FRAME)?, at: 0 };
    for chunk in chunks {
        let chunk = chunk?;
        if matches!(&chunk.kind, b"VP8 " | b"VP8L") {
            return if picture_size(chunk)? == (width, height) { Ok(()) } else { Err(WRONG_FRAME) };
        }
    }
    Err(WRONG_FRAME)
}

/// One frame of an animation, as its file describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// Where it lies.
    pub(crate) area: Rect,
    pub(crate) delay_ms: u32,
    /// Whether what is beneath shines through.
    pub(crate) blends: bool,
    /// Whether its part of the canvas becomes transparent afterwards.
    pub(crate) is_cleared: bool,
    /// Chunks: opacity if apart, then the picture.
    pub(crate) chunks: &'a [u8],
}

/// Returns the frames of a file that [`walk`] has passed, the first one first.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let view = View::new(bytes);
    let length = view.u32_le(4).map_or(0, u64::from);
    let chunks = view.part(8, length).and_then(|riff| riff.from(4));
    let chunks = chunks.map(|view| Chunks { view, at: 0 });
    let chunks = chunks.into_iter().flatten().map_while(Result::ok);
    chunks.filter(|chunk| chunk.kind == *b"ANMF").filter_map(|chunk| frame(chunk.data))
}

fn frame(data: View<'_>) -> Option<Frame<'_>> {
    let flags = data.u8(15)?;
    let size = Size { width: data.u24_le(6)? + 1, height: data.u24_le(9)? + 1 };
    Some(Frame {
        area: Rect { x: data.u24_le(0)? * 2, y: data.u24_le(3)? * 2, size },
        delay_ms: data.u24_le(12)?,
        blends: flags & 2 == 0,
        is_cleared: flags & 1 != 0,
        chunks: data.from(16)?.bytes(),
    })
}

/// Reads the size of a picture from the head of its data.
fn picture_size(chunk: Chunk<'_>) -> Result<(u32, u32), ProbeError> {
    let size = if chunk.kind == *b"VP8L" { lossless_size(chunk.data) } else { lossy_size(chunk.data) };
    let (width, height) = size.ok_or(ProbeError::Damaged("the head of the WebP's picture is wrong"))?;
    if width == 0 || height == 0 {
        return Err(ProbeError::Damaged("the WebP has a side of 0"));
    }
    Ok((width, height))
}

/// A key frame's tag, its start code, then 14 bits of width and of height, each below 2 bits of scale.
fn lossy_size(data: View<'_>) -> Option<(u32, u32)> {
    let is_key_frame = data.u8(0)? & 1 == 0 && data.array(3)? == [0x9d, 0x01, 0x2a];
    let side = |at| data.u16_le(at).map(|side| u32::from(side & 0x3fff));
    if is_key_frame { Some((side(6)?, side(8)?)) } else { None }
}

/// A signature, then 14 bits of width − 1, 14 of height − 1, one of alpha, three of version.
fn lossless_size(data: View<'_>) -> Option<(u32, u32)> {
    let bits = data.u32_le(1)?;
    let is_known = data.u8(0)? == 0x2f && bits >> 29 == 0;
    is_known.then_some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

#[derive(Clone, Copy)]
struct Chunk<'a> {
    kind: [u8; 4],
    data: View<'a>,
}

/// The chunks of a view, one after the other; each is padded to an even length, the last not always.
struct Chunks<'a> {
    view: View<'a>,
    at: u64,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, ProbeError>;

    fn next(&mut self) -> Option<Result<Chunk<'a>, ProbeError>> {
        if self.at >= self.view.len() {
            return None;
        }
        let chunk = self.read();
        self.at = match &chunk {
            Some(chunk) => self.at + 8 + chunk.data.len().next_multiple_of(2),
            None => self.view.len(),
        };
        Some(chunk.ok_or(CUT_OFF))
    }
}

impl<'a> Chunks<'a> {
    fn read(&self) -> Option<Chunk<'a>> {
        let (kind, length) = (self.view.array(self.at)?, self.view.u32_le(self.at + 4)?);
        Some(Chunk { kind, data: self.view.part(self.at + 8, length.into())? })
    }
}
