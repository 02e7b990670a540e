//! From the bytes of a file to those of a rendering.

use std::time::Instant;

use darkroom_model::Limits;

use crate::codecs::{self, Decoder, EncodeOptions};
use crate::encoding::{self, Facts};
use crate::geometry::{self, Geometry};
use crate::picture::Picture;
use crate::request::{RenderRequest, RenderTimes, Rendered, RenderedContent, RenderedFacts};
use crate::{RenderError, probe, steps};

/// Quality where none is asked for (reference: delivery §4.3).
const QUALITY: u8 = 85;

/// Renders a file.
///
/// Reads no clock but to tell how long it took; the same bytes and request make the same bytes.
pub fn render(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    let limits = Limits {
        pixels_max: request.limits.pixels_max,
        side_max: request.limits.side_max,
        ..Limits::default()
    };
    let probe = probe(source, &limits)?;
    let began = Instant::now();
    let mut decoder = codecs::open(source, &probe, &request.limits)?;
    let geometry = plan(&*decoder, request)?;
    let frame = decoder.next_frame(shrink(&geometry))?;
    let frame = frame.ok_or_else(|| RenderError::damaged("the file has no picture"))?;
    let decoded = Instant::now();
    let picture = develop(frame.picture, decoder.header().size, &geometry, request)?;
    let facts = Facts {
        source: probe.media_type,
        output: picture.size,
        is_animated: false,
        is_opaque: picture.is_opaque(),
    };
    let (encoding, warning) = encoding::choose(request, facts);
    let stepped = Instant::now();
    let options = EncodeOptions {
        quality: request.options.quality.unwrap_or(QUALITY),
        is_quality_given: request.options.quality.is_some(),
        is_fast: request.options.fast_compression,
        exif: None,
    };
    let bytes = codecs::encode(&picture, encoding, options)?;
    let encoded = Instant::now();
    let micros = |from: Instant, to: Instant| u64::try_from((to - from).as_micros()).unwrap_or(u64::MAX);
    let facts = RenderedFacts {
        content: RenderedContent::Image(encoding.media_type()),
        width: picture.size.width,
        height: picture.size.height,
        warnings: warning.into_iter().map(str::to_owned).collect(),
        times: RenderTimes {
            decode: micros(began, decoded),
            steps: micros(decoded, stepped),
            encode: micros(stepped, encoded),
        },
    };
    Ok(Rendered { facts, bytes })
}

/// Works out where each pixel comes from, and refuses what would become too large.
fn plan(decoder: &dyn Decoder, request: &RenderRequest) -> Result<Geometry, RenderError> {
    let header = decoder.header();
    let options = &request.options;
    let trimmed = geometry::trimmed(header.upright.size(header.size), &options.trim, options.dpr);
    let geometry = Geometry::new(header.size, header.upright, trimmed, options);
    for size in [geometry.plan.scaled, geometry.plan.output] {
        let area = u64::from(size.width) * u64::from(size.height);
        let side_max = request.limits.output_side_max;
        if size.width.max(size.height) > side_max || area > request.limits.output_pixels_max {
            return Err(RenderError::enlarged_too_much(size, side_max));
        }
    }
    Ok(geometry)
}

/// How much smaller a decoder may give a picture. Where it would give just the size that is wanted, half as much: the
/// last step down to it is what Lanczos' filter is better at.
fn shrink(geometry: &Geometry) -> u32 {
    let shrink = geometry.shrink();
    [8, 4, 2].into_iter().find(|factor| f64::from(*factor) <= shrink * 0.75).unwrap_or(1)
}

/// Does every step, in the order of the reference (delivery §5.1).
fn develop(
    picture: Picture,
    stored: crate::plan::Size,
    geometry: &Geometry,
    _request: &RenderRequest,
) -> Result<Picture, RenderError> {
    let part = geometry.source.scaled(stored, picture.size);
    let picture = steps::resize::resize(picture, part, geometry.resized)?;
    Ok(steps::turn::turn(picture, geometry.turn))
}
