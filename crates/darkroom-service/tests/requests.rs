//! Each call on stores that work.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use darkroom_model::image_options::Width;
use darkroom_model::{
    AccountConfigEdit, AccountHash, AccountId, AccountSettingsChange, Creator, Cursor, Edit, Filters, Grant,
    Limits, MediaType, Metadata, Scope, SignedUrl, SortOrder, Variant, VariantName, signature,
};
use darkroom_service::{
    CatalogPlace, CatalogThresholds, DeliverError, Keeping, Listing, NewDraft, OpenError, OriginalsPlace,
    RenderingAsked, Service, ServiceError, ServiceOptions, Upload,
};
use support::*;

#[tokio::test]
async fn an_image_comes_back_as_it_was_uploaded() {
    let service = in_memory().await;
    let limits = Limits::default();
    let upload = Upload {
        filename: Some("rocket.jpg".into()),
        creator: Creator::parse("me", &limits).unwrap(),
        metadata: Some(Metadata::parse(r#"{"a":1}"#, &limits).unwrap()),
        ..upload_of("space/rocket")
    };
    let image = service.upload(&account_id(), upload).await.unwrap();
    assert_eq!(image.id, id("space/rocket"));
    assert_eq!(image.filename.as_deref(), Some("rocket.jpg"));
    assert_eq!(image.original.media_type, MediaType::Jpeg);
    assert_eq!((image.original.width, image.original.height, image.original.frames), (640, 427, 1));
    assert_eq!(image.original.size_bytes, PHOTO.len() as u64);
    assert_eq!(image.original.content_hash, *blake3::hash(PHOTO).as_bytes());
    assert_eq!(service.details(&account_id(), &image.id).await.unwrap(), image);
    let (same, bytes) = service.blob(&account_id(), &image.id).await.unwrap();
    assert_eq!((same, &bytes[..]), (image, PHOTO));
}

#[tokio::test]
async fn an_upload_without_an_id_gets_one_and_may_be_private() {
    let service = in_memory().await;
    let upload =
        || Upload { file: Bytes::from_static(PIXEL), require_signed_urls: true, ..Upload::default() };
    let first = service.upload(&account_id(), upload()).await.unwrap();
    let second = service.upload(&account_id(), upload()).await.unwrap();
    assert!(!first.id.is_custom() && first.require_signed_urls);
    assert_ne!(first.id, second.id);
}

#[tokio::test]
async fn a_custom_id_cannot_be_private() {
    let service = in_memory().await;
    let private = Upload { require_signed_urls: true, ..upload_of("a") };
    let result = service.upload(&account_id(), private).await;
    assert!(matches!(result, Err(ServiceError::PrivateCustomId)));
    service.upload(&account_id(), upload_of("a")).await.unwrap();
    let edit = || Edit { require_signed_urls: Some(true), ..Edit::default() };
    let result = service.edit(&account_id(), &id("a"), edit()).await;
    assert!(matches!(result, Err(ServiceError::PrivateCustomId)));
    assert!(!service.details(&account_id(), &id("a")).await.unwrap().require_signed_urls);
    let result = service.edit(&account_id(), &id("none"), edit()).await;
    assert!(matches!(result, Err(ServiceError::NotFound)));
}

#[tokio::test]
async fn what_is_no_image_is_refused_and_leaves_nothing() {
    let service = in_memory().await;
    let refused = async |file: &'static [u8]| {
        let upload = Upload { file: Bytes::from_static(file), ..Upload::default() };
        service.upload(&account_id(), upload).await.unwrap_err()
    };
    assert!(matches!(refused(b"").await, ServiceError::NotAnImage));
    assert!(matches!(refused(b"hello").await, ServiceError::NotAnImage));
    assert!(matches!(refused(&PIXEL[..20]).await, ServiceError::DamagedImage(_)));
    let large = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";
    assert!(matches!(refused(large).await, ServiceError::ImageTooLarge));
    let listing = Listing { page_size: 10, ..Listing::default() };
    assert!(service.list(&account_id(), listing).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_simultaneous_uploads_of_one_id_one_succeeds() {
    let service = Arc::new(in_memory().await);
    let uploads = (0..16).map(|_| {
        let service = Arc::clone(&service);
        tokio::spawn(async move { service.upload(&account_id(), upload_of("a")).await })
    });
    let mut succeeded = 0;
    for upload in uploads.collect::<Vec<_>>() {
        match upload.await.unwrap() {
            Ok(_) => succeeded += 1,
            Err(error) => assert!(matches!(error, ServiceError::Exists), "{error:?}"),
        }
    }
    assert_eq!(succeeded, 1);
    assert_eq!(service.blob(&account_id(), &id("a")).await.unwrap().1, PHOTO);
}

#[tokio::test]
async fn a_listing_is_walked_by_its_own_cursors_only() {
    let service = in_memory().await;
    for name in ["a", "b", "c"] {
        service.upload(&account_id(), upload_of(name)).await.unwrap();
    }
    let listing = |after| Listing { page_size: 2, after, ..Listing::default() };
    let first = service.list(&account_id(), listing(None)).await.unwrap();
    assert_eq!(first.images().map(|image| image.id).collect::<Vec<_>>(), ["c", "b"]);
    let cursor = |order| Cursor::new(account_id(), first.next.unwrap(), order, &Filters::default());
    let second = service.list(&account_id(), listing(Some(cursor(SortOrder::Descending)))).await.unwrap();
    assert_eq!(second.images().map(|image| image.id).collect::<Vec<_>>(), ["a"]);
    assert_eq!(second.next, None);
    let foreign = service.list(&account_id(), listing(Some(cursor(SortOrder::Ascending)))).await;
    assert!(matches!(foreign, Err(ServiceError::Internal(_))));
}

#[tokio::test]
async fn an_edit_changes_and_a_delete_removes() {
    let service = in_memory().await;
    service.upload(&account_id(), upload_of("a")).await.unwrap();
    let creator = Creator::parse("me", &Limits::default()).unwrap();
    let edit = Edit { creator: Some(creator.clone()), ..Edit::default() };
    assert_eq!(
        service.edit(&account_id(), &id("a"), edit).await.unwrap().into_image().unwrap().creator,
        creator
    );
    assert_eq!(
        service.edit(&account_id(), &id("a"), Edit::default()).await.unwrap().into_image().unwrap().creator,
        creator
    );
    service.delete(&account_id(), &id("a")).await.unwrap();
    assert!(matches!(service.details(&account_id(), &id("a")).await, Err(ServiceError::NotFound)));
    assert!(matches!(service.delete(&account_id(), &id("a")).await, Err(ServiceError::NotFound)));
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let service = in_memory().await;
    let other = darkroom_model::Account {
        id: AccountId::parse("other").unwrap(),
        hash: AccountHash::parse("otherhash").unwrap(),
    };
    service.create_account(other.clone()).await.unwrap();
    service.upload(&account_id(), upload_of("a")).await.unwrap();
    assert!(matches!(service.details(&other.id, &id("a")).await, Err(ServiceError::NotFound)));
    service.upload(&other.id, upload_of("a")).await.unwrap();
    let unknown = AccountId::parse("unknown").unwrap();
    assert!(matches!(service.upload(&unknown, upload_of("a")).await, Err(ServiceError::UnknownAccount)));
    assert!(matches!(service.variants(&unknown).await, Err(ServiceError::UnknownAccount)));
    assert_eq!(service.variants(&other.id).await.unwrap(), [VariantName::public()]);
}

#[tokio::test]
async fn a_token_is_found_by_its_secret_and_keeps_its_id() {
    let service = in_memory().await;
    let grants = vec![Grant { account: account_id(), scope: Scope::Read }];
    let token = service.create_api_token("secret", grants.clone()).await.unwrap();
    assert_eq!(token.id.len(), 32);
    assert_eq!(service.find_api_token("secret").await.unwrap(), Some(token.clone()));
    assert_eq!(service.find_api_token("Secret").await.unwrap(), None);
    assert_eq!(service.create_api_token("secret", grants).await.unwrap(), token);
    let unknown = vec![Grant { account: AccountId::parse("x").unwrap(), scope: Scope::Read }];
    let result = service.create_api_token("other", unknown).await;
    assert!(matches!(result, Err(ServiceError::UnknownAccount)));
}

#[tokio::test]
async fn delivery_checks_in_the_order_of_the_reference() {
    let service = in_memory().await;
    service.upload(&account_id(), upload_of("photo")).await.unwrap();
    let private = Upload { file: Bytes::from_static(PIXEL), require_signed_urls: true, ..Upload::default() };
    let private = service.upload(&account_id(), private).await.unwrap().id;
    service
        .create_draft(&account_id(), NewDraft { id: Some(id("draft")), ..NewDraft::default() })
        .await
        .unwrap();
    let deliver = async |hash: &str, image: &str, rendering: &str, raw_query: &str| {
        let raw_path = format!("/{hash}/{image}/{rendering}");
        let rendering = match rendering.contains('=') {
            true => RenderingAsked::Options,
            false => RenderingAsked::Variant(rendering),
        };
        let hash = AccountHash::parse(hash).unwrap();
        let url = SignedUrl { raw_path: &raw_path, raw_query };
        service.deliver(&hash, Some(&id(image)), rendering, url).await
    };
    let change = async |change| service.change_account_settings(&account_id(), change).await.unwrap();
    let delivery = deliver("hash", "photo", "public", "sig=0").await.unwrap();
    assert_eq!(service.original_bytes(&delivery.image).await.unwrap(), PHOTO);
    assert_eq!(delivery.keeping, Keeping::Public(172_800));
    assert_eq!(delivery.variant.unwrap().width, Some(Width::Pixels(1_366)));
    let private = private.as_str();
    use DeliverError::*;
    assert!(matches!(deliver("other", "none", "w=1", "").await, Err(UnknownAccountHash)));
    assert!(matches!(deliver("hash", "none", "w=1", "").await, Err(NotFound)));
    assert!(matches!(deliver("hash", "draft", "public", "").await, Err(NotFound)));
    assert!(matches!(deliver("hash", private, "w=1", "").await, Err(FlexibleVariantsOff)));
    assert!(matches!(deliver("hash", private, "thumb", "").await, Err(UnknownVariant)));
    assert!(matches!(deliver("hash", private, "public", "").await, Err(SignatureMissing)));
    assert!(matches!(deliver("hash", private, "public", "sig=0").await, Err(SignatureMismatch)));

    // A key of the account signs; the clock stands at 4102444800.
    let settings = service.account_settings(&account_id()).await.unwrap();
    let (_, key) = settings.signing_keys().next().unwrap();
    for (query, is_open) in [("", true), ("exp=4102444800&", true), ("exp=4102444799&", false)] {
        let message = format!("/hash/{private}/public?{query}");
        let sig = signature::sign(key, message.trim_end_matches(['?', '&']));
        let delivered = deliver("hash", private, "public", &format!("{query}sig={sig}")).await;
        match is_open {
            true => assert!(matches!(delivered.unwrap().keeping, Keeping::Private(_))),
            false => assert!(matches!(delivered, Err(SignatureExpired))),
        }
    }

    // A variant that never needs a signature, and flexible variants, which private images have none of.
    let open = Variant {
        name: VariantName::parse("open").unwrap(),
        never_require_signed_urls: true,
        ..Variant::public()
    };
    change(AccountSettingsChange::CreateVariant(open, 100)).await;
    let open = deliver("hash", private, "open", "sig=0").await.unwrap();
    assert!(matches!(open.keeping, Keeping::Public(_)));
    assert!(matches!(deliver("hash", private, "public", "").await, Err(SignatureMissing)));
    let flexible = AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() };
    change(AccountSettingsChange::EditConfig(flexible)).await;
    assert!(matches!(deliver("hash", private, "w=1", "sig=0").await, Err(OptionsOnPrivateImage)));
    assert_eq!(deliver("hash", "photo", "w=1", "").await.unwrap().variant, None);
    assert!(matches!(deliver("hash", "none", "w=1", "").await, Err(NotFound)));
}

#[tokio::test]
async fn a_folder_keeps_everything_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || ServiceOptions {
        catalog: CatalogPlace::Lmdb {
            folder: folder.path().join("catalog"),
            thresholds: CatalogThresholds::tiny(),
        },
        originals: OriginalsPlace::File(folder.path().join("originals")),
        limits: Limits::default(),
        renditions: None,
        allow_private_sources: Vec::new(),
        transform: darkroom_service::TransformOptions::default(),
        render_program: None,
    };
    let ids = Arc::new(TestIds::default());
    let open = || Service::open(options(), TestClock::late(), ids.clone());
    let service = open().await.unwrap();
    service.create_account(account()).await.unwrap();
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        service.upload(&account_id(), upload_of(name)).await.unwrap();
    }
    service.delete(&account_id(), &id("c")).await.unwrap();
    assert!(service.is_ready());
    service.close().await;
    assert!(!service.is_ready());
    assert!(matches!(service.upload(&account_id(), upload_of("z")).await, Err(ServiceError::Unavailable)));
    drop(service);
    let service = open().await.unwrap();
    service.sweep().await.unwrap();
    assert_eq!(service.blob(&account_id(), &id("g")).await.unwrap().1, PHOTO);
    assert!(matches!(service.blob(&account_id(), &id("c")).await, Err(ServiceError::NotFound)));
    let files = walk(&folder.path().join("originals"));
    assert_eq!(files.len(), 6, "{files:?}");
    service.close().await;
}

