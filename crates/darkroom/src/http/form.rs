//! Reading a `multipart/form-data` body under limits (reference: api §3.1).

use bytes::{Bytes, BytesMut};
use darkroom_model::Limits;
use futures_util::{Stream, TryStreamExt};
use multer::{Constraints, Multipart, SizeLimit};

/// Bytes that a form may have besides its file: other fields, headers of parts, boundaries.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A boundary has 1 to 70 characters (RFC 2046 §5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// One part of a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its name, as sent.
    pub name: String,
    /// The file name that the client gave, as sent.
    pub filename: Option<String>,
    /// Its content.
    pub content: Bytes,
}

/// Why a form could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormError {
    /// The content type is not `multipart/form-data` with a boundary.
    #[error("not multipart/form-data")]
    NotMultipart,
    /// The file, or everything together, has more bytes than allowed.
    #[error("form too large")]
    TooLarge,
    /// A field that is no file has more bytes than allowed.
    #[error("form field too large")]
    FieldTooLarge,
    /// There are more parts than allowed.
    #[error("too many form parts")]
    TooManyParts,
    /// It ends before its last boundary.
    #[error("form is incomplete")]
    Incomplete,
    /// Something in it is not as RFC 7578 wants it.
    #[error("form is malformed")]
    Malformed,
    /// The bytes stopped coming for another reason than their end.
    #[error("form could not be received")]
    NotReceived,
}

/// Returns how many bytes the body of an upload may have.
pub fn body_bytes_max(limits: &Limits) -> usize {
    limits.file_bytes_max + FRAME_BYTES_MAX
}

/// Returns the boundary that a `Content-Type` names; [`FormError::NotMultipart`] if it is another type, and
/// [`FormError::Malformed`] if it is the right type with a boundary that none can be.
pub fn boundary(content_type: Option<&str>) -> Result<String, FormError> {
    let content_type = content_type.ok_or(FormError::NotMultipart)?;
    match multer::parse_boundary(content_type) {
        Ok(boundary) if (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) => Ok(boundary),
        Ok(_) => Err(FormError::Malformed),
        Err(_) => Err(FormError::NotMultipart),
    }
}

/// Reads a form: every part in the order sent, its content in memory. A part without a name is malformed. Reads no
/// further than the limits allow: the file `file_bytes_max`, each other part `field_bytes_max`, `parts_max` parts, and
/// 1 MiB for everything but the file.
pub async fn read<S, E>(boundary: &str, body: S, limits: &Limits) -> Result<Vec<Part>, FormError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // What multer takes as an error must not borrow; that it was the connection is all that anyone asks.
    let body = body.map_err(|_| ReceivingFailed);
    let whole = SizeLimit::new().whole_stream(body_bytes_max(limits) as u64);
    let mut form = Multipart::with_constraints(body, boundary, Constraints::new().size_limit(whole));
    let mut parts = Vec::new();
    while let Some(mut field) = form.next_field().await.map_err(FormError::from)? {
        if parts.len() == limits.parts_max {
            return Err(FormError::TooManyParts);
        }
        let name = field.name().ok_or(FormError::Malformed)?.to_owned();
        let filename = field.file_name().map(str::to_owned);
        let (bytes_max, too_large) = match name.as_str() {
            "file" => (limits.file_bytes_max, FormError::TooLarge),
            _ => (limits.field_bytes_max, FormError::FieldTooLarge),
        };
        let mut content = BytesMut::new();
        while let Some(chunk) = field.chunk().await.map_err(FormError::from)? {
            if content.len() + chunk.len() > bytes_max {
                return Err(too_large);
            }
            content.extend_from_slice(&chunk);
        }
        parts.push(Part { name, filename, content: content.freeze() });
    }
    Ok(parts)
}

#[derive(Debug, thiserror::Error)]
#[error("receiving failed")]
struct ReceivingFailed;

