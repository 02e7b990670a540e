//! Uploads, deletes and sweeps at the same time, on stores of which any call may fail.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use darkroom_model::Edit;
use darkroom_service::{Listing, Service, ServiceError};
use support::failing::Chance;
use support::*;

/// What the answers tell of an image.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Told {
    Exists,
    Gone,
    Nothing,
}

/// Does random things to images of its own and checks every answer against the ones before.
async fn client(service: Arc<Service>, number: usize, seed: u64) -> BTreeMap<String, Told> {
    let mut chance = Chance::new(seed);
    let mut told: BTreeMap<String, Told> = (0..4).map(|n| (format!("{number}/{n}"), Told::Gone)).collect();
    for _ in 0..40 {
        let name = format!("{number}/{}", chance.below(4));
        let before = told[&name];
        let (done, may_be) = match chance.below(3) {
            0 | 1 => {
                let result = service.upload(&account_id(), upload_of(&name)).await;
                (result.map(drop), (Told::Gone, Told::Exists))
            }
            _ => (service.delete(&account_id(), &id(&name)).await, (Told::Exists, Told::Gone)),
        };
        let (needed, becomes) = may_be;
        let now = match done {
            Ok(()) if before == needed || before == Told::Nothing => becomes,
            // What was to become was so already.
            Err(ServiceError::Exists) if before != Told::Gone => Told::Exists,
            Err(ServiceError::NotFound) if before != Told::Exists => Told::Gone,
            Err(ServiceError::Full | ServiceError::Unavailable) => before,
            Err(ServiceError::Internal(_)) => Told::Nothing,
            other => panic!("{name} was {before:?}, then {other:?}"),
        };
        told.insert(name.clone(), now);
        // A look at a row never fails here, whatever writes do.
        let found = service.edit(&account_id(), &id(&name), Edit::default()).await;
        match now {
            Told::Exists => assert!(found.is_ok(), "{name}: {found:?}"),
            Told::Gone => assert!(matches!(found, Err(ServiceError::NotFound)), "{name}: {found:?}"),
            Told::Nothing => {}
        }
    }
    told
}

async fn run(fixture: &Fixture, seed: u64) {
    fixture.faults.fail_by_chance(seed);
    let clients: Vec<_> = (0..4)
        .map(|number| tokio::spawn(client(Arc::clone(&fixture.service), number, seed * 100 + number as u64)))
        .collect();
    let sweeping = Arc::clone(&fixture.service);
    let sweeper = tokio::spawn(async move {
        loop {
            // It may fail; it must not harm.
            let _ = sweeping.sweep().await;
        }
    });
    let mut told = BTreeMap::new();
    for client in clients {
        told.extend(client.await.unwrap());
    }
    sweeper.abort();
    fixture.faults.heal();
    fixture.service.sweep().await.unwrap();
    let listing = Listing { page_size: 1000, ..Listing::default() };
    let page = fixture.service.list(&account_id(), listing).await.unwrap();
    let listed: Vec<String> = page.images().map(|image| image.id.to_owned()).collect();
    for (name, told) in told {
        match told {
            Told::Exists => assert!(listed.contains(&name), "{name} is lost"),
            Told::Gone => assert!(!listed.contains(&name), "{name} is back"),
            Told::Nothing => {}
        }
    }
    fixture.check(&listed.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_rows_have_their_bytes_and_nothing_else_is_left() {
    for seed in 1..=10 {
        for fixture in Fixture::all().await {
            println!("seed {seed}");
            run(&fixture, seed).await;
        }
    }
}
