//! The suite on LMDB, and what only an engine on a disk can get wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use darkroom_model::{Filters, Sequence, SortOrder};
use futures_util::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::suite::sample::{self, Chance, ManualClock, is_text, one_filter, walk};
use crate::suite::{cases, history};

/// A catalog in a folder of its own.
struct OnDisk {
    folder: TempDir,
    clock: Arc<ManualClock>,
    options: LmdbOptions,
    catalog: LmdbCatalog,
    /// What the catalogs closed so far counted.
    counted: Vec<(&'static str, u64)>,
}

impl OnDisk {
    fn new(options: LmdbOptions) -> OnDisk {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let catalog = open(&folder, &clock, &options);
        OnDisk { folder, clock, options, catalog, counted: Vec::new() }
    }

    /// Returns a counter, all restarts together.
    fn count(&self, name: &str) -> u64 {
        let now = self.catalog.metrics();
        now.iter().chain(&self.counted).filter(|(other, _)| *other == name).map(|(_, count)| count).sum()
    }

    /// Waits until the builder has nothing to do.
    async fn settle(&self) {
        for _ in 0..2000 {
            // An answer to a write shows that the writer has looked at what the earlier ones made due.
            self.catalog.forget_garbage(Vec::new()).await.unwrap();
            if self.catalog.shared.background.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the catalog does not come to rest");
    }
}

fn open(folder: &TempDir, clock: &Arc<ManualClock>, options: &LmdbOptions) -> LmdbCatalog {
    LmdbCatalog::open(folder.path(), clock.clone(), &Chance::new(0), options.clone()).unwrap()
}

#[async_trait]
impl history::Subject for OnDisk {
    fn catalog(&self) -> &dyn Catalog {
        &self.catalog
    }

    async fn restart(&mut self) {
        self.catalog.close().await;
        self.counted.extend(self.catalog.metrics());
        self.catalog = open(&self.folder, &self.clock, &self.options);
    }

    fn first_sequence(&self) -> Sequence {
        self.options.first_sequence
    }

    fn fail_a_commit(&self) {
        self.options.commits_to_fail.fetch_add(1, Ordering::SeqCst);
    }

    fn terms_collide(&self) -> bool {
        self.options.term_bits < 128
    }

    fn doubt_a_commit(&self, chance: &Chance) {
        self.options.commit_to_doubt.store(1 + chance.below(8), Ordering::SeqCst);
    }

