//! How failures of the layers below are told to clients: each kind once, here.

use darkroom_api::{ApiError, DeliveryError};
use darkroom_model::AccountSettingsError;
use darkroom_service::{DeliverError, FetchError, RenderError, Service, ServiceError};

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
            log_fault(&*cause, None);
            ApiError::internal()
        }
    }
}

/// Returns what a viewer is told. A fault of ours is logged under the id that the viewer is told.
pub(crate) fn delivery_error(error: DeliverError, service: &Service) -> DeliveryError {
    viewer_told(error, || service.new_error_id())
}

fn viewer_told(error: DeliverError, new_error_id: impl FnOnce() -> String) -> DeliveryError {
    match error {
        DeliverError::UnknownAccountHash => DeliveryError::unknown_account(),
        DeliverError::NotFound => DeliveryError::image_missing(),
        DeliverError::UnknownVariant => DeliveryError::unknown_variant(),
        DeliverError::FlexibleVariantsOff => DeliveryError::options_not_enabled(),
        DeliverError::OptionsOnPrivateImage => DeliveryError::options_on_private_image(),
        DeliverError::SignatureMissing => DeliveryError::signature_missing(),
        DeliverError::SignatureMismatch => DeliveryError::signature_mismatch(),
        DeliverError::SignatureExpired => DeliveryError::signature_expired(),
        DeliverError::OriginNotAllowed => DeliveryError::origin_not_allowed(),
        DeliverError::Fetch(error) => fetch_error(error),
        DeliverError::Render(refusal) => render_error(refusal),
        DeliverError::Busy { retry_after } => {
            // At once would be too soon.
            DeliveryError::too_busy(retry_after.as_secs().max(1))
        }
        DeliverError::Unavailable => DeliveryError::unavailable(),
        DeliverError::TookTooMuch => DeliveryError::took_too_much(),
        DeliverError::Internal(cause) => {
            let error_id = new_error_id();
            log_fault(&*cause, Some(&error_id));
            DeliveryError::logged_fault(error_id)
        }
    }
}

/// Returns what a viewer is told of a source that cannot be fetched (reference: errors §5; that the private statuses 522
/// to 524 are 502 and 504 here, §8).
fn fetch_error(error: FetchError) -> DeliveryError {
    match error {
        FetchError::Refused => DeliveryError::origin_unresolved(),
        FetchError::NotConnected | FetchError::NotTrusted => DeliveryError::origin_unreachable(),
        FetchError::NoHttp | FetchError::Encoded => DeliveryError::origin_unreadable(),
        FetchError::Status(status) => DeliveryError::origin_status(status),
        FetchError::BadRedirect => DeliveryError::bad_redirect(),
        FetchError::TooManyRedirects => DeliveryError::too_many_redirects(),
        FetchError::TooLarge => DeliveryError::source_too_large(),
        FetchError::TimedOut => DeliveryError::origin_too_slow(),
    }
}

/// Returns what a viewer is told of an image that cannot be rendered (reference: errors §6).
fn render_error(error: RenderError) -> DeliveryError {
    match error {
        RenderError::NotAnImage => DeliveryError::unsupported_source("The requested file is not an image."),
        RenderError::Unsupported(format) => {
            DeliveryError::unsupported_source(format_args!("The {format} format is not supported."))
        }
        RenderError::SvgConversion => DeliveryError::svg_conversion(),
        RenderError::Damaged(reason) => DeliveryError::decoding(reason),
        RenderError::TooLarge => DeliveryError::dimension("The image is too large"),
        RenderError::AnimationTooLarge { width, height, frames: _, pixels_max } => {
            let frames_max = pixels_max.checked_div(u64::from(width) * u64::from(height)).unwrap_or(0);
            DeliveryError::dimension(format_args!(
                "The animation is too large. Animation resolution is {width}×{height}, and at this size the maximum \
                 number of animation frames allowed is {frames_max} (total area of all frames together must be less \
                 than {pixels_max})."
            ))
        }
        RenderError::EnlargedTooMuch { width, height, side_max } => DeliveryError::dimension(format_args!(
            "The image enlarged too much: {width}×{height}, but maximum dimension allowed is {side_max}"
        )),
        RenderError::Encoding(reason) => {
            tracing::error!(reason, "a rendering could not be encoded");
            DeliveryError::encoding(reason)
        }
    }
}

