//! Random histories: an engine must give [`MemoryCatalog`]'s answers to every write, page and walk.
//!
//! A history is decided by its seed. Several accounts are written at once, so that their segments are built in turn;
//! walks stay open across writes and restarts, and are judged besides by what a walk promises: nothing twice, nothing
//! left out that matched throughout.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use darkroom_model::{
    AccountId, Draft, Edit, Entry, FieldPath, Filters, MetaFilter, NewImage, Predicate, Scalar, Sequence,
    SortOrder, Timestamp,
};
use futures_util::future::join_all;

use super::sample::{self, Chance, ManualClock, creator, ids, image_id, metadata, number};
use crate::{Catalog, CatalogError, MemoryCatalog, Page, PageQuery};

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
}

/// What one account's walk has seen.
struct OpenWalk {
    account: AccountId,
    query: PageQuery,
    seen: BTreeSet<String>,
    /// The uploads that matched when the walk began, and at every look since.
    throughout: BTreeSet<String>,
}

struct History<'s, S> {
    subject: &'s mut S,
    oracle: MemoryCatalog,
    clock: Arc<ManualClock>,
    chance: Chance,
    walks: Vec<OpenWalk>,
    now: u64,
}

const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
const WALKS_MAX: usize = 4;

/// Runs the history of a seed, of so many steps, on a new and empty catalog whose clock is `clock`.
pub async fn run<S: Subject>(subject: &mut S, clock: Arc<ManualClock>, seed: u64, steps: usize) {
    let chance = Chance::new(seed);
    let oracle = MemoryCatalog::new(clock.clone(), &chance).starting_at(subject.first_sequence());
    for name in ACCOUNTS {
        let account = sample::account(name);
        oracle.create_account(account.clone()).await.expect("an account");
        subject.catalog().create_account(account).await.expect("an account");
    }
    let mut history = History { subject, oracle, clock, chance, walks: Vec::new(), now: 0 };
    for _ in 0..steps {
        history.step().await;
    }
    history.subject.restart().await;
    for name in ACCOUNTS {
        history.compare_everything(&sample::account(name).id).await;
    }
    while !history.walks.is_empty() {
        history.go_on_with_a_walk().await;
    }
}

