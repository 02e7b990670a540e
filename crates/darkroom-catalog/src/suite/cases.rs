//! Single promises of the catalog, each on a new and empty one.

use darkroom_model::{
    AccountId, AccountSettings, ApiToken, ApiTokenKind, Edit, Entry, Filters, Grant, ImageId, Predicate,
    Scalar, Scope, Sequence, SortOrder, Timestamp, Variant, VariantName,
};
use futures_util::future::join_all;

use super::sample::{self, Chance, ManualClock, ids, is_text, number, one_filter, walk};
use crate::{Catalog, CatalogError, PageQuery};

fn all(limit: usize, sort_order: SortOrder) -> PageQuery {
    PageQuery { filters: Filters::default(), sort_order, after: None, limit }
}

async fn with_account(catalog: &dyn Catalog) -> AccountId {
    let account = sample::account("a");
    catalog.create_account(account.clone()).await.expect("an account");
    account.id
}

async fn put(catalog: &dyn Catalog, account: &AccountId, id: &str, json: &str, chance: &Chance) {
    let image = sample::new_image(catalog, account, id, None, Some(json), chance);
    catalog.insert(account, image).await.expect("an insert");
}

/// Accounts have unique ids and unique hashes, and are found by both.
pub async fn accounts_are_unique(catalog: &dyn Catalog) {
    let (a, b) = (sample::account("a"), sample::account("b"));
    catalog.create_account(a.clone()).await.expect("an account");
    let same_id = darkroom_model::Account { hash: b.hash.clone(), ..a.clone() };
    let same_hash = darkroom_model::Account { hash: a.hash.clone(), ..b.clone() };
    for taken in [same_id, same_hash, a.clone()] {
        assert!(matches!(catalog.create_account(taken).await, Err(CatalogError::Exists)));
    }
    catalog.create_account(b.clone()).await.expect("another account");
    assert_eq!(catalog.accounts().await.expect("accounts"), [a.clone(), b.clone()]);
    assert_eq!(catalog.account(&a.id).await.expect("an answer"), Some(a));
    assert_eq!(catalog.account_by_hash(&b.hash).await.expect("an answer"), Some(b));
    assert_eq!(catalog.account(&sample::account("c").id).await.expect("an answer"), None);
    let nobody = sample::account("c").id;
    let page = catalog.page(&nobody, all(1, SortOrder::Ascending)).await;
    assert!(matches!(page, Err(CatalogError::UnknownAccount)));
}

/// A token is found by the hash of its secret and by nothing else.
pub async fn api_tokens_are_found_by_their_secret(catalog: &dyn Catalog) {
    let account = with_account(catalog).await;
    let secret_hash = catalog.secrets().api_token_hash("secret");
    let token = api_token(secret_hash, vec![Grant { account, scope: Scope::Read }], None);
    catalog.put_api_token(token.clone()).await.expect("a token");
    assert_eq!(catalog.api_token(&secret_hash).await.expect("an answer"), Some(token.clone()));
    let other = catalog.secrets().api_token_hash("Secret");
    assert_eq!(catalog.api_token(&other).await.expect("an answer"), None);
    assert_eq!(catalog.api_tokens().await.expect("an answer"), [token]);
    assert!(!catalog.delete_api_token(&other).await.expect("an answer"));
    assert!(catalog.delete_api_token(&secret_hash).await.expect("an answer"));
    assert_eq!(catalog.api_token(&secret_hash).await.expect("an answer"), None);
    assert!(catalog.api_tokens().await.expect("an answer").is_empty());
}

fn api_token(secret_hash: [u8; 32], grants: Vec<Grant>, expires_at: Option<Timestamp>) -> ApiToken {
    ApiToken { id: "0".repeat(32), secret_hash, grants, kind: ApiTokenKind::Api, expires_at }
}

