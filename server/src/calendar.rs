//! When hours, days and months begin and end, in the organization's time zone.

use std::{fmt, str::FromStr};

use bedrock_sso::time::Timestamp;
use jiff::{
    ToSpan as _, Unit, Zoned, ZonedRound,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

/// The time after which a limit starts again from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Hour,
    Day,
    Month,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// One hour, day or month. Its text is the key under which the stores count, such as `2026-11-30T14+01:00`,
/// `2026-11-30` or `2026-11`. An hour has the offset from UTC in it, because one hour of the year occurs twice where
/// clocks are set back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeriodKey {
    pub period: Period,
    pub text: String,
}

impl fmt::Display for PeriodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The organization's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar(TimeZone);

/// The text names no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownZone;

impl FromStr for Calendar {
    type Err = UnknownZone;

    /// Reads a name such as `UTC` or `Europe/Berlin`.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone)
    }
}

impl Calendar {
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The hour, day or month that contains this moment.
    pub fn key_of(&self, period: Period, moment: Timestamp) -> PeriodKey {
        let local = self.local(moment);
        let text = match period {
            Period::Hour => local.strftime("%Y-%m-%dT%H%:z"),
            Period::Day => local.strftime("%Y-%m-%d"),
            Period::Month => local.strftime("%Y-%m"),
        };
        PeriodKey { period, text: text.to_string() }
    }

    /// The month of a text such as `2026-11`; `None` for every other text.
    pub fn parse_month(text: &str) -> Option<PeriodKey> {
        let well_formed = text.len() == 7 && Date::strptime("%Y-%m-%d", format!("{text}-01")).is_ok();
        well_formed.then(|| PeriodKey { period: Period::Month, text: text.to_owned() })
    }

    /// The days of a month, in their order.
    pub fn days_of(&self, month: &PeriodKey) -> Vec<PeriodKey> {
        let Some(first) = first_day(month) else { return Vec::new() };
        let day = |day: Date| PeriodKey { period: Period::Day, text: day.strftime("%Y-%m-%d").to_string() };
        (0..first.days_in_month()).filter_map(|days| first.checked_add(days.days()).ok()).map(day).collect()
    }

    /// The month before; `None` before the first one of the calendar.
    pub fn month_before(&self, month: &PeriodKey) -> Option<PeriodKey> {
        let before = first_day(month)?.checked_sub(1.month()).ok()?;
        Some(PeriodKey { period: Period::Month, text: before.strftime("%Y-%m").to_string() })
    }

    /// When the hour, day or month that contains this moment ends.
    pub fn end_of(&self, period: Period, moment: Timestamp) -> Timestamp {
        let local = self.local(moment);
        let end = match period {
            // Hours are added in absolute time, so that an hour that occurs twice counts as two.
            Period::Hour => local
                .round(ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc))
                .and_then(|start| start.checked_add(jiff::SignedDuration::from_hours(1))),
            Period::Day => local.tomorrow().and_then(|day| day.start_of_day()),
            Period::Month => {
                local.last_of_month().and_then(|last| last.tomorrow()).and_then(|first| first.start_of_day())
            }
        };
        // Only the end of the year 9999 has no following period.
        end.map_or(moment, |end| Timestamp::from_unix(end.timestamp().as_second()))
    }

    /// The moment as people of the organization write it, with the zone: `2026-12-01 00:00 Europe/Berlin`.
    pub fn describe(&self, moment: Timestamp) -> String {
        let local = self.local(moment);
        match self.0.iana_name() {
            Some(zone) => format!("{} {zone}", local.strftime("%Y-%m-%d %H:%M")),
            None => local.strftime("%Y-%m-%d %H:%M %:z").to_string(),
        }
    }

    /// Reads a time: `2026-12-01T08:00:00Z`, or `2026-12-01T09:00` and `2026-12-01` in this zone. A day is its beginning.
    /// Where clocks are set forward, a time that does not exist is the one after it.
    pub fn parse_time(&self, text: &str) -> Option<Timestamp> {
        let local = || {
            let time = Date::strptime("%Y-%m-%d", text).map(|day| day.to_datetime(Time::midnight()));
            let time = time.or_else(|_| DateTime::strptime("%Y-%m-%dT%H:%M", text)).ok()?;
            let instant = self.0.to_ambiguous_timestamp(time).compatible().ok()?;
            Some(Timestamp::from_unix(instant.as_second()))
        };
        Timestamp::from_rfc3339(text).or_else(local)
    }

    fn local(&self, moment: Timestamp) -> Zoned {
        let instant = jiff::Timestamp::from_second(moment.unix_seconds()).unwrap_or_default();
        instant.to_zoned(self.0.clone())
    }
}