impl<S: Subject> History<'_, S> {
    async fn step(&mut self) {
        // The clock mostly stands or goes on, and sometimes goes back.
        self.now = (self.now + self.chance.below(4) as u64).saturating_sub(self.chance.below(3) as u64);
        self.clock.set(Timestamp(self.now));
        match self.chance.below(100) {
            0..55 => self.write_some().await,
            55..80 => self.compare_a_page().await,
            80..95 if self.walks.is_empty() || self.chance.once_in(WALKS_MAX) => self.begin_a_walk().await,
            80..95 => self.go_on_with_a_walk().await,
            95..97 => self.subject.fail_a_commit(),
            97 => self.subject.doubt_a_commit(&self.chance),
            _ => self.subject.restart().await,
        }
    }

    fn account(&self) -> AccountId {
        // Most writes go to the first account, whose tail is sealed often.
        let index = if self.chance.once_in(3) { self.chance.below(ACCOUNTS.len()) } else { 0 };
        sample::account(ACCOUNTS[index]).id
    }

    fn id(&self) -> String {
        format!("i{}", self.chance.below(60))
    }

    /// Writes at once what may be committed as one group; the oracle follows in the same order.
    async fn write_some(&mut self) {
        let count = if self.chance.once_in(3) { 1 + self.chance.below(12) } else { 1 };
        let writes: Vec<Write> = (0..count).map(|_| self.write()).collect();
        let catalog = self.subject.catalog();
        let answers = join_all(writes.iter().map(|write| write.run(catalog))).await;
        for (write, answer) in writes.iter().zip(answers) {
            if matches!(answer, Err(CatalogError::Failed(_))) {
                // The commit failed and did not stand.
                continue;
            }
            let expected = write.run(&self.oracle).await;
            if matches!(answer, Err(CatalogError::OutcomeUnknown(_))) {
                // The commit stands, although nobody could know.
                continue;
            }
            assert_eq!(show(&answer), show(&expected), "{write:?}");
        }
        self.look_at_walks().await;
    }

    fn write(&self) -> Write {
        let (account, id) = (self.account(), self.id());
        match self.chance.below(12) {
            10 => {
                let expires_at = Timestamp(self.now + self.chance.below(6) as u64);
                let json = self.metadata().unwrap_or_else(|| "{}".into());
                Write::Draft(account, sample::draft(&id, &json, Timestamp(self.now), expires_at))
            }
            11 => {
                let image =
                    sample::new_image(self.subject.catalog(), &account, &id, None, None, &self.chance);
                Write::Complete(account, image)
            }
            0..6 => {
                let (creator, json) = (self.creator(), self.metadata());
                let image = sample::new_image(
                    self.subject.catalog(),
                    &account,
                    &id,
                    creator,
                    json.as_deref(),
                    &self.chance,
                );
                Write::Insert(account, image)
            }
            6..8 => {
                let edit = Edit {
                    creator: self.chance.once_in(2).then(|| self.creator()),
                    metadata: self.metadata().map(|json| metadata(&json)),
                    require_signed_urls: self.chance.once_in(4).then(|| self.chance.once_in(2)),
                };
                Write::Edit(account, id, edit)
            }
            _ => Write::Delete(account, id),
        }
    }

    fn creator(&self) -> Option<darkroom_model::Creator> {
        creator(self.chance.pick(&["", "", "user", "User", "other"]))
    }

    fn metadata(&self) -> Option<String> {
        let values = [
            r#""x""#,
            r#""y""#,
            r#""""#,
            r#""5""#,
            "5",
            "5.0",
            "6",
            "-2",
            "1e2",
            "9007199254740993",
            "true",
            "false",
            r#""true""#,
            "null",
            "[5]",
            r#"{"q":5}"#,
            r#"{"q":"x"}"#,
        ];
        if self.chance.once_in(8) {
            return None;
        }
        let fields = ["a", "b", "n", "o"].iter().filter(|_| self.chance.below(3) > 0);
        let members: Vec<String> =
            fields.map(|field| format!(r#""{field}":{}"#, self.chance.pick(&values))).collect();
        Some(format!("{{{}}}", members.join(",")))
    }

    fn filters(&self) -> Filters {
        let creator = self.chance.once_in(4).then(|| self.creator());
        let meta = (0..self.chance.below(4)).map(|_| self.filter()).collect();
        Filters { creator, meta }
    }

    fn filter(&self) -> MetaFilter {
        let path = FieldPath::parse(self.chance.pick(&["a", "b", "n", "o", "o.q", "none"]));
        let bound = || number(self.chance.pick(&["5", "6", "-2", "0", "100", "9007199254740992"]));
        let predicate = match self.chance.below(8) {
            0 => Predicate::Greater(bound()),
            1 => Predicate::GreaterOrEqual(bound()),
            2 => Predicate::Less(bound()),
            3 => Predicate::LessOrEqual(bound()),
            _ => Predicate::AnyOf((0..1 + self.chance.below(4)).map(|_| self.scalar()).collect()),
        };
        MetaFilter { path: path.expect("a legal path"), predicate }
    }

    fn scalar(&self) -> Scalar {
        match self.chance.below(4) {
            0 => Scalar::Boolean(self.chance.once_in(2)),
            1 => Scalar::Number(number(self.chance.pick(&["5", "6", "-2", "100", "9007199254740993"]))),
            _ => Scalar::String(self.chance.pick(&["x", "y", "", "5", "true"]).into()),
        }
    }

    fn query(&self) -> PageQuery {
        let sort_order = self.chance.pick(&[SortOrder::Ascending, SortOrder::Descending]);
        PageQuery { filters: self.filters(), sort_order, after: None, limit: 1 + self.chance.below(9) }
    }

    async fn compare_a_page(&mut self) {
        let after = self
            .chance
            .once_in(2)
            .then(|| Sequence(self.subject.first_sequence().0 + self.chance.below(80) as u64));
        let query = PageQuery { after, ..self.query() };
        self.compare(&self.account(), &query).await;
    }

    /// Compares one page, and returns its uploads and what follows.
    async fn compare(&self, account: &AccountId, query: &PageQuery) -> (Vec<String>, Option<Sequence>) {
        let answer = self.subject.catalog().page(account, query.clone()).await.expect("a page");
        let expected = self.oracle.page(account, query.clone()).await.expect("a page");
        assert_eq!(ids(&answer), ids(&expected), "{account} {query:?}");
        assert!(answer.images().eq(expected.images()), "{account} {query:?}");
        assert_eq!(answer.next, expected.next, "{account} {query:?}");
        let filters = query.filters.clone();
        if !self.subject.terms_collide() {
            let counted = self.subject.catalog().count(account, filters.clone()).await.expect("a count");
            assert_eq!(counted, self.oracle.count(account, filters).await.expect("a count"), "{query:?}");
            let offset = self.chance.below(20) as u64;
            let numbered = self.subject.catalog().numbered_page(account, query.clone(), offset).await;
            let expected = self.oracle.numbered_page(account, query.clone(), offset).await;
            let show = |answer: Result<(Page, u64), CatalogError>| {
                let (page, total) = answer.expect("a numbered page");
                (uploads(&page), page.next, total)
            };
            assert_eq!(show(numbered), show(expected), "{account} {query:?} from {offset}");
        }
        let mismatches = answer.work.hash_mismatches as usize;
        assert!(
            answer.work.records_read as usize <= query.limit + 1 + mismatches,
            "a page of {} read {} records, {mismatches} of them by mistake",
            query.limit,
            answer.work.records_read
        );
        (uploads(&answer), answer.next)
    }

    async fn compare_everything(&self, account: &AccountId) {
        for filters in std::iter::once(Filters::default()).chain((0..20).map(|_| self.filters())) {
            for sort_order in [SortOrder::Ascending, SortOrder::Descending] {
                let filters = filters.clone();
                self.compare(account, &PageQuery { filters, sort_order, after: None, limit: 1000 }).await;
            }
        }
        for index in 0..60 {
            let id = image_id(&format!("i{index}"));
            let answer = self.subject.catalog().entry(account, &id).await.expect("an answer");
            assert_eq!(answer, self.oracle.entry(account, &id).await.expect("an answer"));
            let draft = self.subject.catalog().draft(account, &id).await.expect("an answer");
            assert_eq!(draft, self.oracle.draft(account, &id).await.expect("an answer"));
        }
        let garbage = self.subject.catalog().garbage(10_000).await.expect("an answer");
        let garbage: BTreeSet<_> = garbage.into_iter().collect();
        let expected = self.oracle.garbage(10_000).await.expect("an answer");
        assert_eq!(garbage, expected.into_iter().collect());
    }

    async fn begin_a_walk(&mut self) {
        if self.walks.len() < WALKS_MAX {
            let (account, query) = (self.account(), self.query());
            let throughout = self.matching(&account, &query.filters).await;
            self.walks.push(OpenWalk { account, query, seen: BTreeSet::new(), throughout });
        }
    }

    async fn go_on_with_a_walk(&mut self) {
        let index = self.chance.below(self.walks.len());
        let (account, mut query) = (self.walks[index].account.clone(), self.walks[index].query.clone());
        query.limit = 1 + self.chance.below(9);
        let (page, next) = self.compare(&account, &query).await;
        let walk = &mut self.walks[index];
        for upload in page {
            assert!(walk.seen.insert(upload.clone()), "{upload} twice in {:?}", walk.query);
        }
        match next {
            Some(next) => walk.query.after = Some(next),
            None => {
                let walk = self.walks.swap_remove(index);
                let omitted: Vec<_> = walk.throughout.difference(&walk.seen).collect();
                assert!(omitted.is_empty(), "{omitted:?} left out of {:?}", walk.query);
            }
        }
    }

    /// Drops from each walk's promise what does not match any more.
    async fn look_at_walks(&mut self) {
        let mut walks = std::mem::take(&mut self.walks);
        for walk in &mut walks {
            let matching = self.matching(&walk.account, &walk.query.filters).await;
            walk.throughout.retain(|upload| matching.contains(upload));
        }
        self.walks = walks;
    }

    /// Returns the uploads that pass, by the oracle.
    async fn matching(&self, account: &AccountId, filters: &Filters) -> BTreeSet<String> {
        let query = PageQuery {
            filters: filters.clone(),
            sort_order: SortOrder::Ascending,
            after: None,
            limit: 1000,
        };
        uploads(&self.oracle.page(account, query).await.expect("a page")).into_iter().collect()
    }
}

/// One write, to be given to both engines.
#[derive(Debug)]
enum Write {
    Insert(AccountId, NewImage),
    Draft(AccountId, Draft),
    Complete(AccountId, NewImage),
    Edit(AccountId, String, Edit),
    Delete(AccountId, String),
}

impl Write {
    async fn run(&self, catalog: &dyn Catalog) -> Result<Option<Entry>, CatalogError> {
        let image = |image| Some(Entry::Image(image));
        match self {
            Write::Insert(account, new) => catalog.insert(account, new.clone()).await.map(image),
            Write::Draft(account, draft) => catalog.insert_draft(account, draft.clone()).await.map(|()| None),
            Write::Complete(account, NewImage { id, filename, original, .. }) => {
                let completed = catalog.complete_draft(account, id, filename.clone(), original.clone());
                completed.await.map(image)
            }
            Write::Edit(account, id, edit) => catalog.edit(account, &image_id(id), edit.clone()).await,
            Write::Delete(account, id) => catalog.delete(account, &image_id(id)).await,
        }
    }
}

/// Returns what tells the uploads of a page apart: an id may be deleted and uploaded anew, a file name is used once.
fn uploads(page: &Page) -> Vec<String> {
    page.images().map(|image| image.filename.expect("every sample has a file name").to_owned()).collect()
}

fn show(answer: &Result<Option<Entry>, CatalogError>) -> String {
    format!("{answer:?}")
}
