//! Upload: the file, if it is elsewhere; look, bytes, row (reference: api §3).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use darkroom_catalog::CatalogError;
use darkroom_model::{
    AccountId, Creator, Image, ImageId, Limits, Metadata, NewImage, Original, OriginalKey, SourceUrl,
};
use darkroom_transform::{Probe, probe};
use tokio::sync::OwnedSemaphorePermit;

use crate::fetch::Errand;
use crate::service::Stores;
use crate::{Service, ServiceError};

/// What an upload brings. How many bytes the file may have is for the caller to see to, while it reads them.
#[derive(Debug, Default)]
pub struct Upload {
    /// The file.
    pub file: Bytes,
    /// Its name, if the uploader gave one.
    pub filename: Option<String>,
    /// The custom id; without one the service makes an id.
    pub id: Option<ImageId>,
    /// Who made the image, if set.
    pub creator: Option<Creator>,
    /// Its metadata, if any.
    pub metadata: Option<Metadata>,
    /// Whether delivery needs a signature.
    pub require_signed_urls: bool,
    /// The memory that the file takes; given back when the upload has ended, whoever still waits for it.
    pub memory: Option<UploadPermit>,
}

/// A share of the memory that all uploads may take together; given back when it is dropped.
#[derive(Debug)]
pub struct UploadPermit {
    _permit: OwnedSemaphorePermit,
}

/// Upload memory is counted in KiB, since the count must fit in 32 bits.
pub(crate) const UPLOAD_MEMORY_UNIT: usize = 1024;

/// Returns how many units all uploads may take together.
pub(crate) fn memory_units(limits: &Limits) -> usize {
    (limits.upload_memory_bytes_max / UPLOAD_MEMORY_UNIT).clamp(1, u32::MAX as usize >> 1)
}

impl Service {
    /// Waits until uploads may take so many bytes more. A request above the whole limit is given all of it, once
    /// nothing else is taken. [`ServiceError::Unavailable`] when the service closes, and [`ServiceError::Full`] without
    /// waiting when less than [`Limits::min_free_bytes`] are free where the originals lie.
    pub async fn reserve_upload(&self, bytes: usize) -> Result<UploadPermit, ServiceError> {
        self.check_free_space()?;
        self.stores.reserve_memory(bytes).await
    }

    /// Stores an image. The id of an image that exists is never given anew: of any number of simultaneous uploads
    /// of one id, one succeeds, and the others are [`ServiceError::Exists`].
    ///
    /// When it returns, file and row are durable; if it fails, neither is there, except after an outcome that is
    /// unknown ([`ServiceError::Internal`]).
    pub async fn upload(&self, account: &AccountId, upload: Upload) -> Result<Image, ServiceError> {
        self.check_words(account, &upload).await?;
        let Upload { file, filename, id, creator, metadata, require_signed_urls, memory } = upload;
        let stores = &self.stores;
        let looked = look(file.clone(), stores.limits).await?;
        let id = match id {
            // The row decides; but bytes need not be written for an id that is known to be taken.
            Some(id) => self.check_is_free(account, id).await?,
            None => stores.ids.image_id(),
        };
        let key = OriginalKey {
            account: account.clone(),
            id_hash: self.secrets().id_hash(&id),
            random: stores.ids.random(),
        };
        let original = looked.original(key.clone(), file.len());
        let image = NewImage { id, creator, filename, metadata, require_signed_urls, original };
        let task_stores = Arc::clone(stores);
        let store = async move {
            let row = task_stores.catalog.insert(&key.account, image);
            let stored = store(&task_stores, &key, file, row).await;
            drop(memory);
            stored
        };
        stores.tasks.run(store).await
    }

    /// Stores the image at a URL: as [`Service::upload`] of the file that is fetched there, in place of the one that
    /// the upload brings. What can be refused without the file is refused before anyone is called.
    ///
    /// [`ServiceError::Fetch`] if there is no such file. Whoever stops waiting stops the fetching.
    pub async fn upload_from(
        &self,
        account: &AccountId,
        url: &SourceUrl,
        upload: Upload,
    ) -> Result<Image, ServiceError> {
        self.check_words(account, &upload).await?;
        if let Some(id) = &upload.id {
            self.check_is_free(account, id.clone()).await?;
        }
        // Whoever held some memory and waited for more could wait for others who do the same.
        drop(upload.memory);
        let (file, memory) = self.fetch(url).await?;
        self.upload(account, Upload { file, memory: Some(memory), ..upload }).await
    }

