//! The catalog as plain maps: what every other engine must agree with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, Clock, Draft, Edit,
    Entry, Filters, Ids, Image, ImageId, NewImage, Original, OriginalKey, Secrets, Sequence, SortOrder,
    Timestamp,
};

use crate::{Catalog, CatalogError, Page, PageQuery, record};

/// A catalog that lives as long as the process. It applies the model's own `matches` to every image in turn.
pub struct MemoryCatalog {
    secrets: Secrets,
    clock: Arc<dyn Clock>,
    first: Sequence,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountId, AccountState>,
    api_tokens: HashMap<[u8; 32], ApiToken>,
    garbage: BTreeSet<OriginalKey>,
    closed: bool,
}

struct AccountState {
    account: Account,
    next: Sequence,
    last_uploaded: Timestamp,
    images: BTreeMap<Sequence, Image>,
    ids: HashMap<ImageId, Sequence>,
    drafts: BTreeMap<ImageId, Draft>,
    settings: Arc<AccountSettings>,
}

impl MemoryCatalog {
    /// Makes an empty catalog.
    pub fn new(clock: Arc<dyn Clock>, ids: &dyn Ids) -> MemoryCatalog {
        MemoryCatalog {
            secrets: Secrets::generate(ids),
            clock,
            first: Sequence::FIRST,
            state: Mutex::default(),
        }
    }

    /// Lets the first image of every account have this number; for histories at the border of a chunk.
    pub(crate) fn starting_at(self, first: Sequence) -> MemoryCatalog {
        MemoryCatalog { first, ..self }
    }

    /// Lets it have the keys of another catalog, which accounts' first signing keys are made of.
    pub(crate) fn with_secrets(self, secrets: Secrets) -> MemoryCatalog {
        MemoryCatalog { secrets, ..self }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, CatalogError> {
        let state = self.state.lock().expect("no method panics while it holds the state");
        if state.closed { Err(CatalogError::Unavailable) } else { Ok(state) }
    }
}

impl State {
    fn account(&mut self, id: &AccountId) -> Result<&mut AccountState, CatalogError> {
        self.accounts.get_mut(id).ok_or(CatalogError::UnknownAccount)
    }
}

impl AccountState {
    fn image(&mut self, id: &ImageId) -> Option<&mut Image> {
        self.images.get_mut(self.ids.get(id)?)
    }

    fn open_draft(&mut self, id: &ImageId, now: Timestamp) -> Option<&mut Draft> {
        self.drafts.get_mut(id).filter(|draft| draft.is_open_at(now))
    }

    /// Frees an id from a draft that has expired, or says that it is taken.
    fn claim(&mut self, id: &ImageId, now: Timestamp) -> Result<(), CatalogError> {
        if self.ids.contains_key(id) || self.open_draft(id, now).is_some() {
            return Err(CatalogError::Exists);
        }
        self.drafts.remove(id);
        Ok(())
    }

    fn push(&mut self, image: NewImage, now: Timestamp) -> Image {
        let uploaded = now.max(self.last_uploaded);
        let image = image.uploaded_at(uploaded);
        self.last_uploaded = uploaded;
        self.ids.insert(image.id.clone(), self.next);
        self.images.insert(self.next, image.clone());
        self.next.0 += 1;
        image
    }
}

impl AccountState {
    /// Returns the images that pass, in order.
    fn matches<'a>(
        &'a self,
        filters: &'a Filters,
        sort_order: SortOrder,
    ) -> impl Iterator<Item = (&'a Sequence, &'a Image)> {
        let images: Box<dyn Iterator<Item = (&Sequence, &Image)>> = match sort_order {
            SortOrder::Ascending => Box::new(self.images.iter()),
            SortOrder::Descending => Box::new(self.images.iter().rev()),
        };
        images.filter(|(_, image)| filters.matches(image.creator.as_ref(), image.metadata.as_ref()))
    }
}

/// Makes a page of the first matches; one more says that there is another page.
fn fill<'a>(matches: &mut impl Iterator<Item = (&'a Sequence, &'a Image)>, limit: usize) -> Page {
    let mut page = Page::default();
    let mut last = None;
    for (sequence, image) in matches.by_ref().take(limit) {
        page.push(&record::write(image));
        last = Some(*sequence);
    }
    page.next = matches.next().and(last);
    page
}

