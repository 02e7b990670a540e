//! Why an image is not delivered, as viewers are told (reference: errors §3 to §6).

/// Why an image is not delivered. Written as plain text, its code also in the header `cf-images`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("ERROR {code}: {message}")]
pub struct DeliveryError {
    /// HTTP status.
    pub status: u16,
    /// Code in the body and in the header.
    pub code: u32,
    /// Text after the code.
    pub message: String,
    /// In how many seconds it may be tried again, for the header `retry-after`.
    pub retry_after_seconds: Option<u64>,
}

impl DeliveryError {
    fn new(status: u16, code: u32, message: impl Into<String>) -> DeliveryError {
        DeliveryError { status, code, message: message.into(), retry_after_seconds: None }
    }

    /// 404: the path is no image's.
    pub fn not_found() -> DeliveryError {
        DeliveryError::new(404, 9431, "Not found")
    }

    /// 403: the path cannot be decoded.
    pub fn invalid_text() -> DeliveryError {
        DeliveryError::new(403, 9426, "The URL of imagedelivery.net has invalid text part")
    }

    /// 403: no account has this hash.
    pub fn unknown_account() -> DeliveryError {
        DeliveryError::new(403, 9427, "Image access denied with incorrect account id")
    }

    /// 404: the account has no such image.
    pub fn image_missing() -> DeliveryError {
        DeliveryError::new(
            404,
            9404,
            "Could not fetch the image — the server returned HTTP error 404 Not Found",
        )
    }

    /// 403: the account has no such variant.
    pub fn unknown_variant() -> DeliveryError {
        DeliveryError::denied("This account doesn't have variant with this name")
    }

    /// 403: what is to be transformed is no URL that is asked for.
    pub fn invalid_source() -> DeliveryError {
        DeliveryError::new(403, 9406, "Could not fetch the image - invalid URL")
    }

    /// 403: the operator did not allow the origin of what is to be transformed.
    pub fn origin_not_allowed() -> DeliveryError {
        DeliveryError::new(403, 9401, "Transformation origin is not in allowed origins list")
    }

    /// 508: what is to be transformed comes from a server that asks us for it.
    pub fn transformation_loop() -> DeliveryError {
        DeliveryError::new(508, 9403, "Requested resized version of an already-resized image")
    }

    /// 502: the name of the origin does not lead to anything that may be called.
    pub fn origin_unresolved() -> DeliveryError {
        DeliveryError::new(502, 9407, "Could not fetch the image - invalid URL: resolver error")
    }

    /// 502: no connection to the origin, or none that can be trusted.
    pub fn origin_unreachable() -> DeliveryError {
        DeliveryError::new(502, 9510, "Could not fetch the image")
    }

    /// 502: what the origin sent is no answer.
    pub fn origin_unreadable() -> DeliveryError {
        DeliveryError::new(502, 9505, "Could not fetch the image")
    }

    /// 504: the origin took too long.
    pub fn origin_too_slow() -> DeliveryError {
        DeliveryError::new(504, 9504, "Could not fetch the image - request timed out")
    }

    /// 413: the file of the origin is too large.
    pub fn source_too_large() -> DeliveryError {
        DeliveryError::new(413, 9402, "Could not fetch the image — file too large")
    }

    /// 400: the origin redirects to what is no URL.
    pub fn bad_redirect() -> DeliveryError {
        DeliveryError::new(400, 9420, "Redirection to an invalid URL")
    }

    /// 400: the origin redirects too often.
    pub fn too_many_redirects() -> DeliveryError {
        DeliveryError::new(400, 9421, "Too many redirects")
    }

    /// The origin answered with a status that is no success: 404 stays 404, another 4xx stays what it is, the rest is 502.
    pub fn origin_status(status: u16) -> DeliveryError {
        let told = |status, code, answered| {
            let message = format!("Could not fetch the image — the server returned HTTP error {answered}");
            DeliveryError::new(status, code, message)
        };
        match status {
            404 => DeliveryError::image_missing(),
            400..=499 => told(status, 9408, status),
            _ => told(502, 9509, status),
        }
    }

