//! A disk that is really full. It needs a small file system of its own, so it runs only when it is asked for:
//!
//! ```text
//! mount -t tmpfs -o size=16m tmpfs /mnt/small
//! DARKROOM_TEST_SMALL_DISK=/mnt/small cargo test -p darkroom-service --test full_disk -- --ignored
//! ```

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use darkroom_model::Limits;
use darkroom_service::{
    CatalogPlace, CatalogThresholds, Listing, OriginalsPlace, Service, ServiceError, ServiceOptions,
};
use support::*;

#[tokio::test]
#[ignore = "needs a small file system in DARKROOM_TEST_SMALL_DISK"]
async fn a_full_disk_refuses_uploads_and_nothing_else() {
    let folder = PathBuf::from(std::env::var_os("DARKROOM_TEST_SMALL_DISK").expect("the variable is set"));
    let thresholds = CatalogThresholds::tiny();
    let options = ServiceOptions {
        catalog: CatalogPlace::Lmdb { folder: folder.join("catalog"), thresholds },
        originals: OriginalsPlace::File(folder.join("originals")),
        // Without a reserve: this is about a disk that has really no room.
        limits: Limits { min_free_bytes: 0, ..Limits::default() },
        allow_private_sources: Vec::new(),
    };
    let service = Service::open(options, TestClock::late(), Arc::new(TestIds::default())).await.unwrap();
    service.create_account(account()).await.unwrap();
    let upload = async |number: usize| service.upload(&account_id(), upload_of(&number.to_string())).await;
    let mut uploaded = 0;
    let error = loop {
        match upload(uploaded).await {
            Ok(_) => uploaded += 1,
            Err(error) => break error,
        }
        assert!(uploaded < 1000, "the disk is not small");
    };
    assert!(matches!(error, ServiceError::Full), "{error:?}");
    for _ in 0..3 {
        assert!(matches!(upload(uploaded).await, Err(ServiceError::Full)));
    }
    // Nothing of the refused uploads is there, and everything of the others is.
    let originals = || walk(&folder.join("originals"));
    assert_eq!(originals().len(), uploaded);
    let listing = Listing { page_size: 1000, ..Listing::default() };
    assert_eq!(service.list(&account_id(), listing).await.unwrap().len(), uploaded);
    for number in 0..uploaded {
        assert_eq!(service.blob(&account_id(), &id(&number.to_string())).await.unwrap().1, PHOTO);
    }
    service.delete(&account_id(), &id("0")).await.unwrap();
    while originals().len() == uploaded {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    upload(uploaded).await.unwrap();
    assert_eq!(originals().len(), uploaded);
    service.close().await;
}
