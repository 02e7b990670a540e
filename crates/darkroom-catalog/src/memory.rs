//! The catalog as plain maps: what every other engine must agree with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use darkroom_model::{
    Account, AccountHash, AccountId, ApiToken, Clock, Edit, Ids, Image, ImageId, NewImage, OriginalKey,
    Secrets, Sequence, SortOrder, Timestamp,
};

use crate::{Catalog, CatalogError, Page, PageQuery, record};

/// A catalog that lives as long as the process. It applies the model's own `matches` to every image in turn.
pub struct MemoryCatalog {
    secrets: Secrets,
    clock: Arc<dyn Clock>,
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
}

impl MemoryCatalog {
    /// Makes an empty catalog.
    pub fn new(clock: Arc<dyn Clock>, ids: &dyn Ids) -> MemoryCatalog {
        MemoryCatalog { secrets: Secrets::generate(ids), clock, state: Mutex::default() }
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
            next: Sequence::FIRST,
            last_uploaded: Timestamp::default(),
            images: BTreeMap::new(),
            ids: HashMap::new(),
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

    async fn put_api_token(&self, token: ApiToken) -> Result<(), CatalogError> {
        self.state()?.api_tokens.insert(token.secret_hash, token);
        Ok(())
    }

    async fn api_token(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>, CatalogError> {
        Ok(self.state()?.api_tokens.get(secret_hash).cloned())
    }

    async fn insert(&self, account: &AccountId, image: NewImage) -> Result<Image, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        if account.ids.contains_key(&image.id) {
            return Err(CatalogError::Exists);
        }
        let uploaded = self.clock.now().max(account.last_uploaded);
        let image = image.uploaded_at(uploaded);
        account.last_uploaded = uploaded;
        account.ids.insert(image.id.clone(), account.next);
        account.images.insert(account.next, image.clone());
        account.next.0 += 1;
        Ok(image)
    }

    async fn image(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError> {
        Ok(self.state()?.account(account)?.image(id).cloned())
    }

    async fn edit(
        &self,
        account: &AccountId,
        id: &ImageId,
        edit: Edit,
    ) -> Result<Option<Image>, CatalogError> {
        let mut state = self.state()?;
        let Some(image) = state.account(account)?.image(id) else { return Ok(None) };
        edit.apply(image);
        Ok(Some(image.clone()))
    }

    async fn delete(&self, account: &AccountId, id: &ImageId) -> Result<Option<Image>, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let Some(sequence) = account.ids.remove(id) else { return Ok(None) };
        let image = account.images.remove(&sequence).expect("every id leads to an image");
        state.garbage.insert(image.original.key.clone());
        Ok(Some(image))
    }

    async fn page(&self, account: &AccountId, query: PageQuery) -> Result<Page, CatalogError> {
        let mut state = self.state()?;
        let account = state.account(account)?;
        let images: Box<dyn Iterator<Item = (&Sequence, &Image)>> = match query.sort_order {
            SortOrder::Ascending => Box::new(account.images.iter()),
            SortOrder::Descending => Box::new(account.images.iter().rev()),
        };
        let after_cursor = |sequence: &Sequence| match (query.after, query.sort_order) {
            (None, _) => true,
            (Some(after), SortOrder::Ascending) => *sequence > after,
            (Some(after), SortOrder::Descending) => *sequence < after,
        };
        let mut matches = images
            .filter(|(sequence, _)| after_cursor(sequence))
            .filter(|(_, image)| query.filters.matches(image.creator.as_ref(), image.metadata.as_ref()));
        let mut page = Page::default();
        let mut last = None;
        for (sequence, image) in matches.by_ref().take(query.limit) {
            page.push(&record::write(image));
            last = Some(*sequence);
        }
        page.next = matches.next().and(last);
        Ok(page)
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

    async fn close(&self) {
        self.state.lock().expect("no method panics while it holds the state").closed = true;
    }
}
