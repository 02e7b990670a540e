//! One scan of a frame: which blocks it brings, and what is read of each (T.81 A.2, F.2.2, G.1.2).

use super::bits::Bits;
use super::frame::{Component, Frame, Steps, Weight, weights};
use super::huffman::{Codes, Skips};

/// The tables that segments between the scans define.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) steps: [Option<Steps>; 4],
    pub(super) dc: [Option<Box<Codes>>; 4],
    pub(super) ac: [Option<Box<Codes>>; 4],
    /// Units from one restart to the next; 0 if there are none.
    pub(super) restart_interval: usize,
}

/// A scan header (T.81 B.2.3).
pub(super) struct Scan {
    /// Which components of the frame, and their DC and AC tables.
    parts: Vec<(usize, usize, usize)>,
    /// The coefficients it brings, first and last.
    pub(super) band: (u8, u8),
    /// How many low bits were missing before, and are missing still; both 0 unless progressive.
    pub(super) low_bits: (u8, u8),
}

impl Scan {
    /// Reads a scan header; `None` if it does not fit the frame.
    pub(super) fn read(segment: &[u8], frame: &Frame) -> Option<Scan> {
        let (&count, rest) = segment.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, low_bits] = rest else { return None };
        let mut after = 0;
        let parts = parts.as_chunks::<2>().0.iter().map(|[id, tables]| {
            // In the order of the frame, and none twice.
            let rest = frame.components.get(after..)?;
            let index = after + rest.iter().position(|component| component.id == *id)?;
            after = index + 1;
            Some((index, usize::from(tables >> 4), usize::from(tables & 15)))
        });
        let parts = parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())?;
        Some(Scan { parts, band: (first, last), low_bits: (low_bits >> 4, low_bits & 15) })
    }

    /// Which components it brings.
    pub(super) fn components(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|(component, ..)| *component)
    }
}

/// Reads the DC coefficients of a progressive scan that brings them first; returns the place of the next marker.
pub(super) fn read_means(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let (_, low_bits) = scan.low_bits;
    let mut parts = Vec::new();
    for (_, dc, _) in &scan.parts {
        parts.push(Mean { codes: tables.dc.get(*dc)?.as_deref()?, last: 0 });
    }
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), |visit, bits| match visit {
        Visit::Restart => {
            parts.iter_mut().for_each(|part| part.last = 0);
            Some(())
        }
        Visit::Block { part, component, at } => {
            let mean = parts.get_mut(part)?.next(bits)?;
            *component.means.get_mut(at)? = i16::try_from(mean << low_bits).ok()?;
            Some(())
        }
    })
}

/// Reads one more bit of the DC coefficients (T.81 G.1.2.1).
pub(super) fn refine_means(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let (_, low_bits) = scan.low_bits;
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), |visit, bits| {
        if let Visit::Block { component, at, .. } = visit {
            bits.fill();
            *component.means.get_mut(at)? |= (bits.take(1) as i16) << low_bits;
        }
        Some(())
    })
}

/// Reads a sequential scan; returns the place of the next marker.
pub(super) fn read_blocks(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let mut skips: [Option<Box<Skips>>; 4] = [None, None, None, None];
    for (_, _, ac) in &scan.parts {
        let codes = tables.ac.get(*ac)?.as_deref()?;
        skips[*ac].get_or_insert_with(|| Box::new(Skips::new(codes)));
    }
    let mut parts = Vec::new();
    for (index, dc, ac) in &scan.parts {
        let component = frame.components.get(*index)?;
        let dc = Mean { codes: tables.dc.get(*dc)?.as_deref()?, last: 0 };
        let has_slopes = !component.slopes.is_empty();
        let weights = if has_slopes { Some(weights(component.steps(&tables.steps)?)) } else { None };
        parts.push((dc, tables.ac.get(*ac)?.as_deref()?, skips.get(*ac)?.as_deref()?, weights));
    }
    walk(frame, scan, tables.restart_interval, Bits::new(bytes, at), |visit, bits| match visit {
        Visit::Restart => {
            parts.iter_mut().for_each(|(dc, ..)| dc.last = 0);
            Some(())
        }
        Visit::Block { part, component, at } => {
            let (dc, ac, skips, weights) = parts.get_mut(part)?;
            *component.means.get_mut(at)? = i16::try_from(dc.next(bits)?).ok()?;
            match weights {
                None => skips.pass(ac, bits, 1),
                Some(weights) => {
                    *component.slopes.get_mut(at)? = read_slopes(ac, skips, weights, bits)?;
                    Some(())
                }
            }
        }
    })
}

