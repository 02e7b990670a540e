//! Change of an image (reference: api §6).

use darkroom_model::{AccountId, Edit, Entry, ImageId};

use crate::{Service, ServiceError};

impl Service {
    /// Changes an image or open draft and returns what it became. An edit of nothing is a look.
    pub async fn edit(&self, account: &AccountId, id: &ImageId, edit: Edit) -> Result<Entry, ServiceError> {
        if edit == Edit::default() {
            return self.entry(account, id).await;
        }
        if edit.require_signed_urls == Some(true) && !self.may_be_private(id) {
            // That an image is missing is said before what may not be done to it.
            self.entry(account, id).await?;
            return Err(ServiceError::PrivateCustomId);
        }
        self.stores.catalog.edit(account, id, edit).await?.ok_or(ServiceError::NotFound)
    }
}
