//! Pictures of at most 256 colours.

use std::collections::HashMap;

use quantette::deps::palette::Srgb;
use quantette::{ImageRef, PaletteSize, Pipeline};

use crate::RenderError;
use crate::picture::{Layout, Picture};

/// Colours of a palette.
const COLORS_MAX: usize = 256;

const TRANSPARENT: [u8; 4] = [0; 4];

/// A picture whose pixels are places in a palette.
#[derive(Debug)]
pub(super) struct Indexed {
    /// Red, green, blue and opacity of each colour; at most [`COLORS_MAX`].
    pub(super) palette: Vec<[u8; 4]>,
    /// One for each pixel.
    pub(super) indices: Vec<u8>,
}

impl Indexed {
    /// Returns the place of the colour that shows nothing.
    pub(super) fn transparent(&self) -> Option<u8> {
        self.palette.iter().position(|color| color[3] == 0).map(|index| index as u8)
    }

    /// Returns red, green, blue of each colour, one after the other.
    pub(super) fn colors(&self) -> Vec<u8> {
        self.palette.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
    }
}

/// Keeps every colour; `None` where there are too many.
pub(super) fn exact(picture: &Picture) -> Option<Indexed> {
    let mut places: HashMap<[u8; 4], u8> = HashMap::new();
    let mut indexed = Indexed { palette: Vec::new(), indices: Vec::new() };
    let mut last = None;
    for pixel in pixels(picture) {
        // Most pixels of such pictures are like their neighbour.
        let index = match last {
            Some((color, index)) if color == pixel => index,
            _ => match places.get(&pixel) {
                Some(&index) => index,
                None if places.len() == COLORS_MAX => return None,
                None => {
                    let index = places.len() as u8;
                    places.insert(pixel, index);
                    indexed.palette.push(pixel);
                    index
                }
            },
        };
        last = Some((pixel, index));
        indexed.indices.push(index);
    }
    Some(indexed)
}

/// Finds colours that show the picture well (Wu's method, in Oklab) and scatters what they miss (Floyd and Steinberg).
///
/// A pixel is opaque or transparent: half and more opacity is all of it. On photographs of 0.1 to 0.3 megapixels this
/// took 4 to 15 ms, where `color_quant` took 50 to 75, and seen from a little farther off it was nearer to the original.
pub(super) fn reduced(picture: &Picture) -> Result<Indexed, RenderError> {
    let is_transparent = |pixel: &[u8; 4]| pixel[3] < 128;
    let has_holes = pixels(picture).any(|pixel| is_transparent(&pixel));
    // What lies in a hole is not seen, and must neither take colours nor scatter: it continues what is to its left.
    let mut seen = Srgb::new(0, 0, 0);
    let colors: Vec<Srgb<u8>> = pixels(picture)
        .map(|pixel| {
            if !is_transparent(&pixel) {
                seen = Srgb::new(pixel[0], pixel[1], pixel[2]);
            }
            seen
        })
        .collect();
    let image = ImageRef::new(picture.size.width, picture.size.height, &colors);
    let image = image.map_err(RenderError::encoding)?;
    let count = if has_holes { COLORS_MAX - 1 } else { COLORS_MAX };
    let count = PaletteSize::try_from(count as u16).map_err(RenderError::encoding)?;
    let (palette, mut indices) =
        Pipeline::new().palette_size(count).input_image(image).output_srgb8_indexed_image().into_parts();
    let mut palette: Vec<_> =
        palette.into_iter().map(|color| [color.red, color.green, color.blue, 255]).collect();
    if has_holes {
        let hole = palette.len() as u8;
        palette.push(TRANSPARENT);
        for (index, pixel) in indices.iter_mut().zip(pixels(picture)) {
            if is_transparent(&pixel) {
                *index = hole;
            }
        }
    }
    Ok(Indexed { palette, indices })
}

/// The pixels with their opacity; all that show nothing are alike.
fn pixels(picture: &Picture) -> impl Iterator<Item = [u8; 4]> {
    let has_alpha = picture.layout == Layout::Rgba;
    picture.bytes.chunks_exact(picture.layout.bytes()).map(move |pixel| match pixel {
        [.., 0] if has_alpha => TRANSPARENT,
        &[red, green, blue, alpha] if has_alpha => [red, green, blue, alpha],
        _ => [pixel[0], pixel[1], pixel[2], 255],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let bytes = pixels.flat_map(|(x, y)| pixel(x, y)).collect();
        Picture::new(Size { width, height }, Layout::Rgba, bytes).unwrap()
    }

    #[test]
    fn few_colours_stay_as_they_are() {
        let picture = picture(16, 16, |x, y| [x as u8, y as u8, 9, 200]);
        let indexed = exact(&picture).unwrap();
        let back: Vec<u8> =
            indexed.indices.iter().flat_map(|&index| indexed.palette[usize::from(index)]).collect();
        assert_eq!((indexed.palette.len(), back), (256, picture.bytes));
    }

    #[test]
    fn one_colour_too_many_is_too_many() {
        assert!(exact(&picture(257, 1, |x, _| [(x / 256) as u8, x as u8, 0, 255])).is_none());
    }

    #[test]
    fn holes_stay_holes_and_colours_stay_near() {
        let picture = picture(64, 64, |x, y| {
            let alpha = if x < 32 { 255 } else { y as u8 * 4 };
            [x as u8 * 4, y as u8 * 4, 128, alpha]
        });
        let indexed = reduced(&picture).unwrap();
        assert!(indexed.palette.len() <= COLORS_MAX);
        let mut error = 0;
        for (pixel, &index) in picture.bytes.chunks_exact(4).zip(&indexed.indices) {
            let color = indexed.palette[usize::from(index)];
            assert_eq!(color[3] == 255, pixel[3] >= 128);
            if color[3] == 255 {
                error += (0..3).map(|at| u64::from(color[at].abs_diff(pixel[at]))).sum::<u64>();
            }
        }
        assert!(error < 64 * 64 * 3 * 8, "{error}");
    }
}
