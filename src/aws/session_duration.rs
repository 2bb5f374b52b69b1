//! Lists the session durations to request, the longest first.
//!
//! AWS does not say how long a role's sessions may be, so `web_identity` requests shorter ones until AWS accepts.

use std::time::Duration;

/// The limits of `DurationSeconds` in AssumeRoleWithWebIdentity.
pub(super) const MIN_SECONDS: u32 = 900;
const MAX_SECONDS: u32 = 43_200;

/// The duration of a session that only assumes the next role.
pub(super) const MIN_DURATION: Duration = Duration::from_secs(900);

/// The maxima that the AWS console offers for a role, and STS's minimum.
const STEPS: [u32; 6] = [43_200, 28_800, 14_400, 7_200, 3_600, MIN_SECONDS];

/// Lists first the duration that worked last time, if the profile still allows it, or else the configured duration;
/// then the usual shorter ones.
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
    fn durations_descend_from_the_configured_one() {
        assert_eq!(lengths(43_200, None), [43_200, 28_800, 14_400, 7_200, 3_600, 900]);
        assert_eq!(lengths(10_000, None), [10_000, 7_200, 3_600, 900]);
    }

    #[test]
    fn remembered_duration_comes_first_unless_too_long() {
        assert_eq!(lengths(43_200, Some(7_200)), [7_200, 3_600, 900]);
        assert_eq!(lengths(3_600, Some(7_200)), [3_600, 900]);
    }

    #[test]
    fn durations_stay_within_the_limits_of_sts() {
        assert_eq!(lengths(60, None), [900]);
        assert_eq!(lengths(60, Some(60)), [900]);
        assert_eq!(lengths(u64::MAX, Some(u32::MAX)).first(), Some(&43_200));
    }
}
