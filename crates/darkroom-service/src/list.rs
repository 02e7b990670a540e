//! List of images (reference: list-v2).

use darkroom_catalog::{Page, PageQuery};
use darkroom_model::{AccountId, Cursor, Filters, SortOrder};

use crate::{Service, ServiceError};

/// What a listing asks for.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Which images.
    pub filters: Filters,
    /// In which order.
    pub sort_order: SortOrder,
    /// After which place; `None` for the first page.
    pub after: Option<Cursor>,
    /// How many images; above the limit of a page it counts as that limit.
    pub page_size: usize,
}

/// What a listing by numbered pages asks for.
#[derive(Clone, Debug, Default)]
pub struct NumberedListing {
    /// Which images.
    pub filters: Filters,
    /// How many images come before the page.
    pub offset: u64,
    /// How many images; above the limit of what may be asked for it counts as that limit.
    pub page_size: usize,
}

/// A cursor that another listing gave: the caller should have refused it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the cursor belongs to another listing")]
struct ForeignCursor;

impl Service {
    /// Returns one page of a listing. The next one begins at `Cursor::new(account, page.next, …)`.
    pub async fn list(&self, account: &AccountId, listing: Listing) -> Result<Page, ServiceError> {
        let Listing { filters, sort_order, after, page_size } = listing;
        if let Some(cursor) = &after
            && *cursor != Cursor::new(account.clone(), cursor.sequence, sort_order, &filters)
        {
            return Err(ServiceError::internal(ForeignCursor));
        }
        let limit = page_size.clamp(1, self.limits().page_max.max(1));
        let after = after.map(|cursor| cursor.sequence);
        Ok(self.stores.catalog.page(account, PageQuery { filters, sort_order, after, limit }).await?)
    }

    /// Returns one page of a listing, newest first, and how many images the whole of it has; both of one moment
    /// (reference: api §4).
    pub async fn numbered_list(
        &self,
        account: &AccountId,
        listing: NumberedListing,
    ) -> Result<(Page, u64), ServiceError> {
        let NumberedListing { filters, offset, page_size } = listing;
        let limit = page_size.clamp(1, self.limits().per_page_max.max(1));
        let query = PageQuery { filters, sort_order: SortOrder::Descending, after: None, limit };
        Ok(self.stores.catalog.numbered_page(account, query, offset).await?)
    }

    /// Returns how many images an account has; drafts are none (reference: api §9).
    pub async fn count(&self, account: &AccountId) -> Result<u64, ServiceError> {
        Ok(self.stores.catalog.count(account, Filters::default()).await?)
    }
}
