//! Boxes, of which AVIF is made: ISO/IEC 14496-12, "ISO base media file format".

use super::ProbeError;
use super::view::View;

const CUT_OFF: ProbeError = ProbeError::Damaged("a box of the AVIF reaches beyond its end");

/// One box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Box<'a> {
    /// Four letters.
    pub(crate) kind: [u8; 4],
    /// What is in it.
    pub(crate) data: View<'a>,
}

/// Returns the boxes of a view, one after the other. A box has its length, its kind, and then its data; the length
/// 1 says that eight bytes of length follow, the length 0 that the box reaches to the end.
pub(crate) fn boxes(view: View<'_>) -> impl Iterator<Item = Result<Box<'_>, ProbeError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= view.len() {
            return None;
        }
        match read_box(view, at) {
            Some((item, end)) => {
                at = end;
                Some(Ok(item))
            }
            None => {
                at = view.len();
                Some(Err(CUT_OFF))
            }
        }
    })
}

/// Returns the content of the first box of a kind.
pub(crate) fn child<'a>(view: View<'a>, kind: &[u8; 4]) -> Result<Option<View<'a>>, ProbeError> {
    for item in boxes(view) {
        let item = item?;
        if item.kind == *kind {
            return Ok(Some(item.data));
        }
    }
    Ok(None)
}

fn read_box(view: View<'_>, at: u64) -> Option<(Box<'_>, u64)> {
    let (length, kind) = (u64::from(view.u32_be(at)?), view.array(at + 4)?);
    let (head, length) = match length {
        0 => (8, view.len() - at),
        1 => (16, view.u64_be(at + 8)?),
        length => (8, length),
    };
    let data = view.part(at + head, length.checked_sub(head)?)?;
    Some((Box { kind, data }, at + length))
}
