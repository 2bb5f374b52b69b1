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
            ("month", share(self.monthly_percent, self.monthly_tokens, self.monthly_limit)),
            ("day", share(self.daily_percent, self.daily_tokens, self.daily_limit)),
        ]
    }

    /// `83 % of this month's tokens, 12 % of this day's`; nothing where nothing is limited.
    pub fn describe_shares(&self) -> Option<String> {
        let said = self.percent_shares().into_iter().filter_map(|(span, share)| Some((span, share?)));
        let parts: Vec<_> = said
            .enumerate()
            .map(|(index, (span, share))| match index {
                0 => format!("{share:.0} % of this {span}'s tokens"),
                _ => format!("{share:.0} % of this {span}'s"),
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Whether the end is in sight.
    pub fn is_almost_spent(&self) -> bool {
        self.percent_shares().iter().any(|(_, share)| share.is_some_and(|share| share >= WARNING_PERCENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_spoken_as_stated_or_as_they_follow() {
        let stated = QuotaUsage { monthly_percent: Some(83.4), daily_percent: Some(12.0), ..QuotaUsage::default() };
        assert_eq!(stated.describe_shares().as_deref(), Some("83 % of this month's tokens, 12 % of this day's"));
        let counted = QuotaUsage { daily_tokens: Some(5.0), daily_limit: Some(10.0), ..QuotaUsage::default() };
        assert_eq!(counted.describe_shares().as_deref(), Some("50 % of this day's tokens"));
        assert_eq!(
            QuotaUsage { daily_limit: Some(0.0), daily_tokens: Some(1.0), ..QuotaUsage::default() }.describe_shares(),
            None
        );
    }

    #[test]
    fn the_end_is_in_sight_from_four_fifths_on() {
        let at = |percent| QuotaUsage { daily_percent: Some(percent), ..QuotaUsage::default() }.is_almost_spent();
        assert_eq!([at(79.9), at(80.0), at(130.0)], [false, true, true]);
    }
}