    /// Fetches a file, in memory that uploads share.
    async fn fetch(&self, url: &SourceUrl) -> Result<(Bytes, UploadPermit), ServiceError> {
        let Stores { fetcher, fetches, limits, counters, .. } = &*self.stores;
        let _place = fetches.acquire().await.map_err(|_| ServiceError::Unavailable)?;
        let memory = self.reserve_upload(limits.file_bytes_max).await?;
        counters.fetches.fetch_add(1, Ordering::Relaxed);
        let file = fetcher.fetch(url, Errand::upload(limits.file_bytes_max)).await.inspect_err(|_| {
            counters.fetch_failures.fetch_add(1, Ordering::Relaxed);
        });
        Ok((file.map_err(ServiceError::Fetch)?.bytes, memory))
    }

    /// Refuses what no file could mend, and any file while there is no room.
    async fn check_words(&self, account: &AccountId, upload: &Upload) -> Result<(), ServiceError> {
        if upload.require_signed_urls && upload.id.as_ref().is_some_and(|id| !self.may_be_private(id)) {
            return Err(ServiceError::PrivateCustomId);
        }
        self.account(account).await?.ok_or(ServiceError::UnknownAccount)?;
        self.check_free_space()
    }

    /// Says whether an image of this id may need signed URLs (reference: api §1.6).
    pub(crate) fn may_be_private(&self, id: &ImageId) -> bool {
        !id.is_custom() || self.limits().private_custom_ids
    }

    /// Returns the id unless it is known to be taken.
    async fn check_is_free(&self, account: &AccountId, id: ImageId) -> Result<ImageId, ServiceError> {
        match self.stores.catalog.image(account, &id).await? {
            Some(_) => Err(ServiceError::Exists),
            None => Ok(id),
        }
    }

    /// Refuses uploads while the rest of the disk is needed for what is there already.
    fn check_free_space(&self) -> Result<(), ServiceError> {
        let stores = &self.stores;
        match stores.free_space.is_at_least(stores.limits.min_free_bytes) {
            true => Ok(()),
            false => Err(ServiceError::Full),
        }
    }
}

/// What a look at the file showed.
pub(crate) struct Looked {
    probe: Probe,
    content_hash: [u8; 32],
}

impl Looked {
    /// Returns what is stored of the file.
    pub(crate) fn original(self, key: OriginalKey, length: usize) -> Original {
        let Probe { media_type, width, height, frames } = self.probe;
        let content_hash = self.content_hash;
        Original { key, media_type, size_bytes: length as u64, width, height, frames, content_hash }
    }
}

impl Stores {
    /// Waits until so many bytes of the memory that uploads share are free, or all of it if that is less.
    pub(crate) async fn reserve_memory(&self, bytes: usize) -> Result<UploadPermit, ServiceError> {
        let units = bytes.div_ceil(UPLOAD_MEMORY_UNIT).min(memory_units(&self.limits));
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.upload_memory).acquire_many_owned(units).await;
        permit.map(|_permit| UploadPermit { _permit }).map_err(|_| ServiceError::Unavailable)
    }
}

/// Probes and hashes a file, on a thread that may take its time.
pub(crate) async fn look(file: Bytes, limits: Limits) -> Result<Looked, ServiceError> {
    let look = move || {
        let probe = probe(&file, &limits)?;
        Ok(Looked { probe, content_hash: *blake3::hash(&file).as_bytes() })
    };
    tokio::task::spawn_blocking(look).await.map_err(ServiceError::internal)?
}

/// Writes bytes, then row.
pub(crate) async fn store(
    stores: &Arc<Stores>,
    key: &OriginalKey,
    file: Bytes,
    row: impl Future<Output = Result<Image, CatalogError>>,
) -> Result<Image, ServiceError> {
    let _hold = stores.hold(key.clone());
    let length = file.len() as u64;
    stores.originals.put(key, file).await?;
    let error = match row.await {
        Ok(image) => {
            stores.counters.uploads.fetch_add(1, Ordering::Relaxed);
            stores.counters.upload_bytes.fetch_add(length, Ordering::Relaxed);
            return Ok(image);
        }
        Err(error) => error,
    };
    if let CatalogError::OutcomeUnknown(_) = error {
        // A row may name these bytes. The sweep will ask.
        stores.counters.outcomes_unknown.fetch_add(1, Ordering::Relaxed);
        tracing::error!(original = ?key, "the outcome of an upload is unknown");
    } else if let Err(left) = stores.originals.remove(key).await {
        tracing::warn!(original = ?key, error = ?left, "an original without a row is left to the sweep");
    }
    Err(error.into())
}
