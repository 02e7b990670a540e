//! What a client shows of itself in its request that images are made for (reference: delivery §4.2, §5.3).

use darkroom_service::{Accepts, Viewer};
use http::{HeaderMap, HeaderName, header};

const VIEWPORT_WIDTH: HeaderName = HeaderName::from_static("sec-ch-viewport-width");
const PIXEL_RATIO: HeaderName = HeaderName::from_static("sec-ch-dpr");

/// The headers that [`auto_width`] looks at, for `Vary`.
pub(crate) const SCREEN_HEADERS: &str = "sec-ch-viewport-width, sec-ch-dpr, user-agent";

const ROUND_TRIP: HeaderName = HeaderName::from_static("rtt");
const DOWNLINK: HeaderName = HeaderName::from_static("downlink");
const SAVE_DATA: HeaderName = HeaderName::from_static("save-data");
const CONNECTION_TYPE: HeaderName = HeaderName::from_static("ect");

/// The headers that [`is_slow`] looks at, for `Vary`.
pub(crate) const LINE_HEADERS: &str = "rtt, save-data, ect, downlink";

/// The widths that an image has where its width is left to the screen, in pixels.
const BREAKPOINTS: [u32; 4] = [320, 768, 960, 1200];
/// Of those, what is sent to a client of a kind that says no more.
const MOBILE: u32 = 320;
const TABLET: u32 = 768;
const DESKTOP: u32 = 960;

/// Reads the head of a request.
pub(crate) fn viewer(headers: &HeaderMap) -> Viewer {
    let accepts = Accepts { avif: accepts(headers, "image/avif"), webp: accepts(headers, "image/webp") };
    Viewer { accepts, auto_width: auto_width(headers), is_slow: is_slow(headers) }
}

/// Says whether a client calls its line slow, in any of the ways in which it may (reference: delivery §4.3).
fn is_slow(headers: &HeaderMap) -> bool {
    let hint = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let is_long = hint(ROUND_TRIP).and_then(number).is_some_and(|milliseconds| milliseconds > 150.0);
    let is_narrow = hint(DOWNLINK).and_then(number).is_some_and(|megabits| megabits < 5.0);
    let saves = hint(SAVE_DATA).is_some_and(|value| value.eq_ignore_ascii_case("on"));
    let is_old = hint(CONNECTION_TYPE).is_some_and(|kind| matches!(kind, "slow-2g" | "2g" | "3g"));
    is_long || is_narrow || saves || is_old
}

/// Says whether `Accept` names this type and does not rule it out with `q=0`. A wildcard is no support: every program
/// sends it. A weight that cannot be read is none.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_meant = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim_end().eq_ignore_ascii_case("q").then(|| value.trim_start())
        });
        is_meant
            && weight.is_none_or(|weight| number(weight).is_some_and(|weight| weight > 0.0 && weight <= 1.0))
    })
}

/// Returns the smallest width that fills the client's screen, else the largest; where the client does not say how wide
/// its screen is, the width for its kind.
fn auto_width(headers: &HeaderMap) -> u32 {
    let hint = |name: &HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        number(value.trim()).filter(|number| *number > 0.0)
    };
    let Some(viewport) = hint(&VIEWPORT_WIDTH) else { return width_by_kind(headers) };
    let wanted = viewport * hint(&PIXEL_RATIO).unwrap_or(1.0);
    let fills = |width: &u32| f64::from(*width) >= wanted;
    BREAKPOINTS.into_iter().find(fills).unwrap_or(BREAKPOINTS[BREAKPOINTS.len() - 1])
}

/// Tells phones, tablets and the rest apart as browsers' makers advise: only phones say `Mobi`.
fn width_by_kind(headers: &HeaderMap) -> u32 {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match agent {
        agent if agent.contains("iPad") || agent.contains("Tablet") => TABLET,
        agent if agent.contains("Mobi") => MOBILE,
        agent if agent.contains("Android") => TABLET,
        _ => DESKTOP,
    }
}

