//! Renditions in the data folder.
//!
//! ```text
//! root/{xx}/{name}    a rendition; its name in 64 hexadecimal digits, the first two of them again as a folder
//! root/new            one that is being written
//! ```
//!
//! One thread has the folder: it lists what is there, then writes and removes as it is told. Anyone reads, at any time:
//! a name always has the same content, and a file that is not whole is noticed. Nothing is synced, since all of it can
//! be made again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use tokio::sync::{mpsc, oneshot};

use super::{Purged, Rendition, file};
use crate::durable;
use crate::free_space::FreeSpace;
use crate::rendering::RenditionName;

/// Orders that wait for the thread; beyond them, what is no more than a wish is dropped.
const ORDERS_MAX: usize = 1_024;
/// Bytes of renditions that wait to be written; further ones are not kept.
const WAITING_BYTES_MAX: u64 = 32 << 20;
/// Renditions that are expected, on which the length of the list of those seen lately depends.
const RENDITIONS_EXPECTED: usize = 16_384;
/// What a file takes on the disk besides its content, about.
const FILE_OVERHEAD_BYTES: u64 = 512;

/// The folder, from outside its thread.
pub(super) struct Disk {
    root: PathBuf,
    bytes_max: u64,
    orders: mpsc::Sender<Order>,
    waiting_bytes: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

/// What the thread is told.
enum Order {
    /// Write this.
    Keep(RenditionName, Arc<Rendition>),
    /// This was read.
    Used(RenditionName),
    /// This is damaged.
    Remove(RenditionName),
    /// Remove all, and say what that was.
    Purge(oneshot::Sender<Purged>),
    /// End, once all that was ordered before is done.
    End(oneshot::Sender<()>),
}

impl Disk {
    /// Opens a folder, or makes it, and begins to list it. Blocks.
    pub(super) fn open(root: PathBuf, bytes_max: u64, free_bytes_min: u64) -> io::Result<Disk> {
        durable::make_one(&root)?;
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        let (waiting_bytes, bytes) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let owner = Owner {
            index: index(bytes_max),
            free_space: FreeSpace::of(root.clone()),
            root: root.clone(),
            free_bytes_min,
            waiting_bytes: Arc::clone(&waiting_bytes),
            bytes: Arc::clone(&bytes),
            is_failing: false,
        };
        std::thread::Builder::new().name("renditions".into()).spawn(move || owner.run(receiver))?;
        Ok(Disk { root, bytes_max, orders, waiting_bytes, bytes })
    }

