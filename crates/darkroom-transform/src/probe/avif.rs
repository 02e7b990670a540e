//! AVIF: boxes. A still picture is an item of `meta`, whose size is a property; a sequence is a track of `moov`.

use super::boxes::{Box, boxes, child};
use super::view::View;
use super::{ProbeError, Shape};

const WRONG_META: ProbeError = ProbeError::Damaged("the AVIF's description of its items is wrong");
const NO_SIZE: ProbeError = ProbeError::Damaged("the AVIF does not tell its size");

/// Properties that an index of 15 bits can name.
const PROPERTIES_MAX: usize = (1 << 15) - 1;

/// Says whether the file names AVIF among the brands of its first box. HEIC has the same boxes and other brands.
pub(super) fn is_avif(view: View<'_>) -> bool {
    let Some(Ok(first)) = boxes(view).next() else { return false };
    if first.kind != *b"ftyp" {
        return false;
    }
    // The first brand, its version, then the compatible brands.
    let brands = first.data.bytes().chunks_exact(4).enumerate();
    brands.filter(|(index, _)| *index != 1).any(|(_, brand)| matches!(brand, b"avif" | b"avis"))
}

pub(super) fn walk(view: View<'_>) -> Result<Shape, ProbeError> {
    let (mut picture, mut track, mut has_data) = (None, None, false);
    for item in boxes(view) {
        let item = item?;
        match &item.kind {
            b"meta" if picture.is_none() => picture = Some(read_meta(item.data, view.len())?),
            b"moov" if track.is_none() => track = read_moov(item.data)?,
            b"mdat" => has_data = true,
            _ => {}
        }
    }
    let has_data = has_data || picture.is_some_and(|picture: Picture| picture.has_own_data);
    if !has_data {
        return Err(ProbeError::Damaged("the AVIF has no image data"));
    }
    let sizes = (picture.map(|picture| picture.size), track.map(|track: Track| track.size));
    let (width, height) = sizes.0.or(sizes.1).ok_or(NO_SIZE)?;
    if width == 0 || height == 0 {
        return Err(ProbeError::Damaged("the AVIF has a side of 0"));
    }
    let (track_width, track_height) = sizes.1.unwrap_or_default();
    let frames = track.map_or(1, |track| track.frames.max(1));
    Ok(Shape { width, height, frames, largest: (width.max(track_width), height.max(track_height)) })
}

#[derive(Clone, Copy)]
struct Picture {
    size: (u32, u32),
    has_own_data: bool,
}

#[derive(Clone, Copy)]
struct Track {
    size: (u32, u32),
    frames: u32,
}

/// Reads `meta`: which item is the picture, which size it has, and that its data lies within the file.
fn read_meta(meta: View<'_>, file_length: u64) -> Result<Picture, ProbeError> {
    let (mut primary, mut properties, mut has_own_data) = (None, None, false);
    // Version and flags come first.
    for item in boxes(meta.from(4).ok_or(WRONG_META)?) {
        let item = item?;
        match &item.kind {
            b"pitm" => primary = Some(read_primary_item(item.data).ok_or(WRONG_META)?),
            b"iprp" => properties = Some(item.data),
            b"iloc" => check_locations(item.data, file_length)?,
            b"idat" => has_own_data = true,
            _ => {}
        }
    }
    let (primary, properties) = primary.zip(properties).ok_or(WRONG_META)?;
    Ok(Picture { size: item_size(properties, primary)?, has_own_data })
}

fn read_primary_item(data: View<'_>) -> Option<u32> {
    if data.u8(0)? == 0 { data.u16_be(4).map(u32::from) } else { data.u32_be(4) }
}

/// Finds the size among the properties of an item.
fn item_size(properties: View<'_>, item: u32) -> Result<(u32, u32), ProbeError> {
    let mut sizes = Vec::new();
    let mut found = None;
    for part in boxes(properties) {
        let part = part?;
        match &part.kind {
            b"ipco" if sizes.is_empty() => {
                for property in boxes(part.data).take(PROPERTIES_MAX) {
                    sizes.push(read_size(property?)?);
                }
            }
            b"ipma" if found.is_none() => {
                let is_size = |index: u16| sizes.get(usize::from(index).checked_sub(1)?).copied().flatten();
                found = read_associations(part.data, item, is_size).ok_or(WRONG_META)?;
            }
            _ => {}
        }
    }
    found.ok_or(NO_SIZE)
}

