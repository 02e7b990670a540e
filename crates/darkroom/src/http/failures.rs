//! How failures of the layers below are told to clients: each kind once, here.

use darkroom_api::{ApiError, DeliveryError};
use darkroom_model::AccountSettingsError;
use darkroom_service::{DeliverError, FetchError, ServiceError};

/// Returns what a caller of the API is told. A fault of ours is logged, once, with all that led to it; the caller is
/// told that there was one.
pub(crate) fn api_error(error: ServiceError) -> ApiError {
    match error {
        ServiceError::UnknownAccount => ApiError::unusable_account(),
        ServiceError::NotFound => ApiError::image_not_found(),
        ServiceError::Exists => ApiError::duplicate(),
        ServiceError::Expired => ApiError::upload_link_expired(),
        ServiceError::ExpiryOutOfRange { min, max } => ApiError::expiry_out_of_range(min, max),
        ServiceError::Settings(AccountSettingsError::Exists) => ApiError::duplicate(),
        ServiceError::Settings(refusal) => ApiError::invalid(format!("Invalid request: {refusal}"), None),
        ServiceError::PrivateCustomId => ApiError::private_custom_id(),
        ServiceError::NotAnImage => ApiError::not_an_image(),
        ServiceError::DamagedImage(_) => ApiError::bad_image_format(),
        ServiceError::ImageTooLarge => ApiError::dimensions_too_large(),
        ServiceError::AnimationTooLarge => ApiError::animation_too_large(),
        ServiceError::Fetch(FetchError::TooLarge) => ApiError::too_large(),
        ServiceError::Fetch(FetchError::TimedOut) => ApiError::upload_timed_out(),
        ServiceError::Fetch(reason) => ApiError::fetch_failed(reason),
        ServiceError::Unavailable => ApiError::unavailable(),
        ServiceError::Full => ApiError::insufficient_storage(),
        ServiceError::Internal(cause) => {
            log_fault(&*cause);
            ApiError::internal()
        }
    }
}

/// Returns what a viewer is told.
pub(crate) fn delivery_error(error: DeliverError) -> DeliveryError {
    match error {
        DeliverError::UnknownAccountHash => DeliveryError::unknown_account(),
        DeliverError::NotFound => DeliveryError::image_missing(),
        DeliverError::UnknownVariant => DeliveryError::unknown_variant(),
        DeliverError::FlexibleVariantsOff => DeliveryError::options_not_enabled(),
        DeliverError::OptionsOnPrivateImage => DeliveryError::options_on_private_image(),
        DeliverError::OptionsNotBuilt => DeliveryError::not_implemented("flexible variants"),
        DeliverError::SignatureMissing => DeliveryError::signature_missing(),
        DeliverError::SignatureMismatch => DeliveryError::signature_mismatch(),
        DeliverError::SignatureExpired => DeliveryError::signature_expired(),
        DeliverError::UnsupportedFormat => {
            let message = "Original image has unsupported format".to_owned();
            DeliveryError { status: 415, code: 9520, message }
        }
        DeliverError::Unavailable => DeliveryError::unavailable(),
        DeliverError::Internal(cause) => {
            log_fault(&*cause);
            DeliveryError::internal()
        }
    }
}

/// Writes a fault of ours to the log, with its causes.
fn log_fault(fault: &(dyn std::error::Error + 'static)) {
    let causes: Vec<String> =
        std::iter::successors(fault.source(), |cause| cause.source()).map(ToString::to_string).collect();
    tracing::error!(error = %fault, causes = causes.join(": "), "a request failed through a fault of the server");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn cause() -> Arc<dyn std::error::Error + Send + Sync> {
        Arc::new(std::io::Error::other("a secret path"))
    }

    #[test]
    fn callers_are_told_what_they_can_act_on() {
        for (error, status, code) in [
            (ServiceError::UnknownAccount, 403, 5403),
            (ServiceError::NotFound, 404, 5404),
            (ServiceError::Exists, 409, 5409),
            (ServiceError::Expired, 410, 5400),
            (ServiceError::ExpiryOutOfRange { min: Duration::ZERO, max: Duration::ZERO }, 400, 5400),
            (ServiceError::PrivateCustomId, 400, 5410),
            (ServiceError::NotAnImage, 415, 5455),
            (ServiceError::DamagedImage("a chunk"), 400, 5400),
            (ServiceError::ImageTooLarge, 413, 5413),
            (ServiceError::AnimationTooLarge, 413, 5443),
            (ServiceError::Fetch(FetchError::TooLarge), 413, 7011),
            (ServiceError::Fetch(FetchError::TimedOut), 408, 5408),
            (ServiceError::Fetch(FetchError::Status(404)), 400, 5454),
            (ServiceError::Fetch(FetchError::Refused), 400, 5454),
            (ServiceError::Unavailable, 503, 5503),
            (ServiceError::Full, 507, 5507),
            (ServiceError::Internal(cause()), 500, 5500),
        ] {
            let told = api_error(error.clone());
            assert_eq!((told.status, told.code), (status, code), "{error:?}");
            assert!(!told.message.contains("secret"), "{told:?}");
        }
    }

    #[test]
    fn viewers_are_told_why_they_see_nothing() {
        for (error, status, code) in [
            (DeliverError::UnknownAccountHash, 403, 9427),
            (DeliverError::NotFound, 404, 9404),
            (DeliverError::UnknownVariant, 403, 9425),
            (DeliverError::FlexibleVariantsOff, 403, 9429),
            (DeliverError::OptionsOnPrivateImage, 403, 9425),
            (DeliverError::OptionsNotBuilt, 501, 5501),
            (DeliverError::SignatureMissing, 403, 9425),
            (DeliverError::SignatureMismatch, 403, 9425),
            (DeliverError::SignatureExpired, 403, 9425),
            (DeliverError::UnsupportedFormat, 415, 9520),
            (DeliverError::Unavailable, 503, 9522),
            (DeliverError::Internal(cause()), 500, 9523),
        ] {
            let told = delivery_error(error.clone());
            assert_eq!((told.status, told.code), (status, code), "{error:?}");
            assert!(!told.message.contains("secret"), "{told:?}");
        }
    }
}
