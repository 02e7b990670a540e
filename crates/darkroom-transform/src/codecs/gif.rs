//! GIF.

use std::io::Cursor;
use std::num::NonZeroU64;

use darkroom_model::RenderLimits;
use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod, MemoryLimit, Repeat};

use super::canvas::{Canvas, Disposal, Placement};
use super::palette;
use super::{Decoder, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::{Rect, Size};

pub(super) struct GifDecoder<'a> {
    header: Header,
    reader: gif::Decoder<Cursor<&'a [u8]>>,
    /// Whether the reader stands before the pixels of a frame.
    is_at_frame: bool,
    canvas: Canvas,
    pixels_max: u64,
}

impl<'a> GifDecoder<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &RenderLimits) -> Result<GifDecoder<'a>, RenderError> {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let memory = NonZeroU64::new(limits.pixels_max.saturating_mul(4)).unwrap_or(NonZeroU64::MIN);
        options.set_memory_limit(MemoryLimit::Bytes(memory));
        let mut reader = options.read_info(Cursor::new(bytes)).map_err(decode_error)?;
        let size = Size { width: reader.width().into(), height: reader.height().into() };
        if u64::from(size.width) * u64::from(size.height) > limits.pixels_max {
            return Err(RenderError::TooLarge);
        }
        // How often it is shown, and its profile, stand before the first frame.
        let is_at_frame = reader.next_frame_info().map_err(decode_error)?.is_some();
        let header = Header {
            size,
            loop_count: match reader.repeat() {
                Repeat::Infinite => 0,
                Repeat::Finite(again) => again.saturating_add(1),
            },
            icc_profile: reader.icc_profile().map(<[u8]>::to_vec),
            ..Header::default()
        };
        let canvas = Canvas::new(size);
        Ok(GifDecoder { header, reader, is_at_frame, canvas, pixels_max: limits.pixels_max })
    }
}

impl Decoder for GifDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, _shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let is_at_frame = std::mem::take(&mut self.is_at_frame)
            || self.reader.next_frame_info().map_err(decode_error)?.is_some();
        let Some(frame) = self.reader.current_frame_info().filter(|_| is_at_frame) else { return Ok(None) };
        let size = Size { width: frame.width.into(), height: frame.height.into() };
        let area = Rect { x: frame.left.into(), y: frame.top.into(), size };
        let delay_ms = u32::from(frame.delay) * 10;
        let disposal = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
        };
        let pixels = u64::from(size.width) * u64::from(size.height);
        if pixels > self.pixels_max {
            return Err(RenderError::TooLarge);
        }
        if pixels == 0 {
            return Err(RenderError::damaged("a frame of the GIF has a side of 0"));
        }
        let mut bytes = vec![0; self.reader.buffer_size()];
        self.reader.read_into_buffer(&mut bytes).map_err(decode_error)?;
        let picture = Picture::new(size, Layout::Rgba, bytes);
        let picture = picture
            .ok_or_else(|| RenderError::damaged("a frame of the GIF has fewer pixels than it says"))?;
        self.canvas.draw(Placement { area, blends: true, disposal }, &picture);
        // Of the largest file, two pictures take most of the memory that there is.
        drop(picture);
        Ok(Some(Frame { picture: self.canvas.picture().clone(), delay_ms }))
    }
}

/// Writes one picture.
pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>, RenderError> {
    let mut animation = Animation::new(picture.size, 1)?;
    animation.add(picture, 0)?;
    animation.finish()
}

/// An animation in the making.
///
/// Of each frame only the part that differs from the one before is written, and laid over it; where something
/// becomes transparent, which cannot be laid over anything, the one before is cleared away instead.
pub(crate) struct Animation {
    encoder: gif::Encoder<Vec<u8>>,
    size: Size,
    /// What is seen when the frame that waits is drawn; `None`: nothing.
    seen: Option<Picture>,
    /// The last frame that was added and how long it is shown: what becomes of it is known with the next.
    waiting: Option<(Picture, u32)>,
}

impl Animation {
    /// Begins an animation that is shown `loop_count` times; 0 is for ever.
    pub(super) fn new(size: Size, loop_count: u16) -> Result<Animation, RenderError> {
        let side = |side: u32| {
            u16::try_from(side).map_err(|_| {
                RenderError::encoding(format_args!("a GIF has at most 65,535 pixels on a side, not {side}"))
            })
        };
        let encoder = gif::Encoder::new(Vec::new(), side(size.width)?, side(size.height)?, &[]);
        let mut encoder = encoder.map_err(RenderError::encoding)?;
        // A file that is shown once does not say so.
        let repeat = match loop_count {
            0 => Repeat::Infinite,
            times => Repeat::Finite(times - 1),
        };
        encoder.set_repeat(repeat).map_err(RenderError::encoding)?;
        Ok(Animation { encoder, size, seen: None, waiting: None })
    }

