//! Photographs that are cut off, or have a hole, at every kilobyte.

use super::files::{Photo, photos};
use super::{DAMAGED, Fate, NOT_AN_IMAGE, Target, UPLOAD_DAMAGED, UPLOAD_NOT_AN_IMAGE, check_fate};
use crate::common::client::Answer;

const STEP: usize = 1 << 10;

/// Makes every format small and the same.
const OPTIONS: &str = "w=40,h=30,fit=squeeze,format=jpeg";
const PICTURE: Fate = Fate::Picture("image/jpeg", 40, 30);

#[tokio::test]
async fn what_is_cut_off_is_shown_as_far_as_it_goes_or_refused() {
    let target = Target::start().await;
    for Photo { name, media_type, file } in photos(&target).await {
        assert!(file.len() > 4 * STEP, "{name} is of {} bytes", file.len());
        for length in (STEP..file.len()).step_by(STEP) {
            let cut = &file[..length];
            let name = format!("{name} cut at {length}");
            let shown = media_type == "image/jpeg" && length > first_scan(&file);
            let (upload, fate) = if shown { (None, PICTURE) } else { (UPLOAD_DAMAGED, DAMAGED) };

            target.check_upload(&name, cut, OPTIONS, upload, fate).await;
            check_fate(&name, &target.remote(cut, OPTIONS).await, "cf-resized", fate);
        }
        target.check_calm().await;
        // Before the first kilobyte.
        target.check(name, &file[..2], OPTIONS, UPLOAD_NOT_AN_IMAGE, NOT_AN_IMAGE).await;
    }
    target.stop().await;
}

/// Returns where the first pixels of a JPEG stand.
fn first_scan(jpeg: &[u8]) -> usize {
    let mut at = 2;
    loop {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] == 0xda {
            return end;
        }
        at = end;
    }
}

/// Where a block of a disk was lost the container may still be whole, and decoders meet what no header tells.
#[tokio::test]
async fn what_has_a_hole_is_shown_or_refused() {
    let target = Target::start().await;
    for Photo { name, media_type, file } in photos(&target).await {
        let mut shown = 0;
        for start in (STEP..file.len()).step_by(STEP) {
            for filling in [0, 0xff] {
                let mut holed = file.clone();
                let end = file.len().min(start + STEP);
                holed[start..end].fill(filling);
                let name = format!("{name} with {filling} from {start}");
                let answer = target.remote(&holed, OPTIONS).await;
                shown += usize::from(check_shown_or_refused(&name, media_type, &answer));
            }
        }
        // A decoder has seen some of them, and made the best of it.
        assert!(shown > 0 || media_type == "image/svg+xml", "{name}");
        target.check_calm().await;
    }
    target.stop().await;
}

/// Says whether it is shown.
fn check_shown_or_refused(name: &str, media_type: &str, answer: &Answer) -> bool {
    let fate = match (answer.status, media_type) {
        (200, _) => PICTURE,
        // It is no text any more, or would have to become pixels.
        (415, "image/svg+xml") => Fate::Refused(415, 9412, ""),
        _ => DAMAGED,
    };
    check_fate(name, answer, "cf-resized", fate);
    answer.status == 200
}
