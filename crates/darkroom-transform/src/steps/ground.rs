//! What lies beneath and around a picture (reference: delivery §5 `background`, §6 `pad`).

use darkroom_model::image_options::Color;

use crate::picture::{Layout, Picture};
use crate::plan::{Plan, Size};

pub(crate) const WHITE: Color = Color { red: 255, green: 255, blue: 255, alpha: 255 };

/// Lays a picture on a ground: beneath what is transparent where a colour was asked for, and around it where it is to be
/// padded, then with white if no colour was named.
pub(crate) fn lay_on(picture: Picture, plan: &Plan, background: Option<Color>) -> Picture {
    match (background, plan.pad_offset) {
        (None, None) => picture,
        (Some(color), None) => flatten(picture, color),
        (color, Some(offset)) => {
            let color = color.unwrap_or(WHITE);
            pad(flatten(picture, color), plan.output, offset, color)
        }
    }
}

/// Lays a colour beneath a picture. What was opaque stays as it is; on an opaque colour nothing is transparent any more.
pub(crate) fn flatten(mut picture: Picture, color: Color) -> Picture {
    if picture.layout != Layout::Rgba || color.alpha == 0 {
        return picture;
    }
    if color.alpha == 255 {
        return flatten_opaque(&picture, color);
    }
    let (pixels, _) = picture.bytes.as_chunks_mut::<4>();
    for pixel in pixels {
        *pixel = over(*pixel, color);
    }
    picture
}

fn flatten_opaque(picture: &Picture, color: Color) -> Picture {
    let (pixels, _) = picture.bytes.as_chunks::<4>();
    let mut bytes = vec![0; pixels.len() * 3];
    let (flat, _) = bytes.as_chunks_mut::<3>();
    for (flat, [red, green, blue, alpha]) in flat.iter_mut().zip(pixels) {
        let mix = |above: u8, below: u8| {
            divided_by_255(u32::from(above) * u32::from(*alpha) + u32::from(below) * u32::from(255 - alpha))
        };
        *flat = [mix(*red, color.red), mix(*green, color.green), mix(*blue, color.blue)];
    }
    Picture { size: picture.size, layout: Layout::Rgb, bytes }
}

/// Porter and Duff's "over", for colours that are not multiplied with their opacity.
fn over([red, green, blue, alpha]: [u8; 4], below: Color) -> [u8; 4] {
    // Both in parts of 255².
    let above_part = u32::from(alpha) * 255;
    let below_part = u32::from(below.alpha) * u32::from(255 - alpha);
    let whole = above_part + below_part;
    let mix = |above: u8, below: u8| {
        let sum = u32::from(above) * above_part + u32::from(below) * below_part;
        // `whole` is at least `below.alpha` × 255 where the pixel is transparent, and the caller has that above 0.
        ((sum + whole / 2) / whole) as u8
    };
    let color = [mix(red, below.red), mix(green, below.green), mix(blue, below.blue)];
    [color[0], color[1], color[2], divided_by_255(whole)]
}

/// To the nearest; for numbers up to 255².
pub(super) fn divided_by_255(number: u32) -> u8 {
    ((number + 127) / 255) as u8
}

fn pad(picture: Picture, size: Size, (left, top): (u32, u32), color: Color) -> Picture {
    if picture.size == size {
        return picture;
    }
    let Color { red, green, blue, alpha } = color;
    let picture = if alpha == 255 { picture } else { with_opacity(picture) };
    let mut ground = match picture.layout {
        Layout::Rgba => Picture::filled(size, Layout::Rgba, [red, green, blue, alpha]),
        Layout::Rgb | Layout::Cmyk => Picture::filled(size, Layout::Rgb, [red, green, blue]),
    };
    let (stride, start) = (ground.stride(), left as usize * ground.layout.bytes());
    let rows = ground.bytes.chunks_exact_mut(stride).skip(top as usize);
    for (row, source) in rows.zip(picture.rows()) {
        row[start..start + source.len()].copy_from_slice(source);
    }
    ground
}

fn with_opacity(picture: Picture) -> Picture {
    if picture.layout != Layout::Rgb {
        return picture;
    }
    let (pixels, _) = picture.bytes.as_chunks::<3>();
    let bytes = pixels.iter().flat_map(|&[red, green, blue]| [red, green, blue, 255]).collect();
    Picture { layout: Layout::Rgba, bytes, ..picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(pixel: [u8; 4]) -> Picture {
        Picture::filled(Size { width: 1, height: 1 }, Layout::Rgba, pixel)
    }

    fn color(red: u8, green: u8, blue: u8, alpha: u8) -> Color {
        Color { red, green, blue, alpha }
    }

    #[test]
    fn what_is_transparent_shows_what_lies_beneath() {
        for (above, below, expected) in [
            ([10, 20, 30, 0], color(1, 2, 3, 255), vec![1, 2, 3]),
            ([10, 20, 30, 255], color(1, 2, 3, 255), vec![10, 20, 30]),
            ([255, 0, 0, 128], color(0, 0, 255, 255), vec![128, 0, 127]),
            // (255 × 128/255 + 0) / (128/255 + 127/255 × 128/255) = 170.2; 128 + 127 × 128/255 = 191.7.
            ([255, 0, 0, 128], color(0, 0, 255, 128), vec![170, 0, 85, 192]),
            ([10, 20, 30, 0], color(1, 2, 3, 7), vec![1, 2, 3, 7]),
            ([10, 20, 30, 9], color(1, 2, 3, 0), vec![10, 20, 30, 9]),
        ] {
            assert_eq!(flatten(one(above), below).bytes, expected, "{above:?} {below:?}");
        }
    }

    #[test]
    fn a_ground_surrounds_the_picture() {
        let size = Size { width: 3, height: 2 };
        let plan = Plan {
            scaled: Size { width: 1, height: 1 },
            crop: None,
            pad_offset: Some((1, 0)),
            output: size,
            lacks_a_side: false,
        };
        let opaque = || Picture::filled(plan.scaled, Layout::Rgb, [9, 8, 7]);
        let white = lay_on(opaque(), &plan, None);
        let expected = [[255; 3], [9, 8, 7], [255; 3], [255; 3], [255; 3], [255; 3]].concat();
        assert_eq!((white.layout, white.bytes), (Layout::Rgb, expected));
        let clear = lay_on(opaque(), &plan, Some(color(0, 0, 0, 0)));
        let expected = [[0; 4], [9, 8, 7, 255], [0; 4], [0; 4], [0; 4], [0; 4]].concat();
        assert_eq!((clear.layout, clear.bytes), (Layout::Rgba, expected));
        // White lies beneath what shines through, too.
        let beneath = lay_on(one([0, 0, 0, 0]), &plan, None);
        assert_eq!((beneath.layout, beneath.bytes), (Layout::Rgb, vec![255; 18]));
    }
}
