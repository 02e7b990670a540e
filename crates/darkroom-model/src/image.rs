//! Images (reference: list-v2 §5).

use crate::{ImageId, Limits, MediaType, Metadata, OriginalKey, Timestamp};

/// The creator of an image: a non-empty text that the uploader's application chose.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Creator(Box<str>);

/// A creator with too many characters; the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("maximum {0} characters allowed")]
pub struct CreatorError(pub usize);

impl Creator {
    /// Reads a creator; the empty text means "not set" and is `None` (reference: list-v2 §4).
    pub fn parse(text: &str, limits: &Limits) -> Result<Option<Creator>, CreatorError> {
        if text.chars().count() > limits.creator_chars_max {
            return Err(CreatorError(limits.creator_chars_max));
        }
        Ok(Creator::from_stored(text))
    }

    /// Reads what [`Creator::as_str`] gave, without judging its length: limits may have changed since.
    pub fn from_stored(text: &str) -> Option<Creator> {
        (!text.is_empty()).then(|| Creator(text.into()))
    }

    /// Returns the creator as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The stored file of an image and what a look at it showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    /// Where it lies.
    pub key: OriginalKey,
    /// Its type, by its bytes.
    pub media_type: MediaType,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Width in pixels; 0 if an SVG gives none.
    pub width: u32,
    /// Height in pixels; 0 if an SVG gives none.
    pub height: u32,
    /// Frames, 1 for a still image.
    pub frames: u32,
    /// BLAKE3 of its bytes.
    pub content_hash: [u8; 32],
}

/// An image as an upload brings it; the commit adds the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewImage {
    /// Its id, free until now.
    pub id: ImageId,
    /// Who made it, if set.
    pub creator: Option<Creator>,
    /// The file name that the uploader gave, if any.
    pub filename: Option<String>,
    /// Its metadata, if ever set.
    pub metadata: Option<Metadata>,
    /// Whether delivery needs a signature.
    pub require_signed_urls: bool,
    /// Its file, already stored.
    pub original: Original,
}

/// A stored image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Who made it, if set.
    pub creator: Option<Creator>,
    /// The file name that the uploader gave, if any.
    pub filename: Option<String>,
    /// Its metadata, if ever set.
    pub metadata: Option<Metadata>,
    /// Whether delivery needs a signature.
    pub require_signed_urls: bool,
    /// When it was committed; within an account never before an earlier image.
    pub uploaded: Timestamp,
    /// Its file.
    pub original: Original,
}

impl NewImage {
    /// Returns the image that was committed at this moment.
    pub fn uploaded_at(self, uploaded: Timestamp) -> Image {
        let NewImage { id, creator, filename, metadata, require_signed_urls, original } = self;
        Image { id, creator, filename, metadata, require_signed_urls, uploaded, original }
    }
}

impl Image {
    /// Borrows what answers show.
    pub fn view(&self) -> ImageView<'_> {
        ImageView {
            id: self.id.as_str(),
            creator: self.creator.as_ref().map(Creator::as_str),
            filename: self.filename.as_deref(),
            metadata_json: self.metadata.as_ref().map(Metadata::as_json),
            require_signed_urls: self.require_signed_urls,
            uploaded: self.uploaded,
        }
    }
}

/// What answers show of an image, borrowed from wherever it is stored: nothing is parsed to list it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageView<'a> {
    /// See [`Image::id`].
    pub id: &'a str,
    /// See [`Image::creator`].
    pub creator: Option<&'a str>,
    /// See [`Image::filename`].
    pub filename: Option<&'a str>,
    /// Compact JSON of [`Image::metadata`].
    pub metadata_json: Option<&'a str>,
    /// See [`Image::require_signed_urls`].
    pub require_signed_urls: bool,
    /// See [`Image::uploaded`].
    pub uploaded: Timestamp,
}

/// A change to an image; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edit {
    /// The new creator, or `Some(None)` to clear it.
    pub creator: Option<Option<Creator>>,
    /// The new metadata; it replaces the whole object.
    pub metadata: Option<Metadata>,
    /// Whether delivery needs a signature from now on.
    pub require_signed_urls: Option<bool>,
}

impl Edit {
    /// Applies the change.
    pub fn apply(self, image: &mut Image) {
        if let Some(creator) = self.creator {
            image.creator = creator;
        }
        if let Some(metadata) = self.metadata {
            image.metadata = Some(metadata);
        }
        if let Some(require_signed_urls) = self.require_signed_urls {
            image.require_signed_urls = require_signed_urls;
        }
    }
}

/// An id that is reserved for an upload to come (reference: api §13).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Its id, free until now.
    pub id: ImageId,
    /// Who made it, if set.
    pub creator: Option<Creator>,
    /// Its metadata, if ever set.
    pub metadata: Option<Metadata>,
    /// Whether delivery will need a signature.
    pub require_signed_urls: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Until when its bytes may arrive, that moment included. From then on its id is free.
    pub expires_at: Timestamp,
}

impl Draft {
    /// Says whether its bytes may still arrive.
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        now <= self.expires_at
    }

    /// Returns the image that the draft becomes with its bytes.
    pub fn completed(self, filename: Option<String>, original: Original) -> NewImage {
        let Draft { id, creator, metadata, require_signed_urls, .. } = self;
        NewImage { id, creator, filename, metadata, require_signed_urls, original }
    }

    /// Applies a change.
    pub fn edit(&mut self, edit: Edit) {
        if let Some(creator) = edit.creator {
            self.creator = creator;
        }
        if let Some(metadata) = edit.metadata {
            self.metadata = Some(metadata);
        }
        if let Some(require_signed_urls) = edit.require_signed_urls {
            self.require_signed_urls = require_signed_urls;
        }
    }

    /// Borrows what answers show; `uploaded` is when the draft was made, until there is something better.
    pub fn view(&self) -> ImageView<'_> {
        ImageView {
            id: self.id.as_str(),
            creator: self.creator.as_ref().map(Creator::as_str),
            filename: None,
            metadata_json: self.metadata.as_ref().map(Metadata::as_json),
            require_signed_urls: self.require_signed_urls,
            uploaded: self.created,
        }
    }
}

/// What an id leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// An image.
    Image(Image),
    /// A draft whose bytes may still arrive.
    Draft(Draft),
}

impl Entry {
    /// Returns the image; `None` if it is a draft.
    pub fn into_image(self) -> Option<Image> {
        match self {
            Entry::Image(image) => Some(image),
            Entry::Draft(_) => None,
        }
    }

    /// Borrows what answers show.
    pub fn view(&self) -> ImageView<'_> {
        match self {
            Entry::Image(image) => image.view(),
            Entry::Draft(draft) => draft.view(),
        }
    }
}
