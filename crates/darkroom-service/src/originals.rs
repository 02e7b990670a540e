//! The bytes of images, each under the key of its own upload.
//!
//! A local original is written to a temporary name, synced, renamed, and its folder synced; `object_store` does all
//! of this when its local store is asked to (`with_fsync`), and we ask. Two things it leaves open, and
//! [`Folders`] closes: a folder that another upload, or an earlier process, has made but not yet synced looks to it
//! like one that was always there. So the first original that this process puts into a folder syncs the folders
//! above it, whoever made them.
//!
//! The order was read off a trace of the system calls of an upload (`strace -f -e
//! trace=mkdir,openat,rename,fsync,fdatasync,pwrite64` on the test `a_folder_keeps_everything_over_a_restart`): folders
//! made and those above them synced; `…#1` opened, synced, renamed; its folder synced; and only then the catalog's
//! `pwrite64` and `fdatasync`. What is ours of it is tested below, with a recording [`Syncer`].
//!
//! ```text
//! root/{account}/{xx}/{id hash}-{random}       an original
//! root/{account}/{xx}/{id hash}-{random}#1     one that is being written, or was when the process ended
//! ```

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use darkroom_model::{OriginalKey, Timestamp};
use futures_util::stream::{BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as StorePath;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutPayload};

use crate::ServiceError;
use crate::durable::{self, FileSystem, Syncer};

/// The store of the originals.
#[derive(Clone)]
pub(crate) struct Originals {
    store: Arc<dyn ObjectStore>,
    /// The folders of a local store.
    folders: Option<Arc<Folders>>,
}

/// An original as a listing of the store shows it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Its key; `None` if this is no original of ours.
    pub(crate) key: Option<OriginalKey>,
    /// When it was written, by the clock of the store.
    pub(crate) written: Timestamp,
}

/// An original that can be read.
pub(crate) struct OpenOriginal {
    found: GetResult,
}

impl OpenOriginal {
    /// The length of all of it, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.found.meta.size
    }

    /// Reads what was asked for.
    pub(crate) async fn bytes(self) -> Result<Bytes, ServiceError> {
        self.found.bytes().await.map_err(ServiceError::internal)
    }

    /// Reads it piece by piece.
    pub(crate) fn stream(self) -> BoxStream<'static, Result<Bytes, ServiceError>> {
        self.found.into_stream().map(|piece| piece.map_err(ServiceError::internal)).boxed()
    }
}

impl Originals {
    /// Takes any store whose writes are durable when they are answered.
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Originals {
        Originals { store, folders: None }
    }

    /// Makes an empty store in memory.
    pub(crate) fn in_memory() -> Originals {
        Originals::new(Arc::new(InMemory::new()))
    }

    /// Opens the store in a folder, or makes it. Blocks.
    pub(crate) fn in_folder(root: &Path) -> io::Result<Originals> {
        Originals::in_folder_with(root, Box::new(FileSystem))
    }

    fn in_folder_with(root: &Path, syncer: Box<dyn Syncer>) -> io::Result<Originals> {
        durable::make_folder(&*syncer, root)?;
        let root = root.canonicalize()?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?.with_fsync(true);
        let folders = Folders { root, syncer, durable: Mutex::default() };
        Ok(Originals { store: Arc::new(store), folders: Some(Arc::new(folders)) })
    }

    /// Stores bytes under a new key. When this returns they are durable; if it fails, nothing stays.
    pub(crate) async fn put(&self, key: &OriginalKey, bytes: Bytes) -> Result<(), ServiceError> {
        if let Some(folders) = self.folders.clone() {
            let folder = PathBuf::from(key.to_path());
            let prepare = tokio::task::spawn_blocking(move || folders.prepare(&folder));
            prepare.await.map_err(ServiceError::internal)?.map_err(ServiceError::storage)?;
        }
        let path = store_path(key);
        let result = self.store.put(&path, PutPayload::from_bytes(bytes)).await;
        if let Err(error) = result {
            // The store may have failed after the name was there: it could not sync the folder.
            if let Err(left) = self.remove(key).await {
                tracing::warn!(original = %path, error = ?left, "an original that could not be written was left");
            }
            return Err(ServiceError::storage(error));
        }
        Ok(())
    }

