//! The best of all places for a window of one size.

use crate::plan::Size;

/// Returns the place with the highest worth; of several the one nearest to the middle, and of these the first.
pub(super) fn best(outer: Size, window: Size, mut worth: impl FnMut(u32, u32) -> f64) -> (u32, u32) {
    let rest = (outer.width - window.width, outer.height - window.height);
    let from_middle = |at: u32, rest: u32| u64::from((2 * at).abs_diff(rest)).pow(2);
    let mut best = (f64::NEG_INFINITY, 0, (rest.0 / 2, rest.1 / 2));
    for y in 0..=rest.1 {
        for x in 0..=rest.0 {
            let worth = worth(x, y);
            let distance = from_middle(x, rest.0) + from_middle(y, rest.1);
            if worth > best.0 || (worth == best.0 && distance < best.1) {
                best = (worth, distance, (x, y));
            }
        }
    }
    best.2
}
