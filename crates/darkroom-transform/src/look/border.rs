//! A border of one colour, and where it ends (reference: delivery §5 `trim.border`).

use darkroom_model::image_options::{BorderTrim, Color};

use crate::geometry::Area;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// How far a pixel may be from the border's colour where that was not said: what compression does to a plain.
const TOLERANCE: f64 = 10.0;

/// Returns the part of a picture within its border, and as much of the border as is to be kept. All of it where all is
/// border: nothing would be left.
pub(crate) fn within(picture: &Picture, border: &BorderTrim, dpr: f64) -> Area {
    let keep = (border.keep * dpr).round() as usize;
    match picture.layout {
        Layout::Rgb => inner::<3>(picture, border, keep),
        Layout::Rgba | Layout::Cmyk => inner::<4>(picture, border, keep),
    }
}

fn inner<const N: usize>(picture: &Picture, border: &BorderTrim, keep: usize) -> Area {
    let (pixels, _) = picture.bytes.as_chunks::<N>();
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let color = border.color.map_or(pixels[0], channels);
    let tolerance = border.tolerance.unwrap_or(TOLERANCE).clamp(0.0, 255.0) as u8;
    let differs = |pixel: &[u8; N]| {
        // Of what cannot be seen at all, the colour does not count.
        let unseen = N == 4 && pixel[N - 1] == 0 && color[N - 1] == 0;
        !unseen && pixel.iter().zip(&color).any(|(value, wanted)| value.abs_diff(*wanted) > tolerance)
    };
    let mut rows = pixels.chunks_exact(width);
    let Some(top) = rows.position(|row| row.iter().any(differs)) else { return Area::whole(picture.size) };
    let below = rows.rev().take_while(|row| !row.iter().any(differs)).count();
    let bottom = height - below;
    // Rows one after the other, as memory lies: each needs to be looked at only as far as one before it has let on.
    let (mut left, mut right) = (width, 0);
    for row in pixels[top * width..bottom * width].chunks_exact(width) {
        left = row[..left].iter().position(differs).unwrap_or(left);
        right = row[right..].iter().rposition(differs).map_or(right, |at| right + at + 1);
    }
    let (left, top) = (left.saturating_sub(keep), top.saturating_sub(keep));
    let (right, bottom) = (right.saturating_add(keep).min(width), bottom.saturating_add(keep).min(height));
    let size = Size { width: (right - left) as u32, height: (bottom - top) as u32 };
    Area { x: left as f64, y: top as f64, ..Area::whole(size) }
}

fn channels<const N: usize>(Color { red, green, blue, alpha }: Color) -> [u8; N] {
    std::array::from_fn(|channel| [red, green, blue, alpha][channel])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box of 4×3 in 12×9, its border at 20 but for a grain.
    fn framed(x: usize, y: usize) -> Picture {
        let mut picture = Picture::filled(Size { width: 12, height: 9 }, Layout::Rgb, [20; 3]);
        picture.bytes[40] = 28;
        for row in y..y + 3 {
            picture.bytes[(row * 12 + x) * 3..(row * 12 + x + 4) * 3].fill(90);
        }
        picture
    }

    fn area(x: f64, y: f64, width: f64, height: f64) -> Area {
        Area { x, y, width, height }
    }

    #[test]
    fn a_border_is_cut_off() {
        let trim = BorderTrim::default();
        for (x, y) in [(0, 0), (8, 6), (3, 2), (0, 6), (1, 1)] {
            let found = within(&framed(x, y), &BorderTrim { color: Some(grey(20)), ..trim }, 1.0);
            assert_eq!(found, area(x as f64, y as f64, 4.0, 3.0), "{x}, {y}");
        }
        let picture = framed(3, 2);
        assert_eq!(within(&picture, &trim, 1.0), area(3.0, 2.0, 4.0, 3.0));
        let keep = BorderTrim { keep: 2.0, ..trim };
        assert_eq!(within(&picture, &keep, 1.0), area(1.0, 0.0, 8.0, 7.0));
        assert_eq!(within(&picture, &keep, 2.0), area(0.0, 0.0, 11.0, 9.0));
        assert_eq!(within(&picture, &BorderTrim { keep: f64::MAX, ..trim }, 3.0), Area::whole(picture.size));
        // Byte 40 is of the second pixel in the second row.
        let strict = BorderTrim { tolerance: Some(7.0), ..trim };
        assert_eq!(within(&picture, &strict, 1.0), area(1.0, 1.0, 6.0, 4.0));
        let loose = BorderTrim { tolerance: Some(255.0), ..trim };
        assert_eq!(within(&picture, &loose, 1.0), Area::whole(picture.size));
        let other = BorderTrim { color: Some(grey(200)), ..trim };
        assert_eq!(within(&picture, &other, 1.0), Area::whole(picture.size));
    }

    #[test]
    fn what_cannot_be_seen_is_border_whatever_its_colour() {
        let mut picture = Picture::filled(Size { width: 5, height: 1 }, Layout::Rgba, [0; 4]);
        picture.bytes[4..8].copy_from_slice(&[200, 100, 0, 0]);
        picture.bytes[12..16].copy_from_slice(&[0, 0, 0, 255]);
        assert_eq!(within(&picture, &BorderTrim::default(), 1.0), area(3.0, 0.0, 1.0, 1.0));
    }

    fn grey(value: u8) -> Color {
        Color { red: value, green: value, blue: value, alpha: 255 }
    }
}