/// The DC coefficients of a component, each of which is stored as its difference to the last (T.81 F.2.2.1).
struct Mean<'t> {
    codes: &'t Codes,
    last: i32,
}

impl Mean<'_> {
    #[inline(always)]
    fn next(&mut self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.fill();
        let size = self.codes.take(bits).filter(|size| *size <= 11)?;
        self.last = self.last.wrapping_add(bits.take_signed(size.into()));
        Some(self.last)
    }
}

/// Adds up what the coefficients of a block say of its halves.
#[inline(always)]
fn read_slopes(
    codes: &Codes,
    skips: &Skips,
    weights: &[Weight; 64],
    bits: &mut Bits<'_>,
) -> Option<[i16; 3]> {
    let mut sums = [0_i32; 4];
    let mut next = 1;
    while next < SLOPES_END {
        bits.fill();
        let symbol = codes.take(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            next = 64;
            break;
        }
        let value = bits.take_signed(size);
        let weight = weights.get((next + run) as usize)?;
        let sum = &mut sums[usize::from(weight.slope & 3)];
        *sum = sum.wrapping_add(value.wrapping_mul(weight.factor));
        next += run + 1;
    }
    if next < 64 {
        skips.pass(codes, bits, next)?;
    }
    let [_, slopes @ ..] = sums;
    Some(slopes.map(|sum| (sum.wrapping_add(1 << 11) >> 12) as i16))
}

/// Coefficients from here on change the halves of a block by less than can be seen.
const SLOPES_END: u32 = 64;

/// What a walk comes to.
enum Visit<'f> {
    /// Predictions begin anew.
    Restart,
    /// A block of a part of the scan, and where it stands in its component.
    Block { part: usize, component: &'f mut Component, at: usize },
}

/// Goes over all blocks of a scan in their order (T.81 A.2), with the restarts between them; returns the place of the
/// next marker. `None` if a visit gives that, or the scan is not as long as it should be.
#[inline(always)]
fn walk<'a>(
    frame: &mut Frame,
    scan: &Scan,
    restart_interval: usize,
    mut bits: Bits<'a>,
    mut visit: impl FnMut(Visit<'_>, &mut Bits<'a>) -> Option<()>,
) -> Option<usize> {
    let mut restarts = 0_u8;
    let mut units_left = restart_interval;
    // A scan of one component has its own blocks one by one, and none that only fill up a unit.
    let units = match &scan.parts[..] {
        [(only, ..)] => frame.components.get(*only)?.blocks,
        _ => frame.units,
    };
    let is_single = scan.parts.len() == 1;
    for y in 0..units.1 {
        for x in 0..units.0 {
            if restart_interval > 0 {
                if units_left == 0 {
                    bits.restart(restarts)?;
                    restarts = restarts.wrapping_add(1);
                    units_left = restart_interval;
                    visit(Visit::Restart, &mut bits)?;
                }
                units_left -= 1;
            }
            for (part, (index, ..)) in scan.parts.iter().enumerate() {
                let component = frame.components.get_mut(*index)?;
                let (across, down) = if is_single { (1, 1) } else { component.sampling };
                for row in 0..down {
                    let start = (y * down + row) * component.stride + x * across;
                    for at in start..start + across {
                        visit(Visit::Block { part, component, at }, &mut bits)?;
                    }
                }
            }
        }
        if bits.is_overrun() {
            return None;
        }
    }
    bits.end()
}
