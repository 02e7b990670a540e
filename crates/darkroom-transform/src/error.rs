//! Why an image cannot be rendered.

use serde::{Deserialize, Serialize};

use crate::ProbeError;
use crate::plan::Size;

/// Why an image cannot be rendered, by what is answered (reference: errors §6).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum RenderError {
    /// The source is no image that can be read: 415.
    #[error("the requested file is not an image of a supported format")]
    NotAnImage,
    /// The source is of this type, which is not supported: 415.
    #[error("the {0} format is not supported")]
    Unsupported(String),
    /// A raster format was asked for of an SVG, or the other way round: 415.
    #[error("conversion between SVG and raster formats is not supported")]
    SvgConversion,
    /// The source is damaged; what is wrong with it, in the words of its decoder: 422.
    #[error("error during decoding: {0}")]
    Damaged(String),
    /// The source has more pixels than a limit allows: 403.
    #[error("the image is too large")]
    TooLarge,
    /// All frames of the animation have more pixels than a limit allows: 403.
    #[error("the animation is too large: {frames} frames of {width}×{height}")]
    AnimationTooLarge {
        /// Width of a frame.
        width: u32,
        /// Height of a frame.
        height: u32,
        /// How many there are.
        frames: u32,
        /// Pixels that all of them may have together.
        pixels_max: u64,
    },
    /// What was asked for is larger than a limit allows: 403.
    #[error("the image enlarged too much: {width}×{height}, at most {side_max} on a side")]
    EnlargedTooMuch {
        /// Width that would come out.
        width: u32,
        /// Height that would come out.
        height: u32,
        /// The most on a side.
        side_max: u32,
    },
    /// An encoder failed: 500.
    #[error("error during encoding: {0}")]
    Encoding(String),
}

impl RenderError {
    /// Bytes of a reason that is kept.
    const REASON_MAX: usize = 200;

    /// What a decoder said.
    pub(crate) fn damaged(reason: impl std::fmt::Display) -> RenderError {
        RenderError::Damaged(bounded(reason))
    }

    /// What an encoder said.
    pub(crate) fn encoding(reason: impl std::fmt::Display) -> RenderError {
        RenderError::Encoding(bounded(reason))
    }

    pub(crate) fn enlarged_too_much(output: Size, side_max: u32) -> RenderError {
        RenderError::EnlargedTooMuch { width: output.width, height: output.height, side_max }
    }
}

fn bounded(reason: impl std::fmt::Display) -> String {
    let mut reason = reason.to_string();
    reason.truncate(reason.floor_char_boundary(RenderError::REASON_MAX));
    reason
}

impl From<ProbeError> for RenderError {
    fn from(error: ProbeError) -> RenderError {
        match error {
            ProbeError::NotAnImage => RenderError::NotAnImage,
            ProbeError::Damaged(reason) => RenderError::damaged(reason),
            ProbeError::TooLarge | ProbeError::AnimationTooLarge => RenderError::TooLarge,
        }
    }
}
