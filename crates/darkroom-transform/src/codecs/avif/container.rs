//! The container of an AVIF: where its pictures lie, and how they are shown (ISO/IEC 23008-12, "HEIF"; the AV1 Image
//! File Format of the Alliance for Open Media).
//!
//! Nothing is reserved by what a header claims: each list ends with the bytes that it is read from, and has a limit.

use std::borrow::Cow;

use crate::RenderError;
use crate::geometry::Turn;
use crate::plan::Size;
use crate::probe::boxes::{Box, boxes, child};
use crate::probe::view::View;

/// Items of a file. A picture of 100 megapixels in tiles of 256×256 has 1,526, and a transparent one twice as many.
const ITEMS_MAX: usize = 4_096;

/// Tiles of a picture.
const TILES_MAX: usize = 2_048;

/// Auxiliary pictures that are looked at in search of the transparency; others hold depths, or light.
const AUXILIARIES_MAX: usize = 16;

/// What an AVIF holds.
#[derive(Debug)]
pub(super) struct Container<'a> {
    /// The colours.
    pub(super) color: Coded<'a>,
    /// The opacity, as a picture of one channel.
    pub(super) alpha: Option<Coded<'a>>,
    /// Whether the colours are multiplied with the opacity.
    pub(super) is_premultiplied: bool,
    /// What makes it upright.
    pub(super) upright: Turn,
    pub(super) icc_profile: Option<&'a [u8]>,
    /// How colours are written, where the container says so.
    pub(super) coding: Option<ColorCoding>,
    /// Its EXIF metadata: a TIFF file.
    pub(super) exif: Option<Vec<u8>>,
}

/// A picture as it is coded: tiles of one size, row by row.
#[derive(Debug)]
pub(super) struct Coded<'a> {
    pub(super) size: Size,
    /// Tiles in a row; 1 if it is in one piece.
    pub(super) columns: u32,
    /// INVARIANT: not empty, and a multiple of `columns`.
    pub(super) tiles: Vec<Cow<'a, [u8]>>,
}

/// How colours are written, in the numbers of ISO/IEC 23091-2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ColorCoding {
    pub(super) matrix: u16,
    pub(super) is_full_range: bool,
}

/// Reads the container.
pub(super) fn read(file: &[u8]) -> Result<Container<'_>, RenderError> {
    let file = View::new(file);
    let meta = child(file, b"meta")?.ok_or_else(|| damaged("has no still picture"))?;
    let items = Items::read(file, meta)?;
    let primary = items.primary;
    let mut upright = Turn::default();
    let (mut icc_profile, mut coding) = (None, None);
    for property in items.properties_of(primary)? {
        match &property.kind {
            b"irot" => upright = upright.then(rotation(property.data).ok_or_else(cut_off)?),
            b"imir" => upright = upright.then(mirror(property.data).ok_or_else(cut_off)?),
            b"colr" => match property.data.array(0).as_ref() {
                Some(b"prof" | b"rICC") => icc_profile = property.data.from(4).map(View::bytes),
                Some(b"nclx") => coding = color_coding(property.data),
                _ => {}
            },
            _ => {}
        }
    }
    let alpha = items.alpha()?;
    let is_premultiplied = match alpha {
        Some(alpha) => items.references(b"prem")?.any(|(from, to)| from == primary && has(&to, alpha)),
        None => false,
    };
    Ok(Container {
        color: items.coded(primary)?,
        alpha: alpha.map(|alpha| items.coded(alpha)).transpose()?,
        is_premultiplied,
        upright,
        icc_profile,
        coding,
        exif: items.exif()?,
    })
}

/// Quarter turns against the clock.
fn rotation(data: View<'_>) -> Option<Turn> {
    Some(Turn { mirrored: false, quarters: (4 - (data.u8(0)? & 3)) % 4 })
}

/// 0 exchanges top and bottom, 1 left and right (ISO/IEC 23008-12:2022, 6.5.12).
fn mirror(data: View<'_>) -> Option<Turn> {
    Some(Turn { mirrored: true, quarters: if data.u8(0)? & 1 == 0 { 2 } else { 0 } })
}

/// Primaries and transfer come before the matrix.
fn color_coding(data: View<'_>) -> Option<ColorCoding> {
    Some(ColorCoding { matrix: data.u16_be(8)?, is_full_range: data.u8(10)? >> 7 == 1 })
}

