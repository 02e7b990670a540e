use std::sync::Arc;

use darkroom_model::AccountSettingsError;

/// Why the catalog did not do what was asked, by what the caller can do about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogError {
    /// The account does not exist.
    #[error("unknown account")]
    UnknownAccount,
    /// The id is taken; nothing was changed.
    #[error("already exists")]
    Exists,
    /// There is no such draft.
    #[error("not found")]
    NotFound,
    /// The draft may not be completed any more.
    #[error("expired")]
    Expired,
    /// The account's settings cannot be changed in this way.
    #[error("account settings not changed")]
    Settings(#[source] AccountSettingsError),
    /// The catalog is starting, stopping, reopening, or its queue is full; nothing was changed. Try again.
    #[error("catalog unavailable")]
    Unavailable,
    /// There is no room for the change; nothing was changed.
    #[error("storage full")]
    Full,
    /// The commit failed in a way that leaves open whether it stands. Read before acting on it.
    #[error("outcome of the commit unknown")]
    OutcomeUnknown(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// Something stored could not be read; nothing was changed.
    #[error("catalog failed")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl CatalogError {
    /// Says whether this is an answer to one request, whatever becomes of others: nothing is wrong with the catalog.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            CatalogError::UnknownAccount
            | CatalogError::Exists
            | CatalogError::NotFound
            | CatalogError::Expired
            | CatalogError::Settings(_) => true,
            CatalogError::Unavailable
            | CatalogError::Full
            | CatalogError::OutcomeUnknown(_)
            | CatalogError::Failed(_) => false,
        }
    }

    /// Wraps the cause of a failed read.
    pub(crate) fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> CatalogError {
        CatalogError::Failed(Arc::new(cause))
    }
}
