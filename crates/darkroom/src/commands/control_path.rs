//! A path that fits into the address of a Unix socket.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Every system that we run on takes addresses of so many bytes.
const ADDRESS_BYTES_MAX: usize = 100;

/// A path to a socket, short enough for its address.
pub(super) struct ShortPath {
    path: PathBuf,
    /// The folder that a shortened path leads through, for as long as the path is used.
    _folder: Option<File>,
}

impl ShortPath {
    /// Returns the path itself, or where it is too long, one through the open folder. Fails where neither will do.
    pub(super) fn of(path: &Path) -> io::Result<ShortPath> {
        if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
            return Ok(ShortPath { path: path.to_owned(), _folder: None });
        }
        shortened(path)
    }

    /// Returns the path to bind or to connect to.
    pub(super) fn as_path(&self) -> &Path {
        &self.path
    }
}

#[cfg(target_os = "linux")]
fn shortened(path: &Path) -> io::Result<ShortPath> {
    use std::os::fd::AsRawFd;

    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let folder = File::open(parent)?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(ShortPath { path, _folder: Some(folder) })
}

#[cfg(not(target_os = "linux"))]
fn shortened(path: &Path) -> io::Result<ShortPath> {
    let words =
        format!("the path of a socket has at most {ADDRESS_BYTES_MAX} bytes, not {}", path.as_os_str().len());
    Err(io::Error::new(io::ErrorKind::InvalidFilename, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_deep_down_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(90)).join("b".repeat(90));
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("control.sock");
        assert!(UnixListener::bind(&path).is_err());
        let _listener = UnixListener::bind(ShortPath::of(&path).unwrap().as_path()).unwrap();
        assert!(path.exists());
        UnixStream::connect(ShortPath::of(&path).unwrap().as_path()).unwrap();
    }

    #[test]
    fn a_short_path_is_left_alone() {
        assert_eq!(ShortPath::of(Path::new("data/x")).unwrap().as_path(), Path::new("data/x"));
    }
}