    /// Opens an original, or some of its bytes; `None` if it is not there. What was opened can be read to its end, even
    /// if it is removed meanwhile.
    pub(crate) async fn open(
        &self,
        key: &OriginalKey,
        range: Option<Range<u64>>,
    ) -> Result<Option<OpenOriginal>, ServiceError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&store_path(key), options).await {
            Ok(found) => Ok(Some(OpenOriginal { found })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(ServiceError::internal(error)),
        }
    }

    /// Removes an original; that it was not there is no error.
    pub(crate) async fn remove(&self, key: &OriginalKey) -> Result<(), ServiceError> {
        match self.store.delete(&store_path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ServiceError::internal(error)),
        }
    }

    /// Returns everything in the store, in no order.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Stored, ServiceError>> {
        let listing = self.store.list(None);
        listing
            .map(|entry| {
                let entry = entry.map_err(ServiceError::internal)?;
                let written = u64::try_from(entry.last_modified.timestamp_millis()).unwrap_or(0);
                Ok(Stored {
                    key: OriginalKey::from_path(entry.location.as_ref()),
                    written: Timestamp(written),
                })
            })
            .boxed()
    }

    /// Removes what uploads that never ended have left under temporary names, if it is at least this old and
    /// `is_running` does not claim its key. Returns how many there were.
    pub(crate) async fn remove_leftovers(
        &self,
        now: Timestamp,
        age_min: Duration,
        is_running: impl Fn(&OriginalKey) -> bool + Send + 'static,
    ) -> Result<u64, ServiceError> {
        let Some(folders) = self.folders.clone() else { return Ok(0) };
        let remove = move || folders.remove_leftovers(now, age_min, &is_running);
        let removed = tokio::task::spawn_blocking(remove).await.map_err(ServiceError::internal)?;
        removed.map_err(ServiceError::internal)
    }
}

fn store_path(key: &OriginalKey) -> StorePath {
    StorePath::from(key.to_path())
}

/// The folders of a local store.
struct Folders {
    root: PathBuf,
    syncer: Box<dyn Syncer>,
    /// Folders below the root whose names this process has seen to be on the disk.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Makes the folders of an original, whose path is relative to the root, and has their names on the disk.
    fn prepare(&self, original: &Path) -> io::Result<()> {
        let prepared = self.prepare_unknown(original);
        if prepared.is_err() {
            // Somebody may have removed folders that we knew: the next try looks afresh.
            self.known().clear();
        }
        prepared
    }

    fn prepare_unknown(&self, original: &Path) -> io::Result<()> {
        let above = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        let shard = above(original);
        let account = above(&shard);
        for folder in [account, shard] {
            if self.known().contains(&folder) {
                continue;
            }
            let path = self.root.join(&folder);
            durable::make_one(&path)?;
            self.syncer.sync_folder(&above(&path))?;
            self.known().insert(folder);
        }
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn remove_leftovers(
        &self,
        now: Timestamp,
        age_min: Duration,
        is_running: &dyn Fn(&OriginalKey) -> bool,
    ) -> io::Result<u64> {
        let mut removed = 0;
        for account in std::fs::read_dir(&self.root)? {
            for shard in subfolders(&account?)? {
                for file in subfolders(&shard?)? {
                    let path = file?.path();
                    let Some(key) = self.leftover_key(&path) else { continue };
                    let modified = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
                    let is_old = match modified {
                        Ok(modified) => age(now, modified) >= age_min,
                        // It was finished or removed while we looked.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        Err(error) => return Err(error),
                    };
                    if is_old && !is_running(&key) {
                        std::fs::remove_file(&path)?;
                        removed += 1;
                    }
                }
            }
        }
        Ok(removed)
    }

    /// Returns the key whose bytes were being written under this temporary name; `None` if it is none.
    fn leftover_key(&self, path: &Path) -> Option<OriginalKey> {
        let relative = path.strip_prefix(&self.root).ok()?.to_str()?;
        let (original, number) = relative.rsplit_once('#')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { OriginalKey::from_path(original) } else { None }
    }
}

/// Reads what is in a folder; nothing if it is none.
fn subfolders(
    entry: &std::fs::DirEntry,
) -> io::Result<impl Iterator<Item = io::Result<std::fs::DirEntry>> + use<>> {
    let entries = if entry.file_type()?.is_dir() { Some(std::fs::read_dir(entry.path())?) } else { None };
    Ok(entries.into_iter().flatten())
}

/// How long ago a file was written; nothing if that is still to come.
fn age(now: Timestamp, written: std::time::SystemTime) -> Duration {
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(now.0).saturating_sub(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::AccountId;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Writes down which folders are synced, and what lay in them then.
    #[derive(Clone, Default)]
    struct Recorder {
        synced: Arc<Mutex<Vec<PathBuf>>>,
        fails: Arc<AtomicBool>,
    }

    impl Syncer for Recorder {
        fn sync_folder(&self, folder: &Path) -> io::Result<()> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.synced.lock().unwrap().push(folder.canonicalize()?);
            Ok(())
        }
    }

    impl Recorder {
        fn synced(&self) -> Vec<PathBuf> {
            std::mem::take(&mut self.synced.lock().unwrap())
        }
    }

    fn key(account: &str, id: u8, random: u8) -> OriginalKey {
        let account = AccountId::parse(account).unwrap();
        OriginalKey { account, id_hash: [id; 16], random: [random; 16] }
    }

    async fn put(originals: &Originals, key: &OriginalKey) -> Result<(), ServiceError> {
        originals.put(key, Bytes::from_static(b"bytes")).await
    }

    #[tokio::test]
    async fn the_folders_above_an_original_are_synced_before_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().canonicalize().unwrap();
        let root = parent.join("originals");
        let recorder = Recorder::default();
        let open = || Originals::in_folder_with(&root, Box::new(recorder.clone())).unwrap();
        let originals = open();
        assert_eq!(recorder.synced(), [parent]);
        put(&originals, &key("acc", 1, 1)).await.unwrap();
        assert_eq!(recorder.synced(), [root.clone(), root.join("acc")]);
        put(&originals, &key("acc", 1, 2)).await.unwrap();
        assert!(recorder.synced().is_empty());
        put(&originals, &key("acc", 2, 1)).await.unwrap();
        assert_eq!(recorder.synced(), [root.join("acc")]);
        // An earlier process may have ended between making a folder and syncing it.
        put(&open(), &key("acc", 1, 3)).await.unwrap();
        assert_eq!(recorder.synced(), [root.clone(), root.join("acc")]);
    }

