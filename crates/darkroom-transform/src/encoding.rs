//! In which format a rendering is sent (reference: delivery §4).

use darkroom_model::MediaType;
use darkroom_model::image_options::OutputFormat;

use crate::plan::Size;
use crate::request::RenderRequest;

/// How pixels are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Jpeg { progressive: bool },
    Png,
    Gif,
    WebP,
    Avif,
}

impl Encoding {
    /// Returns the type of what is written.
    pub(crate) fn media_type(self) -> MediaType {
        match self {
            Encoding::Jpeg { .. } => MediaType::Jpeg,
            Encoding::Png => MediaType::Png,
            Encoding::Gif => MediaType::Gif,
            Encoding::WebP => MediaType::WebP,
            Encoding::Avif => MediaType::Avif,
        }
    }
}

/// What is known of the pixels before they are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Facts {
    /// What the source is.
    pub(crate) source: MediaType,
    /// How large the output is.
    pub(crate) output: Size,
    /// Whether there are several frames to send.
    pub(crate) is_animated: bool,
    /// Whether nothing shines through.
    pub(crate) is_opaque: bool,
}

/// Sides below which a JPEG is sequential, and above which it is.
const PROGRESSIVE_SIDES: std::ops::RangeInclusive<u32> = 50..=3_000;

pub(crate) const TOO_LARGE_FOR_AVIF: &str = "image too large for AVIF";
pub(crate) const JPEG_OR_PNG: &str = "JPEG vs PNG selection is automatic";

/// Chooses how a rendering is written, and says so where it is not what was asked for.
pub(crate) fn choose(request: &RenderRequest, facts: Facts) -> (Encoding, Option<&'static str>) {
    let accepts = request.accepts;
    let format = request.options.format;
    let is_auto = format == OutputFormat::Auto;
    if facts.is_animated {
        let webp = format == OutputFormat::WebP || (is_auto && accepts.webp);
        return (if webp { Encoding::WebP } else { Encoding::Gif }, None);
    }
    let small_enough = facts.output.width.max(facts.output.height) <= request.limits.avif_side_max;
    let too_large = (!small_enough).then_some(TOO_LARGE_FOR_AVIF);
    if request.options.fast_compression {
        let encoding = if facts.is_opaque { Encoding::Jpeg { progressive: false } } else { Encoding::Png };
        return (encoding, None);
    }
    match format {
        OutputFormat::Avif if small_enough => (Encoding::Avif, None),
        OutputFormat::Avif => (Encoding::WebP, too_large),
        OutputFormat::Auto if accepts.avif && small_enough => (Encoding::Avif, None),
        OutputFormat::Auto if accepts.webp => (Encoding::WebP, too_large.filter(|_| accepts.avif)),
        // The original format; but one that all take, and that suits.
        OutputFormat::Auto if facts.source == MediaType::Png => {
            (Encoding::Png, too_large.filter(|_| accepts.avif))
        }
        OutputFormat::Auto if facts.source == MediaType::Gif => {
            (Encoding::Gif, too_large.filter(|_| accepts.avif))
        }
        OutputFormat::Auto => (jpeg_or_png(facts), too_large.filter(|_| accepts.avif)),
        OutputFormat::Plain => (jpeg_or_png(facts), None),
        OutputFormat::WebP => (Encoding::WebP, None),
        OutputFormat::PngForce => (Encoding::Png, None),
        OutputFormat::Png => (jpeg_or_png(facts), Some(JPEG_OR_PNG)),
        OutputFormat::BaselineJpeg => (Encoding::Jpeg { progressive: false }, None),
        OutputFormat::Jpeg | OutputFormat::Json | OutputFormat::Svg => (jpeg(facts), None),
    }
}

/// JPEG, or PNG for what shines through.
fn jpeg_or_png(facts: Facts) -> Encoding {
    if facts.is_opaque { jpeg(facts) } else { Encoding::Png }
}

/// Tiny and huge ones are sequential: both sides are below, or both above (reference: delivery §4.2).
fn jpeg(facts: Facts) -> Encoding {
    let Size { width, height } = facts.output;
    let (least, most) = PROGRESSIVE_SIDES.into_inner();
    let tiny = width < least && height < least;
    let huge = width > most && height > most;
    Encoding::Jpeg { progressive: !tiny && !huge }
}

#[cfg(test)]
mod tests {
    use darkroom_model::{ImageOptions, RenderLimits};

    use super::*;
    use crate::Accepts;

    const NONE: Accepts = Accepts { avif: false, webp: false };
    const WEBP: Accepts = Accepts { avif: false, webp: true };
    const AVIF: Accepts = Accepts { avif: true, webp: false };
    const BOTH: Accepts = Accepts { avif: true, webp: true };

    const PROGRESSIVE: Encoding = Encoding::Jpeg { progressive: true };
    const SEQUENTIAL: Encoding = Encoding::Jpeg { progressive: false };

    fn request(format: OutputFormat, accepts: Accepts) -> RenderRequest {
        let options = ImageOptions { format, ..ImageOptions::default() };
        RenderRequest { options, accepts, limits: RenderLimits::default() }
    }

