//! The engine's file: that it is there, whole, and always longer than what is in it.
//!
//! The engine maps its file and trusts its length: a file that was cut off would end the process at the first look
//! behind its end, and one that is missing would be made anew, empty. Both are found out before the engine opens it.
//!
//! INVARIANT: the file is longer than its last page, whatever was committed. The engine alone does not promise that
//! (it leaves pages unwritten that a transaction took and gave back), so the file is grown ahead, in steps that take no
//! room on the disk until they are written to. A file that is too short was therefore cut off.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use heed::{Env, WithoutTls};

/// By how much the file grows at a time. Half of it is more than any transaction takes.
const GROWTH_BYTES: u64 = 64 << 20;

/// Stands in a folder from the moment on at which its catalog has its first rows.
const MARKER: &str = "darkroom-catalog";

/// The engine's file in the catalog folder.
pub(crate) struct DataFile {
    folder: PathBuf,
    growth_bytes: u64,
    len: AtomicU64,
}

/// What is wrong with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// There was a catalog in this folder, and its file is gone or empty.
    Missing,
    /// It ends before its last page.
    CutOff,
}

impl DataFile {
    /// Names the file of a folder.
    pub(crate) fn new(folder: &Path, growth_bytes: Option<u64>) -> DataFile {
        let growth_bytes = growth_bytes.unwrap_or(GROWTH_BYTES);
        DataFile { folder: folder.to_owned(), growth_bytes, len: AtomicU64::new(0) }
    }

    /// Looks at the file before the engine does. That it is no database at all, the engine says itself.
    pub(crate) fn check(&self) -> io::Result<Option<Fault>> {
        let len = match fs::metadata(self.path()) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if len == 0 {
            return Ok(self.folder.join(MARKER).try_exists()?.then_some(Fault::Missing));
        }
        let mut head = Vec::new();
        File::open(self.path())?.take(HEAD_BYTES).read_to_end(&mut head)?;
        let is_cut_off = bytes_in_use(&head).is_some_and(|in_use| in_use > len);
        Ok(is_cut_off.then_some(Fault::CutOff))
    }

    /// Notes durably that there is a catalog in the folder.
    pub(crate) fn mark(&self) -> io::Result<()> {
        let marker = self.folder.join(MARKER);
        if !marker.try_exists()? {
            let file = File::create(marker)?;
            file.sync_all()?;
        }
        File::open(&self.folder)?.sync_all()
    }

    /// Grows the file if the transaction that is about to be committed might come near its end.
    pub(crate) fn grow(&self, env: &Env<WithoutTls>, page_bytes: u64) -> io::Result<()> {
        let in_use = (env.info().last_page_number as u64 + 1) * page_bytes;
        if in_use + self.growth_bytes / 2 <= self.len.load(Ordering::Relaxed) {
            return Ok(());
        }
        let file = File::options().write(true).open(self.path())?;
        let len = file.metadata()?.len().max((in_use / self.growth_bytes + 2) * self.growth_bytes);
        file.set_len(len)?;
        file.sync_all()?;
        self.len.store(len, Ordering::Relaxed);
        Ok(())
    }

    /// Returns how many bytes the file takes on the disk; 0 if it cannot be asked.
    pub(crate) fn disk_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(self.path()).map_or(0, |metadata| metadata.blocks() * 512)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("data.mdb")
    }
}

/// Enough bytes for both meta pages, whose size is at most 64 KiB.
const HEAD_BYTES: u64 = 128 << 10;
const MAGIC: u32 = 0xBEEF_C0DE;

/// Returns the bytes up to the end of the last page, by the newer of the two meta pages; `None` if there is none.
///
/// A meta page of the engine (version 1, 64 bit): a header of 16 bytes; magic u32, version u32, address u64, map size
/// u64; the descriptors of two trees, 48 bytes each, the first beginning with the page size u32; last page u64,
/// transaction u64; all in the order of the machine.
fn bytes_in_use(head: &[u8]) -> Option<u64> {
    let first = Meta::read(head)?;
    let second = Meta::read(head.get(usize::try_from(first.page_bytes).ok()?..)?)?;
    let newer = if first.transaction >= second.transaction { first } else { second };
    newer.last_page.checked_add(1)?.checked_mul(newer.page_bytes)
}

struct Meta {
    page_bytes: u64,
    last_page: u64,
    transaction: u64,
}

impl Meta {
    fn read(page: &[u8]) -> Option<Meta> {
        let u32_at = |offset: usize| Some(u32::from_ne_bytes(page.get(offset..offset + 4)?.try_into().ok()?));
        let u64_at = |offset: usize| Some(u64::from_ne_bytes(page.get(offset..offset + 8)?.try_into().ok()?));
        (u32_at(16)? == MAGIC).then_some(())?;
        Some(Meta { page_bytes: u64::from(u32_at(40)?), last_page: u64_at(136)?, transaction: u64_at(144)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_meta_page_says_nothing() {
        assert_eq!(bytes_in_use(&[]), None);
        assert_eq!(bytes_in_use(&[7; 8192]), None);
    }

    #[test]
    fn a_file_that_is_gone_is_missed_only_where_a_catalog_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = DataFile::new(folder.path(), None);
        assert_eq!(file.check().unwrap(), None);
        file.mark().unwrap();
        assert_eq!(file.check().unwrap(), Some(Fault::Missing));
        fs::write(file.path(), "").unwrap();
        assert_eq!(file.check().unwrap(), Some(Fault::Missing));
    }
}
