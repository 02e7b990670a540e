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
