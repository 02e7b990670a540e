//! Where most happens: the part whose shades are spread most evenly.

use super::window;
use crate::picture::Picture;
use crate::plan::Size;

/// Kinds of shade that are told apart.
const SHADES: usize = 32;

/// Returns the place of the window whose histogram of luma has the highest entropy (Shannon).
pub(super) fn highest(picture: &Picture, window: Size) -> (u32, u32) {
    let shades: Vec<u8> = picture.bytes.chunks_exact(picture.layout.bytes()).map(shade).collect();
    let stride = picture.size.width as usize;
    let count = window.width as usize * window.height as usize;
    // In a window of n pixels the entropy is ln n less the sum of c × ln c over all counts c, by n.
    let logarithms: Vec<f64> = (0..=count).map(|c| c as f64 * (c.max(1) as f64).ln()).collect();
    let mut counts = [0usize; SHADES];
    window::best(picture.size, window, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let rows = || shades.chunks_exact(stride).skip(y).take(window.height as usize);
        if x == 0 {
            counts = [0; SHADES];
            rows()
                .flat_map(|row| &row[..window.width as usize])
                .for_each(|&shade| counts[usize::from(shade)] += 1);
        } else {
            // One column further.
            for row in rows() {
                counts[usize::from(row[x - 1])] -= 1;
                counts[usize::from(row[x - 1 + window.width as usize])] += 1;
            }
        }
        -counts.iter().map(|&count| logarithms[count]).sum::<f64>()
    })
}

fn shade(pixel: &[u8]) -> u8 {
    let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((77 * red + 150 * green + 29 * blue) / 256 / (256 / SHADES as u32)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Layout;

    #[test]
    fn the_busiest_part_is_found() {
        let size = Size { width: 60, height: 40 };
        let mut picture = Picture::filled(size, Layout::Rgb, [30, 30, 30]);
        for y in 8..28u32 {
            for x in 35..55u32 {
                let at = ((y * 60 + x) * 3) as usize;
                picture.bytes[at..at + 3].fill((x * 67 + y * 41) as u8);
            }
        }
        assert_eq!(highest(&picture, Size { width: 20, height: 20 }), (35, 8));
        let (x, y) = highest(&picture, Size { width: 30, height: 40 });
        assert!((25..=30).contains(&x) && y == 0, "{x}, {y}");
    }

    #[test]
    fn of_a_plain_the_middle_is_shown() {
        let plain = Picture::filled(Size { width: 50, height: 20 }, Layout::Rgb, [9, 9, 9]);
        assert_eq!(highest(&plain, Size { width: 10, height: 20 }), (20, 0));
    }
}