    #[tokio::test]
    async fn an_original_whose_folder_cannot_be_synced_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::default();
        let originals = Originals::in_folder_with(folder.path(), Box::new(recorder.clone())).unwrap();
        recorder.fails.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            assert!(matches!(put(&originals, &key("acc", 1, 1)).await, Err(ServiceError::Full)));
            assert!(originals.list().next().await.is_none());
        }
        recorder.fails.store(false, Ordering::SeqCst);
        put(&originals, &key("acc", 1, 1)).await.unwrap();
        assert_eq!(recorder.synced().len(), 2);
    }

    #[tokio::test]
    async fn the_local_store_is_asked_to_sync() {
        let folder = tempfile::tempdir().unwrap();
        let originals = Originals::in_folder(folder.path()).unwrap();
        assert!(format!("{:?}", originals.store).contains("fsync: true"));
    }

    #[tokio::test]
    async fn originals_are_read_listed_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        for originals in [Originals::in_memory(), Originals::in_folder(folder.path()).unwrap()] {
            let (first, second) = (key("acc", 1, 1), key("acc", 1, 2));
            put(&originals, &first).await.unwrap();
            put(&originals, &second).await.unwrap();
            let read = async |key| match originals.open(key, None).await.unwrap() {
                Some(open) => Some(open.bytes().await.unwrap()),
                None => None,
            };
            assert_eq!(read(&first).await.as_deref(), Some(&b"bytes"[..]));
            let part = originals.open(&first, Some(1..3)).await.unwrap().unwrap();
            let length = part.length();
            assert_eq!((length, &part.bytes().await.unwrap()[..]), (5, &b"yt"[..]));
            let open = originals.open(&first, None).await.unwrap().unwrap();
            let listed: Vec<_> = originals.list().map(|stored| stored.unwrap().key.unwrap()).collect().await;
            assert_eq!(HashSet::from_iter(listed), HashSet::from([first.clone(), second.clone()]));
            originals.remove(&first).await.unwrap();
            originals.remove(&first).await.unwrap();
            assert_eq!(read(&first).await, None);
            assert!(read(&second).await.is_some());
            // What was opened before is read to its end.
            assert_eq!(open.length(), 5);
            let pieces: Vec<_> = open.stream().map(Result::unwrap).collect().await;
            assert_eq!(pieces.concat(), b"bytes");
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_hold_files_fails_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let originals = Originals::in_folder(folder.path()).unwrap();
        std::fs::write(folder.path().join("acc"), "in the way").unwrap();
        assert!(matches!(put(&originals, &key("acc", 1, 1)).await, Err(ServiceError::Internal(_))));
        std::fs::remove_file(folder.path().join("acc")).unwrap();
        put(&originals, &key("acc", 1, 1)).await.unwrap();
        std::fs::remove_dir_all(folder.path().join("acc")).unwrap();
        assert!(put(&originals, &key("acc", 2, 1)).await.is_err());
        put(&originals, &key("acc", 2, 1)).await.unwrap();
    }

    #[tokio::test]
    async fn temporary_files_go_when_they_are_old_and_nobody_writes_them() {
        let folder = tempfile::tempdir().unwrap();
        let originals = Originals::in_folder(folder.path()).unwrap();
        let (kept, held) = (key("acc", 1, 1), key("acc", 1, 2));
        put(&originals, &kept).await.unwrap();
        std::fs::write(folder.path().join("stray#1"), "").unwrap();
        let name = |key: &OriginalKey, end: &str| folder.path().join(format!("{}{end}", key.to_path()));
        for (key, end) in [(&kept, "#1"), (&kept, "#12"), (&kept, "#x"), (&held, "#1")] {
            std::fs::write(name(key, end), "half").unwrap();
        }
        let hour = Duration::from_secs(3600);
        let remove = async |now| {
            let held = held.clone();
            originals.remove_leftovers(now, hour, move |key| *key == held).await.unwrap()
        };
        assert_eq!(remove(Timestamp(0)).await, 0);
        assert_eq!(remove(Timestamp::MAX).await, 2);
        assert!(originals.open(&kept, None).await.unwrap().is_some());
        assert!(name(&kept, "#x").exists() && name(&held, "#1").exists());
        assert!(folder.path().join("stray#1").exists());
    }
}
