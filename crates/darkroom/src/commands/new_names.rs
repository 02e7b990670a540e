//! Names and secrets that nobody chose.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use darkroom_model::{AccountHash, AccountId, Ids};

/// Returns the id of a new account, in the form of Cloudflare's.
pub(super) fn account_id(ids: &dyn Ids) -> AccountId {
    let hex: String = ids.random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    AccountId::parse(&hex).expect("32 hexadecimal digits are an account id")
}

/// Returns the hash of a new account, in the form of Cloudflare's.
pub(super) fn account_hash(ids: &dyn Ids) -> AccountHash {
    let text = BASE64_URL_SAFE_NO_PAD.encode(ids.random::<16>());
    AccountHash::parse(&text).expect("22 characters of base64url are an account hash")
}

/// Returns the secret of a new token.
pub(super) fn token_secret(ids: &dyn Ids) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(ids.random::<32>())
}
