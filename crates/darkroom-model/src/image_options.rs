//! How an image is to be shown: every option of a delivery URL, judged (reference: delivery §5).

use serde::{Deserialize, Serialize};

use crate::{Fit, KeptMetadata, VariantOptions};

/// The options of one rendering. What was not said has its default, and changes nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ImageOptions {
    /// Width to fit into; `None` leaves it.
    pub width: Option<Width>,
    /// Height to fit into, in pixels, from 1; `None` leaves it.
    pub height: Option<u32>,
    /// What width, height and trim are multiplied by: above 0, at most [`ImageOptions::DPR_MAX`].
    pub dpr: f64,
    /// How the image is fitted into width and height.
    pub fit: Fit,
    /// What stays in sight where something is cut off.
    pub gravity: Gravity,
    /// With [`Gravity::Face`]: from 0, as much around it as there is room for, to 1, as close as it goes.
    pub zoom: f64,
    /// What is cut off beforehand.
    pub trim: Trim,
    /// Quarter turns clockwise, 0 to 3, before anything is resized and after `flip`.
    pub quarter_turns: u8,
    /// How it is mirrored.
    pub flip: Flip,
    /// What lies beneath transparent pixels, and around the image with [`Fit::Pad`].
    pub background: Option<Color>,
    /// Radius of a blur in pixels, 0 to 250.
    pub blur: f64,
    /// Strength of sharpening, 0 to 10.
    pub sharpen: f64,
    /// Factor, 1 leaves it.
    pub brightness: f64,
    /// Factor, 1 leaves it.
    pub contrast: f64,
    /// Exponent's inverse: below 1 is darker, 1 leaves it.
    pub gamma: f64,
    /// Factor: 0 is grey, 1 leaves it.
    pub saturation: f64,
    /// Which metadata of the file is kept.
    pub metadata: KeptMetadata,
    /// Whether an animation stays one.
    pub animated: bool,
    /// In which format it is sent.
    pub format: OutputFormat,
    /// 1 to 100; `None` leaves it to the format.
    pub quality: Option<u8>,
    /// The quality for clients that say they are on a slow line.
    pub slow_connection_quality: Option<u8>,
    /// Whether the quickest format is meant rather than the smallest.
    pub fast_compression: bool,
    /// Whether a client is sent to the source when the image cannot be shown; never for hosted images.
    pub redirect_on_error: bool,
}

impl ImageOptions {
    /// Largest factor; above it this one holds.
    pub const DPR_MAX: f64 = 3.0;
    /// Largest width and height that can be asked for, in pixels.
    pub const SIDE_MAX: u32 = 1_000_000;
    /// Brightness, contrast, gamma and saturation are below this.
    pub const FACTOR_END: f64 = 255.0;
}

impl Default for ImageOptions {
    fn default() -> ImageOptions {
        ImageOptions {
            width: None,
            height: None,
            dpr: 1.0,
            fit: Fit::ScaleDown,
            gravity: Gravity::CENTER,
            zoom: 0.0,
            trim: Trim::default(),
            quarter_turns: 0,
            flip: Flip::default(),
            background: None,
            blur: 0.0,
            sharpen: 0.0,
            brightness: 1.0,
            contrast: 1.0,
            gamma: 1.0,
            saturation: 1.0,
            metadata: KeptMetadata::Copyright,
            animated: true,
            format: OutputFormat::Auto,
            quality: None,
            slow_connection_quality: None,
            fast_compression: false,
            redirect_on_error: false,
        }
    }
}

impl From<&VariantOptions> for ImageOptions {
    /// Shows an image as a variant does; what the variant does not say has its default.
    fn from(variant: &VariantOptions) -> ImageOptions {
        // How long browsers keep it is no matter of pixels.
        let VariantOptions { fit, width, height, metadata, blur, browser_ttl: _ } = *variant;
        let default = ImageOptions::default();
        ImageOptions {
            fit: fit.unwrap_or(default.fit),
            width: width.map(Width::Pixels),
            height,
            metadata: metadata.unwrap_or(default.metadata),
            blur: blur.unwrap_or(default.blur),
            ..default
        }
    }
}

