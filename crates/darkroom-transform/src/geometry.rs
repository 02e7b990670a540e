//! Where each pixel of the output comes from: trim, turns, sizes and crop as one box of the source (reference:
//! delivery §5.1, §6).
//!
//! A source is stored on its side or mirrored as cameras hold it. What the options say is about the image as it is seen;
//! what a decoder gives is as it is stored. So everything is worked out as seen, and then carried back: one box of the
//! stored pixels is resized at once, and what comes out, which is small, is turned.

use darkroom_model::ImageOptions;
use darkroom_model::image_options::{Flip, Length, Trim};

use crate::plan::{self, Plan, Size};

/// A part of a picture that need not end between pixels.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    /// All of a picture.
    pub(crate) fn whole(size: Size) -> Area {
        Area { x: 0.0, y: 0.0, width: size.width.into(), height: size.height.into() }
    }

    /// Returns the same part of a picture that a decoder gave smaller. One that shrinks by a whole factor rounds sides up,
    /// and the last pixel stands for a part of one: its pixels are as wide as the factor says, not as the sides do.
    pub(crate) fn shrunk(self, from: Size, to: Size) -> Area {
        let is_factor = |factor: &u32| {
            (from.width.div_ceil(*factor), from.height.div_ceil(*factor)) == (to.width, to.height)
        };
        let (x, y) = match [1, 2, 4, 8].into_iter().find(is_factor) {
            Some(factor) => (1.0 / f64::from(factor), 1.0 / f64::from(factor)),
            None => {
                (f64::from(to.width) / f64::from(from.width), f64::from(to.height) / f64::from(from.height))
            }
        };
        Area { x: self.x * x, y: self.y * y, width: self.width * x, height: self.height * y }
    }
}

/// One of the eight ways to lay a picture down: mirrored left to right first, if at all, then turned clockwise.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Turn {
    pub(crate) mirrored: bool,
    /// 0 to 3.
    pub(crate) quarters: u8,
}

impl Turn {
    /// Reads what EXIF says of how an image is stored: the turn that makes it upright. Anything but 1 to 8 is upright.
    pub(crate) fn from_exif(orientation: u32) -> Turn {
        let (mirrored, quarters) = match orientation {
            2 => (true, 0),
            3 => (false, 2),
            4 => (true, 2),
            5 => (true, 3),
            6 => (false, 1),
            7 => (true, 1),
            8 => (false, 3),
            _ => (false, 0),
        };
        Turn { mirrored, quarters }
    }

    fn from_flip(flip: Flip) -> Turn {
        // Top to bottom is left to right and half a turn.
        Turn { mirrored: flip.horizontal != flip.vertical, quarters: if flip.vertical { 2 } else { 0 } }
    }

    /// This turn, and then another.
    pub(crate) fn then(self, next: Turn) -> Turn {
        // A mirror turns round what was turned before it.
        let before = if next.mirrored { 4 - self.quarters } else { self.quarters };
        Turn { mirrored: self.mirrored != next.mirrored, quarters: (before + next.quarters) % 4 }
    }

    /// The turn that undoes this one.
    pub(crate) fn inverse(self) -> Turn {
        if self.mirrored { self } else { Turn { mirrored: false, quarters: (4 - self.quarters) % 4 } }
    }

    /// Says whether width and height change places.
    pub(crate) fn is_sideways(self) -> bool {
        self.quarters % 2 == 1
    }

    /// Returns the size of a picture after it was turned.
    pub(crate) fn size(self, size: Size) -> Size {
        if self.is_sideways() { Size { width: size.height, height: size.width } } else { size }
    }

    /// Returns where a part of a picture of this size lies after it was turned.
    pub(crate) fn area(self, area: Area, (width, height): (f64, f64)) -> Area {
        let area = match self.mirrored {
            true => Area { x: width - area.x - area.width, ..area },
            false => area,
        };
        let Area { x, y, width: w, height: h } = area;
        match self.quarters {
            1 => Area { x: height - y - h, y: x, width: h, height: w },
            2 => Area { x: width - x - w, y: height - y - h, ..area },
            3 => Area { x: y, y: width - x - w, width: h, height: w },
            _ => area,
        }
    }
}

