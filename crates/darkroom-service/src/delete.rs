//! Removal of an image: row, answer, bytes (reference: api §7).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use darkroom_catalog::CatalogError;
use darkroom_model::{AccountId, Entry, ImageId, OriginalKey};
use tokio::sync::oneshot;

use crate::service::Stores;
use crate::{Service, ServiceError};

impl Service {
    /// Removes an image or open draft. When it returns, no later request finds the image; its bytes go soon after.
    pub async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<(), ServiceError> {
        let (stores, account, id) = (Arc::clone(&self.stores), account.clone(), id.clone());
        let (reply, answer) = oneshot::channel();
        let work = async move {
            let deleted = stores.catalog.delete(&account, &id).await;
            let original = match &deleted {
                Ok(Some(Entry::Image(image))) => Some(image.original.key.clone()),
                Ok(Some(Entry::Draft(_)) | None) | Err(_) => None,
            };
            stores.count_delete(&deleted);
            // Nobody may wait any more; the bytes go all the same.
            let _ = reply.send(deleted);
            if let Some(original) = original {
                remove_bytes(&stores, original).await;
            }
        };
        self.stores.tasks.start(work).await?;
        // Only a panic ends the work without an answer.
        match answer.await.map_err(ServiceError::internal)?? {
            Some(_) => Ok(()),
            None => Err(ServiceError::NotFound),
        }
    }
}

impl Stores {
    fn count_delete(&self, deleted: &Result<Option<Entry>, CatalogError>) {
        match deleted {
            Ok(Some(_)) => self.counters.deletes.fetch_add(1, Ordering::Relaxed),
            Err(CatalogError::OutcomeUnknown(_)) => {
                self.counters.outcomes_unknown.fetch_add(1, Ordering::Relaxed)
            }
            _ => 0,
        };
    }
}

/// Removes the bytes of a deleted image and the note of them. What cannot be done now is left to the sweep.
async fn remove_bytes(stores: &Stores, original: OriginalKey) {
    let Ok(_permit) = stores.removals.try_acquire() else { return };
    let removed = stores.originals.remove(&original).await;
    let forgotten = match removed {
        Ok(()) => stores.catalog.forget_garbage(vec![original.clone()]).await.map_err(ServiceError::from),
        Err(error) => Err(error),
    };
    if let Err(error) = forgotten {
        tracing::warn!(?original, ?error, "the original of a deleted image is left to the sweep");
    }
}
