//! Each step of each call on stores that fail: what is answered, and what is left.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use darkroom_model::{Creator, Edit, Limits, OriginalKey};
use darkroom_service::{ServiceError, Swept, Upload};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use support::failing::{Call, Fault};
use support::*;

/// Lets one call of an upload fail and checks the answer, that reads go on meanwhile, that nothing is left, and that
/// writing resumes.
async fn check_upload(call: Call, fault: Fault, is_expected: impl Fn(&ServiceError) -> bool) {
    for fixture in Fixture::all().await {
        fixture.service.upload(&account_id(), upload_of("before")).await.unwrap();
        fixture.faults.fail(call, fault);
        let error = fixture.service.upload(&account_id(), upload_of("a")).await.unwrap_err();
        assert!(is_expected(&error), "{call:?} {fault:?}: {error:?}");
        fixture.check(&["before"]).await;
        fixture.faults.heal();
        fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        fixture.check(&["before", "a"]).await;
    }
}

#[tokio::test]
async fn bytes_that_cannot_be_written_leave_nothing() {
    check_upload(Call::Put, Fault::Broken, |error| matches!(error, ServiceError::Internal(_))).await;
    check_upload(Call::Put, Fault::Full, |error| matches!(error, ServiceError::Full)).await;
}

#[tokio::test]
async fn bytes_whose_write_fails_at_its_end_are_removed() {
    check_upload(Call::Put, Fault::BrokenAfterwards, |error| matches!(error, ServiceError::Internal(_)))
        .await;
}

