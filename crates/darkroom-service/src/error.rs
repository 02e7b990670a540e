//! Why the service did not do what was asked, by what the caller can do about it.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use darkroom_catalog::CatalogError;
use darkroom_model::AccountSettingsError;
use darkroom_transform::ProbeError;

use crate::FetchError;

/// The cause of a failure that the caller can do nothing about.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why the service did not do what was asked. Unless a variant says otherwise, nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceError {
    /// The account does not exist.
    #[error("unknown account")]
    UnknownAccount,
    /// There is no image with this id.
    #[error("image not found")]
    NotFound,
    /// The id is taken.
    #[error("already exists")]
    Exists,
    /// The draft may not be completed any more.
    #[error("expired")]
    Expired,
    /// The end of a draft is nearer than `min` or farther than `max`.
    #[error("expiry out of range")]
    ExpiryOutOfRange {
        /// See [`Limits::draft_life_min`](darkroom_model::Limits::draft_life_min).
        min: Duration,
        /// See [`Limits::draft_life_max`](darkroom_model::Limits::draft_life_max).
        max: Duration,
    },
    /// The account's settings cannot be changed in this way.
    #[error("account settings not changed")]
    Settings(#[source] AccountSettingsError),
    /// An image with a custom id cannot be private (reference: api §1.6), unless the limits let it.
    #[error("an image with a custom id cannot be private")]
    PrivateCustomId,
    /// The file is no image of an accepted type.
    #[error("not an image of an accepted type")]
    NotAnImage,
    /// The file is cut off or contradicts itself; what was missing.
    #[error("damaged image: {0}")]
    DamagedImage(&'static str),
    /// A side or the area of the image is above its limit.
    #[error("image dimensions exceed the maximum")]
    ImageTooLarge,
    /// All frames of the animation together are above the limit of the area.
    #[error("frames of the animation exceed the maximum")]
    AnimationTooLarge,
    /// The file of an upload could not be fetched from where it is said to be.
    #[error("the file could not be fetched")]
    Fetch(#[source] FetchError),
    /// Starting, stopping, or too busy. Try again.
    #[error("service unavailable")]
    Unavailable,
    /// There is no room for the change.
    #[error("storage full")]
    Full,
    /// A store failed. After a failed write the change may stand.
    #[error("a store failed")]
    Internal(#[source] Cause),
}

impl ServiceError {
    /// Wraps a cause that the caller can do nothing about.
    pub(crate) fn internal(cause: impl Error + Send + Sync + 'static) -> ServiceError {
        ServiceError::Internal(Arc::new(cause))
    }

    /// Says by its cause why a folder or the store of the originals failed.
    pub(crate) fn storage(cause: impl Error + Send + Sync + 'static) -> ServiceError {
        if is_full(&cause) { ServiceError::Full } else { ServiceError::internal(cause) }
    }
}

/// Says whether an error, or a cause of it, is that there is no room.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return true;
            }
            // The source of a wrapping `io::Error` is not what it wraps, but the source of that.
            next = error.get_ref().map(|inner| inner as &(dyn Error + 'static)).or(next);
        }
    }
    false
}

impl From<CatalogError> for ServiceError {
    fn from(error: CatalogError) -> ServiceError {
        match error {
            CatalogError::UnknownAccount => ServiceError::UnknownAccount,
            CatalogError::Exists => ServiceError::Exists,
            CatalogError::NotFound => ServiceError::NotFound,
            CatalogError::Expired => ServiceError::Expired,
            CatalogError::Settings(refusal) => ServiceError::Settings(refusal),
            CatalogError::Unavailable => ServiceError::Unavailable,
            CatalogError::Full => ServiceError::Full,
            CatalogError::OutcomeUnknown(_) | CatalogError::Failed(_) => ServiceError::internal(error),
        }
    }
}

impl From<ProbeError> for ServiceError {
    fn from(error: ProbeError) -> ServiceError {
        match error {
            ProbeError::NotAnImage => ServiceError::NotAnImage,
            ProbeError::Damaged(what) => ServiceError::DamagedImage(what),
            ProbeError::TooLarge => ServiceError::ImageTooLarge,
            ProbeError::AnimationTooLarge => ServiceError::AnimationTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_however_deep_it_lies() {
        let wrapped = |kind: io::ErrorKind| object_store::Error::Generic {
            store: "test",
            source: Box::new(io::Error::other(io::Error::from(kind))),
        };
        for (kind, full) in [
            (io::ErrorKind::StorageFull, true),
            (io::ErrorKind::QuotaExceeded, true),
            (io::ErrorKind::PermissionDenied, false),
        ] {
            let error = ServiceError::storage(wrapped(kind));
            assert_eq!(matches!(error, ServiceError::Full), full, "{error:?}");
        }
    }
}
