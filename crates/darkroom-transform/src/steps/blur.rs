//! Blurring: three boxes, one after the other, which come close to a Gaussian at the same cost for every radius.

use crate::picture::{Layout, Picture};
use crate::steps::ground::divided_by_255;

/// Lines that are blurred side by side, so that one instruction serves many of them.
const LANES: usize = 32;
/// Boxes one after the other.
const PASSES: usize = 3;
/// Fractions of a value between the passes.
const ONE: u32 = 256;

/// Blurs a picture. A radius is twice the standard deviation of the Gaussian; below 1 nothing is seen (reference: delivery
/// §5 `blur`). Beyond the sides, the outermost pixels go on, for each box anew. Colours count as much as they can be seen.
pub(crate) fn blur(mut picture: Picture, radius: f64) -> Picture {
    if radius < 1.0 {
        return picture;
    }
    let window = Window::of_deviation(radius / 2.0);
    let is_transparent = picture.layout == Layout::Rgba && !picture.is_opaque();
    if is_transparent {
        multiply(&mut picture.bytes);
    }
    let (stride, channels) = (picture.stride(), picture.layout.bytes());
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let mut strip = Strip::default();
    // Columns: each byte of a row is the head of one.
    for first in (0..stride).step_by(LANES) {
        let heads = first..stride.min(first + LANES);
        strip.blur(&mut picture.bytes, heads, stride, height, window);
    }
    // Rows: each channel of a row is a line of its own.
    for first in (0..height * channels).step_by(LANES) {
        let lines = first..(height * channels).min(first + LANES);
        let heads = lines.map(|line| line / channels * stride + line % channels);
        strip.blur(&mut picture.bytes, heads, channels, width, window);
    }
    if is_transparent {
        divide(&mut picture.bytes);
    }
    picture
}

/// A box with a fraction of a pixel at either end, as wide as to deviate by what is wanted (Gwosdek and others: "Theoretical
/// foundations of Gaussian convolution by extended box filtering", 2011).
#[derive(Clone, Copy, PartialEq, Debug)]
struct Window {
    /// Whole pixels on either side of the middle.
    reach: usize,
    /// What each pixel within counts.
    inner: f32,
    /// What the two beyond count.
    outer: f32,
}

impl Window {
    /// The box that deviates so much when it is applied [`PASSES`] times.
    fn of_deviation(deviation: f64) -> Window {
        let variance = deviation * deviation / PASSES as f64;
        let reach = (0.5 * (12.0 * variance + 1.0).sqrt() - 0.5).floor();
        let fraction = (2.0 * reach + 1.0) * (reach * (reach + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (reach + 1.0).powi(2)));
        let width = 2.0 * reach + 1.0 + 2.0 * fraction;
        Window { reach: reach as usize, inner: (1.0 / width) as f32, outer: (fraction / width) as f32 }
    }
}

/// Some lines of a picture, side by side.
#[derive(Default)]
struct Strip {
    values: Vec<[u16; LANES]>,
    blurred: Vec<[u16; LANES]>,
}

impl Strip {
    /// Blurs the lines that begin at `heads`, at most [`LANES`], with `length` values `step` bytes apart.
    fn blur(
        &mut self,
        bytes: &mut [u8],
        heads: impl Iterator<Item = usize>,
        step: usize,
        length: usize,
        window: Window,
    ) {
        let mut offsets = [0; LANES];
        let mut lanes = 0;
        for head in heads {
            offsets[lanes] = head;
            lanes += 1;
        }
        let offsets = &offsets[..lanes];
        self.values.resize(length, [0; LANES]);
        self.blurred.resize(length, [0; LANES]);
        for (at, values) in self.values.iter_mut().enumerate() {
            for (value, offset) in values.iter_mut().zip(offsets) {
                *value = u16::from(bytes[offset + at * step]) * ONE as u16;
            }
        }
        for _ in 0..PASSES {
            slide(&self.values, &mut self.blurred, window);
            std::mem::swap(&mut self.values, &mut self.blurred);
        }
        for (at, values) in self.values.iter().enumerate() {
            for (value, offset) in values.iter().zip(offsets) {
                bytes[offset + at * step] = ((u32::from(*value) + ONE / 2) / ONE).min(255) as u8;
            }
        }
    }
}

/// Slides a box along lines. Sums are of whole numbers, so that none drifts however long a line is.
fn slide(values: &[[u16; LANES]], blurred: &mut [[u16; LANES]], Window { reach, inner, outer }: Window) {
    let last = values.len() - 1;
    let at = |index: isize| &values[index.clamp(0, last as isize) as usize];
    let reach = reach as isize;
    let mut sums = [0u32; LANES];
    for index in -reach..=reach {
        for (sum, value) in sums.iter_mut().zip(at(index)) {
            *sum += u32::from(*value);
        }
    }
    for (index, blurred) in blurred.iter_mut().enumerate() {
        let index = index as isize;
        let (leaving, before, next) = (at(index - reach), at(index - reach - 1), at(index + reach + 1));
        for lane in 0..LANES {
            let beyond = u32::from(before[lane]) + u32::from(next[lane]);
            blurred[lane] = (sums[lane] as f32 * inner + beyond as f32 * outer + 0.5) as u16;
            sums[lane] = sums[lane] + u32::from(next[lane]) - u32::from(leaving[lane]);
        }
    }
}

