//! What an account decides about itself: its configuration, its variants, its signing keys (reference: api §10 to §12).

use std::collections::BTreeMap;
use std::fmt;

use crate::variant::{Variant, VariantEdit};
use crate::{AccountId, Secrets, VariantName};

/// The settings of an account. A value of this type can be stored and answered as it is: `public` is among the
/// variants, and there is a key.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountSettings {
    /// Configuration of delivery.
    pub config: AccountConfig,
    variants: BTreeMap<VariantName, Variant>,
    signing_keys: BTreeMap<SigningKeyName, SigningKeyValue>,
}

/// How an account's images are delivered (reference: api §12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountConfig {
    /// Whether URLs may name options instead of a variant.
    pub flexible_variants: bool,
    /// How long browsers keep what was delivered, in seconds.
    pub browser_ttl: u32,
    /// Whether content credentials are kept where metadata is.
    pub preserve_content_credentials: bool,
}

impl AccountConfig {
    /// The seconds that a browser may be told to keep an image: an hour to a year.
    pub const BROWSER_TTL: std::ops::RangeInclusive<u32> = 3_600..=31_536_000;
}

impl Default for AccountConfig {
    fn default() -> AccountConfig {
        AccountConfig { flexible_variants: false, browser_ttl: 172_800, preserve_content_credentials: false }
    }
}

/// A change of an account's configuration; what is `None` stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountConfigEdit {
    /// See [`AccountConfig::flexible_variants`].
    pub flexible_variants: Option<bool>,
    /// See [`AccountConfig::browser_ttl`].
    pub browser_ttl: Option<u32>,
    /// See [`AccountConfig::preserve_content_credentials`].
    pub preserve_content_credentials: Option<bool>,
}

/// The name of a signing key: 1 to 20 letters, digits, `_` or `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SigningKeyName(Box<str>);

impl SigningKeyName {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 20;

    /// The key that every account begins with.
    pub fn default_key() -> SigningKeyName {
        SigningKeyName("default".into())
    }

    /// Reads a name; `None` if it is none.
    pub fn parse(text: &str) -> Option<SigningKeyName> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=SigningKeyName::CHARS_MAX).contains(&text.len()) && text.bytes().all(legal))
            .then(|| SigningKeyName(text.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of a signing key: a text that is used as it is, although it looks like base64. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyValue(Box<str>);

impl SigningKeyValue {
    /// Makes a value from random bytes.
    pub fn from_random(random: [u8; 24]) -> SigningKeyValue {
        SigningKeyValue(base64_of_24(random).into())
    }

    /// Takes a stored value.
    pub fn from_stored(text: &str) -> SigningKeyValue {
        SigningKeyValue(text.into())
    }

    /// Returns the value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeyValue(..)")
    }
}

/// 24 bytes are 32 characters of base64 and need no padding.
fn base64_of_24(bytes: [u8; 24]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8; 3]| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
    };
    bytes.as_chunks::<3>().0.iter().flat_map(group).collect()
}

/// One change of an account's settings.
#[derive(Clone, PartialEq, Debug)]
pub enum AccountSettingsChange {
    /// Changes the configuration.
    EditConfig(AccountConfigEdit),
    /// Adds a variant, if the account has fewer than so many.
    CreateVariant(Variant, usize),
    /// Changes a variant.
    EditVariant(VariantName, VariantEdit),
    /// Removes a variant.
    DeleteVariant(VariantName),
    /// Adds a signing key; one of that name that is there stays as it is, since clients repeat this call.
    CreateSigningKey(SigningKeyName, SigningKeyValue),
    /// Removes a signing key; in the place of the last one comes a new `default` of this value.
    DeleteSigningKey(SigningKeyName, SigningKeyValue),
}

/// Why settings were not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountSettingsError {
    /// The variant exists.
    #[error("already exists")]
    Exists,
    /// There is no such variant or key.
    #[error("not found")]
    NotFound,
    /// The account has as many as it may have; how many.
    #[error("maximum {0} allowed")]
    TooMany(usize),
    /// `public` cannot be removed.
    #[error("the variant 'public' cannot be deleted")]
    PublicVariant,
}

impl AccountSettings {
    /// Most signing keys of an account (reference: api §11).
    pub const SIGNING_KEYS_MAX: usize = 10;

