//! Records: the stored form of an image, of which everything else in the catalog is derived.
//!
//! A record holds what a listing entry is written from, ready to be copied, and the terms of the image, ready to be
//! hashed or compared, so that neither listing nor sealing parses JSON.
//!
//! ```text
//! version u8 = 1
//! flags u8: 1 creator, 2 filename, 4 metadata, 8 requireSignedURLs
//! uploaded u64                      milliseconds
//! media type u8, size u64, width u32, height u32, frames u32, content hash [32]
//! original: id hash [16], random [16]
//! id, creator, filename, metadata   each u16 length and UTF-8 text; those absent by their flag are empty
//! fields u16, then for each: path   u8 length and text
//!                            value  u8 kind: 0 false, 1 true, 2 number [10], 3 string (u16 length and text)
//! ```
//!
//! Integers are big-endian. Version 1 is the first; a later one gets its own reader beside this one.

use darkroom_model::{
    AccountId, Creator, Image, ImageId, ImageView, MediaType, MetaFilter, Metadata, Number, Original,
    OriginalKey, Predicate, ScalarRef, Timestamp,
};

const VERSION: u8 = 1;

const HAS_CREATOR: u8 = 1;
const HAS_FILENAME: u8 = 2;
const HAS_METADATA: u8 = 4;
const REQUIRES_SIGNED_URLS: u8 = 8;

/// A record, borrowed from where it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    view: ImageView<'a>,
    original: StoredOriginal,
    fields: &'a [u8],
    field_count: u16,
}

/// An original without its account, which the place of the record tells.
#[derive(Clone, Copy, Debug)]
struct StoredOriginal {
    media_type: MediaType,
    size_bytes: u64,
    width: u32,
    height: u32,
    frames: u32,
    content_hash: [u8; 32],
    id_hash: [u8; 16],
    random: [u8; 16],
}

/// A stored record that this program cannot read: damaged, or of a newer version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unreadable record")]
pub(crate) struct UnreadableRecord;

impl<'a> Record<'a> {
    /// Reads a stored record.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Record<'a>, UnreadableRecord> {
        Record::read_from(&mut Reader { bytes }).ok_or(UnreadableRecord)
    }

    fn read_from(reader: &mut Reader<'a>) -> Option<Record<'a>> {
        if reader.u8()? != VERSION {
            return None;
        }
        let flags = reader.u8()?;
        let uploaded = Timestamp(reader.u64()?);
        let original = StoredOriginal {
            media_type: *MediaType::ALL.get(usize::from(reader.u8()?))?,
            size_bytes: reader.u64()?,
            width: reader.u32()?,
            height: reader.u32()?,
            frames: reader.u32()?,
            content_hash: reader.array()?,
            id_hash: reader.array()?,
            random: reader.array()?,
        };
        let id = reader.text16()?;
        let mut optional = |flag: u8| Some((reader.text16()?, flags & flag != 0));
        let (creator, has_creator) = optional(HAS_CREATOR)?;
        let (filename, has_filename) = optional(HAS_FILENAME)?;
        let (metadata_json, has_metadata) = optional(HAS_METADATA)?;
        let field_count = reader.u16()?;
        Some(Record {
            view: ImageView {
                id,
                creator: has_creator.then_some(creator),
                filename: has_filename.then_some(filename),
                metadata_json: has_metadata.then_some(metadata_json),
                require_signed_urls: flags & REQUIRES_SIGNED_URLS != 0,
                uploaded,
            },
            original,
            fields: reader.bytes,
            field_count,
        })
    }

    /// Returns what answers show of the image.
    pub(crate) fn view(&self) -> ImageView<'a> {
        self.view
    }

    /// Returns the filterable fields in stored order. A damaged field ends the list.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, ScalarRef<'a>)> + use<'a> {
        let mut reader = Reader { bytes: self.fields };
        (0..self.field_count).map_while(move |_| {
            let path = reader.text8()?;
            let value = match reader.u8()? {
                0 => ScalarRef::Boolean(false),
                1 => ScalarRef::Boolean(true),
                2 => ScalarRef::Number(Number::from_bytes(reader.array()?)),
                3 => ScalarRef::String(reader.text16()?),
                _ => return None,
            };
            Some((path, value))
        })
    }

    /// Says whether the image passes a metadata filter.
    pub(crate) fn matches(&self, filter: &MetaFilter) -> bool {
        let MetaFilter { path, predicate } = filter;
        let passes = |predicate: &Predicate, value| predicate.matches(value);
        self.fields().any(|(field, value)| field == path.as_str() && passes(predicate, value))
    }

    /// Returns the key of the original.
    pub(crate) fn original_key(&self, account: &AccountId) -> OriginalKey {
        let StoredOriginal { id_hash, random, .. } = self.original;
        OriginalKey { account: account.clone(), id_hash, random }
    }

    /// Returns the image as a value of its own.
    pub(crate) fn to_image(self, account: &AccountId) -> Result<Image, UnreadableRecord> {
        let key = self.original_key(account);
        let StoredOriginal { media_type, size_bytes, width, height, frames, content_hash, .. } =
            self.original;
        let metadata = match self.view.metadata_json {
            Some(json) => Some(Metadata::from_stored(json).ok_or(UnreadableRecord)?),
            None => None,
        };
        Ok(Image {
            id: ImageId::parse(self.view.id).map_err(|_| UnreadableRecord)?,
            creator: self.view.creator.and_then(Creator::from_stored),
            filename: self.view.filename.map(str::to_owned),
            metadata,
            require_signed_urls: self.view.require_signed_urls,
            uploaded: self.view.uploaded,
            original: Original { key, media_type, size_bytes, width, height, frames, content_hash },
        })
    }
}