/// Writes a fault of ours to the log, with its causes.
fn log_fault(fault: &(dyn std::error::Error + 'static), error_id: Option<&str>) {
    let causes: Vec<String> =
        std::iter::successors(fault.source(), |cause| cause.source()).map(ToString::to_string).collect();
    tracing::error!(
        error = %fault,
        causes = causes.join(": "),
        error_id,
        "a request failed through a fault of the server"
    );
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
            (DeliverError::SignatureMissing, 403, 9425),
            (DeliverError::SignatureMismatch, 403, 9425),
            (DeliverError::SignatureExpired, 403, 9425),
            (DeliverError::OriginNotAllowed, 403, 9401),
            (DeliverError::Fetch(FetchError::Refused), 502, 9407),
            (DeliverError::Fetch(FetchError::NotConnected), 502, 9510),
            (DeliverError::Fetch(FetchError::NotTrusted), 502, 9510),
            (DeliverError::Fetch(FetchError::NoHttp), 502, 9505),
            (DeliverError::Fetch(FetchError::Encoded), 502, 9505),
            (DeliverError::Fetch(FetchError::Status(404)), 404, 9404),
            (DeliverError::Fetch(FetchError::Status(403)), 403, 9408),
            (DeliverError::Fetch(FetchError::Status(500)), 502, 9509),
            (DeliverError::Fetch(FetchError::Status(204)), 502, 9509),
            (DeliverError::Fetch(FetchError::BadRedirect), 400, 9420),
            (DeliverError::Fetch(FetchError::TooManyRedirects), 400, 9421),
            (DeliverError::Fetch(FetchError::TooLarge), 413, 9402),
            (DeliverError::Fetch(FetchError::TimedOut), 504, 9504),
            (DeliverError::Render(RenderError::NotAnImage), 415, 9412),
            (DeliverError::Busy { retry_after: Duration::from_secs(3) }, 503, 9522),
            (DeliverError::TookTooMuch, 504, 9529),
            (DeliverError::Unavailable, 503, 9522),
            (DeliverError::Internal(cause()), 500, 9523),
        ] {
            let told = viewer_told(error.clone(), || "an-id".to_owned());
            assert_eq!((told.status, told.code), (status, code), "{error:?}");
            assert!(!told.message.contains("secret"), "{told:?}");
        }
    }

    #[test]
    fn what_cannot_be_rendered_has_the_words_of_the_reference() {
        for (error, status, code, message) in [
            (
                RenderError::NotAnImage,
                415,
                9412,
                "Could not resize the image: The requested file is not an image.",
            ),
            (
                RenderError::Unsupported("TIFF".into()),
                415,
                9412,
                "Could not resize the image: The TIFF format is not supported.",
            ),
            (
                RenderError::SvgConversion,
                415,
                9412,
                "Conversion between SVG and raster formats is not supported",
            ),
            (
                RenderError::Damaged("cut off".into()),
                422,
                9516,
                "Could not resize the image: error during decoding: cut off",
            ),
            (RenderError::TooLarge, 403, 9413, "Could not resize the image: The image is too large"),
            (
                RenderError::AnimationTooLarge { width: 100, height: 100, frames: 60, pixels_max: 500_000 },
                403,
                9413,
                "Could not resize the image: The animation is too large. Animation resolution is 100×100, and at this \
                 size the maximum number of animation frames allowed is 50 (total area of all frames together must be \
                 less than 500000).",
            ),
            (
                RenderError::AnimationTooLarge { width: 0, height: 0, frames: 1, pixels_max: 5 },
                403,
                9413,
                "Could not resize the image: The animation is too large. Animation resolution is 0×0, and at this size \
                 the maximum number of animation frames allowed is 0 (total area of all frames together must be less \
                 than 5).",
            ),
            (
                RenderError::EnlargedTooMuch { width: 1_000, height: 10_000, side_max: 5_000 },
                403,
                9413,
                "Could not resize the image: The image enlarged too much: 1000×10000, but maximum dimension allowed is \
                 5000",
            ),
            (
                RenderError::Encoding("full".into()),
                500,
                9516,
                "Could not resize the image: error during encoding: full",
            ),
        ] {
            let told = render_error(error.clone());
            assert_eq!((told.status, told.code, told.message.as_str()), (status, code, message), "{error:?}");
        }
    }
}
