//! What must hold for any bytes at all: the bodies of the fuzz targets in `fuzz/`.
//!
//! They stand here so that every test run on the stable compiler replays the committed corpus through them, and the
//! property tests use them too. Each panics when a promise is broken.

use bytes::Bytes;
use darkroom_model::source_url::{Host, Scheme};
use darkroom_model::{
    AccountConfig, AccountId, AllowedOrigin, Cursor, ImageOptions, Limits, Sequence, SignatureError,
    SignedUrl, SigningKeyValue, SortOrder, SourceUrl, Timestamp, VariantOptions, signature,
};
use percent_encoding::percent_decode_str;

use crate::bodies::variant::{parse_new_variant, parse_variant_edit, write_flat_variant};
use crate::delivery_path::{DeliveryPath, Rendering};
use crate::error_codes::ApiError;
use crate::image_options::{OptionList, WARNINGS_MAX};
use crate::list_query::{DOCUMENTATION_URL, ListQuery};
use crate::transform_path::{TRANSFORM_BASE, TransformPath, TransformRules, TransformSource};
use crate::{FormPart, UploadForm, UploadSource, continuation_token, endpoints, write_direct_upload};

/// The bytes are the option list of a delivery URL. It is read or refused as documented; what is read is within its
/// limits, and means the same when all is said twice.
pub fn image_options(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    match OptionList::parse(&raw) {
        Ok(OptionList { options, warnings, .. }) => {
            assert!(warnings.len() <= WARNINGS_MAX);
            assert!(warnings.iter().all(|warning| warning.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
            assert!(options.dpr > 0.0 && options.dpr <= ImageOptions::DPR_MAX);
            assert!((0.0..=250.0).contains(&options.blur) && (0.0..=10.0).contains(&options.sharpen));
            assert!(options.quality.is_none_or(|quality| (1..=100).contains(&quality)));
            assert_ne!(options.height, Some(0));
            let twice = OptionList::parse(&format!("{raw},{raw}")).expect("what is given twice counts once");
            assert_eq!(twice.options, options, "{raw:?}");
        }
        Err(error) => assert!(matches!((error.status, error.code), (400, 9401) | (403, 9426)), "{error:?}"),
    }
}

/// The bytes are a raw query. It is read or refused as documented, and means the same with everything encoded.
pub fn list_query(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    let limits = Limits::default();
    let parsed = ListQuery::parse(&raw, &limits);
    assert_eq!(parsed, ListQuery::parse(&encode_everything(&raw), &limits), "{raw:?}");
    match parsed {
        Ok(query) => {
            assert!((1..=limits.page_max).contains(&query.page_size));
            assert!(query.filters.meta.len() <= limits.filters_max);
            assert_ne!(query.continuation_token.as_deref(), Some(""));
        }
        Err(error) => {
            assert_refused(&error, "/query");
            assert_eq!(error.documentation_url, Some(DOCUMENTATION_URL));
        }
    }
}

/// Writes a raw query so that nothing stands unencoded but what divides it.
fn encode_everything(raw: &str) -> String {
    let mut encoded = String::new();
    for part in raw.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        encoded.push_str(&format!("{}={}&", encode_text(name), encode_text(value)));
    }
    encoded
}

fn encode_text(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut encoded = String::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let is_escape = byte == b'%' && is_hex(at + 1) && is_hex(at + 2);
        match byte {
            b'+' => encoded.push_str("%20"),
            _ if is_escape => encoded.push_str(&raw[at..at + 3]),
            _ => encoded.push_str(&format!("%{byte:02x}")),
        }
        at += if is_escape { 3 } else { 1 };
    }
    encoded
}

/// The bytes are a token, which nobody sealed; and then what a token is made of, which opens again until a bit is
/// changed.
pub fn continuation_token(bytes: &[u8]) {
    let key = [0x5a; 32];
    let account = AccountId::parse("account").expect("a legal id");
    let query = ListQuery::parse("meta.a[eq]=x", &Limits::default()).expect("a legal query");
    let text = String::from_utf8_lossy(bytes);
    let error = continuation_token::open(&text, &account, &query, &key).expect_err("nobody sealed this");
    assert_refused(&error, "/query/continuation_token");

    let sequence = bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    let sort_order = if bytes.len().is_multiple_of(2) { SortOrder::Ascending } else { SortOrder::Descending };
    let query = ListQuery { sort_order, ..query };
    let cursor = Cursor::new(account.clone(), Sequence(sequence), sort_order, &query.filters);
    let token = continuation_token::seal(&cursor, &key);
    assert_eq!(continuation_token::open(&token, &account, &query, &key), Ok(cursor));

    let place = usize::from(bytes.last().copied().unwrap_or(0));
    let mut changed = token.into_bytes();
    let length = changed.len();
    changed[place / 8 % length] ^= 1 << (place % 8);
    let changed = String::from_utf8_lossy(&changed);
    assert!(continuation_token::open(&changed, &account, &query, &key).is_err(), "{changed}");
}

