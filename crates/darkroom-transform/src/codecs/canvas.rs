//! What an animation shows: frames are drawn one over the other and cleared away.

use crate::picture::{Layout, Picture};
use crate::plan::{Rect, Size};

/// What becomes of a frame before the next one is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Disposal {
    /// It stays.
    Keep,
    /// Its part of the canvas becomes transparent. Files name a background colour; browsers do not show it.
    Clear,
    /// What was there before comes back.
    Restore,
}

/// Where a frame lies and how it is laid down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Placement {
    /// May reach beyond the canvas; that part is not seen.
    pub(super) area: Rect,
    /// Whether what is beneath shines through; if not, transparent pixels make holes.
    pub(super) blends: bool,
    pub(super) disposal: Disposal,
}

/// The canvas of one animation; transparent at first.
pub(super) struct Canvas {
    picture: Picture,
    /// Whether nothing has been drawn yet.
    is_blank: bool,
    /// The frame that lies on top, and what was beneath it if that comes back.
    top: Option<(Rect, Disposal, Vec<u8>)>,
}

impl Canvas {
    pub(super) fn new(size: Size) -> Canvas {
        Canvas { picture: Picture::filled(size, Layout::Rgba, [0; 4]), is_blank: true, top: None }
    }

    /// What is seen.
    pub(super) fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Draws a frame of RGB or RGBA pixels.
    pub(super) fn draw(&mut self, placement: Placement, frame: &Picture) {
        self.dispose();
        let visible = self.visible(placement.area);
        let disposal = match placement.disposal {
            // Beneath the first frame there is nothing, which need not be kept: it may be as large as any picture.
            Disposal::Restore if self.is_blank => Disposal::Clear,
            disposal => disposal,
        };
        self.is_blank = false;
        let beneath = if disposal == Disposal::Restore { self.copied(visible) } else { Vec::new() };
        let bytes = frame.layout.bytes();
        for (row, drawn) in self.rows_mut(visible).zip(frame.rows()) {
            let pixels = row.chunks_exact_mut(4).zip(drawn.chunks_exact(bytes));
            for (pixel, drawn) in pixels {
                match (drawn, placement.blends) {
                    (&[red, green, blue], _) => pixel.copy_from_slice(&[red, green, blue, 255]),
                    (&[_, _, _, 0], true) => {}
                    (&[_, _, _, 1..=254], true) => blend(pixel, drawn),
                    _ => pixel.copy_from_slice(drawn),
                }
            }
        }
        self.top = Some((visible, disposal, beneath));
    }

    fn dispose(&mut self) {
        let Some((area, disposal, beneath)) = self.top.take() else { return };
        match disposal {
            Disposal::Keep => {}
            Disposal::Clear => self.rows_mut(area).for_each(|row| row.fill(0)),
            Disposal::Restore if beneath.is_empty() => {}
            Disposal::Restore => {
                let stride = area.size.width as usize * 4;
                for (row, saved) in self.rows_mut(area).zip(beneath.chunks_exact(stride)) {
                    row.copy_from_slice(saved);
                }
            }
        }
    }

    /// The part of an area that lies on the canvas; its sides may be 0.
    fn visible(&self, area: Rect) -> Rect {
        let Size { width, height } = self.picture.size;
        let (x, y) = (area.x.min(width), area.y.min(height));
        let size = Size { width: area.size.width.min(width - x), height: area.size.height.min(height - y) };
        Rect { x, y, size }
    }

    /// Returns the pixels of a visible area.
    fn copied(&mut self, area: Rect) -> Vec<u8> {
        let mut copy = Vec::with_capacity(area.size.width as usize * area.size.height as usize * 4);
        self.rows_mut(area).for_each(|row| copy.extend_from_slice(row));
        copy
    }

    /// The rows of a visible area.
    fn rows_mut(&mut self, area: Rect) -> impl Iterator<Item = &mut [u8]> {
        let stride = self.picture.stride();
        let rows = self.picture.bytes.chunks_exact_mut(stride);
        let (start, end) = (area.x as usize * 4, (area.x + area.size.width) as usize * 4);
        rows.skip(area.y as usize).take(area.size.height as usize).map(move |row| &mut row[start..end])
    }
}

