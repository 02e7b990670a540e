//! From the colours of a source to sRGB (reference: delivery §8).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Transform8BitExecutor, TransformOptions};

use crate::RenderError;
use crate::picture::{Layout, Picture};

/// The ICC profile of a source. One that cannot be read, or is for other colours than the source has, counts as none: the
/// colours are sRGB then.
pub(crate) struct Profile {
    profile: Option<ColorProfile>,
    /// What it does to pixels of each layout, made when the first come; `None`: nothing.
    transforms: [OnceCell<Option<Transform>>; 3],
}

enum Transform {
    /// All channels at once.
    Colors(Arc<Transform8BitExecutor>),
    /// What becomes of each shade of grey.
    Greys(Box<[u8; 256]>),
}

impl Profile {
    pub(crate) fn read(icc_profile: Option<&[u8]>) -> Profile {
        let profile = icc_profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
        Profile { profile, transforms: Default::default() }
    }

    /// Returns a picture in sRGB: as it is, if it is that already.
    pub(crate) fn convert(&self, picture: Picture) -> Result<Picture, RenderError> {
        match (self.transform(picture.layout), picture.layout) {
            (None, Layout::Rgb | Layout::Rgba) => Ok(picture),
            (None, Layout::Cmyk) => Ok(mixed(&picture)),
            (Some(Transform::Colors(transform)), Layout::Cmyk) => separated(&picture, &**transform),
            (Some(Transform::Colors(transform)), _) => transformed(picture, &**transform),
            (Some(Transform::Greys(shades)), _) => Ok(shaded(picture, shades)),
        }
    }

    /// Returns what is seen of a picture that stays.
    pub(crate) fn seen<'p>(&self, picture: &'p Picture) -> Result<Cow<'p, Picture>, RenderError> {
        if self.transform(picture.layout).is_none() && picture.layout != Layout::Cmyk {
            return Ok(Cow::Borrowed(picture));
        }
        self.convert(picture.clone()).map(Cow::Owned)
    }

    fn transform(&self, layout: Layout) -> Option<&Transform> {
        let index = match layout {
            Layout::Rgb => 0,
            Layout::Rgba => 1,
            Layout::Cmyk => 2,
        };
        self.transforms[index].get_or_init(|| transform(self.profile.as_ref()?, layout)).as_ref()
    }
}

fn transform(profile: &ColorProfile, layout: Layout) -> Option<Transform> {
    let srgb = ColorProfile::new_srgb();
    let between = |from, to| profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok();
    match (profile.color_space, layout) {
        (DataColorSpace::Rgb, Layout::Rgb | Layout::Rgba) => {
            changes_colors(&*between(moxcms::Layout::Rgb, moxcms::Layout::Rgb)?).then_some(())?;
            let pixels = if layout == Layout::Rgb { moxcms::Layout::Rgb } else { moxcms::Layout::Rgba };
            between(pixels, pixels).map(Transform::Colors)
        }
        // Four inks go by the name of four channels there.
        (DataColorSpace::Cmyk, Layout::Cmyk) => {
            between(moxcms::Layout::Rgba, moxcms::Layout::Rgb).map(Transform::Colors)
        }
        (DataColorSpace::Gray, Layout::Rgb | Layout::Rgba) => {
            let shades: Vec<u8> = (0..=255).collect();
            let mut grey = [0; 256];
            let transform = between(moxcms::Layout::Gray, moxcms::Layout::Gray)?;
            transform.transform(&shades, &mut grey).ok()?;
            Some(Transform::Greys(Box::new(grey)))
        }
        _ => None,
    }
}

/// Says whether any colour becomes another one by more than rounding: most profiles are sRGB under some name, and what
/// they would do takes longer than to find out.
fn changes_colors(transform: &Transform8BitExecutor) -> bool {
    const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];
    let cube = STEPS.iter().flat_map(|&red| {
        STEPS.iter().flat_map(move |&green| STEPS.iter().flat_map(move |&blue| [red, green, blue]))
    });
    let greys = (0..=255).flat_map(|grey| [grey; 3]);
    let before: Vec<u8> = cube.chain(greys).collect();
    let mut after = vec![0; before.len()];
    transform.transform(&before, &mut after).is_ok()
        && before.iter().zip(&after).any(|(before, after)| before.abs_diff(*after) > 1)
}

fn transformed(mut picture: Picture, transform: &Transform8BitExecutor) -> Result<Picture, RenderError> {
    let stride = picture.stride();
    let mut before = vec![0; stride];
    for row in picture.bytes.chunks_exact_mut(stride) {
        before.copy_from_slice(row);
        transform.transform(&before, row).map_err(wrong)?;
    }
    Ok(picture)
}

fn separated(picture: &Picture, transform: &Transform8BitExecutor) -> Result<Picture, RenderError> {
    let mut bytes = vec![0; picture.bytes.len() / 4 * 3];
    let rows = bytes.chunks_exact_mut(picture.stride() / 4 * 3);
    for (row, inks) in rows.zip(picture.rows()) {
        transform.transform(inks, row).map_err(wrong)?;
    }
    Ok(Picture { size: picture.size, layout: Layout::Rgb, bytes })
}

