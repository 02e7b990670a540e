//! Random histories: an engine must give [`MemoryCatalog`]'s answers to every write, page and walk.
//!
//! A history is decided by its seed. Several accounts are written at once, so that their segments are built in turn;
//! what accounts decide about themselves, and tokens, change among the images. Walks stay open across writes and
//! restarts, and are judged besides by what a walk promises: nothing twice, nothing left out that matched throughout.

mod choose;
mod compare;
mod walk;
mod watched;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use darkroom_model::{Account, AccountId, NewImage, OriginalKey, Sequence, Timestamp};
use futures_util::future::join_all;

use super::sample::{self, Chance, ManualClock, image_id};
use crate::{Catalog, CatalogError, MemoryCatalog, PageQuery};
use compare::assert_same;
use walk::{OpenWalk, WALKS_MAX};
use watched::Watched;
use write::Write;

pub use watched::Calls;

/// An engine under test.
#[async_trait]
pub trait Subject: Send {
    /// Returns the open catalog.
    fn catalog(&self) -> &dyn Catalog;

    /// Closes the catalog and opens it again.
    async fn restart(&mut self);

    /// The number that the first image of an account gets.
    fn first_sequence(&self) -> Sequence {
        Sequence::FIRST
    }

    /// Lets one of the next commits fail, if the engine can do so.
    fn fail_a_commit(&self) {}

    /// Says whether the engine was told to take different terms for the same: it cannot count exactly then.
    fn terms_collide(&self) -> bool {
        false
    }

    /// Lets one of the next commits stand and be told as a failure, if the engine can do so.
    fn doubt_a_commit(&self, _chance: &Chance) {}

    /// Says whether a write stands whose outcome nobody could know.
    fn stands(&self, _cause: &(dyn std::error::Error + 'static)) -> bool {
        true
    }
}

struct History<'s, S> {
    subject: &'s mut S,
    oracle: Watched,
    clock: Arc<ManualClock>,
    chance: Chance,
    walks: Vec<OpenWalk>,
    /// Every original that an upload brought, whatever became of it.
    originals: Vec<OriginalKey>,
    now: u64,
}

/// Every account that there may be.
const ACCOUNTS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// How many of them are there from the beginning.
const ACCOUNTS_AT_FIRST: usize = 3;

/// Runs the history of a seed, of so many steps, on a new and empty catalog whose clock is `clock`. Returns the calls
/// that it made.
pub async fn run<S: Subject>(subject: &mut S, clock: Arc<ManualClock>, seed: u64, steps: usize) -> Calls {
    let chance = Chance::new(seed);
    let secrets = subject.catalog().secrets().clone();
    let oracle = MemoryCatalog::new(clock.clone(), &chance)
        .starting_at(subject.first_sequence())
        .with_secrets(secrets);
    let oracle = Watched::new(oracle);
    let mut history =
        History { subject, oracle, clock, chance, walks: Vec::new(), originals: Vec::new(), now: 0 };
    let first = ACCOUNTS[..ACCOUNTS_AT_FIRST].iter().map(|name| Write::CreateAccount(sample::account(name)));
    history.write_at_once(first.collect()).await;
    // Later a failed commit of its own may have it closed for a moment.
    assert!(history.subject.catalog().is_ready());
    for _ in 0..steps {
        history.step().await;
    }
    history.subject.restart().await;
    history.compare_everything().await;
    while !history.walks.is_empty() {
        history.go_on_with_a_walk().await;
    }
    history.oracle.into_calls()
}

