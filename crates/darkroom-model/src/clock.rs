//! Time and chance as arguments, so that tests decide both.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ImageId;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The last moment that can be written with four digits of year: 9999-12-31T23:59:59.999Z.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// Reads `YYYY-MM-DDTHH:MM:SS.mmmZ`, the form that [`Timestamp`] is written in.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
        let fits = |(byte, shape): (&u8, &u8)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        };
        if bytes.len() != shape.len() || !bytes.iter().zip(shape).all(fits) {
            return None;
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second, milli) =
            (number(11..13)?, number(14..16)?, number(17..19)?, number(20..23)?);
        if year < 1970 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let timestamp = Timestamp((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli);
        // A day that the month does not have comes back as another day.
        (timestamp.to_string() == text).then_some(timestamp)
    }

    /// Reads a moment as RFC 3339 writes it: any offset, any number of fraction digits, of which three count.
    /// `None` for what is none, and for what lies before 1970.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let (date_time, rest) = text.split_at_checked(19)?;
        let shape = |(index, byte): (usize, u8)| match index {
            4 | 7 => byte == b'-',
            10 => matches!(byte, b'T' | b't'),
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        };
        if !date_time.bytes().enumerate().all(shape) {
            return None;
        }
        let (fraction, zone) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(rest.find(|digit: char| !digit.is_ascii_digit())?),
            None => ("000", rest),
        };
        let zone_millis = zone_millis(zone).filter(|_| !fraction.is_empty())?;
        // A leap second is the one after it.
        let (date_minute, second) = date_time.split_at(17);
        let (second, leap) = if second == "60" { ("59", 1000) } else { (second, 0) };
        let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
        let (date, time) = date_minute.split_at(10);
        let local = Timestamp::parse(&format!("{date}T{}{second}.{millis}Z", &time[1..]))?;
        u64::try_from(local.0 as i64 + leap - zone_millis).ok().map(Timestamp)
    }
}

/// Reads `Z` or `+HH:MM`, as milliseconds ahead of UTC.
fn zone_millis(text: &str) -> Option<i64> {
    let (sign, offset) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|_| is_number)
    };
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// RFC 3339 in UTC with three fraction digits (reference: api §1.8).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.min(Timestamp::MAX.0);
        let (year, month, day) = civil_from_days(millis / 86_400_000);
        let second = millis / 1000 % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            millis % 1000
        )
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present moment. It may go backwards; whoever needs order must see to it.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What chance brings: ids, keys and secrets.
pub trait Ids: Send + Sync + 'static {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);

    /// Returns the id of a new image.
    fn image_id(&self) -> ImageId {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        ImageId::generated(bytes)
    }
}

impl dyn Ids {
    /// Returns bytes that nobody can guess.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's source of randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for chance")]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no secret can be made, and no later moment would be better.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_written_with_milliseconds() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_826_154_123, "2000-02-29T12:09:14.123Z"),
            (1_643_646_988_458, "2022-01-31T16:36:28.458Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(millis)));
        }
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn moments_of_any_offset_and_fraction_are_read() {
        for (text, utc) in [
            ("2026-01-01T00:30:00Z", "2026-01-01T00:30:00.000Z"),
            ("2026-01-01t00:30:00z", "2026-01-01T00:30:00.000Z"),
            ("2026-01-01T00:30:00.5Z", "2026-01-01T00:30:00.500Z"),
            ("2026-01-01T00:30:00.1239999999+00:00", "2026-01-01T00:30:00.123Z"),
            ("2026-01-01T00:30:00-00:00", "2026-01-01T00:30:00.000Z"),
            ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"),
            ("2025-12-31T18:30:00.25-05:30", "2026-01-01T00:00:00.250Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Timestamp::parse(utc), "{text}");
        }
        for text in [
            "",
            "soon",
            "2026-01-01",
            "2026-01-01T00:30:00",
            "2026-01-01T00:30Z",
            "2026-01-01 00:30:00Z",
            "2026-02-29T00:30:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:30:00.Z",
            "2026-01-01T00:30:00.5",
            "2026-01-01T00:30:00+1:00",
            "2026-01-01T00:30:00+0100",
            "2026-01-01T00:30:00+24:00",
            "2026-01-01T00:30:00+00:60",
            "2026-01-01T00:30:00++1:00",
            "2026-01-01T00:30:00Zx",
            "2026-01-01T00:30:00é",
            "1970-01-01T00:00:00+00:01",
            "é026-01-01T00:30:00Z",
            "1767225600",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "2023-02-29T00:00:00.000Z",
            "2023-13-01T00:00:00.000Z",
            "2023-00-01T00:00:00.000Z",
            "2023-01-00T00:00:00.000Z",
            "2023-01-01T24:00:00.000Z",
            "2023-01-01 00:00:00.000Z",
            "2023-01-01T00:00:00Z",
            "é023-01-01T00:00:00.00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_returns(millis in 0..=Timestamp::MAX.0) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(millis).to_string()), Some(Timestamp(millis)));
        }
    }
}
