//! Points in time with a resolution of one second, as ID tokens, AWS and HTTP use them.
//!
//! Only `host` reads the clock; all other code receives the time as a value, so that tests can choose it.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A point in time: seconds since 1970 in UTC. It can be negative, and arithmetic never overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The first second of the year 0 and the last of the year 9999.
const MIN_UNIX: i64 = -62_167_219_200;
const MAX_UNIX: i64 = 253_402_300_799;

impl Timestamp {
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// Reads an HTTP `Date` header (RFC 9110 §5.6.7).
    pub fn from_http_date(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc2822(text).ok().map(|date| Self(date.timestamp()))
    }

    /// Reads a time such as `2026-11-30T12:00:00Z` (RFC 3339).
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|date| Self(date.timestamp()))
    }

    /// The time from `earlier` until this moment; zero if `earlier` is later.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The time as a `chrono` date, for libraries that use this type. A date has a year of four digits (RFC 3339), so
    /// earlier and later times become the first or the last such date.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.clamp(MIN_UNIX, MAX_UNIX), 0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_utc().format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// A duration for messages, in at most two units: `11 h 59 min`, `40 s`. From ten minutes on seconds are omitted.
pub fn format_duration(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=59 => format!("{seconds} s"),
        seconds @ 60..=3599 if seconds % 60 == 0 || seconds >= 600 => format!("{} min", seconds / 60),
        seconds @ 60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_has_the_format_of_aws() {
        assert_eq!(Timestamp::from_unix(0).to_string(), "1970-01-01T00:00:00Z");
        for end in [253_402_300_799, 253_402_300_800, i64::MAX] {
            assert_eq!(Timestamp::from_unix(end).to_string(), "9999-12-31T23:59:59Z");
        }
        assert_eq!(Timestamp::from_unix(i64::MIN).to_string(), "0000-01-01T00:00:00Z");
    }

    #[test]
    fn http_date_is_parsed() {
        assert_eq!(Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_unix(784_111_777)));
        assert_eq!(Timestamp::from_http_date("yesterday"), None);
    }

    #[test]
    fn duration_has_two_units_at_most() {
        let spoken = |seconds| format_duration(Duration::from_secs(seconds));
        assert_eq!([spoken(40), spoken(60), spoken(75), spoken(700)], ["40 s", "1 min", "1 min 15 s", "11 min"]);
        assert_eq!([spoken(3600), spoken(43_140)], ["1 h", "11 h 59 min"]);
    }
}
