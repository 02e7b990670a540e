//! What is done with pixels between decoder and encoder, one file for each step.

pub(crate) mod blur;
pub(crate) mod ground;
pub(crate) mod resize;
pub(crate) mod sharpen;
pub(crate) mod tone;
pub(crate) mod turn;

use std::borrow::Cow;

use crate::RenderError;
use crate::geometry::Geometry;
use crate::picture::Picture;
use crate::plan::Size;
use crate::recipe::Recipe;

/// Does every step, in the order of the reference (delivery §5.1); one that has nothing to do gives back what it got.
pub(crate) fn develop(picture: Picture, recipe: &Recipe<'_>) -> Result<Picture, RenderError> {
    let options = recipe.options;
    let picture = lay_out(Cow::Owned(picture), recipe.stored, &recipe.geometry)?;
    let picture = recipe.profile.convert(picture)?;
    let picture = ground::lay_on(picture, &recipe.geometry.plan, options.background);
    let picture = tone::adjust(picture, options);
    let picture = sharpen::sharpen(picture, options.sharpen);
    let picture = blur::blur(picture, options.blur);
    Ok(picture)
}

/// Trims, flips, rotates, resizes and crops, in two steps: a box of what is stored is resized, and the result is turned.
pub(crate) fn lay_out(
    picture: Cow<'_, Picture>,
    stored: Size,
    geometry: &Geometry,
) -> Result<Picture, RenderError> {
    let part = geometry.source.shrunk(stored, picture.size);
    let picture = resize::resize(picture, part, geometry.resized)?;
    Ok(turn::turn(picture, geometry.turn))
}
