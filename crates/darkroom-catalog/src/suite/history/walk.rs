//! Walks that stay open across writes and restarts.

use std::collections::BTreeSet;

use darkroom_model::AccountId;

use super::{History, Subject, choose};
use crate::PageQuery;

/// Walks at the same time.
pub(super) const WALKS_MAX: usize = 4;

/// What one account's walk has seen.
pub(super) struct OpenWalk {
    account: AccountId,
    query: PageQuery,
    seen: BTreeSet<String>,
    /// The uploads that matched when the walk began, and at every look since.
    throughout: BTreeSet<String>,
}

impl<S: Subject> History<'_, S> {
    pub(super) async fn begin_a_walk(&mut self) {
        if self.walks.len() < WALKS_MAX {
            let (account, query) = (self.account(), choose::query(&self.chance));
            let throughout = self.matching(&account, &query.filters).await;
            self.walks.push(OpenWalk { account, query, seen: BTreeSet::new(), throughout });
        }
    }

    pub(super) async fn go_on_with_a_walk(&mut self) {
        let index = self.chance.below(self.walks.len());
        let (account, mut query) = (self.walks[index].account.clone(), self.walks[index].query.clone());
        query.limit = 1 + self.chance.below(9);
        let (page, next) = self.compare_page(&account, &query).await;
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
    pub(super) async fn look_at_walks(&mut self) {
        let mut walks = std::mem::take(&mut self.walks);
        for walk in &mut walks {
            let matching = self.matching(&walk.account, &walk.query.filters).await;
            walk.throughout.retain(|upload| matching.contains(upload));
        }
        self.walks = walks;
    }
}
