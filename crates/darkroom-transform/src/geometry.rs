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

    /// Returns the same part of the picture in another size.
    pub(crate) fn scaled(self, from: Size, to: Size) -> Area {
        let x = f64::from(to.width) / f64::from(from.width);
        let y = f64::from(to.height) / f64::from(from.height);
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
    fn area(self, area: Area, (width, height): (f64, f64)) -> Area {
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

/// Returns the part of an image that trimming leaves, in whole pixels and at least one. Where the sides say more than
/// there is, the left and the top have their way first; an extent counts where the side after it does not.
pub(crate) fn trimmed(seen: Size, trim: &Trim, dpr: f64) -> Area {
    let (x, width) = trimmed_side(seen.width, trim.left, trim.right, trim.width, dpr);
    let (y, height) = trimmed_side(seen.height, trim.top, trim.bottom, trim.height, dpr);
    Area { x: x.into(), y: y.into(), width: width.into(), height: height.into() }
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
