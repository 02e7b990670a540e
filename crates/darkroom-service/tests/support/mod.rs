//! What the tests of the service share.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test takes what it needs")]

pub mod failing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use darkroom_catalog::{Catalog, LmdbCatalog, MemoryCatalog};
use darkroom_model::{Account, AccountHash, AccountId, Clock, Ids, ImageId, Limits, Timestamp};
use darkroom_service::{
    CatalogPlace, CatalogThresholds, Listing, OriginalsPlace, Service, ServiceOptions, Upload,
};
use failing::{FailingCatalog, FailingStore, Faults};
use futures_util::StreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

pub const PHOTO: &[u8] = include_bytes!("../../../../tests/photos/rocket.jpg");
pub const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
pub const DRAWING: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"3\"/>";

/// A clock that stands unless it is set.
pub struct TestClock(AtomicU64);

impl TestClock {
    /// A moment in the year 2100: whatever the machine writes in the meantime is old.
    pub fn late() -> Arc<TestClock> {
        Arc::new(TestClock(AtomicU64::new(4_102_444_800_000)))
    }

    /// A moment in the year 2001: whatever the machine writes in the meantime is new.
    pub fn early() -> Arc<TestClock> {
        Arc::new(TestClock(AtomicU64::new(1_000_000_000_000)))
    }

    pub fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count.
#[derive(Default)]
pub struct TestIds(AtomicU64);

impl Ids for TestIds {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
        let number = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        for (byte, from) in bytes.iter_mut().zip(number.into_iter().rev()) {
            *byte = from;
        }
    }
}

pub fn account() -> Account {
    Account { id: AccountId::parse("acc").unwrap(), hash: AccountHash::parse("hash").unwrap() }
}

pub fn account_id() -> AccountId {
    account().id
}

pub fn id(text: &str) -> ImageId {
    ImageId::parse(text).unwrap()
}

pub fn upload_of(name: &str) -> Upload {
    Upload { file: Bytes::from_static(PHOTO), id: Some(id(name)), ..Upload::default() }
}

/// A service in memory with one account.
pub async fn in_memory() -> Service {
    in_memory_with(TestClock::late()).await.0
}

/// The same, with the clock that it goes by.
pub async fn in_memory_with(clock: Arc<TestClock>) -> (Service, Arc<TestClock>) {
    let options = ServiceOptions {
        catalog: CatalogPlace::Memory,
        originals: OriginalsPlace::Memory,
        limits: Limits::default(),
        renditions: None,
        allow_private_sources: Vec::new(),
        transform: darkroom_service::TransformOptions::default(),
        render_program: None,
    };
    let service =
        Service::open(options, clock.clone(), Arc::new(TestIds::default())).await.expect("it opens");
    service.create_account(account()).await.unwrap();
    (service, clock)
}

/// A service over stores that fail when they are told to.
pub struct Fixture {
    pub service: Arc<Service>,
    pub faults: Arc<Faults>,
    pub clock: Arc<TestClock>,
    /// The store of the originals, without faults.
    pub originals: Arc<dyn ObjectStore>,
    /// The catalog, without faults.
    pub catalog: Arc<dyn Catalog>,
    _folder: Option<tempfile::TempDir>,
}

impl Fixture {
    /// One on each pair of engines.
    pub async fn all() -> [Fixture; 2] {
        let catalog = MemoryCatalog::new(TestClock::late(), &TestIds::default());
        let memory = Fixture::new(Arc::new(catalog), Arc::new(InMemory::new()), None).await;
        let folder = tempfile::tempdir().unwrap();
        let (clock, options) = (TestClock::late(), CatalogThresholds::tiny());
        let catalog =
            LmdbCatalog::open(&folder.path().join("catalog"), clock, &TestIds::default(), options).unwrap();
        let root = folder.path().join("originals");
        std::fs::create_dir(&root).unwrap();
        let originals = LocalFileSystem::new_with_prefix(root).unwrap();
        let files = Fixture::new(Arc::new(catalog), Arc::new(originals), Some(folder)).await;
        [memory, files]
    }

    async fn new(
        catalog: Arc<dyn Catalog>,
        originals: Arc<dyn ObjectStore>,
        folder: Option<tempfile::TempDir>,
    ) -> Fixture {
        let (faults, clock) = (Arc::new(Faults::default()), TestClock::late());
        let service = Service::with_stores(
            Arc::new(FailingCatalog { inner: Arc::clone(&catalog), faults: Arc::clone(&faults) }),
            Arc::new(FailingStore { inner: Arc::clone(&originals), faults: Arc::clone(&faults) }),
            Limits::default(),
            clock.clone(),
            Arc::new(TestIds::default()),
        );
        service.create_account(account()).await.unwrap();
        let service = Arc::new(service);
        Fixture { service, faults, clock, originals, catalog, _folder: folder }
    }

    /// Returns the paths of all originals, sorted.
    pub async fn stored(&self) -> Vec<String> {
        let entries: Vec<_> = self.originals.list(None).collect().await;
        let mut paths: Vec<String> =
            entries.into_iter().map(|entry| entry.unwrap().location.to_string()).collect();
        paths.sort();
        paths
    }

    /// Checks that exactly these images exist, that each has its bytes, and that no other bytes are there.
    pub async fn check(&self, names: &[&str]) {
        let mut keys = Vec::new();
        for name in names {
            let (image, bytes) = self.service.blob(&account_id(), &id(name)).await.unwrap();
            assert_eq!(bytes, PHOTO);
            keys.push(image.original.key.to_path());
        }
        keys.sort();
        assert_eq!(self.stored().await, keys);
        let listing = Listing { page_size: 1000, ..Listing::default() };
        assert_eq!(self.service.list(&account_id(), listing).await.unwrap().len(), names.len());
        assert_eq!(self.catalog.garbage(10).await.unwrap(), []);
    }

    /// Waits for the removals that deletes have begun.
    pub async fn settle(&self) {
        for _ in 0..200 {
            if self.catalog.garbage(1).await.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the garbage of a delete is not removed");
    }
}

/// Returns every file below a folder.
pub fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}