/// What is done with the pixels of one source.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Geometry {
    /// The box of the stored pixels that is shown.
    pub(crate) source: Area,
    /// What it is resized to, as stored.
    pub(crate) resized: Size,
    /// Then it is turned.
    pub(crate) turn: Turn,
    /// Sizes and crop as seen.
    pub(crate) plan: Plan,
}

impl Geometry {
    /// Works out a rendering of a source of this size. `upright` makes what is stored what is seen; `trimmed` is the part
    /// of what is seen that trimming leaves.
    pub(crate) fn new(stored: Size, upright: Turn, trimmed: Area, options: &ImageOptions) -> Geometry {
        let turn =
            Turn::from_flip(options.flip).then(Turn { mirrored: false, quarters: options.quarter_turns });
        let trimmed_size = Size { width: side(trimmed.width), height: side(trimmed.height) };
        let plan = plan::plan(turn.size(trimmed_size), options);
        let shown = shown(&plan);
        // From what is shown of the resized image back to what is stored, one turn after the other.
        let turned_size = turned_size(turn, (trimmed.width, trimmed.height));
        let (scale_x, scale_y) =
            (turned_size.0 / f64::from(plan.scaled.width), turned_size.1 / f64::from(plan.scaled.height));
        let area = Area {
            x: shown.x * scale_x,
            y: shown.y * scale_y,
            width: shown.width * scale_x,
            height: shown.height * scale_y,
        };
        let area = turn.inverse().area(area, turned_size);
        let area = Area { x: area.x + trimmed.x, y: area.y + trimmed.y, ..area };
        let seen = upright.size(stored);
        let source = upright.inverse().area(area, (seen.width.into(), seen.height.into()));
        let turn = upright.then(turn);
        let resized = Size { width: side(shown.width), height: side(shown.height) };
        Geometry { source, resized: turn.inverse().size(resized), turn, plan }
    }

    /// How many times smaller the picture becomes, at the side where it shrinks least.
    pub(crate) fn shrink(&self) -> f64 {
        let across = self.source.width / f64::from(self.resized.width);
        let down = self.source.height / f64::from(self.resized.height);
        across.min(down)
    }
}

/// The part of the resized image that is shown.
fn shown(plan: &Plan) -> Area {
    match plan.crop {
        Some(crop) => Area { x: crop.x.into(), y: crop.y.into(), ..Area::whole(crop.size) },
        None => Area::whole(plan.scaled),
    }
}

fn turned_size(turn: Turn, (width, height): (f64, f64)) -> (f64, f64) {
    if turn.is_sideways() { (height, width) } else { (width, height) }
}

fn side(length: f64) -> u32 {
    (length.round() as u32).max(1)
}

/// Returns what trimming leaves of a part of an image, in whole pixels and at least one. Where the sides say more than
/// there is, the left and the top have their way first; an extent counts where the side after it does not.
pub(crate) fn trimmed(part: Area, trim: &Trim, dpr: f64) -> Area {
    let (x, width) = trimmed_side(side(part.width), trim.left, trim.right, trim.width, dpr);
    let (y, height) = trimmed_side(side(part.height), trim.top, trim.bottom, trim.height, dpr);
    Area { x: part.x + f64::from(x), y: part.y + f64::from(y), width: width.into(), height: height.into() }
}

fn trimmed_side(
    side: u32,
    before: Option<Length>,
    after: Option<Length>,
    extent: Option<Length>,
    dpr: f64,
) -> (u32, u32) {
    let pixels = |length: Length| match length {
        Length::Pixels(pixels) => (pixels * dpr).round() as u32,
        Length::Fraction(part) => (part * f64::from(side)).round() as u32,
    };
    let start = before.map_or(0, pixels).min(side - 1);
    let rest = side - start;
    let length = match (after.map(pixels), extent.map(pixels)) {
        (Some(after), _) => rest.saturating_sub(after),
        (None, Some(extent)) => extent.min(rest),
        (None, None) => rest,
    };
    (start, length.max(1))
}

#[cfg(test)]
mod tests {
    use darkroom_model::Fit;
    use darkroom_model::image_options::{Gravity, Width};
    use proptest::prelude::*;

