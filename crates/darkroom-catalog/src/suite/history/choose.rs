//! Random values of a history: few names and few values, so that they meet.

use darkroom_model::{
    AccountConfigEdit, AccountSettingsChange, ApiToken, ApiTokenKind, Creator, Draft, Edit, FieldPath,
    Filters, Fit, Grant, Ids, KeptMetadata, MetaFilter, Predicate, Scalar, Scope, Secrets, SigningKeyName,
    SigningKeyValue, SortOrder, Timestamp, Variant, VariantEdit, VariantName, VariantOptions,
};

use super::ACCOUNTS;
use crate::PageQuery;
use crate::suite::sample::{self, Chance, creator, image_id, metadata, number};

/// Ids of images and drafts in an account.
pub(super) const IMAGES: usize = 60;
/// Secrets of tokens, all accounts together.
pub(super) const SECRETS: usize = 12;
/// More names than an account may have keys.
const KEYS: usize = 14;
const VARIANTS: usize = 6;

pub(super) fn id(chance: &Chance) -> String {
    format!("i{}", chance.below(IMAGES))
}

pub(super) fn secret(index: usize) -> String {
    format!("secret-{index}")
}

pub(super) fn some_creator(chance: &Chance) -> Option<Creator> {
    creator(chance.pick(&["", "", "user", "User", "other"]))
}