    /// Returns what an account begins with. Its key is made of the catalog's secrets, so that it need not be stored
    /// before somebody changes something.
    pub fn initial(secrets: &Secrets, account: &AccountId) -> AccountSettings {
        let public = Variant::public();
        let key = SigningKeyValue::from_random(secrets.initial_signing_key(account));
        AccountSettings {
            config: AccountConfig::default(),
            variants: BTreeMap::from([(public.name.clone(), public)]),
            signing_keys: BTreeMap::from([(SigningKeyName::default_key(), key)]),
        }
    }

    /// Puts stored settings together; `None` if they are none.
    pub fn from_stored(
        config: AccountConfig,
        variants: Vec<Variant>,
        signing_keys: Vec<(SigningKeyName, SigningKeyValue)>,
    ) -> Option<AccountSettings> {
        let variants = variants.into_iter().map(|variant| (variant.name.clone(), variant)).collect();
        let settings = AccountSettings { config, variants, signing_keys: signing_keys.into_iter().collect() };
        let is_whole =
            settings.variant(&VariantName::public()).is_some() && !settings.signing_keys.is_empty();
        is_whole.then_some(settings)
    }

    /// Returns the variants by name.
    pub fn variants(&self) -> impl ExactSizeIterator<Item = &Variant> {
        self.variants.values()
    }

    /// Returns the variant of this name.
    pub fn variant(&self, name: &VariantName) -> Option<&Variant> {
        self.variants.get(name)
    }

    /// Returns the signing keys by name.
    pub fn signing_keys(&self) -> impl ExactSizeIterator<Item = (&SigningKeyName, &SigningKeyValue)> {
        self.signing_keys.iter()
    }