/// Returns the stored form of an image.
pub(crate) fn write(image: &Image) -> Vec<u8> {
    let view = image.view();
    let mut bytes = Vec::with_capacity(256);
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    bytes.push(VERSION);
    bytes.push(
        flag(view.creator.is_some(), HAS_CREATOR)
            | flag(view.filename.is_some(), HAS_FILENAME)
            | flag(view.metadata_json.is_some(), HAS_METADATA)
            | flag(view.require_signed_urls, REQUIRES_SIGNED_URLS),
    );
    bytes.extend(view.uploaded.0.to_be_bytes());
    let original = &image.original;
    let media_type = MediaType::ALL.iter().position(|media_type| *media_type == original.media_type);
    bytes.push(media_type.expect("ALL holds every media type") as u8);
    bytes.extend(original.size_bytes.to_be_bytes());
    bytes.extend(original.width.to_be_bytes());
    bytes.extend(original.height.to_be_bytes());
    bytes.extend(original.frames.to_be_bytes());
    bytes.extend(original.content_hash);
    bytes.extend(original.key.id_hash);
    bytes.extend(original.key.random);
    push_text16(&mut bytes, view.id);
    push_text16(&mut bytes, view.creator.unwrap_or_default());
    push_text16(&mut bytes, view.filename.unwrap_or_default());
    push_text16(&mut bytes, view.metadata_json.unwrap_or_default());
    let fields = image.metadata.as_ref().map(Metadata::fields).unwrap_or_default();
    bytes.extend(u16::try_from(fields.len()).expect("metadata has fewer fields than bytes").to_be_bytes());
    for (path, value) in &fields {
        bytes.push(u8::try_from(path.as_str().len()).expect("a field path has at most 100 characters"));
        bytes.extend(path.as_str().as_bytes());
        match value.as_ref() {
            ScalarRef::Boolean(value) => bytes.push(u8::from(value)),
            ScalarRef::Number(number) => {
                bytes.push(2);
                bytes.extend(number.to_bytes());
            }
            ScalarRef::String(text) => {
                bytes.push(3);
                push_text16(&mut bytes, text);
            }
        }
    }
    bytes
}

pub(crate) fn push_text16(bytes: &mut Vec<u8>, text: &str) {
    // The limits of ids, creators, file names and metadata all lie below 64 KiB.
    bytes.extend(u16::try_from(text.len()).expect("a stored text is shorter than 64 KiB").to_be_bytes());
    bytes.extend(text.as_bytes());
}

/// Takes values off the front of some bytes; `None` where they end too early.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn text8(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    pub(crate) fn text16(&mut self) -> Option<&'a str> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::Limits;

    fn image() -> Image {
        let account = AccountId::parse("a").unwrap();
        Image {
            id: ImageId::custom("cats/tabby").unwrap(),
            creator: Creator::from_stored("user"),
            filename: None,
            metadata: Some(
                Metadata::parse(r#"{"s":"x","n":5.0,"t":true,"f":false,"o":{"k":-1e3}}"#, &Limits::default())
                    .unwrap(),
            ),
            require_signed_urls: false,
            uploaded: Timestamp(1_700_000_000_123),
            original: Original {
                key: OriginalKey { account, id_hash: [1; 16], random: [2; 16] },
                media_type: MediaType::WebP,
                size_bytes: 1 << 33,
                width: 3,
                height: 4,
                frames: 5,
                content_hash: [6; 32],
            },
        }
    }

    #[test]
    fn a_record_returns_the_image() {
        let image = image();
        let bytes = write(&image);
        let record = Record::read(&bytes).unwrap();
        assert_eq!(record.view(), image.view());
        assert_eq!(record.to_image(&image.original.key.account).unwrap(), image);
        let fields = image.metadata.as_ref().unwrap().fields();
        let expected: Vec<_> = fields.iter().map(|(path, value)| (path.as_str(), value.as_ref())).collect();
        assert_eq!(record.fields().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn absent_and_empty_are_told_apart() {
        let mut image = image();
        image.creator = None;
        image.filename = Some(String::new());
        image.metadata = None;
        let bytes = write(&image);
        let view = Record::read(&bytes).unwrap().view();
        assert_eq!((view.creator, view.filename, view.metadata_json), (None, Some(""), None));
    }

    #[test]
    fn a_damaged_record_is_refused_and_never_panics() {
        let bytes = write(&image());
        for length in 0..bytes.len() {
            if let Ok(record) = Record::read(&bytes[..length]) {
                let _ = record.fields().count();
            }
        }
        let mut newer = bytes;
        newer[0] = VERSION + 1;
        assert_eq!(Record::read(&newer).unwrap_err(), UnreadableRecord);
    }
}
