//! Laying a picture down in one of eight ways.

use crate::geometry::Turn;
use crate::picture::{Layout, Picture};

/// Pixels on a side of a tile: both its rows in the source and its rows in the output stay in the first cache.
const TILE: usize = 32;

/// Mirrors a picture left to right if asked, then turns it clockwise.
pub(crate) fn turn(picture: Picture, turn: Turn) -> Picture {
    match picture.layout {
        Layout::Rgb => turn_pixels::<3>(picture, turn),
        Layout::Rgba | Layout::Cmyk => turn_pixels::<4>(picture, turn),
    }
}

fn turn_pixels<const N: usize>(mut picture: Picture, turn: Turn) -> Picture {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let (pixels, _) = picture.bytes.as_chunks_mut::<N>();
    match (turn.quarters, turn.mirrored) {
        (0, false) => {}
        (0, true) => pixels.chunks_exact_mut(width).for_each(<[_]>::reverse),
        (2, false) => pixels.reverse(),
        (2, true) => upside_down(pixels, width),
        // Rows become columns: downwards and to the left when turned clockwise once, upwards and to the right thrice.
        // What was mirrored before has its columns in the other order.
        (quarters, mirrored) => {
            let mut turned = vec![0; picture.bytes.len()];
            let columns_reversed = (quarters == 3) != mirrored;
            transpose::<N>(&picture.bytes, &mut turned, (width, height), columns_reversed, quarters == 1);
            picture.bytes = turned;
        }
    }
    picture.size = turn.size(picture.size);
    picture
}

fn upside_down<const N: usize>(pixels: &mut [[u8; N]], width: usize) {
    let mut rows = pixels.chunks_exact_mut(width);
    while let (Some(upper), Some(lower)) = (rows.next(), rows.next_back()) {
        upper.swap_with_slice(lower);
    }
}

/// Writes each column of the source as a row: the first column first, or the last; each from its top, or its bottom.
fn transpose<const N: usize>(
    source: &[u8],
    turned: &mut [u8],
    (width, height): (usize, usize),
    columns_reversed: bool,
    rows_reversed: bool,
) {
    let (source, _) = source.as_chunks::<N>();
    let (turned, _) = turned.as_chunks_mut::<N>();
    for (band, rows) in turned.chunks_mut(TILE * height).enumerate() {
        for left in (0..height).step_by(TILE) {
            let length = TILE.min(height - left);
            for (row, pixels) in rows.chunks_exact_mut(height).enumerate() {
                let y = band * TILE + row;
                let from_x = if columns_reversed { width - 1 - y } else { y };
                for (x, pixel) in pixels[left..left + length].iter_mut().enumerate() {
                    let x = left + x;
                    let from_y = if rows_reversed { height - 1 - x } else { x };
                    *pixel = source[from_y * width + from_x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    /// A pixel that knows where it was.
    fn picture(layout: Layout, width: u32, height: u32) -> Picture {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| [x as u8, y as u8, (x >> 8) as u8, 7]));
        let bytes = pixels.flat_map(|pixel| pixel.into_iter().take(layout.bytes())).collect();
        Picture::new(Size { width, height }, layout, bytes).unwrap()
    }

    #[test]
    fn every_way_lands_where_its_definition_says() {
        for layout in [Layout::Rgb, Layout::Rgba] {
            for (width, height) in [(1, 1), (1, 5), (5, 1), (2, 2), (3, 4), (33, 65), (70, 31)] {
                for (quarters, mirrored) in (0..4).flat_map(|quarters| [(quarters, false), (quarters, true)])
                {
                    let way = Turn { mirrored, quarters };
                    let turned = turn(picture(layout, width, height), way);
                    assert_eq!(turned.size, way.size(Size { width, height }));
                    for (y, row) in turned.rows().enumerate() {
                        for (x, pixel) in row.chunks_exact(layout.bytes()).enumerate() {
                            let (x, y) = (x as u32, y as u32);
                            let (from_x, from_y) = match quarters {
                                1 => (y, height - 1 - x),
                                2 => (width - 1 - x, height - 1 - y),
                                3 => (width - 1 - y, x),
                                _ => (x, y),
                            };
                            let from_x = if mirrored { width - 1 - from_x } else { from_x };
                            assert_eq!(pixel[..2], [from_x as u8, from_y as u8], "{way:?} {width}×{height}");
                        }
                    }
                }
            }
        }
    }
}