/// A width that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Width {
    /// So many pixels, from 1.
    Pixels(u32),
    /// As wide as the client's screen suggests (reference: delivery §5.3).
    Auto,
}

/// What stays in sight where something is cut off (reference: delivery §6.2).
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Gravity {
    /// This point of the image, as fractions of its width and height from 0 to 1, lies at the same point of what
    /// remains.
    Point {
        /// 0 is the left side, 1 the right.
        x: f64,
        /// 0 is the top, 1 the bottom.
        y: f64,
    },
    /// What draws the eye.
    Auto,
    /// Where most happens.
    Entropy,
    /// Faces.
    Face,
}

impl Gravity {
    /// The middle.
    pub const CENTER: Gravity = Gravity::Point { x: 0.5, y: 0.5 };
}

/// How an image is mirrored.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Flip {
    /// Left and right change places.
    pub horizontal: bool,
    /// Top and bottom change places.
    pub vertical: bool,
}

/// What is cut off before anything else is done. Sides and extent are those of the image as it is seen.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Trim {
    /// How much of the top.
    pub top: Option<Length>,
    /// How much of the right side.
    pub right: Option<Length>,
    /// How much of the bottom.
    pub bottom: Option<Length>,
    /// How much of the left side.
    pub left: Option<Length>,
    /// How wide is what remains.
    pub width: Option<Length>,
    /// How high is what remains.
    pub height: Option<Length>,
    /// A border of one colour, found in the pixels.
    pub border: Option<BorderTrim>,
}

/// A border that is found and cut off.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct BorderTrim {
    /// Its colour; `None`: that of the corner.
    pub color: Option<Color>,
    /// How far a pixel may be from it, 0 to 255; `None` leaves it to the renderer.
    pub tolerance: Option<f64>,
    /// How many pixels of it stay.
    pub keep: f64,
}

/// A length along a side of the image.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Length {
    /// Pixels.
    Pixels(f64),
    /// A part of the side, from 0 and below 1.
    Fraction(f64),
}

/// A colour in sRGB with its opacity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Color {
    /// 0 to 255.
    pub red: u8,
    /// 0 to 255.
    pub green: u8,
    /// 0 to 255.
    pub blue: u8,
    /// 0 is transparent, 255 opaque.
    pub alpha: u8,
}

/// In which format an image is sent (reference: delivery §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum OutputFormat {
    /// The best that the client takes.
    Auto,
    /// What every client takes: JPEG, or PNG where something shines through. It has no name that can be asked for; it is
    /// what images from elsewhere have when nothing is.
    Plain,
    /// AVIF if it can be, else WebP or JPEG.
    Avif,
    /// WebP.
    WebP,
    /// Progressive JPEG.
    Jpeg,
    /// Sequential JPEG.
    BaselineJpeg,
    /// PNG, or JPEG where it serves better.
    Png,
    /// PNG, whatever it costs.
    PngForce,
    /// SVG, which only an SVG can be sent as.
    Svg,
    /// A description instead of the image.
    Json,
}

impl OutputFormat {
    /// Every format that can be asked for.
    pub const ALL: [OutputFormat; 9] = [
        OutputFormat::Auto,
        OutputFormat::Avif,
        OutputFormat::WebP,
        OutputFormat::Jpeg,
        OutputFormat::BaselineJpeg,
        OutputFormat::Png,
        OutputFormat::PngForce,
        OutputFormat::Svg,
        OutputFormat::Json,
    ];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputFormat::Auto => "auto",
            OutputFormat::Plain => "plain",
            OutputFormat::Avif => "avif",
            OutputFormat::WebP => "webp",
            OutputFormat::Jpeg => "jpeg",
            OutputFormat::BaselineJpeg => "baseline-jpeg",
            OutputFormat::Png => "png",
            OutputFormat::PngForce => "png-force",
            OutputFormat::Svg => "svg",
            OutputFormat::Json => "json",
        }
    }

    /// Reads what [`OutputFormat::as_str`] returns.
    pub fn parse(text: &str) -> Option<OutputFormat> {
        OutputFormat::ALL.into_iter().find(|format| format.as_str() == text)
    }
}
