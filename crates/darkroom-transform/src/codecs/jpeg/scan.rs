//! The scans of a frame: what their headers say, which blocks they bring, and in which order (T.81 A.2, B.2.3).

use super::bits::Bits;
use super::frame::{Component, Frame, Place, Steps};
use super::huffman::Codes;

/// The tables that segments between the scans define.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) steps: [Option<Steps>; 4],
    pub(super) dc: [Option<Box<Codes>>; 4],
    pub(super) ac: [Option<Box<Codes>>; 4],
    /// Units from one restart to the next; 0 if there are none.
    pub(super) restart_interval: usize,
}

/// A component in a scan.
pub(super) struct Part {
    /// Which of the frame it is.
    pub(super) component: usize,
    /// Its tables of codes.
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// Blocks of an interleaved unit (T.81 B.2.3).
const UNIT_BLOCKS_MAX: usize = 10;

/// A scan header (T.81 B.2.3).
pub(super) struct Scan {
    /// Its components, in the order of the frame.
    pub(super) parts: Vec<Part>,
    /// The coefficients it brings, in zigzag order.
    pub(super) first: u8,
    pub(super) last: u8,
    /// How many low bits of them were missing before it; 0 if all were.
    pub(super) low_bits_before: u8,
    /// How many are missing behind it.
    pub(super) low_bits_after: u8,
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
            let component = after + rest.iter().position(|component| component.id == *id)?;
            after = component + 1;
            Some(Part { component, dc: usize::from(tables >> 4), ac: usize::from(tables & 15) })
        });
        let parts = parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())?;
        let blocks = |part: &Part| {
            frame.components.get(part.component).map_or(0, |one| one.sampling.0 * one.sampling.1)
        };
        let is_unit_allowed = parts.len() == 1 || parts.iter().map(blocks).sum::<usize>() <= UNIT_BLOCKS_MAX;
        (is_unit_allowed && first <= last && last < 64).then_some(Scan {
            parts,
            first,
            last,
            low_bits_before: low_bits >> 4,
            low_bits_after: low_bits & 15,
        })
    }
}

/// What reads the blocks of a scan.
pub(super) trait Blocks {
    /// Begins anew, behind a restart marker.
    fn restart(&mut self);

    /// Reads a block of a part of the scan, which stands at a place in its component; `None` if it is damaged.
    fn block(
        &mut self,
        part: usize,
        component: &mut Component,
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()>;
}

/// Goes over all blocks of a scan in their order (T.81 A.2), with the restarts between them; returns the place of the
/// next marker. `None` if a block is damaged, or the scan is not as long as it should be.
#[inline(always)]
pub(super) fn walk(
    frame: &mut Frame,
    scan: &Scan,
    restart_interval: usize,
    mut bits: Bits<'_>,
    mut blocks: impl Blocks,
) -> Option<usize> {
    let mut restarts = 0_u8;
    let mut units_left = restart_interval;
    // A scan of one component has its own blocks one by one, and none that only fill up a unit.
    let units = match &scan.parts[..] {
        [only] => frame.components.get(only.component)?.blocks,
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
                    blocks.restart();
                }
                units_left -= 1;
            }
            for (index, part) in scan.parts.iter().enumerate() {
                let component = frame.components.get_mut(part.component)?;
                let (across, down) = if is_single { (1, 1) } else { component.sampling };
                for row in y * down..(y + 1) * down {
                    for column in x * across..(x + 1) * across {
                        blocks.block(index, component, (column, row), &mut bits)?;
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
