//! How much was spent of how much, as the service counts.
//!
//! Numbers only; when somebody is warned is decided here, and how, elsewhere.

use serde::{Deserialize, Serialize};

/// From this share on a person is warned.
const WARNING_PERCENT: f64 = 80.0;

/// What the service tells besides yes or no. Any part may be missing.
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

impl Eq for QuotaUsage {}

impl QuotaUsage {
    /// Shares in per cent, of the month and of the day: as stated, else as they follow.
    fn percent_shares(&self) -> [(&'static str, Option<f64>); 2] {
        let share = |percent: Option<f64>, tokens: Option<f64>, limit: Option<f64>| {
            percent.or_else(|| Some(100.0 * tokens? / limit.filter(|limit| *limit > 0.0)?))
        };
        [
            ("this month", share(self.monthly_percent, self.monthly_tokens, self.monthly_limit)),
            ("today", share(self.daily_percent, self.daily_tokens, self.daily_limit)),
        ]
    }

    /// The usage in words, such as "1.9 M of 2.0 M tokens this month (95 %), 12 % of the tokens today". A period without numbers
    /// appears with its share only. `None` if no period has a limit.
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

    /// Whether the end is in sight.
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
    fn shares_are_spoken_as_stated_or_as_they_follow() {
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
    fn the_end_is_in_sight_from_four_fifths_on() {
        let at = |percent| QuotaUsage { daily_percent: Some(percent), ..QuotaUsage::default() }.is_almost_spent();
        assert_eq!([at(79.9), at(80.0), at(130.0)], [false, true, true]);
    }
}
