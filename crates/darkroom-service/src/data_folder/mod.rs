//! The data folder: one process, one format, a local disk.
//!
//! ```text
//! darkroom-format    which format the folder has; the folder is ours because this file is in it
//! api-token          the token of the first start
//! control.sock       where a running server takes commands
//! catalog/           the catalog
//! originals/         the originals
//! renditions/        what was made of them; may be removed while no process has the folder
//! ```
//!
//! The lock is on the folder itself (`flock`), so that a folder of somebody else is looked at and left as it was. It
//! goes with the process, however that ends.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::durable::{self, FileSystem, Syncer};

mod network;

/// The format that this version writes and reads.
const FORMAT: u32 = 1;
const MARKER: &str = "darkroom-format";
const CONTROL_SOCKET: &str = "control.sock";
/// The marker while it is being written.
const NEW_MARKER: &str = "darkroom-format.new";
/// Lies at the top of every ext file system, so in a data folder that has one to itself.
const LOST_AND_FOUND: &str = "lost+found";
const MARKER_HEAD: &str = "darkroom data folder\nformat ";
/// A marker is shorter than this.
const MARKER_BYTES_MAX: u64 = 256;

/// A data folder under the lock of this process, for as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

/// Why a folder cannot be the data folder. Every message names it.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// It could not be made, read or written.
    #[error("cannot use the data folder {0}")]
    Io(PathBuf, #[source] io::Error),
    /// Another process has it open.
    #[error("the data folder {0} is in use by another process")]
    InUse(PathBuf),
    /// It holds something, and was not made by Darkroom.
    #[error("the folder {0} is not empty and is no data folder of Darkroom; name another one")]
    Foreign(PathBuf),
    /// It was made by a newer version.
    #[error("the data folder {0} has format {1}, newer than the format {FORMAT} that this version reads")]
    Newer(PathBuf, u32),
    /// The file that tells its format is cut off or was changed.
    #[error("the data folder {0} is damaged: its file {MARKER} is unreadable")]
    Damaged(PathBuf),
    /// It lies on a network file system, where neither the lock nor the catalog is safe.
    #[error("the data folder {0} is on a network file system ({1}); name one on a local disk")]
    NetworkFileSystem(PathBuf, String),
}

impl DataFolder {
    /// Opens the folder, or makes it, and locks it. A folder that is refused is left as it was. Blocks.
    pub fn open(path: &Path) -> Result<DataFolder, DataFolderError> {
        let io = |error| DataFolderError::Io(path.to_owned(), error);
        durable::make_folder(&FileSystem, path).map_err(io)?;
        let folder = File::open(path).map_err(io)?;
        if let Some(kind) = network::network_file_system(&folder).map_err(io)? {
            return Err(DataFolderError::NetworkFileSystem(path.to_owned(), kind));
        }
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(DataFolderError::InUse(path.to_owned())),
            Err(error) => return Err(io(error.into())),
        }
        let opened = DataFolder { path: path.to_owned(), lock: folder };
        match read_marker(path)? {
            Some(FORMAT) => {}
            Some(newer) => return Err(DataFolderError::Newer(path.to_owned(), newer)),
            None if is_empty(path).map_err(io)? => write_marker(path).map_err(io)?,
            None => return Err(DataFolderError::Foreign(path.to_owned())),
        }
        Ok(opened)
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of the catalog.
    pub fn catalog(&self) -> PathBuf {
        self.path.join("catalog")
    }

    /// Returns the folder of the originals.
    pub fn originals(&self) -> PathBuf {
        self.path.join("originals")
    }

    /// Returns the folder of the renditions.
    pub fn renditions(&self) -> PathBuf {
        self.path.join("renditions")
    }

    /// Returns the socket on which the process that has the folder takes commands. Whoever asks it has not the lock.
    pub fn control_socket_of(path: &Path) -> PathBuf {
        path.join(CONTROL_SOCKET)
    }

    /// Returns the file that keeps the token of the first start.
    pub fn api_token_file(&self) -> PathBuf {
        self.path.join("api-token")
    }
}