/// Reads a property; `None` if it is not the size.
fn read_size(property: Box<'_>) -> Result<Option<(u32, u32)>, ProbeError> {
    if property.kind != *b"ispe" {
        return Ok(None);
    }
    property.data.u32_be(4).zip(property.data.u32_be(8)).map(Some).ok_or(WRONG_META)
}

/// Reads which properties belong to which item, and returns the first size of this one; `None` if the list is cut off.
fn read_associations(
    data: View<'_>,
    item: u32,
    size_of: impl Fn(u16) -> Option<(u32, u32)>,
) -> Option<Option<(u32, u32)>> {
    let (version, has_wide_indices) = (data.u8(0)?, data.u8(3)? & 1 == 1);
    let (id_length, index_length) = (if version == 0 { 2 } else { 4 }, if has_wide_indices { 2 } else { 1 });
    let mut found = None;
    let mut at = 8;
    for _ in 0..data.u32_be(4)? {
        let id = data.number_be(at, id_length)?;
        let count = u64::from(data.u8(at + id_length)?);
        at += id_length + 1;
        for _ in 0..count {
            // The highest bit says that the property must be understood.
            let index =
                if has_wide_indices { data.u16_be(at)? & 0x7fff } else { (data.u8(at)? & 0x7f).into() };
            at += index_length;
            if id == u64::from(item) && found.is_none() {
                found = size_of(index);
            }
        }
    }
    Some(found)
}

/// Checks that every extent that lies in the file lies within it.
fn check_locations(data: View<'_>, file_length: u64) -> Result<(), ProbeError> {
    match locations_fit(data, file_length) {
        Some(true) => Ok(()),
        Some(false) => Err(ProbeError::Damaged("the AVIF is shorter than the place of its image data")),
        None => Err(WRONG_META),
    }
}

fn locations_fit(data: View<'_>, file_length: u64) -> Option<bool> {
    let version = data.u8(0)?;
    let (lengths, more_lengths) = (data.u8(4)?, data.u8(5)?);
    let (offset_length, length_length) = (u64::from(lengths >> 4), u64::from(lengths & 15));
    let base_length = u64::from(more_lengths >> 4);
    let index_length = if version == 0 { 0 } else { u64::from(more_lengths & 15) };
    let id_length = if version < 2 { 2 } else { 4 };
    let mut at = 6 + id_length;
    for _ in 0..data.number_be(6, id_length)? {
        at += id_length;
        let is_in_file = version == 0 || {
            at += 2;
            data.u16_be(at - 2)? & 15 == 0
        };
        at += 2;
        let base = data.number_be(at, base_length)?;
        at += base_length;
        let extents = u64::from(data.u16_be(at)?);
        at += 2;
        // Extents that take no bytes are all alike; walking each would cost more than the file is long.
        let extents =
            if index_length + offset_length + length_length == 0 { extents.min(1) } else { extents };
        for _ in 0..extents {
            at += index_length;
            let offset = data.number_be(at, offset_length)?;
            let length = data.number_be(at + offset_length, length_length)?;
            at += offset_length + length_length;
            let end = base.checked_add(offset).and_then(|start| start.checked_add(length));
            if is_in_file && end.is_none_or(|end| end > file_length) {
                return Some(false);
            }
        }
        // An item takes at least four bytes, so that a large claimed number of items ends with the data.
    }
    Some(true)
}

/// Reads the largest track with pictures; `None` if there is none.
fn read_moov(moov: View<'_>) -> Result<Option<Track>, ProbeError> {
    let mut largest: Option<Track> = None;
    for item in boxes(moov) {
        let item = item?;
        if item.kind != *b"trak" {
            continue;
        }
        let size = child(item.data, b"tkhd")?.and_then(track_size);
        let Some(media) = child(item.data, b"mdia")? else { continue };
        let Some(information) = child(media, b"minf")? else { continue };
        let Some(table) = child(information, b"stbl")? else { continue };
        // Version and flags, the common length of the samples, their number.
        let frames = child(table, b"stsz")?.and_then(|sizes| sizes.u32_be(8));
        if let Some((size, frames)) = size.zip(frames) {
            let before = largest.unwrap_or(Track { size: (0, 0), frames: 0 });
            let size = (size.0.max(before.size.0), size.1.max(before.size.1));
            largest = Some(Track { size, frames: frames.max(before.frames) });
        }
    }
    Ok(largest)
}

/// Reads width and height at the end of a track's header, each with 16 bits of fraction.
fn track_size(header: View<'_>) -> Option<(u32, u32)> {
    let at = header.len().checked_sub(8)?;
    Some((header.u32_be(at)? >> 16, header.u32_be(at + 4)? >> 16))
}
