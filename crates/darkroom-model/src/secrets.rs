//! The keys of one catalog, made when it is made and kept in it, so that every restart agrees.

use std::fmt;

use crate::{AccountId, Ids, ImageId};

/// The secret keys of a catalog. None of them ever rotates: what they hash is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Keys the hash under which an image id is looked up.
    pub id_key: [u8; 32],
    /// Keys the hash under which the postings of a term are looked up.
    pub term_key: [u8; 32],
    /// Keys the hash under which an API token is looked up.
    pub api_token_key: [u8; 32],
    /// Keys the seal of continuation tokens.
    pub continuation_token_key: [u8; 32],
}

impl Secrets {
    /// Makes new keys.
    pub fn generate(ids: &dyn Ids) -> Secrets {
        Secrets {
            id_key: ids.random(),
            term_key: ids.random(),
            api_token_key: ids.random(),
            continuation_token_key: ids.random(),
        }
    }

    /// Returns the hash under which an image id is looked up, and which names its originals.
    pub fn id_hash(&self, id: &ImageId) -> [u8; 16] {
        first_half(blake3::keyed_hash(&self.id_key, id.as_str().as_bytes()))
    }

    /// Returns the random part of the signing key that an account begins with: nobody can tell it without the secrets.
    pub fn initial_signing_key(&self, account: &AccountId) -> [u8; 24] {
        let key = blake3::derive_key("darkroom initial signing key v1", &self.api_token_key);
        let mut value = [0; 24];
        let hash = blake3::keyed_hash(&key, account.as_str().as_bytes());
        value.copy_from_slice(&hash.as_bytes()[..24]);
        value
    }

    /// Returns the hash under which an API token is looked up.
    pub fn api_token_hash(&self, secret: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.api_token_key, secret.as_bytes()).as_bytes()
    }
}

fn first_half(hash: blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}
