//! Where the original of an image lies.

use std::fmt;

use crate::AccountId;

/// The place of one uploaded file: new and random for every upload, so that a late removal can never hit a newer
/// upload of the same id. It carries the account and the id's hash, so that a sweep can ask whether a row knows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginalKey {
    /// Whose it is.
    pub account: AccountId,
    /// `Secrets::id_hash` of the image's id.
    pub id_hash: [u8; 16],
    /// What makes it new.
    pub random: [u8; 16],
}

impl OriginalKey {
    /// Returns the path below the root of the originals: `account/xx/idhash-random`, `xx` the hash's first byte.
    pub fn to_path(&self) -> String {
        format!("{}/{:02x}/{}-{}", self.account, self.id_hash[0], hex(&self.id_hash), hex(&self.random))
    }

    /// Reads what [`OriginalKey::to_path`] wrote; `None` for any other text.
    pub fn from_path(path: &str) -> Option<OriginalKey> {
        let mut parts = path.split('/');
        let (account, shard, name) = (parts.next()?, parts.next()?, parts.next()?);
        let (id_hash, random) = name.split_once('-')?;
        let key = OriginalKey {
            account: AccountId::parse(account).ok()?,
            id_hash: unhex(id_hash)?,
            random: unhex(random)?,
        };
        (parts.next().is_none() && shard == format!("{:02x}", key.id_hash[0])).then_some(key)
    }
}

impl fmt::Debug for OriginalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_path())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(lower) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_back_and_nothing_else_is() {
        let key = OriginalKey {
            account: AccountId::parse("acc").unwrap(),
            id_hash: [0xab; 16],
            random: [0x01; 16],
        };
        let path = key.to_path();
        assert_eq!(path, format!("acc/ab/{}-{}", "ab".repeat(16), "01".repeat(16)));
        assert_eq!(OriginalKey::from_path(&path), Some(key));
        for other in [
            "",
            "acc",
            "acc/ab",
            "acc/ab/x-y",
            "../ab/x",
            &path.replace("/ab/", "/ac/"),
            &path.to_uppercase(),
            &format!("{path}/x"),
            &format!("{path}0"),
        ] {
            assert_eq!(OriginalKey::from_path(other), None, "{other:?}");
        }
    }
}
