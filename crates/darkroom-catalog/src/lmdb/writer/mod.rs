//! The writer: the one task that changes the catalog.
//!
//! It takes mutations from a bounded queue and commits them in groups, one commit a group ([`operations`] lists the
//! mutations, [`images`] and [`accounts`] do them). After the commit it brings the overlays up to date, and only then it answers. Between
//! groups it takes one step of [`segments`]: writes rows of a segment being built, lets a finished one take its place,
//! or removes the rows of one that no manifest names.

mod accounts;
mod images;
mod operations;
mod segments;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use darkroom_model::{Account, AccountSettings};
use heed::RwTxn;
use tokio::sync::mpsc;

use super::build::{Built, Job};
use super::keys::{self, AccountNumber};
use super::rows::{self, AccountState};
use super::shared::{AccountEntry, Counters, Shared, damaged};
use super::store::{Opened, failed, is_full};
use crate::CatalogError;
use crate::posting::overlay::Change;
pub(crate) use accounts::read_settings;
pub(crate) use images::{Found, find, find_open};
pub(crate) use operations::{Mutation, Operation, Outcome};

/// The account that a group touches: its state to be written, and what its overlay must learn after the commit.
struct Touched {
    entry: Arc<AccountEntry>,
    state: AccountState,
    changes: Vec<Change>,
}

/// Everything that a group does besides its rows.
#[derive(Default)]
struct Group {
    accounts: BTreeMap<AccountNumber, Touched>,
    new_accounts: Vec<(AccountNumber, Account)>,
    settings: Vec<(Arc<AccountEntry>, Arc<AccountSettings>)>,
    wrote: bool,
}

/// What the writer is to do next.
enum Event {
    Mutation(Box<Mutation>),
    Built(Built),
    /// Nothing is asked for: there is time to tidy up.
    Idle,
    /// Reading has loaded more overlays than may be in memory.
    TooManyOverlays,
    /// The environment could not be opened after a failed commit: it is time to try again.
    Closed,
}

/// The row that a failed commit is followed by.
const FAILED_COMMITS_KEY: &[u8] = b"failed commits";

/// How long to wait before another attempt to open the environment.
pub(super) const REOPEN_WAIT: Duration = Duration::from_millis(500);

/// The one task that changes the catalog.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    mutations: mpsc::Receiver<Mutation>,
    built: mpsc::Receiver<Built>,
    jobs: std::sync::mpsc::Sender<Job>,
    building: Option<Building>,
    /// Accounts whose overlay or segments may need work.
    candidates: BTreeMap<AccountNumber, Arc<AccountEntry>>,
    /// The account that a segment was last built for: the next one comes after it, so that none waits for another's
    /// whole backlog.
    last_built: AccountNumber,
    /// Segments that no manifest names, whose rows are to be removed.
    obsolete: VecDeque<(AccountNumber, u64)>,
    next_segment: u64,
    next_account: AccountNumber,
}

