//! How often someone may call (reference: api §1.5). Off unless the operator says how often.
//!
//! Each token and each address has a window that begins with its first call; calls beyond the number are refused until
//! the window ends. What is kept is bounded: of more callers than [`CALLERS_MAX`] some begin anew before their time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use darkroom_api::ApiError;
use darkroom_model::ApiToken;
use http::HeaderName;

use super::respond;
use super::server::Response;
use crate::settings::Rate;

/// Callers of one kind that are counted at the same time: some 4 MB.
const CALLERS_MAX: usize = 1 << 16;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The counts of a server.
pub(crate) struct RateLimits {
    of_tokens: Option<Counts>,
    of_addresses: Option<Counts>,
}

impl RateLimits {
    /// Counts where there is a rate.
    pub(crate) fn new(token_rate: Option<Rate>, address_rate: Option<Rate>) -> RateLimits {
        let counts = |name| move |rate| Counts { name, rate, windows: Mutex::default() };
        RateLimits {
            of_tokens: token_rate.map(counts("default")),
            of_addresses: address_rate.map(counts("address")),
        }
    }
}

/// The counts that one request met, for the headers of its answer.
pub(crate) struct RequestRates<'l> {
    limits: &'l RateLimits,
    of_token: OnceLock<Standing>,
    of_address: OnceLock<Standing>,
}

impl<'l> RequestRates<'l> {
    /// Begins a request, which nothing has counted yet.
    pub(crate) fn new(limits: &'l RateLimits) -> RequestRates<'l> {
        RequestRates { limits, of_token: OnceLock::new(), of_address: OnceLock::new() }
    }

    /// Counts the client's address; 429 if it has called too often.
    pub(crate) fn count_address(&self, address: IpAddr) -> Result<(), ApiError> {
        let caller = address_key(address);
        count(self.limits.of_addresses.as_ref(), caller, &self.of_address)
    }

    /// Counts a token that is known; 429 if it has called too often.
    pub(crate) fn count_token(&self, token: &ApiToken) -> Result<(), ApiError> {
        let mut caller = [0; 16];
        caller.copy_from_slice(&token.secret_hash[..16]);
        count(self.limits.of_tokens.as_ref(), u128::from_be_bytes(caller), &self.of_token)
    }

    /// Tells the caller where it stands: what remains and until when, and what the rule is.
    pub(crate) fn tell(&self, response: &mut Response) {
        let standings: Vec<&Standing> =
            self.of_token.get().into_iter().chain(self.of_address.get()).collect();
        if standings.is_empty() {
            return;
        }
        let list = |write: fn(&Standing) -> String| {
            standings.iter().map(|standing| write(standing)).collect::<Vec<_>>().join(", ")
        };
        let now = |s: &Standing| format!("\"{}\";r={};t={}", s.name, s.remaining, seconds(s.reset));
        let rule =
            |s: &Standing| format!("\"{}\";q={};w={}", s.name, s.rate.requests, s.rate.window.as_secs());
        respond::set_made(response, RATELIMIT, &list(now));
        respond::set_made(response, RATELIMIT_POLICY, &list(rule));
    }
}

/// Counts a call, if calls are counted, and puts down where its caller stands.
fn count(counts: Option<&Counts>, caller: u128, place: &OnceLock<Standing>) -> Result<(), ApiError> {
    let Some(counts) = counts else { return Ok(()) };
    let standing = counts.take(caller, Instant::now());
    let (is_refused, reset) = (standing.is_refused, standing.reset);
    // A call is counted once.
    let _ = place.set(standing);
    if is_refused { Err(ApiError::rate_limited(seconds(reset))) } else { Ok(()) }
}

/// Returns whole seconds, rounded up, so that who waits for them has waited long enough.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Returns what stands for an address. Whoever has an address of IPv6 usually has all of its /64.
fn address_key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// The windows of all callers of one kind.
struct Counts {
    name: &'static str,
    rate: Rate,
    windows: Mutex<Windows>,
}

#[derive(Default)]
struct Windows {
    of_callers: HashMap<u128, Window>,
    cleared: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Window {
    began: Instant,
    requests: u32,
}

/// Where a caller stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Standing {
    name: &'static str,
    rate: Rate,
    remaining: u32,
    reset: Duration,
    is_refused: bool,
}

impl Counts {
    /// Counts a call.
    fn take(&self, caller: u128, now: Instant) -> Standing {
        let Counts { name, rate, .. } = *self;
        let mut windows = self.windows.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let window = windows.of(caller, now, rate.window);
        let is_refused = window.requests >= rate.requests;
        if !is_refused {
            window.requests += 1;
        }
        let remaining = rate.requests - window.requests;
        let reset = rate.window.saturating_sub(now.saturating_duration_since(window.began));
        Standing { name, rate, remaining, reset, is_refused }
    }
}

impl Windows {
    /// Returns the window of a caller, a new one if there is none or it has ended.
    fn of(&mut self, caller: u128, now: Instant, length: Duration) -> &mut Window {
        let has_ended = |window: &Window| now.saturating_duration_since(window.began) >= length;
        if self.of_callers.len() >= CALLERS_MAX && !self.of_callers.contains_key(&caller) {
            self.make_room(now, has_ended);
        }
        let new = Window { began: now, requests: 0 };
        let window = self.of_callers.entry(caller).or_insert(new);
        if has_ended(window) {
            *window = new;
        }
        window
    }

    /// Forgets the windows that have ended, at most once in a second, else some other window.
    fn make_room(&mut self, now: Instant, has_ended: impl Fn(&Window) -> bool) {
        let is_due = |cleared| now.saturating_duration_since(cleared) >= Duration::from_secs(1);
        if self.cleared.is_none_or(is_due) {
            self.cleared = Some(now);
            self.of_callers.retain(|_, window| !has_ended(window));
        }
        if self.of_callers.len() >= CALLERS_MAX
            && let Some(&other) = self.of_callers.keys().next()
        {
            self.of_callers.remove(&other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u32, seconds: u64) -> Counts {
        let rate = Rate { requests, window: Duration::from_secs(seconds) };
        Counts { name: "default", rate, windows: Mutex::default() }
    }

    #[test]
    fn calls_beyond_the_number_are_refused_until_the_window_ends() {
        let (counts, began) = (counts(2, 60), Instant::now());
        let check = |caller, seconds, remaining, reset, is_refused| {
            let standing = counts.take(caller, began + Duration::from_secs(seconds));
            let found = (standing.remaining, standing.reset.as_secs(), standing.is_refused);
            assert_eq!(found, (remaining, reset, is_refused), "{caller} after {seconds} s");
        };
        check(1, 0, 1, 60, false);
        check(1, 10, 0, 50, false);
        check(1, 20, 0, 40, true);
        check(2, 20, 1, 60, false);
        check(1, 59, 0, 1, true);
        check(1, 60, 1, 60, false);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (counts, began) = (counts(1, 60), Instant::now());
        for caller in 0..CALLERS_MAX as u128 + 1000 {
            assert!(!counts.take(caller, began).is_refused);
        }
        assert_eq!(counts.windows.lock().unwrap().of_callers.len(), CALLERS_MAX);
        // What has ended goes first.
        let later = began + Duration::from_secs(61);
        counts.take(u128::MAX, later);
        assert_eq!(counts.windows.lock().unwrap().of_callers.len(), 1);
    }

    #[test]
    fn addresses_that_one_client_has_are_one() {
        let key = |text: &str| address_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, expected) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
    }
}
