//! Session lengths worth asking for, longest first.
//!
//! It counts; AWS decides.

use std::time::Duration;

/// What STS grants at least and at most (`DurationSeconds` of AssumeRoleWithWebIdentity).
pub(super) const MIN_SECONDS: u32 = 900;
const MAX_SECONDS: u32 = 43_200;

/// For a session that only leads on to another.
pub(super) const MIN_DURATION: Duration = Duration::from_secs(900);

/// The maxima that the console offers for a role, and the least that STS takes.
const STEPS: [u32; 6] = [43_200, 28_800, 14_400, 7_200, 3_600, MIN_SECONDS];

/// First what worked before, if that still is within what is wanted; else the wanted length; then the usual ones below.
pub(super) fn list_durations(wanted: Duration, remembered: Option<u32>) -> impl Iterator<Item = u32> {
    let wanted = u32::try_from(wanted.as_secs()).unwrap_or(MAX_SECONDS).clamp(MIN_SECONDS, MAX_SECONDS);
    let first = remembered.filter(|seconds| (MIN_SECONDS..=wanted).contains(seconds)).unwrap_or(wanted);
    std::iter::once(first).chain(STEPS.into_iter().filter(move |seconds| *seconds < first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(wanted: u64, remembered: Option<u32>) -> Vec<u32> {
        list_durations(Duration::from_secs(wanted), remembered).collect()
    }

    #[test]
    fn lengths_go_down_from_the_wanted_one() {
        assert_eq!(lengths(43_200, None), [43_200, 28_800, 14_400, 7_200, 3_600, 900]);
        assert_eq!(lengths(10_000, None), [10_000, 7_200, 3_600, 900]);
    }

    #[test]
    fn what_worked_before_goes_first_unless_less_is_wanted_now() {
        assert_eq!(lengths(43_200, Some(7_200)), [7_200, 3_600, 900]);
        assert_eq!(lengths(3_600, Some(7_200)), [3_600, 900]);
    }

    #[test]
    fn what_sts_never_grants_is_never_asked() {
        assert_eq!(lengths(60, None), [900]);
        assert_eq!(lengths(60, Some(60)), [900]);
        assert_eq!(lengths(u64::MAX, Some(u32::MAX)).first(), Some(&43_200));
    }
}
