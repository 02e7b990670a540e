//! What is done with each frame of one source: decided once, before the steps begin.

use std::borrow::Cow;

use darkroom_model::image_options::Gravity;
use darkroom_model::{ImageOptions, MediaType};

use crate::RenderError;
use crate::codecs::Header;
use crate::color::Profile;
use crate::geometry::{self, Area, Geometry, Turn};
use crate::look;
use crate::metadata;
use crate::picture::Picture;
use crate::plan::Size;
use crate::request::RenderRequest;
use crate::steps;

/// Said where faces were asked for: this program finds none, and takes what draws the eye instead (reference:
/// delivery §6.2).
pub(crate) const NO_FACES: &str = "face detection is not available, gravity=auto was used";

/// Everything that the steps go by. The same for all frames.
pub(crate) struct Recipe<'r> {
    pub(crate) options: &'r ImageOptions,
    pub(crate) geometry: Geometry,
    /// The size as stored.
    pub(crate) stored: Size,
    /// What makes what is stored what is seen.
    upright: Turn,
    pub(crate) profile: Profile,
    request: &'r RenderRequest,
}

impl<'r> Recipe<'r> {
    /// Decides all that needs no pixels, and refuses what would become too large.
    pub(crate) fn new(
        header: &Header,
        media_type: MediaType,
        request: &'r RenderRequest,
    ) -> Result<Recipe<'r>, RenderError> {
        let options = &request.options;
        let upright = metadata::upright(header, media_type);
        let trimmed = geometry::trimmed(Area::whole(upright.size(header.size)), &options.trim, options.dpr);
        let geometry = Geometry::new(header.size, upright, trimmed, options);
        let profile = Profile::read(header.icc_profile.as_deref());
        let recipe = Recipe { options, geometry, stored: header.size, upright, profile, request };
        // A border that is to be found makes the output smaller, or leaves it: what is refused then was asked for.
        if options.trim.border.is_none() {
            recipe.check_size()?;
        }
        Ok(recipe)
    }

    /// How many times smaller a decoder may give each frame: so much that there is more than one of its pixels for each
    /// that is wanted, since the last step down is what Lanczos' filter is better at. A border is looked for in every pixel.
    pub(crate) fn shrink_max(&self) -> u32 {
        if self.options.trim.border.is_some() {
            return 1;
        }
        let shrink = self.geometry.shrink();
        [8, 4, 2].into_iter().find(|factor| f64::from(factor + 1) <= shrink).unwrap_or(1)
    }

    /// Decides what needs pixels, by those of the first frame: where a border ends, and what draws the eye.
    pub(crate) fn look_at(&mut self, first: &Picture) -> Result<(), RenderError> {
        let options = self.options;
        let seen = self.upright.size(self.stored);
        let mut inner = Area::whole(seen);
        if let Some(border) = &options.trim.border {
            let found = look::border::within(&*self.profile.seen(first)?, border, options.dpr);
            inner = self.upright.area(found, (self.stored.width.into(), self.stored.height.into()));
        }
        let trimmed = geometry::trimmed(inner, &options.trim, options.dpr);
        if options.trim.border.is_some() {
            self.geometry = Geometry::new(self.stored, self.upright, trimmed, options);
            self.check_size()?;
        }
        let Some(crop) = self.geometry.plan.crop else { return Ok(()) };
        if matches!(options.gravity, Gravity::Point { .. }) || crop.size == self.geometry.plan.scaled {
            return Ok(());
        }
        let small = Geometry::new(self.stored, self.upright, trimmed, &look::reduced(options));
        let small = steps::lay_out(Cow::Borrowed(first), self.stored, &small)?;
        let small = self.profile.convert(small)?;
        let gravity = look::place(small, self.geometry.plan.scaled, crop.size, options.gravity);
        let options = ImageOptions { gravity, ..options.clone() };
        self.geometry = Geometry::new(self.stored, self.upright, trimmed, &options);
        Ok(())
    }

    /// Says where the output is not quite what was asked for.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.geometry.plan.lacks_a_side {
            let fit = self.options.fit.as_str();
            warnings.push(format!("{fit} fit mode needs both width and height"));
        }
        if self.options.gravity == Gravity::Face {
            warnings.push(NO_FACES.to_owned());
        }
        warnings
    }

    fn check_size(&self) -> Result<(), RenderError> {
        let limits = &self.request.limits;
        let size = self.geometry.plan.output;
        let area = u64::from(size.width) * u64::from(size.height);
        if size.width.max(size.height) > limits.output_side_max || area > limits.output_pixels_max {
            return Err(RenderError::enlarged_too_much(size, limits.output_side_max));
        }
        Ok(())
    }
}