/// What an account decides about itself is changed step by step, and belongs to it alone.
pub async fn account_settings_are_changed_one_by_one(catalog: &dyn Catalog) {
    use darkroom_model::{
        AccountConfigEdit, AccountSettingsChange as Change, AccountSettingsError as Refusal,
    };
    let account = with_account(catalog).await;
    let other = sample::account("b");
    catalog.create_account(other.clone()).await.expect("another account");
    let initial = catalog.account_settings(&account).await.expect("settings");
    let key = |settings: &AccountSettings| settings.signing_keys().next().map(|(_, value)| value.clone());
    let others = catalog.account_settings(&other.id).await.expect("settings");
    assert_ne!(key(&initial), key(&others), "each account has a key of its own");

    let variants = (0..5).map(|index| {
        let name = VariantName::parse(&format!("v{index}")).expect("a name");
        Change::CreateVariant(Variant { name, ..Variant::public() }, 100)
    });
    let changed = join_all(variants.map(|change| catalog.change_account_settings(&account, change))).await;
    assert!(changed.iter().all(Result::is_ok));
    let edit = AccountConfigEdit { browser_ttl: Some(3_600), ..AccountConfigEdit::default() };
    let answer = catalog.change_account_settings(&account, Change::EditConfig(edit)).await.expect("settings");
    let settings = catalog.account_settings(&account).await.expect("settings");
    assert_eq!(answer, settings);
    assert_eq!((settings.variants().len(), settings.config.browser_ttl), (6, 3_600));
    let refused =
        catalog.change_account_settings(&account, Change::DeleteVariant(VariantName::public())).await;
    assert!(matches!(refused, Err(CatalogError::Settings(Refusal::PublicVariant))));
    assert_eq!(catalog.account_settings(&account).await.expect("settings"), settings);
    assert_eq!(catalog.account_settings(&other.id).await.expect("settings"), others);
}

/// A draft reserves its id until it expires, and is completed once.
pub async fn a_draft_becomes_one_image(catalog: &dyn Catalog, clock: &ManualClock) {
    let (account, chance) = (with_account(catalog).await, Chance::new(11));
    let image = |id: &str| sample::new_image(catalog, &account, id, None, None, &chance);
    let complete = |id: &'static str| {
        let original = image(id).original;
        let (account, id) = (account.clone(), sample::image_id(id));
        async move { catalog.complete_draft(&account, &id, Some("f.png".into()), original).await }
    };
    clock.set(Timestamp(100));
    put(catalog, &account, "first", "{}", &chance).await;
    let draft = sample::draft("d", r#"{"s":"x"}"#, Timestamp(100), Timestamp(200));
    catalog.insert_draft(&account, draft.clone()).await.expect("a draft");
    assert!(matches!(catalog.insert_draft(&account, draft.clone()).await, Err(CatalogError::Exists)));
    assert!(matches!(catalog.insert(&account, image("d")).await, Err(CatalogError::Exists)));
    let taken = sample::draft("first", "{}", Timestamp(100), Timestamp(200));
    assert!(matches!(catalog.insert_draft(&account, taken).await, Err(CatalogError::Exists)));
    let id = sample::image_id("d");
    assert_eq!(catalog.entry(&account, &id).await.expect("an answer"), Some(Entry::Draft(draft.clone())));
    assert_eq!(catalog.image(&account, &id).await.expect("an answer"), None);
    assert_eq!(walk(catalog, &account, all(9, SortOrder::Ascending)).await, ["first"]);
    assert!(matches!(complete("nobody").await, Err(CatalogError::NotFound)));
    assert!(matches!(complete("first").await, Err(CatalogError::Exists)));

    clock.set(Timestamp(200));
    let edit = Edit { creator: Some(sample::creator("me")), ..Edit::default() };
    let edited = catalog.edit(&account, &id, edit).await.expect("an answer");
    assert_eq!(edited.as_ref().and_then(|entry| entry.view().creator), Some("me"));
    let answers = join_all((0..5).map(|_| complete("d"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(CatalogError::Exists))));
    let stored = catalog.image(&account, &id).await.expect("an answer").expect("an image");
    assert_eq!((stored.uploaded, stored.metadata), (Timestamp(200), draft.metadata.clone()));
    assert_eq!(stored.creator, sample::creator("me"));
    assert_eq!(walk(catalog, &account, all(9, SortOrder::Ascending)).await, ["first", "d"]);
    assert_eq!(catalog.draft(&account, &id).await.expect("an answer"), None);
}

