//! Direct creator uploads: an id is reserved, and whoever has the URL brings the file, once (reference: api §13, §14).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use darkroom_model::{AccountId, Creator, Draft, Image, ImageId, Metadata, OriginalKey, Timestamp};

use crate::service::Stores;
use crate::upload::{UploadPermit, look, store};
use crate::{Service, ServiceError};

/// How long a draft waits for its file if nothing else is asked for, as far as the limits let it.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// How long what is left of an expired draft still answers that it has expired.
const EXPIRED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Rows removed by one commit.
const STEP: usize = 256;
/// Rest after a step.
const STEP_REST: Duration = Duration::from_millis(10);

/// An image to come, as the application that reserves it describes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewDraft {
    /// The custom id; without one the service makes an id.
    pub id: Option<ImageId>,
    /// Who will have made the image, if set.
    pub creator: Option<Creator>,
    /// Its metadata, if any.
    pub metadata: Option<Metadata>,
    /// Whether delivery will need a signature.
    pub require_signed_urls: bool,
    /// Until when the file may arrive: [`Limits::draft_life_min`](darkroom_model::Limits::draft_life_min) to
    /// [`Limits::draft_life_max`](darkroom_model::Limits::draft_life_max) ahead. By default 30 minutes.
    pub expires_at: Option<Timestamp>,
}

/// The file of a draft.
#[derive(Debug, Default)]
pub struct DraftFile {
    /// Its bytes. How many it may have is for the caller to see to, while it reads them.
    pub file: Bytes,
    /// Its name, if the uploader gave one.
    pub filename: Option<String>,
    /// The memory that it takes; given back when the upload has ended, whoever still waits for it.
    pub memory: Option<UploadPermit>,
}

impl Service {
    /// Reserves an id and returns it. [`ServiceError::Exists`] if it is taken.
    pub async fn create_draft(&self, account: &AccountId, draft: NewDraft) -> Result<ImageId, ServiceError> {
        let NewDraft { id, creator, metadata, require_signed_urls, expires_at } = draft;
        if require_signed_urls && id.as_ref().is_some_and(|id| !self.may_be_private(id)) {
            return Err(ServiceError::PrivateCustomId);
        }
        let created = self.stores.clock.now();
        let (min, max) = (self.limits().draft_life_min, self.limits().draft_life_max);
        let expires_at = expires_at.unwrap_or(after(created, LIFE.min(max).max(min)));
        if !(after(created, min)..=after(created, max)).contains(&expires_at) {
            return Err(ServiceError::ExpiryOutOfRange { min, max });
        }
        let id = id.unwrap_or_else(|| self.stores.ids.image_id());
        let draft = Draft { id: id.clone(), creator, metadata, require_signed_urls, created, expires_at };
        self.stores.catalog.insert_draft(account, draft).await?;
        Ok(id)
    }

    /// Says whether a file may be brought for this id: [`ServiceError::Exists`] if there is an image,
    /// [`ServiceError::Expired`] if it is too late, [`ServiceError::NotFound`] if nobody has reserved it. Cheap, to be
    /// asked before a file is read; [`Service::complete_draft`] decides.
    pub async fn check_draft(&self, account: &AccountId, id: &ImageId) -> Result<(), ServiceError> {
        // The draft first: one that becomes an image between two questions is then found by one of them.
        match self.stores.catalog.draft(account, id).await? {
            Some(draft) if draft.is_open_at(self.stores.clock.now()) => Ok(()),
            Some(_) => Err(ServiceError::Expired),
            None if self.stores.catalog.image(account, id).await?.is_some() => Err(ServiceError::Exists),
            None => Err(ServiceError::NotFound),
        }
    }

    /// Makes a draft an image. Fails as [`Service::check_draft`] and [`Service::upload`] do, and then the draft is what it
    /// was. Of any number of simultaneous files for one draft, one becomes its image.
    ///
    /// When it returns, file and row are durable; if it fails, neither is there, except after an outcome that is
    /// unknown ([`ServiceError::Internal`]).
    pub async fn complete_draft(
        &self,
        account: &AccountId,
        id: &ImageId,
        file: DraftFile,
    ) -> Result<Image, ServiceError> {
        let DraftFile { file, filename, memory } = file;
        let looked = look(file.clone(), self.stores.limits).await?;
        // The row decides; but bytes need not be written for a draft that is known to be none.
        self.check_draft(account, id).await?;
        let key = OriginalKey {
            account: account.clone(),
            id_hash: self.secrets().id_hash(id),
            random: self.stores.ids.random(),
        };
        let original = looked.original(key.clone(), file.len());
        let (stores, id) = (Arc::clone(&self.stores), id.clone());
        let complete = async move {
            let row = stores.catalog.complete_draft(&key.account, &id, filename, original);
            let stored = store(&stores, &key, file, row).await;
            drop(memory);
            stored
        };
        self.stores.tasks.run(complete).await
    }
}

/// Removes the drafts that expired a day ago, and the tokens that have expired; returns how many it were.
pub(crate) async fn sweep_expired(stores: &Stores) -> Result<u64, ServiceError> {
    let now = stores.clock.now();
    let drafts_before = Timestamp(now.0.saturating_sub(EXPIRED_KEPT.as_millis() as u64));
    let mut removed = 0;
    loop {
        let count = stores.catalog.remove_expired(drafts_before, now, STEP).await?;
        removed += count as u64;
        if count < STEP {
            return Ok(removed);
        }
        tokio::time::sleep(STEP_REST).await;
    }
}

fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_add(duration.as_millis() as u64))
}
