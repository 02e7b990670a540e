//! Images from elsewhere, transformed: who may be asked, what is remembered of the answer, and the bytes that it becomes
//! (reference: delivery §9).
//!
//! A rendition goes by the hash of its source's content, as those of hosted images do; so what is kept survives a restart
//! and is never that of an older source. What has to be remembered besides is which content a URL had, and for how long
//! that may be believed.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use darkroom_model::source_url::Scheme;
use darkroom_model::{AllowedOrigin, Limits, RenderLimits, SourceUrl, Timestamp};
use darkroom_transform::{Probe, Rendered, probe};
use quick_cache::sync::Cache;

use crate::fetch::{Errand, Fetched};
use crate::rendering::RenderPlan;
use crate::renditions::{Flights, MakingTimes, Rendition, Served};
use crate::service::Stores;
use crate::{DeliverError, Service};

/// Sources that are remembered; one takes about a kilobyte.
const KNOWN_MAX: usize = 4_096;
/// How long a source is believed at least, whatever its origin says, unless it insists (reference: delivery §10).
const FRESH_SECONDS_MIN: u64 = 3_600;
/// How long at most: a month.
const FRESH_SECONDS_MAX: u64 = 31 * 86_400;

/// Whose images are transformed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TransformOptions {
    /// The origins whose images may be named by URL.
    pub origins: Vec<AllowedOrigin>,
    /// The site that this server stands before, whose images may be named by path.
    pub site: Option<SourceUrl>,
    /// Whether a source may be `http`.
    pub allows_http: bool,
}

impl TransformOptions {
    /// Says whether anything is transformed at all.
    pub fn is_on(&self) -> bool {
        self.site.is_some() || !self.origins.is_empty()
    }

    /// Returns the URL of a path of the own site.
    pub fn of_site(&self, path: &str) -> Result<SourceUrl, DeliverError> {
        let site = self.site.as_ref().ok_or(DeliverError::OriginNotAllowed)?;
        site.join(path).map_err(|_| DeliverError::OriginNotAllowed)
    }

    /// Checks that the images of a URL may be transformed.
    pub fn check(&self, source: &SourceUrl) -> Result<(), DeliverError> {
        let is_own = self.site.as_ref().is_some_and(|site| site.is_same_origin(source));
        let is_allowed = is_own || self.origins.iter().any(|origin| origin.allows(source));
        if is_allowed { Ok(()) } else { Err(DeliverError::OriginNotAllowed) }
    }
}

impl fmt::Debug for TransformOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = self.site.as_ref().map(SourceUrl::authority);
        f.debug_struct("TransformOptions").field("origins", &self.origins).field("site", &site).finish()
    }
}

/// What is remembered of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSource {
    /// The hash of what it had.
    pub content_hash: [u8; 32],
    /// What its origin said of keeping it.
    pub cache_control: Option<String>,
    /// Its origin's entity tag.
    pub etag: Option<String>,
    fresh_until: Timestamp,
}

impl KnownSource {
    /// For how many seconds its origin says that it may be kept, if it does.
    pub fn told_seconds(&self) -> Option<u64> {
        told_seconds(self.cache_control.as_deref()?)
    }
}

/// A rendition of an image from elsewhere.
#[derive(Clone, Debug)]
pub struct Transformed {
    /// The rendition.
    pub served: Served,
    /// Its source.
    pub source: Arc<KnownSource>,
}

/// The sources of one service.
pub(crate) struct Sources {
    options: TransformOptions,
    known: Cache<[u8; 32], Arc<KnownSource>>,
    flights: Flights<Transformed>,
}

impl Sources {
    pub(crate) fn new(options: TransformOptions) -> Sources {
        Sources { options, known: Cache::new(KNOWN_MAX), flights: Flights::default() }
    }
}

impl Service {
    /// Returns whose images are transformed.
    pub fn transform_options(&self) -> &TransformOptions {
        &self.stores.sources.options
    }

