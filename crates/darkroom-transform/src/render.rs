//! From the bytes of a file to those of a rendering.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use darkroom_model::image_options::OutputFormat;
use darkroom_model::{Limits, MediaType, RenderLimits};

use crate::codecs::{self, AnimationEncoder, Decoder, EncodeOptions, Frame};
use crate::encoding::{self, Facts};
use crate::plan::Size;
use crate::probe::{Probe, ProbeError};
use crate::recipe::Recipe;
use crate::request::{RenderRequest, RenderTimes, Rendered, RenderedContent, RenderedFacts};
use crate::{RenderError, animation, metadata, probe, steps, svg};

/// Quality where none is asked for (reference: delivery §4.3).
const QUALITY: u8 = 85;

/// Renders a file.
///
/// Reads no clock but to tell how long it took; the same bytes and request make the same bytes.
pub fn render(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    // No decoder is meant to panic, and fuzzing looks for where one does. Until it is found, a stranger's file costs an
    // error and not the process. Nothing that is seen afterwards was touched before.
    let rendered = catch_unwind(AssertUnwindSafe(|| render_unguarded(source, request)));
    rendered.unwrap_or_else(|_| Err(RenderError::damaged("a codec gave up on it")))
}

/// As [`render`], but a panic of a codec goes through, for fuzzing to find.
pub(crate) fn render_unguarded(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    let probe = look_at(source, request)?;
    if probe.media_type == MediaType::Svg {
        return svg::render(source, &probe, request);
    }
    if animation::is_sent_untransformed(&probe, request) {
        return Ok(unchanged(source, &probe));
    }
    match request.options.format {
        OutputFormat::Json => describe(source, &probe, request),
        OutputFormat::Svg => Err(RenderError::SvgConversion),
        _ if animation::is_kept(&probe, request) => render_animation(source, &probe, request),
        _ => render_still(source, &probe, request),
    }
}

/// Says what a file is. Frames that are not asked for do not count against it.
fn look_at(source: &[u8], request: &RenderRequest) -> Result<Probe, RenderError> {
    let RenderLimits { pixels_max, side_max, .. } = request.limits;
    let limits = Limits { pixels_max, side_max, ..Limits::default() };
    match probe(source, &limits) {
        Err(ProbeError::AnimationTooLarge) => {
            let probe = probe(source, &Limits { pixels_max: u64::MAX, ..limits })?;
            if !animation::is_kept(&probe, request) {
                return Ok(probe);
            }
            let Probe { width, height, frames, .. } = probe;
            Err(RenderError::AnimationTooLarge { width, height, frames, pixels_max })
        }
        probed => Ok(probed?),
    }
}

fn render_still(source: &[u8], probe: &Probe, request: &RenderRequest) -> Result<Rendered, RenderError> {
    let mut watch = Stopwatch::start();
    let source = codecs::completed(source, probe);
    let mut decoder = codecs::open(&source, probe, &request.limits)?;
    let mut recipe = Recipe::new(decoder.header(), probe.media_type, request)?;
    let frame = first_frame(&mut *decoder, &recipe)?;
    let header = decoder.header().clone();
    // What later frames would need takes as much memory as a picture.
    drop(decoder);
    watch.times.decode = watch.lap();
    recipe.look_at(&frame.picture)?;
    let picture = steps::develop(frame.picture, &recipe)?;
    let facts = Facts {
        source: probe.media_type,
        output: picture.size,
        is_animated: false,
        is_opaque: picture.is_opaque(),
    };
    let (encoding, warning) = encoding::choose(request, facts);
    watch.times.steps = watch.lap();
    let exif = metadata::kept(&header, request.options.metadata);
    let options = EncodeOptions {
        quality: request.options.quality.unwrap_or(QUALITY),
        is_quality_given: request.options.quality.is_some(),
        is_fast: request.options.fast_compression,
        exif: exif.as_deref(),
    };
    let bytes = codecs::encode(&picture, encoding, options)?;
    watch.times.encode = watch.lap();
    let facts = RenderedFacts {
        content: RenderedContent::Image(encoding.media_type()),
        width: picture.size.width,
        height: picture.size.height,
        warnings: recipe.warnings().into_iter().chain(warning.map(str::to_owned)).collect(),
        times: watch.times,
    };
    Ok(Rendered { facts, bytes })
}

