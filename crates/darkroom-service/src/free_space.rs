//! How much room there is where the originals lie.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long an answer of the file system is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// The room on the file system of a folder; without a folder, room without end.
#[derive(Default)]
pub(crate) struct FreeSpace {
    folder: Option<PathBuf>,
    known: Mutex<Option<(Instant, u64)>>,
}

impl FreeSpace {
    /// Watches the file system that a folder lies on.
    pub(crate) fn of(folder: PathBuf) -> FreeSpace {
        FreeSpace { folder: Some(folder), known: Mutex::default() }
    }

    /// Says whether so many bytes are free, as of a second ago at most. A file system that does not say has room: it
    /// will say so itself when it has none.
    pub(crate) fn is_at_least(&self, bytes: u64) -> bool {
        let Some(folder) = self.folder.as_ref().filter(|_| bytes > 0) else { return true };
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((when, free)) = *known
            && when.elapsed() < BELIEVED
        {
            return free >= bytes;
        }
        // One look at a local file system takes microseconds.
        match free_bytes(folder) {
            Ok(free) => {
                *known = Some((Instant::now(), free));
                free >= bytes
            }
            Err(error) => {
                tracing::warn!(%error, "how much room there is could not be found out");
                true
            }
        }
    }
}

/// Returns how many bytes someone without privileges can still write.
fn free_bytes(folder: &PathBuf) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_the_room_of_its_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let space = FreeSpace::of(folder.path().to_owned());
        assert!(space.is_at_least(0) && space.is_at_least(1));
        assert!(!space.is_at_least(u64::MAX));
    }

    #[test]
    fn where_nothing_is_said_there_is_room() {
        assert!(FreeSpace::default().is_at_least(u64::MAX));
        assert!(FreeSpace::of("/nowhere/at/all".into()).is_at_least(u64::MAX));
    }

    #[test]
    fn an_answer_is_believed_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let space = FreeSpace::of(folder.path().to_owned());
        *space.known.lock().unwrap() = Some((Instant::now(), 7));
        assert!(space.is_at_least(7) && !space.is_at_least(8));
        let Some(long_ago) = Instant::now().checked_sub(BELIEVED) else { return };
        *space.known.lock().unwrap() = Some((long_ago, 7));
        assert!(space.is_at_least(8));
    }
}
