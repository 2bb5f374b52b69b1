//! Compares the version of this program with the `min_version` of the administrator's file.
//!
//! With this key an administrator makes sure that no outdated program ignores a rule that it does not know yet.

use super::error::ConfigFault;

const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Parses a version of one to three numbers, such as `1.4`. Missing numbers are zero.
pub fn parse_version(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut slots = numbers.iter_mut();
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        *slots.next()? = part.parse().ok().filter(|_| is_number)?;
    }
    Some(numbers)
}

/// The fault if this program is older than the required version. `None` if it is not, and for a text that is not a
/// version, which the parser of the key reports.
pub(super) fn check_own_version(required: &str) -> Option<ConfigFault> {
    let is_older = parse_version(PROGRAM_VERSION)? < parse_version(required)?;
    is_older.then(|| ConfigFault::ProgramTooOld { required: required.to_owned(), own: PROGRAM_VERSION })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_has_one_to_three_numbers() {
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
