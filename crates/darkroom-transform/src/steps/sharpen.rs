//! Sharpening: an unsharp mask of one pixel's reach.

use crate::picture::{Layout, Picture};

/// Adds to each value how far it is from its surroundings, half as much for each unit of strength. The surroundings are
/// the mean of the pixel and its eight neighbours, weighted 4, 2 and 1 as a Gaussian of 0.7 pixels is: the finest detail,
/// which is what downscaling takes (reference: delivery §5 `sharpen`). Opacity stays, and a neighbour counts as much as it
/// can be seen.
pub(crate) fn sharpen(picture: Picture, strength: f64) -> Picture {
    let strength = (strength / 2.0 * f64::from(ONE)).round() as i32;
    if strength <= 0 {
        return picture;
    }
    if picture.layout == Layout::Rgba && !picture.is_opaque() {
        return sharpen_seen(&picture, strength);
    }
    let channels = picture.layout.bytes();
    let mut sharp = picture.clone();
    let stride = picture.stride();
    let mut columns = vec![0u16; stride];
    for (y, out) in sharp.bytes.chunks_exact_mut(stride).enumerate() {
        let [above, row, below] = around(&picture, y);
        for (column, ((above, value), below)) in columns.iter_mut().zip(above.iter().zip(row).zip(below)) {
            *column = u16::from(*above) + 2 * u16::from(*value) + u16::from(*below);
        }
        let mut write = |at: usize, left: usize, right: usize| {
            let mean16 = columns[left] + 2 * columns[at] + columns[right];
            out[at] = away(row[at], i32::from(mean16), strength);
        };
        for at in 0..channels {
            write(at, at, (at + channels).min(stride - channels + at));
        }
        for at in channels..stride.saturating_sub(channels) {
            write(at, at - channels, at + channels);
        }
        for at in stride.saturating_sub(channels).max(channels)..stride {
            write(at, at - channels, at);
        }
    }
    sharp
}

/// Fractions of a strength.
const ONE: i32 = 1 << 8;

/// Moves a value away from what surrounds it, sixteen times which is given.
fn away(value: u8, mean16: i32, strength: i32) -> u8 {
    let value = i32::from(value);
    let difference = (value * 16 - mean16) * strength;
    (value + (difference + 8 * ONE).div_euclid(16 * ONE)).clamp(0, 255) as u8
}

/// The rows at a row: beyond the first and the last, these again.
fn around(picture: &Picture, y: usize) -> [&[u8]; 3] {
    let stride = picture.stride();
    let last = picture.size.height as usize - 1;
    [y.saturating_sub(1), y, (y + 1).min(last)].map(|y| &picture.bytes[y * stride..(y + 1) * stride])
}

fn sharpen_seen(picture: &Picture, strength: i32) -> Picture {
    let mut sharp = picture.clone();
    let last = picture.size.width as usize - 1;
    for (y, out) in sharp.bytes.chunks_exact_mut(picture.stride()).enumerate() {
        let rows = around(picture, y).map(|row| row.as_chunks::<4>().0);
        let (out, _) = out.as_chunks_mut::<4>();
        for (x, out) in out.iter_mut().enumerate() {
            // Red, green, blue: sums of values, weighted; and the weights.
            let mut sums = [0i32; 4];
            for (row, weight_y) in rows.iter().zip([1, 2, 1]) {
                for (x, weight_x) in [(x.saturating_sub(1), 1), (x, 2), ((x + 1).min(last), 1)] {
                    let [red, green, blue, alpha] = row[x].map(i32::from);
                    let weight = weight_x * weight_y * alpha;
                    for (sum, value) in sums.iter_mut().zip([red, green, blue, 1]) {
                        *sum += value * weight;
                    }
                }
            }
            if sums[3] > 0 {
                for (value, sum) in out.iter_mut().zip(&sums[..3]) {
                    *value = away(*value, (sum * 16 + sums[3] / 2) / sums[3], strength);
                }
            }
        }
    }
    sharp
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    fn row(layout: Layout, pixels: &[&[u8]]) -> Picture {
        let size = Size { width: pixels.len() as u32, height: 1 };
        Picture::new(size, layout, pixels.concat()).unwrap()
    }

    #[test]
    fn an_edge_becomes_steeper_and_a_plain_stays() {
        let edge = row(Layout::Rgb, &[&[100; 3], &[100; 3], &[140; 3], &[140; 3]]);
        assert_eq!(sharpen(edge.clone(), 0.0), edge);
        // A quarter of the other side in the mean: 10 away, half of it for each unit.
        for (strength, dark, bright) in [(1.0, 95, 145), (2.0, 90, 150), (10.0, 50, 190)] {
            let sharp = sharpen(edge.clone(), strength);
            assert_eq!(sharp.bytes, [[100; 3], [dark; 3], [bright; 3], [140; 3]].concat(), "{strength}");
        }
    }

    #[test]
    fn what_cannot_be_seen_does_not_count() {
        let hole = row(Layout::Rgba, &[&[100, 100, 100, 255], &[0, 0, 0, 0], &[100, 100, 100, 128]]);
        assert_eq!(sharpen(hole.clone(), 10.0).bytes[..4], hole.bytes[..4]);
        assert_eq!(sharpen(hole.clone(), 10.0).bytes[8..], hole.bytes[8..]);
    }

    #[test]
    fn opaque_pixels_are_sharpened_alike_with_and_without_opacity() {
        for (width, height) in [(1u32, 1u32), (1, 4), (2, 3), (7, 5)] {
            let size = Size { width, height };
            let bytes: Vec<u8> = (0..width * height * 4).map(|at| (at * at * 37 % 251) as u8).collect();
            let opaque: Vec<u8> = bytes.chunks(4).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
            let plain: Vec<u8> = bytes.chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            let seen = sharpen_seen(&Picture::new(size, Layout::Rgba, opaque.clone()).unwrap(), 3 * ONE);
            let with = sharpen(Picture::new(size, Layout::Rgba, opaque).unwrap(), 6.0);
            let without = sharpen(Picture::new(size, Layout::Rgb, plain).unwrap(), 6.0);
            assert_eq!(with, seen, "{size:?}");
            let colors: Vec<u8> = with.bytes.chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            assert_eq!(colors, without.bytes, "{size:?}");
        }
    }
}