pub(super) fn metadata_json(chance: &Chance) -> Option<String> {
    let values = [
        r#""x""#,
        r#""y""#,
        r#""""#,
        r#""5""#,
        "5",
        "5.0",
        "6",
        "-2",
        "1e2",
        "9007199254740993",
        "true",
        "false",
        r#""true""#,
        "null",
        "[5]",
        r#"{"q":5}"#,
        r#"{"q":"x"}"#,
    ];
    if chance.once_in(8) {
        return None;
    }
    let fields = ["a", "b", "n", "o"].iter().filter(|_| chance.below(3) > 0);
    let members: Vec<String> = fields.map(|field| format!(r#""{field}":{}"#, chance.pick(&values))).collect();
    Some(format!("{{{}}}", members.join(",")))
}

pub(super) fn edit(chance: &Chance) -> Edit {
    Edit {
        creator: chance.once_in(2).then(|| some_creator(chance)),
        metadata: metadata_json(chance).map(|json| metadata(&json)),
        require_signed_urls: chance.once_in(4).then(|| chance.once_in(2)),
    }
}

pub(super) fn draft(chance: &Chance, now: Timestamp) -> Draft {
    Draft {
        id: image_id(&id(chance)),
        creator: some_creator(chance),
        metadata: metadata_json(chance).map(|json| metadata(&json)),
        require_signed_urls: chance.once_in(4),
        created: now,
        expires_at: soon(chance, now),
    }
}

/// Returns a moment that the history may reach.
pub(super) fn soon(chance: &Chance, now: Timestamp) -> Timestamp {
    Timestamp(now.0 + chance.below(6) as u64)
}

pub(super) fn api_token(chance: &Chance, secrets: &Secrets, now: Timestamp) -> ApiToken {
    let grant = || Grant {
        account: sample::account(chance.pick(&ACCOUNTS)).id,
        scope: chance.pick(&[Scope::Read, Scope::Write]),
    };
    ApiToken {
        id: format!("{:032x}", chance.next()),
        secret_hash: secrets.api_token_hash(&secret(chance.below(SECRETS))),
        grants: (0..chance.below(3)).map(|_| grant()).collect(),
        kind: chance.pick(&[ApiTokenKind::Api, ApiTokenKind::Batch]),
        expires_at: chance.once_in(2).then(|| soon(chance, now)),
    }
}

pub(super) fn settings_change(chance: &Chance) -> AccountSettingsChange {
    match chance.below(8) {
        0 => AccountSettingsChange::EditConfig(AccountConfigEdit {
            flexible_variants: chance.once_in(2).then(|| chance.once_in(2)),
            browser_ttl: chance.once_in(2).then(|| 3_600 + chance.below(9) as u32),
            preserve_content_credentials: chance.once_in(2).then(|| chance.once_in(2)),
        }),
        1..3 => {
            let variant = Variant {
                name: variant_name(chance),
                options: variant_options(chance),
                never_require_signed_urls: chance.once_in(2),
            };
            AccountSettingsChange::CreateVariant(variant, 2 + chance.below(4))
        }
        3 => AccountSettingsChange::EditVariant(
            variant_name(chance),
            VariantEdit {
                options: variant_options(chance),
                never_require_signed_urls: chance.once_in(2).then(|| chance.once_in(2)),
            },
        ),
        4 => AccountSettingsChange::DeleteVariant(variant_name(chance)),
        5 => AccountSettingsChange::CreateSigningKey(key_name(chance), key_value(chance)),
        _ => AccountSettingsChange::DeleteSigningKey(key_name(chance), key_value(chance)),
    }
}

/// Returns changes that fill an account with keys, and one more.
pub(super) fn too_many_keys(chance: &Chance) -> Vec<AccountSettingsChange> {
    let name = |index: usize| SigningKeyName::parse(&format!("key-{index}")).expect("a legal name");
    (0..KEYS).map(|index| AccountSettingsChange::CreateSigningKey(name(index), key_value(chance))).collect()
}

fn variant_name(chance: &Chance) -> VariantName {
    match chance.below(VARIANTS) {
        0 => VariantName::public(),
        index => VariantName::parse(&format!("variant_{index}")).expect("a legal name"),
    }
}

fn variant_options(chance: &Chance) -> VariantOptions {
    VariantOptions {
        fit: chance.once_in(2).then(|| chance.pick(&Fit::ALL)),
        width: chance.once_in(2).then(|| 1 + chance.below(9) as u32),
        height: chance.once_in(2).then(|| 1 + chance.below(9) as u32),
        metadata: chance.once_in(2).then(|| chance.pick(&KeptMetadata::ALL)),
        blur: chance.once_in(2).then(|| chance.below(500) as f64 / 2.0),
        browser_ttl: chance.once_in(2).then(|| 3_600 + chance.below(9) as u32),
    }
}

/// Mostly one of the few names that are there, so that the last key is deleted often.
fn key_name(chance: &Chance) -> SigningKeyName {
    match chance.below(4) {
        0..2 => SigningKeyName::default_key(),
        2 => SigningKeyName::parse("key-0").expect("a legal name"),
        _ => SigningKeyName::parse(&format!("key-{}", chance.below(KEYS))).expect("a legal name"),
    }
}

fn key_value(chance: &Chance) -> SigningKeyValue {
    SigningKeyValue::from_random((chance as &dyn Ids).random())
}

pub(super) fn query(chance: &Chance) -> PageQuery {
    let sort_order = chance.pick(&[SortOrder::Ascending, SortOrder::Descending]);
    PageQuery { filters: filters(chance), sort_order, after: None, limit: 1 + chance.below(9) }
}

pub(super) fn filters(chance: &Chance) -> Filters {
    let creator = chance.once_in(4).then(|| some_creator(chance));
    let meta = (0..chance.below(4)).map(|_| filter(chance)).collect();
    Filters { creator, meta }
}

fn filter(chance: &Chance) -> MetaFilter {
    let path = FieldPath::parse(chance.pick(&["a", "b", "n", "o", "o.q", "none"]));
    let bound = || number(chance.pick(&["5", "6", "-2", "0", "100", "9007199254740992"]));
    let predicate = match chance.below(8) {
        0 => Predicate::Greater(bound()),
        1 => Predicate::GreaterOrEqual(bound()),
        2 => Predicate::Less(bound()),
        3 => Predicate::LessOrEqual(bound()),
        _ => Predicate::AnyOf((0..1 + chance.below(4)).map(|_| scalar(chance)).collect()),
    };
    MetaFilter { path: path.expect("a legal path"), predicate }
}

fn scalar(chance: &Chance) -> Scalar {
    match chance.below(4) {
        0 => Scalar::Boolean(chance.once_in(2)),
        1 => Scalar::Number(number(chance.pick(&["5", "6", "-2", "100", "9007199254740993"]))),
        _ => Scalar::String(chance.pick(&["x", "y", "", "5", "true"]).into()),
    }
}
