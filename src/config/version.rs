//! The oldest version of this program that may work with the administrator's file.
//!
//! Judged before the file's keys are, so that a newer file's new keys do not hide it.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{error::Fault, key::Key, read};

pub(super) const KEY: &str = "min_version";

const OWN: &str = env!("CARGO_PKG_VERSION");

/// Up to three numbers; a part that is left out is zero. `None` when left empty.
pub(super) fn read(key: &Key, value: &DeValue<'_>) -> Result<Option<[u64; 3]>, Fault> {
    let text = read::text(key, value)?;
    let rule = "not a version, such as 1.4.0";
    if text.is_empty() {
        Ok(None)
    } else {
        parse(&text).map(Some).ok_or_else(|| read::illegal(key, value, rule))
    }
}

fn parse(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut slots = numbers.iter_mut();
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        *slots.next()? = part.parse().ok().filter(|_| is_number)?;
    }
    Some(numbers)
}

/// Where a newer version is wanted, at the top of the file or in a profile.
pub(super) fn too_old(table: &DeTable<'_>) -> Option<(usize, Fault)> {
    let profiles = match table.get("profiles").map(Spanned::get_ref) {
        Some(DeValue::Table(profiles)) => Some(profiles),
        _ => None,
    };
    let profiles = profiles.into_iter().flat_map(|profiles| profiles.values());
    let inside = profiles.filter_map(|profile| match profile.get_ref() {
        DeValue::Table(profile) => profile.get(KEY),
        _ => None,
    });
    table.get(KEY).into_iter().chain(inside).find_map(|value| {
        let wanted = value.get_ref().as_str()?;
        let is_older = parse(OWN)? < parse(wanted)?;
        is_older.then(|| (value.span().start, Fault::TooOld { wanted: wanted.to_owned(), own: OWN }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_has_up_to_three_numbers() {
        assert_eq!(
            [parse("1"), parse("1.2"), parse("1.2.3")],
            [Some([1, 0, 0]), Some([1, 2, 0]), Some([1, 2, 3])]
        );
        assert!(parse("1.10.0") > parse("1.9.9"));
        for bad in ["", "1.", "v1", "1.2.3.4", "1.2.3-rc1", "+1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(parse(OWN).is_some());
    }
}
