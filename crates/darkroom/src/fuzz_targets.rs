//! What must hold for any bytes at all, above one crate: bodies of fuzz targets in `fuzz/`, replayed over the
//! committed corpus by every test run (`tests/fuzz_corpus.rs`).

use std::convert::Infallible;

use bytes::Bytes;
use darkroom_api::FormPart;
use darkroom_model::Limits;
use futures_util::{FutureExt, stream};

use crate::http::form::{self, FormError, Part};

/// The first line is a content type, the rest a form. It is read or refused, the same in whatever pieces it comes,
/// and so is the upload that its parts make.
pub fn multipart_form(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let content_type = String::from_utf8_lossy(&bytes[..end]);
    let body = bytes.get(end + 1..).unwrap_or_default();
    let Ok(boundary) = form::boundary(Some(content_type.trim_end())) else { return };
    let whole = read(&boundary, body, body.len());
    for size in [1, 7] {
        let pieces = read(&boundary, body, size);
        assert_eq!(pieces, whole, "in pieces of {size}");
    }
    if let Ok(parts) = whole {
        darkroom_api::fuzz_targets::upload_form(parts.into_iter().map(form_part).collect());
    }
}

/// Reads a form under small limits, so that a small input reaches them.
fn read(boundary: &str, body: &[u8], piece_bytes: usize) -> Result<Vec<Part>, FormError> {
    let limits = Limits { file_bytes_max: 64, field_bytes_max: 2048, parts_max: 16, ..Limits::default() };
    let pieces =
        body.chunks(piece_bytes.max(1)).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
    let pieces: Vec<_> = pieces.collect();
    let parts = form::read(boundary, stream::iter(pieces), &limits).now_or_never();
    let parts = parts.expect("what is there already is not waited for");
    if let Ok(parts) = &parts {
        assert!(parts.len() <= limits.parts_max);
        for part in parts {
            let is_file = part.name == "file";
            let bytes_max = if is_file { limits.file_bytes_max } else { limits.field_bytes_max };
            assert!(part.content.len() <= bytes_max);
        }
    }
    parts
}

fn form_part(Part { name, filename, content }: Part) -> FormPart {
    FormPart { name, filename, content }
}