#[async_trait]
impl Catalog for MemoryCatalog {
    fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    async fn create_account(&self, account: Account) -> Result<(), CatalogError> {
        let mut state = self.state()?;
        if state
            .accounts
            .values()
            .any(|other| other.account.id == account.id || other.account.hash == account.hash)
        {
            return Err(CatalogError::Exists);
        }
        let new = AccountState {
            account: account.clone(),
            next: self.first,
            last_uploaded: Timestamp::default(),
            images: BTreeMap::new(),
            ids: HashMap::new(),
            drafts: BTreeMap::new(),
            settings: Arc::new(AccountSettings::initial(&self.secrets, &account.id)),
        };
        state.accounts.insert(account.id, new);
        Ok(())
    }

    async fn accounts(&self) -> Result<Vec<Account>, CatalogError> {
        Ok(self.state()?.accounts.values().map(|state| state.account.clone()).collect())
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, CatalogError> {
        Ok(self.state()?.accounts.get(id).map(|state| state.account.clone()))
    }

    async fn account_by_hash(&self, hash: &AccountHash) -> Result<Option<Account>, CatalogError> {
        let state = self.state()?;
        Ok(state.accounts.values().map(|state| &state.account).find(|account| account.hash == *hash).cloned())
    }

    async fn account_settings(&self, account: &AccountId) -> Result<Arc<AccountSettings>, CatalogError> {
        Ok(Arc::clone(&self.state()?.account(account)?.settings))
    }

    async fn change_account_settings(
        &self,
        account: &AccountId,
        change: AccountSettingsChange,
    ) -> Result<Arc<AccountSettings>, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let mut settings = (*account.settings).clone();
        settings.apply(change).map_err(CatalogError::Settings)?;
        account.settings = Arc::new(settings);
        Ok(Arc::clone(&account.settings))
    }

    async fn put_api_token(&self, token: ApiToken) -> Result<(), CatalogError> {
        self.state()?.api_tokens.insert(token.secret_hash, token);
        Ok(())
    }

    async fn api_tokens(&self) -> Result<Vec<ApiToken>, CatalogError> {
        Ok(self.state()?.api_tokens.values().cloned().collect())
    }

    async fn delete_api_token(&self, secret_hash: &[u8; 32]) -> Result<bool, CatalogError> {
        Ok(self.state()?.api_tokens.remove(secret_hash).is_some())
    }

    async fn api_token(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>, CatalogError> {
        Ok(self.state()?.api_tokens.get(secret_hash).cloned())
    }

    async fn insert(&self, account: &AccountId, image: NewImage) -> Result<Image, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let now = self.clock.now();
        account.claim(&image.id, now)?;
        Ok(account.push(image, now))
    }

