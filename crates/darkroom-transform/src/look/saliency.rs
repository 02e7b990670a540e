//! What draws the eye: what differs from its surroundings.
//!
//! Achanta and Süsstrunk, "Saliency detection using maximum symmetric surround" (2010): the saliency of a pixel is the
//! square of how far its colour is from the mean of the largest box that has it in the middle. A thing in the background's
//! midst is compared with much, and one at the side with little, so that what is cut by a side does not count as seen.
//! Where they take Lab we take luma and two differences of colour, in whole numbers: the same on every machine.

use super::window;
use crate::picture::Picture;
use crate::plan::Size;

/// Returns the place of the window that holds most of what draws the eye.
pub(super) fn highest(picture: &Picture, window: Size) -> (u32, u32) {
    let size = picture.size;
    let sums = Sums::of(size, saliency(picture).into_iter().map(|salient| [salient as i64]));
    window::best(size, window, |x, y| {
        let [sum] = sums.within(x as usize, y as usize, window.width as usize, window.height as usize);
        // Below 2⁵³: 2¹⁶ pixels, each below 2³⁴.
        sum as f64
    })
}

/// Luma and two differences of colour of each pixel (Rec. 601), each sixteen times.
fn opponents(picture: &Picture) -> impl Iterator<Item = [i64; 3]> + '_ {
    picture.bytes.chunks_exact(picture.layout.bytes()).map(|pixel| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(i64::from);
        let luma = (77 * red + 150 * green + 29 * blue) / 16;
        [luma, (16 * blue - luma) / 2, (16 * red - luma) / 2]
    })
}

fn saliency(picture: &Picture) -> Vec<u64> {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let sums = Sums::of(picture.size, opponents(picture));
    let mut salient = Vec::with_capacity(width * height);
    for y in 0..height {
        let reach_y = y.min(height - 1 - y);
        for x in 0..width {
            let reach_x = x.min(width - 1 - x);
            let (across, down) = (2 * reach_x + 1, 2 * reach_y + 1);
            let surround = sums.within(x - reach_x, y - reach_y, across, down);
            // The pixel with its neighbours, so that grain does not count.
            let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
            let (right, bottom) = ((x + 2).min(width), (y + 2).min(height));
            let near = sums.within(left, top, right - left, bottom - top);
            let (surround_count, near_count) =
                ((across * down) as i64, ((right - left) * (bottom - top)) as i64);
            let distance = (0..3).map(|channel| {
                let far = near[channel] / near_count - surround[channel] / surround_count;
                (far * far) as u64
            });
            salient.push(distance.sum());
        }
    }
    salient
}

/// Sums of all that lies above and to the left, from which that of any box follows at once.
struct Sums<const N: usize> {
    stride: usize,
    sums: Vec<[i64; N]>,
}

impl<const N: usize> Sums<N> {
    fn of(size: Size, values: impl Iterator<Item = [i64; N]>) -> Sums<N> {
        let (width, height) = (size.width as usize, size.height as usize);
        let stride = width + 1;
        let mut sums = vec![[0; N]; stride * (height + 1)];
        let mut row = [0; N];
        for (index, value) in values.enumerate() {
            let (x, y) = (index % width, index / width);
            if x == 0 {
                row = [0; N];
            }
            let above = sums[y * stride + x + 1];
            for channel in 0..N {
                row[channel] += value[channel];
                sums[(y + 1) * stride + x + 1][channel] = above[channel] + row[channel];
            }
        }
        Sums { stride, sums }
    }

    fn within(&self, x: usize, y: usize, width: usize, height: usize) -> [i64; N] {
        let at = |x: usize, y: usize| &self.sums[y * self.stride + x];
        let (end, start) = (at(x + width, y + height), at(x, y));
        let (above, left) = (at(x + width, y), at(x, y + height));
        std::array::from_fn(|channel| end[channel] - above[channel] - left[channel] + start[channel])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Layout;

    #[test]
    fn a_spot_on_a_plain_draws_the_eye() {
        let size = Size { width: 90, height: 30 };
        for (left, expected) in [(70, 60..=60), (12, 0..=12), (44, 25..=44)] {
            let mut picture = Picture::filled(size, Layout::Rgb, [120, 130, 140]);
            for y in 10..18 {
                for x in left..left + 8 {
                    let at = (y * 90 + x) * 3;
                    picture.bytes[at..at + 3].copy_from_slice(&[250, 40, 30]);
                }
            }
            let (x, y) = highest(&picture, Size { width: 30, height: 30 });
            let has_it = x as usize <= left && left + 8 <= x as usize + 30;
            assert!(has_it && y == 0, "{x}, {y} for a spot at {left}, about {expected:?}");
        }
    }

    #[test]
    fn of_a_plain_the_middle_is_shown() {
        let plain = Picture::filled(Size { width: 50, height: 20 }, Layout::Rgb, [9, 9, 9]);
        assert_eq!(highest(&plain, Size { width: 10, height: 20 }), (20, 0));
        assert_eq!(highest(&plain, Size { width: 10, height: 10 }), (20, 5));
    }
}