impl Drop for DataFolder {
    /// Unlocks. Closing alone would not do: a process that is being started by another thread holds copies of every
    /// open file until it executes, and the lock with them.
    fn drop(&mut self) {
        // What fails here ends with the process.
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}

/// Says whether the folder holds nothing but, perhaps, a marker that was never finished, and what a fresh file
/// system brings.
fn is_empty(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != NEW_MARKER && name != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the format; `None` if there is no marker.
fn read_marker(path: &Path) -> Result<Option<u32>, DataFolderError> {
    let damaged = || DataFolderError::Damaged(path.to_owned());
    let file = match File::open(path.join(MARKER)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataFolderError::Io(path.to_owned(), error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(MARKER_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| DataFolderError::Io(path.to_owned(), error))?;
    // The line's end tells a whole number from the first digits of a longer one.
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    let format =
        text.strip_prefix(MARKER_HEAD).and_then(|rest| rest.strip_suffix('\n')).ok_or_else(damaged)?;
    match format.parse() {
        Ok(format) if format >= FORMAT => Ok(Some(format)),
        _ => Err(damaged()),
    }
}

/// Writes the marker so that it is whole or not there.
fn write_marker(path: &Path) -> io::Result<()> {
    let new = path.join(NEW_MARKER);
    let mut file = File::create(&new)?;
    file.write_all(format!("{MARKER_HEAD}{FORMAT}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path.join(MARKER))?;
    FileSystem.sync_folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens a folder that holds one file, and checks that it is refused, by name, and left as it was.
    fn check_refused(file: &str, content: &[u8], is_expected: impl Fn(&DataFolderError) -> bool) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), content).unwrap();
        let error = DataFolder::open(folder.path()).unwrap_err();
        assert!(is_expected(&error), "{content:?}: {error:?}");
        assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [file]);
        assert_eq!(fs::read(folder.path().join(file)).unwrap(), content);
    }

    #[test]
    fn a_new_folder_is_made_and_opens_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b/data");
        for _ in 0..2 {
            let folder = DataFolder::open(&path).unwrap();
            fs::write(folder.api_token_file(), "x").unwrap();
        }
        assert_eq!(fs::read_to_string(path.join(MARKER)).unwrap(), "darkroom data folder\nformat 1\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn only_one_has_the_folder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        let error = DataFolder::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataFolderError::InUse(_)), "{error:?}");
        assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
        drop(first);
        DataFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_is_free_at_once_although_a_copy_of_the_lock_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let opened = DataFolder::open(folder.path()).unwrap();
        let copy = opened.lock.try_clone().unwrap();
        drop(opened);
        DataFolder::open(folder.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn a_foreign_folder_is_refused() {
        let foreign = |error: &DataFolderError| matches!(error, DataFolderError::Foreign(_));
        check_refused("thesis.tex", b"x", foreign);
        // Not even our own parts make it ours: the marker is the first thing that we write.
        check_refused("api-token", b"x", foreign);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let newer = |error: &DataFolderError| matches!(error, DataFolderError::Newer(_, 2));
        check_refused(MARKER, b"darkroom data folder\nformat 2\n", newer);
        let newer = |error: &DataFolderError| matches!(error, DataFolderError::Newer(_, 12));
        check_refused(MARKER, b"darkroom data folder\nformat 12\n", newer);
    }

    #[test]
    fn a_marker_that_is_cut_off_or_changed_is_refused() {
        let damaged = |error: &DataFolderError| matches!(error, DataFolderError::Damaged(_));
        let whole = b"darkroom data folder\nformat 1\n";
        for end in 0..whole.len() {
            check_refused(MARKER, &whole[..end], damaged);
        }
        for other in ["format 1\n", "darkroom data folder\nformat 0\n", "darkroom data folder\nformat x\n"] {
            check_refused(MARKER, other.as_bytes(), damaged);
        }
        check_refused(MARKER, &[0xff; 300], damaged);
    }

    #[test]
    fn a_marker_that_was_never_finished_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NEW_MARKER), "dark").unwrap();
        DataFolder::open(folder.path()).unwrap();
        assert!(!folder.path().join(NEW_MARKER).exists());
    }

    #[test]
    fn a_fresh_file_system_is_an_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(LOST_AND_FOUND)).unwrap();
        DataFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_file_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        for path in [path.clone(), path.join("data")] {
            let error = DataFolder::open(&path).unwrap_err();
            assert!(matches!(error, DataFolderError::Io(..)), "{error:?}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
