//! The file in the data folder that keeps the first token for its owner.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file of the first token. Until the catalog knows the token, it has another name: a start that finds that name
/// finds a first start that did not come to its end.
pub(super) struct TokenFile {
    path: PathBuf,
    pending: PathBuf,
}

impl TokenFile {
    /// Names the file. Nothing is read or written.
    pub(super) fn at(path: &Path) -> TokenFile {
        TokenFile { path: path.to_owned(), pending: path.with_extension("pending") }
    }

    /// Returns where the token is kept in the end.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the token that the catalog may not know yet.
    pub(super) fn pending(&self) -> io::Result<Option<String>> {
        read(&self.pending)
    }

    /// Returns the token that is kept.
    pub(super) fn kept(&self) -> io::Result<Option<String>> {
        read(&self.path)
    }

    /// Writes a token that the catalog does not know yet, readable by its owner only. When this returns, it stands
    /// whole on the disk; a crash before leaves nothing that is taken for it.
    pub(super) fn begin(&self, token: &str) -> io::Result<()> {
        let unfinished = self.path.with_extension("unfinished");
        remove(&unfinished)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(format!("{token}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.pending)?;
        self.sync_folder()
    }

    /// Says that the catalog knows the token. Does nothing if none is pending.
    pub(super) fn finish(&self) -> io::Result<()> {
        match fs::rename(&self.pending, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync_folder(),
        }
    }

    /// Forgets a token that the catalog never knew.
    pub(super) fn abandon(&self) -> io::Result<()> {
        remove(&self.pending)
    }

    fn sync_folder(&self) -> io::Result<()> {
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_pending_until_the_catalog_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(&folder.path().join("api-token"));
        assert_eq!((file.pending().unwrap(), file.kept().unwrap()), (None, None));
        file.begin("a-token").unwrap();
        assert_eq!((file.pending().unwrap().as_deref(), file.kept().unwrap()), (Some("a-token"), None));
        file.finish().unwrap();
        assert_eq!((file.pending().unwrap(), file.kept().unwrap().as_deref()), (None, Some("a-token")));
        file.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(&folder.path().join("api-token"));
        // What an earlier start did not finish does not lend its permissions.
        fs::write(folder.path().join("api-token.unfinished"), "half").unwrap();
        file.begin("a-token").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_token_that_nobody_needs_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(&folder.path().join("api-token"));
        file.begin("a-token").unwrap();
        file.abandon().unwrap();
        file.abandon().unwrap();
        file.finish().unwrap();
        assert_eq!(file.kept().unwrap(), None);
    }
}
