//! A process that writes to a catalog is killed at random moments: what was acknowledged stands, what was under way
//! stands whole or not at all, and every filter finds what the records say.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use darkroom_catalog::suite::sample::{self, Chance, ManualClock, image_id, is_text, number, one_filter};
use darkroom_catalog::{Catalog, LmdbCatalog, LmdbOptions, PageQuery};
use darkroom_model::{
    AccountId, AccountSettings, AccountSettingsChange, ApiToken, ApiTokenKind, Edit, Entry, Filters, Ids,
    Predicate, SigningKeyName, SigningKeyValue, SortOrder, Timestamp, Variant, VariantName,
};

const FOLDER: &str = "DARKROOM_TEST_KILL_FOLDER";
const SEED: &str = "DARKROOM_TEST_KILL_SEED";
const VALUES: usize = 5;
const ACCOUNTS: [&str; 2] = ["a", "b"];
const WRITERS: usize = 8;
/// Ids of each writer.
const IDS: usize = 12;
/// What the value of a draft is raised by.
const DRAFT: usize = 1_000;
/// Where the names of tokens and of further accounts stand, in the place of an account.
const TOKENS: &str = "tokens";
const FURTHER: &str = "further-accounts";
/// The name of all settings of an account together.
const SETTINGS: &str = "settings";
/// Tokens, and further accounts.
const FEW: usize = 200;

/// An account and an id in it.
type Name = (String, String);
/// What each image or draft holds, token, account or settings are; `None` if there is none.
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
    let mut writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&catalog), writer, seed))).collect();
    writers.push(tokio::spawn(change_settings(Arc::clone(&catalog), seed)));
    writers.push(tokio::spawn(make_tokens_and_accounts(Arc::clone(&catalog), seed)));
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Writes to ids that no other writer touches, and says what it is about to do and what is done.
async fn write(catalog: Arc<LmdbCatalog>, writer: usize, seed: u64) {
    let chance = Chance::new(seed << 8 | writer as u64);
    loop {
        let name = chance.pick(&ACCOUNTS);
        let (account, id) = (sample::account(name).id, format!("w{writer}-{}", chance.below(IDS)));
        let value = chance.below(VALUES);
        let begin = |value: usize| say(&format!("begin {name} {id} {value}\n"));
        let edit = || Edit { metadata: Some(sample::metadata(&json(value))), ..Edit::default() };
        let image = || sample::new_image(&*catalog, &account, &id, None, Some(&json(value)), &chance);
        let image_id = image_id(&id);
        match catalog.entry(&account, &image_id).await.unwrap() {
            Some(_) if chance.once_in(3) => {
                say(&format!("begin {name} {id} none\n"));
                catalog.delete(&account, &image_id).await.unwrap();
            }
            Some(Entry::Draft(draft)) if chance.once_in(2) => {
                begin(value_of(draft.metadata.unwrap().as_json()));
                catalog.complete_draft(&account, &image_id, None, image().original).await.unwrap();
            }
            Some(entry) => {
                begin(if matches!(entry, Entry::Draft(_)) { DRAFT + value } else { value });
                catalog.edit(&account, &image_id, edit()).await.unwrap();
            }
            None if chance.once_in(3) => {
                begin(DRAFT + value);
                let draft = sample::draft(&id, &json(value), Timestamp(0), Timestamp(1));
                catalog.insert_draft(&account, draft).await.unwrap();
            }
            None => {
                begin(value);
                catalog.insert(&account, image()).await.unwrap();
            }
        }
        say(&format!("done {name} {id}\n"));
    }
}

/// Changes keys and variants; the last key is deleted often, and its replacement comes by the same commit.
async fn change_settings(catalog: Arc<LmdbCatalog>, seed: u64) {
    let chance = Chance::new(seed << 8 | 0xfe);
    loop {
        let name = chance.pick(&ACCOUNTS);
        let account = sample::account(name).id;
        let settings = catalog.account_settings(&account).await.unwrap();
        let key = SigningKeyName::parse(chance.pick(&["default", "other"])).unwrap();
        let value = SigningKeyValue::from_random((&chance as &dyn Ids).random());
        let variant = VariantName::parse(chance.pick(&["hero", "thumb"])).unwrap();
        let change = match chance.below(5) {
            0 => AccountSettingsChange::CreateSigningKey(key, value),
            1 => AccountSettingsChange::CreateVariant(Variant { name: variant, ..Variant::public() }, 100),
            2 => AccountSettingsChange::DeleteVariant(variant),
            _ => AccountSettingsChange::DeleteSigningKey(key, value),
        };
        let mut after = (*settings).clone();
        if after.apply(change.clone()).is_ok() {
            let value =
                fingerprint(&catalog, &account, &after).map_or("none".to_owned(), |value| value.to_string());
            say(&format!("begin {name} {SETTINGS} {value}\n"));
            catalog.change_account_settings(&account, change).await.unwrap();
            say(&format!("done {name} {SETTINGS}\n"));
        }
    }
}

