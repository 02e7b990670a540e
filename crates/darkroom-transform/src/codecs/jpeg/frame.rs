//! What a frame header says (T.81 B.2.2), and the samples of its components at the scale that is asked for.

use super::progressive::Seen;
use super::rgb;
use super::waves::{Sums, Waves, level, write};
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Samples of a side of a block.
const BLOCK: usize = 8;

/// Quantisation steps, as a file brings them: in zigzag order.
pub(super) type Steps = [u16; 64];

/// The frame of a file, and what is known so far of its blocks.
pub(super) struct Frame {
    size: Size,
    /// How many times smaller the picture becomes: 2, 4 or 8.
    shrink: usize,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// Units of an interleaved scan, across and down.
    pub(super) units: (usize, usize),
}

/// One plane of a frame.
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of it in an interleaved unit, across and down.
    pub(super) sampling: (usize, usize),
    /// Its blocks, across and down.
    pub(super) blocks: (usize, usize),
    /// Blocks of a row, those that only fill up a unit included.
    stride: usize,
    /// Samples of a side of a block at this scale: 1, 2, 4 or 8.
    pub(super) side: usize,
    /// Output pixels of a sample, across and down.
    spread: (usize, usize),
    /// Which quantisation table it has.
    steps_index: usize,
    /// Rows of samples.
    samples: Vec<u8>,
    /// What scans of a progressive file brought so far, by block.
    pub(super) progress: Progress,
}

/// Where a block stands in its component: its column and its row.
pub(super) type Place = (usize, usize);

/// What is known of the blocks of a progressive file.
#[derive(Default)]
pub(super) struct Progress {
    /// The DC coefficient.
    pub(super) means: Vec<i16>,
    /// What the others add up to. Empty where a block becomes one sample.
    pub(super) sums: Vec<Sums<1>>,
    /// Which of the others there are.
    pub(super) seen: Vec<Seen>,
}

impl Frame {
    /// Reads a frame header; `None` if it is not of the kinds that are read at this scale (eight bits, a plane of gray
    /// or three of which the first has the most samples), or has another size than was seen before.
    pub(super) fn read(segment: &[u8], is_progressive: bool, expected: Size, shrink: usize) -> Option<Frame> {
        let (&[8, height_high, height_low, width_high, width_low, count], rest) =
            segment.split_first_chunk()?
        else {
            return None;
        };
        // At other scales, all coefficients are needed, and the other decoder is as fast.
        if is_progressive && shrink != BLOCK {
            return None;
        }
        let size = Size {
            width: u16::from_be_bytes([width_high, width_low]).into(),
            height: u16::from_be_bytes([height_high, height_low]).into(),
        };
        let (specifications, rest) = rest.as_chunks::<3>();
        let is_whole = rest.is_empty() && specifications.len() == usize::from(count);
        if size != expected || size.width == 0 || size.height == 0 || !is_whole || !matches!(count, 1 | 3) {
            return None;
        }
        let sampling = |factors: u8| (usize::from(factors >> 4), usize::from(factors & 15));
        let largest = sampling(specifications[0][1]);
        if !matches!(largest, (1 | 2, 1 | 2) | (4, 1)) {
            return None;
        }
        let mut frame = Frame {
            size,
            shrink,
            is_progressive,
            components: Vec::new(),
            units: (
                (size.width as usize).div_ceil(BLOCK * largest.0),
                (size.height as usize).div_ceil(BLOCK * largest.1),
            ),
        };
        for [id, factors, steps_index] in specifications {
            let density = match sampling(*factors) {
                own if own == largest => (1, 1),
                (1, 1) => largest,
                _ => return None,
            };
            let component = Component::new(*id, (*steps_index).into(), density, largest, &frame)?;
            frame.components.push(component);
        }
        Some(frame)
    }