    /// Adds a frame, which must have the animation's size.
    pub(super) fn add(&mut self, picture: &Picture, delay_ms: u32) -> Result<(), RenderError> {
        if picture.size != self.size {
            return Err(RenderError::encoding("a frame of the GIF has another size"));
        }
        let picture = opaque_or_not(picture)?;
        if let Some((waiting, delay_ms)) = self.waiting.take() {
            let makes_holes = opens(&waiting, &picture);
            self.write(&waiting, delay_ms, makes_holes)?;
            self.seen = (!makes_holes).then_some(waiting);
        }
        self.waiting = Some((picture, delay_ms));
        Ok(())
    }

    /// Returns the file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, RenderError> {
        if let Some((waiting, delay_ms)) = self.waiting.take() {
            self.write(&waiting, delay_ms, false)?;
        }
        self.encoder.into_inner().map_err(RenderError::encoding)
    }

    fn write(&mut self, picture: &Picture, delay_ms: u32, is_cleared: bool) -> Result<(), RenderError> {
        let whole = Rect { x: 0, y: 0, size: self.size };
        let area = match &self.seen {
            Some(seen) if !is_cleared => changed(seen, picture),
            _ => whole,
        };
        let part = if area == whole { None } else { Some(cut_out(picture, area)) };
        let part = part.as_ref().unwrap_or(picture);
        let indexed = match palette::exact(part) {
            Some(indexed) => indexed,
            None => palette::reduced(part)?,
        };
        // Sides of the whole, and so of its parts, are 16 bits.
        let frame = gif::Frame {
            delay: u16::try_from((delay_ms + 5) / 10).unwrap_or(u16::MAX),
            dispose: if is_cleared { DisposalMethod::Background } else { DisposalMethod::Keep },
            transparent: indexed.transparent(),
            left: area.x as u16,
            top: area.y as u16,
            width: area.size.width as u16,
            height: area.size.height as u16,
            palette: Some(indexed.colors()),
            buffer: indexed.indices.into(),
            ..gif::Frame::default()
        };
        self.encoder.write_frame(&frame).map_err(RenderError::encoding)
    }
}

/// Returns the picture with each pixel opaque or transparent: half and more opacity is all of it.
fn opaque_or_not(picture: &Picture) -> Result<Picture, RenderError> {
    let mut picture = picture.clone();
    match picture.layout {
        Layout::Rgb => {}
        Layout::Rgba => {
            for pixel in picture.bytes.chunks_exact_mut(4) {
                if pixel[3] < 128 { pixel.fill(0) } else { pixel[3] = 255 }
            }
        }
        Layout::Cmyk => return Err(RenderError::encoding("a GIF cannot be CMYK")),
    }
    Ok(picture)
}

/// Says whether a pixel is transparent that was not before.
fn opens(before: &Picture, after: &Picture) -> bool {
    if after.layout != Layout::Rgba {
        return false;
    }
    if before.layout != Layout::Rgba {
        return !after.is_opaque();
    }
    let mut pixels = before.bytes.chunks_exact(4).zip(after.bytes.chunks_exact(4));
    pixels.any(|(before, after)| before[3] != 0 && after[3] == 0)
}

/// Returns the smallest part that holds all pixels that differ; one pixel where none does.
fn changed(before: &Picture, after: &Picture) -> Rect {
    if before.layout != after.layout {
        return Rect { x: 0, y: 0, size: after.size };
    }
    let (mut left, mut right, mut top, mut bottom) = (u32::MAX, 0, u32::MAX, 0);
    let each = after.layout.bytes();
    for (y, (before, after)) in before.rows().zip(after.rows()).enumerate() {
        let differ = || before.chunks_exact(each).zip(after.chunks_exact(each));
        let Some(first) = differ().position(|(before, after)| before != after) else { continue };
        let last = differ().rposition(|(before, after)| before != after).unwrap_or(first);
        left = left.min(first as u32);
        right = right.max(last as u32 + 1);
        top = top.min(y as u32);
        bottom = y as u32 + 1;
    }
    if bottom == 0 {
        return Rect { x: 0, y: 0, size: Size { width: 1, height: 1 } };
    }
    Rect { x: left, y: top, size: Size { width: right - left, height: bottom - top } }
}

fn cut_out(picture: &Picture, area: Rect) -> Picture {
    let each = picture.layout.bytes();
    let (start, end) = (area.x as usize * each, (area.x + area.size.width) as usize * each);
    let rows = picture.rows().skip(area.y as usize).take(area.size.height as usize);
    let bytes = rows.flat_map(|row| &row[start..end]).copied().collect();
    Picture { size: area.size, layout: picture.layout, bytes }
}

fn decode_error(error: DecodingError) -> RenderError {
    match error {
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => RenderError::TooLarge,
        other => RenderError::damaged(other),
    }
}