impl<S: Subject> History<'_, S> {
    async fn step(&mut self) {
        // The clock mostly stands or goes on, and sometimes goes back.
        self.now = (self.now + self.chance.below(4) as u64).saturating_sub(self.chance.below(3) as u64);
        self.clock.set(Timestamp(self.now));
        match self.chance.below(100) {
            0..55 => self.write_some().await,
            55..70 => self.compare_some_page().await,
            70..80 => self.compare_something().await,
            80..95 if self.walks.is_empty() || self.chance.once_in(WALKS_MAX) => self.begin_a_walk().await,
            80..95 => self.go_on_with_a_walk().await,
            95..97 => self.subject.fail_a_commit(),
            97 => self.subject.doubt_a_commit(&self.chance),
            _ => self.subject.restart().await,
        }
    }

    /// Returns an account, which may not be there.
    fn account(&self) -> AccountId {
        // Most writes go to the first account, whose tail is sealed often.
        let index = if self.chance.once_in(3) { self.chance.below(ACCOUNTS.len()) } else { 0 };
        sample::account(ACCOUNTS[index]).id
    }

    async fn compare_some_page(&mut self) {
        let after = self
            .chance
            .once_in(2)
            .then(|| Sequence(self.subject.first_sequence().0 + self.chance.below(80) as u64));
        let query = PageQuery { after, ..choose::query(&self.chance) };
        self.compare_page(&self.account(), &query).await;
    }

    async fn write_some(&mut self) {
        let count = if self.chance.once_in(3) { 1 + self.chance.below(12) } else { 1 };
        let writes = match self.chance.below(50) {
            // Apart from others: a write to an account that is only being made may come before it or after.
            0 => (0..1 + self.chance.below(3)).map(|_| self.new_account()).collect(),
            1 => {
                let account = self.account();
                let changes = choose::too_many_keys(&self.chance);
                changes.into_iter().map(|change| Write::ChangeSettings(account.clone(), change)).collect()
            }
            _ => (0..count).map(|_| self.write()).collect(),
        };
        self.write_at_once(writes).await;
    }

    /// Writes at once what may be committed as one group; the oracle follows in the same order.
    async fn write_at_once(&mut self, writes: Vec<Write>) {
        let catalog = self.subject.catalog();
        let answers = join_all(writes.iter().map(|write| write.run(catalog))).await;
        for (write, answer) in writes.iter().zip(answers) {
            let stands = match &answer {
                Err(CatalogError::Failed(_)) => false,
                Err(CatalogError::OutcomeUnknown(cause)) => self.subject.stands(cause),
                _ => {
                    assert_same(&answer, &write.run(&self.oracle).await, write);
                    continue;
                }
            };
            if stands {
                let _ = write.run(&self.oracle).await;
            }
        }
        self.look_at_walks().await;
    }

    /// Returns the making of an account, whose id or hash may be taken.
    fn new_account(&self) -> Write {
        let id = sample::account(self.chance.pick(&ACCOUNTS)).id;
        let hash =
            sample::account(if self.chance.once_in(3) { self.chance.pick(&ACCOUNTS) } else { id.as_str() });
        Write::CreateAccount(Account { id, hash: hash.hash })
    }

    fn write(&mut self) -> Write {
        let (account, id) = (self.account(), image_id(&choose::id(&self.chance)));
        let now = Timestamp(self.now);
        match self.chance.below(32) {
            0..12 => Write::Insert(account.clone(), self.new_image(&account)),
            12..16 => Write::Edit(account, id, choose::edit(&self.chance)),
            16..20 => Write::Delete(account, id),
            20..22 => Write::InsertDraft(account, choose::draft(&self.chance, now)),
            22..24 => Write::CompleteDraft(account.clone(), self.new_image(&account)),
            24..28 => Write::ChangeSettings(account, choose::settings_change(&self.chance)),
            28 => Write::PutApiToken(choose::api_token(&self.chance, self.oracle.secrets(), now)),
            29 => {
                let secret = choose::secret(self.chance.below(choose::SECRETS));
                Write::DeleteApiToken(self.oracle.secrets().api_token_hash(&secret))
            }
            30 => Write::RemoveExpired {
                drafts_before: choose::soon(&self.chance, now),
                tokens_before: choose::soon(&self.chance, now),
            },
            _ => Write::ForgetGarbage(self.some_originals()),
        }
    }

    fn new_image(&mut self, account: &AccountId) -> NewImage {
        let (creator, json) = (choose::some_creator(&self.chance), choose::metadata_json(&self.chance));
        let id = choose::id(&self.chance);
        let image = sample::new_image(&self.oracle, account, &id, creator, json.as_deref(), &self.chance);
        self.originals.push(image.original.key.clone());
        image
    }

    /// Returns some originals, garbage or not.
    fn some_originals(&self) -> Vec<OriginalKey> {
        let mut originals = self.originals.clone();
        originals.retain(|_| self.chance.once_in(3));
        originals
    }
}
