//! What a frame header says (T.81 B.2.2), and the pixels that a few coefficients of its blocks make.

use super::progressive::Seen;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Where the coefficients stand in a block that a scan brings one after the other (T.81 figure 5): row × 8 + column.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// By frequency: the mean of its wave over the first half of a block, in parts of the mean of the constant; over the
/// other half it is the opposite. Even frequencies have a mean of 0.
const HALF_MEANS: [f32; 8] = [1.0, 0.906_127_45, 0.0, -0.318_189_64, 0.0, 0.212_607_5, 0.0, -0.180_239_96];

/// Quantisation steps, as a file brings them: in zigzag order.
pub(super) type Steps = [u16; 64];

/// By how much the left half of a block is above its mean, the upper half, and the left of the upper and the right of
/// the lower; behind a place for coefficients that change none of them. In 4,096ths of an eighth of a level.
pub(super) type Slopes = [i32; 4];

/// The frame of a file, and what is known so far of its blocks.
pub(super) struct Frame {
    pub(super) size: Size,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// Units of an interleaved scan, across and down.
    pub(super) units: (usize, usize),
}

/// One plane of a frame. Each block becomes one pixel, or two by two of them.
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of it in an interleaved unit, across and down.
    pub(super) sampling: (usize, usize),
    /// Its blocks, across and down.
    pub(super) blocks: (usize, usize),
    /// Blocks of a row in `means`, those that only fill up a unit included.
    pub(super) stride: usize,
    /// Output pixels of a block, across and down.
    pub(super) spread: (usize, usize),
    /// Which quantisation table it has.
    pub(super) steps_index: usize,
    /// By block: the DC coefficient.
    pub(super) means: Vec<i16>,
    /// By block: how its halves differ from it. Empty where a block becomes one pixel.
    pub(super) slopes: Vec<Slopes>,
    /// By block of a progressive file that has slopes: the coefficients that made them.
    pub(super) seen: Vec<Seen>,
}

impl Frame {
    /// Reads a frame header; `None` if it is not of the kinds that are read here (eight bits, a plane of gray or three
    /// of which the first has the most samples), or has another size than was seen before.
    pub(super) fn read(segment: &[u8], is_progressive: bool, expected: Size) -> Option<Frame> {
        let (&[8, height_high, height_low, width_high, width_low, count], rest) =
            segment.split_first_chunk()?
        else {
            return None;
        };
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
            is_progressive,
            components: Vec::new(),
            units: (
                (size.width as usize).div_ceil(8 * largest.0),
                (size.height as usize).div_ceil(8 * largest.1),
            ),
        };
        for [id, factors, steps_index] in specifications {
            let spread = match sampling(*factors) {
                own if own == largest => (1, 1),
                (1, 1) => largest,
                _ => return None,
            };
            let component = Component::new(*id, (*steps_index).into(), spread, largest, &frame);
            frame.components.push(component);
        }
        Some(frame)
    }

    /// Returns the picture at an eighth of its size, sides rounded up; `None` if a table is missing.
    pub(super) fn picture(&self, tables: &[Option<Steps>; 4]) -> Option<Picture> {
        let size = Size { width: self.size.width.div_ceil(8), height: self.size.height.div_ceil(8) };
        let (width, height) = (size.width as usize, size.height as usize);
        let mut rows = vec![vec![0_u8; width + 4]; self.components.len()];
        let mut bytes = vec![0; width * height * 3];
        for (y, output) in bytes.chunks_exact_mut(width * 3).enumerate() {
            for (component, row) in self.components.iter().zip(&mut rows) {
                component.row(y, component.steps(tables)?[0].into(), row)?;
            }
            match &rows[..] {
                [luma, blue, red] => join(luma, blue, red, output),
                _ => output
                    .as_chunks_mut()
                    .0
                    .iter_mut()
                    .zip(&rows[0])
                    .for_each(|(pixel, gray)| *pixel = [*gray; 3]),
            }
        }
        Picture::new(size, Layout::Rgb, bytes)
    }
}

