//! What is decided by looking at pixels, before the sizes are.

pub(crate) mod border;
mod entropy;
mod saliency;
mod window;

use darkroom_model::image_options::{Gravity, Width};
use darkroom_model::{Fit, ImageOptions};

use crate::picture::Picture;
use crate::plan::Size;
use crate::steps::ground;

/// Pixels on a side of the copy that is looked at: what draws the eye is not small.
const SIDE_MAX: u32 = 256;

/// Returns the options of such a copy: all of the image, laid down as it will be shown.
pub(crate) fn reduced(options: &ImageOptions) -> ImageOptions {
    ImageOptions {
        width: Some(Width::Pixels(SIDE_MAX)),
        height: Some(SIDE_MAX),
        fit: Fit::ScaleDown,
        flip: options.flip,
        quarter_turns: options.quarter_turns,
        ..ImageOptions::default()
    }
}

/// Returns the point of an image that stays in sight where a part of it, of size `kept` in `whole`, is cut out. `reduced`
/// is a small copy of all of it.
pub(crate) fn place(reduced: Picture, whole: Size, kept: Size, gravity: Gravity) -> Gravity {
    let copy = ground::flatten(reduced, ground::WHITE);
    let side = |small: u32, whole: u32, kept: u32| {
        let part = f64::from(kept) / f64::from(whole);
        ((f64::from(small) * part).round() as u32).clamp(1, small)
    };
    let size = Size {
        width: side(copy.size.width, whole.width, kept.width),
        height: side(copy.size.height, whole.height, kept.height),
    };
    let (x, y) = match gravity {
        Gravity::Entropy => entropy::highest(&copy, size),
        Gravity::Auto | Gravity::Face | Gravity::Point { .. } => saliency::highest(&copy, size),
    };
    let at = |offset: u32, small: u32, window: u32| {
        if small > window { f64::from(offset) / f64::from(small - window) } else { 0.5 }
    };
    Gravity::Point { x: at(x, copy.size.width, size.width), y: at(y, copy.size.height, size.height) }
}
