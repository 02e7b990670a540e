//! From the planes of an AV1 picture to red, green, blue and opacity (ISO/IEC 23091-2; chroma that is stored once for
//! several pixels lies in the middle between them).

use re_rav1d::{Picture, PixelLayout, PlanarImageComponent, Plane, pixel::YUVRange};

use crate::RenderError;
use crate::picture::Layout;

/// Bits behind the point. With samples of 12 bits and factors of at most 2.2 × 255, sums stay below 2³¹.
const POINT: u32 = 16;

/// Reads one picture row by row.
pub(super) struct Reader<'a> {
    picture: &'a Picture,
    luma: Plane,
    /// `None` for a picture of one channel.
    chroma: Option<[Plane; 2]>,
    conversion: Conversion,
    rows: Rows,
}

/// Rows of samples, one for each channel, kept between calls.
#[derive(Default)]
struct Rows {
    luma: Vec<u16>,
    chroma: [Vec<u16>; 2],
    near: Vec<u16>,
    far: Vec<u16>,
}

/// How samples become bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Conversion {
    /// The first channel is the opacity.
    Alpha(Scale),
    /// The first channel is all three colours.
    Grey(Scale),
    /// The channels are green, blue and red.
    Identity(Scale),
    /// The channels are lightness, and how far blue and red are from it.
    Matrix {
        luma: Scale,
        middle: i32,
        red_of_red: i32,
        green_of_red: i32,
        green_of_blue: i32,
        blue_of_blue: i32,
    },
}

/// From a sample of some bits to 0 to 255.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Scale {
    black: i32,
    factor: i32,
}

impl Scale {
    fn new(depth: u32, is_full_range: bool) -> Scale {
        let black = if is_full_range { 0 } else { 16 << (depth - 8) };
        let steps = if is_full_range { (1 << depth) - 1 } else { 219 << (depth - 8) };
        Scale { black, factor: fixed(255.0 / f64::from(steps)) }
    }

    fn of(self, sample: u16) -> i32 {
        (i32::from(sample) - self.black) * self.factor
    }
}

fn fixed(factor: f64) -> i32 {
    (factor * f64::from(1 << POINT)).round() as i32
}

fn byte(sum: i32) -> u8 {
    ((sum + (1 << (POINT - 1))) >> POINT).clamp(0, 255) as u8
}

impl Conversion {
    /// How lightness is put together of red and blue; the rest is green.
    fn weights(matrix: u16) -> Option<(f64, f64)> {
        match matrix {
            1 => Some((0.2126, 0.0722)),
            4 => Some((0.30, 0.11)),
            // Not said: what AVIF's own library takes.
            2 | 5 | 6 => Some((0.299, 0.114)),
            7 => Some((0.212, 0.087)),
            9 => Some((0.2627, 0.0593)),
            _ => None,
        }
    }

    fn new(matrix: u16, depth: u32, is_full_range: bool) -> Option<Conversion> {
        let luma = Scale::new(depth, is_full_range);
        if matrix == 0 {
            return Some(Conversion::Identity(luma));
        }
        let (red, blue) = Conversion::weights(matrix)?;
        let green = 1.0 - red - blue;
        let steps = if is_full_range { (1 << depth) - 1 } else { 224 << (depth - 8) };
        let unit = 255.0 / f64::from(steps);
        let (of_red, of_blue) = (2.0 * (1.0 - red) * unit, 2.0 * (1.0 - blue) * unit);
        Some(Conversion::Matrix {
            luma,
            middle: 1 << (depth - 1),
            red_of_red: fixed(of_red),
            green_of_red: fixed(-of_red * red / green),
            green_of_blue: fixed(-of_blue * blue / green),
            blue_of_blue: fixed(of_blue),
        })
    }

