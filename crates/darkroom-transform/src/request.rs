//! What is asked of a renderer, and what it gives.

use darkroom_model::{ImageOptions, MediaType, RenderLimits};
use serde::{Deserialize, Serialize};

/// What is to be made of a source. The same request on the same bytes makes the same bytes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RenderRequest {
    /// How the image is shown. Width is in pixels or not said ([`Width::Auto`](darkroom_model::image_options::Width)
    /// counts as not said), and `quality` is that of this client's line.
    pub options: ImageOptions,
    /// What the client takes. Looked at with [`OutputFormat::Auto`](darkroom_model::image_options::OutputFormat) only.
    pub accepts: Accepts,
    /// What it may cost.
    pub limits: RenderLimits,
}

/// Formats that a client says it takes, beside those that all take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Accepts {
    /// `image/avif`.
    pub avif: bool,
    /// `image/webp`.
    pub webp: bool,
}

/// A rendering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// What it is.
    pub facts: RenderedFacts,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What is known of a rendering besides its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenderedFacts {
    /// What the bytes are.
    pub content: RenderedContent,
    /// Width in pixels; 0 for an SVG that says none.
    pub width: u32,
    /// Height in pixels; 0 for an SVG that says none.
    pub height: u32,
    /// Where it is not quite what was asked for; at most [`RenderedFacts::WARNINGS_MAX`].
    pub warnings: Vec<String>,
    /// How long it took.
    pub times: RenderTimes,
}

impl RenderedFacts {
    /// Warnings of one rendering.
    pub const WARNINGS_MAX: usize = 8;
}

/// What the bytes of a rendering are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum RenderedContent {
    /// An image.
    Image(MediaType),
    /// A description of one (reference: delivery §4.4).
    Json,
}

/// Where the time of a rendering went, in microseconds of the clock on the wall.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct RenderTimes {
    /// Reading pixels out of the source.
    pub decode: u64,
    /// All steps between.
    pub steps: u64,
    /// Writing the output.
    pub encode: u64,
}
