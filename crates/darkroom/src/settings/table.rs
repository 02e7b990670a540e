//! The one table of settings.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use darkroom_model::{AccountId, AllowedOrigin, Compatibility, Network, SourceUrl};

use crate::http::caller::is_token68;

use super::parse::{Listen, LogFormat, PublicUrl, Rate, addresses, parse_account_hash};
use super::{CatalogEngine, OriginalsPlace, Secret, Settings};

/// One setting: everything that anyone needs to know about it.
pub struct Setting {
    /// Its key in `darkroom.toml`; flag and environment name follow from it.
    pub key: &'static str,
    /// A value in the spelling of `darkroom.toml`: the default, or an example where there is none.
    pub example: &'static str,
    /// Whether `example` is what holds when nobody says otherwise.
    pub has_default: bool,
    /// What holds instead in extended mode when nobody says otherwise, if it is something else.
    pub extended: Option<&'static str>,
    /// What a value must be, to end the sentence "expected …".
    pub expected: &'static str,
    /// One sentence for the operator.
    pub help: &'static str,
    /// Whether the value is never shown and never a flag, which other users of the machine could read.
    pub secret: bool,
    set: fn(&mut Settings, &str) -> Result<(), Refusal>,
}

/// Why a setting refuses a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is not what was expected.
    Malformed,
    /// It is documented and not built yet.
    NotBuilt,
}

/// What a macro was given, if it was.
macro_rules! maybe {
    () => {
        None
    };
    ($given:literal) => {
        Some($given)
    };
}

/// A row whose value is a number in [`Limits`](darkroom_model::Limits), under the name that it has there.
macro_rules! limit {
    ($field:ident, $default:literal $(extended $extended:literal)?, $what:literal from $min:literal to $max:literal, $help:literal) => {
        Setting {
            key: stringify!($field),
            example: $default,
            has_default: true,
            extended: maybe!($($extended)?),
            expected: concat!($what, " from ", $min, " to ", $max),
            help: $help,
            secret: false,
            set: |settings, text| place(&mut settings.limits.$field, number(text, $min..=$max)),
        }
    };
}

/// A row whose value is a time in [`Limits`](darkroom_model::Limits), in seconds.
macro_rules! wait {
    ($field:ident, $key:literal, $default:literal $(extended $extended:literal)?, $min:literal to $max:literal, $help:literal) => {
        Setting {
            key: $key,
            example: $default,
            has_default: true,
            extended: maybe!($($extended)?),
            expected: concat!("a number of seconds from ", $min, " to ", $max),
            help: $help,
            secret: false,
            set: |settings, text| {
                place(&mut settings.limits.$field, number(text, $min..=$max).map(Duration::from_secs))
            },
        }
    };
}

/// A row whose value is a number in [`RenderLimits`](darkroom_model::RenderLimits), under its name there behind `render_`.
macro_rules! render_limit {
    ($field:ident, $key:literal, $default:literal, $what:literal from $min:literal to $max:literal, $help:literal) => {
        Setting {
            key: $key,
            example: $default,
            has_default: true,
            extended: None,
            expected: concat!($what, " from ", $min, " to ", $max),
            help: $help,
            secret: false,
            set: |settings, text| place(&mut settings.limits.render.$field, number(text, $min..=$max)),
        }
    };
}