/// The segment being built.
struct Building {
    number: u64,
    entry: Arc<AccountEntry>,
    range: std::ops::Range<u64>,
    level: u8,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        mutations: mpsc::Receiver<Mutation>,
        built: mpsc::Receiver<Built>,
        jobs: std::sync::mpsc::Sender<Job>,
        next_segment: u64,
        obsolete: VecDeque<(AccountNumber, u64)>,
    ) -> Writer {
        let next_account = shared.entries().iter().map(|entry| entry.number + 1).max().unwrap_or(0);
        let candidates = BTreeMap::new();
        Writer {
            shared,
            mutations,
            built,
            jobs,
            building: None,
            candidates,
            last_built: AccountNumber::MAX,
            obsolete,
            next_segment,
            next_account,
        }
    }

    /// Works until it is told to close, or until nobody can tell it anything any more.
    pub(crate) async fn run(mut self) {
        while let Some(event) = self.next_event().await {
            match event {
                Event::Mutation(first) => {
                    if self.work_on_group(*first) {
                        return self.turn_away_the_rest();
                    }
                    // One step of background work a group, so that neither side waits for the other to be idle.
                    if let Ok(built) = self.built.try_recv() {
                        self.take_built(built);
                    }
                    self.remove_obsolete_rows();
                    self.start_job();
                }
                Event::Built(built) => self.take_built(built),
                Event::Idle => drop(self.remove_obsolete_rows()),
                Event::TooManyOverlays => self.trim_overlays(),
                Event::Closed => self.reopen(),
            }
            let background = self.obsolete.len() + usize::from(self.building.is_some());
            self.shared.background.store(background, Ordering::SeqCst);
        }
    }

    /// Waits for something to do; `None` when nobody can ask for anything any more.
    async fn next_event(&mut self) -> Option<Event> {
        if self.is_under_pressure() {
            // Memory stays bounded: changes wait until the segment that relieves the overlay is there.
            return self.built.recv().await.map(Event::Built);
        }
        if let Ok(mutation) = self.mutations.try_recv() {
            return Some(Event::Mutation(Box::new(mutation)));
        }
        if let Ok(built) = self.built.try_recv() {
            return Some(Event::Built(built));
        }
        if !self.shared.store.is_open() {
            tokio::time::sleep(REOPEN_WAIT).await;
            return Some(Event::Closed);
        }
        if !self.obsolete.is_empty() {
            return Some(Event::Idle);
        }
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            mutation = self.mutations.recv() => mutation.map(|mutation| Event::Mutation(Box::new(mutation))),
            Some(built) = self.built.recv() => Some(Event::Built(built)),
            () = shared.too_many_overlays.notified() => Some(Event::TooManyOverlays),
        }
    }

    /// Commits what waits, up to a group; says whether it was told to close.
    fn work_on_group(&mut self, first: Mutation) -> bool {
        let mut group = vec![first];
        while group.len() < self.shared.options.group_max
            && let Ok(mutation) = self.mutations.try_recv()
        {
            group.push(mutation);
        }
        let close = group.iter().position(|mutation| matches!(mutation.operation, Operation::Close));
        let last = close.map(|index| group.split_off(index)).unwrap_or_default();
        self.commit_group(group);
        for (index, mutation) in last.into_iter().enumerate() {
            let answer = if index == 0 { Ok(Outcome::Done) } else { Err(CatalogError::Unavailable) };
            // Whoever waited may have gone away.
            let _ = mutation.reply.send(answer);
        }
        close.is_some()
    }

    /// Answers those who asked too late that nothing was changed: without an answer they could not know.
    fn turn_away_the_rest(&mut self) {
        self.mutations.close();
        while let Ok(mutation) = self.mutations.try_recv() {
            let _ = mutation.reply.send(Err(CatalogError::Unavailable));
        }
    }

    /// Commits a group and answers everybody in it.
    fn commit_group(&mut self, group: Vec<Mutation>) {
        let (operations, replies): (Vec<Operation>, Vec<_>) =
            group.into_iter().map(|mutation| (mutation.operation, mutation.reply)).unzip();
        let answers = match self.try_commit(operations) {
            Ok(answers) => answers,
            Err(error) => replies.iter().map(|_| Err(error.clone())).collect(),
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Whoever waited may have gone away; what was committed stands.
            let _ = reply.send(answer);
        }
    }

    fn try_commit(
        &mut self,
        operations: Vec<Operation>,
    ) -> Result<Vec<Result<Outcome, CatalogError>>, CatalogError> {
        let shared = Arc::clone(&self.shared);
        let opened = shared.store.opened()?;
        let mut txn = opened.env.write_txn().map_err(failed)?;
        let mut group = Group::default();
        let mut answers = Vec::with_capacity(operations.len());
        Counters::add(&shared.counters.mutations, operations.len() as u64);
        for operation in operations {
            match self.execute(&opened, &mut txn, &mut group, operation) {
                Ok(outcome) => answers.push(Ok(outcome)),
                // Nothing was written for this one: the others go on.
                Err(error) if error.is_refusal() => answers.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        if !group.wrote {
            return Ok(answers);
        }
        for (number, touched) in &mut group.accounts {
            touched.state.version += 1;
            let row = touched.state.to_bytes();
            opened.tables.states.put(&mut txn, &keys::account(*number), &row).map_err(failed)?;
        }
        let versions =
            group.accounts.values().map(|touched| (Arc::clone(&touched.entry), touched.state.version));
        let versions: Vec<(Arc<AccountEntry>, u64)> = versions.collect();
        versions.iter().for_each(|(entry, _)| entry.changes.begin());
        let committed = match self.commit(&opened, txn) {
            Ok(()) => {
                self.after_commit(group);
                Ok(answers)
            }
            Err(error) => {
                drop(opened);
                Err(self.after_failed_commit(error, &versions))
            }
        };
        versions.iter().for_each(|(entry, _)| entry.changes.end());
        committed
    }

    /// Brings what is in memory up to date.
    fn after_commit(&mut self, group: Group) {
        let shared = Arc::clone(&self.shared);
        #[cfg(test)]
        std::thread::sleep(shared.options.overlay_pause);
        for (number, account) in group.new_accounts {
            let settings = AccountSettings::initial(&shared.secrets, &account.id);
            shared.add_account(number, account, settings);
        }
        for (entry, settings) in group.settings {
            entry.set_settings(settings);
        }
        for touched in group.accounts.into_values() {
            let Touched { entry, state, changes } = touched;
            shared.update_overlay(&entry, state.version, |overlay| {
                changes.into_iter().for_each(|change| overlay.apply(change))
            });
            self.candidates.insert(entry.number, entry);
        }
    }

    fn commit(&self, opened: &Opened, txn: RwTxn<'_>) -> Result<(), heed::Error> {
        #[cfg(test)]
        if count_down(&self.shared.options.commits_to_fail).is_some() {
            return Err(heed::Error::Io(std::io::Error::other("a failure on purpose")));
        }
        // First the room and then the commit: a file that could not be grown would look cut off at the next start.
        self.shared.store.grow(opened).map_err(heed::Error::Io)?;
        let began = Instant::now();
        let committed = txn.commit();
        Counters::add(&self.shared.counters.commit_microseconds, began.elapsed().as_micros() as u64);
        committed?;
        #[cfg(test)]
        if count_down(&self.shared.options.commit_to_doubt) == Some(1) {
            return Err(heed::Error::Io(std::io::Error::other(DOUBT)));
        }
        Counters::add(&self.shared.counters.commits, 1);
        Ok(())
    }

    /// Reads what a failed commit left, and says what became of it.
    fn after_failed_commit(
        &mut self,
        error: heed::Error,
        versions: &[(Arc<AccountEntry>, u64)],
    ) -> CatalogError {
        let shared = Arc::clone(&self.shared);
        tracing::error!(error = %error, "a commit of the catalog failed; opening it anew");
        Counters::add(&shared.counters.failed_commits, 1);
        let (is_full, is_cut_short) = (is_full(&error), shared.store.is_cut_short(&error));
        let cause = CatalogError::OutcomeUnknown(Arc::new(error));
        self.reopen();
        let Ok(opened) = shared.store.opened() else { return cause };
        let Ok(txn) = opened.env.read_txn() else { return cause };
        // The versions are in the same transaction as everything else: one that is missing shows that none of it
        // stands. One that is there may still be missing from the disk, and so shows nothing.
        let stands = versions.iter().any(|(entry, version)| {
            shared.state(&opened, &txn, entry.number).map_or(true, |state| state.version >= *version)
        });
        drop(txn);
        match (cause, is_full) {
            (cause, _) if stands || versions.is_empty() => cause,
            // There was no room for the pages, which are written before anything that tells of them.
            (_, true) => CatalogError::Full,
            (CatalogError::OutcomeUnknown(cause), false) if self.commit_something(&opened).is_ok() => {
                if is_cut_short {
                    CatalogError::Full
                } else {
                    CatalogError::Failed(cause)
                }
            }
            (cause, false) => cause,
        }
    }

    /// Makes what was read after a failed commit final: the disk may know more than was read, until something newer is
    /// on it.
    fn commit_something(&self, opened: &Opened) -> Result<(), heed::Error> {
        let mut txn = opened.env.write_txn()?;
        let failed = self.shared.counters.failed_commits.load(Ordering::Relaxed);
        opened.tables.meta.put(&mut txn, FAILED_COMMITS_KEY, &failed.to_be_bytes())?;
        txn.commit()
    }

    /// Forgets what is derived and opens the environment anew. Until that succeeds every request is turned away.
    fn reopen(&mut self) {
        for entry in self.shared.entries() {
            entry.changes.forget();
            self.shared.drop_overlay(&entry);
        }
        if let Some(building) = self.building.take() {
            self.obsolete.push_back((building.entry.number, building.number));
        }
        if let Err(error) = self.shared.store.reopen() {
            tracing::error!(error = &error as &dyn std::error::Error, "the catalog could not be opened anew");
            return;
        }
        if let Err(error) = self.learn_accounts() {
            tracing::error!(error = &error as &dyn std::error::Error, "the accounts could not be read anew");
        }
    }

    /// Learns what a failed commit has done all the same: accounts, whose ids are taken, and settings.
    fn learn_accounts(&self) -> Result<(), CatalogError> {
        let opened = self.shared.store.opened()?;
        let txn = opened.env.read_txn().map_err(failed)?;
        for row in opened.tables.accounts.iter(&txn).map_err(failed)? {
            let (number, account) =
                rows::account_of(row.map_err(failed)?).ok_or_else(|| damaged("account"))?;
            let settings = read_settings(&self.shared, &opened, &txn, number, &account)?;
            match self.shared.entry(&account.id) {
                Some(entry) => entry.set_settings(Arc::new(settings)),
                None => self.shared.add_account(number, account, settings),
            }
        }
        Ok(())
    }
}

/// What a commit says that a test lets stand and be told as a failure.
#[cfg(test)]
pub(super) const DOUBT: &str = "a doubt on purpose";

/// Takes one off a count that a test has set, and returns what it was; `None` if it was zero.
#[cfg(test)]
fn count_down(count: &std::sync::atomic::AtomicUsize) -> Option<usize> {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()
}