/// Lays a half transparent pixel over another; colours are not multiplied with their opacity.
fn blend(beneath: &mut [u8], over: &[u8]) {
    let alpha = u32::from(over[3]);
    // Both in parts of 255 × 255.
    let (share, rest) = (alpha * 255, u32::from(beneath[3]) * (255 - alpha));
    let total = share + rest;
    for (color, over) in beneath.iter_mut().zip(&over[..3]) {
        *color = ((u32::from(*over) * share + u32::from(*color) * rest + total / 2) / total) as u8;
    }
    beneath[3] = ((total + 127) / 255) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const NONE: [u8; 4] = [0; 4];

    fn draw(canvas: &mut Canvas, x: u32, width: u32, pixel: [u8; 4], blends: bool, disposal: Disposal) {
        let size = Size { width, height: 1 };
        let placement = Placement { area: Rect { x, y: 0, size }, blends, disposal };
        canvas.draw(placement, &Picture::filled(size, Layout::Rgba, pixel));
    }

    fn seen(canvas: &Canvas) -> Vec<[u8; 4]> {
        canvas.picture().bytes.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect()
    }

    #[test]
    fn each_disposal_leaves_what_it_says() {
        for (disposal, expected) in [
            (Disposal::Keep, [RED, BLUE, BLUE]),
            (Disposal::Clear, [RED, NONE, BLUE]),
            (Disposal::Restore, [RED, RED, BLUE]),
        ] {
            let mut canvas = Canvas::new(Size { width: 3, height: 1 });
            draw(&mut canvas, 0, 3, RED, true, Disposal::Keep);
            draw(&mut canvas, 1, 1, BLUE, true, disposal);
            assert_eq!(seen(&canvas), [RED, BLUE, RED]);
            draw(&mut canvas, 2, 1, BLUE, true, Disposal::Keep);
            assert_eq!(seen(&canvas), expected, "{disposal:?}");
        }
    }

    #[test]
    fn beneath_the_first_frame_there_is_nothing_to_keep() {
        let mut canvas = Canvas::new(Size { width: 3, height: 1 });
        draw(&mut canvas, 0, 2, RED, true, Disposal::Restore);
        assert_eq!(seen(&canvas), [RED, RED, NONE]);
        assert!(canvas.top.as_ref().is_some_and(|(_, _, beneath)| beneath.is_empty()));
        draw(&mut canvas, 1, 2, BLUE, true, Disposal::Restore);
        assert_eq!(seen(&canvas), [NONE, BLUE, BLUE]);
        draw(&mut canvas, 1, 1, RED, true, Disposal::Keep);
        assert_eq!(seen(&canvas), [NONE, RED, NONE]);
    }

    #[test]
    fn a_hole_shows_what_is_beneath_or_makes_one() {
        let mut canvas = Canvas::new(Size { width: 2, height: 1 });
        draw(&mut canvas, 0, 2, RED, true, Disposal::Keep);
        draw(&mut canvas, 0, 1, NONE, true, Disposal::Keep);
        draw(&mut canvas, 1, 1, NONE, false, Disposal::Keep);
        assert_eq!(seen(&canvas), [RED, NONE]);
    }

    #[test]
    fn half_of_one_over_another_is_half_of_each() {
        let mut canvas = Canvas::new(Size { width: 1, height: 1 });
        draw(&mut canvas, 0, 1, RED, true, Disposal::Keep);
        draw(&mut canvas, 0, 1, [0, 0, 255, 128], true, Disposal::Keep);
        assert_eq!(seen(&canvas), [[127, 0, 128, 255]]);
    }

    #[test]
    fn what_lies_outside_is_not_seen() {
        let mut canvas = Canvas::new(Size { width: 2, height: 1 });
        draw(&mut canvas, 1, 5, RED, true, Disposal::Restore);
        assert_eq!(seen(&canvas), [NONE, RED]);
        draw(&mut canvas, 9, 5, BLUE, true, Disposal::Restore);
        assert_eq!(seen(&canvas), [NONE, NONE]);
        draw(&mut canvas, 9, 5, BLUE, true, Disposal::Keep);
        assert_eq!(seen(&canvas), [NONE, NONE]);
    }
}
