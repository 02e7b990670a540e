//! Direct creator uploads on stores that work, fail and wait.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use darkroom_model::{Clock, Creator, Entry, Image, Limits, Metadata, Timestamp};
use darkroom_service::{DraftFile, Listing, NewDraft, ServiceError};
use support::failing::{Call, Fault};
use support::*;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn draft_of(name: &str) -> NewDraft {
    NewDraft { id: Some(id(name)), ..NewDraft::default() }
}

fn photo() -> DraftFile {
    let filename = Some("rocket.jpg".to_owned());
    DraftFile { file: Bytes::from_static(PHOTO), filename, memory: None }
}

fn now(fixture: &Fixture) -> u64 {
    fixture.clock.now().0
}

async fn complete(fixture: &Fixture, name: &str) -> Result<Image, ServiceError> {
    fixture.service.complete_draft(&account_id(), &id(name), photo()).await
}

#[tokio::test]
async fn a_draft_becomes_an_image_with_what_was_said_of_it() {
    for fixture in Fixture::all().await {
        let (service, limits) = (&fixture.service, Limits::default());
        let draft = NewDraft {
            creator: Creator::parse("me", &limits).unwrap(),
            metadata: Metadata::parse(r#"{"a":1}"#, &limits).ok(),
            ..draft_of("a/b")
        };
        assert_eq!(service.create_draft(&account_id(), draft.clone()).await.unwrap(), id("a/b"));
        assert!(matches!(service.entry(&account_id(), &id("a/b")).await.unwrap(), Entry::Draft(_)));
        let listing = Listing { page_size: 10, ..Listing::default() };
        assert_eq!(service.list(&account_id(), listing).await.unwrap().len(), 0);
        let taken = service.create_draft(&account_id(), draft).await;
        assert!(matches!(taken, Err(ServiceError::Exists)));
        let taken = service.upload(&account_id(), upload_of("a/b")).await;
        assert!(matches!(taken, Err(ServiceError::Exists)));

        let image = complete(&fixture, "a/b").await.unwrap();
        assert_eq!(image.creator.as_ref().map(Creator::as_str), Some("me"));
        assert_eq!(image.metadata.as_ref().map(Metadata::as_json), Some(r#"{"a":1}"#));
        assert_eq!(image.filename.as_deref(), Some("rocket.jpg"));
        assert!(matches!(complete(&fixture, "a/b").await, Err(ServiceError::Exists)));
        fixture.check(&["a/b"]).await;
        service.delete(&account_id(), &id("a/b")).await.unwrap();
        fixture.settle().await;
        assert!(matches!(complete(&fixture, "a/b").await, Err(ServiceError::NotFound)));
        fixture.check(&[]).await;
    }
}

#[tokio::test]
async fn an_end_is_two_minutes_to_six_hours_ahead() {
    let [fixture, _] = Fixture::all().await;
    let now = now(&fixture);
    let create = async |ahead: u64, name: &str| {
        let draft = NewDraft { expires_at: Some(Timestamp(now + ahead)), ..draft_of(name) };
        fixture.service.create_draft(&account_id(), draft).await
    };
    for ahead in [0, 2 * MINUTE - 1, 6 * HOUR + 1, u64::MAX - now] {
        assert!(matches!(create(ahead, "a").await, Err(ServiceError::ExpiryOutOfRange { .. })), "{ahead}");
    }
    create(2 * MINUTE, "a").await.unwrap();
    create(6 * HOUR, "b").await.unwrap();
    fixture.service.create_draft(&account_id(), draft_of("c")).await.unwrap();
    for (name, ahead) in [("a", 2 * MINUTE), ("b", 6 * HOUR), ("c", 30 * MINUTE)] {
        let draft = fixture.catalog.draft(&account_id(), &id(name)).await.unwrap().unwrap();
        assert_eq!(draft.expires_at, Timestamp(now + ahead));
    }
    let private = NewDraft { require_signed_urls: true, ..draft_of("d") };
    let refused = fixture.service.create_draft(&account_id(), private.clone()).await;
    assert!(matches!(refused, Err(ServiceError::PrivateCustomId)));
    fixture.service.create_draft(&account_id(), NewDraft { id: None, ..private }).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_refused_leaves_the_draft_as_it_was() {
    for fixture in Fixture::all().await {
        fixture.service.create_draft(&account_id(), draft_of("a")).await.unwrap();
        let words = DraftFile { file: Bytes::from_static(b"words"), ..DraftFile::default() };
        let refused = fixture.service.complete_draft(&account_id(), &id("a"), words).await;
        assert!(matches!(refused, Err(ServiceError::NotAnImage)));
        for (call, fault) in
            [(Call::Put, Fault::Full), (Call::Insert, Fault::Full), (Call::Insert, Fault::Unavailable)]
        {
            fixture.faults.fail(call, fault);
            complete(&fixture, "a").await.unwrap_err();
            fixture.faults.heal();
            assert_eq!(fixture.stored().await, [] as [String; 0], "{call:?} {fault:?}");
        }
        complete(&fixture, "a").await.unwrap();
        fixture.check(&["a"]).await;
    }
}

#[tokio::test]
async fn bytes_of_an_unknown_outcome_are_kept_until_the_sweep_knows() {
    for fixture in Fixture::all().await {
        fixture.service.create_draft(&account_id(), draft_of("a")).await.unwrap();
        fixture.faults.fail(Call::Insert, Fault::UnknownAndUndone);
        complete(&fixture, "a").await.unwrap_err();
        fixture.faults.heal();
        fixture.faults.fail(Call::Insert, Fault::UnknownAndDone);
        complete(&fixture, "a").await.unwrap_err();
        fixture.faults.heal();
        assert_eq!(fixture.stored().await.len(), 2);
        assert_eq!(fixture.service.sweep().await.unwrap().strays, 1);
        fixture.check(&["a"]).await;
    }
}

#[tokio::test]
async fn of_files_at_the_same_moment_one_becomes_the_image() {
    for fixture in Fixture::all().await {
        let fixture = Arc::new(fixture);
        fixture.service.create_draft(&account_id(), draft_of("a")).await.unwrap();
        let uploads = (0..8).map(|_| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move { complete(&fixture, "a").await })
        });
        let mut stored = 0;
        for upload in uploads.collect::<Vec<_>>() {
            match upload.await.unwrap() {
                Ok(_) => stored += 1,
                Err(error) => assert!(matches!(error, ServiceError::Exists), "{error:?}"),
            }
        }
        assert_eq!(stored, 1);
        fixture.check(&["a"]).await;
    }
}

#[tokio::test]
async fn what_has_expired_is_said_for_a_day_and_then_forgotten() {
    let (service, clock) = in_memory_with(TestClock::late()).await;
    let began = clock.now().0;
    service.create_draft(&account_id(), draft_of("a")).await.unwrap();
    service.create_draft(&account_id(), draft_of("b")).await.unwrap();
    let (batch_token, _) =
        service.create_batch_token(&account_id(), darkroom_model::Scope::Write).await.unwrap();
    let complete = async |name: &str| service.complete_draft(&account_id(), &id(name), photo()).await;
    clock.set(began + 30 * MINUTE);
    complete("b").await.unwrap();
    clock.set(began + 30 * MINUTE + 1);
    assert!(matches!(complete("a").await, Err(ServiceError::Expired)));
    assert_eq!(service.sweep().await.unwrap().expired, 0);
    assert!(service.find_api_token(&batch_token).await.unwrap().is_some());
    clock.set(began + 30 * MINUTE + 24 * HOUR);
    assert_eq!(service.sweep().await.unwrap().expired, 1, "the token");
    assert!(matches!(complete("a").await, Err(ServiceError::Expired)));
    clock.set(began + 30 * MINUTE + 24 * HOUR + 1);
    assert_eq!(service.sweep().await.unwrap().expired, 1);
    assert!(matches!(complete("a").await, Err(ServiceError::NotFound)));
    assert_eq!(service.sweep().await.unwrap().expired, 0);
}

#[tokio::test]
async fn the_id_of_an_expired_draft_is_free() {
    let (service, clock) = in_memory_with(TestClock::late()).await;
    service.create_draft(&account_id(), draft_of("a")).await.unwrap();
    clock.set(clock.now().0 + HOUR);
    service.upload(&account_id(), upload_of("a")).await.unwrap();
    let late = service.complete_draft(&account_id(), &id("a"), photo()).await;
    assert!(matches!(late, Err(ServiceError::Exists)));
}
