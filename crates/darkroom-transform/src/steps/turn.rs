//! Laying a picture down in one of eight ways.

use crate::geometry::Turn;
use crate::picture::Picture;

/// Mirrors a picture left to right if asked, then turns it clockwise.
pub(crate) fn turn(picture: Picture, turn: Turn) -> Picture {
    if turn == Turn::default() {
        return picture;
    }
    let bytes_each = picture.layout.bytes();
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let size = turn.size(picture.size);
    let mut turned = Vec::with_capacity(picture.bytes.len());
    for y in 0..size.height as usize {
        for x in 0..size.width as usize {
            let (from_x, from_y) = match turn.quarters {
                1 => (y, height - 1 - x),
                2 => (width - 1 - x, height - 1 - y),
                3 => (width - 1 - y, x),
                _ => (x, y),
            };
            let from_x = if turn.mirrored { width - 1 - from_x } else { from_x };
            let at = (from_y * width + from_x) * bytes_each;
            turned.extend_from_slice(&picture.bytes[at..at + bytes_each]);
        }
    }
    Picture { size, bytes: turned, ..picture }
}
