//! The waves that a block is the sum of (T.81 A.3.3), and the pixels that they add up to where a block becomes fewer
//! than its 64 samples. Each pixel is the mean of the samples it stands for, which is what libjpeg gives.
//!
//! Every wave is even or odd about the middle of a block, across and down. So a quarter of it says all, and the waves of
//! a kind are added up before they are mirrored: a coefficient costs as many products as a quarter has pixels.

use super::frame::Steps;

/// Where the coefficients stand in a block that a scan brings one after the other (T.81 figure 5): row × 8 + column.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The levels of a quarter of a block, row by row; a block has twice as many pixels on each side.
type Quarter<const HALF: usize> = [[f32; HALF]; HALF];

/// What the waves add up to in the upper left quarter of a block. By kind: even both ways, odd across, odd down, odd
/// both ways.
pub(super) type Sums<const HALF: usize> = [Quarter<HALF>; 4];

/// What a coefficient of 1 makes of the pixels of a block, in zigzag order.
pub(super) struct Waves<const HALF: usize> {
    kinds: [u8; 64],
    levels: [Quarter<HALF>; 64],
}

impl<const HALF: usize> Waves<HALF> {
    pub(super) const NOTHING: Sums<HALF> = [[[0.0; HALF]; HALF]; 4];

    /// Returns the waves of a component with these quantisation steps.
    pub(super) fn new(steps: &Steps) -> Waves<HALF> {
        let mut waves = Waves { kinds: [0; 64], levels: [[[0.0; HALF]; HALF]; 64] };
        for (index, (place, step)) in ZIGZAG.into_iter().zip(steps).enumerate() {
            let (row, column) = (usize::from(place / 8), usize::from(place % 8));
            waves.kinds[index] = (row % 2 * 2 + column % 2) as u8;
            let (down, across) = (profile::<HALF>(row), profile::<HALF>(column));
            waves.levels[index] =
                down.map(|down| across.map(|across| (down * across * f64::from(*step)) as f32));
        }
        waves
    }

    /// Adds the wave of a coefficient; `None` if no block has that many.
    #[inline(always)]
    pub(super) fn add(&self, index: u32, value: i32, sums: &mut Sums<HALF>) -> Option<()> {
        let levels = self.levels.get(index as usize)?;
        let sums = &mut sums[usize::from(self.kinds[index as usize] & 3)];
        let value = value as f32;
        for row in 0..HALF {
            for column in 0..HALF {
                sums[row][column] += value * levels[row][column];
            }
        }
        Some(())
    }
}

/// Returns the means of a wave of one dimension over each pixel of the first half of a block.
fn profile<const HALF: usize>(frequency: usize) -> [f64; HALF] {
    let samples = 4 / HALF;
    let scale = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
    std::array::from_fn(|pixel| {
        let first = pixel * samples;
        let waves = (first..first + samples).map(|sample| {
            let sixteenths = ((2 * sample + 1) * frequency) as f64;
            (sixteenths * std::f64::consts::PI / 16.0).cos()
        });
        scale * waves.sum::<f64>() / samples as f64
    })
}

/// Writes the pixels of a block to rows that begin so far from each other; `None` if there is no place for them.
#[inline(always)]
pub(super) fn write<const HALF: usize>(sums: &Sums<HALF>, samples: &mut [u8], stride: usize) -> Option<()> {
    let [even, odd_across, odd_down, odd_both] = sums;
    for row in 0..HALF {
        for (row_of_block, sign) in [(row, 1.0), (2 * HALF - 1 - row, -1.0)] {
            let mut halves = [[0.0; HALF]; 2];
            for column in 0..HALF {
                let mean = even[row][column] + sign * odd_down[row][column];
                let slope = odd_across[row][column] + sign * odd_both[row][column];
                halves[0][column] = mean + slope;
                halves[1][HALF - 1 - column] = mean - slope;
            }
            let pixels = samples.get_mut(row_of_block * stride..)?.get_mut(..2 * HALF)?;
            pixels.copy_from_slice(halves.map(|half| half.map(level)).as_flattened());
        }
    }
    Some(())
}

/// Turns a level around the middle to a sample (T.81 A.3.1).
#[inline(always)]
pub(super) fn level(level: f32) -> u8 {
    // In so large a number there is no place for fractions: the sum is rounded, and its bits differ by whole levels.
    const WHOLE: f32 = 1.5 * (1 << 23) as f32;
    // What is in the middle is rounded up, as with libjpeg.
    let whole = level + (128.0 + 1.0 / 1024.0) + WHOLE;
    whole.to_bits().wrapping_sub(WHOLE.to_bits()).cast_signed().clamp(0, 255) as u8
}