/// Makes, replaces and revokes tokens, and makes further accounts until there are enough.
async fn make_tokens_and_accounts(catalog: Arc<LmdbCatalog>, seed: u64) {
    let chance = Chance::new(seed << 8 | 0xff);
    loop {
        let (id, value) = (chance.below(FEW), chance.below(VALUES));
        let hash = catalog.secrets().api_token_hash(&id.to_string());
        if chance.once_in(3) {
            say(&format!("begin {TOKENS} {id} none\n"));
            catalog.delete_api_token(&hash).await.unwrap();
        } else {
            say(&format!("begin {TOKENS} {id} {value}\n"));
            catalog.put_api_token(api_token(hash, value)).await.unwrap();
        }
        say(&format!("done {TOKENS} {id}\n"));
        let further = sample::account(&format!("further-{id}"));
        if catalog.account(&further.id).await.unwrap().is_none() {
            say(&format!("begin {FURTHER} {id} 0\n"));
            catalog.create_account(further).await.unwrap();
            say(&format!("done {FURTHER} {id}\n"));
        }
    }
}

fn api_token(secret_hash: [u8; 32], value: usize) -> ApiToken {
    let expires_at = Some(Timestamp(value as u64));
    ApiToken { id: "0".repeat(32), secret_hash, grants: Vec::new(), kind: ApiTokenKind::Batch, expires_at }
}

/// Returns what tells the settings from others; `None` for those that an account begins with.
fn fingerprint(catalog: &LmdbCatalog, account: &AccountId, settings: &AccountSettings) -> Option<usize> {
    let mut hasher = DefaultHasher::new();
    for (name, value) in settings.signing_keys() {
        (name.as_str(), value.expose()).hash(&mut hasher);
    }
    settings.variants().for_each(|variant| variant.name.hash(&mut hasher));
    let is_initial = *settings == AccountSettings::initial(catalog.secrets(), account);
    (!is_initial).then(|| hasher.finish() as usize)
}

fn json(value: usize) -> String {
    format!(r#"{{"s":"v{value}","n":{value}}}"#)
}

/// Returns the value of what [`json`] wrote.
fn value_of(json: &str) -> usize {
    json.rsplit_once(':').unwrap().1.trim_end_matches('}').parse().unwrap()
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
        held.extend(drafts_and_settings(&catalog, name).await);
    }
    held.extend(tokens_and_accounts(&catalog).await);
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

async fn drafts_and_settings(catalog: &LmdbCatalog, name: &str) -> Held {
    let account = sample::account(name).id;
    let mut held = Held::new();
    for id in (0..WRITERS).flat_map(|writer| (0..IDS).map(move |id| format!("w{writer}-{id}"))) {
        if let Some(Entry::Draft(draft)) = catalog.entry(&account, &image_id(&id)).await.unwrap() {
            let value = value_of(draft.metadata.unwrap().as_json());
            held.insert((name.to_owned(), id), Some(DRAFT + value));
        }
    }
    let settings = catalog.account_settings(&account).await.unwrap();
    let value = fingerprint(catalog, &account, &settings);
    held.extend(value.map(|value| ((name.to_owned(), SETTINGS.to_owned()), Some(value))));
    held
}

async fn tokens_and_accounts(catalog: &LmdbCatalog) -> Held {
    let mut held = Held::new();
    for id in (0..FEW).map(|id| id.to_string()) {
        let hash = catalog.secrets().api_token_hash(&id);
        if let Some(token) = catalog.api_token(&hash).await.unwrap() {
            let value = token.expires_at.unwrap().0 as usize;
            assert_eq!(token, api_token(hash, value));
            held.insert((TOKENS.to_owned(), id.clone()), Some(value));
        }
        let further = sample::account(&format!("further-{id}"));
        if catalog.account(&further.id).await.unwrap() == Some(further) {
            held.insert((FURTHER.to_owned(), id), Some(0));
        }
    }
    held
}

async fn listing(catalog: &LmdbCatalog, account: &AccountId, filters: Filters) -> BTreeSet<(String, usize)> {
    let query = PageQuery { filters, sort_order: SortOrder::Descending, after: None, limit: 1000 };
    let page = catalog.page(account, query).await.unwrap();
    assert!(page.next.is_none());
    page.images().map(|image| (image.id.to_owned(), value_of(image.metadata_json.unwrap()))).collect()
}