    /// Makes a change, or says why it cannot be made; then nothing is changed.
    pub fn apply(&mut self, change: AccountSettingsChange) -> Result<(), AccountSettingsError> {
        use AccountSettingsError as E;
        match change {
            AccountSettingsChange::EditConfig(edit) => {
                let config = &mut self.config;
                config.flexible_variants = edit.flexible_variants.unwrap_or(config.flexible_variants);
                config.browser_ttl = edit.browser_ttl.unwrap_or(config.browser_ttl);
                config.preserve_content_credentials =
                    edit.preserve_content_credentials.unwrap_or(config.preserve_content_credentials);
            }
            AccountSettingsChange::CreateVariant(variant, variants_max) => {
                if self.variants.contains_key(&variant.name) {
                    return Err(E::Exists);
                }
                if self.variants.len() >= variants_max {
                    return Err(E::TooMany(variants_max));
                }
                self.variants.insert(variant.name.clone(), variant);
            }
            AccountSettingsChange::EditVariant(name, edit) => {
                let variant = self.variants.get_mut(&name).ok_or(E::NotFound)?;
                variant.options = edit.options;
                if let Some(never) = edit.never_require_signed_urls {
                    variant.never_require_signed_urls = never;
                }
            }
            AccountSettingsChange::DeleteVariant(name) => {
                if name == VariantName::public() {
                    return Err(E::PublicVariant);
                }
                self.variants.remove(&name).ok_or(E::NotFound)?;
            }
            AccountSettingsChange::CreateSigningKey(name, value) => {
                let is_new = !self.signing_keys.contains_key(&name);
                if is_new && self.signing_keys.len() >= Self::SIGNING_KEYS_MAX {
                    return Err(E::TooMany(Self::SIGNING_KEYS_MAX));
                }
                self.signing_keys.entry(name).or_insert(value);
            }
            AccountSettingsChange::DeleteSigningKey(name, replacement) => {
                self.signing_keys.remove(&name).ok_or(E::NotFound)?;
                if self.signing_keys.is_empty() {
                    self.signing_keys.insert(SigningKeyName::default_key(), replacement);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::VariantOptions;
    use AccountSettingsChange as Change;

    fn settings() -> AccountSettings {
        let secrets = Secrets {
            id_key: [1; 32],
            term_key: [2; 32],
            api_token_key: [3; 32],
            continuation_token_key: [4; 32],
        };
        AccountSettings::initial(&secrets, &AccountId::parse("a").unwrap())
    }

    fn variant(name: &str) -> Variant {
        let name = VariantName::parse(name).unwrap();
        Variant { name, options: VariantOptions::default(), never_require_signed_urls: false }
    }

    fn key(name: &str) -> SigningKeyName {
        SigningKeyName::parse(name).unwrap()
    }

    fn value(byte: u8) -> SigningKeyValue {
        SigningKeyValue::from_random([byte; 24])
    }

    #[test]
    fn an_account_begins_with_a_variant_and_a_key() {
        let settings = settings();
        assert_eq!(settings.variants().map(|variant| variant.name.as_str()).collect::<Vec<_>>(), ["public"]);
        let (name, value) = settings.signing_keys().next().unwrap();
        assert_eq!((name.as_str(), value.expose().len()), ("default", 32));
        assert_eq!(format!("{value:?}"), "SigningKeyValue(..)");
    }

    #[test]
    fn variants_come_and_go_and_public_stays() {
        let mut settings = settings();
        assert_eq!(settings.apply(Change::CreateVariant(variant("hero"), 100)), Ok(()));
        assert_eq!(
            settings.apply(Change::CreateVariant(variant("hero"), 100)),
            Err(AccountSettingsError::Exists)
        );
        let edit = VariantEdit {
            options: VariantOptions { width: Some(5), ..VariantOptions::default() },
            never_require_signed_urls: Some(true),
        };
        assert_eq!(settings.apply(Change::EditVariant(variant("hero").name, edit.clone())), Ok(()));
        let hero = settings.variant(&variant("hero").name).unwrap();
        assert_eq!((hero.options.width, hero.never_require_signed_urls), (Some(5), true));
        assert_eq!(
            settings.apply(Change::EditVariant(variant("x").name, edit)),
            Err(AccountSettingsError::NotFound)
        );
        assert_eq!(
            settings.apply(Change::DeleteVariant(VariantName::public())),
            Err(AccountSettingsError::PublicVariant)
        );
        assert_eq!(settings.apply(Change::DeleteVariant(variant("hero").name)), Ok(()));
        assert_eq!(
            settings.apply(Change::DeleteVariant(variant("hero").name)),
            Err(AccountSettingsError::NotFound)
        );
        for index in 1..100 {
            assert_eq!(settings.apply(Change::CreateVariant(variant(&format!("v{index}")), 100)), Ok(()));
        }
        assert_eq!(
            settings.apply(Change::CreateVariant(variant("more"), 100)),
            Err(AccountSettingsError::TooMany(100))
        );
    }

    #[test]
    fn the_last_key_is_replaced_and_a_repeated_one_kept() {
        let mut settings = settings();
        assert_eq!(settings.apply(Change::CreateSigningKey(key("k"), value(1))), Ok(()));
        assert_eq!(settings.apply(Change::CreateSigningKey(key("k"), value(2))), Ok(()));
        assert_eq!(settings.apply(Change::DeleteSigningKey(key("default"), value(3))), Ok(()));
        assert_eq!(settings.signing_keys().collect::<Vec<_>>(), [(&key("k"), &value(1))]);
        assert_eq!(
            settings.apply(Change::DeleteSigningKey(key("default"), value(3))),
            Err(AccountSettingsError::NotFound)
        );
        assert_eq!(settings.apply(Change::DeleteSigningKey(key("k"), value(4))), Ok(()));
        assert_eq!(settings.signing_keys().collect::<Vec<_>>(), [(&key("default"), &value(4))]);
        for index in 1..10 {
            assert_eq!(settings.apply(Change::CreateSigningKey(key(&format!("k{index}")), value(5))), Ok(()));
        }
        assert_eq!(
            settings.apply(Change::CreateSigningKey(key("more"), value(5))),
            Err(AccountSettingsError::TooMany(10))
        );
        assert_eq!(settings.apply(Change::CreateSigningKey(key("k1"), value(5))), Ok(()));
    }

    #[test]
    fn a_config_changes_field_by_field() {
        let mut settings = settings();
        let edit = AccountConfigEdit { browser_ttl: Some(3_600), ..AccountConfigEdit::default() };
        settings.apply(Change::EditConfig(edit)).unwrap();
        assert_eq!(settings.config, AccountConfig { browser_ttl: 3_600, ..AccountConfig::default() });
    }

    #[test]
    fn values_are_base64() {
        assert_eq!(value(0).expose(), "A".repeat(32));
        let counting: [u8; 24] = std::array::from_fn(|index| index as u8);
        assert_eq!(SigningKeyValue::from_random(counting).expose(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    }
}