/// An expired draft is told apart from none for as long as it is kept, and its id is free.
pub async fn an_expired_draft_holds_nothing(catalog: &dyn Catalog, clock: &ManualClock) {
    let (account, chance) = (with_account(catalog).await, Chance::new(12));
    clock.set(Timestamp(100));
    for id in ["a", "b", "c"] {
        let draft = sample::draft(id, "{}", Timestamp(100), Timestamp(200));
        catalog.insert_draft(&account, draft).await.expect("a draft");
    }
    assert!(catalog.delete(&account, &sample::image_id("c")).await.expect("an answer").is_some());
    clock.set(Timestamp(201));
    let id = sample::image_id("a");
    assert_eq!(catalog.entry(&account, &id).await.expect("an answer"), None);
    assert!(catalog.draft(&account, &id).await.expect("an answer").is_some());
    assert_eq!(catalog.edit(&account, &id, Edit::default()).await.expect("an answer"), None);
    assert_eq!(catalog.delete(&account, &id).await.expect("an answer"), None);
    let original = sample::new_image(catalog, &account, "a", None, None, &chance).original;
    let late = catalog.complete_draft(&account, &id, None, original).await;
    assert!(matches!(late, Err(CatalogError::Expired)));
    put(catalog, &account, "a", "{}", &chance).await;
    let original = sample::new_image(catalog, &account, "c", None, None, &chance).original;
    let deleted = catalog.complete_draft(&account, &sample::image_id("c"), None, original).await;
    assert!(matches!(deleted, Err(CatalogError::NotFound)));

    let token = api_token([1; 32], Vec::new(), Some(Timestamp(150)));
    catalog.put_api_token(token).await.expect("a token");
    let expired = async |drafts, tokens| {
        catalog.remove_expired(Timestamp(drafts), Timestamp(tokens), 10).await.expect("a count")
    };
    assert_eq!(expired(200, 150).await, 0);
    assert_eq!(expired(201, 151).await, 2);
    assert_eq!(expired(u64::MAX, u64::MAX).await, 0);
    assert_eq!(catalog.draft(&account, &sample::image_id("b")).await.expect("an answer"), None);
    assert_eq!(walk(catalog, &account, all(9, SortOrder::Ascending)).await, ["a"]);
}

/// Of simultaneous inserts of one id, one succeeds; a deleted id is free again.
pub async fn an_id_is_taken_once(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(1));
    let images: Vec<_> =
        (0..20).map(|_| sample::new_image(catalog, &account, "x", None, None, &chance)).collect();
    let answers = join_all(images.into_iter().map(|image| catalog.insert(&account, image))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(CatalogError::Exists))));
    let id = sample::image_id("x");
    assert!(catalog.delete(&account, &id).await.expect("an answer").is_some());
    assert!(catalog.delete(&account, &id).await.expect("an answer").is_none());
    put(catalog, &account, "x", "{}", &chance).await;
    assert_eq!(walk(catalog, &account, all(5, SortOrder::Ascending)).await, ["x"]);
}