/// The parts of a form are read or refused as documented, and what is read keeps to its limits.
pub fn upload_form(parts: Vec<FormPart>) {
    let limits = Limits::default();
    match UploadForm::parse(parts, &limits) {
        Ok(form) => {
            assert_ne!(form.source, UploadSource::File(Bytes::new()));
            let filename_chars = form.filename.as_ref().map_or(1, |name| name.chars().count());
            assert!((1..=limits.filename_chars_max).contains(&filename_chars));
            if let Some(metadata) = form.metadata {
                assert!(metadata.as_json().len() <= limits.metadata_bytes_max);
                let stored = darkroom_model::Metadata::from_stored(metadata.as_json());
                assert_eq!(stored, Some(metadata), "metadata reads back as it was");
            }
            if let Some(id) = form.id {
                assert!(id.is_custom());
            }
        }
        Err(error) => assert_refused(&error, ""),
    }
}

/// The first line is a URL, the rest a `Location` that its origin answers. Both are read or refused; what is read is
/// written in one way, which reads back as the same, names a host in one way, and shows no password.
pub fn source_url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (url, place) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(url) = SourceUrl::parse(url) else { return };
    check_source_url(&url);
    if let Ok(url) = url.join(place) {
        check_source_url(&url);
    }
}

fn check_source_url(url: &SourceUrl) {
    let scheme = if url.scheme() == Scheme::Https { "https" } else { "http" };
    let written = format!("{scheme}://{}{}", url.authority(), url.target());
    let again = SourceUrl::parse(&written).expect("what was read can be read");
    assert_eq!(again, url.clone().with_credentials(None), "{written}");
    assert!(again.is_same_origin(url) && again.credentials().is_none() && url.port() != 0);
    let sendable = |byte: u8| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#';
    assert!(url.target().starts_with('/') && url.target().bytes().all(sendable), "{written}");
    if let Host::Name(name) = url.host() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)), "{name}");
        // No resolver may take it for an address.
        let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        assert!(!last.bytes().all(|byte| byte.is_ascii_digit()) && !last.starts_with("0x"), "{name}");
    }
    assert_eq!(format!("{url:?}"), "SourceUrl(..)");
    if let Some(credentials) = url.credentials() {
        assert!(!credentials.expose().iter().any(u8::is_ascii_control));
        assert_eq!(format!("{credentials:?}"), "Credentials(..)");
    }
}

/// The first line is the raw path of a URL, the rest its raw query. No stranger's signature opens it; ours does, wherever
/// it stands, unless there is another or the URL's time is over.
pub fn signed_url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (raw_path, raw_query) = text.split_once('\n').unwrap_or((&text, ""));
    let key = SigningKeyValue::from_random([0x5a; 24]);
    let now = Timestamp(1_735_689_600_000);
    let verify = |raw_query: &str| SignedUrl { raw_path, raw_query }.verify([&key], now);
    let refused = verify(raw_query).expect_err("nobody signed this");
    let message = match raw_query {
        "" => raw_path.to_owned(),
        query => format!("{raw_path}?{query}"),
    };
    let sig = signature::sign(&key, &message);
    let behind = verify(format!("{raw_query}&sig={sig}").trim_start_matches('&'));
    match refused {
        SignatureError::Missing if !raw_query.starts_with('&') => {
            assert_eq!(behind, verify(&format!("sig={sig}&{raw_query}")));
            assert_ne!(behind, Err(SignatureError::Missing));
        }
        SignatureError::Missing => {}
        _ => assert_eq!(behind, Err(SignatureError::Mismatch), "two signatures"),
    }
}

/// The bytes are the raw path of a request. If it is a one-time URL, it names an image as our own answers would, or none.
pub fn upload_url(bytes: &[u8]) {
    let path = String::from_utf8_lossy(bytes);
    let Some(Ok(found)) = endpoints::find_at_root("POST", &path) else { return };
    let (hash, id) = match (found.account_hash(), found.image_id()) {
        (Ok(hash), Ok(id)) => (hash, id),
        (Err(error), _) | (_, Err(error)) => return assert_eq!((error.status, error.code), (404, 5404)),
    };
    let mut json = Vec::new();
    write_direct_upload(&mut json, &id, "", &hash);
    let answer: serde_json::Value = serde_json::from_slice(&json).expect("what we write is JSON");
    let url = answer["uploadURL"].as_str().expect("a URL");
    let again = endpoints::find_at_root("POST", url).expect("our own URL").expect("takes POST");
    assert_eq!((again.account_hash(), again.image_id()), (Ok(hash), Ok(id)), "{url}");
}

