//! A disk that is really full. It needs a small file system of its own, which `cargo xtask soak` and
//! `cargo xtask test --only full-disk` make for it; `cargo test` alone leaves it out.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkroom_model::{Edit, ImageView, Limits, Metadata};
use darkroom_service::{
    CatalogPlace, CatalogThresholds, Listing, OriginalsPlace, Service, ServiceError, ServiceOptions,
};
use support::*;

/// A file whose end makes room.
const FILLER_BYTES: usize = 6 << 20;
/// What the first service keeps free for edits and deletes: more than the filler leaves.
const RESERVE_BYTES: u64 = 9 << 20;

#[tokio::test]
#[ignore = "needs a small file system in DARKROOM_TEST_SMALL_DISK"]
async fn a_full_disk_refuses_uploads_and_nothing_else() {
    let disk = PathBuf::from(std::env::var_os("DARKROOM_TEST_SMALL_DISK").expect("the variable is set"));
    below_the_reserve(&disk.join("reserve"), &disk.join("filler")).await;
    fs::remove_dir_all(disk.join("reserve")).unwrap();
    without_any_room(&disk.join("none"), &disk.join("filler")).await;
}

/// Edits and deletes go on; when there is room again, so do uploads.
async fn below_the_reserve(folder: &Path, filler: &Path) {
    let mut disk = SmallDisk::open(folder, RESERVE_BYTES).await;
    while disk.uploaded < 10 {
        disk.upload().await.unwrap();
        disk.uploaded += 1;
    }
    fs::write(filler, vec![1; FILLER_BYTES]).unwrap();
    // Its look at the disk is believed for a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    disk.expect_full().await;
    for number in 0..disk.uploaded {
        disk.edit(number).await.unwrap();
    }
    disk.service.delete(&account_id(), &id("0")).await.unwrap();
    let left = (1..disk.uploaded).collect();
    disk.check(&left, &left).await;
    fs::remove_file(filler).unwrap();
    disk.upload_again().await;
    disk.service.close().await;
}

/// Whatever still fits stands, whatever does not is refused for lack of room and changes nothing.
async fn without_any_room(folder: &Path, filler: &Path) {
    fs::write(filler, vec![1; FILLER_BYTES]).unwrap();
    let mut disk = SmallDisk::open(folder, 0).await;
    while disk.upload().await.is_ok() {
        disk.uploaded += 1;
        assert!(disk.uploaded < 1000, "the disk is not small");
    }
    disk.expect_full().await;
    let (mut present, mut edited): (BTreeSet<_>, BTreeSet<_>) =
        ((0..disk.uploaded).collect(), BTreeSet::new());
    for number in 0..disk.uploaded {
        match disk.edit(number).await {
            Ok(_) => drop(edited.insert(number)),
            Err(error) => assert!(matches!(error, ServiceError::Full), "{error:?}"),
        }
    }
    disk.check(&present, &edited).await;
    match disk.service.delete(&account_id(), &id("0")).await {
        Ok(_) => drop(present.remove(&0)),
        Err(error) => assert!(matches!(error, ServiceError::Full), "{error:?}"),
    }
    edited.retain(|number| present.contains(number));
    disk.check(&present, &edited).await;
    fs::remove_file(filler).unwrap();
    for &number in &present {
        disk.edit(number).await.unwrap();
    }
    disk.check(&present, &present).await;
    disk.upload_again().await;
    disk.service.close().await;
}

/// A service on the small disk.
struct SmallDisk {
    service: Service,
    originals: PathBuf,
    uploaded: usize,
}

impl SmallDisk {
    async fn open(folder: &Path, min_free_bytes: u64) -> SmallDisk {
        let (originals, thresholds) = (folder.join("originals"), CatalogThresholds::tiny());
        let options = ServiceOptions {
            catalog: CatalogPlace::Lmdb { folder: folder.join("catalog"), thresholds },
            originals: OriginalsPlace::File(originals.clone()),
            limits: Limits { min_free_bytes, ..Limits::default() },
            renditions: None,
            allow_private_sources: Vec::new(),
            transform: darkroom_service::TransformOptions::default(),
            render_program: None,
        };
        let service = Service::open(options, TestClock::late(), Arc::new(TestIds::default())).await.unwrap();
        service.create_account(account()).await.unwrap();
        SmallDisk { service, originals, uploaded: 0 }
    }

    /// Expects that uploads are refused and leave nothing behind.
    async fn expect_full(&self) {
        for _ in 0..4 {
            let refused = self.upload().await;
            assert!(matches!(refused, Err(ServiceError::Full)), "{refused:?}");
        }
        self.check(&(0..self.uploaded).collect(), &BTreeSet::new()).await;
    }

    async fn upload(&self) -> Result<(), ServiceError> {
        let upload = upload_of(&self.uploaded.to_string());
        self.service.upload(&account_id(), upload).await.map(drop)
    }

    /// Uploads as soon as there is room again.
    async fn upload_again(&self) {
        let began = Instant::now();
        while self.upload().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "uploads do not work again");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn edit(&self, number: usize) -> Result<(), ServiceError> {
        let metadata = Metadata::parse(EDITED, &Limits::default()).unwrap();
        let edit = Edit { metadata: Some(metadata), ..Edit::default() };
        self.service.edit(&account_id(), &id(&number.to_string()), edit).await.map(drop)
    }

    /// Expects that exactly these are there, with their originals and no others, and exactly those edited.
    async fn check(&self, present: &BTreeSet<usize>, edited: &BTreeSet<usize>) {
        let listing = Listing { page_size: 1000, ..Listing::default() };
        let page = self.service.list(&account_id(), listing).await.unwrap();
        let number = |image: &ImageView<'_>| image.id.parse::<usize>().unwrap();
        assert_eq!(page.images().map(|image| number(&image)).collect::<BTreeSet<_>>(), *present);
        let now_edited = page.images().filter(|image| image.metadata_json == Some(EDITED));
        assert_eq!(now_edited.map(|image| number(&image)).collect::<BTreeSet<_>>(), *edited);
        for number in present {
            assert_eq!(self.service.blob(&account_id(), &id(&number.to_string())).await.unwrap().1, PHOTO);
        }
        // A deleted original goes a moment after its row.
        let began = Instant::now();
        while walk(&self.originals).len() != present.len() {
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", walk(&self.originals));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

const EDITED: &str = r#"{"edited":true}"#;
