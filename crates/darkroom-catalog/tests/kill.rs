//! A process that writes to a catalog is killed at random moments: what was acknowledged stands, what was under way
//! stands whole or not at all, and every filter finds what the records say.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use darkroom_catalog::suite::sample::{self, Chance, ManualClock, image_id, is_text, number, one_filter};
use darkroom_catalog::{Catalog, LmdbCatalog, LmdbOptions, PageQuery};
use darkroom_model::{AccountId, Edit, Filters, Predicate, SortOrder};

const FOLDER: &str = "DARKROOM_TEST_KILL_FOLDER";
const SEED: &str = "DARKROOM_TEST_KILL_SEED";
const VALUES: usize = 5;
const ACCOUNTS: [&str; 2] = ["a", "b"];
const WRITERS: usize = 8;

/// An account and an id in it.
type Name = (String, String);
/// What each image holds; `None` if there is none.
type Held = BTreeMap<Name, Option<usize>>;

#[test]
fn what_was_acknowledged_outlives_the_process() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let number_of = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(folder) = std::env::var_os(FOLDER) {
        runtime.block_on(write_until_killed(Path::new(&folder), number_of(SEED).unwrap()));
        return;
    }
    let rounds: u64 = number_of("DARKROOM_TEST_KILLS").unwrap_or(8);
    let first_seed: u64 = number_of("DARKROOM_TEST_SEED").unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut known) = (0, Held::new());
    for seed in first_seed..first_seed + rounds {
        let chance = Chance::new(seed);
        let mut child = spawn(folder.path(), seed);
        let log = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100 + chance.below(300) as u64));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let mut under_way = Held::new();
        for line in log.lines() {
            let line = line.unwrap();
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["begin", account, id, value] => {
                    under_way.insert((account.to_owned(), id.to_owned()), value.parse().ok());
                }
                ["done", account, id] => {
                    let name = (account.to_owned(), id.to_owned());
                    let value = under_way.remove(&name).unwrap();
                    known.insert(name, value);
                    acknowledged += 1;
                }
                // The harness has lines of its own.
                _ => {}
            }
        }
        killer.join().unwrap();
        known = runtime.block_on(check(folder.path(), &known, &under_way, seed));
    }
    println!("{acknowledged} writes were acknowledged");
    assert!(acknowledged > 20 * rounds, "only {acknowledged} writes were acknowledged");
}

fn spawn(folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_acknowledged_outlives_the_process", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn open(folder: &Path) -> LmdbCatalog {
    let clock = Arc::new(ManualClock::default());
    LmdbCatalog::open(folder, clock, &Chance::new(0), LmdbOptions::tiny()).unwrap()
}

async fn write_until_killed(folder: &Path, seed: u64) {
    let catalog = Arc::new(open(folder));
    for account in ACCOUNTS {
        // It may be there from an earlier round.
        let _ = catalog.create_account(sample::account(account)).await;
    }
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&catalog), writer, seed)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Writes to ids that no other writer touches, and says what it is about to do and what is done.
async fn write(catalog: Arc<LmdbCatalog>, writer: usize, seed: u64) {
    let chance = Chance::new(seed << 8 | writer as u64);
    loop {
        let name = chance.pick(&ACCOUNTS);
        let (account, id) = (sample::account(name).id, format!("w{writer}-{}", chance.below(12)));
        let value = chance.below(VALUES);
        let exists = catalog.image(&account, &image_id(&id)).await.unwrap().is_some();
        if exists && chance.once_in(3) {
            say(&format!("begin {name} {id} none\n"));
            catalog.delete(&account, &image_id(&id)).await.unwrap();
        } else if exists {
            say(&format!("begin {name} {id} {value}\n"));
            let edit = Edit { metadata: Some(sample::metadata(&json(value))), ..Edit::default() };
            catalog.edit(&account, &image_id(&id), edit).await.unwrap();
        } else {
            say(&format!("begin {name} {id} {value}\n"));
            let image = sample::new_image(&*catalog, &account, &id, None, Some(&json(value)), &chance);
            catalog.insert(&account, image).await.unwrap();
        }
        say(&format!("done {name} {id}\n"));
    }
}

fn json(value: usize) -> String {
    format!(r#"{{"s":"v{value}","n":{value}}}"#)
}

/// Writes a line whole, or, when the process ends first, not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Compares a folder with what is known of it, and returns what it holds.
async fn check(folder: &Path, known: &Held, under_way: &Held, seed: u64) -> Held {
    let catalog = open(folder);
    let mut held = Held::new();
    for name in ACCOUNTS {
        let account = sample::account(name);
        if catalog.account(&account.id).await.unwrap().is_none() {
            continue;
        }
        let all = listing(&catalog, &account.id, Filters::default()).await;
        for value in 0..VALUES {
            let with_value: BTreeSet<_> = all.iter().filter(|(_, other)| *other == value).cloned().collect();
            let n = number(&value.to_string());
            for filters in [
                one_filter("s", is_text(&format!("v{value}"))),
                one_filter("n", Predicate::AnyOf(vec![darkroom_model::Scalar::Number(n)])),
            ] {
                let found = listing(&catalog, &account.id, filters).await;
                assert_eq!(found, with_value, "seed {seed}, account {name}, value {value}");
            }
            let above = listing(&catalog, &account.id, one_filter("n", Predicate::Greater(n))).await;
            assert!(above.iter().eq(all.iter().filter(|(_, other)| *other > value)), "seed {seed}");
        }
        for (id, _) in &all {
            assert!(catalog.image(&account.id, &image_id(id)).await.unwrap().is_some(), "seed {seed}, {id}");
        }
        held.extend(all.into_iter().map(|(id, value)| ((name.to_owned(), id), Some(value))));
    }
    for (name, value) in known {
        let found = held.get(name).copied().flatten();
        let allowed = under_way.get(name).is_some_and(|value| found == *value);
        assert!(found == *value || allowed, "seed {seed}: {name:?} is {found:?}, not {value:?}");
    }
    for (name, value) in &held {
        let explained = known.get(name) == Some(value) || under_way.get(name) == Some(value);
        assert!(explained, "seed {seed}: {name:?} is {value:?}");
    }
    catalog.close().await;
    held
}

async fn listing(catalog: &LmdbCatalog, account: &AccountId, filters: Filters) -> BTreeSet<(String, usize)> {
    let query = PageQuery { filters, sort_order: SortOrder::Descending, after: None, limit: 1000 };
    let page = catalog.page(account, query).await.unwrap();
    assert!(page.next.is_none());
    page.images()
        .map(|image| {
            let json = image.metadata_json.unwrap();
            let value = json.rsplit_once(':').unwrap().1.trim_end_matches('}').parse().unwrap();
            (image.id.to_owned(), value)
        })
        .collect()
}