/// Every setting, in the order in which help and `darkroom.toml` show them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen",
        example: r#"["127.0.0.1:3535", "[::1]:3535"]"#,
        has_default: true,
        extended: None,
        expected: "addresses with ports, such as 127.0.0.1:3535, separated by commas",
        help: "Addresses of API, delivery and health; of the defaults one suffices, what is named must bind.",
        secret: false,
        set: |settings, text| place(&mut settings.listen, Listen::parse(text)),
    },
    Setting {
        key: "admin_listen",
        example: r#"["127.0.0.1:3536"]"#,
        has_default: false,
        extended: None,
        expected: "addresses with ports, such as 127.0.0.1:3536, separated by commas",
        help: "Where /metrics lives, and health too; without it, on those of `listen` that are loopback addresses.",
        secret: false,
        set: |settings, text| place(&mut settings.admin_listen, addresses(text).map(Some)),
    },
    Setting {
        key: "data",
        example: r#""./darkroom-data""#,
        has_default: true,
        extended: None,
        expected: "the path of a folder",
        help: "The data folder: catalog and originals; created if absent, used by one process at a time.",
        secret: false,
        set: |settings, text| place(&mut settings.data, (!text.is_empty()).then(|| PathBuf::from(text))),
    },
    Setting {
        key: "public_url",
        example: r#""https://images.example.com""#,
        has_default: false,
        extended: None,
        expected: "an http or https URL without query",
        help: "What the URLs in `variants` begin with; without it, scheme and Host of the request.",
        secret: false,
        set: |settings, text| place(&mut settings.public_url, PublicUrl::parse(text).map(Some)),
    },
    Setting {
        key: "trusted_proxies",
        example: "[]",
        has_default: true,
        extended: None,
        expected: "addresses or networks, such as 10.0.0.0/8, separated by commas",
        help: "Whose X-Forwarded-For, -Proto and -Host count; from others they are passed over.",
        secret: false,
        set: |settings, text| place(&mut settings.trusted_proxies, parse_networks(text)),
    },
    Setting {
        key: "token_rate",
        example: r#""1200/300""#,
        has_default: false,
        extended: None,
        expected: "a number of requests and a number of seconds, such as 1200/300",
        help: "Calls of the API that a token may make in so many seconds; the rest gets 429.",
        secret: false,
        set: |settings, text| place(&mut settings.token_rate, Rate::parse(text).map(Some)),
    },
    Setting {
        key: "address_rate",
        example: r#""200/1""#,
        has_default: false,
        extended: None,
        expected: "a number of requests and a number of seconds, such as 200/1",
        help: "Calls of the API that a client's address (of IPv6, a /64) may make in so many seconds.",
        secret: false,
        set: |settings, text| place(&mut settings.address_rate, Rate::parse(text).map(Some)),
    },
    Setting {
        key: "catalog",
        example: r#""lmdb""#,
        has_default: true,
        extended: None,
        expected: "lmdb or memory",
        help: "Where the catalog is kept: in the data folder, or nowhere (with originals = \"memory\" only).",
        secret: false,
        set: |settings, text| match text {
            "lmdb" => place(&mut settings.catalog, Some(CatalogEngine::Lmdb)),
            "memory" => place(&mut settings.catalog, Some(CatalogEngine::Memory)),
            text if text.starts_with("postgres://") => Err(Refusal::NotBuilt),
            _ => Err(Refusal::Malformed),
        },
    },
    Setting {
        key: "originals",
        example: r#""file""#,
        has_default: true,
        extended: None,
        expected: "file or memory",
        help: "Where originals are kept: in the data folder, or nowhere.",
        secret: false,
        set: |settings, text| match text {
            "file" => place(&mut settings.originals, Some(OriginalsPlace::File)),
            "memory" => place(&mut settings.originals, Some(OriginalsPlace::Memory)),
            text if text.starts_with("s3://") => Err(Refusal::NotBuilt),
            _ => Err(Refusal::Malformed),
        },
    },
    Setting {
        key: "compatibility",
        example: r#""strict""#,
        has_default: true,
        extended: None,
        expected: "strict or extended",
        help: "Strict refuses what Cloudflare documents as refused; extended has wider defaults for some limits.",
        secret: false,
        set: |settings, text| {
            let mode = Compatibility::parse(text).ok_or(Refusal::Malformed)?;
            settings.compatibility = mode;
            // INVARIANT: limits have their rows below this one, so that those which are set replace these.
            settings.limits = mode.limits();
            Ok(())
        },
    },
    Setting {
        key: "account_id",
        example: r#""023e105f4ecef8ad9ca31a8372d0c353""#,
        has_default: false,
        extended: None,
        expected: "1 to 64 letters, digits, '_' or '-'",
        help: "The id of the first account; made at the first start if it is not given.",
        secret: false,
        set: |settings, text| place(&mut settings.account_id, AccountId::parse(text).ok().map(Some)),
    },
    Setting {
        key: "account_hash",
        example: r#""Vi7wi5KSItxGFsWRG2Us6Q""#,
        has_default: false,
        extended: None,
        expected: "1 to 64 letters, digits, '_' or '-', and no word that other paths begin with, such as upload",
        help: "The first account's name in delivery URLs; made at the first start if it is not given.",
        secret: false,
        set: |settings, text| place(&mut settings.account_hash, parse_account_hash(text).map(Some)),
    },
    Setting {
        key: "api_token",
        example: r#""a-long-random-word""#,
        has_default: false,
        extended: None,
        expected: "16 to 256 letters, digits or any of '-._~+/', then perhaps '='",
        help: "The first account's token; made at the first start if it is not given.",
        secret: true,
        set: |settings, text| {
            let token = is_bearer_token(text).then(|| Some(Secret::new(text.to_owned())));
            place(&mut settings.api_token, token)
        },
    },
    Setting {
        key: "allow_private_sources",
        example: "[]",
        has_default: true,
        extended: None,
        expected: "networks such as 10.1.0.0/16, with nothing behind their prefix, separated by commas",
        help: "Networks that are not public from which uploads by URL may fetch; everything else there is refused.",
        secret: false,
        set: |settings, text| place(&mut settings.allow_private_sources, parse_networks(text)),
    },
    Setting {
        key: "transform_origins",
        example: "[]",
        has_default: true,
        extended: None,
        expected: "hosts such as images.example.com, *.example.com or *, perhaps with a port and a path, separated by commas",
        help: "Origins whose images /cdn-cgi/image/… transforms when their URL is given; without any, and without `transform_site`, it is off.",
        secret: false,
        set: |settings, text| place(&mut settings.transform.origins, parse_origins(text)),
    },
    Setting {
        key: "transform_site",
        example: r#""https://www.example.com""#,
        has_default: false,
        extended: None,
        expected: "the http or https URL of a site, without path and user",
        help: "The site that this server stands before, whose images /cdn-cgi/image/… transforms when their path is given.",
        secret: false,
        set: |settings, text| place(&mut settings.transform.site, parse_site(text).map(Some)),
    },
    Setting {
        key: "transform_http",
        example: "false",
        has_default: true,
        extended: None,
        expected: "true or false",
        help: "Whether the URL of an image that is transformed may begin with http: what comes that way may be anybody's.",
        secret: false,
        set: |settings, text| place(&mut settings.transform.allows_http, text.parse().ok()),
    },
    Setting {
        key: "log",
        example: r#""info""#,
        has_default: true,
        extended: None,
        expected: "a level (error, warn, info, debug, trace), perhaps per module: info,hyper=debug",
        help: "What is logged on standard error.",
        secret: false,
        set: |settings, text| {
            let readable = tracing_subscriber::EnvFilter::try_new(text).is_ok() && !text.is_empty();
            place(&mut settings.log, readable.then(|| text.to_owned()))
        },
    },
    Setting {
        key: "log_format",
        example: r#""auto""#,
        has_default: true,
        extended: None,
        expected: "auto, text or json",
        help: "How logs are written; auto is text on a terminal and JSON otherwise.",
        secret: false,
        set: |settings, text| {
            let format = match text {
                "auto" => Some(LogFormat::Auto),
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            };
            place(&mut settings.log_format, format)
        },
    },
    Setting {
        key: "log_addresses",
        example: "false",
        has_default: true,
        extended: None,
        expected: "true or false",
        help: "Whether a request's line in the log has the client's address.",
        secret: false,
        set: |settings, text| place(&mut settings.log_addresses, text.parse().ok()),
    },
    limit!(
        min_free_bytes, "268435456", "a number of bytes" from 0 to 1152921504606846976,
        "Bytes that must be free where the data folder lies; below it uploads are refused, and all else goes on."
    ),
    limit!(filters_max, "5" extended "20", "a number" from 1 to 100, "Metadata filters in one list; Cloudflare allows 5."),
    limit!(list_values_max, "10" extended "50", "a number" from 1 to 100, "Values of one `in` filter; Cloudflare allows 10."),
    limit!(per_page_max, "10000", "a number" from 1 to 1000000, "Largest `per_page` that is not refused."),
    limit!(page_max, "1000", "a number" from 1 to 10000, "Images on one page, whatever `per_page` says."),
    limit!(creator_chars_max, "1024", "a number of characters" from 1 to 4096, "Longest creator."),
    limit!(
        filename_chars_max, "255", "a number of characters" from 1 to 4096,
        "Longest file name; a longer one is refused."
    ),
    limit!(
        metadata_bytes_max, "1024" extended "16384", "a number of bytes" from 2 to 32768,
        "Largest metadata of an image, as compact JSON; Cloudflare allows 1024."
    ),
    limit!(
        file_bytes_max, "10485760" extended "104857600", "a number of bytes" from 1 to 1073741824,
        "Largest uploaded file; it is held in memory while it comes."
    ),
    limit!(
        field_bytes_max, "65536", "a number of bytes" from 1024 to 1048576,
        "Largest part of an upload's form that is not the file."
    ),
    limit!(
        parts_max, "512" extended "4096", "a number" from 1 to 10000,
        "Parts of an upload's form: clients send metadata as one part a value."
    ),
    limit!(json_bytes_max, "65536", "a number of bytes" from 1024 to 16777216, "Largest JSON body."),
    limit!(
        pixels_max, "100000000", "a number of pixels" from 1 to 10000000000,
        "Pixels of an image, all frames of an animation together."
    ),
    limit!(
        side_max, "12000", "a number of pixels" from 1 to 65535,
        "Longest side of an image; of WebP, whose format ends at 16383, that."
    ),
    limit!(
        head_bytes_max, "65536", "a number of bytes" from 8192 to 1048576,
        "Largest head of a request: an id of 1024 characters, encoded, takes 12 KiB."
    ),
    wait!(
        fetch_wait, "fetch_wait_seconds", "30", 1 to 3600,
        "How long fetching a file by URL may take, redirects included."
    ),
    limit!(
        remote_file_bytes_max, "104857600", "a number of bytes" from 1 to 1073741824,
        "Largest file from elsewhere that is transformed; it is held in the memory of uploads meanwhile."
    ),
    limit!(redirects_max, "5", "a number" from 0 to 20, "Redirects that are followed on the way to a file."),
    limit!(
        fetches_max, "16" extended "3", "a number" from 1 to 10000,
        "Files fetched at the same time; further ones wait, and each holds file_bytes_max of upload_memory_bytes_max."
    ),
    limit!(
        connections_max, "4096", "a number" from 1 to 1000000,
        "Connections served at the same time; further ones wait to be accepted."
    ),
    limit!(
        streams_max, "100", "a number" from 1 to 10000,
        "Requests in progress on one HTTP/2 connection; those of all together are at most connections_max."
    ),
    limit!(
        upload_memory_bytes_max, "268435456" extended "536870912", "a number of bytes, more than file_bytes_max," from 1048576 to 1099511627776,
        "Memory of all uploads in progress together; further uploads wait."
    ),
    wait!(
        head_wait, "head_wait_seconds", "30", 1 to 3600,
        "How long a request's head may take to arrive, and a connection may wait for its next request."
    ),
    wait!(
        body_wait, "body_wait_seconds", "30", 1 to 3600,
        "How long a request's body may pause; a phone in a tunnel comes back sooner."
    ),
    wait!(
        body_time_max, "body_time_max_seconds", "600", 1 to 86400,
        "How long a request's body may take in all, however steadily it comes."
    ),
    wait!(
        upload_wait, "upload_wait_seconds", "30", 1 to 3600,
        "How long an upload may wait for memory that others hold."
    ),
    wait!(
        answer_wait, "answer_wait_seconds", "60", 1 to 3600,
        "How long an answer may wait for a client that does not take it."
    ),
    wait!(
        shutdown_wait, "shutdown_wait_seconds", "25", 0 to 3600,
        "How long a server that was told to stop lets accepted requests finish; less than its supervisor waits."
    ),
    Setting {
        key: "private_custom_ids",
        example: "false",
        has_default: true,
        extended: Some("true"),
        expected: "true or false",
        help: "Whether an image with a custom id may require signed URLs; Cloudflare refuses it.",
        secret: false,
        set: |settings, text| place(&mut settings.limits.private_custom_ids, text.parse().ok()),
    },
    Setting {
        key: "uuid_custom_ids",
        example: "false",
        has_default: true,
        extended: Some("true"),
        expected: "true or false",
        help: "Whether a custom id may be a UUID, so that images keep the ids they had elsewhere; Cloudflare refuses it.",
        secret: false,
        set: |settings, text| place(&mut settings.limits.uuid_custom_ids, text.parse().ok()),
    },
    limit!(
        variants_max, "100" extended "200", "a number" from 1 to 1000,
        "Variants of an account, each a URL in every image of a page; Cloudflare allows 100."
    ),
    limit!(
        rendition_memory_bytes_max, "67108864", "a number of bytes" from 0 to 1099511627776,
        "Renditions kept in memory; those that are asked for least make room."
    ),
    limit!(
        rendition_disk_bytes_max, "1073741824", "a number of bytes" from 0 to 1152921504606846976,
        "Renditions kept in the data folder, if originals are kept there; 0 is none."
    ),
    wait!(
        draft_life_min, "draft_life_min_seconds", "120" extended "1", 1 to 86400,
        "How far ahead the end of a one-time upload URL must be; Cloudflare demands 2 minutes."
    ),
    wait!(
        draft_life_max, "draft_life_max_seconds", "21600" extended "2592000", 1 to 31536000,
        "How far ahead it may be; Cloudflare allows 6 hours."
    ),
    limit!(
        render_workers_max, "0", "a number" from 0 to 1024,
        "Processes that render, each one picture at a time; 0 is one a core."
    ),
    limit!(
        render_queue_max, "256", "a number" from 0 to 100000,
        "Renderings that wait for a process; further ones are refused, with 503."
    ),
    wait!(
        render_wait_max, "render_wait_max_seconds", "10", 1 to 3600,
        "How long a rendering may wait for a process."
    ),
    wait!(
        render_time_max, "render_time_max_seconds", "20", 1 to 3600,
        "How long a rendering may take; then its process is killed."
    ),
    limit!(
        render_memory_bytes_max, "1073741824", "a number of bytes" from 67108864 to 1099511627776,
        "Memory that a process may take for a rendering; all processes together take this times their number."
    ),
    render_limit!(
        pixels_max, "render_pixels_max", "100000000", "a number of pixels" from 1 to 10000000000,
        "Pixels of an image that is rendered, all frames of an animation together."
    ),
    render_limit!(
        side_max, "render_side_max", "16383", "a number of pixels" from 1 to 65535,
        "Longest side of an image that is rendered."
    ),
    render_limit!(
        animation_pixels_max, "render_animation_pixels_max", "50000000", "a number of pixels" from 1 to 10000000000,
        "Pixels of an animation, all frames together, above which it is sent as it is."
    ),
    render_limit!(
        progressive_work_max, "render_progressive_work_max", "1000000000", "a number" from 1 to 1000000000000,
        "Pixels times scans of a progressive JPEG: a decoder goes over all pixels once for each scan."
    ),
    render_limit!(
        output_side_max, "render_output_side_max", "12000", "a number of pixels" from 1 to 65535,
        "Longest side of what is sent."
    ),
    render_limit!(
        output_pixels_max, "render_output_pixels_max", "100000000", "a number of pixels" from 1 to 10000000000,
        "Pixels of what is sent, all frames together."
    ),
    render_limit!(
        output_bytes_max, "render_output_bytes_max", "67108864", "a number of bytes" from 1024 to 4294967295,
        "Bytes of what is sent; the server holds as many for each process that renders."
    ),
    render_limit!(
        avif_side_max, "render_avif_side_max", "1200", "a number of pixels" from 1 to 65535,
        "Longest side that is made into AVIF; longer ones take seconds."
    ),
    render_limit!(
        svg_bytes_max, "render_svg_bytes_max", "33554432", "a number of bytes" from 1024 to 1073741824,
        "Bytes of an SVG, before and after it was made harmless."
    ),
];