#[tokio::test]
async fn a_row_that_is_refused_takes_its_bytes_with_it() {
    check_upload(Call::Insert, Fault::Full, |error| matches!(error, ServiceError::Full)).await;
    check_upload(Call::Insert, Fault::Unavailable, |error| matches!(error, ServiceError::Unavailable)).await;
    check_upload(Call::Insert, Fault::Broken, |error| matches!(error, ServiceError::Internal(_))).await;
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_by_the_sweep() {
    for fixture in Fixture::all().await {
        let upload = async |name| fixture.service.upload(&account_id(), upload_of(name)).await;
        fixture.faults.fail(Call::Insert, Fault::UnknownAndUndone);
        assert!(matches!(upload("undone").await, Err(ServiceError::Internal(_))));
        fixture.faults.heal();
        fixture.faults.fail(Call::Insert, Fault::UnknownAndDone);
        assert!(matches!(upload("done").await, Err(ServiceError::Internal(_))));
        fixture.faults.heal();
        assert_eq!(fixture.stored().await.len(), 2);
        assert_eq!(fixture.service.sweep().await.unwrap(), Swept { strays: 1, ..Swept::default() });
        fixture.check(&["done"]).await;
        upload("undone").await.unwrap();
        fixture.check(&["done", "undone"]).await;
    }
}

#[tokio::test]
async fn refused_bytes_that_cannot_be_removed_are_left_to_the_sweep() {
    for fixture in Fixture::all().await {
        fixture.faults.fail(Call::Insert, Fault::Full);
        fixture.faults.fail(Call::Remove, Fault::Broken);
        let result = fixture.service.upload(&account_id(), upload_of("a")).await;
        assert!(matches!(result, Err(ServiceError::Full)));
        assert_eq!(fixture.stored().await.len(), 1);
        assert!(fixture.service.sweep().await.is_err());
        fixture.faults.heal();
        assert_eq!(fixture.service.sweep().await.unwrap().strays, 1);
        fixture.check(&[]).await;
    }
}

#[tokio::test]
async fn bytes_that_cannot_be_removed_after_a_delete_are_left_to_the_sweep() {
    for fault in [Call::Remove, Call::Forget] {
        for fixture in Fixture::all().await {
            fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
            fixture.service.upload(&account_id(), upload_of("b")).await.unwrap();
            fixture.faults.fail(fault, Fault::Broken);
            fixture.service.delete(&account_id(), &id("a")).await.unwrap();
            let result = fixture.service.details(&account_id(), &id("a")).await;
            assert!(matches!(result, Err(ServiceError::NotFound)));
            // The id is free at once, whatever becomes of the old bytes.
            fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
            assert!(fixture.service.sweep().await.is_err());
            fixture.faults.heal();
            fixture.service.sweep().await.unwrap();
            fixture.check(&["a", "b"]).await;
        }
    }
}

#[tokio::test]
async fn a_delete_that_fails_leaves_the_image_whole() {
    for fault in [Fault::Full, Fault::Unavailable, Fault::Broken, Fault::UnknownAndUndone] {
        for fixture in Fixture::all().await {
            fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
            fixture.faults.fail(Call::Delete, fault);
            fixture.service.delete(&account_id(), &id("a")).await.unwrap_err();
            fixture.service.sweep().await.unwrap();
            fixture.check(&["a"]).await;
            fixture.faults.heal();
            fixture.service.delete(&account_id(), &id("a")).await.unwrap();
            fixture.settle().await;
            fixture.check(&[]).await;
        }
    }
}

#[tokio::test]
async fn a_delete_of_unknown_outcome_that_stands_is_finished_by_the_sweep() {
    for fixture in Fixture::all().await {
        fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        fixture.faults.fail(Call::Delete, Fault::UnknownAndDone);
        let result = fixture.service.delete(&account_id(), &id("a")).await;
        assert!(matches!(result, Err(ServiceError::Internal(_))));
        fixture.faults.heal();
        assert_eq!(fixture.service.sweep().await.unwrap(), Swept { garbage: 1, ..Swept::default() });
        fixture.check(&[]).await;
    }
}

#[tokio::test]
async fn an_edit_that_fails_changes_nothing() {
    for fixture in Fixture::all().await {
        fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        let creator = Creator::parse("me", &Limits::default()).unwrap();
        let edit = || Edit { creator: Some(creator.clone()), ..Edit::default() };
        fixture.faults.fail(Call::Edit, Fault::Full);
        let result = fixture.service.edit(&account_id(), &id("a"), edit()).await;
        assert!(matches!(result, Err(ServiceError::Full)));
        assert_eq!(fixture.service.details(&account_id(), &id("a")).await.unwrap().creator, None);
        fixture.faults.heal();
        assert_eq!(
            fixture.service.edit(&account_id(), &id("a"), edit()).await.unwrap().view().creator,
            creator.as_ref().map(darkroom_model::Creator::as_str)
        );
    }
}

#[tokio::test]
async fn bytes_that_cannot_be_read_are_a_failure_and_not_a_missing_image() {
    for fixture in Fixture::all().await {
        let image = fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        fixture.faults.fail(Call::Get, Fault::Broken);
        let result = fixture.service.blob(&account_id(), &id("a")).await;
        assert!(matches!(result, Err(ServiceError::Internal(_))));
        fixture.faults.heal();
        fixture.check(&["a"]).await;
        let path = Path::from(image.original.key.to_path());
        let pieces: Vec<_> = fixture.service.original_stream(&image).await.unwrap().collect().await;
        assert_eq!(pieces.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat(), PHOTO);
        // Somebody cuts the file off, and then removes it.
        let half = PutPayload::from_bytes(Bytes::from_static(&PHOTO[..1000]));
        fixture.originals.put(&path, half).await.unwrap();
        let result = fixture.service.original_bytes(&image).await;
        assert!(matches!(result, Err(ServiceError::Internal(_))));
        fixture.originals.delete(&path).await.unwrap();
        let result = fixture.service.original_bytes(&image).await;
        assert!(matches!(result, Err(ServiceError::Internal(_))));
        fixture.catalog.delete(&account_id(), &id("a")).await.unwrap();
        // The image went between the look at its row and the look at its bytes.
        let result = fixture.service.original_bytes(&image).await;
        assert!(matches!(result, Err(ServiceError::NotFound)));
    }
}

#[tokio::test]
async fn bytes_go_in_before_the_row_and_out_after_it() {
    for fixture in Fixture::all().await {
        fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        assert_eq!(fixture.faults.calls(), [Call::Put, Call::Insert]);
        let taken = fixture.service.upload(&account_id(), upload_of("a")).await;
        assert!(matches!(taken, Err(ServiceError::Exists)));
        assert_eq!(fixture.faults.calls(), [], "nothing is written for an id that is known to be taken");
        fixture.service.delete(&account_id(), &id("a")).await.unwrap();
        fixture.settle().await;
        assert_eq!(fixture.faults.calls(), [Call::Delete, Call::Remove, Call::Forget]);
    }
}

/// Begins an upload, gives up waiting for it while `call` is held, and returns what lets the call go on.
async fn abandoned_upload(fixture: &Fixture, call: Call) -> Arc<tokio::sync::Semaphore> {
    let gate = fixture.faults.gate(call);
    let account = account_id();
    let upload = fixture.service.upload(&account, upload_of("a"));
    assert!(tokio::time::timeout(Duration::from_millis(100), upload).await.is_err());
    assert!(fixture.faults.calls().contains(&call));
    gate
}

/// Waits until the abandoned upload has ended.
async fn until_there(fixture: &Fixture) {
    for _ in 0..400 {
        if fixture.service.details(&account_id(), &id("a")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the abandoned upload does not end");
}

#[tokio::test]
async fn an_upload_whose_client_is_gone_is_finished() {
    for call in [Call::Put, Call::Insert] {
        for fixture in Fixture::all().await {
            let gate = abandoned_upload(&fixture, call).await;
            gate.add_permits(1);
            until_there(&fixture).await;
            fixture.check(&["a"]).await;
        }
    }
}

#[tokio::test]
async fn closing_waits_for_uploads_that_were_begun() {
    for fixture in Fixture::all().await {
        let gate = abandoned_upload(&fixture, Call::Put).await;
        let service = Arc::clone(&fixture.service);
        let closing = tokio::spawn(async move { service.close().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!closing.is_finished());
        gate.add_permits(1);
        closing.await.unwrap();
        assert_eq!(fixture.faults.calls(), [Call::Insert]);
        let late = fixture.service.upload(&account_id(), upload_of("late")).await;
        assert!(matches!(late, Err(ServiceError::Unavailable)));
    }
}

#[tokio::test]
async fn the_sweep_spares_an_upload_that_has_its_bytes_and_not_yet_its_row() {
    for fixture in Fixture::all().await {
        let gate = abandoned_upload(&fixture, Call::Insert).await;
        assert_eq!(fixture.stored().await.len(), 1);
        // By this clock the bytes are decades old.
        assert_eq!(fixture.service.sweep().await.unwrap(), Swept::default());
        gate.add_permits(1);
        until_there(&fixture).await;
        fixture.check(&["a"]).await;
    }
}

#[tokio::test]
async fn the_sweep_spares_what_is_young_and_what_is_not_ours() {
    for fixture in Fixture::all().await {
        let put = async |path: &str| {
            let payload = PutPayload::from_bytes(Bytes::from_static(b"x"));
            fixture.originals.put(&Path::from(path), payload).await.unwrap();
        };
        let key = |account: &str| {
            let account = darkroom_model::AccountId::parse(account).unwrap();
            OriginalKey { account, id_hash: [7; 16], random: [9; 16] }.to_path()
        };
        put("notes.txt").await;
        put(&key("acc")).await;
        put(&key("unknown")).await;
        fixture.clock.set(1_000_000_000_000);
        assert_eq!(fixture.service.sweep().await.unwrap(), Swept::default());
        fixture.clock.set(4_102_444_800_000);
        assert_eq!(fixture.service.sweep().await.unwrap(), Swept { strays: 1, ..Swept::default() });
        assert_eq!(fixture.stored().await, ["notes.txt".to_owned(), key("unknown")]);
    }
}

#[tokio::test]
async fn a_sweep_that_cannot_ask_removes_nothing() {
    for fixture in Fixture::all().await {
        fixture.service.upload(&account_id(), upload_of("a")).await.unwrap();
        fixture.faults.fail(Call::KnowsOriginal, Fault::Unavailable);
        assert!(matches!(fixture.service.sweep().await, Err(ServiceError::Unavailable)));
        fixture.faults.heal();
        fixture.faults.fail(Call::List, Fault::Broken);
        assert!(matches!(fixture.service.sweep().await, Err(ServiceError::Internal(_))));
        fixture.faults.heal();
        fixture.check(&["a"]).await;
        let metrics = fixture.service.metrics();
        assert!(metrics.contains(&("sweep_failures_total", 2)), "{metrics:?}");
    }
}

#[tokio::test]
async fn more_garbage_than_one_step_is_worked_off() {
    let [fixture, _] = Fixture::all().await;
    fixture.faults.fail(Call::Remove, Fault::Broken);
    for number in 0..300 {
        let name = number.to_string();
        let upload = Upload { file: Bytes::from_static(PIXEL), ..upload_of(&name) };
        fixture.service.upload(&account_id(), upload).await.unwrap();
        fixture.service.delete(&account_id(), &id(&name)).await.unwrap();
    }
    assert!(fixture.service.sweep().await.is_err());
    fixture.faults.heal();
    assert_eq!(fixture.service.sweep().await.unwrap().garbage, 300);
    fixture.check(&[]).await;
}