/// Ids of any length are told apart, whatever the engine's keys can hold.
pub async fn long_ids_are_told_apart(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(2));
    let long: Vec<String> = (0..3).map(|last| format!("{}{last}", "é".repeat(1023))).collect();
    for id in &long {
        put(catalog, &account, id, &format!(r#"{{"id":"{}"}}"#, &id[id.len() - 1..]), &chance).await;
    }
    for id in &long {
        let image = catalog.image(&account, &sample::image_id(id)).await.expect("an answer");
        assert_eq!(image.expect("an image").id.as_str(), id);
    }
    assert_eq!(walk(catalog, &account, all(1, SortOrder::Ascending)).await, long);
}

/// `uploaded` never goes back within an account, although the clock does.
pub async fn uploaded_never_goes_back(catalog: &dyn Catalog, clock: &ManualClock) {
    let (account, chance) = (with_account(catalog).await, Chance::new(3));
    let mut times = Vec::new();
    for (id, now) in [("1", 50), ("2", 40), ("3", 60), ("4", 60), ("5", 1)] {
        clock.set(Timestamp(now));
        let image = sample::new_image(catalog, &account, id, None, None, &chance);
        times.push(catalog.insert(&account, image).await.expect("an insert").uploaded.0);
    }
    assert_eq!(times, [50, 50, 60, 60, 60]);
    let page = catalog.page(&account, all(9, SortOrder::Descending)).await.expect("a page");
    assert_eq!(ids(&page), ["5", "4", "3", "2", "1"]);
}

/// Every page size gives the same listing, and one order is the exact reverse of the other.
pub async fn every_page_size_gives_the_same_listing(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(4));
    let names: Vec<String> = (0..30).map(|index| format!("i{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        put(catalog, &account, name, &format!(r#"{{"even":{}}}"#, index % 2 == 0), &chance).await;
    }
    let even: Vec<String> = names.iter().step_by(2).cloned().collect();
    let is_even = one_filter("even", Predicate::AnyOf(vec![Scalar::Boolean(true)]));
    for limit in [1, 2, 7, 14, 15, 16, 29, 30, 31] {
        for (filters, expected) in [(Filters::default(), &names), (is_even.clone(), &even)] {
            let query = PageQuery { filters, sort_order: SortOrder::Ascending, after: None, limit };
            assert_eq!(&walk(catalog, &account, query.clone()).await, expected, "pages of {limit}");
            let query = PageQuery { sort_order: SortOrder::Descending, ..query };
            let reverse: Vec<String> = expected.iter().rev().cloned().collect();
            assert_eq!(walk(catalog, &account, query).await, reverse, "pages of {limit}");
        }
    }
}

/// An edit moves an image from one filter to another; its place in the listing stays.
pub async fn an_edit_moves_an_image_between_filters(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(5));
    for id in ["1", "2", "3"] {
        put(catalog, &account, id, r#"{"s":"old","n":1}"#, &chance).await;
    }
    let edit = Edit {
        metadata: Some(sample::metadata(r#"{"s":"new","n":2}"#)),
        creator: Some(sample::creator("me")),
        require_signed_urls: Some(true),
    };
    let edited = catalog.edit(&account, &sample::image_id("2"), edit.clone()).await.expect("an answer");
    let edited = edited.and_then(Entry::into_image).expect("an image");
    assert_eq!(edited.metadata, edit.metadata);
    assert!(edited.require_signed_urls);
    assert_eq!(catalog.image(&account, &edited.id).await.expect("an answer"), Some(edited));
    let creator_is = |creator| Filters { creator: Some(creator), meta: vec![] };
    for (filters, expected) in [
        (one_filter("s", is_text("old")), &["1", "3"][..]),
        (one_filter("s", is_text("new")), &["2"]),
        (one_filter("n", Predicate::Greater(number("1"))), &["2"]),
        (one_filter("n", Predicate::LessOrEqual(number("1"))), &["1", "3"]),
        (creator_is(sample::creator("me")), &["2"]),
        (creator_is(None), &["1", "3"]),
        (Filters::default(), &["1", "2", "3"]),
    ] {
        let query = PageQuery { filters, ..all(9, SortOrder::Ascending) };
        assert_eq!(walk(catalog, &account, query.clone()).await, expected, "{query:?}");
    }
    let nobody = catalog.edit(&account, &sample::image_id("4"), Edit::default()).await.expect("an answer");
    assert_eq!(nobody, None);
}

/// A deleted image is gone from every answer, and its original is garbage until it is forgotten.
pub async fn a_delete_leaves_a_note_of_the_original(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(6));
    put(catalog, &account, "1", r#"{"s":"x"}"#, &chance).await;
    let id = sample::image_id("1");
    let key = catalog.image(&account, &id).await.expect("an answer").expect("an image").original.key;
    assert!(catalog.knows_original(&key).await.expect("an answer"));
    assert!(catalog.garbage(9).await.expect("an answer").is_empty());
    let deleted = catalog.delete(&account, &id).await.expect("an answer");
    let deleted = deleted.and_then(Entry::into_image).expect("an image");
    assert_eq!(deleted.original.key, key);
    assert!(!catalog.knows_original(&key).await.expect("an answer"));
    assert_eq!(catalog.image(&account, &id).await.expect("an answer"), None);
    let query = PageQuery { filters: one_filter("s", is_text("x")), ..all(9, SortOrder::Ascending) };
    assert!(walk(catalog, &account, query).await.is_empty());
    put(catalog, &account, "1", "{}", &chance).await;
    assert!(!catalog.knows_original(&key).await.expect("an answer"), "a new upload has another original");
    assert_eq!(catalog.garbage(9).await.expect("an answer"), std::slice::from_ref(&key));
    catalog.forget_garbage(vec![key]).await.expect("an answer");
    assert!(catalog.garbage(9).await.expect("an answer").is_empty());
}

/// A cursor works although its image, or an image before it, is gone, and whatever came meanwhile.
pub async fn a_cursor_survives_its_image(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(7));
    for id in ["1", "2", "3", "4", "5", "6"] {
        put(catalog, &account, id, r#"{"s":"x"}"#, &chance).await;
    }
    for filters in [Filters::default(), one_filter("s", is_text("x"))] {
        let query = PageQuery { filters, sort_order: SortOrder::Descending, after: None, limit: 2 };
        let first = catalog.page(&account, query.clone()).await.expect("a page");
        let last = ids(&first).pop().expect("a full page");
        catalog.delete(&account, &sample::image_id(&last)).await.expect("an answer");
        put(catalog, &account, &last, r#"{"s":"x"}"#, &chance).await;
        let rest = PageQuery { after: first.next, ..query };
        let rest = walk(catalog, &account, rest).await;
        assert!(!rest.contains(&last), "what was uploaded anew stands before the cursor");
        assert_eq!(rest.len(), 4);
    }
}

/// No account sees another's images, although their ids are the same.
pub async fn accounts_do_not_see_each_other(catalog: &dyn Catalog) {
    let (a, chance) = (with_account(catalog).await, Chance::new(8));
    let b = sample::account("b");
    catalog.create_account(b.clone()).await.expect("another account");
    put(catalog, &a, "1", r#"{"s":"x"}"#, &chance).await;
    put(catalog, &b.id, "1", r#"{"s":"y"}"#, &chance).await;
    put(catalog, &b.id, "2", r#"{"s":"x"}"#, &chance).await;
    let with_x = PageQuery { filters: one_filter("s", is_text("x")), ..all(9, SortOrder::Ascending) };
    assert_eq!(walk(catalog, &a, with_x.clone()).await, ["1"]);
    assert_eq!(walk(catalog, &b.id, with_x).await, ["2"]);
    catalog.delete(&b.id, &sample::image_id("1")).await.expect("an answer");
    assert_eq!(walk(catalog, &a, all(9, SortOrder::Ascending)).await, ["1"]);
    let key = catalog.garbage(9).await.expect("an answer").pop().expect("a note");
    assert_eq!(key.account, b.id);
}

/// A cursor from before the first or after the last image is no error.
pub async fn cursors_beyond_the_ends_find_nothing(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(9));
    put(catalog, &account, "1", r#"{"s":"x"}"#, &chance).await;
    for filters in [Filters::default(), one_filter("s", is_text("x"))] {
        for (sort_order, after, expected) in [
            (SortOrder::Ascending, 0, 1),
            (SortOrder::Ascending, u64::MAX, 0),
            (SortOrder::Descending, 0, 0),
            (SortOrder::Descending, u64::MAX, 1),
        ] {
            let after = Some(Sequence(after));
            let query = PageQuery { filters: filters.clone(), sort_order, after, limit: 5 };
            let page = catalog.page(&account, query).await.expect("a page");
            assert_eq!((page.len(), page.next), (expected, None), "{sort_order:?} after {after:?}");
        }
    }
}

/// A closed catalog answers that it is unavailable, and may be closed again.
pub async fn a_closed_catalog_is_unavailable(catalog: &dyn Catalog) {
    let (account, chance) = (with_account(catalog).await, Chance::new(10));
    let image = sample::new_image(catalog, &account, "1", None, None, &chance);
    assert!(catalog.is_ready());
    catalog.close().await;
    catalog.close().await;
    assert!(!catalog.is_ready());
    let id = ImageId::generated([1; 16]);
    assert!(matches!(catalog.insert(&account, image).await, Err(CatalogError::Unavailable)));
    assert!(matches!(catalog.image(&account, &id).await, Err(CatalogError::Unavailable)));
    let page = catalog.page(&account, all(1, SortOrder::Ascending)).await;
    assert!(matches!(page, Err(CatalogError::Unavailable)));
}
