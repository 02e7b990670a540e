//! SVG that can do no harm: what scripts, and what reaches out, is left away (reference: delivery §12).
//!
//! svg-hush reads the text as XML and writes it anew, with elements and attributes of a list only. It bounds neither
//! what entities expand to nor what it takes to go over a deep text, so that is judged before, in one walk.

use std::io::{self, Write};
use std::time::Instant;

use darkroom_model::image_options::OutputFormat;
use darkroom_model::{MediaType, RenderLimits};
use svg_hush::{FError, Filter, data_url_filter};

use crate::RenderError;
use crate::probe::{Probe, svg};
use crate::request::{RenderRequest, RenderTimes, Rendered, RenderedContent, RenderedFacts};

/// Elements in each other. Editors nest groups some ten deep; browsers end at a few hundred.
const DEPTH_MAX: usize = 256;

/// Elements times what each costs besides its own text: the levels above it, and the namespaces that are declared. A
/// drawing of a hundred thousand paths takes five million.
const WORK_MAX: usize = 100_000_000;

/// Renders an SVG: it is sent as one, whatever the options say, or described.
pub(crate) fn render(source: &[u8], probe: &Probe, request: &RenderRequest) -> Result<Rendered, RenderError> {
    let began = Instant::now();
    let (content, bytes) = match request.options.format {
        OutputFormat::Auto | OutputFormat::Plain | OutputFormat::Svg => {
            (RenderedContent::Image(MediaType::Svg), sanitise_svg(source, &request.limits)?)
        }
        OutputFormat::Json => (RenderedContent::Json, description(source.len(), probe).into_bytes()),
        OutputFormat::Avif
        | OutputFormat::WebP
        | OutputFormat::Jpeg
        | OutputFormat::BaselineJpeg
        | OutputFormat::Png
        | OutputFormat::PngForce => return Err(RenderError::SvgConversion),
    };
    let encode = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let facts = RenderedFacts {
        content,
        width: probe.width,
        height: probe.height,
        warnings: Vec::new(),
        times: RenderTimes { encode, ..RenderTimes::default() },
    };
    Ok(Rendered { facts, bytes })
}

/// Describes an SVG (reference: delivery §4.4), with sizes if it has them.
fn description(file_size: usize, probe: &Probe) -> String {
    let sizes = match (probe.width, probe.height) {
        (0, _) | (_, 0) => String::new(),
        (width, height) => format!(r#""width":{width},"height":{height},"#),
    };
    let format = MediaType::Svg.as_str();
    format!(r#"{{{sizes}"original":{{"file_size":{file_size},{sizes}"format":"{format}"}}}}"#)
}

/// Writes an SVG anew without what is dangerous in it: scripts, events, foreign content, styles that fetch, links to
/// elsewhere, document types. Embedded JPEG, PNG and GIF stay; other addresses lose their host.
///
/// Takes time and memory that are linear in the length of the text, and gives at most
/// [`RenderLimits::svg_bytes_max`] bytes.
pub fn sanitise_svg(bytes: &[u8], limits: &RenderLimits) -> Result<Vec<u8>, RenderError> {
    if bytes.len() > limits.svg_bytes_max {
        return Err(RenderError::TooLarge);
    }
    // Markup in an encoding of two bytes has zeros, and would be judged as what it is not.
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let text = text.ok_or(RenderError::NotAnImage)?;
    let body = svg::first_element(text).ok_or(RenderError::NotAnImage)?;
    let prolog = &text[..text.len() - body.len()];
    judge_entities(prolog, body, limits.svg_bytes_max)?;
    judge_elements(body)?;
    let mut filter = Filter::new();
    filter.set_data_url_filter(data_url_filter::allow_standard_images);
    let mut out = Bounded { bytes: Vec::new(), bytes_max: limits.svg_bytes_max, is_full: false };
    match filter.filter(text.as_bytes(), &mut out) {
        Ok(()) => Ok(out.bytes),
        Err(_) if out.is_full => Err(RenderError::TooLarge),
        Err(FError::Reader(error)) => Err(RenderError::damaged(error.msg())),
        Err(FError::Writer(error)) => Err(RenderError::damaged(error)),
    }
}

/// Refuses entities that become too much: those that refer to others or hold elements, and those that are long and
/// often used.
fn judge_entities(prolog: &str, body: &str, bytes_max: usize) -> Result<(), RenderError> {
    const DECLARATION: &str = "<!ENTITY";
    if body.contains(DECLARATION) {
        return Err(RenderError::damaged("the SVG declares an entity behind its first element"));
    }
    let Some(start) = prolog.find(DECLARATION) else { return Ok(()) };
    let declarations = &prolog[start..];
    let is_plain = !declarations.contains('%')
        && declarations.split('<').skip(1).all(|markup| markup.starts_with(['!', '?']))
        && declarations.split('&').skip(1).all(is_plain_character);
    if !is_plain {
        return Err(RenderError::damaged("the SVG has entities of more than text"));
    }
    // No entity is longer than all declarations.
    let references = body.split('&').skip(1).filter(|reference| !reference.starts_with('#')).count();
    if references.saturating_mul(declarations.len()) > bytes_max {
        return Err(RenderError::TooLarge);
    }
    Ok(())
}

/// Says whether the text behind `&` names a character by its number, and none that begins an element or a reference.
fn is_plain_character(reference: &str) -> bool {
    let number = reference.strip_prefix('#').and_then(|rest| rest.split_once(';'));
    let value = number.and_then(|(number, _)| match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    });
    value.and_then(char::from_u32).is_some_and(|value| !['&', '%', '<'].contains(&value))
}

/// Refuses a text that is too deep, or too costly for its depth, elements and namespaces.
fn judge_elements(text: &str) -> Result<(), RenderError> {
    let (mut depth, mut work) = (0_usize, 0_usize);
    let namespaces = text.matches("xmlns").count();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        let passed = |start: &str, end| behind.strip_prefix(start).map(|inside| inside.split_once(end));
        if let Some(passed) = passed("!--", "-->").or(passed("![CDATA[", "]]>")).or(passed("?", "?>")) {
            rest = passed.map_or("", |(_, behind)| behind);
            continue;
        }
        let end = tag_end(behind);
        let (tag, after) = behind.split_at(end);
        rest = after;
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
            continue;
        }
        work = work.saturating_add(depth + namespaces);
        if !tag.ends_with('/') {
            depth += 1;
        }
        if depth > DEPTH_MAX || work > WORK_MAX {
            return Err(RenderError::damaged("the SVG is too deep, or has too many elements"));
        }
    }
    Ok(())
}

/// Finds the `>` that ends a tag, past those in quotes; the end of the text if there is none.
fn tag_end(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// Bytes that are written up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
