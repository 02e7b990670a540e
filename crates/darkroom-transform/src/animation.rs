//! Which animations stay one (reference: delivery §7).

use darkroom_model::MediaType;
use darkroom_model::image_options::OutputFormat;

use crate::probe::Probe;
use crate::request::RenderRequest;

/// Says whether a file is sent as it is, for it is an animation with more pixels than are worked on.
///
/// [`render`](crate::render()) returns such a file unchanged; who knows it beforehand need not ask.
pub fn is_sent_untransformed(probe: &Probe, request: &RenderRequest) -> bool {
    request.options.format != OutputFormat::Json && is_left_alone(probe, request)
}

/// Says whether nothing is done to an animation, whether it is sent or described: it is too large to be worked on, though
/// not to be delivered.
pub(crate) fn is_left_alone(probe: &Probe, request: &RenderRequest) -> bool {
    let frame = u64::from(probe.width) * u64::from(probe.height);
    let pixels = frame.saturating_mul(probe.frames.into());
    let limits = &request.limits;
    is_kept(probe, request) && pixels > limits.animation_pixels_max && pixels <= limits.pixels_max
}

/// Says whether an image has several frames and is to keep them: not in a format that shows the first one only.
pub(crate) fn is_kept(probe: &Probe, request: &RenderRequest) -> bool {
    let has_frames = probe.frames > 1 && matches!(probe.media_type, MediaType::Gif | MediaType::WebP);
    let format = request.options.format;
    let holds_frames =
        matches!(format, OutputFormat::Auto | OutputFormat::Plain | OutputFormat::WebP | OutputFormat::Json);
    has_frames && request.options.animated && holds_frames
}
