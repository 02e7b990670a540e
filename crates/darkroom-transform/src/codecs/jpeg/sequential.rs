//! Sequential scans: of each block the mean is read, and what remains is passed over (T.81 F.2.2).

use super::bits::Bits;
use super::frame::{Component, Frame, Slopes, Weight, weights};
use super::huffman::{Codes, Means, Skips};
use super::scan::{Blocks, Scan, Tables, walk};

/// Reads a scan; returns the place of the next marker.
pub(super) fn read(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let mut skips: [Option<Box<Skips>>; 4] = [const { None }; 4];
    for part in &scan.parts {
        let codes = tables.ac.get(part.ac)?.as_deref()?;
        skips.get_mut(part.ac)?.get_or_insert_with(|| Box::new(Skips::new(codes)));
    }
    let mut parts = Vec::new();
    for part in &scan.parts {
        let component = frame.components.get(part.component)?;
        let has_slopes = !component.slopes.is_empty();
        parts.push(Part {
            means: Means::new(tables.dc.get(part.dc)?.as_deref()?),
            ac: tables.ac.get(part.ac)?.as_deref()?,
            skips: skips.get(part.ac)?.as_deref()?,
            weights: if has_slopes { Some(weights(component.steps(&tables.steps)?)) } else { None },
        });
    }
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), Sequential { parts })
}

struct Sequential<'t> {
    parts: Vec<Part<'t>>,
}

/// What reads the blocks of one component.
struct Part<'t> {
    means: Means<'t>,
    ac: &'t Codes,
    skips: &'t Skips,
    weights: Option<[Weight; 64]>,
}

impl Blocks for Sequential<'_> {
    fn restart(&mut self) {
        self.parts.iter_mut().for_each(|part| part.means.restart());
    }

    #[inline(always)]
    fn block(
        &mut self,
        part: usize,
        component: &mut Component,
        at: usize,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        let part = self.parts.get_mut(part)?;
        *component.means.get_mut(at)? = part.means.next(bits)?.try_into().ok()?;
        match &part.weights {
            None => part.skips.pass(part.ac, bits, 1),
            Some(weights) => add_slopes(part.ac, weights, bits, component.slopes.get_mut(at)?),
        }
    }
}

/// Adds up what the coefficients of a block say of its halves; `None` if there are more than 64.
#[inline(always)]
fn add_slopes(codes: &Codes, weights: &[Weight; 64], bits: &mut Bits<'_>, slopes: &mut Slopes) -> Option<()> {
    let mut next = 1;
    while next < 64 {
        bits.fill();
        let symbol = codes.take(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            break;
        }
        weights.get((next + run) as usize)?.add(bits.take_signed(size), slopes);
        next += run + 1;
    }
    Some(())
}
