//! Makes a folder with 200,000 images, and lets `tests-clients/npm/guard.mjs` look at what pages of it read.
//!
//! It needs Node and the npm client, so `cargo xtask test` runs it, and `cargo test` alone does not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use darkroom_model::{Account, AccountHash, AccountId, Creator, Limits, Metadata, RandomIds, SystemClock};
use darkroom_service::{
    CatalogPlace, CatalogThresholds, DataFolder, OriginalsPlace, Service, ServiceOptions, Upload,
};
use futures_util::{StreamExt, stream};

const IMAGES: usize = 200_000;
/// Uploads at the same time: the catalog commits in groups.
const AT_ONCE: usize = 512;
/// The account that the starter of `tests-clients` asks for.
const ACCOUNT_ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const ACCOUNT_HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";

/// A GIF of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

#[test]
#[ignore = "needs the npm client: cargo xtask test --only guard"]
fn a_page_reads_what_it_returns_and_one_more() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    tokio::runtime::Runtime::new().unwrap().block_on(fill(&data));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let status = Command::new("node")
        .args(["--test", "tests-clients/npm/guard.mjs"])
        .current_dir(root)
        .env("DARKROOM_BINARY", env!("CARGO_BIN_EXE_darkroom"))
        .env("DARKROOM_GUARD_DATA", &data)
        .env("DARKROOM_GUARD_IMAGES", IMAGES.to_string())
        .status()
        .expect("node starts");
    assert!(status.success());
}

/// Puts the images in through the service. Their bytes are kept nowhere: nobody will ask for them.
async fn fill(data: &Path) {
    let folder = DataFolder::open(data).unwrap();
    let options = ServiceOptions {
        catalog: CatalogPlace::Lmdb { folder: folder.catalog(), thresholds: CatalogThresholds::default() },
        originals: OriginalsPlace::Memory,
        limits: Limits::default(),
        renditions: None,
        allow_private_sources: Vec::new(),
        transform: darkroom_service::TransformOptions::default(),
        render_program: None,
    };
    let service = Service::open(options, Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap();
    let account = Account {
        id: AccountId::parse(ACCOUNT_ID).unwrap(),
        hash: AccountHash::parse(ACCOUNT_HASH).unwrap(),
    };
    service.create_account(account.clone()).await.unwrap();
    let uploads = stream::iter((0..IMAGES).map(|n| service.upload(&account.id, upload(n))));
    uploads.buffer_unordered(AT_ONCE).for_each(|uploaded| async { drop(uploaded.unwrap()) }).await;
    service.close().await;
}

/// What the questions of `guard.mjs` ask for.
fn upload(n: usize) -> Upload {
    let even = n.is_multiple_of(2);
    let metadata = format!(
        r#"{{"status":"{}","parity":"{parity}","other":"{parity}","region":"r{}","tenth":{},"enabled":{},"rare":"{}","category":{},"price":{}}}"#,
        if n % 10 == 3 { "pending" } else { "active" },
        n % 5,
        n % 10,
        !n.is_multiple_of(3),
        if n % 20_000 == 7 { "yes" } else { "no" },
        n / 7 % 100,
        n % 1_000,
        parity = if even { "even" } else { "odd" },
    );
    let limits = Limits::default();
    Upload {
        file: Bytes::from_static(PIXEL),
        filename: Some("pixel.gif".into()),
        creator: Some(Creator::parse(&format!("user-{}", n * 31 % 200), &limits).unwrap().unwrap()),
        metadata: Some(Metadata::parse(&metadata, &limits).unwrap()),
        ..Upload::default()
    }
}
