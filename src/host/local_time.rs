//! Formats moments in the user's time zone, for messages. JSON, logs and stored records use UTC.
//!
//! The system or the variable `TZ` names the zone. `TZ` can also name a file, and an untrusted repository that sets the
//! environment could name an endless one. So the program uses only values that cannot leave the system's folder of time
//! zones.

use chrono::Local;

use super::Environment;
use crate::time::Timestamp;

/// Formats a moment to the minute, as `2026-11-20 23:46`, or in UTC, as `2026-11-20T22:46:17Z`, if `TZ` is unsafe.
pub fn format_local_time(moment: Timestamp, environment: &Environment) -> String {
    if environment.var_os("TZ").is_some_and(|zone| !zone.to_str().is_some_and(is_zone_name)) {
        return moment.to_string();
    }
    moment.to_utc().with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

/// Returns whether the value of `TZ` is a name in the system's folder of time zones, for example `Europe/Berlin`, or a
/// rule, for example `CET-1CEST,M3.5.0,M10.5.0/3`.
fn is_zone_name(zone: &str) -> bool {
    zone.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '<') && !zone.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zone_that_names_a_file_is_not_used() {
        let moment = Timestamp::from_unix(1_795_258_500);
        for zone in [":/dev/zero", "/dev/zero", ":Europe/Berlin", "Europe/../../../dev/zero", "../dev/zero"] {
            assert_eq!(format_local_time(moment, &Environment::fixed([("TZ", zone)])), moment.to_string(), "{zone}");
        }
        for zone in ["Europe/Berlin", "JST-9", "<+03>-3", "CET-1CEST,M3.5.0,M10.5.0/3"] {
            let text = format_local_time(moment, &Environment::fixed([("TZ", zone)]));
            assert_eq!(text.len(), "2026-11-20 23:46".len(), "{zone}: {text}");
        }
    }
}
