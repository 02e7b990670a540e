//! EXIF: how an image is stored, and what of it goes on with a rendering (reference: delivery §8).
//!
//! EXIF is a TIFF file: a header, which says in which order bytes stand and where the first directory is, and in the
//! directory entries of twelve bytes. Only that directory is read: orientation and copyright are in it.

use darkroom_model::{KeptMetadata, MediaType};

use crate::codecs::Header;
use crate::geometry::Turn;

/// Bytes of EXIF that a JPEG can carry: a segment, less its length and its mark.
const EXIF_BYTES_MAX: usize = 65_535 - 2 - 6;
/// Entries of a directory that are looked at. Cameras write some twenty.
const ENTRIES_MAX: usize = 512;

const ORIENTATION: u16 = 0x0112;
const COPYRIGHT: u16 = 0x8298;
const ASCII: u16 = 2;
const SHORT: u16 = 3;

/// Returns what makes the stored image upright. An AVIF says so itself, and what its EXIF says does not count (ISO/IEC
/// 23008-12); all others say it in EXIF only.
pub(crate) fn upright(header: &Header, media_type: MediaType) -> Turn {
    if media_type == MediaType::Avif {
        return header.upright;
    }
    let orientation = header.exif.as_deref().and_then(Tiff::read).and_then(|tiff| tiff.short(ORIENTATION));
    Turn::from_exif(orientation.map_or(1, u32::from))
}

/// Returns the EXIF that goes into a rendering, which is upright. Formats other than JPEG carry none.
pub(crate) fn kept(header: &Header, kept: KeptMetadata) -> Option<Vec<u8>> {
    let tiff = Tiff::read(header.exif.as_deref()?)?;
    let exif = match kept {
        KeptMetadata::Keep => tiff.made_upright(),
        KeptMetadata::Copyright => copyright_only(tiff.ascii(COPYRIGHT)?),
        KeptMetadata::None => return None,
    };
    (exif.len() <= EXIF_BYTES_MAX).then_some(exif)
}

/// Writes EXIF that has one tag.
fn copyright_only(copyright: &[u8]) -> Vec<u8> {
    let mut text = copyright.to_vec();
    text.push(0);
    // A text of up to four bytes stands where otherwise its place would.
    let place = if text.len() <= 4 {
        let mut inline = [0; 4];
        inline[..text.len()].copy_from_slice(&text);
        text.clear();
        inline
    } else {
        26u32.to_be_bytes()
    };
    let count = (copyright.len() + 1) as u32;
    let mut exif = b"MM\0\x2A\0\0\0\x08\0\x01".to_vec();
    exif.extend_from_slice(&COPYRIGHT.to_be_bytes());
    exif.extend_from_slice(&ASCII.to_be_bytes());
    exif.extend_from_slice(&count.to_be_bytes());
    exif.extend_from_slice(&place);
    exif.extend_from_slice(&[0; 4]);
    exif.extend_from_slice(&text);
    exif
}