    /// Returns the picture at its scale, sides rounded up; `None` if a table is missing.
    pub(super) fn picture(&mut self, tables: &[Option<Steps>; 4]) -> Option<Picture> {
        if self.is_progressive {
            self.components.iter_mut().try_for_each(|component| component.develop(tables))?;
        }
        let shrink = self.shrink as u32;
        let size =
            Size { width: self.size.width.div_ceil(shrink), height: self.size.height.div_ceil(shrink) };
        let (width, height) = (size.width as usize, size.height as usize);
        let mut rows = vec![vec![0_u8; width]; self.components.len()];
        let mut bytes = vec![0; width * height * Layout::Rgb.bytes()];
        for (y, output) in bytes.chunks_exact_mut(width * Layout::Rgb.bytes()).enumerate() {
            for (component, row) in self.components.iter().zip(&mut rows) {
                component.row(y, row)?;
            }
            match &rows[..] {
                [luma, blue, red] => rgb::join(luma, blue, red, output),
                _ => rgb::repeat(rows.first()?, output),
            }
        }
        Picture::new(size, Layout::Rgb, bytes)
    }
}

impl Component {
    /// Returns a component of which each sample stands for as many of the first as `density` says; `None` if it is
    /// not read at this scale.
    fn new(
        id: u8,
        steps_index: usize,
        density: (usize, usize),
        largest: (usize, usize),
        frame: &Frame,
    ) -> Option<Component> {
        let side = BLOCK / frame.shrink;
        // Where it has half the resolution both ways, its blocks have as many coefficients as it takes to make that up.
        // Of chroma that is thinned out one way, libjpeg makes more than to repeat it, unless the picture is tiny.
        let (side, spread) = match density {
            (1, 1) => (side, (1, 1)),
            (2, 2) => (2 * side, (1, 1)),
            _ if frame.shrink == BLOCK => (side, density),
            _ => return None,
        };
        let sampling = (largest.0 / density.0, largest.1 / density.1);
        let stride = frame.units.0 * sampling.0;
        let stored = stride * frame.units.1 * sampling.1;
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        let mut progress = Progress::default();
        if frame.is_progressive {
            progress.means = vec![0; stored];
            if side > 1 {
                progress.sums = vec![Waves::<1>::NOTHING; stored];
            }
        }
        Some(Component {
            id,
            sampling,
            blocks: (width.div_ceil(BLOCK * density.0), height.div_ceil(BLOCK * density.1)),
            stride,
            side,
            spread,
            steps_index,
            samples: vec![0; stored * side * side],
            progress,
        })
    }

    /// Its quantisation table.
    pub(super) fn steps<'t>(&self, tables: &'t [Option<Steps>; 4]) -> Option<&'t Steps> {
        tables.get(self.steps_index)?.as_ref()
    }

    /// Where a block stands among those of `progress`.
    #[inline(always)]
    pub(super) fn index(&self, (column, row): Place) -> usize {
        row * self.stride + column
    }

    /// Writes a block that becomes one sample. `None`, as below, if it has no such block.
    #[inline(always)]
    pub(super) fn write_mean(&mut self, place: Place, mean: i32, step: u16) -> Option<()> {
        let index = self.index(place);
        *self.samples.get_mut(index)? = level(mean as f32 * f32::from(step) / 8.0);
        Some(())
    }

    /// Writes the samples of a block.
    #[inline(always)]
    pub(super) fn write<const HALF: usize>(&mut self, (column, row): Place, sums: &Sums<HALF>) -> Option<()> {
        let side = 2 * HALF;
        let stride = self.stride * side;
        write(sums, self.samples.get_mut(row * side * stride + column * side..)?, stride)
    }

    /// Makes samples of what all scans of a progressive file brought.
    fn develop(&mut self, tables: &[Option<Steps>; 4]) -> Option<()> {
        let steps = *self.steps(tables)?;
        let waves = Waves::<1>::new(&steps);
        let progress = std::mem::take(&mut self.progress);
        for row in 0..self.blocks.1 {
            for column in 0..self.blocks.0 {
                let place = (column, row);
                let index = self.index(place);
                let mean = i32::from(*progress.means.get(index)?);
                if self.side == 1 {
                    self.write_mean(place, mean, steps[0])?;
                } else {
                    let mut sums = *progress.sums.get(index)?;
                    waves.add(0, mean, &mut sums)?;
                    self.write(place, &sums)?;
                }
            }
        }
        Some(())
    }

    /// Gives the samples of one output row.
    fn row(&self, y: usize, row: &mut [u8]) -> Option<()> {
        let samples = self.samples.get(y / self.spread.1 * self.stride * self.side..)?;
        match self.spread.0 {
            1 => row.copy_from_slice(samples.get(..row.len())?),
            across => row.chunks_mut(across).zip(samples).for_each(|(pixels, sample)| pixels.fill(*sample)),
        }
        Some(())
    }
}