/// Renders one frame after the other: of each, the pixels are gone before the next ones come.
fn render_animation(source: &[u8], probe: &Probe, request: &RenderRequest) -> Result<Rendered, RenderError> {
    let mut watch = Stopwatch::start();
    let mut decoder = codecs::open(source, probe, &request.limits)?;
    let mut recipe = Recipe::new(decoder.header(), probe.media_type, request)?;
    let mut frame = first_frame(&mut *decoder, &recipe)?;
    watch.times.decode = watch.lap();
    recipe.look_at(&frame.picture)?;
    let output = recipe.geometry.plan.output;
    let pixels = u64::from(output.width) * u64::from(output.height);
    if pixels.saturating_mul(probe.frames.into()) > request.limits.output_pixels_max {
        return Err(RenderError::enlarged_too_much(output, request.limits.output_side_max));
    }
    let facts = Facts { source: probe.media_type, output, is_animated: true, is_opaque: false };
    let (encoding, warning) = encoding::choose(request, facts);
    let quality = request.options.quality.unwrap_or(QUALITY);
    let mut encoder: Option<(Size, AnimationEncoder)> = None;
    loop {
        watch.times.decode += watch.lap();
        let picture = steps::develop(frame.picture, &recipe)?;
        watch.times.steps += watch.lap();
        let (_, encoder) = match &mut encoder {
            Some(encoder) => encoder,
            None => {
                let loop_count = decoder.header().loop_count;
                let begun = AnimationEncoder::new(encoding, picture.size, loop_count, quality)?;
                encoder.insert((picture.size, begun))
            }
        };
        encoder.add(&picture, frame.delay_ms)?;
        watch.times.encode += watch.lap();
        let Some(next) = decoder.next_frame(1)? else { break };
        frame = next;
    }
    watch.times.decode += watch.lap();
    let (size, bytes) = match encoder {
        Some((size, encoder)) => (size, encoder.finish()?),
        None => return Err(RenderError::encoding("the animation has no frame")),
    };
    watch.times.encode += watch.lap();
    let facts = RenderedFacts {
        content: RenderedContent::Image(encoding.media_type()),
        width: size.width,
        height: size.height,
        warnings: recipe.warnings().into_iter().chain(warning.map(str::to_owned)).collect(),
        times: watch.times,
    };
    Ok(Rendered { facts, bytes })
}

fn first_frame(decoder: &mut dyn Decoder, recipe: &Recipe<'_>) -> Result<Frame, RenderError> {
    let frame = decoder.next_frame(recipe.shrink_max())?;
    frame.ok_or_else(|| RenderError::damaged("the file has no picture"))
}

/// Describes a rendering instead of making it (reference: delivery §4.4).
fn describe(source: &[u8], probe: &Probe, request: &RenderRequest) -> Result<Rendered, RenderError> {
    let original = Size { width: probe.width, height: probe.height };
    let is_svg = probe.media_type == MediaType::Svg;
    let size = match is_svg || animation::is_left_alone(probe, request) {
        true => original,
        false => output_size(source, probe, request)?,
    };
    let (length, media_type) = (source.len(), probe.media_type.as_str());
    let sides = |Size { width, height }| format!(r#""width":{width},"height":{height},"#);
    // An SVG need not say how large it is.
    let sides = |size: Size| if size.width > 0 && size.height > 0 { sides(size) } else { String::new() };
    let json = format!(
        r#"{{{}"original":{{"file_size":{length},{}"format":"{media_type}"}}}}"#,
        sides(size),
        sides(original)
    );
    let facts = facts_of(RenderedContent::Json, size);
    Ok(Rendered { facts, bytes: json.into_bytes() })
}

/// Says how large a rendering would be. Only where a border is to be found, that takes its pixels.
fn output_size(source: &[u8], probe: &Probe, request: &RenderRequest) -> Result<Size, RenderError> {
    let source = codecs::completed(source, probe);
    let mut decoder = codecs::open(&source, probe, &request.limits)?;
    let mut recipe = Recipe::new(decoder.header(), probe.media_type, request)?;
    if request.options.trim.border.is_some() {
        recipe.look_at(&first_frame(&mut *decoder, &recipe)?.picture)?;
    }
    Ok(recipe.geometry.plan.output)
}

/// The file as it is.
fn unchanged(source: &[u8], probe: &Probe) -> Rendered {
    let size = Size { width: probe.width, height: probe.height };
    Rendered { facts: facts_of(RenderedContent::Image(probe.media_type), size), bytes: source.to_vec() }
}

/// Facts of what took no work.
fn facts_of(content: RenderedContent, size: Size) -> RenderedFacts {
    RenderedFacts {
        content,
        width: size.width,
        height: size.height,
        warnings: Vec::new(),
        times: RenderTimes::default(),
    }
}

/// Tells where the time goes.
struct Stopwatch {
    times: RenderTimes,
    since: Instant,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { times: RenderTimes::default(), since: Instant::now() }
    }

    /// Returns the microseconds since the last call.
    fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let since = std::mem::replace(&mut self.since, now);
        u64::try_from((now - since).as_micros()).unwrap_or(u64::MAX)
    }
}