fn wrong(error: moxcms::CmsError) -> RenderError {
    RenderError::encoding(format_args!("cannot convert colours: {error}"))
}

/// Mixes inks that nothing is known of: each takes its part of the light, and black takes of all.
fn mixed(picture: &Picture) -> Picture {
    let (pixels, _) = picture.bytes.as_chunks::<4>();
    let mut bytes = vec![0; pixels.len() * 3];
    for (color, [cyan, magenta, yellow, black]) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
        *color = [cyan, magenta, yellow].map(|ink| {
            let light = u32::from(255 - ink) * u32::from(255 - black);
            ((light + 127) / 255) as u8
        });
    }
    Picture { size: picture.size, layout: Layout::Rgb, bytes }
}

/// A profile of greys on a picture that has others is someone's mistake.
fn shaded(mut picture: Picture, shades: &[u8; 256]) -> Picture {
    let bytes = picture.layout.bytes();
    let mut pixels = picture.bytes.chunks_exact(bytes);
    if pixels.any(|pixel| pixel[0] != pixel[1] || pixel[0] != pixel[2]) {
        return picture;
    }
    for pixel in picture.bytes.chunks_exact_mut(bytes) {
        let shade = shades[usize::from(pixel[0])];
        pixel[..3].fill(shade);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Size;

    fn converted(profile: Option<&ColorProfile>, layout: Layout, pixels: &[u8]) -> Picture {
        let bytes = profile.map(|profile| profile.encode().unwrap());
        let width = (pixels.len() / layout.bytes()) as u32;
        let picture = Picture::new(Size { width, height: 1 }, layout, pixels.to_vec()).unwrap();
        Profile::read(bytes.as_deref()).convert(picture).unwrap()
    }

    #[test]
    fn colours_beyond_srgb_are_brought_into_it() {
        // As CSS Color 4 converts it: color(display-p3 0.6 0.4 0.2) is rgb(163, 100, 37).
        let p3 = ColorProfile::new_display_p3();
        let rgb = converted(Some(&p3), Layout::Rgb, &[153, 102, 51]);
        let off = rgb
            .bytes
            .iter()
            .zip([162.6, 99.8, 37.2])
            .map(|(&got, want): (_, f64)| (f64::from(got) - want).abs());
        assert!(off.fold(0.0, f64::max) < 3.0, "{rgb:?}");
        let rgba = converted(Some(&p3), Layout::Rgba, &[153, 102, 51, 9]);
        assert_eq!(rgba.bytes, [rgb.bytes, vec![9]].concat());
    }

    #[test]
    fn what_is_srgb_stays_to_the_bit() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).chain(0..=255).collect();
        let srgb = ColorProfile::new_srgb();
        assert_eq!(converted(Some(&srgb), Layout::Rgb, &bytes).bytes, bytes);
        assert_eq!(converted(None, Layout::Rgb, &bytes).bytes, bytes);
        let grey = ColorProfile::new_gray_with_gamma(1.0);
        assert_eq!(converted(Some(&grey), Layout::Rgb, &[1, 2, 3]).bytes, [1, 2, 3]);
        assert_eq!(converted(Some(&srgb), Layout::Cmyk, &[0, 0, 0, 0]).bytes, [255; 3]);
    }

    #[test]
    fn greys_follow_their_own_curve() {
        let linear = ColorProfile::new_gray_with_gamma(1.0);
        let converted = converted(Some(&linear), Layout::Rgb, &[0, 0, 0, 55, 55, 55, 255, 255, 255]);
        assert_eq!((converted.bytes[0], converted.bytes[8]), (0, 255));
        // 55/255 of the light is 0.502 in sRGB.
        assert!(converted.bytes[3].abs_diff(128) <= 1, "{converted:?}");
    }

    #[test]
    fn inks_without_a_profile_take_light_away() {
        let inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 128, 10, 20, 30, 255];
        let colors = [255, 255, 255, 0, 255, 255, 127, 0, 127, 0, 0, 0];
        let mixed = converted(None, Layout::Cmyk, &inks);
        assert_eq!((mixed.layout, mixed.bytes), (Layout::Rgb, colors.to_vec()));
    }

    #[test]
    fn a_broken_profile_is_no_profile() {
        let whole = ColorProfile::new_display_p3().encode().unwrap();
        let picture = Picture::filled(Size { width: 2, height: 1 }, Layout::Rgb, [153, 102, 51]);
        for length in 0..whole.len() {
            Profile::read(Some(&whole[..length])).convert(picture.clone()).unwrap();
        }
        assert_eq!(Profile::read(Some(&whole[..100])).convert(picture.clone()).unwrap(), picture);
        let mut state = 7u32;
        for _ in 0..2_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] = state as u8;
            }
            Profile::read(Some(&bytes)).convert(picture.clone()).unwrap();
        }
    }
}
