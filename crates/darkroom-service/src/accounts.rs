//! Who may ask: accounts and API tokens.

use std::sync::Arc;
use std::time::Duration;

use darkroom_model::{
    Account, AccountHash, AccountId, AccountSettings, AccountSettingsChange, ApiToken, ApiTokenKind, Grant,
    Scope, SigningKeyValue, Timestamp, VariantName,
};

use crate::{Service, ServiceError};

impl Service {
    /// Adds an account; [`ServiceError::Exists`] if its id or its hash is taken.
    pub async fn create_account(&self, account: Account) -> Result<(), ServiceError> {
        Ok(self.stores.catalog.create_account(account).await?)
    }

    /// Returns every account, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>, ServiceError> {
        Ok(self.stores.catalog.accounts().await?)
    }

    /// Returns the account with this id.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, ServiceError> {
        Ok(self.stores.catalog.account(id).await?)
    }

    /// Returns the account with this hash.
    pub async fn account_by_hash(&self, hash: &AccountHash) -> Result<Option<Account>, ServiceError> {
        Ok(self.stores.catalog.account_by_hash(hash).await?)
    }

    /// Adds a token, of which only a keyed hash is stored; one with the same secret keeps its id and gets these
    /// grants. [`ServiceError::UnknownAccount`] if a grant names an account that does not exist.
    pub async fn create_api_token(&self, secret: &str, grants: Vec<Grant>) -> Result<ApiToken, ServiceError> {
        for grant in &grants {
            self.account(&grant.account).await?.ok_or(ServiceError::UnknownAccount)?;
        }
        let id = match self.find_api_token(secret).await? {
            Some(known) => known.id,
            None => {
                let random: [u8; 16] = self.stores.ids.random();
                random.iter().map(|byte| format!("{byte:02x}")).collect()
            }
        };
        let secret_hash = self.secrets().api_token_hash(secret);
        let token = ApiToken { id, secret_hash, grants, kind: ApiTokenKind::Api, expires_at: None };
        self.stores.catalog.put_api_token(token.clone()).await?;
        Ok(token)
    }

    /// Makes a token for the paths of the batch host, which lasts an hour, and returns its secret and its end
    /// (reference: api §15). Its scope should be that of who asks: a token may not make one that may do more.
    pub async fn create_batch_token(
        &self,
        account: &AccountId,
        scope: Scope,
    ) -> Result<(String, Timestamp), ServiceError> {
        let random: [u8; 32] = self.stores.ids.random();
        let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let expires_at = Timestamp(self.stores.clock.now().0 + BATCH_TOKEN_LIFE.as_millis() as u64);
        let id: [u8; 16] = self.stores.ids.random();
        let token = ApiToken {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            secret_hash: self.secrets().api_token_hash(&secret),
            grants: vec![Grant { account: account.clone(), scope }],
            kind: ApiTokenKind::Batch,
            expires_at: Some(expires_at),
        };
        self.account(account).await?.ok_or(ServiceError::UnknownAccount)?;
        self.stores.catalog.put_api_token(token).await?;
        Ok((secret, expires_at))
    }

    /// Returns the token with this secret, if it has not expired. Its keyed hash is looked up, so that the time tells
    /// nothing of it.
    pub async fn find_api_token(&self, secret: &str) -> Result<Option<ApiToken>, ServiceError> {
        let secret_hash = self.secrets().api_token_hash(secret);
        let token = self.stores.catalog.api_token(&secret_hash).await?;
        Ok(token.filter(|token| token.is_valid_at(self.stores.clock.now())))
    }

    /// Returns every token, in no order; those that have expired too.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, ServiceError> {
        Ok(self.stores.catalog.api_tokens().await?)
    }

    /// Removes the token with this id: the next request that shows it is refused. Says whether there was one.
    pub async fn revoke_api_token(&self, id: &str) -> Result<bool, ServiceError> {
        let tokens = self.stores.catalog.api_tokens().await?;
        let Some(token) = tokens.iter().find(|token| token.id == id) else { return Ok(false) };
        Ok(self.stores.catalog.delete_api_token(&token.secret_hash).await?)
    }

    /// Returns what an account decides about itself: configuration, variants, signing keys.
    pub async fn account_settings(&self, account: &AccountId) -> Result<Arc<AccountSettings>, ServiceError> {
        Ok(self.stores.catalog.account_settings(account).await?)
    }

    /// Changes what an account decides about itself, and returns what it is now; [`ServiceError::Settings`] says why
    /// it cannot be changed in this way.
    pub async fn change_account_settings(
        &self,
        account: &AccountId,
        change: AccountSettingsChange,
    ) -> Result<Arc<AccountSettings>, ServiceError> {
        Ok(self.stores.catalog.change_account_settings(account, change).await?)
    }

    /// Returns a value for a new signing key.
    pub fn new_signing_key(&self) -> SigningKeyValue {
        SigningKeyValue::from_random(self.stores.ids.random())
    }

    /// Returns the names of an account's variants, bytewise.
    pub async fn variants(&self, account: &AccountId) -> Result<Vec<VariantName>, ServiceError> {
        let settings = self.account_settings(account).await?;
        Ok(settings.variants().map(|variant| variant.name.clone()).collect())
    }
}

/// How long a token for the batch host lasts.
const BATCH_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);