impl Setting {
    /// Returns the setting with this key.
    pub fn by_key(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Returns the flag without its dashes.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Returns the environment variable.
    pub fn environment(&self) -> String {
        format!("DARKROOM_{}", self.key.to_uppercase())
    }

    /// Takes a value over into the settings.
    pub(super) fn apply(&self, settings: &mut Settings, text: &str) -> Result<(), Refusal> {
        (self.set)(settings, text)
    }
}

fn place<T>(slot: &mut T, value: Option<T>) -> Result<(), Refusal> {
    *slot = value.ok_or(Refusal::Malformed)?;
    Ok(())
}

/// Reads a whole number, written in digits only.
fn number<T: FromStr + PartialOrd>(text: &str, range: RangeInclusive<T>) -> Option<T> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && range.contains(number))
}

/// Reads networks separated by commas; nothing is none.
fn parse_networks(text: &str) -> Option<Vec<Network>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|network| Network::parse(network.trim())).collect()
}

fn parse_origins(text: &str) -> Option<Vec<AllowedOrigin>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|origin| origin.trim().parse().ok()).collect()
}

fn parse_site(text: &str) -> Option<SourceUrl> {
    let site = SourceUrl::parse(text).ok()?;
    let is_plain = site.credentials().is_none() && site.target() == "/" && !text.contains('#');
    is_plain.then_some(site)
}