    /// Returns what is known of a source, if it may still be believed.
    pub fn known_source(&self, url: &SourceUrl) -> Option<Arc<KnownSource>> {
        let known = self.stores.sources.known.get(&url_hash(url))?;
        (known.fresh_until > self.stores.clock.now()).then_some(known)
    }

    /// Returns what a plan makes of an image from elsewhere, which [`TransformOptions::check`] allowed. Its origin is not
    /// asked as long as what it said last may be believed and the rendition is there.
    pub async fn transformed(&self, url: &SourceUrl, plan: &RenderPlan) -> Result<Transformed, DeliverError> {
        let stores = &self.stores;
        if let Some(source) = self.known_source(url)
            && let Some(served) = stores.renditions.find(plan.name(&source.content_hash)).await
        {
            return Ok(Transformed { served, source });
        }
        let flight = plan.name(&url_hash(url));
        let (own, url, plan) = (Arc::clone(stores), url.clone(), plan.clone());
        stores.sources.flights.join(flight, || own.fetch_and_render(url, plan)).await
    }
}

impl Stores {
    /// Fetches a source, remembers what it was, and renders it unless that was done before.
    async fn fetch_and_render(
        self: Arc<Self>,
        url: SourceUrl,
        plan: RenderPlan,
    ) -> Result<Transformed, DeliverError> {
        let began = Instant::now();
        let place = self.fetches.acquire().await.map_err(|_| DeliverError::Unavailable)?;
        let bytes_max = self.limits.remote_file_bytes_max;
        // Held until the rendition is there. Whoever renders waits for no memory, so that nobody waits in a circle.
        let _memory = self.reserve_memory(bytes_max).await?;
        let fetched = self.fetcher.fetch(&url, Errand::transformation(bytes_max)).await;
        drop(place);
        let Fetched { bytes, cache_control, etag } = fetched.map_err(DeliverError::Fetch)?;
        let fetch = began.elapsed();
        self.render_workers.fetched_in(fetch);
        let Looked { content_hash, probe } = look(bytes.clone(), self.limits).await?;
        let fresh_until = fresh_until(self.clock.now(), cache_control.as_deref());
        let source = Arc::new(KnownSource { content_hash, cache_control, etag, fresh_until });
        self.sources.known.insert(url_hash(&url), Arc::clone(&source));
        let (stores, name) = (Arc::clone(&self), plan.name(&content_hash));
        let making = async move {
            if let Some(probe) = probe.filter(|probe| plan.sends_source_as_is(probe)) {
                let times = MakingTimes { fetch, ..MakingTimes::default() };
                return Ok((Rendition::as_is(&probe, bytes), times));
            }
            let began = Instant::now();
            let place = stores.render_workers.place().await?;
            let placed = Instant::now();
            let Rendered { facts, bytes } = place.render(bytes, &plan.request).await?;
            let times = MakingTimes { queue: placed - began, fetch, render: placed.elapsed() };
            Ok((Rendition { facts, bytes: bytes.into() }, times))
        };
        let served = self.renditions.get_or_make(name, || making).await?;
        Ok(Transformed { served, source })
    }
}

/// What a look at a source showed.
struct Looked {
    content_hash: [u8; 32],
    /// `None` for what is no image, which the renderer says better why.
    probe: Option<Probe>,
}

/// Looks at a source on a thread that may take its time.
async fn look(bytes: Bytes, limits: Limits) -> Result<Looked, DeliverError> {
    let RenderLimits { pixels_max, side_max, .. } = limits.render;
    let limits = Limits { pixels_max, side_max, ..limits };
    let look =
        move || Looked { content_hash: *blake3::hash(&bytes).as_bytes(), probe: probe(&bytes, &limits).ok() };
    tokio::task::spawn_blocking(look).await.map_err(|error| DeliverError::Internal(Arc::new(error)))
}