/// A TIFF file, as far as its header goes.
#[derive(Clone, Copy)]
struct Tiff<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn read(exif: &'a [u8]) -> Option<Tiff<'a>> {
        // WebP has what JPEG puts before it from some programs.
        let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        let is_big_endian = match bytes.get(..4)? {
            b"MM\0\x2A" => true,
            b"II\x2A\0" => false,
            _ => return None,
        };
        Some(Tiff { bytes, is_big_endian })
    }

    fn u16(self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Returns where the entry of a tag begins in the first directory.
    fn entry(self, tag: u16, kind: u16) -> Option<usize> {
        let directory = self.u32(4)? as usize;
        let count = usize::from(self.u16(directory)?).min(ENTRIES_MAX);
        let mut entries = (0..count).map(|index| directory + 2 + 12 * index);
        entries.find(|&entry| self.u16(entry) == Some(tag) && self.u16(entry + 2) == Some(kind))
    }

    fn short(self, tag: u16) -> Option<u16> {
        self.u16(self.entry(tag, SHORT)? + 8)
    }

    /// A text without the zero at its end, if it is not empty.
    fn ascii(self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag, ASCII)?;
        let length = self.u32(entry + 4)? as usize;
        let start = if length <= 4 { entry + 8 } else { self.u32(entry + 8)? as usize };
        let text = self.bytes.get(start..start.checked_add(length)?)?;
        let end = text.iter().rposition(|&byte| byte != 0 && byte != b' ')? + 1;
        Some(&text[..end])
    }

    /// All of it, with the orientation that says: as it is.
    fn made_upright(self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        if let Some(entry) = self.entry(ORIENTATION, SHORT) {
            let one = if self.is_big_endian { [0, 1] } else { [1, 0] };
            if let Some(value) = bytes.get_mut(entry + 8..entry + 10) {
                value.copy_from_slice(&one);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Orientation 6, a copyright and a maker's note, in either order of bytes.
    fn exif(is_big_endian: bool) -> Vec<u8> {
        let u16 = |n: u16| if is_big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let u32 = |n: u32| if is_big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut bytes = if is_big_endian { b"MM\0\x2A".to_vec() } else { b"II\x2A\0".to_vec() };
        bytes.extend(u32(8));
        bytes.extend(u16(2));
        bytes.extend([u16(ORIENTATION), u16(SHORT)].concat());
        bytes.extend([u32(1).to_vec(), u16(6).to_vec(), u16(0).to_vec()].concat());
        bytes.extend([u16(COPYRIGHT), u16(ASCII)].concat());
        bytes.extend([u32(8), u32(38)].concat());
        bytes.extend(u32(0));
        bytes.extend(b"Jos\xC3\xA9 V\0");
        bytes
    }

    fn header(exif: Vec<u8>) -> Header {
        Header { exif: Some(exif), ..Header::default() }
    }

    #[test]
    fn orientation_and_copyright_are_found_in_either_order_of_bytes() {
        for is_big_endian in [true, false] {
            let plain = header(exif(is_big_endian));
            let marked = header([b"Exif\0\0".to_vec(), exif(is_big_endian)].concat());
            for header in [plain, marked] {
                assert_eq!(upright(&header, MediaType::Jpeg), Turn::from_exif(6));
                assert_eq!(upright(&header, MediaType::Avif), Turn::default());
                let copyright = kept(&header, KeptMetadata::Copyright).unwrap();
                let found = Tiff::read(&copyright).unwrap();
                assert_eq!(found.ascii(COPYRIGHT), Some(b"Jos\xC3\xA9 V".as_slice()));
                assert_eq!((found.u16(8), found.short(ORIENTATION)), (Some(1), None));
                let all = kept(&header, KeptMetadata::Keep).unwrap();
                assert_eq!(Tiff::read(&all).unwrap().short(ORIENTATION), Some(1));
                assert_eq!(all.len(), exif(is_big_endian).len());
                assert_eq!(kept(&header, KeptMetadata::None), None);
            }
        }
    }

    #[test]
    fn a_short_copyright_stands_in_its_entry() {
        let exif = copyright_only(b"Li");
        assert_eq!(Tiff::read(&exif).unwrap().ascii(COPYRIGHT), Some(b"Li".as_slice()));
        assert_eq!(exif.len(), 26);
    }

    #[test]
    fn what_a_segment_cannot_hold_is_not_kept() {
        let mut large = exif(true);
        large.resize(EXIF_BYTES_MAX + 1, 0);
        assert_eq!(kept(&header(large.clone()), KeptMetadata::Keep), None);
        large.truncate(EXIF_BYTES_MAX);
        assert!(kept(&header(large), KeptMetadata::Keep).is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(
            cut in 0..60usize,
            changes in prop::collection::vec((0..60usize, any::<u8>()), 0..6),
            is_big_endian: bool,
        ) {
            let mut bytes = exif(is_big_endian);
            bytes.truncate(cut);
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            let header = header(bytes);
            upright(&header, MediaType::Jpeg);
            for keep in [KeptMetadata::Keep, KeptMetadata::Copyright] {
                if let Some(exif) = kept(&header, keep) {
                    prop_assert_eq!(upright(&Header { exif: Some(exif), ..Header::default() }, MediaType::Jpeg), Turn::default());
                }
            }
        }
    }
}
