//! The headers of an AV1 stream: what has to be known before its pixels are decoded (AV1 Bitstream & Decoding Process
//! Specification, 5.3 to 5.5).

use crate::RenderError;
use crate::plan::Size;

/// Frames of one picture: layers, and such as later ones are predicted from. A decoder goes over all pixels for each.
const FRAMES_MAX: u32 = 8;

/// Kinds of OBU, "open bitstream units".
const SEQUENCE_HEADER: u32 = 1;
const FRAME_HEADER: u32 = 3;
const FRAME: u32 = 6;

/// What the sequence header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SequenceHeader {
    /// No frame is larger.
    pub(super) size_max: Size,
    /// How colours are written, in the numbers of ISO/IEC 23091-2; 2 if it is not said.
    pub(super) matrix: u16,
}

/// Reads the headers of a stream, and refuses it if it has more frames than a picture needs.
pub(super) fn read(stream: &[u8]) -> Result<SequenceHeader, RenderError> {
    let (mut header, mut frames) = (None, 0);
    let mut rest = stream;
    while !rest.is_empty() {
        let (kind, data, behind) = read_obu(rest).ok_or_else(cut_off)?;
        match kind {
            SEQUENCE_HEADER if header.is_none() => {
                let mut bits = Bits { bytes: data, at: 0 };
                header = Some(read_sequence_header(&mut bits).ok_or_else(cut_off)?);
            }
            FRAME_HEADER | FRAME => frames += 1,
            _ => {}
        }
        rest = behind;
    }
    if frames > FRAMES_MAX {
        return Err(RenderError::damaged("the AVIF has too many frames for one picture"));
    }
    header.ok_or_else(cut_off)
}

fn cut_off() -> RenderError {
    RenderError::damaged("the AVIF has a picture without a header")
}

/// Reads the kind of the first unit, its content, and what is behind it.
fn read_obu(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let mut bits = Bits { bytes, at: 0 };
    bits.skip(1);
    let kind = bits.take(4)?;
    let (has_extension, has_size) = (bits.flag()?, bits.flag()?);
    bits.skip(if has_extension { 9 } else { 1 });
    // Seven bits at a time, the lowest first.
    let mut length = None;
    if has_size {
        let mut sum = 0_u64;
        for place in 0..8 {
            let byte = bits.take(8)?;
            sum |= u64::from(byte & 0x7f) << (7 * place);
            if byte >> 7 == 0 {
                length = Some(usize::try_from(sum).ok()?);
                break;
            }
        }
        length?;
    }
    let data = bytes.get(bits.at / 8..)?;
    let (data, behind) = data.split_at_checked(length.unwrap_or(data.len()))?;
    Some((kind, data, behind))
}

/// 5.5.1, up to the matrix.
fn read_sequence_header(bits: &mut Bits<'_>) -> Option<SequenceHeader> {
    let profile = bits.take(3)?;
    bits.skip(1); // still_picture
    let is_reduced = bits.flag()?;
    if is_reduced {
        bits.skip(5); // seq_level_idx
    } else {
        skip_timing_and_levels(bits)?;
    }
    let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
    let size_max = Size { width: bits.take(width_bits)? + 1, height: bits.take(height_bits)? + 1 };
    if !is_reduced && bits.flag()? {
        bits.skip(4 + 3); // lengths of frame ids
    }
    bits.skip(3); // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !is_reduced {
        skip_inter_tools(bits)?;
    }
    bits.skip(3); // enable_superres, enable_cdef, enable_restoration
    let is_high_depth = bits.flag()?;
    if profile == 2 && is_high_depth {
        bits.skip(1); // twelve_bit
    }
    if profile != 1 {
        bits.skip(1); // mono_chrome
    }
    let matrix = if bits.flag()? {
        bits.skip(8 + 8); // color_primaries, transfer_characteristics
        bits.take(8)? as u16
    } else {
        2
    };
    Some(SequenceHeader { size_max, matrix })
}

fn skip_timing_and_levels(bits: &mut Bits<'_>) -> Option<()> {
    let has_timing = bits.flag()?;
    let mut delay_length = None;
    if has_timing {
        bits.skip(32 + 32); // num_units_in_display_tick, time_scale
        if bits.flag()? {
            bits.skip_exponential()?; // num_ticks_per_picture_minus_1
        }
        if bits.flag()? {
            delay_length = Some(bits.take(5)? as usize + 1);
            bits.skip(32 + 5 + 5);
        }
    }
    let has_initial_delay = bits.flag()?;
    for _ in 0..=bits.take(5)? {
        bits.skip(12); // operating_point_idc
        if bits.take(5)? > 7 {
            bits.skip(1); // seq_tier
        }
        if let Some(length) = delay_length
            && bits.flag()?
        {
            bits.skip(2 * length + 1);
        }
        if has_initial_delay && bits.flag()? {
            bits.skip(4);
        }
    }
    Some(())
}

fn skip_inter_tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4); // interintra, masked, warped, dual filter
    let has_order_hint = bits.flag()?;
    if has_order_hint {
        bits.skip(2); // enable_jnt_comp, enable_ref_frame_mvs
    }
    let screen_content_is_chosen = bits.flag()?;
    let may_be_screen_content = screen_content_is_chosen || bits.flag()?;
    if may_be_screen_content && !bits.flag()? {
        bits.skip(1); // seq_force_integer_mv
    }
    if has_order_hint {
        bits.skip(3); // order_hint_bits_minus_1
    }
    Some(())
}

/// Bits of a byte string, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits before the next one.
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    /// Reads a number of at most 32 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number = number << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(number)
    }

    fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Passes over an Exp-Golomb number: as many bits behind its first 1 as there are zeros before it.
    fn skip_exponential(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        self.skip(zeros);
        Some(())
    }
}
