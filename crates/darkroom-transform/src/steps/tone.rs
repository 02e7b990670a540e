//! Saturation, brightness, contrast and gamma, each on the values as they are stored (reference: delivery §5).

use darkroom_model::ImageOptions;

use crate::picture::Picture;

/// Fractions of a factor.
const ONE: i32 = 1 << 12;

/// Adjusts colours, in the order of the reference (delivery §5.1). Opacity stays.
pub(crate) fn adjust(picture: Picture, options: &ImageOptions) -> Picture {
    let curve = curve(options);
    let saturation =
        (options.saturation != 1.0).then(|| (options.saturation * f64::from(ONE)).round() as i32);
    match (saturation, curve) {
        (None, None) => picture,
        (None, Some(curve)) => each_color(picture, |color| color.map(|value| curve[usize::from(value)])),
        (Some(factor), None) => each_color(picture, |color| saturated(color, factor)),
        (Some(factor), Some(curve)) => {
            each_color(picture, |color| saturated(color, factor).map(|value| curve[usize::from(value)]))
        }
    }
}

fn each_color(mut picture: Picture, change: impl Fn([u8; 3]) -> [u8; 3]) -> Picture {
    for pixel in picture.bytes.chunks_exact_mut(picture.layout.bytes()) {
        let color = change([pixel[0], pixel[1], pixel[2]]);
        pixel[..3].copy_from_slice(&color);
    }
    picture
}

/// Moves a colour away from the grey of its luma (Rec. 709), or towards it.
fn saturated([red, green, blue]: [u8; 3], factor: i32) -> [u8; 3] {
    let luma = (871 * i32::from(red) + 2929 * i32::from(green) + 296 * i32::from(blue) + ONE / 2) / ONE;
    [red, green, blue].map(|value| {
        let away = (i32::from(value) - luma) * factor;
        (luma + (away + ONE / 2).div_euclid(ONE)).clamp(0, 255) as u8
    })
}

/// What becomes of each value; `None` if nothing does. A factor of 0 counts as not said.
fn curve(options: &ImageOptions) -> Option<[u8; 256]> {
    let said = |factor: f64| if factor == 0.0 { 1.0 } else { factor };
    let (brightness, contrast, gamma) =
        (said(options.brightness), said(options.contrast), said(options.gamma));
    if (brightness, contrast, gamma) == (1.0, 1.0, 1.0) {
        return None;
    }
    let mut curve = [0; 256];
    for (value, changed) in (0u8..=255).zip(&mut curve) {
        let bright = (f64::from(value) * brightness).clamp(0.0, 255.0);
        let contrasted = ((bright - 127.5) * contrast + 127.5).clamp(0.0, 255.0);
        // 0.5 darkens, as older pages of the vendor and its types say (reference: delivery §5 `gamma`).
        *changed = (255.0 * (contrasted / 255.0).powf(1.0 / gamma)).round() as u8;
    }
    Some(curve)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Layout;
    use crate::plan::Size;

    fn adjusted(pixel: [u8; 4], options: &ImageOptions) -> Vec<u8> {
        adjust(Picture::filled(Size { width: 1, height: 1 }, Layout::Rgba, pixel), options).bytes
    }

    #[test]
    fn each_factor_does_what_it_says_and_leaves_opacity() {
        let neutral = ImageOptions::default();
        for (options, expected) in [
            (neutral.clone(), [10, 100, 200, 7]),
            (ImageOptions { brightness: 2.0, ..neutral.clone() }, [20, 200, 255, 7]),
            (ImageOptions { brightness: 0.5, ..neutral.clone() }, [5, 50, 100, 7]),
            (ImageOptions { contrast: 2.0, ..neutral.clone() }, [0, 73, 255, 7]),
            (ImageOptions { contrast: 0.5, ..neutral.clone() }, [69, 114, 164, 7]),
            (ImageOptions { gamma: 0.5, ..neutral.clone() }, [0, 39, 157, 7]),
            (ImageOptions { gamma: 2.0, ..neutral.clone() }, [50, 160, 226, 7]),
            // Luma: 0.2126 × 10 + 0.7152 × 100 + 0.0722 × 200 = 88.1.
            (ImageOptions { saturation: 0.0, ..neutral.clone() }, [88, 88, 88, 7]),
            (ImageOptions { saturation: 0.5, ..neutral.clone() }, [49, 94, 144, 7]),
            (ImageOptions { saturation: 2.0, ..neutral.clone() }, [0, 112, 255, 7]),
            (ImageOptions { saturation: 0.0, brightness: 2.0, ..neutral.clone() }, [176, 176, 176, 7]),
            (ImageOptions { brightness: 0.0, contrast: 0.0, gamma: 0.0, ..neutral }, [10, 100, 200, 7]),
        ] {
            assert_eq!(adjusted([10, 100, 200, 7], &options), expected, "{options:?}");
        }
    }

    #[test]
    fn the_largest_factors_stay_within_what_a_byte_holds() {
        let end = ImageOptions::FACTOR_END;
        let most =
            ImageOptions { saturation: end, brightness: end, contrast: end, ..ImageOptions::default() };
        assert_eq!(adjusted([0, 128, 255, 1], &most)[3], 1);
        assert_eq!(adjusted([255, 0, 0, 1], &ImageOptions { saturation: end, ..most })[1..3], [0, 0]);
    }
}
