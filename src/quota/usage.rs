//! The usage that the quota service reports: how much of each limit the user has spent.
//!
//! This file also decides from which share on the user is warned; the callers print the warning.

use serde::{Deserialize, Serialize};

/// The program warns the user when this share of a limit is used.
const WARNING_PERCENT: f64 = 80.0;

/// The usage in an answer. Every number is optional, because services report different ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuotaUsage {
    pub monthly_tokens: Option<f64>,
    pub monthly_limit: Option<f64>,
    pub monthly_percent: Option<f64>,
    pub daily_tokens: Option<f64>,
    pub daily_limit: Option<f64>,
    pub daily_percent: Option<f64>,
}

// The numbers come from JSON, which has no NaN, so equality is reflexive as `Eq` requires.
impl Eq for QuotaUsage {}

impl QuotaUsage {
    /// The shares of the monthly and the daily limit in percent: as the service states them, or else calculated from
    /// tokens and limit. `None` without a limit.
    fn percent_shares(&self) -> [(&'static str, Option<f64>); 2] {
        let share = |percent: Option<f64>, tokens: Option<f64>, limit: Option<f64>| {
            percent.or_else(|| Some(100.0 * tokens? / limit.filter(|limit| *limit > 0.0)?))
        };
        [
            ("this month", share(self.monthly_percent, self.monthly_tokens, self.monthly_limit)),
            ("today", share(self.daily_percent, self.daily_tokens, self.daily_limit)),
        ]
    }

    /// The shares as text, such as `83 % of this month's tokens, 12 % of this day's`; `None` if there is no limit.
    pub fn describe_shares(&self) -> Option<String> {
        let counts = [self.monthly_tokens.zip(self.monthly_limit), self.daily_tokens.zip(self.daily_limit)];
        let known = self.percent_shares().into_iter().zip(counts);
        let parts: Vec<_> = known
            .filter_map(|((period, share), counts)| Some((period, share?, counts)))
            .map(|(period, share, counts)| match counts {
                Some((used, limit)) => {
                    format!("{} of {} tokens {period} ({share:.0} %)", format_tokens(used), format_tokens(limit))
                }
                None => format!("{share:.0} % of the tokens {period}"),
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Whether one of the limits is almost reached.
    pub fn is_almost_spent(&self) -> bool {
        self.percent_shares().iter().any(|(_, share)| share.is_some_and(|share| share >= WARNING_PERCENT))
    }
}

/// A number of tokens, short enough for a sentence: "950", "12 k", "2.1 M".
fn format_tokens(count: f64) -> String {
    match count {
        _ if count >= 1_000_000.0 => format!("{:.1} M", count / 1_000_000.0),
        _ if count >= 10_000.0 => format!("{:.0} k", count / 1000.0),
        _ => format!("{count:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_stated_or_calculated() {
        let stated = QuotaUsage { monthly_percent: Some(83.4), daily_percent: Some(12.0), ..QuotaUsage::default() };
        assert_eq!(
            stated.describe_shares().as_deref(),
            Some("83 % of the tokens this month, 12 % of the tokens today")
        );
        let counted = QuotaUsage { daily_tokens: Some(5.0), daily_limit: Some(10.0), ..QuotaUsage::default() };
        assert_eq!(counted.describe_shares().as_deref(), Some("5 of 10 tokens today (50 %)"));
        assert_eq!(
            QuotaUsage { daily_limit: Some(0.0), daily_tokens: Some(1.0), ..QuotaUsage::default() }.describe_shares(),
            None
        );
    }

    #[test]
    fn large_token_counts_are_shortened() {
        let month = QuotaUsage {
            monthly_tokens: Some(2_060_000.0),
            monthly_limit: Some(2_000_000.0),
            daily_tokens: Some(61_400.0),
            daily_limit: Some(100_000.0),
            ..QuotaUsage::default()
        };
        let text = "2.1 M of 2.0 M tokens this month (103 %), 61 k of 100 k tokens today (61 %)";
        assert_eq!(month.describe_shares().as_deref(), Some(text));
    }

    #[test]
    fn usage_warning_begins_at_80_percent() {
        let at = |percent| QuotaUsage { daily_percent: Some(percent), ..QuotaUsage::default() }.is_almost_spent();
        assert_eq!([at(79.9), at(80.0), at(130.0)], [false, true, true]);
    }
}