/// The tables of `meta`.
struct Items<'a> {
    file: View<'a>,
    primary: u32,
    /// What each item is.
    kinds: Vec<(u32, [u8; 4])>,
    locations: Vec<Location<'a>>,
    /// The box of references between items; empty if there is none.
    references: Option<View<'a>>,
    properties: Vec<Box<'a>>,
    associations: View<'a>,
    /// Bytes that lie in the box itself.
    own_data: Option<View<'a>>,
}

/// Where the bytes of an item lie.
struct Location<'a> {
    item: u32,
    /// 0: in the file; 1: in `meta` itself.
    method: u8,
    base: u64,
    /// The list of its pieces, how many there are, and the lengths of a piece's numbers.
    extents: View<'a>,
    count: u64,
    index_length: u64,
    offset_length: u64,
    length_length: u64,
}

impl<'a> Items<'a> {
    fn read(file: View<'a>, meta: View<'a>) -> Result<Items<'a>, RenderError> {
        // Version and flags come first.
        let meta = meta.from(4).ok_or_else(cut_off)?;
        let part = |kind| child(meta, kind)?.ok_or_else(|| damaged("does not describe its items"));
        let primary = part(b"pitm")?;
        let primary =
            if primary.u8(0) == Some(0) { primary.u16_be(4).map(u32::from) } else { primary.u32_be(4) };
        let properties = part(b"iprp")?;
        let container = child(properties, b"ipco")?.ok_or_else(|| damaged("has no properties"))?;
        let associations = child(properties, b"ipma")?.ok_or_else(|| damaged("has no properties"))?;
        Ok(Items {
            file,
            primary: primary.ok_or_else(cut_off)?,
            kinds: read_kinds(part(b"iinf")?)?,
            locations: read_locations(part(b"iloc")?)?,
            references: child(meta, b"iref")?,
            properties: boxes(container).take(ITEMS_MAX).collect::<Result<_, _>>()?,
            associations,
            own_data: child(meta, b"idat")?,
        })
    }

    fn kind(&self, item: u32) -> Option<[u8; 4]> {
        self.kinds.iter().find(|(id, _)| *id == item).map(|(_, kind)| *kind)
    }

    /// Returns the properties of an item, in the order in which they count.
    fn properties_of(&self, item: u32) -> Result<Vec<Box<'a>>, RenderError> {
        read_associations(self.associations, item, |index| {
            self.properties.get(usize::from(index).checked_sub(1)?).copied()
        })
        .ok_or_else(cut_off)
    }

    /// Returns which items a kind of reference leads from and to; the latter as a list.
    fn references(&self, kind: &[u8; 4]) -> Result<References, RenderError> {
        let Some(references) = self.references else { return Ok(References::default()) };
        let id_length = if references.u8(0) == Some(0) { 2 } else { 4 };
        let mut found = Vec::new();
        for reference in boxes(references.from(4).ok_or_else(cut_off)?) {
            let Box { kind: this, data } = reference?;
            if this == *kind && found.len() < ITEMS_MAX {
                found.push(read_reference(data, id_length).ok_or_else(cut_off)?);
            }
        }
        Ok(found.into_iter())
    }

    /// Finds the picture that is the opacity of the primary one.
    fn alpha(&self) -> Result<Option<u32>, RenderError> {
        const NAMES: [&[u8]; 2] =
            [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0"];
        let auxiliaries = self.references(b"auxl")?.filter(|(_, to)| has(to, self.primary));
        for (item, _) in auxiliaries.take(AUXILIARIES_MAX) {
            let is_alpha = |property: &Box<'_>| {
                let name = property.data.from(4).map(View::bytes).unwrap_or_default();
                property.kind == *b"auxC" && NAMES.iter().any(|alpha| name.starts_with(alpha))
            };
            if self.properties_of(item)?.iter().any(is_alpha) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Finds the EXIF metadata of the primary picture, behind the four bytes that say where it begins.
    fn exif(&self) -> Result<Option<Vec<u8>>, RenderError> {
        let mut described = self.references(b"cdsc")?.filter(|(_, to)| has(to, self.primary));
        let Some((item, _)) = described.find(|(item, _)| self.kind(*item) == Some(*b"Exif")) else {
            return Ok(None);
        };
        let data = self.data(item)?;
        let view = View::new(&data);
        let start = view.u32_be(0).map(|skipped| 4 + u64::from(skipped));
        Ok(start.and_then(|start| view.from(start)).map(|tiff| tiff.bytes().to_vec()))
    }

    /// Returns the coded picture that an item is, or is put together of.
    fn coded(&self, item: u32) -> Result<Coded<'a>, RenderError> {
        match self.kind(item).as_ref() {
            Some(b"av01") => {
                let size = self.size(item)?;
                Ok(Coded { size, columns: 1, tiles: vec![self.data(item)?] })
            }
            Some(b"grid") => self.grid(item),
            Some(kind) => Err(RenderError::Unsupported(format!("image/avif ({})", kind.escape_ascii()))),
            None => Err(damaged("does not say what its picture is")),
        }
    }

    fn size(&self, item: u32) -> Result<Size, RenderError> {
        let properties = self.properties_of(item)?;
        let size = properties.iter().find(|property| property.kind == *b"ispe");
        let size = size.and_then(|size| size.data.u32_be(4).zip(size.data.u32_be(8)));
        let (width, height) = size.ok_or_else(|| damaged("does not tell its size"))?;
        Ok(Size { width, height })
    }

    fn grid(&self, item: u32) -> Result<Coded<'a>, RenderError> {
        let data = self.data(item)?;
        let (rows, columns, size) = read_grid(View::new(&data)).ok_or_else(cut_off)?;
        if size != self.size(item)? {
            return Err(damaged("contradicts itself about its size"));
        }
        let count = usize::from(rows) * usize::from(columns);
        let tiles = self.references(b"dimg")?.find(|(from, _)| *from == item).map(|(_, to)| to);
        let tiles = tiles.filter(|tiles| tiles.len() == count);
        let tiles = tiles.ok_or_else(|| damaged("has other tiles than it says"))?;
        if tiles.len() > TILES_MAX {
            return Err(RenderError::TooLarge);
        }
        let is_picture = |tile: &u32| self.kind(*tile) == Some(*b"av01");
        if !tiles.iter().all(is_picture) {
            return Err(damaged("has a tile that is no picture"));
        }
        let mut coded = Coded { size, columns: columns.into(), tiles: Vec::with_capacity(tiles.len()) };
        let mut length = 0;
        for tile in tiles {
            let data = self.data(tile)?;
            length += data.len() as u64;
            // Tiles in pieces are copied, and may lie in each other: what is held is no more than what was sent.
            if length > self.file.len() {
                return Err(damaged("has tiles that lie in each other"));
            }
            coded.tiles.push(data);
        }
        Ok(coded)
    }

    /// Returns the bytes of an item, which are no more than those of the file.
    fn data(&self, item: u32) -> Result<Cow<'a, [u8]>, RenderError> {
        const OUTSIDE: &str = "is shorter than the place of its image data";
        let location = self.locations.iter().find(|location| location.item == item);
        let location = location.ok_or_else(|| damaged("does not say where its image data lies"))?;
        let source = match location.method {
            0 => Some(self.file),
            1 => self.own_data,
            _ => None,
        };
        let source = source.ok_or_else(|| damaged("has image data in an unknown place"))?;
        let mut whole = Cow::Borrowed(&[][..]);
        for at in 0..location.count {
            let piece = location.extent(at, source).ok_or_else(|| damaged(OUTSIDE))?;
            if whole.is_empty() {
                whole = Cow::Borrowed(piece);
            } else if (whole.len() + piece.len()) as u64 <= self.file.len() {
                whole.to_mut().extend_from_slice(piece);
            } else {
                return Err(damaged(OUTSIDE));
            }
        }
        if whole.is_empty() { Err(damaged("has no image data")) } else { Ok(whole) }
    }
}

