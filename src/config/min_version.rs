//! The oldest version of this program that may work with the administrator's file.
//!
//! Judged before the file's keys are, so that a newer file's new keys do not hide it.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{error::ConfigFault, keys::ConfigKey, parsers};

pub(super) const MIN_VERSION: &str = "min_version";

const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Up to three numbers; a part that is left out is zero. `None` when left empty.
pub(super) fn parse_min_version(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<Option<[u64; 3]>, ConfigFault> {
    let text = parsers::parse_text(key, value)?;
    let rule = "not a version, such as 1.4.0";
    if text.is_empty() {
        Ok(None)
    } else {
        parse_version(&text).map(Some).ok_or_else(|| parsers::reject_value(key, value, rule))
    }
}

fn parse_version(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut slots = numbers.iter_mut();
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        *slots.next()? = part.parse().ok().filter(|_| is_number)?;
    }
    Some(numbers)
}

/// Where a newer version is wanted, at the top of the file or in a profile.
pub(super) fn check_min_version(table: &DeTable<'_>) -> Option<(usize, ConfigFault)> {
    let profiles = match table.get("profiles").map(Spanned::get_ref) {
        Some(DeValue::Table(profiles)) => Some(profiles),
        _ => None,
    };
    let profiles = profiles.into_iter().flat_map(|profiles| profiles.values());
    let inside = profiles.filter_map(|profile| match profile.get_ref() {
        DeValue::Table(profile) => profile.get(MIN_VERSION),
        _ => None,
    });
    table.get(MIN_VERSION).into_iter().chain(inside).find_map(|value| {
        let wanted = value.get_ref().as_str()?;
        let is_older = parse_version(PROGRAM_VERSION)? < parse_version(wanted)?;
        is_older.then(|| {
            (
                value.span().start,
                ConfigFault::ProgramTooOld { required: wanted.to_owned(), own: PROGRAM_VERSION },
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_has_up_to_three_numbers() {
        assert_eq!(
            [parse_version("1"), parse_version("1.2"), parse_version("1.2.3")],
            [Some([1, 0, 0]), Some([1, 2, 0]), Some([1, 2, 3])]
        );
        assert!(parse_version("1.10.0") > parse_version("1.9.9"));
        for bad in ["", "1.", "v1", "1.2.3.4", "1.2.3-rc1", "+1"] {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
        assert!(parse_version(PROGRAM_VERSION).is_some());
    }
}