impl Component {
    fn new(
        id: u8,
        steps_index: usize,
        spread: (usize, usize),
        largest: (usize, usize),
        frame: &Frame,
    ) -> Component {
        let sampling = (largest.0 / spread.0, largest.1 / spread.1);
        let stride = frame.units.0 * sampling.0;
        let stored = stride * frame.units.1 * sampling.1;
        let (width, height) = (frame.size.width as usize, frame.size.height as usize);
        Component {
            id,
            sampling,
            blocks: (width.div_ceil(8 * spread.0), height.div_ceil(8 * spread.1)),
            stride,
            spread,
            steps_index,
            means: vec![0; stored],
            slopes: if spread == (2, 2) { vec![[0; 4]; stored] } else { Vec::new() },
            seen: Vec::new(),
        }
    }

    /// Its quantisation table.
    pub(super) fn steps<'t>(&self, tables: &'t [Option<Steps>; 4]) -> Option<&'t Steps> {
        tables.get(self.steps_index)?.as_ref()
    }

    /// Makes the samples of one output row.
    fn row(&self, y: usize, step: i32, row: &mut [u8]) -> Option<()> {
        let start = y / self.spread.1 * self.stride;
        let means = self.means.get(start..start + self.blocks.0)?;
        let means = means.iter().map(|mean| i32::from(*mean).wrapping_mul(step));
        if self.slopes.is_empty() {
            match self.spread.0 {
                1 => means.zip(row).for_each(|(mean, sample)| *sample = level(mean)),
                across => {
                    means.zip(row.chunks_mut(across)).for_each(|(mean, samples)| samples.fill(level(mean)))
                }
            }
            return Some(());
        }
        let slopes = self.slopes.get(start..start + self.blocks.0)?;
        let sign = if y.is_multiple_of(2) { 1 } else { -1 };
        for ((mean, slope), samples) in means.zip(slopes).zip(row.as_chunks_mut::<2>().0) {
            let [_, across, down, both] = *slope;
            let (even, odd) = (down.wrapping_mul(sign), across.wrapping_add(both.wrapping_mul(sign)));
            let sums = [even.wrapping_add(odd), even.wrapping_sub(odd)];
            *samples = sums.map(|sum| level(mean.wrapping_add(sum.wrapping_add(1 << 11) >> 12)));
        }
        Some(())
    }
}

/// Turns eighths of a level around the middle to a sample, as the transform does it (T.81 A.3.1).
#[inline(always)]
fn level(eighths: i32) -> u8 {
    ((eighths.wrapping_add(4) >> 3).wrapping_add(128)).clamp(0, 255) as u8
}

/// Joins a row of luma and of chroma (JFIF 1.02), in the arithmetic of libjpeg.
fn join(luma: &[u8], blue: &[u8], red: &[u8], output: &mut [u8]) {
    const HALF: i32 = 1 << 15;
    let samples = luma.iter().zip(blue).zip(red);
    for (pixel, ((luma, blue), red)) in output.as_chunks_mut::<3>().0.iter_mut().zip(samples) {
        let luma = i32::from(*luma);
        let (blue, red) = (i32::from(*blue) - 128, i32::from(*red) - 128);
        let colors = [
            luma + ((91_881 * red + HALF) >> 16),
            luma + ((-22_554 * blue - 46_802 * red + HALF) >> 16),
            luma + ((116_130 * blue + HALF) >> 16),
        ];
        *pixel = colors.map(|color| color.clamp(0, 255) as u8);
    }
}

/// How a coefficient changes the slopes of a block.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// Which of them it changes.
    slope: u8,
    factor: i32,
}

impl Weight {
    /// Adds a coefficient. What a hostile file has too much of turns over.
    #[inline(always)]
    pub(super) fn add(self, value: i32, slopes: &mut Slopes) {
        let slope = &mut slopes[usize::from(self.slope & 3)];
        *slope = slope.wrapping_add(value.wrapping_mul(self.factor));
    }
}

/// Returns the weights of all coefficients, in zigzag order.
pub(super) fn weights(steps: &Steps) -> [Weight; 64] {
    let mut weights = [Weight { slope: 0, factor: 0 }; 64];
    for ((weight, place), step) in weights.iter_mut().zip(ZIGZAG).zip(steps) {
        let (row, column) = (place / 8, place % 8);
        let mean = HALF_MEANS[usize::from(row)] * HALF_MEANS[usize::from(column)];
        let slope = match (row % 2, column % 2) {
            (0, 1) => 1,
            (1, 0) => 2,
            (1, 1) => 3,
            _ => 0,
        };
        let factor = (mean * f32::from(*step) * 4096.0).round() as i32;
        *weight = Weight { slope, factor };
    }
    weights
}
