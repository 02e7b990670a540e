//! The reads of a history: each is asked of both engines.

use std::collections::BTreeSet;
use std::fmt::Debug;

use darkroom_model::{AccountId, Filters, ImageId, OriginalKey, Sequence, SortOrder};

use super::{ACCOUNTS, History, Subject, choose};
use crate::suite::sample::{self, ids, image_id};
use crate::{Catalog, CatalogError, Page, PageQuery};

impl<S: Subject> History<'_, S> {
    /// Asks both engines, expects one answer and returns it; refusals are answers.
    async fn agree<T: PartialEq + Debug>(
        &self,
        ask: impl AsyncFn(&dyn Catalog) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let answer = ask(self.subject.catalog()).await;
        assert_same(&answer, &ask(&self.oracle).await, &"a read");
        answer
    }

    /// Compares one page and the counts of its filters; returns its uploads and what follows.
    pub(super) async fn compare_page(
        &self,
        account: &AccountId,
        query: &PageQuery,
    ) -> (Vec<String>, Option<Sequence>) {
        let answer = self.subject.catalog().page(account, query.clone()).await;
        let expected = self.oracle.page(account, query.clone()).await;
        let about = (account, query);
        let (answer, expected) = match (answer, expected) {
            (Ok(answer), Ok(expected)) => (answer, expected),
            (answer, expected) => {
                assert_same(&answer.map(drop), &expected.map(drop), &about);
                return (Vec::new(), None);
            }
        };
        assert_eq!(ids(&answer), ids(&expected), "{about:?}");
        assert_eq!(answer.is_empty(), ids(&answer).is_empty(), "{about:?}");
        assert!(answer.images().eq(expected.images()), "{about:?}");
        assert_eq!(answer.next, expected.next, "{about:?}");
        let mismatches = answer.work.hash_mismatches as usize;
        assert!(
            answer.work.records_read as usize <= query.limit + 1 + mismatches,
            "a page of {} read {} records, {mismatches} of them by mistake",
            query.limit,
            answer.work.records_read
        );
        if !self.subject.terms_collide() {
            self.compare_counts(account, query).await;
        }
        (uploads(&answer), answer.next)
    }

    async fn compare_counts(&self, account: &AccountId, query: &PageQuery) {
        let _ = self.agree(async |catalog| catalog.count(account, query.filters.clone()).await).await;
        let offset = self.chance.below(20) as u64;
        let numbered = async |catalog: &dyn Catalog| {
            let (page, total) = catalog.numbered_page(account, query.clone(), offset).await?;
            Ok((uploads(&page), page.next, total))
        };
        let _ = self.agree(numbered).await;
    }

    /// Compares what single things are now.
    pub(super) async fn compare_something(&self) {
        let account = self.account();
        match self.chance.below(6) {
            0 => self.compare_accounts().await,
            1 => self.compare_tokens().await,
            2 => self.compare_settings(&account).await,
            3 => self.compare_garbage().await,
            4 if !self.originals.is_empty() => {
                let key = &self.originals[self.chance.below(self.originals.len())];
                self.compare_original(key).await;
            }
            _ => self.compare_entry(&account, &image_id(&choose::id(&self.chance))).await,
        }
    }

    /// Compares everything that can be asked.
    pub(super) async fn compare_everything(&self) {
        assert!(self.subject.catalog().secrets() == self.oracle.secrets(), "the secrets changed");
        self.compare_accounts().await;
        self.compare_tokens().await;
        self.compare_garbage().await;
        for key in &self.originals {
            self.compare_original(key).await;
        }
        for name in ACCOUNTS {
            self.compare_account(&sample::account(name).id).await;
        }
    }

    async fn compare_account(&self, account: &AccountId) {
        self.compare_settings(account).await;
        for index in 0..choose::IMAGES {
            self.compare_entry(account, &image_id(&format!("i{index}"))).await;
        }
        for filters in
            std::iter::once(Filters::default()).chain((0..20).map(|_| choose::filters(&self.chance)))
        {
            for sort_order in [SortOrder::Ascending, SortOrder::Descending] {
                let filters = filters.clone();
                let query = PageQuery { filters, sort_order, after: None, limit: 1000 };
                self.compare_page(account, &query).await;
            }
        }
    }

    async fn compare_accounts(&self) {
        let _ = self.agree(async |catalog| catalog.accounts().await).await;
        for account in ACCOUNTS.map(sample::account) {
            let _ = self.agree(async |catalog| catalog.account(&account.id).await).await;
            let _ = self.agree(async |catalog| catalog.account_by_hash(&account.hash).await).await;
        }
    }

    async fn compare_settings(&self, account: &AccountId) {
        let _ = self.agree(async |catalog| catalog.account_settings(account).await).await;
    }

    async fn compare_tokens(&self) {
        let all = async |catalog: &dyn Catalog| {
            let mut tokens = catalog.api_tokens().await?;
            tokens.sort_by_key(|token| token.secret_hash);
            Ok(tokens)
        };
        let _ = self.agree(all).await;
        for index in 0..choose::SECRETS {
            let hash = self.oracle.secrets().api_token_hash(&choose::secret(index));
            let _ = self.agree(async |catalog| catalog.api_token(&hash).await).await;
        }
    }

    async fn compare_entry(&self, account: &AccountId, id: &ImageId) {
        let _ = self.agree(async |catalog| catalog.entry(account, id).await).await;
        let _ = self.agree(async |catalog| catalog.image(account, id).await).await;
        let _ = self.agree(async |catalog| catalog.draft(account, id).await).await;
    }

    async fn compare_original(&self, key: &OriginalKey) {
        let _ = self.agree(async |catalog| catalog.knows_original(key).await).await;
    }

    async fn compare_garbage(&self) {
        let all = async |catalog: &dyn Catalog| {
            Ok(catalog.garbage(10_000).await?.into_iter().collect::<BTreeSet<_>>())
        };
        let _ = self.agree(all).await;
        let count = self.chance.below(4);
        let _ = self.agree(async |catalog| Ok(catalog.garbage(count).await?.len())).await;
    }

    /// Returns the uploads that pass, by the oracle.
    pub(super) async fn matching(&self, account: &AccountId, filters: &Filters) -> BTreeSet<String> {
        let filters = filters.clone();
        let query = PageQuery { filters, sort_order: SortOrder::Ascending, after: None, limit: 1000 };
        match self.oracle.inner.page(account, query).await {
            Ok(page) => uploads(&page).into_iter().collect(),
            Err(CatalogError::UnknownAccount) => BTreeSet::new(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Expects the same answer, or the same refusal.
#[track_caller]
pub(super) fn assert_same<T: PartialEq + Debug>(
    answer: &Result<T, CatalogError>,
    expected: &Result<T, CatalogError>,
    about: &dyn Debug,
) {
    let is_same = match (answer, expected) {
        (Ok(answer), Ok(expected)) => answer == expected,
        (Err(answer), Err(expected)) => format!("{answer:?}") == format!("{expected:?}"),
        _ => false,
    };
    assert!(is_same, "{about:?} is answered {answer:?}, not {expected:?}");
}

/// Returns what tells the uploads of a page apart: an id may be deleted and uploaded anew, a file name is used once.
fn uploads(page: &Page) -> Vec<String> {
    page.images().map(|image| image.filename.expect("every sample has a file name").to_owned()).collect()
}
