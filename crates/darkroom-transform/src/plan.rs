//! How large a rendering becomes, and which part of the image it shows: plain arithmetic, before any pixel moves
//! (reference: delivery §6).
//!
//! All in whole numbers: sizes are at most [`ImageOptions::SIDE_MAX`] on a side, so that no product of two leaves `u64`.

use darkroom_model::image_options::{Gravity, Width};
use darkroom_model::{Fit, ImageOptions};

/// Width and height in pixels, both from 1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A part of an image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rect {
    /// Columns to its left.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// How large it is.
    pub size: Size,
}

/// What is to be done with the size of an image that is upright and trimmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// First it is resized to this.
    pub scaled: Size,
    /// Then this part of it is kept; `None`: all of it.
    pub crop: Option<Rect>,
    /// Then it lies on a ground of the output's size, this far from its left and top; `None`: there is no ground.
    pub pad_offset: Option<(u32, u32)>,
    /// What comes out.
    pub output: Size,
    /// Whether the fit that was asked for needs a side that was not said, so that another took its place.
    pub lacks_a_side: bool,
}

/// A box of which one side may be left open.
#[derive(Clone, Copy)]
enum Target {
    Nothing,
    Width(u32),
    Height(u32),
    Both(Size),
}

/// A factor for both sides, as a fraction.
#[derive(Clone, Copy)]
struct Scale {
    numerator: u64,
    denominator: u64,
}

/// Plans a rendering. An automatic width is decided beforehand, from what the client says of its screen; here it is none.
pub fn plan(source: Size, options: &ImageOptions) -> Plan {
    let target = target(options);
    let (fit, lacks_a_side) = fit_for(options.fit, target);
    let scaled = scaled(source, fit, target);
    let mut plan = Plan { scaled, crop: None, pad_offset: None, output: scaled, lacks_a_side };
    let Target::Both(wanted) = target else { return plan };
    match fit {
        Fit::Cover | Fit::Crop | Fit::AspectCrop => {
            let kept = match fit {
                Fit::AspectCrop => largest_of_shape(scaled, wanted),
                _ => Size { width: scaled.width.min(wanted.width), height: scaled.height.min(wanted.height) },
            };
            plan.crop = Some(place(scaled, kept, options.gravity));
            plan.output = kept;
        }
        Fit::Pad => {
            let centred = |ground: u32, image: u32| (ground - image.min(ground)) / 2;
            plan.pad_offset =
                Some((centred(wanted.width, scaled.width), centred(wanted.height, scaled.height)));
            plan.output = wanted;
        }
        Fit::ScaleDown | Fit::ScaleUp | Fit::Contain | Fit::Squeeze => {}
    }
    plan
}

/// Each side times the ratio of pixels, to the nearest whole number, at least 1.
fn target(options: &ImageOptions) -> Target {
    let times = |side: u32| ((f64::from(side) * options.dpr).round() as u32).max(1);
    let width = options.width.and_then(|width| match width {
        Width::Pixels(pixels) => Some(times(pixels)),
        Width::Auto => None,
    });
    match (width, options.height.map(times)) {
        (None, None) => Target::Nothing,
        (Some(width), None) => Target::Width(width),
        (None, Some(height)) => Target::Height(height),
        (Some(width), Some(height)) => Target::Both(Size { width, height }),
    }
}

/// Returns the fit that takes the place of one that needs both sides where one was said; and whether it did.
fn fit_for(fit: Fit, target: Target) -> (Fit, bool) {
    match (fit, target) {
        (_, Target::Both(_) | Target::Nothing) => (fit, false),
        (Fit::Cover | Fit::Crop | Fit::AspectCrop, _) => (Fit::ScaleDown, true),
        (Fit::Pad | Fit::Squeeze, _) => (Fit::Contain, true),
        (Fit::ScaleDown | Fit::ScaleUp | Fit::Contain, _) => (fit, false),
    }
}

fn scaled(source: Size, fit: Fit, target: Target) -> Size {
    let across = |width: u32| Scale { numerator: width.into(), denominator: source.width.into() };
    let down = |height: u32| Scale { numerator: height.into(), denominator: source.height.into() };
    let (least, most) = match target {
        Target::Nothing => return source,
        Target::Width(width) => (across(width), across(width)),
        Target::Height(height) => (down(height), down(height)),
        Target::Both(wanted) if fit == Fit::Squeeze => return wanted,
        Target::Both(wanted) => {
            let (a, b) = (across(wanted.width), down(wanted.height));
            if a.is_below(b) { (a, b) } else { (b, a) }
        }
    };
    let scale = match fit {
        Fit::ScaleDown => least.at_most_one(),
        Fit::ScaleUp => least.at_least_one(),
        Fit::Contain | Fit::Pad | Fit::Squeeze => least,
        Fit::Cover => most,
        Fit::Crop | Fit::AspectCrop => most.at_most_one(),
    };
    Size { width: scale.of(source.width), height: scale.of(source.height) }
}

impl Scale {
    fn is_below(self, other: Scale) -> bool {
        self.numerator * other.denominator < other.numerator * self.denominator
    }