    fn stands(&self, cause: &(dyn std::error::Error + 'static)) -> bool {
        // Of writes that touch no account the engine cannot tell a failure from a doubt; we made them.
        cause.to_string() == writer::DOUBT
    }
}

macro_rules! suite {
    ($($case:ident),*) => {
        $(
            #[tokio::test]
            async fn $case() {
                cases::$case(&OnDisk::new(LmdbOptions::tiny()).catalog).await;
            }
        )*
    };
}

suite!(
    accounts_are_unique,
    api_tokens_are_found_by_their_secret,
    account_settings_are_changed_one_by_one,
    an_id_is_taken_once,
    long_ids_are_told_apart,
    every_page_size_gives_the_same_listing,
    an_edit_moves_an_image_between_filters,
    a_delete_leaves_a_note_of_the_original,
    a_cursor_survives_its_image,
    accounts_do_not_see_each_other,
    cursors_beyond_the_ends_find_nothing,
    a_closed_catalog_is_unavailable
);

#[tokio::test]
async fn uploaded_never_goes_back() {
    let on_disk = OnDisk::new(LmdbOptions::tiny());
    cases::uploaded_never_goes_back(&on_disk.catalog, &on_disk.clock).await;
}

#[tokio::test]
async fn a_draft_becomes_one_image() {
    let on_disk = OnDisk::new(LmdbOptions::tiny());
    cases::a_draft_becomes_one_image(&on_disk.catalog, &on_disk.clock).await;
}

#[tokio::test]
async fn an_expired_draft_holds_nothing() {
    let on_disk = OnDisk::new(LmdbOptions::tiny());
    cases::an_expired_draft_holds_nothing(&on_disk.catalog, &on_disk.clock).await;
}

/// What pages count of their work.
const WORK: [&str; 7] = [
    "page_transactions_total",
    "records_read_total",
    "blocks_read_total",
    "containers_read_total",
    "columns_read_total",
    "chunks_visited_total",
    "segments_visited_total",
];

/// How many random histories to run; more in a soak.
fn histories() -> u64 {
    std::env::var("DARKROOM_TEST_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

/// The first seed; another one in each soak.
fn first_seed() -> u64 {
    std::env::var("DARKROOM_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_agree_with_the_memory_engine() {
    let (mut seals, mut rewrites, mut merges, mut failures, mut mismatches) = (0, 0, 0, 0, 0);
    let mut calls = history::Calls::default();
    let mut worked = std::collections::BTreeMap::new();
    for seed in first_seed()..first_seed() + histories() {
        // Every third history has terms that collide, to meet the records that only seem to match.
        let options = LmdbOptions {
            term_bits: if seed % 3 == 0 { 4 } else { 128 },
            // Every other one builds so slowly that images change while their segment is read.
            build_pause: Duration::from_micros(if seed % 2 == 0 { 300 } else { 0 }),
            // Some begin shortly before the border of a chunk.
            first_sequence: Sequence(Sequence::FIRST.0 + if seed % 4 < 2 { 65_536 - seed % 50 } else { 0 }),
            commits_to_fail: Arc::default(),
            commit_to_doubt: Arc::default(),
            ..LmdbOptions::tiny()
        };
        let mut on_disk = OnDisk::new(options);
        let clock = on_disk.clock.clone();
        let task = async {
            let calls = history::run(&mut on_disk, clock, seed, 180).await;
            (on_disk, calls)
        };
        let (on_disk, made) = OnPanic(seed).watch(task).await;
        calls.extend(made);
        for name in WORK {
            *worked.entry(name).or_insert(0) += on_disk.count(name);
        }
        seals += on_disk.count("seals_total");
        rewrites += on_disk.count("rewrites_total");
        merges += on_disk.count("merges_total");
        failures += on_disk.count("failed_commits_total");
        mismatches += on_disk.count("hash_mismatches_total");
        on_disk.catalog.close().await;
    }
    println!(
        "{seals} seals, {rewrites} rewrites, {merges} merges, {failures} failed commits, {mismatches} mismatches"
    );
    assert!(worked.values().all(|count| *count > 0), "some work was never counted: {worked:?}");
    if histories() >= 100 {
        for (what, count) in [("seals", seals), ("rewrites", rewrites), ("merges", merges)] {
            // A loaded machine builds fewer: restarts and failed commits overtake the builder.
            assert!(count >= 100, "only {count} {what} were put to the test");
        }
        assert_eq!(calls.missing(), [""; 0], "no history made these calls");
        assert!(failures >= 100 && mismatches >= 100, "{failures} failures, {mismatches} mismatches");
    }
}

/// Says which seed it was when a history fails.
struct OnPanic(u64);

impl OnPanic {
    async fn watch<T>(self, task: impl Future<Output = T>) -> T {
        let result = task.await;
        std::mem::forget(self);
        result
    }
}

impl Drop for OnPanic {
    fn drop(&mut self) {
        eprintln!("the history of seed {0} failed: DARKROOM_TEST_SEED={0} DARKROOM_TEST_HISTORIES=1", self.0);
    }
}

async fn put(on_disk: &OnDisk, id: &str, json: &str, chance: &Chance) -> Result<Image, CatalogError> {
    let account = sample::account("a").id;
    let image = sample::new_image(&on_disk.catalog, &account, id, None, Some(json), chance);
    on_disk.catalog.insert(&account, image).await
}

async fn with_account(options: LmdbOptions) -> OnDisk {
    let on_disk = OnDisk::new(options);
    on_disk.catalog.create_account(sample::account("a")).await.unwrap();
    on_disk
}

fn with_x(limit: usize) -> PageQuery {
    let filters = one_filter("s", is_text("x"));
    PageQuery { filters, sort_order: SortOrder::Ascending, after: None, limit }
}

#[tokio::test]
async fn a_failed_commit_changes_nothing_and_the_next_one_succeeds() {
    let on_disk = with_account(LmdbOptions::default()).await;
    let chance = Chance::new(1);
    put(&on_disk, "1", r#"{"s":"x"}"#, &chance).await.unwrap();
    history::Subject::fail_a_commit(&on_disk);
    let failed = put(&on_disk, "2", r#"{"s":"x"}"#, &chance).await;
    assert!(matches!(failed, Err(CatalogError::Failed(_))), "{failed:?}");
    let account = sample::account("a").id;
    assert_eq!(walk(&on_disk.catalog, &account, with_x(9)).await, ["1"]);
    put(&on_disk, "2", r#"{"s":"x"}"#, &chance).await.unwrap();
    assert_eq!(walk(&on_disk.catalog, &account, with_x(9)).await, ["1", "2"]);
}

#[tokio::test]
async fn a_catalog_that_cannot_be_opened_anew_tries_until_it_can() {
    let on_disk = with_account(LmdbOptions::default()).await;
    let chance = Chance::new(1);
    put(&on_disk, "1", r#"{"s":"x"}"#, &chance).await.unwrap();
    // The folder is still there, and the engine would make a new file in it.
    let (file, away) = (on_disk.folder.path().join("data.mdb"), on_disk.folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    history::Subject::fail_a_commit(&on_disk);
    assert!(put(&on_disk, "2", r#"{"s":"x"}"#, &chance).await.is_err());
    assert!(!on_disk.catalog.is_ready());
    assert!(matches!(put(&on_disk, "2", "{}", &chance).await, Err(CatalogError::Unavailable)));
    // Long enough for an attempt that fails as well.
    tokio::time::sleep(writer::REOPEN_WAIT * 3 / 2).await;
    std::fs::rename(&away, &file).unwrap();
    wait_until_ready(&on_disk).await;
    put(&on_disk, "2", r#"{"s":"x"}"#, &chance).await.unwrap();
    assert_eq!(walk(&on_disk.catalog, &sample::account("a").id, with_x(9)).await, ["1", "2"]);
}

async fn wait_until_ready(on_disk: &OnDisk) {
    for _ in 0..500 {
        if on_disk.catalog.is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the catalog does not come back");
}

#[tokio::test]
async fn nothing_is_committed_that_the_file_has_no_room_for() {
    let on_disk = with_account(LmdbOptions { growth_bytes: Some(1 << 16), ..LmdbOptions::default() }).await;
    let chance = Chance::new(1);
    // Under another name the file can be written, and cannot be grown.
    let (file, away) = (on_disk.folder.path().join("data.mdb"), on_disk.folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let mut stored = Vec::new();
    let refused = loop {
        let id = format!("i{:03}", stored.len());
        match put(&on_disk, &id, r#"{"s":"x"}"#, &chance).await {
            Ok(_) => stored.push(id),
            Err(error) => break error,
        }
        assert!(stored.len() < 1000);
    };
    std::fs::rename(&away, &file).unwrap();
    assert!(!matches!(refused, CatalogError::Full), "{refused:?}");
    wait_until_ready(&on_disk).await;
    assert_eq!(walk(&on_disk.catalog, &sample::account("a").id, with_x(1000)).await, stored);
    put(&on_disk, "more", r#"{"s":"x"}"#, &chance).await.unwrap();
}

#[tokio::test]
async fn rows_that_a_manifest_names_stay_although_its_commit_was_in_doubt() {
    let account = sample::account("a").id;
    let names: Vec<String> = (0..5).map(|index| format!("i{index}")).collect();
    // After the fifth insert come the commits of a seal: some rows, and the manifest that names them.
    for doubted in 5..12 {
        let on_disk = with_account(LmdbOptions::tiny()).await;
        let chance = Chance::new(1);
        on_disk.options.commit_to_doubt.store(doubted, Ordering::SeqCst);
        for name in &names {
            let answer = put(&on_disk, name, r#"{"s":"x"}"#, &chance).await;
            assert!(matches!(answer, Ok(_) | Err(CatalogError::OutcomeUnknown(_))), "{answer:?}");
        }
        on_disk.settle().await;
        assert_eq!(walk(&on_disk.catalog, &account, with_x(9)).await, names, "in doubt: {doubted}");
        // An account's next use looks at what is due.
        on_disk.options.commit_to_doubt.store(0, Ordering::SeqCst);
        put(&on_disk, "more", r#"{"s":"y"}"#, &chance).await.unwrap();
        on_disk.settle().await;
        assert_eq!(walk(&on_disk.catalog, &account, with_x(9)).await, names, "in doubt: {doubted}");
        on_disk.catalog.close().await;
    }
}

#[tokio::test]
async fn an_account_whose_commit_was_in_doubt_is_known_if_it_stands() {
    let on_disk = OnDisk::new(LmdbOptions::default());
    on_disk.options.commit_to_doubt.store(1, Ordering::SeqCst);
    let answer = on_disk.catalog.create_account(sample::account("a")).await;
    assert!(matches!(answer, Err(CatalogError::OutcomeUnknown(_))), "{answer:?}");
    let again = on_disk.catalog.create_account(sample::account("a")).await;
    assert!(matches!(again, Err(CatalogError::Exists)), "{again:?}");
    put(&on_disk, "1", r#"{"s":"x"}"#, &Chance::new(1)).await.unwrap();
}

#[tokio::test]
async fn a_full_map_is_answered_and_reading_goes_on_until_there_is_room() {
    let mut on_disk = with_account(LmdbOptions { map_bytes: 1 << 20, ..LmdbOptions::default() }).await;
    let chance = Chance::new(1);
    let mut stored = Vec::new();
    let full = loop {
        let id = format!("i{}", stored.len());
        match put(&on_disk, &id, r#"{"s":"x"}"#, &chance).await {
            Ok(_) => stored.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, CatalogError::Full), "{full:?}");
    let account = sample::account("a").id;
    assert_eq!(walk(&on_disk.catalog, &account, with_x(1000)).await, stored);
    on_disk.options.map_bytes = 1 << 24;
    history::Subject::restart(&mut on_disk).await;
    put(&on_disk, "more", r#"{"s":"x"}"#, &chance).await.unwrap();
    stored.push("more".into());
    assert_eq!(walk(&on_disk.catalog, &account, with_x(1000)).await, stored);
}

#[tokio::test]
async fn a_map_that_fills_up_during_background_work_loses_nothing() {
    let account = sample::account("a").id;
    for seed in 0..2 {
        let on_disk = with_account(LmdbOptions { map_bytes: 300 << 10, ..LmdbOptions::tiny() }).await;
        let chance = Chance::new(seed);
        let (mut stored, mut refused) = (BTreeSet::<String>::new(), 0);
        for round in 0..1200 {
            let id = format!("i{round:04}");
            // Images go as well as come, so that it is full at ever other moments.
            let answer = match stored.first().filter(|_| chance.once_in(6)).cloned() {
                Some(oldest) => match on_disk.catalog.delete(&account, &sample::image_id(&oldest)).await {
                    Ok(_) => {
                        stored.remove(&oldest);
                        on_disk.catalog.forget_garbage(on_disk.catalog.garbage(9).await.unwrap()).await
                    }
                    Err(error) => Err(error),
                },
                None => put(&on_disk, &id, r#"{"s":"x","n":1}"#, &chance).await.map(|_| {
                    stored.insert(id);
                }),
            };
            match answer {
                Ok(()) => {}
                Err(CatalogError::Full) => refused += 1,
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
            if round % 10 == 0 {
                let found = walk(&on_disk.catalog, &account, with_x(1000)).await;
                assert!(found.iter().eq(&stored), "seed {seed}, round {round}");
            }
        }
        assert!(refused > 0);
        on_disk.catalog.close().await;
    }
}

#[tokio::test]
async fn a_page_reads_no_more_than_it_must() {
    let options = LmdbOptions { seal_images: 64, merge_fan_in: 4, ..LmdbOptions::default() };
    let on_disk = with_account(options).await;
    let chance = Chance::new(1);
    for index in 0..64 * 9 + 5 {
        let json = format!(r#"{{"s":"{}","n":{index}}}"#, if index % 10 == 0 { "x" } else { "y" });
        put(&on_disk, &format!("i{index}"), &json, &chance).await.unwrap();
    }
    on_disk.settle().await;
    assert_eq!(on_disk.count("merges_total"), 2);
    let account = sample::account("a").id;
    let page = on_disk.catalog.page(&account, with_x(3)).await.unwrap();
    assert_eq!((page.len(), page.work.records_read), (3, 4));
    assert_eq!((page.work.segments_visited, page.work.blocks_read), (1, 1));
    // What lies before the first number is a place too.
    assert_eq!((page.work.transactions, page.work.chunks_visited), (1, 2));
    let unfiltered = PageQuery { filters: Filters::default(), ..with_x(3) };
    let unfiltered = on_disk.catalog.page(&account, unfiltered).await.unwrap();
    assert_eq!((unfiltered.len(), unfiltered.work.records_read), (3, 4));
    let all = on_disk.catalog.page(&account, with_x(1000)).await.unwrap();
    assert_eq!((all.len() as u64, all.work.records_read), (59, 59));
    assert_eq!((all.work.segments_visited, all.work.blocks_read), (3, 3));
    let nothing = PageQuery { filters: one_filter("s", is_text("z")), ..with_x(1000) };
    let nothing = on_disk.catalog.page(&account, nothing).await.unwrap();
    assert_eq!((nothing.len(), nothing.work.records_read), (0, 0));
    assert_eq!(nothing.work.chunks_visited, 5, "three segments, what is before them and what is behind");
}

/// A walk takes some hundred matches at a time out of a segment's share of a chunk, or out of the overlay.
#[tokio::test]
async fn a_page_holds_more_matches_than_are_taken_at_a_time() {
    for seal_images in [700, 10_000] {
        let on_disk = with_account(LmdbOptions { seal_images, ..LmdbOptions::default() }).await;
        let (account, chance) = (sample::account("a").id, Chance::new(1));
        let ids: Vec<String> = (0..700).map(|index| format!("i{index}")).collect();
        let puts = ids.iter().map(|id| put(&on_disk, id, r#"{"s":"x"}"#, &chance));
        assert!(join_all(puts).await.iter().all(Result::is_ok));
        // In the order in which they came.
        let unfiltered = PageQuery { filters: Filters::default(), ..with_x(1000) };
        let ids = walk(&on_disk.catalog, &account, unfiltered).await;
        assert_eq!(ids.len(), 700);
        on_disk.settle().await;
        assert_eq!(on_disk.count("seals_total"), u64::from(seal_images == 700));
        for limit in [1000, 300] {
            let descending = PageQuery { sort_order: SortOrder::Descending, ..with_x(limit) };
            assert!(walk(&on_disk.catalog, &account, with_x(limit)).await == ids);
            assert!(walk(&on_disk.catalog, &account, descending).await.iter().eq(ids.iter().rev()));
        }
    }
}

#[tokio::test]
async fn records_are_brought_into_memory_by_a_bounded_number_of_threads() {
    let on_disk = with_account(LmdbOptions::default()).await;
    let chance = Chance::new(1);
    for index in 0..50 {
        put(&on_disk, &format!("i{index}"), "{}", &chance).await.unwrap();
    }
    let shared = &on_disk.catalog.shared;
    let opened = shared.store.opened().unwrap();
    let first = darkroom_model::Sequence::FIRST.0;
    // Those that are not there, or not any more, are none of its business.
    let sequences: Vec<u64> = (first..first + 60).collect();
    for busy in [0, 1000] {
        shared.warmers.store(busy, Ordering::SeqCst);
        warm::Warming::new(&shared.warmers, &opened, 0, &sequences).fetch(&sequences);
        assert_eq!(shared.warmers.load(Ordering::SeqCst), busy);
    }
}

#[tokio::test]
async fn overlays_beyond_their_limit_are_dropped_and_built_anew() {
    let on_disk = OnDisk::new(LmdbOptions { seal_images: 100, ..LmdbOptions::tiny() });
    let chance = Chance::new(1);
    let names: Vec<String> = (0..12).map(|index| format!("a{index}")).collect();
    for name in &names {
        on_disk.catalog.create_account(sample::account(name)).await.unwrap();
    }
    for round in 0..3 {
        for name in &names {
            let account = sample::account(name).id;
            let id = format!("i{round}");
            let image =
                sample::new_image(&on_disk.catalog, &account, &id, None, Some(r#"{"s":"x"}"#), &chance);
            on_disk.catalog.insert(&account, image).await.unwrap();
            // An upload needs no overlay; a listing does.
            assert_eq!(walk(&on_disk.catalog, &account, with_x(9)).await.len(), round + 1);
        }
    }
    assert!(on_disk.count("overlays") <= 3, "{} overlays", on_disk.count("overlays"));
    assert!(on_disk.count("overlay_loads_total") > 12);
    for name in &names {
        let found = walk(&on_disk.catalog, &sample::account(name).id, with_x(2)).await;
        assert_eq!(found, ["i0", "i1", "i2"]);
    }
    // Nothing but reading has happened since: the writer hears of it.
    for _ in 0..1000 {
        if on_disk.count("overlays") <= 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} overlays", on_disk.count("overlays"));
}

#[tokio::test]
async fn no_account_waits_for_the_backlog_of_another() {
    let options = LmdbOptions {
        // A segment takes some 25 ms, and none is merged.
        build_pause: Duration::from_millis(5),
        merge_fan_in: usize::MAX,
        group_max: 256,
        ..LmdbOptions::tiny()
    };
    let on_disk = with_account(options).await;
    let (a, b, chance) = (sample::account("a").id, sample::account("b").id, Chance::new(1));
    on_disk.catalog.create_account(sample::account("b")).await.unwrap();
    let image = |account, index: usize| {
        let id = format!("i{index:03}");
        sample::new_image(&on_disk.catalog, account, &id, None, Some(r#"{"s":"x"}"#), &chance)
    };
    for group in 0..30 {
        for index in group * 5..group * 5 + 5 {
            on_disk.catalog.insert(&a, image(&a, index)).await.unwrap();
        }
        on_disk.settle().await;
    }
    // Every segment of the first account is to be rewritten.
    let ids: Vec<_> = (0..150)
        .filter(|index| index % 5 < 2)
        .map(|index| sample::image_id(&format!("i{index:03}")))
        .collect();
    let deletes = ids.iter().map(|id| on_disk.catalog.delete(&a, id));
    futures_util::future::join_all(deletes).await;
    let before = on_disk.count("rewrites_total");
    for index in 0..25 {
        on_disk.catalog.insert(&b, image(&b, index)).await.unwrap();
    }
    let rewrites = on_disk.count("rewrites_total") - before;
    assert!(rewrites < 15, "{rewrites} rewrites of another account came first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn readers_see_whole_versions_while_others_write() {
    let options = LmdbOptions { overlay_pause: Duration::from_micros(200), ..LmdbOptions::tiny() };
    let on_disk = Arc::new(with_account(options).await);
    let account = sample::account("a").id;
    let chance = Chance::new(1);
    for index in 0..40 {
        put(&on_disk, &format!("i{index:02}"), r#"{"s":"x","side":"left"}"#, &chance).await.unwrap();
    }
    let editing = tokio::spawn(edit_sides(Arc::clone(&on_disk), account.clone()));
    let others = tokio::spawn(come_and_go(Arc::clone(&on_disk), account.clone()));
    let sides = ["left", "right"].map(|side| darkroom_model::Scalar::String(side.into()));
    let has_a_side = one_filter("side", darkroom_model::Predicate::AnyOf(sides.to_vec()));
    let mut pages = 0;
    while !(editing.is_finished() && others.is_finished()) {
        // Each of the forty always has one side; the others may or may not be there, but never by half.
        let query = PageQuery { filters: has_a_side.clone(), ..with_x(1000) };
        assert_eq!(on_disk.catalog.page(&account, query).await.unwrap().len(), 40);
        let page = on_disk.catalog.page(&account, with_x(1000)).await.unwrap();
        let stayed = sample::ids(&page).iter().filter(|id| id.starts_with('i')).count();
        assert_eq!(stayed, 40);
        assert_eq!(page.work.hash_mismatches, 0, "overlay and records are of one version");
        pages += 1;
    }
    editing.await.unwrap();
    others.await.unwrap();
    assert!(pages > 10, "{pages} pages");
}

async fn edit_sides(on_disk: Arc<OnDisk>, account: AccountId) {
    let chance = Chance::new(2);
    for round in 0..500 {
        let side = chance.pick(&["left", "right"]);
        let metadata = sample::metadata(&format!(r#"{{"s":"x","side":"{side}","round":{round}}}"#));
        let edit = Edit { metadata: Some(metadata), ..Edit::default() };
        let id = sample::image_id(&format!("i{:02}", chance.below(40)));
        on_disk.catalog.edit(&account, &id, edit).await.unwrap();
    }
}

async fn come_and_go(on_disk: Arc<OnDisk>, account: AccountId) {
    let chance = Chance::new(3);
    for round in 0..500 {
        let (id, other) = (format!("o{}", round % 7), if round % 2 == 0 { "x" } else { "z" });
        put(&on_disk, &id, &format!(r#"{{"s":"{other}"}}"#), &chance).await.unwrap();
        let edit = Edit { metadata: Some(sample::metadata(r#"{"s":"z"}"#)), ..Edit::default() };
        on_disk.catalog.edit(&account, &sample::image_id(&id), edit).await.unwrap();
        on_disk.catalog.delete(&account, &sample::image_id(&id)).await.unwrap();
    }
}

/// Images that were read lately are answered from memory: none may be older than what its reader could know of.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_change_holds_from_the_next_read_on() {
    let options = LmdbOptions { overlay_pause: Duration::from_micros(200), ..LmdbOptions::tiny() };
    let on_disk = Arc::new(with_account(options).await);
    let (account, id) = (sample::account("a").id, sample::image_id("image"));
    put(&on_disk, "image", "{}", &Chance::new(1)).await.unwrap();
    let (acknowledged, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (on_disk, acknowledged, ended) = (on_disk.clone(), acknowledged.clone(), ended.clone());
            let (account, id) = (account.clone(), id.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while !ended.load(Ordering::SeqCst) {
                    let least = acknowledged.load(Ordering::SeqCst).max(seen);
                    let image = on_disk.catalog.image(&account, &id).await.unwrap().unwrap();
                    seen = count_of(&image);
                    assert!(seen >= least, "{seen} after {least}");
                    // What is in memory is answered without a pause; others have to run too.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for count in 1..=300 {
        let edit = Edit { creator: Some(sample::creator(&count.to_string())), ..Edit::default() };
        on_disk.catalog.edit(&account, &id, edit).await.unwrap();
        acknowledged.store(count, Ordering::SeqCst);
        if count % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }
    ended.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let hits = (0..100).map(|_| on_disk.catalog.image(&account, &id));
    assert!(join_all(hits).await.into_iter().all(|image| count_of(&image.unwrap().unwrap()) == 300));
    on_disk.catalog.delete(&account, &id).await.unwrap();
    assert_eq!(on_disk.catalog.image(&account, &id).await.unwrap(), None);
}

fn count_of(image: &Image) -> u64 {
    image.creator.as_ref().map_or(0, |creator| creator.as_str().parse().unwrap())
}

#[test]
fn what_is_no_catalog_is_refused_by_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let try_open = |folder: &Path| {
        let clock = Arc::new(ManualClock::default());
        let catalog = LmdbCatalog::open(folder, clock, &Chance::new(0), LmdbOptions::tiny());
        catalog.map(|catalog| runtime.block_on(catalog.close()))
    };
    let name = |result: Result<(), OpenError>| result.unwrap_err().to_string();

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.mdb"), [7; 8192]).unwrap();
    let message = name(try_open(folder.path()));
    assert!(message.contains(folder.path().to_str().unwrap()) && message.contains("damaged"), "{message}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let message = name(try_open(&folder.path().join("file")));
    assert!(message.contains("cannot"), "{message}");

    // What the operating system refuses is not called damaged.
    let unusable = tempfile::tempdir().unwrap();
    std::fs::create_dir(unusable.path().join("lock.mdb")).unwrap();
    let message = name(try_open(unusable.path()));
    assert!(message.contains("cannot use") && !message.contains("damaged"), "{message}");

    let foreign = tempfile::tempdir().unwrap();
    write_row(foreign.path(), "songs", b"1", b"la");
    assert!(name(try_open(foreign.path())).contains("not a Darkroom catalog"));

    let newer = tempfile::tempdir().unwrap();
    try_open(newer.path()).unwrap();
    write_row(newer.path(), "meta", b"format", &9u32.to_be_bytes());
    let message = name(try_open(newer.path()));
    assert!(message.contains("format 9") && message.contains("newer"), "{message}");

    for (length, complaint) in
        [(0, "missing or empty"), (100, "cannot"), (8192, "cut off"), (20_000, "cut off")]
    {
        let cut = tempfile::tempdir().unwrap();
        try_open(cut.path()).unwrap();
        let file = std::fs::File::options().write(true).open(cut.path().join("data.mdb")).unwrap();
        file.set_len(length).unwrap();
        let message = name(try_open(cut.path()));
        assert!(message.contains(cut.path().to_str().unwrap()), "{message}");
        assert!(message.contains(complaint), "{length} bytes: {message}");
    }
}

/// Writes one row into a table of any database.
fn write_row(folder: &Path, table: &str, key: &[u8], value: &[u8]) {
    let mut options = heed::EnvOpenOptions::new();
    options.map_size(1 << 20).max_dbs(20);
    // SAFETY: the folder belongs to one test, and no environment of it is open.
    #[expect(unsafe_code, reason = "the engine maps a file")]
    let env = unsafe { options.open(folder) }.unwrap();
    let mut txn = env.write_txn().unwrap();
    let table: store::Table = env.create_database(&mut txn, Some(table)).unwrap();
    table.put(&mut txn, key, value).unwrap();
    txn.commit().unwrap();
    env.prepare_for_closing().wait();
}

#[tokio::test]
async fn the_folder_of_the_first_format_opens() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1/data.mdb");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&fixture, folder.path().join("data.mdb")).unwrap();
    let on_disk = {
        let clock = Arc::new(ManualClock::default());
        let options = LmdbOptions::tiny();
        let catalog = open(&folder, &clock, &options);
        OnDisk { folder, clock, options, catalog, counted: Vec::new() }
    };
    check_fixture(&on_disk.catalog).await;
    // What it holds can be changed as well as read.
    put(&on_disk, "new", r#"{"s":"x"}"#, &Chance::new(77)).await.unwrap();
}

/// What the folders kept as fixtures hold: 24 images in segments and in the tail, one edited and one
/// deleted, a draft, a token, and settings.
async fn write_fixture(on_disk: &OnDisk) {
    let chance = Chance::new(42);
    let account = sample::account("a").id;
    on_disk.catalog.create_account(sample::account("a")).await.unwrap();
    let token = ApiToken {
        id: "f".repeat(32),
        secret_hash: on_disk.catalog.secrets().api_token_hash("fixture"),
        grants: vec![darkroom_model::Grant { account: account.clone(), scope: darkroom_model::Scope::Write }],
        kind: darkroom_model::ApiTokenKind::Api,
        expires_at: None,
    };
    let draft = sample::draft("draft", "{}", darkroom_model::Timestamp(0), darkroom_model::Timestamp::MAX);
    on_disk.catalog.insert_draft(&account, draft).await.unwrap();
    let config = darkroom_model::AccountConfigEdit { browser_ttl: Some(3_600), ..Default::default() };
    let change = AccountSettingsChange::EditConfig(config);
    on_disk.catalog.change_account_settings(&account, change).await.unwrap();
    on_disk.catalog.put_api_token(token).await.unwrap();
    for index in 0..24 {
        on_disk.clock.set(darkroom_model::Timestamp(1_000_000 + index));
        let json = format!(r#"{{"s":"{}","n":{index}}}"#, if index % 2 == 0 { "x" } else { "y" });
        put(on_disk, &format!("i{index:02}"), &json, &chance).await.unwrap();
    }
    on_disk.settle().await;
    let edit = Edit { metadata: Some(sample::metadata(r#"{"s":"edited"}"#)), ..Edit::default() };
    on_disk.catalog.edit(&account, &sample::image_id("i03"), edit).await.unwrap();
    on_disk.catalog.delete(&account, &sample::image_id("i04")).await.unwrap();
}

async fn check_fixture(catalog: &LmdbCatalog) {
    let account = sample::account("a").id;
    let named = |wanted: &dyn Fn(u32) -> bool| -> Vec<String> {
        (0..24).filter(|index| wanted(*index)).map(|index| format!("i{index:02}")).collect()
    };
    let text = |text| PageQuery { filters: one_filter("s", is_text(text)), ..with_x(5) };
    assert_eq!(walk(catalog, &account, text("x")).await, named(&|index| index % 2 == 0 && index != 4));
    assert_eq!(walk(catalog, &account, text("y")).await, named(&|index| index % 2 == 1 && index != 3));
    assert_eq!(walk(catalog, &account, text("edited")).await, ["i03"]);
    let above = one_filter("n", darkroom_model::Predicate::Greater(sample::number("20")));
    assert_eq!(
        walk(catalog, &account, PageQuery { filters: above, ..with_x(2) }).await,
        named(&|index| index > 20)
    );
    let all = PageQuery { filters: Filters::default(), ..with_x(7) };
    assert_eq!(walk(catalog, &account, all).await, named(&|index| index != 4));
    assert_eq!(catalog.garbage(9).await.unwrap().len(), 1);
    let token = catalog.api_token(&catalog.secrets().api_token_hash("fixture")).await.unwrap().unwrap();
    assert_eq!(token.scope_in(&account), Some(darkroom_model::Scope::Write));
    let draft = catalog.entry(&account, &sample::image_id("draft")).await.unwrap();
    assert!(matches!(draft, Some(Entry::Draft(_))), "{draft:?}");
    assert_eq!(catalog.account_settings(&account).await.unwrap().config.browser_ttl, 3_600);
    assert_eq!(catalog.count(&account, Filters::default()).await.unwrap(), 23);
}

#[tokio::test]
async fn the_fixture_can_be_written_anew() {
    let on_disk = OnDisk::new(LmdbOptions::tiny());
    write_fixture(&on_disk).await;
    check_fixture(&on_disk.catalog).await;
    on_disk.catalog.close().await;
    // For a new format: its first folder is kept, and never written again.
    if let Some(folder) = std::env::var_os("WRITE_FIXTURE") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(on_disk.folder.path().join("data.mdb"), Path::new(&folder).join("data.mdb")).unwrap();
    }
}