    /// 400: the list of options asks for nothing, or for what there is not.
    pub fn invalid_options(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(400, 9401, format!("Missing or invalid resizing parameters: {reason}"))
    }

    /// 403: the account allows no option lists.
    pub fn options_not_enabled() -> DeliveryError {
        DeliveryError::new(403, 9429, "Flexible variants are not enabled for the account")
    }

    /// 403: a private image has no option lists.
    pub fn options_on_private_image() -> DeliveryError {
        DeliveryError::denied("Flexible variants can not be used for private images")
    }

    /// 403: the image is private and the URL is not signed.
    pub fn signature_missing() -> DeliveryError {
        DeliveryError::denied("check failed: The URL signature is missing")
    }

    /// 403: the image is private and the URL's signature is not one of the account's.
    pub fn signature_mismatch() -> DeliveryError {
        DeliveryError::denied(
            "check failed: Malformed data found: The URL signature does not match. Expecting SHA-256 HMAC of the path without domain nor query string",
        )
    }

    /// 403: the image is private and the URL's signature counts no more.
    pub fn signature_expired() -> DeliveryError {
        DeliveryError::denied("check failed: The URL signature has expired")
    }

    fn denied(reason: &str) -> DeliveryError {
        DeliveryError::new(403, 9425, format!("Image access denied: {reason}"))
    }

    /// 405: images are only read.
    pub fn method_not_allowed() -> DeliveryError {
        DeliveryError::new(405, 5405, "Method not allowed")
    }

    /// 415: the source is nothing that can be shown, or not in the format that was asked for.
    pub fn unsupported_source(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(415, 9412, format!("Could not resize the image: {reason}"))
    }

    /// 415: a raster format was asked for of an SVG, or the other way round.
    pub fn svg_conversion() -> DeliveryError {
        DeliveryError::new(415, 9412, "Conversion between SVG and raster formats is not supported")
    }

    /// 403: the source, or what would come out, is too large.
    pub fn dimension(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(403, 9413, format!("Could not resize the image: {reason}"))
    }

    /// 422: the source is damaged.
    pub fn decoding(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(422, 9516, format!("Could not resize the image: error during decoding: {reason}"))
    }

    /// 500: what was made could not be written.
    pub fn encoding(reason: impl std::fmt::Display) -> DeliveryError {
        DeliveryError::new(500, 9516, format!("Could not resize the image: error during encoding: {reason}"))
    }

    /// 500: a fault of the server, which the log tells nothing more of.
    pub fn internal() -> DeliveryError {
        DeliveryError::new(500, 9523, "Could not resize the image: internal error while processing the image")
    }

    /// 500: a fault of the server, which the log tells of under this id.
    pub fn logged_fault(error_id: impl std::fmt::Display) -> DeliveryError {
        let message = "Internal error. This isn't supposed to happen, please reach out to customer support with \
                       error id:";
        DeliveryError::new(500, 9523, format!("{message} {error_id}"))
    }

    /// 504: it took too much time or memory.
    pub fn took_too_much() -> DeliveryError {
        DeliveryError::new(504, 9529, "The image is too large to process or the service is too busy")
    }

    /// 503: the server starts or stops.
    pub fn unavailable() -> DeliveryError {
        DeliveryError::too_busy(1)
    }

    /// 503: too much is being rendered; it may be tried again in so many seconds.
    pub fn too_busy(retry_after_seconds: u64) -> DeliveryError {
        let error = DeliveryError::new(503, 9522, "The service in this colo is too busy");
        DeliveryError { retry_after_seconds: Some(retry_after_seconds), ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_plain_text() {
        assert_eq!(
            DeliveryError::unknown_variant().to_string(),
            "ERROR 9425: Image access denied: This account doesn't have variant with this name"
        );
    }
}