impl From<multer::Error> for FormError {
    fn from(error: multer::Error) -> FormError {
        match error {
            multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
                FormError::TooLarge
            }
            multer::Error::StreamReadFailed(_) => FormError::NotReceived,
            multer::Error::IncompleteStream
            | multer::Error::IncompleteFieldData { .. }
            | multer::Error::IncompleteHeaders => FormError::Incomplete,
            _ => FormError::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn limits() -> Limits {
        Limits { file_bytes_max: 8, field_bytes_max: 4, parts_max: 3, ..Limits::default() }
    }

    /// Reads a body in pieces of this size.
    fn read_in_pieces(body: &[u8], size: usize) -> Result<Vec<Part>, FormError> {
        let pieces: Vec<Result<Bytes, Infallible>> =
            body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read("B", futures_util::stream::iter(pieces), &limits()))
    }

    /// Name, file name, content.
    type Expected<'e> = (&'e str, Option<&'e str>, &'e str);

    fn check(body: &str, expected: Result<&[Expected<'_>], FormError>) {
        let expected = expected.map(|parts| {
            let part = |(name, filename, content): &Expected<'_>| Part {
                name: (*name).into(),
                filename: filename.map(Into::into),
                content: Bytes::copy_from_slice(content.as_bytes()),
            };
            parts.iter().map(part).collect::<Vec<Part>>()
        });
        for size in [1, 2, 7, 4096] {
            assert_eq!(read_in_pieces(body.as_bytes(), size), expected, "{body:?} in pieces of {size}");
        }
    }

    fn part(name: &str, content: &str) -> String {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    }

    #[test]
    fn parts_come_in_the_order_sent() {
        let file = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n12345678\r\n";
        let body = format!("{}{file}--B--\r\n", part("id", "x"));
        check(&body, Ok(&[("id", None, "x"), ("file", Some("a.png"), "12345678")]));
        check("--B--\r\n", Ok(&[]));
        check("--B--", Ok(&[]));
    }

    #[test]
    fn what_ends_early_is_incomplete() {
        let whole = format!("{}--B--", part("id", "x"));
        for end in 0..whole.len() {
            let cut = &whole[..end];
            assert_eq!(read_in_pieces(cut.as_bytes(), 4096), Err(FormError::Incomplete), "{cut:?}");
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let whole = |part: String| format!("{part}--B--\r\n");
        check(&whole(part("file", "12345678")), Ok(&[("file", None, "12345678")]));
        check(&whole(part("file", "123456789")), Err(FormError::TooLarge));
        check(&whole(part("id", "1234")), Ok(&[("id", None, "1234")]));
        check(&whole(part("id", "12345")), Err(FormError::FieldTooLarge));
        check(&whole(part("a", "").repeat(4)), Err(FormError::TooManyParts));
        let preamble = "x".repeat(FRAME_BYTES_MAX + 9);
        assert_eq!(
            read_in_pieces(format!("{preamble}\r\n--B--").as_bytes(), 65536),
            Err(FormError::TooLarge)
        );
    }

    #[test]
    fn a_part_without_a_name_is_malformed() {
        check("--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--", Err(FormError::Malformed));
        check("--B\r\nno header\r\n\r\nx\r\n--B--", Err(FormError::Malformed));
    }

    #[test]
    fn a_connection_that_breaks_is_no_fault_of_the_form() {
        let pieces = vec![Ok(Bytes::from_static(b"--B\r\n")), Err(std::io::Error::other("reset"))];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let result = runtime.block_on(read("B", futures_util::stream::iter(pieces), &limits()));
        assert_eq!(result, Err(FormError::NotReceived));
    }

    #[test]
    fn only_form_data_with_a_boundary_is_a_form() {
        for (content_type, expected) in [
            (Some("multipart/form-data; boundary=B"), Ok("B".to_owned())),
            (Some("multipart/form-data; boundary=\"a b\""), Ok("a b".to_owned())),
            (Some("Multipart/Form-Data; boundary=B"), Ok("B".to_owned())),
            (Some("multipart/form-data"), Err(FormError::NotMultipart)),
            (Some("multipart/mixed; boundary=B"), Err(FormError::NotMultipart)),
            (Some("image/png"), Err(FormError::NotMultipart)),
            (Some("application/x-www-form-urlencoded"), Err(FormError::NotMultipart)),
            (None, Err(FormError::NotMultipart)),
        ] {
            assert_eq!(boundary(content_type), expected, "{content_type:?}");
        }
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        assert_eq!(boundary(Some(&long)), Err(FormError::Malformed));
    }
}
