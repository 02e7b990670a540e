//! Resizing: one box of a picture becomes another size.

use std::borrow::Cow;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::RenderError;
use crate::geometry::Area;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// Resizes a part of a picture with Lanczos' filter of three lobes, in the light that the values stand for.
pub(crate) fn resize(picture: Cow<'_, Picture>, part: Area, size: Size) -> Result<Picture, RenderError> {
    if part == Area::whole(picture.size) && size == picture.size {
        return Ok(picture.into_owned());
    }
    let pixels = if picture.layout == Layout::Rgb { PixelType::U8x3 } else { PixelType::U8x4 };
    let wrong = |error: &dyn std::fmt::Display| RenderError::encoding(format_args!("cannot resize: {error}"));
    let source = ImageRef::new(picture.size.width, picture.size.height, &picture.bytes, pixels)
        .map_err(|error| wrong(&error))?;
    let mut resized = Image::new(size.width, size.height, pixels);
    let part = clamped(part, picture.size);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(part.x, part.y, part.width, part.height)
        .use_alpha(picture.layout == Layout::Rgba && !picture.is_opaque());
    Resizer::new().resize(&source, &mut resized, &options).map_err(|error| wrong(&error))?;
    Ok(Picture { size, layout: picture.layout, bytes: resized.into_vec() })
}

/// Sums of fractions may end a hair outside of the picture.
fn clamped(part: Area, size: Size) -> Area {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let x = part.x.clamp(0.0, width - f64::EPSILON);
    let y = part.y.clamp(0.0, height - f64::EPSILON);
    Area { x, y, width: part.width.min(width - x), height: part.height.min(height - y) }
}
