//! SVG: a UTF-8 text whose first element is `svg` and whose last tag closes it. Nothing is expanded or resolved.

use super::{ProbeError, Shape};

/// What may stand before the first element, in bytes. Editors write long comments and lists of entities there.
const PROLOG_MAX: usize = 256 << 10;

const CUT_OFF: ProbeError = ProbeError::Damaged("the SVG ends before its first element does");

pub(super) fn is_svg(bytes: &[u8]) -> bool {
    // Anything but text is told apart by its first bytes, before all of it is looked at.
    let first = bytes.trim_ascii_start().first();
    if !matches!(first, Some(b'<' | 0xef)) {
        return false;
    }
    std::str::from_utf8(bytes).ok().and_then(root).is_some()
}

pub(super) fn walk(bytes: &[u8]) -> Result<Shape, ProbeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ProbeError::NotAnImage)?;
    let root = root(text).ok_or(ProbeError::NotAnImage)?;
    let tag = read_tag(root.rest)?;
    if !tag.is_empty_element && !closes(text, root.name) {
        return Err(ProbeError::Damaged("the SVG's first element is not closed"));
    }
    let (width, height) = tag.size();
    Ok(Shape::still(width, height))
}

/// Returns the text from the first element on, if that is `svg`.
pub(crate) fn first_element(text: &str) -> Option<&str> {
    // Its name stands behind `<`.
    root(text).map(|root| &text[text.len() - root.rest.len() - root.name.len() - 1..])
}

/// The first element: its name, and the text behind the name.
struct Root<'a> {
    name: &'a str,
    rest: &'a str,
}

/// Finds the first element behind declaration, comments, instructions and document type; `None` if it is no `svg`.
fn root(text: &str) -> Option<Root<'_>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_ascii_start();
        if text.len() - rest.len() > PROLOG_MAX {
            return None;
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            rest = instruction.split_once("?>")?.1;
        } else if let Some(doctype) = rest.strip_prefix("<!DOCTYPE") {
            rest = after_doctype(doctype)?;
        } else {
            let element = rest.strip_prefix('<')?;
            let end = element.find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')?;
            let (name, rest) = element.split_at(end);
            let local_name = name.rsplit_once(':').map_or(name, |(_, local_name)| local_name);
            return (local_name == "svg").then_some(Root { name, rest });
        }
    }
}

/// Passes over a document type, its quoted texts and its declarations in brackets.
fn after_doctype(text: &str) -> Option<&str> {
    let mut rest = text;
    let mut in_brackets = false;
    loop {
        let at = rest.find(['"', '\'', '[', ']', '>', '<'])?;
        let (mark, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match mark {
            b'"' => behind.split_once('"')?.1,
            b'\'' => behind.split_once('\'')?.1,
            // Comments and instructions may hold a lone quote.
            b'<' if behind.starts_with("!--") => behind.split_once("-->")?.1,
            b'<' if behind.starts_with('?') => behind.split_once("?>")?.1,
            b'>' if !in_brackets => return Some(behind),
            b'[' | b']' => {
                in_brackets = mark == b'[';
                behind
            }
            _ => behind,
        };
    }
}

/// What the tag of the first element says.
#[derive(Default)]
struct Tag<'a> {
    width: Option<&'a str>,
    height: Option<&'a str>,
    view_box: Option<&'a str>,
    is_empty_element: bool,
}

/// Reads the attributes up to the end of the tag.
fn read_tag(text: &str) -> Result<Tag<'_>, ProbeError> {
    const WRONG: ProbeError = ProbeError::Damaged("the tag of the SVG's first element is wrong");
    let mut tag = Tag::default();
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        match rest.as_bytes() {
            [] | [b'/'] => return Err(CUT_OFF),
            [b'>', ..] => return Ok(tag),
            [b'/', b'>', ..] => {
                tag.is_empty_element = true;
                return Ok(tag);
            }
            _ => {}
        }
        let (name, behind) = rest.split_once('=').ok_or(CUT_OFF)?;
        let name = name.trim_ascii_end();
        let behind = behind.trim_ascii_start();
        let quote = behind.chars().next().ok_or(CUT_OFF)?;
        if !matches!(quote, '"' | '\'') || name.is_empty() || name.contains(['<', '>', '"', '\'', '/']) {
            return Err(WRONG);
        }
        let (value, behind) = behind[1..].split_once(quote).ok_or(CUT_OFF)?;
        match name {
            "width" => tag.width = Some(value),
            "height" => tag.height = Some(value),
            "viewBox" => tag.view_box = Some(value),
            _ => {}
        }
        rest = behind;
    }
}

impl Tag<'_> {
    /// Returns width and height if both are plain numbers of pixels, else those of the view box, else 0.
    fn size(&self) -> (u32, u32) {
        let stated = self.width.and_then(pixels).zip(self.height.and_then(pixels));
        stated.or_else(|| self.view_box.and_then(view_box_size)).unwrap_or((0, 0))
    }
}

fn view_box_size(text: &str) -> Option<(u32, u32)> {
    let is_separator = |c: char| c.is_ascii_whitespace() || c == ',';
    let mut numbers = text.split(is_separator).filter(|number| !number.is_empty());
    let (width, height) = (numbers.nth(2)?, numbers.next()?);
    if numbers.next().is_some() { None } else { pixels(width).zip(pixels(height)) }
}

/// Reads a number, `px` behind it or not, rounded to whole pixels; at least 1.
fn pixels(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    let number = text.strip_suffix("px").unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if number.len() > 20 || !number.bytes().all(is_plain) {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    // Above the range of `u32` the conversion stays at its end.
    (number > 0.0).then(|| (number.round() as u32).max(1))
}

/// Says whether the text ends with the closing tag of this name, comments and instructions behind it aside.
fn closes(text: &str, name: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_end();
        let marks = if rest.ends_with("-->") {
            "<!--"
        } else if rest.ends_with("?>") {
            "<?"
        } else {
            break;
        };
        match rest.rfind(marks) {
            Some(start) => rest = &rest[..start],
            None => return false,
        }
    }
    let before_end = rest.strip_suffix('>').map(str::trim_ascii_end);
    before_end.and_then(|rest| rest.strip_suffix(name)).is_some_and(|rest| rest.ends_with("</"))
}