/// Reads a number of digits with perhaps a point: neither a sign nor an exponent.
fn number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(sent: &[(&'static str, &str)]) -> HeaderMap {
        sent.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[track_caller]
    fn check_accept(lists: &[&str], avif: bool, webp: bool) {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(header::ACCEPT, list.parse().unwrap());
        }
        assert_eq!(viewer(&headers).accepts, Accepts { avif, webp }, "{lists:?}");
    }

    #[test]
    fn only_a_type_that_is_named_is_accepted() {
        check_accept(&[], false, false);
        check_accept(&["*/*"], false, false);
        check_accept(&["image/*,*/*;q=0.8"], false, false);
        check_accept(&["image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"], true, true);
        check_accept(&["text/html", "image/webp"], false, true);
        check_accept(&["Image/WebP ; q=0.1 , IMAGE/AVIF;Q=1.0"], true, true);
        check_accept(&["image/avif-sequence,ximage/webp,image/webpx"], false, false);
        check_accept(&["image/avif;q=0,image/webp;q=0.000"], false, false);
        check_accept(&["image/avif;level=1;q=0,image/webp;level=q"], false, true);
        check_accept(&["image/avif;q=high,image/webp;q=-1"], false, false);
        check_accept(&["image/avif;q=1e9,image/webp;q="], false, false);
        check_accept(&["image/avif;q=,,;;,image/webp;"], false, true);
    }

    #[track_caller]
    fn check_width(sent: &[(&'static str, &str)], expected: u32) {
        assert_eq!(viewer(&headers(sent)).auto_width, expected, "{sent:?}");
    }

    #[test]
    fn a_screen_that_is_told_is_filled() {
        for (viewport, ratio, expected) in [
            ("1", "1", 320),
            ("320", "1", 320),
            ("321", "1", 768),
            ("320", "2", 768),
            ("384", "2.0", 768),
            ("393", "2.625", 1200),
            ("960", "1", 960),
            ("961", "1", 1200),
            ("5000", "3", 1200),
            ("300", "nonsense", 320),
            ("300", "-2", 320),
            ("300", "0", 320),
        ] {
            check_width(&[("sec-ch-viewport-width", viewport), ("sec-ch-dpr", ratio)], expected);
        }
        check_width(&[("sec-ch-viewport-width", "400")], 768);
        for nonsense in ["", "0", "-5", "1e3", "NaN", "inf", "wide"] {
            check_width(&[("sec-ch-viewport-width", nonsense)], 960);
        }
        check_width(&[("sec-ch-dpr", "2")], 960);
    }

    #[test]
    fn a_line_is_slow_if_anything_says_so() {
        for (name, value, expected) in [
            ("rtt", "150", false),
            ("rtt", "151", true),
            ("rtt", "long", false),
            ("downlink", "5", false),
            ("downlink", "4.9", true),
            ("save-data", "On", true),
            ("save-data", "off", false),
            ("ect", "3g", true),
            ("ect", "4g", false),
        ] {
            assert_eq!(viewer(&headers(&[(name, value)])).is_slow, expected, "{name}: {value}");
        }
        assert!(!viewer(&HeaderMap::new()).is_slow);
        assert!(viewer(&headers(&[("ect", "4g"), ("save-data", "on")])).is_slow);
    }

    #[test]
    fn otherwise_the_kind_of_client_decides() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1",
                320,
            ),
            ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120.0 Mobile Safari/537.36", 320),
            ("Mozilla/5.0 (Linux; Android 14; SM-X700) Chrome/120.0 Safari/537.36", 768),
            ("Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) Version/12.0 Mobile/15A5341f Safari/604.1", 768),
            ("Mozilla/5.0 (Android 14; Tablet; rv:120.0) Gecko/120.0 Firefox/120.0", 768),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", 960),
            ("curl/8.5.0", 960),
        ] {
            check_width(&[("user-agent", agent)], expected);
        }
    }
}