/// The bytes are the raw path of an image's URL. It is taken apart or refused as documented, and what was taken apart is
/// the same when it is written anew, with as much encoded as can be, and below the path for own domains.
pub fn delivery_path(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    let path = match DeliveryPath::parse(&raw) {
        Ok(path) => path,
        Err(error) => {
            let documented = [(404, 9431), (403, 9426), (403, 9427)];
            assert!(documented.contains(&(error.status, error.code)), "{error}");
            return;
        }
    };
    let last = match &path.rendering {
        Rendering::Variant(name) => {
            assert!(!name.is_empty());
            encode(name)
        }
        // Options are kept as they were sent: a text that is decoded later, and once.
        Rendering::Options(list) => {
            assert!(list.contains('=') && !list.contains('/'), "{list}");
            list.clone()
        }
    };
    let Some(id) = &path.image_id else { return };
    for id in [encode(id.as_str()), id.as_str().replace('%', "%25")] {
        for base in ["", "/cdn-cgi/imagedelivery"] {
            let written = format!("{base}/{}/{id}/{last}", path.hash);
            // A hash that is a word of another path is no account's: the settings see to it.
            if base.is_empty() && path.hash.as_str() == "cdn-cgi" {
                continue;
            }
            assert_eq!(DeliveryPath::parse(&written).as_ref(), Ok(&path), "{written}");
        }
    }
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The first line is the raw path of a request for an image from elsewhere, the second its raw query, the third the entry
/// of a list of origins. The path is taken apart or refused as documented. A source of the own site stays there; another
/// one is asked without user and password, and over TLS unless the operator allows less; none of them is to be transformed
/// already. The entry, and what can be made of the source's own host, allow what they say and nothing else.
pub fn transform_path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let path = lines.next().unwrap_or_default();
    let query = lines.next().filter(|query| !query.is_empty());
    let origin = lines.next().unwrap_or_default();
    let parse = |path: &str, query: Option<&str>, allows_http: bool| {
        TransformPath::parse(path, query, TransformRules { allows_http })
    };
    let (strict, found) = match (parse(path, query, false), parse(path, query, true)) {
        (strict, Ok(found)) => (strict, found),
        (strict, Err(error)) => {
            let documented = [(404, 9431), (404, 9404), (403, 9406), (400, 9401), (403, 9426)];
            assert!(documented.contains(&(error.status, error.code)), "{error}");
            // It may be refused for its scheme before it is looked at.
            let strict = strict.err().expect("less is allowed over TLS alone");
            return assert!(strict == error || (strict.status, strict.code) == (403, 9406), "{strict}");
        }
    };
    let (options, source) = path[TRANSFORM_BASE.len()..].split_once('/').expect("it was taken apart");
    assert!(OptionList::parse(options).as_ref() == Ok(&found.options), "{options}");
    match &found.source {
        TransformSource::Own(target) => {
            assert!(strict.as_ref() == Ok(&found), "{target}");
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            assert_eq!(*target, format!("/{source}{query}"));
            assert!(
                !target.starts_with("//") && target.bytes().all(|byte| byte.is_ascii_graphic()),
                "{target}"
            );
            let site = SourceUrl::parse("https://site.example:8443").expect("a legal URL");
            // Too long is all that it can be.
            let Ok(url) = site.join(target) else { return assert!(target.len() > 8_000, "{target}") };
            assert!(url.is_same_origin(&site), "{target}");
            check_transformed(&url);
        }
        TransformSource::Absolute(url) => {
            match (url.scheme(), strict) {
                (Scheme::Https, strict) => assert!(strict.as_ref() == Ok(&found), "{source}"),
                (Scheme::Http, Ok(_)) => panic!("{source} goes in clear text"),
                (Scheme::Http, Err(error)) => assert_eq!((error.status, error.code), (403, 9406)),
            }
            check_transformed(url);
            // Before the host nothing stands that a client could take for another one.
            let (_, behind) = source.split_once(":/").expect("an absolute URL");
            let place = behind.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
            let host = place.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
            if let Host::Name(name) = url.host() {
                let port = host.strip_prefix(name.as_str()).expect("the host that is written there");
                assert!(port.is_empty() || port.starts_with(':'), "{place}");
            }
            let merged = url.to_url().replacen("://", ":/", 1);
            let (merged, query) = merged.split_once('?').map_or((&*merged, None), |(a, b)| (a, Some(b)));
            let again = parse(&format!("{TRANSFORM_BASE}{options}/{merged}"), query, true);
            assert!(again == Ok(found.clone()), "a slash that was lost is found again: {merged}");
            check_origins(url, origin);
        }
    }
}

