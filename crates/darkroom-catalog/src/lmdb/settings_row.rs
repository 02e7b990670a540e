//! The row of an account's settings, which is absent until something is changed.
//!
//! ```text
//! version u8 = 1
//! config    flags u8: 1 flexible variants, 2 content credentials; browser TTL u32
//! variants  u16 how many, then each: name (u8 length, text), flags u8: 1 never requires signed URLs,
//!           options: which are there u8 (bits in this order), then those: fit u8, width u32, height u32, metadata u8,
//!           blur (double, 8 bytes), browser TTL u32
//! keys      u16 how many, then each: name and value (u8 length, text)
//! ```
//!
//! Integers are big-endian.

use darkroom_model::{
    AccountConfig, AccountSettings, Fit, KeptMetadata, SigningKeyName, SigningKeyValue, Variant, VariantName,
    VariantOptions,
};

use super::rows::{push_text, versioned};
use crate::record::Reader;

/// Returns the stored form.
pub(crate) fn write(settings: &AccountSettings) -> Vec<u8> {
    let mut bytes = vec![1];
    let config = settings.config;
    bytes.push(u8::from(config.flexible_variants) | u8::from(config.preserve_content_credentials) << 1);
    bytes.extend(config.browser_ttl.to_be_bytes());
    bytes.extend((settings.variants().len() as u16).to_be_bytes());
    for Variant { name, options, never_require_signed_urls } in settings.variants() {
        push_text(&mut bytes, name.as_str());
        bytes.push(u8::from(*never_require_signed_urls));
        write_options(&mut bytes, options);
    }
    bytes.extend((settings.signing_keys().len() as u16).to_be_bytes());
    for (name, value) in settings.signing_keys() {
        push_text(&mut bytes, name.as_str());
        push_text(&mut bytes, value.expose());
    }
    bytes
}

fn write_options(bytes: &mut Vec<u8>, options: &VariantOptions) {
    let place = bytes.len();
    bytes.push(0);
    let mut push = |bit: u8, option: Option<&[u8]>| {
        if let Some(option) = option {
            bytes[place] |= 1 << bit;
            bytes.extend(option);
        }
    };
    let index = |found: Option<usize>| [found.expect("ALL holds every choice") as u8];
    let fit = options.fit.map(|fit| index(Fit::ALL.iter().position(|other| *other == fit)));
    let metadata =
        options.metadata.map(|kept| index(KeptMetadata::ALL.iter().position(|other| *other == kept)));
    push(0, fit.as_ref().map(|fit| &fit[..]));
    push(1, options.width.map(u32::to_be_bytes).as_ref().map(|width| &width[..]));
    push(2, options.height.map(u32::to_be_bytes).as_ref().map(|height| &height[..]));
    push(3, metadata.as_ref().map(|metadata| &metadata[..]));
    push(4, options.blur.map(f64::to_be_bytes).as_ref().map(|blur| &blur[..]));
    push(5, options.browser_ttl.map(u32::to_be_bytes).as_ref().map(|ttl| &ttl[..]));
}

/// Reads the stored form; `None` if it is damaged or newer.
pub(crate) fn read(bytes: &[u8]) -> Option<AccountSettings> {
    let mut reader = versioned(bytes)?;
    let flags = reader.u8()?;
    let config = AccountConfig {
        flexible_variants: flags & 1 != 0,
        preserve_content_credentials: flags & 2 != 0,
        browser_ttl: reader.u32()?,
    };
    let mut variants = Vec::new();
    for _ in 0..reader.u16()? {
        variants.push(Variant {
            name: VariantName::parse(reader.text8()?)?,
            never_require_signed_urls: reader.u8()? & 1 != 0,
            options: read_options(&mut reader)?,
        });
    }
    let mut signing_keys = Vec::new();
    for _ in 0..reader.u16()? {
        let name = SigningKeyName::parse(reader.text8()?)?;
        signing_keys.push((name, SigningKeyValue::from_stored(reader.text8()?)));
    }
    AccountSettings::from_stored(config, variants, signing_keys)
}

fn read_options(reader: &mut Reader<'_>) -> Option<VariantOptions> {
    let present = reader.u8()?;
    let mut options = VariantOptions::default();
    if present & 1 != 0 {
        options.fit = Some(*Fit::ALL.get(usize::from(reader.u8()?))?);
    }
    if present & 2 != 0 {
        options.width = Some(reader.u32()?);
    }
    if present & 4 != 0 {
        options.height = Some(reader.u32()?);
    }
    if present & 8 != 0 {
        options.metadata = Some(*KeptMetadata::ALL.get(usize::from(reader.u8()?))?);
    }
    if present & 16 != 0 {
        options.blur = Some(f64::from_be_bytes(reader.array()?));
    }
    if present & 32 != 0 {
        options.browser_ttl = Some(reader.u32()?);
    }
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::{AccountConfigEdit, AccountId, AccountSettingsChange, Ids, Secrets};

    #[test]
    fn the_row_returns() {
        let secrets = Secrets::generate(&crate::suite::sample::Chance::new(1) as &dyn Ids);
        let mut settings = AccountSettings::initial(&secrets, &AccountId::parse("a").unwrap());
        let check = |settings: &AccountSettings| assert_eq!(read(&write(settings)).as_ref(), Some(settings));
        check(&settings);
        let whole = VariantOptions {
            fit: Some(Fit::Squeeze),
            width: Some(1),
            height: Some(12_000),
            metadata: Some(KeptMetadata::Copyright),
            blur: Some(2.5),
            browser_ttl: Some(3_600),
        };
        for (name, options) in [("whole", whole), ("bare", VariantOptions::default())] {
            let name = VariantName::parse(name).unwrap();
            let variant = Variant { name, options, never_require_signed_urls: true };
            settings.apply(AccountSettingsChange::CreateVariant(variant, 100)).unwrap();
        }
        let edit = AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() };
        settings.apply(AccountSettingsChange::EditConfig(edit)).unwrap();
        check(&settings);
        let bytes = write(&settings);
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), None);
        }
    }
}