    fn photo(width: u32, height: u32) -> Facts {
        let output = Size { width, height };
        Facts { source: MediaType::Jpeg, output, is_animated: false, is_opaque: true }
    }

    #[test]
    fn the_best_that_a_client_takes() {
        use Encoding::{Avif, Gif, Png, WebP};
        let small = photo(800, 600);
        let large = photo(1_201, 600);
        let of = |source, is_opaque| Facts { source, is_opaque, ..small };
        for (facts, accepts, expected, warns) in [
            (small, BOTH, Avif, false),
            (small, AVIF, Avif, false),
            (small, WEBP, WebP, false),
            (small, NONE, PROGRESSIVE, false),
            (photo(1_200, 1_200), BOTH, Avif, false),
            (large, BOTH, WebP, true),
            (large, AVIF, PROGRESSIVE, true),
            (large, WEBP, WebP, false),
            (large, NONE, PROGRESSIVE, false),
            (photo(600, 1_201), BOTH, WebP, true),
            (of(MediaType::Png, true), NONE, Png, false),
            (of(MediaType::Png, false), NONE, Png, false),
            (of(MediaType::Gif, true), NONE, Gif, false),
            (of(MediaType::Gif, true), WEBP, WebP, false),
            (of(MediaType::WebP, true), NONE, PROGRESSIVE, false),
            (of(MediaType::WebP, false), NONE, Png, false),
            (of(MediaType::Avif, true), NONE, PROGRESSIVE, false),
            (of(MediaType::Avif, false), NONE, Png, false),
            (of(MediaType::Png, false), BOTH, Avif, false),
        ] {
            let warning = warns.then_some(TOO_LARGE_FOR_AVIF);
            let chosen = choose(&request(OutputFormat::Auto, accepts), facts);
            assert_eq!(chosen, (expected, warning), "{facts:?} {accepts:?}");
        }
    }

    #[test]
    fn what_is_asked_for_by_name() {
        use Encoding::{Avif, Png, WebP};
        let opaque = photo(800, 600);
        let clear = Facts { is_opaque: false, ..opaque };
        let large = photo(1_201, 600);
        for (format, facts, expected, warning) in [
            (OutputFormat::Avif, opaque, Avif, None),
            (OutputFormat::Avif, large, WebP, Some(TOO_LARGE_FOR_AVIF)),
            (OutputFormat::WebP, large, WebP, None),
            (OutputFormat::Jpeg, opaque, PROGRESSIVE, None),
            (OutputFormat::Jpeg, clear, PROGRESSIVE, None),
            (OutputFormat::BaselineJpeg, opaque, SEQUENTIAL, None),
            (OutputFormat::Png, opaque, PROGRESSIVE, Some(JPEG_OR_PNG)),
            (OutputFormat::Png, clear, Png, Some(JPEG_OR_PNG)),
            (OutputFormat::PngForce, opaque, Png, None),
            (OutputFormat::PngForce, clear, Png, None),
        ] {
            // What the client says it takes does not count.
            for accepts in [NONE, BOTH] {
                assert_eq!(choose(&request(format, accepts), facts), (expected, warning), "{format:?}");
            }
        }
    }

    #[test]
    fn jpegs_are_progressive_between_two_sizes() {
        for (width, height, expected) in [
            (49, 49, SEQUENTIAL),
            (50, 49, PROGRESSIVE),
            (49, 50, PROGRESSIVE),
            (50, 50, PROGRESSIVE),
            (3_000, 3_000, PROGRESSIVE),
            (3_001, 3_000, PROGRESSIVE),
            (3_000, 3_001, PROGRESSIVE),
            (3_001, 3_001, SEQUENTIAL),
        ] {
            let chosen = choose(&request(OutputFormat::Jpeg, NONE), photo(width, height));
            assert_eq!(chosen.0, expected, "{width}×{height}");
        }
    }

    #[test]
    fn fast_is_above_every_format() {
        for format in OutputFormat::ALL {
            let mut request = request(format, BOTH);
            request.options.fast_compression = true;
            assert_eq!(choose(&request, photo(800, 600)).0, SEQUENTIAL);
            let clear = Facts { is_opaque: false, ..photo(800, 600) };
            assert_eq!(choose(&request, clear).0, Encoding::Png);
        }
    }

    #[test]
    fn animations_are_gifs_or_webps() {
        let facts = Facts { is_animated: true, ..photo(2_000, 600) };
        for (format, accepts, expected) in [
            (OutputFormat::Auto, NONE, Encoding::Gif),
            (OutputFormat::Auto, AVIF, Encoding::Gif),
            (OutputFormat::Auto, BOTH, Encoding::WebP),
            (OutputFormat::WebP, NONE, Encoding::WebP),
        ] {
            for source in [MediaType::Gif, MediaType::WebP] {
                let chosen = choose(&request(format, accepts), Facts { source, ..facts });
                assert_eq!(chosen, (expected, None), "{format:?} {accepts:?}");
            }
        }
    }
}