impl Location<'_> {
    /// Returns the bytes of a piece.
    fn extent<'a>(&self, number: u64, source: View<'a>) -> Option<&'a [u8]> {
        let entry = self.index_length + self.offset_length + self.length_length;
        let at = number * entry + self.index_length;
        let offset = self.extents.number_be(at, self.offset_length)?;
        let length = self.extents.number_be(at + self.offset_length, self.length_length)?;
        let start = self.base.checked_add(offset)?;
        // No length means all there is.
        let length = if length == 0 { source.len().checked_sub(start)? } else { length };
        source.part(start, length).map(View::bytes)
    }
}

/// Pairs of an item and those that it refers to.
type References = std::vec::IntoIter<(u32, Vec<u32>)>;

fn has(items: &[u32], item: u32) -> bool {
    items.contains(&item)
}

fn read_reference(data: View<'_>, id_length: u64) -> Option<(u32, Vec<u32>)> {
    let id = |at| data.number_be(at, id_length).map(|id| id as u32);
    let count = u64::from(data.u16_be(id_length)?);
    let to = (0..count).map(|number| id(id_length + 2 + number * id_length)).collect::<Option<_>>()?;
    Some((id(0)?, to))
}

fn read_kinds(data: View<'_>) -> Result<Vec<(u32, [u8; 4])>, RenderError> {
    let entries = data.from(if data.u8(0) == Some(0) { 6 } else { 8 }).ok_or_else(cut_off)?;
    let mut kinds = Vec::new();
    for entry in boxes(entries) {
        let entry = entry?;
        // Versions before 2 name no kind, and hold no AV1.
        let (id, kind_at) = match entry.data.u8(0) {
            Some(2) => (entry.data.u16_be(4).map(u32::from), 8),
            Some(3) => (entry.data.u32_be(4), 10),
            _ => continue,
        };
        if kinds.len() == ITEMS_MAX {
            return Err(too_many_items());
        }
        kinds.push(id.zip(entry.data.array(kind_at)).ok_or_else(cut_off)?);
    }
    Ok(kinds)
}