    /// Returns red, green and blue.
    fn color(self, luma: u16, blue: u16, red: u16) -> [u8; 3] {
        match self {
            Conversion::Alpha(scale) | Conversion::Grey(scale) => [byte(scale.of(luma)); 3],
            Conversion::Identity(scale) => [red, luma, blue].map(|sample| byte(scale.of(sample))),
            Conversion::Matrix {
                luma: scale,
                middle,
                red_of_red,
                green_of_red,
                green_of_blue,
                blue_of_blue,
            } => {
                let (luma, blue, red) = (scale.of(luma), i32::from(blue) - middle, i32::from(red) - middle);
                [
                    byte(luma + red_of_red * red),
                    byte(luma + green_of_red * red + green_of_blue * blue),
                    byte(luma + blue_of_blue * blue),
                ]
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads colours. A range that the container does not say is the stream's.
    pub(super) fn color(
        picture: &'a Picture,
        matrix: u16,
        is_full_range: Option<bool>,
    ) -> Result<Reader<'a>, RenderError> {
        let is_full_range = is_full_range.unwrap_or_else(|| has_full_range(picture));
        let layout = picture.pixel_layout();
        if layout == PixelLayout::I400 {
            let scale = Scale::new(depth(picture), is_full_range);
            return Ok(Reader::new(picture, None, Conversion::Grey(scale)));
        }
        let conversion = Conversion::new(matrix, depth(picture), is_full_range);
        // Green, blue and red are never stored once for several pixels.
        let conversion = conversion.filter(|_| matrix != 0 || layout == PixelLayout::I444);
        let conversion = conversion.ok_or_else(|| {
            RenderError::Unsupported(format!("image/avif (matrix coefficients {matrix}, {layout:?})"))
        })?;
        let chroma = [PlanarImageComponent::U, PlanarImageComponent::V].map(|channel| picture.plane(channel));
        Ok(Reader::new(picture, Some(chroma), conversion))
    }

    /// Reads the opacity.
    pub(super) fn alpha(picture: &'a Picture) -> Reader<'a> {
        let scale = Scale::new(depth(picture), has_full_range(picture));
        Reader::new(picture, None, Conversion::Alpha(scale))
    }

    fn new(picture: &'a Picture, chroma: Option<[Plane; 2]>, conversion: Conversion) -> Reader<'a> {
        let luma = picture.plane(PlanarImageComponent::Y);
        Reader { picture, luma, chroma, conversion, rows: Rows::default() }
    }

    /// Writes the start of a row into a line of pixels: opacity to where it belongs, or colours.
    pub(super) fn read_row(&mut self, row: u32, layout: Layout, line: &mut [u8]) {
        let stride = self.picture.stride(PlanarImageComponent::Y);
        let width = self.picture.width();
        let Rows { luma, chroma, near, far } = &mut self.rows;
        let is_wide = self.picture.bit_depth() > 8;
        samples(&self.luma, stride, is_wide, row, width, luma);
        let pixels = line.chunks_exact_mut(layout.bytes());
        if matches!(self.conversion, Conversion::Alpha(_)) {
            for (pixel, &luma) in pixels.zip(&*luma) {
                pixel[3] = self.conversion.color(luma, 0, 0)[0];
            }
            return;
        }
        if let Some(planes) = &self.chroma {
            let stride = self.picture.stride(PlanarImageComponent::U);
            let (width, height) = (self.picture.width(), self.picture.height());
            let (halves_x, halves_y) = match self.picture.pixel_layout() {
                PixelLayout::I420 => (true, true),
                PixelLayout::I422 => (true, false),
                PixelLayout::I400 | PixelLayout::I444 => (false, false),
            };
            let (rows, other) = if halves_y { neighbours(row, height.div_ceil(2)) } else { (row, row) };
            let stored = if halves_x { width.div_ceil(2) } else { width };
            for (plane, out) in planes.iter().zip(chroma.iter_mut()) {
                samples(plane, stride, is_wide, rows, stored, near);
                samples(plane, stride, is_wide, other, stored, far);
                spread(near, far, halves_x, width, out);
            }
        } else {
            chroma.iter_mut().for_each(|row| row.resize(luma.len(), 0));
        }
        let [blue, red] = &*chroma;
        for (((pixel, &luma), &blue), &red) in pixels.zip(&*luma).zip(blue).zip(red) {
            pixel[..3].copy_from_slice(&self.conversion.color(luma, blue, red));
        }
    }
}

/// The row or column of chroma that a pixel lies in, and the one that it lies next to.
fn neighbours(pixel: u32, count: u32) -> (u32, u32) {
    let near = pixel / 2;
    let far = if pixel.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) };
    (near, far)
}

/// Mixes two rows of chroma, three parts to one, and then the columns where there are half as many as pixels.
fn spread(near: &[u16], far: &[u16], halves_x: bool, width: u32, out: &mut Vec<u16>) {
    out.clear();
    let mixed = |at: u32| u32::from(near[at as usize]) * 3 + u32::from(far[at as usize]);
    if halves_x {
        out.extend((0..width).map(|x| {
            let (column, other) = neighbours(x, near.len() as u32);
            ((mixed(column) * 3 + mixed(other) + 8) >> 4) as u16
        }));
    } else {
        out.extend((0..width).map(|x| ((mixed(x) + 2) >> 2) as u16));
    }
}

/// Copies a row of a plane; samples of more than eight bits take two bytes.
fn samples(plane: &Plane, stride: u32, is_wide: bool, row: u32, count: u32, out: &mut Vec<u16>) {
    out.clear();
    let row = &plane[row as usize * stride as usize..];
    if is_wide {
        let pairs = row.chunks_exact(2).take(count as usize);
        out.extend(pairs.map(|pair| u16::from_ne_bytes([pair[0], pair[1]])));
    } else {
        out.extend(row.iter().take(count as usize).map(|&sample| u16::from(sample)));
    }
}

fn depth(picture: &Picture) -> u32 {
    picture.bit_depth() as u32
}

fn has_full_range(picture: &Picture) -> bool {
    picture.color_range() == YUVRange::Full
}

/// Undoes the multiplication of colours with their opacity.
pub(super) fn divide_by_alpha(rgba: &mut [u8]) {
    for pixel in rgba.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        for color in &mut pixel[..3] {
            let full = (u16::from(*color) * 255 + alpha / 2).checked_div(alpha).unwrap_or(0);
            *color = full.min(255) as u8;
        }
    }
}