/// Says whether a text can stand in an `Authorization` header (reference: api §1.2) and is worth guessing at.
pub(crate) fn is_bearer_token(text: &str) -> bool {
    (16..=256).contains(&text.len()) && is_token68(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, text: &str, expected: Result<(), Refusal>) {
        let setting = Setting::by_key(key).unwrap();
        assert_eq!(setting.apply(&mut Settings::default(), text), expected, "{key} = {text}");
    }

    #[test]
    fn names_follow_from_the_key() {
        let setting = Setting::by_key("public_url").unwrap();
        assert_eq!(
            (setting.flag(), setting.environment()),
            ("public-url".into(), "DARKROOM_PUBLIC_URL".into())
        );
    }

    #[test]
    fn values_are_judged() {
        check("admin_listen", "127.0.0.1:3536,[::1]:3536", Ok(()));
        check("admin_listen", "3536", Err(Refusal::Malformed));
        check("trusted_proxies", "10.0.0.0/8, ::1", Ok(()));
        check("trusted_proxies", "10.0.0.1/8", Err(Refusal::Malformed));
        check("trusted_proxies", "", Ok(()));
        check("log_addresses", "yes", Err(Refusal::Malformed));
        check("connections_max", "1", Ok(()));
        check("connections_max", "0", Err(Refusal::Malformed));
        check("connections_max", "many", Err(Refusal::Malformed));
        check("connections_max", "+5", Err(Refusal::Malformed));
        check("pixels_max", "10000000000", Ok(()));
        check("pixels_max", "10000000001", Err(Refusal::Malformed));
        check("head_wait_seconds", "5", Ok(()));
        check("head_wait_seconds", "0.5", Err(Refusal::Malformed));
        check("head_wait_seconds", "0", Err(Refusal::Malformed));
        check("catalog", "memory", Ok(()));
        check("catalog", "postgres://localhost/images", Err(Refusal::NotBuilt));
        check("originals", "s3://bucket", Err(Refusal::NotBuilt));
        check("compatibility", "extended", Ok(()));
        check("compatibility", "lax", Err(Refusal::Malformed));
        check("api_token", "short", Err(Refusal::Malformed));
        check("api_token", "sixteen letters!", Err(Refusal::Malformed));
        check("api_token", "0123456789abcdef==", Ok(()));
        check("account_id", "a/b", Err(Refusal::Malformed));
        check("data", "", Err(Refusal::Malformed));
        check("transform_origins", "", Ok(()));
        check("transform_origins", "a.example, *.b.example/public/", Ok(()));
        check("transform_origins", "https://a.example", Err(Refusal::Malformed));
        check("transform_site", "https://www.example.com", Ok(()));
        check("transform_site", "https://www.example.com/a", Err(Refusal::Malformed));
        check("transform_site", "https://me@www.example.com", Err(Refusal::Malformed));
        check("allow_private_sources", "", Ok(()));
        check("allow_private_sources", "127.0.0.0/8, ::1", Ok(()));
        check("allow_private_sources", "127.0.0.1/8", Err(Refusal::Malformed));
        check("allow_private_sources", "localhost", Err(Refusal::Malformed));
        check("allow_private_sources", "10.0.0.0/8,", Err(Refusal::Malformed));
    }

    #[test]
    fn every_limit_is_a_setting() {
        let fields = |limits: String| -> Vec<String> {
            let lines = limits.lines().filter_map(|line| line.trim().split_once(':'));
            lines.map(|(field, _)| field.to_owned()).collect()
        };
        let limits = darkroom_model::Limits::default();
        let of_rendering = fields(format!("{:#?}", limits.render));
        let mut all = fields(format!("{limits:#?}"));
        all.retain(|field| field != "render" && !of_rendering.contains(field));
        all.extend(of_rendering.into_iter().map(|field| format!("render_{field}")));
        // Limits of uploads with the same names, which were just taken out.
        all.extend(["pixels_max", "side_max"].map(str::to_owned));
        for field in all {
            let known = [field.clone(), format!("{field}_seconds")];
            assert!(known.iter().any(|key| Setting::by_key(key).is_some()), "no row for the limit '{field}'");
        }
    }
}