    /// Returns how many bytes are kept, as far as they were counted yet.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns a rendition, if it is there and whole.
    pub(super) async fn read(&self, name: RenditionName) -> Option<Rendition> {
        let (path, bytes_max) = (path_of(&self.root, name), self.bytes_max);
        let read = tokio::task::spawn_blocking(move || read_file(&path, bytes_max)).await;
        let problem = match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(bytes) => match file::read(name, bytes.into()) {
                Some(rendition) => {
                    let _ = self.orders.try_send(Order::Used(name));
                    return Some(rendition);
                }
                None => "it is damaged".to_owned(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        tracing::warn!(rendition = %name, problem, "a kept rendition cannot be used and is made again");
        let _ = self.orders.try_send(Order::Remove(name));
        None
    }

    /// Has a rendition written, unless there is too much to write already.
    pub(super) fn keep(&self, name: RenditionName, rendition: Arc<Rendition>) {
        let length = rendition.bytes.len() as u64;
        let waiting = self.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        let is_taken = waiting + length <= WAITING_BYTES_MAX
            && self.orders.try_send(Order::Keep(name, rendition)).is_ok();
        if !is_taken {
            self.waiting_bytes.fetch_sub(length, Ordering::Relaxed);
        }
    }

    /// Removes everything that was kept before.
    pub(super) async fn purge(&self) -> Purged {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Purge(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Returns when everything that was to be kept is; nothing is kept after that.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::End(reply)).await;
        let _ = answer.await;
    }
}

fn read_file(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn path_of(root: &Path, name: RenditionName) -> PathBuf {
    let name = name.to_string();
    root.join(&name[..2]).join(name)
}

/// Reads the name of a file; `None` if it is none of ours.
fn name_of(path: &Path) -> Option<RenditionName> {
    let digits = path.file_name()?.as_bytes().as_chunks::<2>();
    let (pairs, []) = digits else { return None };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut name = [0; 32];
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
    for (byte, [high, low]) in name.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(RenditionName(name))
}

/// Which files are there, and how many bytes each takes.
type Index = Cache<RenditionName, u64, FileBytes, DefaultHashBuilder, PushedOut>;

fn index(bytes_max: u64) -> Index {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(RENDITIONS_EXPECTED)
        .weight_capacity(bytes_max)
        .build()
        .expect("what must be said was said");
    Cache::with_options(options, FileBytes, DefaultHashBuilder::default(), PushedOut)
}

#[derive(Clone)]
struct FileBytes;

impl Weighter<RenditionName, u64> for FileBytes {
    fn weight(&self, _name: &RenditionName, bytes: &u64) -> u64 {
        *bytes
    }
}

/// Collects what had to make room, or found none.
#[derive(Clone)]
struct PushedOut;

impl Lifecycle<RenditionName, u64> for PushedOut {
    type RequestState = Vec<RenditionName>;

    fn on_evict(&self, pushed_out: &mut Vec<RenditionName>, name: RenditionName, _bytes: u64) {
        pushed_out.push(name);
    }
}

/// The thread that has the folder.
struct Owner {
    root: PathBuf,
    index: Index,
    free_space: FreeSpace,
    free_bytes_min: u64,
    waiting_bytes: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    /// Whether the last rendition could not be written: the log is told once.
    is_failing: bool,
}

impl Owner {
    fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        // INVARIANT: what was there is counted before anything is added, so that the bound holds.
        if let Err(error) = self.list() {
            tracing::warn!(%error, "the kept renditions could not be listed");
        }
        while let Some(order) = orders.blocking_recv() {
            match order {
                Order::Keep(name, rendition) => {
                    self.keep(name, &rendition);
                    self.waiting_bytes.fetch_sub(rendition.bytes.len() as u64, Ordering::Relaxed);
                }
                Order::Used(name) => {
                    self.index.get(&name);
                }
                Order::Remove(name) => self.remove(name),
                // Who asked may have gone away.
                Order::Purge(reply) => {
                    let _ = reply.send(self.purge());
                }
                Order::End(reply) => {
                    let _ = reply.send(());
                    return;
                }
            }
            self.bytes.store(self.index.weight(), Ordering::Relaxed);
        }
    }

    /// Takes over what an earlier process has left, the oldest first.
    fn list(&mut self) -> io::Result<()> {
        let mut found: Vec<(SystemTime, RenditionName, u64)> = Vec::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder.path())? {
                let entry = entry?;
                let Some(name) = name_of(&entry.path()) else { continue };
                let facts = entry.metadata()?;
                let written = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((written, name, facts.len() + FILE_OVERHEAD_BYTES));
            }
        }
        found.sort_unstable();
        for (_, name, bytes) in found {
            self.count(name, bytes);
        }
        self.bytes.store(self.index.weight(), Ordering::Relaxed);
        Ok(())
    }

    /// Counts a file, and removes those that must make room for it.
    fn count(&mut self, name: RenditionName, bytes: u64) {
        let mut pushed_out = Vec::new();
        self.index.insert_with_lifecycle(name, bytes, &mut pushed_out);
        for name in pushed_out {
            self.remove_file(name);
        }
    }