    use super::*;
    use crate::picture::{Layout, Picture};
    use crate::plan::Rect;
    use crate::steps::turn;

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    fn all() -> impl Iterator<Item = Turn> {
        (0..4).flat_map(|quarters| [false, true].map(|mirrored| Turn { mirrored, quarters }))
    }

    /// A picture whose pixels say where they were.
    fn marked(size: Size) -> Picture {
        let pixels = (0..size.height).flat_map(|y| (0..size.width).flat_map(move |x| [x as u8, y as u8, 0]));
        Picture::new(size, Layout::Rgb, pixels.collect()).unwrap()
    }

    fn cut(picture: &Picture, area: Area) -> Picture {
        let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|length| {
            assert_eq!(length.fract(), 0.0, "{area:?}");
            length as usize
        });
        let rows = picture.rows().skip(y).take(height).flat_map(|row| &row[x * 3..(x + width) * 3]);
        Picture::new(size(width as u32, height as u32), Layout::Rgb, rows.copied().collect()).unwrap()
    }

    #[test]
    fn a_decoders_pixels_are_as_wide_as_it_shrinks() {
        let area = Area { x: 40.0, y: 8.0, width: 411.0, height: 16.0 };
        for (to, expected) in [
            (size(451, 300), area),
            (size(113, 75), Area { x: 10.0, y: 2.0, width: 102.75, height: 4.0 }),
            (size(57, 38), Area { x: 5.0, y: 1.0, width: 51.375, height: 2.0 }),
            (size(902, 75), Area { x: 80.0, y: 2.0, width: 822.0, height: 4.0 }),
        ] {
            assert_eq!(area.shrunk(size(451, 300), to), expected, "{to:?}");
        }
    }

    #[test]
    fn turns_are_a_group_as_pixels_know_it() {
        let picture = || marked(size(3, 2));
        for first in all() {
            assert_eq!(turn::turn(turn::turn(picture(), first), first.inverse()), picture(), "{first:?}");
            for second in all() {
                let both = turn::turn(turn::turn(picture(), first), second);
                assert_eq!(turn::turn(picture(), first.then(second)), both, "{first:?}, {second:?}");
            }
        }
    }

    #[test]
    fn an_area_goes_where_its_pixels_go() {
        let area = Area { x: 1.0, y: 2.0, width: 3.0, height: 1.0 };
        for way in all() {
            let turned = turn::turn(marked(size(6, 4)), way);
            let expected = turn::turn(cut(&marked(size(6, 4)), area), way);
            assert_eq!(cut(&turned, way.area(area, (6.0, 4.0))), expected, "{way:?}");
        }
    }

    /// As the table of the EXIF standard says it: where the first row and the first column of what is stored are seen.
    #[test]
    fn each_orientation_of_exif_becomes_upright() {
        // Seen: A B over C D over E F. Stored, for each orientation, row by row.
        let seen = b"ABCDEF";
        for (orientation, width, stored) in [
            (0, 2, b"ABCDEF"),
            (1, 2, b"ABCDEF"),
            (2, 2, b"BADCFE"),
            (3, 2, b"FEDCBA"),
            (4, 2, b"EFCDAB"),
            (5, 3, b"ACEBDF"),
            (6, 3, b"BDFACE"),
            (7, 3, b"FDBECA"),
            (8, 3, b"ECAFDB"),
            (9, 2, b"ABCDEF"),
        ] {
            let bytes = stored.iter().flat_map(|&letter| [letter; 3]).collect();
            let picture = Picture::new(size(width, 6 / width), Layout::Rgb, bytes).unwrap();
            let upright = turn::turn(picture, Turn::from_exif(orientation));
            let letters: Vec<u8> = upright.bytes.chunks(3).map(|pixel| pixel[0]).collect();
            assert_eq!((upright.size, letters.as_slice()), (size(2, 3), seen.as_slice()), "{orientation}");
        }
    }

    #[test]
    fn a_flip_comes_before_a_rotation() {
        let horizontal = Flip { horizontal: true, vertical: false };
        let options = ImageOptions { flip: horizontal, quarter_turns: 1, ..ImageOptions::default() };
        let geometry = Geometry::new(size(2, 2), Turn::default(), Area::whole(size(2, 2)), &options);
        // A B over C D; mirrored: B A over D C; turned: D B over C A.
        let picture = Picture::new(size(2, 2), Layout::Rgb, b"ABCD".iter().flat_map(|&l| [l; 3]).collect());
        let letters: Vec<u8> =
            turn::turn(picture.unwrap(), geometry.turn).bytes.chunks(3).map(|p| p[0]).collect();
        assert_eq!(letters, b"DBCA");
        for (horizontal, vertical, expected) in
            [(false, false, b"ABCD"), (true, false, b"BADC"), (false, true, b"CDAB"), (true, true, b"DCBA")]
        {
            let picture =
                Picture::new(size(2, 2), Layout::Rgb, b"ABCD".iter().flat_map(|&l| [l; 3]).collect());
            let flipped = turn::turn(picture.unwrap(), Turn::from_flip(Flip { horizontal, vertical }));
            assert_eq!(flipped.bytes.chunks(3).map(|p| p[0]).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn sides_are_trimmed_in_pixels_and_fractions() {
        let pixels = |pixels| Some(Length::Pixels(pixels));
        let part = |part| Some(Length::Fraction(part));
        let none = Trim::default();
        for (trim, dpr, (x, y, width, height)) in [
            (none, 2.0, (0, 0, 100, 80)),
            (Trim { top: pixels(10.0), left: pixels(7.0), ..none }, 1.0, (7, 10, 93, 70)),
            (Trim { top: pixels(10.0), left: pixels(7.0), ..none }, 2.0, (14, 20, 86, 60)),
            (Trim { right: pixels(3.0), bottom: pixels(4.4), ..none }, 1.0, (0, 0, 97, 76)),
            (Trim { top: part(0.25), right: part(0.1), ..none }, 3.0, (0, 20, 90, 60)),
            (Trim { left: pixels(5.0), width: pixels(20.0), height: part(0.5), ..none }, 1.0, (5, 0, 20, 40)),
            (Trim { width: pixels(20.0), height: pixels(30.0), ..none }, 2.0, (0, 0, 40, 60)),
            (Trim { left: pixels(90.0), width: pixels(20.0), ..none }, 1.0, (90, 0, 10, 80)),
            (
                Trim { left: pixels(5.0), right: pixels(5.0), width: pixels(20.0), ..none },
                1.0,
                (5, 0, 90, 80),
            ),
            // More than there is.
            (
                Trim { left: pixels(500.0), top: pixels(60.0), bottom: pixels(60.0), ..none },
                1.0,
                (99, 60, 1, 1),
            ),
            (Trim { left: pixels(f64::MAX), ..none }, 3.0, (99, 0, 1, 80)),
        ] {
            let expected = Area { x: x.into(), y: y.into(), width: width.into(), height: height.into() };
            assert_eq!(trimmed(Area::whole(size(100, 80)), &trim, dpr), expected, "{trim:?} {dpr}");
        }
        let inner = Area { x: 10.0, y: 20.0, width: 50.0, height: 40.0 };
        let within = trimmed(inner, &Trim { left: part(0.5), bottom: pixels(10.0), ..none }, 1.0);
        assert_eq!(within, Area { x: 35.0, y: 20.0, width: 25.0, height: 30.0 });
    }

    /// Every pixel `times` times as wide and high, or one of as many.
    fn resized(picture: &Picture, to: Size) -> Picture {
        let from = picture.size;
        let mut bytes = Vec::new();
        for y in 0..to.height {
            for x in 0..to.width {
                let at = (y * from.height / to.height * from.width + x * from.width / to.width) as usize * 3;
                bytes.extend_from_slice(&picture.bytes[at..at + 3]);
            }
        }
        Picture::new(to, Layout::Rgb, bytes).unwrap()
    }

    proptest! {
        /// Sizes are such that no step has to round: the pixels kept are those of "turn, trim, turn, resize, crop".
        #[test]
        fn the_box_of_the_source_is_what_the_steps_one_by_one_leave(
            orientation in 1..=8u32,
            (flip_h, flip_v, quarter_turns) in (any::<bool>(), any::<bool>(), 0..4u8),
            (inner_w, inner_h) in (1..12u32, 1..12u32),
            (left, top, right, bottom) in (0..4u32, 0..4u32, 0..4u32, 0..4u32),
            times in 1..4u32,
            (x, y) in (0..=2u8, 0..=2u8),
        ) {
            let upright = Turn::from_exif(orientation);
            let seen = size(inner_w + left + right, inner_h + top + bottom);
            let stored = upright.inverse().size(seen);
            let pixels = |pixels: u32| Some(Length::Pixels(pixels.into()));
            let trim = Trim { left: pixels(left), top: pixels(top), right: pixels(right), bottom: pixels(bottom), ..Trim::default() };
            let flip = Flip { horizontal: flip_h, vertical: flip_v };
            let sideways = quarter_turns % 2 == 1;
            let (turned_w, turned_h) = if sideways { (inner_h, inner_w) } else { (inner_w, inner_h) };
            // A square of the shorter side, each pixel of the source so many times.
            let target = turned_w.min(turned_h) * times;
            let options = ImageOptions {
                fit: Fit::Cover,
                width: Some(Width::Pixels(target)),
                height: Some(target),
                gravity: Gravity::Point { x: f64::from(x) / 2.0, y: f64::from(y) / 2.0 },
                flip,
                quarter_turns,
                trim,
                ..ImageOptions::default()
            };
            let area = trimmed(Area::whole(seen), &options.trim, 1.0);
            let geometry = Geometry::new(stored, upright, area, &options);

            // One step after the other.
            let picture = turn::turn(marked(stored), upright);
            let picture = cut(&picture, area);
            let picture = turn::turn(picture, Turn::from_flip(flip));
            let picture = turn::turn(picture, Turn { mirrored: false, quarters: quarter_turns });
            let picture = resized(&picture, geometry.plan.scaled);
            let Rect { x, y, size: kept } = geometry.plan.crop.unwrap();
            let expected = cut(&picture, Area { x: x.into(), y: y.into(), ..Area::whole(kept) });

            // At once: the stored picture so many times, cut, turned.
            let large = resized(&marked(stored), size(stored.width * times, stored.height * times));
            let scale = f64::from(times);
            let Area { x, y, width, height } = geometry.source;
            let whole = |length: f64| {
                let length = length * scale;
                assert!((length - length.round()).abs() < 1e-9, "{geometry:?}");
                length.round()
            };
            let source = Area { x: whole(x), y: whole(y), width: whole(width), height: whole(height) };
            let at_once = turn::turn(cut(&large, source), geometry.turn);
            prop_assert_eq!(geometry.turn.size(geometry.resized), at_once.size);
            prop_assert_eq!(at_once, expected);
        }

        /// Whatever is asked for, the box lies within what is stored, and has the shape that it is resized to.
        #[test]
        fn the_box_lies_within_the_source(
            (width, height) in (1..3_000u32, 1..3_000u32),
            orientation in 1..=8u32,
            quarter_turns in 0..4u8,
            (left, bottom) in (0.0..1.0, 0.0..5_000.0),
            wanted in (prop::option::of(1..2_000u32), prop::option::of(1..2_000u32)),
            fit in 0..Fit::ALL.len(),
            (x, y) in (0.0..=1.0, 0.0..=1.0),
        ) {
            let trim = Trim { left: Some(Length::Fraction(left)), bottom: Some(Length::Pixels(bottom)), ..Trim::default() };
            let options = ImageOptions {
                fit: Fit::ALL[fit],
                width: wanted.0.map(Width::Pixels),
                height: wanted.1,
                gravity: Gravity::Point { x, y },
                quarter_turns,
                trim,
                ..ImageOptions::default()
            };
            let upright = Turn::from_exif(orientation);
            let seen = upright.size(size(width, height));
            let area = trimmed(Area::whole(seen), &options.trim, 1.0);
            let geometry = Geometry::new(size(width, height), upright, area, &options);
            let Area { x, y, width: w, height: h } = geometry.source;
            prop_assert!(x >= -1e-6 && y >= -1e-6 && w > 0.0 && h > 0.0);
            prop_assert!(x + w <= f64::from(width) + 1e-6 && y + h <= f64::from(height) + 1e-6, "{:?}", geometry);
            let output = geometry.turn.size(geometry.resized);
            let expected = geometry.plan.crop.map_or(geometry.plan.scaled, |crop| crop.size);
            prop_assert_eq!(output, expected);
        }
    }
}
