//! One image: its row and its bytes (reference: api §5, §8).

use std::ops::Range;

use bytes::Bytes;
use darkroom_model::{AccountId, Entry, Image, ImageId, Original};
use futures_util::stream::BoxStream;

use crate::originals::OpenOriginal;
use crate::service::Stores;
use crate::{Service, ServiceError};

/// A row whose bytes are not what was uploaded: something else than Darkroom has been at them.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum OriginalLost {
    #[error("the original of an image is missing")]
    Missing,
    #[error("the original of an image has another length than was uploaded")]
    WrongLength,
}

impl Service {
    /// Returns the image with this id.
    pub async fn details(&self, account: &AccountId, id: &ImageId) -> Result<Image, ServiceError> {
        self.stores.catalog.image(account, id).await?.ok_or(ServiceError::NotFound)
    }

    /// Returns the image or open draft with this id.
    pub async fn entry(&self, account: &AccountId, id: &ImageId) -> Result<Entry, ServiceError> {
        self.stores.catalog.entry(account, id).await?.ok_or(ServiceError::NotFound)
    }

    /// Returns the image with this id and its bytes, exactly as they were uploaded.
    pub async fn blob(&self, account: &AccountId, id: &ImageId) -> Result<(Image, Bytes), ServiceError> {
        let image = self.details(account, id).await?;
        let bytes = self.original_bytes(&image).await?;
        Ok((image, bytes))
    }

    /// Returns the bytes of an image that [`Service::details`] or [`Service::deliver`] gave.
    /// [`ServiceError::NotFound`] if it was deleted since.
    pub async fn original_bytes(&self, image: &Image) -> Result<Bytes, ServiceError> {
        self.stores.open_original(&image.original, None).await?.bytes().await
    }

    /// As [`Service::original_bytes`], in pieces: a slow reader then holds one of them, and not the whole file.
    /// `image.original.size_bytes` is how many there are in all.
    pub async fn original_stream(
        &self,
        image: &Image,
    ) -> Result<BoxStream<'static, Result<Bytes, ServiceError>>, ServiceError> {
        Ok(self.stores.open_original(&image.original, None).await?.stream())
    }

    /// As [`Service::original_stream`], of these bytes only; no others are read. They must lie within the original.
    pub async fn original_range(
        &self,
        image: &Image,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ServiceError>>, ServiceError> {
        Ok(self.stores.open_original(&image.original, Some(range)).await?.stream())
    }
}

impl Stores {
    /// Opens the bytes of an original that a row names, or some of them.
    pub(crate) async fn open_original(
        &self,
        original: &Original,
        range: Option<Range<u64>>,
    ) -> Result<OpenOriginal, ServiceError> {
        let key = &original.key;
        let lost = match self.originals.open(key, range).await? {
            Some(found) if found.length() == original.size_bytes => return Ok(found),
            Some(_) => OriginalLost::WrongLength,
            // The row goes before the bytes: look again before speaking of a loss.
            None if !self.catalog.knows_original(key).await? => return Err(ServiceError::NotFound),
            None => OriginalLost::Missing,
        };
        tracing::error!(original = ?key, "{lost}");
        Err(ServiceError::internal(lost))
    }
}