/// The first day of a month; `None` if the text is not that of a month.
fn first_day(month: &PeriodKey) -> Option<Date> {
    Date::strptime("%Y-%m-%d", format!("{}-01", month.text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_rfc3339(text).unwrap()
    }

    fn keys(zone: &str, moment: &str) -> [String; 3] {
        let calendar: Calendar = zone.parse().unwrap();
        Period::ALL.map(|period| calendar.key_of(period, at(moment)).text)
    }

    fn ends(zone: &str, moment: &str) -> [String; 3] {
        let calendar: Calendar = zone.parse().unwrap();
        Period::ALL.map(|period| calendar.end_of(period, at(moment)).to_string())
    }

    #[test]
    fn periods_are_those_of_the_zone() {
        assert_eq!(keys("UTC", "2026-11-30T23:59:59Z"), ["2026-11-30T23+00:00", "2026-11-30", "2026-11"]);
        assert_eq!(keys("Europe/Berlin", "2026-11-30T23:00:00Z"), ["2026-12-01T00+01:00", "2026-12-01", "2026-12"]);
        assert_eq!(keys("Asia/Kolkata", "2026-11-30T18:29:59Z"), ["2026-11-30T23+05:30", "2026-11-30", "2026-11"]);
    }

    #[test]
    fn periods_end_when_the_zone_begins_the_next() {
        assert_eq!(
            ends("UTC", "2026-12-31T23:10:00Z"),
            ["2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]
        );
        assert_eq!(
            ends("Asia/Kolkata", "2028-02-28T18:40:00Z"),
            ["2028-02-28T19:30:00Z", "2028-02-29T18:30:00Z", "2028-02-29T18:30:00Z"]
        );
    }

    #[test]
    fn moments_are_described_in_the_zone() {
        let moment = at("2026-11-30T23:00:00Z");
        assert_eq!("Europe/Berlin".parse::<Calendar>().unwrap().describe(moment), "2026-12-01 00:00 Europe/Berlin");
        assert_eq!(Calendar::utc().describe(moment), "2026-11-30 23:00 UTC");
    }

    #[test]
    fn an_hour_that_occurs_twice_counts_as_two() {
        let (first, second) = ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
        assert_eq!(keys("Europe/Berlin", first)[0], "2026-10-25T02+02:00");
        assert_eq!(keys("Europe/Berlin", second)[0], "2026-10-25T02+01:00");
        assert_eq!(ends("Europe/Berlin", first)[0], "2026-10-25T01:00:00Z");
        assert_eq!(ends("Europe/Berlin", second)[0], "2026-10-25T02:00:00Z");
    }

    #[test]
    fn a_day_of_23_hours_ends_at_the_next_midnight() {
        assert_eq!(ends("Europe/Berlin", "2026-03-29T00:30:00Z")[1], "2026-03-29T22:00:00Z");
    }

    #[test]
    fn times_are_those_of_the_zone_unless_they_say_otherwise() {
        let berlin: Calendar = "Europe/Berlin".parse().unwrap();
        let read = |text: &str| berlin.parse_time(text).map(|time| time.to_string());
        assert_eq!(read("2026-12-01T08:00:00Z").unwrap(), "2026-12-01T08:00:00Z");
        assert_eq!(read("2026-12-01T08:00:00+05:30").unwrap(), "2026-12-01T02:30:00Z");
        assert_eq!(read("2026-12-01T09:00").unwrap(), "2026-12-01T08:00:00Z");
        assert_eq!(read("2026-07-01").unwrap(), "2026-06-30T22:00:00Z");
        assert_eq!(read("2026-03-29T02:30").unwrap(), "2026-03-29T01:30:00Z");
        for wrong in ["tomorrow", "", "2026-13-01", "2026-12-01 09:00", "12:00", "1h"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_month_has_its_days_and_one_before_it() {
        let calendar = Calendar::utc();
        let month = |text: &str| Calendar::parse_month(text).unwrap();
        let days = calendar.days_of(&month("2028-02"));
        assert_eq!((days.len(), days[0].text.as_str(), days[28].text.as_str()), (29, "2028-02-01", "2028-02-29"));
        assert_eq!(calendar.days_of(&month("2026-12")).len(), 31);
        assert_eq!(calendar.month_before(&month("2026-01")), Some(month("2025-12")));
    }

    #[test]
    fn months_are_four_digits_and_two() {
        assert_eq!(Calendar::parse_month("2026-11").unwrap().text, "2026-11");
        for wrong in ["2026-13", "2026-1", "26-11", "2026-11-30", "now", ""] {
            assert_eq!(Calendar::parse_month(wrong), None, "{wrong}");
        }
        assert_eq!("Europe/Nowhere".parse::<Calendar>(), Err(UnknownZone));
    }
}