#[tokio::test]
async fn stores_that_would_lose_everything_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let originals = folder.path().join("originals");
    let open = async |catalog| {
        let originals = OriginalsPlace::File(originals.clone());
        let options = ServiceOptions {
            catalog,
            originals,
            limits: Limits::default(),
            renditions: None,
            allow_private_sources: Vec::new(),
            transform: darkroom_service::TransformOptions::default(),
            render_program: None,
        };
        Service::open(options, TestClock::late(), Arc::new(TestIds::default())).await.map(drop)
    };
    let result = open(CatalogPlace::Memory).await;
    assert!(matches!(result, Err(OpenError::OriginalsOutliveCatalog(_))), "{result:?}");
    std::fs::create_dir_all(originals.join("acc")).unwrap();
    let thresholds = CatalogThresholds::tiny();
    let catalog = CatalogPlace::Lmdb { folder: folder.path().join("catalog"), thresholds };
    let result = open(catalog).await;
    assert!(matches!(result, Err(OpenError::CatalogMissing { .. })), "{result:?}");
}

#[tokio::test]
async fn uploads_share_the_memory_that_the_limit_allows() {
    let limits = Limits { upload_memory_bytes_max: 10 << 20, ..Limits::default() };
    let options = ServiceOptions {
        catalog: CatalogPlace::Memory,
        originals: OriginalsPlace::Memory,
        limits,
        renditions: None,
        allow_private_sources: Vec::new(),
        transform: darkroom_service::TransformOptions::default(),
        render_program: None,
    };
    let service = Service::open(options, TestClock::late(), Arc::new(TestIds::default())).await.unwrap();
    let waits = async |bytes| {
        let wait = std::time::Duration::from_millis(20);
        tokio::time::timeout(wait, service.reserve_upload(bytes)).await.is_err()
    };
    let first = service.reserve_upload(6 << 20).await.unwrap();
    assert!(waits(5 << 20).await);
    assert!(!waits(4 << 20).await);
    assert!(waits(usize::MAX).await);
    drop(first);
    assert!(!waits(usize::MAX).await);
    service.close().await;
    assert!(matches!(service.reserve_upload(1).await, Err(ServiceError::Unavailable)));
}
