//! Sequential scans (T.81 F.2.2): of each block, its samples at the scale that is asked for.

use super::bits::Bits;
use super::frame::{Component, Frame, Place};
use super::huffman::{Codes, Means, Skips, Value, Values};
use super::scan::{Blocks, Scan, Tables, walk};
use super::waves::Waves;

/// Reads a scan; returns the place of the next marker.
pub(super) fn read(
    frame: &mut Frame,
    scan: &Scan,
    tables: &Tables,
    bytes: &[u8],
    at: usize,
) -> Option<usize> {
    let mut parts = Vec::new();
    for part in &scan.parts {
        let component = frame.components.get(part.component)?;
        let steps = component.steps(&tables.steps)?;
        let codes = tables.ac.get(part.ac)?.as_deref()?;
        parts.push(Part {
            means: Means::new(tables.dc.get(part.dc)?.as_deref()?),
            detail: match component.side {
                1 => Detail::One(Box::new((Skips::new(codes), codes, steps[0]))),
                2 => Detail::Two(Box::new((Values::new(codes), Waves::new(steps)))),
                4 => Detail::Four(Box::new((Values::new(codes), Waves::new(steps)))),
                _ => Detail::Eight(Box::new((Values::new(codes), Waves::new(steps)))),
            },
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
    detail: Detail<'t>,
}

/// What is made of a block, by the samples of its side.
enum Detail<'t> {
    /// Its mean, in these steps; what remains is passed over.
    One(Box<(Skips, &'t Codes, u16)>),
    Two(Box<(Values<'t>, Waves<1>)>),
    Four(Box<(Values<'t>, Waves<2>)>),
    Eight(Box<(Values<'t>, Waves<4>)>),
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
        place: Place,
        bits: &mut Bits<'_>,
    ) -> Option<()> {
        let Part { means, detail } = self.parts.get_mut(part)?;
        let mean = means.next(bits)?;
        match detail {
            Detail::One(tables) => {
                let (skips, codes, step) = &**tables;
                skips.pass(codes, bits, 1)?;
                component.write_mean(place, mean, *step)
            }
            Detail::Two(tables) => read_block(tables, mean, component, place, bits),
            Detail::Four(tables) => read_block(tables, mean, component, place, bits),
            Detail::Eight(tables) => read_block(tables, mean, component, place, bits),
        }
    }
}

/// Reads a block behind its mean, and writes its samples; `None` if there are more than 64.
#[inline(always)]
fn read_block<const HALF: usize>(
    (values, waves): &(Values<'_>, Waves<HALF>),
    mean: i32,
    component: &mut Component,
    place: Place,
    bits: &mut Bits<'_>,
) -> Option<()> {
    let mut sums = Waves::<HALF>::NOTHING;
    waves.add(0, mean, &mut sums)?;
    let mut next = 1;
    while next < 64 {
        let Value { zeros, value, .. } = values.next(bits)?;
        if zeros == Value::END {
            break;
        }
        next += u32::from(zeros);
        waves.add(next, value.into(), &mut sums)?;
        next += 1;
    }
    component.write(place, &sums)
}