    fn keep(&mut self, name: RenditionName, rendition: &Rendition) {
        let Ok(content) = file::write(name, rendition) else { return };
        let bytes = content.len() as u64 + FILE_OVERHEAD_BYTES;
        if bytes > self.index.capacity() || !self.free_space.is_at_least(self.free_bytes_min + bytes) {
            return;
        }
        // Room first.
        self.count(name, bytes);
        if !self.index.contains_key(&name) {
            return;
        }
        match self.write(name, &content) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                self.remove(name);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(%error, "renditions cannot be kept in the data folder");
                }
            }
        }
    }

    fn write(&self, name: RenditionName, content: &[u8]) -> io::Result<()> {
        let (new, path) = (self.root.join("new"), path_of(&self.root, name));
        if let Some(folder) = path.parent() {
            durable::make_one(folder)?;
        }
        fs::write(&new, content)?;
        fs::rename(&new, &path)
    }

    fn remove(&mut self, name: RenditionName) {
        self.index.remove(&name);
        self.remove_file(name);
    }

    fn remove_file(&self, name: RenditionName) {
        match fs::remove_file(path_of(&self.root, name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, rendition = %name, "a kept rendition cannot be removed");
            }
            _ => {}
        }
    }

    fn purge(&mut self) -> Purged {
        let names: Vec<RenditionName> = self.index.iter().map(|(name, _)| *name).collect();
        let purged = Purged { renditions: names.len() as u64, bytes: self.index.weight() };
        for name in names {
            self.remove(name);
        }
        purged
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::rendition;
    use super::*;
    use std::time::Duration;
    use tempfile::TempDir;

    const BYTES_MAX: u64 = 100_000;

    fn open(folder: &TempDir) -> Disk {
        Disk::open(folder.path().join("renditions"), BYTES_MAX, 0).unwrap()
    }

    fn name(number: u8) -> RenditionName {
        RenditionName([number; 32])
    }

    /// Has one written, and waits until it is.
    async fn keep(disk: &Disk, number: u8, length: usize) {
        disk.keep(name(number), Arc::new(rendition(vec![number; length])));
        while disk.waiting_bytes.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Returns how many bytes lie in the folder.
    fn bytes_in(root: &Path) -> u64 {
        let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap());
        let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
            true => bytes_in(&entry.path()),
            false => entry.metadata().unwrap().len(),
        });
        sizes.sum()
    }

    #[tokio::test]
    async fn what_is_kept_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let disk = open(&folder);
        disk.keep(name(1), Arc::new(rendition("one")));
        disk.close().await;
        fs::write(folder.path().join("renditions/new"), "half").unwrap();
        let disk = open(&folder);
        assert_eq!(disk.read(name(1)).await, Some(rendition("one")));
        assert_eq!(disk.read(name(2)).await, None);
        keep(&disk, 2, 5).await;
        assert_eq!(disk.read(name(2)).await, Some(rendition(vec![2; 5])));
        let purged = disk.purge().await;
        assert_eq!((purged.renditions, bytes_in(&disk.root)), (2, 0));
        assert_eq!((disk.read(name(1)).await, disk.bytes()), (None, 0));
    }

    #[tokio::test]
    async fn the_bound_holds_now_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let disk = open(&folder);
        for number in 0..50 {
            keep(&disk, number, 9_000).await;
            assert!(bytes_in(&disk.root) <= BYTES_MAX, "{number}");
        }
        assert!(bytes_in(&disk.root) > BYTES_MAX / 2, "half of it at least is used");
        keep(&disk, 99, BYTES_MAX as usize).await;
        assert_eq!(disk.read(name(99)).await, None, "it is larger than everything");
        disk.close().await;
        let smaller = Disk::open(folder.path().join("renditions"), BYTES_MAX / 4, 0).unwrap();
        keep(&smaller, 200, 10).await;
        assert!(bytes_in(&smaller.root) <= BYTES_MAX / 4);
        assert!(smaller.read(name(200)).await.is_some());
    }

    #[tokio::test]
    async fn a_damaged_file_is_none_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let disk = open(&folder);
        keep(&disk, 1, 100).await;
        let path = path_of(&disk.root, name(1));
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() - 1], b"", b"something else"] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(disk.read(name(1)).await, None);
        }
        keep(&disk, 2, 1).await;
        assert!(!path.exists());
        keep(&disk, 1, 100).await;
        assert!(disk.read(name(1)).await.is_some());
    }

    #[tokio::test]
    async fn without_room_nothing_is_kept_and_nothing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path().join("renditions"), BYTES_MAX, u64::MAX / 2).unwrap();
        keep(&disk, 1, 10).await;
        assert_eq!((disk.read(name(1)).await, bytes_in(&disk.root)), (None, 0));
        // A folder that somebody took away is no reason to fail either.
        let disk = open(&folder);
        fs::remove_dir_all(&disk.root).unwrap();
        keep(&disk, 1, 10).await;
        assert_eq!(disk.read(name(1)).await, None);
        // More than may wait is not taken at all.
        disk.keep(name(3), Arc::new(rendition(vec![0; WAITING_BYTES_MAX as usize + 1])));
        assert_eq!(disk.waiting_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn only_our_files_have_names() {
        let own = name(0xab).to_string();
        assert_eq!(name_of(Path::new(&format!("x/{own}"))), Some(name(0xab)));
        for other in ["new", &own[1..], &own.to_uppercase(), &format!("{own}0"), &own.replace('a', "g")] {
            assert_eq!(name_of(Path::new(other)), None, "{other}");
        }
    }
}