fn read_locations(data: View<'_>) -> Result<Vec<Location<'_>>, RenderError> {
    let version = data.u8(0).ok_or_else(cut_off)?;
    let id_length = if version < 2 { 2 } else { 4 };
    let count = data.number_be(6, id_length).ok_or_else(cut_off)?;
    if count > ITEMS_MAX as u64 {
        return Err(too_many_items());
    }
    let mut at = 6 + id_length;
    (0..count).map(|_| read_location(data, version, &mut at).ok_or_else(cut_off)).collect()
}

/// Reads one entry of the table, and moves on to the next.
fn read_location<'a>(data: View<'a>, version: u8, at: &mut u64) -> Option<Location<'a>> {
    let mut next = |length: u64| {
        *at += length;
        data.number_be(*at - length, length)
    };
    let [lengths, more_lengths] = data.array(4)?;
    let index_length = if version == 0 { 0 } else { u64::from(more_lengths & 15) };
    let (offset_length, length_length) = (u64::from(lengths >> 4), u64::from(lengths & 15));
    let item = next(if version < 2 { 2 } else { 4 })? as u32;
    let method = if version == 0 { 0 } else { next(2)? & 15 } as u8;
    // Another file, which is never opened.
    let method = if next(2)? == 0 { method } else { u8::MAX };
    let base = next(u64::from(more_lengths >> 4))?;
    let count = next(2)?;
    let extents = data.part(*at, count * (index_length + offset_length + length_length))?;
    *at += extents.len();
    Some(Location { item, method, base, extents, count, index_length, offset_length, length_length })
}

/// Reads which properties belong to an item; `None` if the list is cut off.
fn read_associations<'a>(
    data: View<'a>,
    item: u32,
    property: impl Fn(u16) -> Option<Box<'a>>,
) -> Option<Vec<Box<'a>>> {
    let (version, has_wide_indices) = (data.u8(0)?, data.u8(3)? & 1 == 1);
    let (id_length, index_length) = (if version == 0 { 2 } else { 4 }, if has_wide_indices { 2 } else { 1 });
    let mut at = 8;
    for _ in 0..data.u32_be(4)? {
        let id = data.number_be(at, id_length)?;
        let count = u64::from(data.u8(at + id_length)?);
        at += id_length + 1;
        if id == u64::from(item) {
            let index = |number| {
                let at = at + number * index_length;
                // The highest bit says that the property must be understood.
                if has_wide_indices {
                    Some(data.u16_be(at)? & 0x7fff)
                } else {
                    Some((data.u8(at)? & 0x7f).into())
                }
            };
            let indices = (0..count).map(index).collect::<Option<Vec<u16>>>()?;
            return Some(indices.into_iter().filter_map(property).collect());
        }
        at += count * index_length;
    }
    Some(Vec::new())
}

/// Reads rows, columns, and the size of the whole.
fn read_grid(data: View<'_>) -> Option<(u16, u16, Size)> {
    let length = if data.u8(1)? & 1 == 0 { 2 } else { 4 };
    let (rows, columns) = (u16::from(data.u8(2)?) + 1, u16::from(data.u8(3)?) + 1);
    let side = |at| data.number_be(at, length).map(|side| side as u32);
    Some((rows, columns, Size { width: side(4)?, height: side(4 + length)? }))
}

fn damaged(what: &str) -> RenderError {
    RenderError::damaged(format_args!("the AVIF {what}"))
}

fn cut_off() -> RenderError {
    damaged("has a box that ends too early")
}

fn too_many_items() -> RenderError {
    damaged("has too many items")
}