/// What is asked for must be fit for the wire, name nobody, and not be one of our own renderings.
fn check_transformed(url: &SourceUrl) {
    check_source_url(url);
    assert!(url.credentials().is_none());
    assert!(!url.target().starts_with(TRANSFORM_BASE), "{} is nested", url.target());
}

/// An entry of the list of origins, whatever it is, and such as name the source or its neighbours.
fn check_origins(url: &SourceUrl, origin: &str) {
    let host = url.host().to_string();
    let place = url.authority();
    let allows = |origin: &str| origin.parse().map(|origin: AllowedOrigin| origin.allows(url));
    assert_eq!(allows(&place), Ok(true), "{place} is itself");
    assert_eq!(allows("*"), Ok(url.port() == url.scheme().port()));
    for other in ["other.example", "*.other.example", "192.0.2.1", "[2001:db8::1]"] {
        let is_other = !host.ends_with("other.example") && host != "192.0.2.1" && host != "[2001:db8::1]";
        assert!(!is_other || allows(other) == Ok(false), "{other}: {place}");
    }
    if let Host::Name(name) = url.host() {
        let port = place.strip_prefix(name.as_str()).expect("begins with its host");
        // Some are longer than a name may be.
        for other in
            [format!("x{place}"), format!("x.{place}"), format!("*.x.{place}"), format!("{name}.x.y{port}")]
        {
            assert_ne!(allows(&other), Ok(true), "{other}: {place}");
        }
        assert_ne!(allows(&format!("*.{place}")), Ok(false), "all below {place} begins with itself");
    }
    let Ok(parsed) = origin.parse::<AllowedOrigin>() else { return };
    let written = parsed.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&parsed), "{written}");
    if parsed.allows(url) {
        assert!(is_allowed(url, &written), "{written}: {place}{}", url.target());
    }
}

/// Says, by the text alone, whether an entry as it is written allows a source.
fn is_allowed(url: &SourceUrl, origin: &str) -> bool {
    let (place, prefix) = origin.split_at(origin.find('/').unwrap_or(origin.len()));
    let places = [url.authority(), format!("{}:{}", url.host(), url.port())];
    let is_place = match place.strip_prefix("*.") {
        _ if place == "*" => url.port() == url.scheme().port(),
        Some(root) => places.iter().any(|found| found == root || found.ends_with(&format!(".{root}"))),
        None => places.iter().any(|found| found == place),
    };
    let path = url.target().split('?').next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy().replace('\\', "/").replace(';', "/;");
    is_place && path.starts_with(prefix) && (prefix.is_empty() || !format!("{decoded}/").contains("/../"))
}

/// The bytes are the JSON body that makes a variant, and then one that changes it. Both are read or refused as documented;
/// what is read is answered in one way, which reads back as the same.
pub fn variant_options(bytes: &[u8]) {
    match parse_new_variant(bytes) {
        Ok(variant) => {
            let answer = write_flat_variant(&variant);
            assert_eq!(parse_new_variant(&answer), Ok(variant), "{}", String::from_utf8_lossy(&answer));
        }
        Err(error) => assert_refused(&error, "/"),
    }
    match parse_variant_edit(bytes) {
        Ok(edit) => {
            let VariantOptions { fit: _, width, height, metadata: _, blur, browser_ttl } = edit.options;
            let sides = [width, height].into_iter().flatten();
            sides.for_each(|side| assert!((1..=VariantOptions::SIDE_MAX).contains(&side), "{side}"));
            assert!(blur.is_none_or(|blur| (0.0..=VariantOptions::BLUR_MAX).contains(&blur)), "{blur:?}");
            assert!(
                browser_ttl.is_none_or(|ttl| AccountConfig::BROWSER_TTL.contains(&ttl)),
                "{browser_ttl:?}"
            );
        }
        Err(error) => assert_refused(&error, "/"),
    }
}

/// An error of the caller, with a message of bounded length, and a pointer into the right part if it has one.
fn assert_refused(error: &ApiError, pointer: &str) {
    assert_eq!(error.status, 400, "{error}");
    assert!(matches!(error.code, 5400 | 5411), "{error}");
    assert!((1..=400).contains(&error.message.chars().count()), "{error}");
    assert!(error.pointer.as_deref().is_none_or(|found| found.starts_with(pointer)), "{error:?}");
}
