//! Folders that stay after a crash.
//!
//! A file that was synced can still be lost with its folder: what a folder holds is written when the folder itself
//! is synced. So whoever makes a folder syncs the one above it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::Path;

/// Writes what folders hold to the disk; a seam, so that tests see what is synced and when.
pub(crate) trait Syncer: Send + Sync + 'static {
    /// Returns when the names in the folder are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The real one.
pub(crate) struct FileSystem;

impl Syncer for FileSystem {
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Makes a folder, and those above it, readable by the owner only, and syncs whatever got a new name. Blocks.
pub(crate) fn make_folder(syncer: &dyn Syncer, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for folder in path.ancestors() {
        // A relative path ends with nothing, which stands for the present folder.
        if folder.as_os_str().is_empty() || fs::exists(folder)? {
            break;
        }
        missing.push(folder);
    }
    for folder in missing.into_iter().rev() {
        make_one(folder)?;
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        syncer.sync_folder(parent.unwrap_or(Path::new(".")))?;
    }
    if path.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

/// Makes one folder, or leaves the one that is there.
pub(crate) fn make_one(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}
