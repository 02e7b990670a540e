//! Progressive scans (T.81 G.1.2): means, and, where a block becomes four pixels, the rest of it too.

use super::bits::Bits;
use super::frame::{Component, Frame, Place};
use super::huffman::{Codes, Means};
use super::scan::{Blocks, Scan, Tables, walk};
use super::waves::{Sums, Waves};

/// Reads the means for the first time; returns the place of the next marker, as the others do.
pub(super) fn read_means(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let mut parts = Vec::new();
    for part in &scan.parts {
        parts.push(Means::new(tables.dc.get(part.dc)?.as_deref()?));
    }
    let first = FirstMeans { parts, low_bits: scan.low_bits_after.into() };
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), first)
}

struct FirstMeans<'t> {
    parts: Vec<Means<'t>>,
    low_bits: u32,
}

impl Blocks for FirstMeans<'_> {
    fn restart(&mut self) {
        self.parts.iter_mut().for_each(Means::restart);
    }

    #[inline(always)]
    fn block(
        &mut self,
        part: usize,
        component: &mut Component,
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        let mean = self.parts.get_mut(part)?.next(bits)?;
        *mean_of(component, place)? = mean.wrapping_shl(self.low_bits).try_into().ok()?;
        Some(())
    }
}

/// Reads one more bit of the means.
pub(super) fn refine_means(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let more = MoreMeans { low_bits: scan.low_bits_after.into() };
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), more)
}

struct MoreMeans {
    low_bits: u32,
}

impl Blocks for MoreMeans {
    fn restart(&mut self) {}

    #[inline(always)]
    fn block(
        &mut self,
        _: usize,
        component: &mut Component,
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        bits.fill();
        *mean_of(component, place)? |= (bits.take(1) as i16).wrapping_shl(self.low_bits);
        Some(())
    }
}

/// The place of a block's mean.
#[inline(always)]
fn mean_of(component: &mut Component, place: Place) -> Option<&mut i16> {
    let index = component.index(place);
    component.progress.means.get_mut(index)
}

/// Reads the other coefficients of one component, or one more bit of them, and what they say of the halves of its
/// blocks.
pub(super) fn read_sums(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let [part] = &scan.parts[..] else { return None };
    let component = frame.components.get_mut(part.component)?;
    component.progress.seen.resize(component.progress.sums.len(), Seen::default());
    let band = Band {
        codes: tables.ac.get(part.ac)?.as_deref()?,
        waves: Waves::new(component.steps(&tables.steps)?),
        first: scan.first.into(),
        last: scan.last.into(),
        low_bits: scan.low_bits_after.into(),
        empty_blocks: 0,
    };
    let bits = Bits::new(bytes, at);
    match scan.low_bits_before {
        0 => walk(frame, scan, tables.restart_interval, bits, FirstBand(band)),
        _ => walk(frame, scan, tables.restart_interval, bits, MoreBand(band)),
    }
}

/// Which coefficients of a block were seen that are not zero, and which of them are below it: a bit each.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    present: u64,
    negative: u64,
}

/// Coefficients that follow one another.
struct Band<'t> {
    codes: &'t Codes,
    waves: Waves<1>,
    first: u32,
    last: u32,
    low_bits: u32,
    /// Blocks that bring no more new coefficients, from the next one on.
    empty_blocks: u32,
}

/// A block, and what the scans so far made of it.
struct Block<'f> {
    seen: &'f mut Seen,
    sums: &'f mut Sums<1>,
}

impl Block<'_> {
    #[inline(always)]
    fn of(component: &mut Component, place: Place) -> Option<Block<'_>> {
        let index = component.index(place);
        let progress = &mut component.progress;
        Some(Block { seen: progress.seen.get_mut(index)?, sums: progress.sums.get_mut(index)? })
    }
}

impl Band<'_> {
    /// Adds a new coefficient; `None` if it is not of the band.
    #[inline(always)]
    fn add(&self, value: i32, index: u32, block: &mut Block<'_>) -> Option<()> {
        if index > self.last {
            return None;
        }
        block.seen.present |= 1 << index;
        block.seen.negative |= u64::from(value < 0) << index;
        self.waves.add(index, value << self.low_bits, block.sums)
    }

    /// The coefficients of a block from `next` on that were seen: a bit each.
    #[inline(always)]
    fn seen(&self, next: u32, block: &Block<'_>) -> u64 {
        let behind = u64::MAX.checked_shl(next).unwrap_or(0);
        block.seen.present & behind & (u64::MAX >> (63 - self.last))
    }

    /// Takes the next bit of a coefficient that was seen.
    #[inline(always)]
    fn correct(&self, bits: &mut Bits<'_>, index: u32, block: &mut Block<'_>) -> Option<()> {
        bits.fill();
        if bits.take(1) == 1 {
            let value = if block.seen.negative >> index & 1 == 1 { -1 } else { 1 };
            self.waves.add(index, value << self.low_bits, block.sums)?;
        }
        Some(())
    }
}

/// A band that a scan brings for the first time (T.81 G.1.2.2).
struct FirstBand<'t>(Band<'t>);

impl Blocks for FirstBand<'_> {
    fn restart(&mut self) {
        self.0.empty_blocks = 0;
    }

    #[inline(always)]
    fn block(
        &mut self,
        _: usize,
        component: &mut Component,
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        let band = &mut self.0;
        if band.empty_blocks > 0 {
            band.empty_blocks -= 1;
            return Some(());
        }
        let mut block = Block::of(component, place)?;
        let mut next = band.first;
        while next <= band.last {
            bits.fill();
            let symbol = band.codes.take(bits)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && run < 15 {
                band.empty_blocks = (1 << run) - 1 + bits.take(run);
                break;
            }
            next += run;
            if size > 0 {
                band.add(bits.take_signed(size), next, &mut block)?;
            }
            next += 1;
        }
        Some(())
    }
}

/// One more bit of a band (T.81 G.1.2.3).
struct MoreBand<'t>(Band<'t>);

impl Blocks for MoreBand<'_> {
    fn restart(&mut self) {
        self.0.empty_blocks = 0;
    }

    #[inline(always)]
    fn block(
        &mut self,
        _: usize,
        component: &mut Component,
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        let band = &mut self.0;
        let mut block = Block::of(component, place)?;
        let mut next = band.first;
        while band.empty_blocks == 0 && next <= band.last {
            bits.fill();
            let symbol = band.codes.take(bits)?;
            let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
            let value = match size {
                0 if run < 15 => {
                    band.empty_blocks = (1 << run) + bits.take(run);
                    break;
                }
                0 => 0,
                1 => 2 * bits.take(1) as i32 - 1,
                _ => return None,
            };
            // Past so many that are zero still; those that are not have their bit on the way.
            let mut seen = band.seen(next, &block) >> next;
            while seen & 1 == 1 || run > 0 {
                if seen & 1 == 1 {
                    band.correct(bits, next, &mut block)?;
                } else {
                    run -= 1;
                }
                seen >>= 1;
                next += 1;
            }
            if value != 0 {
                band.add(value, next, &mut block)?;
            }
            next += 1;
        }
        if band.empty_blocks > 0 {
            band.empty_blocks -= 1;
            let mut seen = band.seen(next, &block);
            while seen != 0 {
                band.correct(bits, seen.trailing_zeros(), &mut block)?;
                seen &= seen - 1;
            }
        }
        Some(())
    }
}
