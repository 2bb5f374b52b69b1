//! The usage that the quota service reports: how much of each limit the user has spent.
//!
//! This file also decides from which share on the user is warned; the callers print the warning.

use serde::{Deserialize, Serialize};

/// The program warns the user when this share of a limit is used.
const WARNING_PERCENT: f64 = 80.0;

/// The usage in an answer. Every number is optional, because services report different ones. Costs are in US dollars.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuotaUsage {
    pub hourly_tokens: Option<f64>,
    pub hourly_limit: Option<f64>,
    pub hourly_percent: Option<f64>,
    pub hourly_cost: Option<f64>,
    pub hourly_cost_limit: Option<f64>,
    pub monthly_tokens: Option<f64>,
    pub monthly_limit: Option<f64>,
    pub monthly_percent: Option<f64>,
    pub daily_tokens: Option<f64>,
    pub daily_limit: Option<f64>,
    pub daily_percent: Option<f64>,
    pub monthly_cost: Option<f64>,
    pub monthly_cost_limit: Option<f64>,
    pub daily_cost: Option<f64>,
    pub daily_cost_limit: Option<f64>,
}

// The numbers come from JSON, which has no NaN, so equality is reflexive as `Eq` requires.
impl Eq for QuotaUsage {}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuotaUnit {
    #[serde(rename = "tokens")]
    Tokens,
    #[serde(rename = "usd")]
    Dollars,
}

impl QuotaUnit {
    /// How much of a limit is used: `2.1 M of 5.0 M tokens`, `12.50 of 200.00 USD`.
    pub fn describe_use(self, used: f64, limit: f64) -> String {
        match self {
            Self::Tokens => format!("{} of {} tokens", format_tokens(used), format_tokens(limit)),
            Self::Dollars => format!("{used:.2} of {limit:.2} USD"),
        }
    }
}

/// One limit, as far as the service reported it.
struct LimitUsage {
    period: &'static str,
    unit: QuotaUnit,
    used: Option<f64>,
    limit: Option<f64>,
    percent: Option<f64>,
}

impl LimitUsage {
    /// The used share in percent: as the service states it, or else calculated. `None` without a limit.
    fn share(&self) -> Option<f64> {
        self.percent.or_else(|| Some(100.0 * self.used? / self.limit.filter(|limit| *limit > 0.0)?))
    }

    fn is_almost_spent(&self) -> bool {
        self.share().is_some_and(|share| share >= WARNING_PERCENT)
    }

    fn describe(&self) -> Option<String> {
        let (share, period) = (self.share()?, self.period);
        Some(match (self.used.zip(self.limit), self.unit) {
            (Some((used, limit)), unit) => {
                format!("{} {period} ({share:.0} %)", unit.describe_use(used, limit))
            }
            (None, QuotaUnit::Tokens) => format!("{share:.0} % of the tokens {period}"),
            (None, QuotaUnit::Dollars) => format!("{share:.0} % of the budget {period}"),
        })
    }
}

impl QuotaUsage {
    fn list_limits(&self) -> [LimitUsage; 6] {
        use QuotaUnit::{Dollars, Tokens};
        let limit =
            |period, unit, [used, limit, percent]: [Option<f64>; 3]| LimitUsage { period, unit, used, limit, percent };
        let (month, day, hour) = ("this month", "today", "this hour");
        [
            limit(month, Tokens, [self.monthly_tokens, self.monthly_limit, self.monthly_percent]),
            limit(day, Tokens, [self.daily_tokens, self.daily_limit, self.daily_percent]),
            limit(hour, Tokens, [self.hourly_tokens, self.hourly_limit, self.hourly_percent]),
            limit(month, Dollars, [self.monthly_cost, self.monthly_cost_limit, None]),
            limit(day, Dollars, [self.daily_cost, self.daily_cost_limit, None]),
            limit(hour, Dollars, [self.hourly_cost, self.hourly_cost_limit, None]),
        ]
    }

    /// The usage of each limit as text, such as `2.1 M of 2.0 M tokens this month (103 %)`; `None` if there is no limit.
    pub fn describe_shares(&self) -> Option<String> {
        let parts: Vec<String> = self.list_limits().iter().filter_map(LimitUsage::describe).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The same of those limits that are almost reached.
    pub fn describe_almost_spent(&self) -> Option<String> {
        let limits = self.list_limits();
        let parts: Vec<String> =
            limits.iter().filter(|limit| limit.is_almost_spent()).filter_map(LimitUsage::describe).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Whether one of the limits is almost reached.
    pub fn is_almost_spent(&self) -> bool {
        self.list_limits().iter().any(LimitUsage::is_almost_spent)
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
    fn cost_is_shown_in_dollars() {
        let cost = QuotaUsage { monthly_cost: Some(52.5), monthly_cost_limit: Some(50.0), ..QuotaUsage::default() };
        assert_eq!(cost.describe_shares().as_deref(), Some("52.50 of 50.00 USD this month (105 %)"));
        assert!(cost.is_almost_spent());
        let both = QuotaUsage { daily_percent: Some(12.0), ..cost };
        assert_eq!(both.describe_almost_spent().as_deref(), Some("52.50 of 50.00 USD this month (105 %)"));
    }

    #[test]
    fn usage_warning_begins_at_80_percent() {
        let at = |percent| QuotaUsage { daily_percent: Some(percent), ..QuotaUsage::default() }.is_almost_spent();
        assert_eq!([at(79.9), at(80.0), at(130.0)], [false, true, true]);
    }
}