/// Multiplies colours with their opacity.
fn multiply(bytes: &mut [u8]) {
    for [red, green, blue, alpha] in bytes.as_chunks_mut::<4>().0 {
        for value in [red, green, blue] {
            *value = divided_by_255(u32::from(*value) * u32::from(*alpha));
        }
    }
}

fn divide(bytes: &mut [u8]) {
    for [red, green, blue, alpha] in bytes.as_chunks_mut::<4>().0 {
        for value in [red, green, blue] {
            let alpha = u32::from(*alpha);
            *value = (u32::from(*value) * 255 + alpha / 2)
                .checked_div(alpha)
                .map_or(0, |value| value.min(255) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    fn noise(layout: Layout, width: u32, height: u32) -> Picture {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let count = width as usize * height as usize * layout.bytes();
        Picture::new(Size { width, height }, layout, (0..count).map(|_| next()).collect()).unwrap()
    }

    /// The Gaussian itself, by its definition.
    fn gaussian(picture: &Picture, deviation: f64) -> Vec<f64> {
        let (width, height) = (picture.size.width as i32, picture.size.height as i32);
        let channels = picture.layout.bytes() as i32;
        let reach = (deviation * 5.0).ceil() as i32;
        let weights: Vec<f64> =
            (-reach..=reach).map(|at| (-f64::from(at * at) / (2.0 * deviation * deviation)).exp()).collect();
        let whole: f64 = weights.iter().sum();
        let along = |values: &[f64], dx: i32, dy: i32| -> Vec<f64> {
            (0..values.len() as i32)
                .map(|index| {
                    let (c, x, y) = (index % channels, index / channels % width, index / channels / width);
                    let of = |step: i32| {
                        let x = (x + dx * step).clamp(0, width - 1);
                        let y = (y + dy * step).clamp(0, height - 1);
                        values[((y * width + x) * channels + c) as usize]
                    };
                    (-reach..=reach).zip(&weights).map(|(step, weight)| of(step) * weight).sum::<f64>()
                        / whole
                })
                .collect()
        };
        let values: Vec<f64> = picture.bytes.iter().map(|&value| value.into()).collect();
        along(&along(&values, 0, 1), 1, 0)
    }

    #[test]
    fn it_is_close_to_a_gaussian_of_half_the_radius() {
        // On noise, which is the hardest: the root of the mean square, against 74 of the noise itself. Close to the sides it
        // differs more, as each box goes on with what the one before it made of the outermost pixel.
        for (radius, off_max) in [(1.0, 1.5), (2.0, 2.5), (5.0, 1.6), (12.0, 1.0), (40.0, 0.8), (250.0, 0.8)]
        {
            for (layout, width, height) in [(Layout::Rgb, 1_200, 1), (Layout::Rgba, 1, 1_200)] {
                let mut picture = noise(layout, width, height);
                if layout == Layout::Rgba {
                    picture.bytes.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
                }
                let expected = gaussian(&picture, radius / 2.0);
                let margin = 3 * (radius as usize + 1) / 2 * layout.bytes();
                let blurred = blur(picture, radius);
                let pairs = blurred.bytes.iter().zip(expected).skip(margin);
                let count = blurred.bytes.len() - 2 * margin;
                let squares = pairs.take(count).map(|(&got, want)| (f64::from(got) - want).powi(2));
                let off = (squares.sum::<f64>() / count as f64).sqrt();
                assert!(off <= off_max, "{radius} on {width}×{height}: off by {off}");
            }
        }
    }

    #[test]
    fn below_one_nothing_changes_and_a_plain_stays() {
        let picture = noise(Layout::Rgb, 9, 9);
        assert_eq!(blur(picture.clone(), 0.9), picture);
        for value in [0, 1, 200, 255] {
            let plain = Picture::filled(Size { width: 70, height: 40 }, Layout::Rgb, [value; 3]);
            for radius in [1.0, 3.3, 250.0] {
                assert_eq!(blur(plain.clone(), radius), plain, "{value} {radius}");
            }
        }
    }

    #[test]
    fn what_cannot_be_seen_lends_no_colour() {
        let mut picture = Picture::filled(Size { width: 20, height: 1 }, Layout::Rgba, [200, 100, 50, 255]);
        picture.bytes[..40].copy_from_slice(&[0, 255, 0, 0].repeat(10));
        let blurred = blur(picture, 6.0);
        for pixel in blurred.bytes.chunks(4).filter(|pixel| pixel[3] > 40) {
            let off =
                pixel.iter().zip([200, 100, 50]).map(|(&got, want): (_, i32)| (i32::from(got) - want).abs());
            assert!(off.max() <= Some(3), "{pixel:?}");
        }
        assert!((100..156).contains(&blurred.bytes[9 * 4 + 3].max(blurred.bytes[10 * 4 + 3])));
    }
}
