//! Pixels: bytes in, facts or bytes out. No socket, no file, no clock.
//!
//! [`probe()`] looks at an uploaded file and says what it is. It walks over the container (segments, chunks, blocks,
//! boxes, the first tags of a text) and decodes no pixel, so that its time is linear in the length of the file and its
//! memory constant, whatever the file claims.
//!
//! [`render()`] makes of a file what a [`RenderRequest`] asks for. What a stranger's bytes can do to it, a process of its
//! own has to hold: no decoder has a limit of time.

/// Raised whenever the same request on the same bytes makes other bytes than before: what was kept is then made again.
pub const OUTPUT_VERSION: u32 = 3;

mod animation;
mod codecs;
mod color;
mod encoding;
mod error;
pub mod fuzz_targets;
mod geometry;
mod look;
mod metadata;
mod picture;
pub mod plan;
pub mod probe;
mod recipe;
mod render;
mod request;
mod steps;
mod svg;

pub use animation::is_sent_untransformed;
pub use error::RenderError;
pub use probe::{Probe, ProbeError, probe};
pub use render::render;
pub use request::{Accepts, RenderRequest, RenderTimes, Rendered, RenderedContent, RenderedFacts};
pub use svg::sanitise_svg;