    async fn insert_draft(&self, account: &AccountId, draft: Draft) -> Result<(), CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        account.claim(&draft.id, self.clock.now())?;
        account.drafts.insert(draft.id.clone(), draft);
        Ok(())
    }

    async fn draft(&self, account: &AccountId, id: &ImageId) -> Result<Option<Draft>, CatalogError> {
        Ok(self.state()?.account(account)?.drafts.get(id).cloned())
    }

    async fn complete_draft(
        &self,
        account: &AccountId,
        id: &ImageId,
        filename: Option<String>,
        original: Original,
    ) -> Result<Image, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        if account.ids.contains_key(id) {
            return Err(CatalogError::Exists);
        }
        let now = self.clock.now();
        let draft = account.drafts.get(id).ok_or(CatalogError::NotFound)?;
        if !draft.is_open_at(now) {
            return Err(CatalogError::Expired);
        }
        let image = draft.clone().completed(filename, original);
        account.drafts.remove(id);
        Ok(account.push(image, now))
    }

    async fn remove_expired(
        &self,
        drafts_before: Timestamp,
        tokens_before: Timestamp,
        max: usize,
    ) -> Result<usize, CatalogError> {
        let mut state = self.state()?;
        let mut removed = 0;
        let mut may_go = |is_expired: bool| {
            let goes = is_expired && removed < max;
            removed += usize::from(goes);
            goes
        };
        for account in state.accounts.values_mut() {
            account.drafts.retain(|_, draft| !may_go(draft.expires_at < drafts_before));
        }
        state.api_tokens.retain(|_, token| !may_go(token.expires_at.is_some_and(|at| at < tokens_before)));
        Ok(removed)
    }

    async fn entry(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        if let Some(image) = account.image(id) {
            return Ok(Some(Entry::Image(image.clone())));
        }
        Ok(account.open_draft(id, self.clock.now()).cloned().map(Entry::Draft))
    }

    async fn image(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError> {
        Ok(self.state()?.account(account)?.image(id).cloned())
    }

    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Option<Entry>, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        if let Some(image) = account.image(id) {
            edit.apply(image);
            return Ok(Some(Entry::Image(image.clone())));
        }
        let Some(draft) = account.open_draft(id, self.clock.now()) else { return Ok(None) };
        draft.edit(edit);
        Ok(Some(Entry::Draft(draft.clone())))
    }

    async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<Option<Entry>, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let Some(sequence) = account.ids.remove(id) else {
            let draft = account.open_draft(id, self.clock.now()).cloned();
            draft.iter().for_each(|draft| drop(account.drafts.remove(&draft.id)));
            return Ok(draft.map(Entry::Draft));
        };
        let image = account.images.remove(&sequence).expect("every id leads to an image");
        state.garbage.insert(image.original.key.clone());
        Ok(Some(Entry::Image(image)))
    }

    async fn page(&self, account: &AccountId, query: PageQuery) -> Result<Page, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let after_cursor = |sequence: &Sequence| match (query.after, query.sort_order) {
            (None, _) => true,
            (Some(after), SortOrder::Ascending) => *sequence > after,
            (Some(after), SortOrder::Descending) => *sequence < after,
        };
        let matches = account.matches(&query.filters, query.sort_order);
        let mut matches = matches.filter(|(sequence, _)| after_cursor(sequence));
        Ok(fill(&mut matches, query.limit))
    }

    async fn count(&self, account: &AccountId, filters: Filters) -> Result<u64, CatalogError> {
        let mut state = self.state()?;
        Ok(state.account(account)?.matches(&filters, SortOrder::Ascending).count() as u64)
    }

    async fn numbered_page(
        &self,
        account: &AccountId,
        query: PageQuery,
        offset: u64,
    ) -> Result<(Page, u64), CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let total = account.matches(&query.filters, query.sort_order).count() as u64;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut matches = account.matches(&query.filters, query.sort_order).skip(offset);
        Ok((fill(&mut matches, query.limit), total))
    }

    async fn knows_original(&self, key: &OriginalKey) -> Result<bool, CatalogError> {
        let state = self.state()?;
        let Some(account) = state.accounts.get(&key.account) else { return Ok(false) };
        Ok(account.images.values().any(|image| image.original.key == *key))
    }

    async fn garbage(&self, max: usize) -> Result<Vec<OriginalKey>, CatalogError> {
        Ok(self.state()?.garbage.iter().take(max).cloned().collect())
    }

    async fn forget_garbage(&self, keys: Vec<OriginalKey>) -> Result<(), CatalogError> {
        let mut state = self.state()?;
        for key in keys {
            state.garbage.remove(&key);
        }
        Ok(())
    }

    fn metrics(&self) -> Vec<(&'static str, u64)> {
        let state = self.state.lock().expect("no method panics while it holds the state");
        let images = state.accounts.values().map(|account| account.images.len() as u64).sum();
        vec![("images", images), ("accounts", state.accounts.len() as u64)]
    }

    fn is_ready(&self) -> bool {
        self.state().is_ok()
    }

    async fn close(&self) {
        self.state.lock().expect("no method panics while it holds the state").closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::cases;
    use crate::suite::sample::{Chance, ManualClock};

    fn catalog(clock: &Arc<ManualClock>) -> MemoryCatalog {
        MemoryCatalog::new(clock.clone(), &Chance::new(0))
    }

    macro_rules! suite {
        ($($case:ident),*) => {
            $(
                #[tokio::test]
                async fn $case() {
                    cases::$case(&catalog(&Arc::default())).await;
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
    async fn time_counts() {
        for run in 0..3 {
            let clock = Arc::default();
            let catalog = catalog(&clock);
            match run {
                0 => cases::uploaded_never_goes_back(&catalog, &clock).await,
                1 => cases::a_draft_becomes_one_image(&catalog, &clock).await,
                _ => cases::an_expired_draft_holds_nothing(&catalog, &clock).await,
            }
        }
    }
}
