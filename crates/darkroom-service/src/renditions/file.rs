//! A rendition as a file.
//!
//! ```text
//! "darkroom rendition 1\n"
//! 32 bytes   BLAKE3 of all that follows, keyed with the rendition's name
//!  4 bytes   length of the facts, little-endian
//!  8 bytes   length of the image, little-endian
//!            the facts, as JSON
//!            the image
//! ```

use bytes::Bytes;

use super::Rendition;
use crate::rendering::RenditionName;

const MAGIC: &[u8] = b"darkroom rendition 1\n";
const SUM_BYTES: usize = blake3::OUT_LEN;
const LENGTHS_BYTES: usize = 4 + 8;

/// Returns what a file of this rendition holds.
pub(super) fn write(name: RenditionName, rendition: &Rendition) -> serde_json::Result<Vec<u8>> {
    let facts = serde_json::to_vec(&rendition.facts)?;
    let mut file =
        Vec::with_capacity(MAGIC.len() + SUM_BYTES + LENGTHS_BYTES + facts.len() + rendition.bytes.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[0; SUM_BYTES]);
    let body = file.len();
    // Both are far below what their places hold: facts have a bounded number of short texts.
    file.extend_from_slice(&(facts.len() as u32).to_le_bytes());
    file.extend_from_slice(&(rendition.bytes.len() as u64).to_le_bytes());
    file.extend_from_slice(&facts);
    file.extend_from_slice(&rendition.bytes);
    let sum = blake3::keyed_hash(&name.0, &file[body..]);
    file[MAGIC.len()..body].copy_from_slice(sum.as_bytes());
    Ok(file)
}

/// Reads a file back; `None` if a bit of it is not as it was written, or it is of another name.
pub(super) fn read(name: RenditionName, file: Bytes) -> Option<Rendition> {
    let (sum, body) = file.strip_prefix(MAGIC)?.split_at_checked(SUM_BYTES)?;
    if blake3::keyed_hash(&name.0, body) != *<&[u8; SUM_BYTES]>::try_from(sum).ok()? {
        return None;
    }
    let (facts_length, rest) = body.split_first_chunk::<4>()?;
    let (image_length, rest) = rest.split_first_chunk::<8>()?;
    let (facts, image) = rest.split_at_checked(u32::from_le_bytes(*facts_length) as usize)?;
    if image.len() as u64 != u64::from_le_bytes(*image_length) {
        return None;
    }
    Some(Rendition { facts: serde_json::from_slice(facts).ok()?, bytes: file.slice_ref(image) })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use darkroom_model::MediaType;
    use darkroom_transform::{RenderTimes, RenderedContent, RenderedFacts};

    const NAME: RenditionName = RenditionName([7; 32]);

    pub(in super::super) fn rendition(bytes: impl Into<Bytes>) -> Rendition {
        let facts = RenderedFacts {
            content: RenderedContent::Image(MediaType::WebP),
            width: 3,
            height: 2,
            warnings: vec!["image too large for AVIF".to_owned()],
            times: RenderTimes { decode: 1, steps: 2, encode: 3 },
        };
        Rendition { facts, bytes: bytes.into() }
    }

    #[test]
    fn a_rendition_comes_back_as_it_was() {
        for bytes in [&b""[..], b"image", &[0; 10_000]] {
            let rendition = rendition(bytes);
            let file = Bytes::from(write(NAME, &rendition).unwrap());
            assert_eq!(read(NAME, file.clone()), Some(rendition));
            assert_eq!(read(RenditionName([8; 32]), file), None);
        }
    }

    #[test]
    fn whatever_happened_to_a_file_is_noticed() {
        let file = write(NAME, &rendition("image")).unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(read(NAME, changed.into()), None, "byte {at} changed");
            assert_eq!(read(NAME, file[..at].to_vec().into()), None, "cut at {at}");
        }
        assert_eq!(read(NAME, [&file[..], b"x"].concat().into()), None);
    }
}