/// What a source is remembered by; URLs may hold secrets.
fn url_hash(url: &SourceUrl) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("darkroom source");
    let scheme: &[u8] = match url.scheme() {
        Scheme::Http => b"http",
        Scheme::Https => b"https",
    };
    hasher.update(scheme).update(b" ").update(url.authority().as_bytes()).update(b" ");
    *hasher.update(url.target().as_bytes()).finalize().as_bytes()
}

/// Returns until when a source is believed: as long as its origin says, but for an hour at least, unless its origin
/// insists on being asked (reference: delivery §10; that `no-store` and `private` insist too is our own rule).
fn fresh_until(now: Timestamp, cache_control: Option<&str>) -> Timestamp {
    let text = cache_control.unwrap_or_default();
    let told = told_seconds(text).unwrap_or(0).min(FRESH_SECONDS_MAX);
    let insists = directives(text).any(|directive| {
        ["must-revalidate", "no-store", "private"].iter().any(|name| directive.eq_ignore_ascii_case(name))
    });
    let fresh = if insists { told } else { told.max(FRESH_SECONDS_MIN) };
    Timestamp(now.0 + fresh * 1_000)
}

fn directives(cache_control: &str) -> impl Iterator<Item = &str> {
    cache_control.split(',').map(str::trim)
}

/// For how many seconds a shared cache may keep something.
fn told_seconds(cache_control: &str) -> Option<u64> {
    let seconds = |name: &str| {
        directives(cache_control).find_map(|directive| {
            let (found, value) = directive.split_once('=')?;
            let is_meant = found.trim().eq_ignore_ascii_case(name);
            value.trim().trim_matches('"').parse().ok().filter(|_| is_meant)
        })
    };
    seconds("s-maxage").or_else(|| seconds("max-age"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_believed_as_long_as_its_origin_says_and_for_an_hour_at_least() {
        for (cache_control, seconds) in [
            (None, 3_600),
            (Some("max-age=60"), 3_600),
            (Some("public, max-age=7200"), 7_200),
            (Some("max-age=7200, s-maxage=\"10000\""), 10_000),
            (Some("MAX-AGE = 99999999999"), 31 * 86_400),
            (Some("max-age=-5, no-cache"), 3_600),
            (Some("max-age=60, Must-Revalidate"), 60),
            (Some("no-store"), 0),
            (Some("private, max-age=5"), 5),
        ] {
            let until = fresh_until(Timestamp(500), cache_control);
            assert_eq!(until, Timestamp(500 + seconds * 1_000), "{cache_control:?}");
        }
    }

    #[test]
    fn the_own_site_is_allowed_and_so_is_what_is_listed() {
        let url = |text: &str| SourceUrl::parse(text).unwrap();
        let options = TransformOptions {
            origins: vec!["images.example.com".parse().unwrap()],
            site: Some(url("https://www.example.com/")),
            allows_http: false,
        };
        assert!(options.of_site("/a.jpg?v=2").unwrap() == url("https://www.example.com/a.jpg?v=2"));
        assert!(options.check(&url("https://www.example.com/b")).is_ok());
        assert!(options.check(&url("https://images.example.com/b")).is_ok());
        assert!(options.check(&url("https://example.com/b")).is_err());
        assert!(options.check(&url("http://www.example.com/b")).is_err());
        let off = TransformOptions::default();
        assert!(!off.is_on() && off.of_site("/a.jpg").is_err() && off.check(&url("https://a.b/")).is_err());
    }

    #[test]
    fn urls_are_remembered_apart() {
        let hash = |text: &str| url_hash(&SourceUrl::parse(text).unwrap());
        assert_eq!(hash("https://a.example/b"), hash("https://A.example:443/b#c"));
        let others = [
            "http://a.example/b",
            "https://a.example:8443/b",
            "https://a.example/b?c",
            "https://b.example/b",
        ];
        for other in others {
            assert_ne!(hash("https://a.example/b"), hash(other), "{other}");
        }
    }
}