    fn at_most_one(self) -> Scale {
        let one = Scale { numerator: 1, denominator: 1 };
        if one.is_below(self) { one } else { self }
    }

    fn at_least_one(self) -> Scale {
        let one = Scale { numerator: 1, denominator: 1 };
        if self.is_below(one) { one } else { self }
    }

    /// Returns a side times the factor: to the nearest whole number, halves up, at least 1.
    fn of(self, side: u32) -> u32 {
        let doubled = 2 * u64::from(side) * self.numerator;
        let rounded = (doubled + self.denominator) / (2 * self.denominator);
        u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
    }
}

/// Returns the largest size of another's shape that fits into a third.
fn largest_of_shape(outer: Size, shape: Size) -> Size {
    let across = Scale { numerator: outer.width.into(), denominator: shape.width.into() };
    let down = Scale { numerator: outer.height.into(), denominator: shape.height.into() };
    let scale = if across.is_below(down) { across } else { down };
    Size { width: scale.of(shape.width).min(outer.width), height: scale.of(shape.height).min(outer.height) }
}

/// Places what is kept: the point that is named lies at the same point of what remains. What draws the eye is found in
/// pixels, by others; until then it is taken to be the middle.
fn place(outer: Size, kept: Size, gravity: Gravity) -> Rect {
    let (x, y) = match gravity {
        Gravity::Point { x, y } => (x, y),
        Gravity::Auto | Gravity::Entropy | Gravity::Face => (0.5, 0.5),
    };
    let offset = |outer: u32, kept: u32, at: f64| {
        let rest = outer - kept.min(outer);
        // Halves up.
        ((f64::from(rest) * at + 0.5).floor() as u32).min(rest)
    };
    Rect { x: offset(outer.width, kept.width, x), y: offset(outer.height, kept.height, y), size: kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(fit: Fit, width: Option<u32>, height: Option<u32>) -> ImageOptions {
        ImageOptions { fit, width: width.map(Width::Pixels), height, ..ImageOptions::default() }
    }

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn without_a_size_nothing_changes() {
        for fit in Fit::ALL {
            let plan = plan(size(7, 5), &options(fit, None, None));
            let expected = Plan {
                scaled: size(7, 5),
                crop: None,
                pad_offset: None,
                output: size(7, 5),
                lacks_a_side: false,
            };
            assert_eq!(plan, expected, "{fit:?}");
        }
    }

    #[test]
    fn a_fit_that_needs_both_sides_says_so() {
        for (fit, width, output, lacks) in [
            (Fit::Cover, 50, size(50, 25), true),
            (Fit::Cover, 200, size(100, 50), true),
            (Fit::Crop, 200, size(100, 50), true),
            (Fit::Pad, 200, size(200, 100), true),
            (Fit::Squeeze, 200, size(200, 100), true),
            (Fit::Contain, 200, size(200, 100), false),
            (Fit::ScaleUp, 50, size(100, 50), false),
        ] {
            let plan = plan(size(100, 50), &options(fit, Some(width), None));
            assert_eq!((plan.output, plan.lacks_a_side), (output, lacks), "{fit:?} {width}");
        }
    }

    #[test]
    fn nothing_becomes_smaller_than_a_pixel() {
        assert_eq!(plan(size(10_000, 1), &options(Fit::ScaleDown, Some(1), Some(1))).output, size(1, 1));
        let tiny = ImageOptions { dpr: 0.001, ..options(Fit::Cover, Some(1), Some(1)) };
        assert_eq!(plan(size(100, 100), &tiny).output, size(1, 1));
    }

    proptest! {
        #[test]
        fn what_is_kept_lies_within_what_there_is(
            (width, height) in (1..=65_535u32, 1..=65_535u32),
            wanted in (prop::option::of(1..=ImageOptions::SIDE_MAX), prop::option::of(1..=ImageOptions::SIDE_MAX)),
            fit in 0..Fit::ALL.len(),
            dpr in 0.01..=ImageOptions::DPR_MAX,
            (x, y) in (0.0..=1.0, 0.0..=1.0),
        ) {
            let gravity = Gravity::Point { x, y };
            let options = ImageOptions { dpr, gravity, ..options(Fit::ALL[fit], wanted.0, wanted.1) };
            let plan = plan(size(width, height), &options);
            prop_assert!(plan.output.width > 0 && plan.output.height > 0);
            if let Some(Rect { x, y, size }) = plan.crop {
                prop_assert!(x + size.width <= plan.scaled.width && y + size.height <= plan.scaled.height);
                prop_assert_eq!(size, plan.output);
            }
            if let Some((x, y)) = plan.pad_offset {
                prop_assert!(x + plan.scaled.width <= plan.output.width);
                prop_assert!(y + plan.scaled.height <= plan.output.height);
            }
            if matches!(options.fit, Fit::ScaleDown | Fit::Crop | Fit::AspectCrop) {
                prop_assert!(plan.scaled.width <= width && plan.scaled.height <= height);
            }
        }
    }
}
