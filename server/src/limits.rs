//! Limits, temporary grants and blocks, as an administrator sets them. `standing` decides which of them hold.

use std::{fmt, str::FromStr};

use bedrock_sso::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::Period,
    person::Person,
    usage::{MicroUsd, Usage},
};

/// For whom a limit is. A limit of a group is a limit of each of its members, not of their sum.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "identifier", rename_all = "snake_case")]
pub enum Scope {
    Person(Person),
    Group(String),
    Default,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Tokens,
    Usd,
}

/// A number of tokens, or an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    Tokens(u64),
    Usd(MicroUsd),
}

/// What happens at a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The person gets no more credentials, and live sessions are refused.
    Block,
    /// The person gets a warning.
    Warn,
}

impl Action {
    /// The name in documents and in attributes of notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Warn => "warn",
        }
    }
}

/// What identifies a limit: to set a limit with the same key replaces it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LimitKey {
    pub scope: Scope,
    /// A pattern over `modelId` of the invocation log, such as `*claude-opus*`; `None` for all models together.
    pub model: Option<String>,
    pub period: Period,
    pub unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub scope: Scope,
    pub model: Option<String>,
    pub period: Period,
    /// Zero means that nothing is allowed.
    pub amount: Amount,
    pub action: Action,
}

impl Limit {
    pub fn key(&self) -> LimitKey {
        LimitKey { scope: self.scope.clone(), model: self.model.clone(), period: self.period, unit: self.amount.unit() }
    }
}

/// A temporary exception, which raises a person's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub person: Person,
    pub since: Timestamp,
    pub until: Timestamp,
    /// By how much the limits of this unit are raised; `None` for no limit at all.
    pub amount: Option<Amount>,
    pub reason: String,
}

/// A person who may not spend, whatever the limits say. A block outranks a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub person: Person,
    pub since: Timestamp,
    /// `None` until somebody ends it.
    pub until: Option<Timestamp>,
    pub reason: Option<String>,
}

impl Grant {
    pub fn holds_at(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl Block {
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Amount {
    pub fn unit(self) -> Unit {
        match self {
            Self::Tokens(_) => Unit::Tokens,
            Self::Usd(_) => Unit::Usd,
        }
    }

    pub fn is_zero(self) -> bool {
        matches!(self, Self::Tokens(0) | Self::Usd(MicroUsd(0)))
    }

    /// Whether this usage has reached the amount.
    pub fn is_reached_by(self, usage: &Usage) -> bool {
        match self {
            Self::Tokens(limit) => usage.tokens.weigh_in_tenths() >= 10 * u128::from(limit),
            Self::Usd(limit) => usage.cost >= limit,
        }
    }
}

/// The text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAmount;

impl std::error::Error for NotAnAmount {}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount is a number of tokens, such as 200k or 5M, or an amount of money, such as 200USD")
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads `5M`, `200k` or `1500` (tokens), or `200USD` and `12.50USD`. Fractions finer than what is counted are
    /// refused, not rounded.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let parsed = match text.strip_suffix("USD") {
            Some(dollars) => parse_decimal(dollars, 6).map(|micro| Self::Usd(MicroUsd(micro))),
            None => {
                let (number, digits) = match text.strip_suffix('M') {
                    Some(millions) => (millions, 6),
                    None => text.strip_suffix('k').map_or((text, 0), |thousands| (thousands, 3)),
                };
                parse_decimal(number, digits).map(Self::Tokens)
            }
        };
        parsed.ok_or(NotAnAmount)
    }
}

/// A decimal number times ten to the power of `digits`; `None` if that is no whole number.
pub(crate) fn parse_decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let fraction_value = fraction.trim_end_matches('0');
    if !is_number(whole) || !is_number(fraction) || fraction_value.len() > digits {
        return None;
    }
    format!("{whole}{fraction_value:0<digits$}").parse().ok()
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens(count) => write!(f, "{count} tokens"),
            Self::Usd(money) => write!(f, "{money}"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "{person}"),
            Self::Group(group) => write!(f, "group {group}"),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::TokenCounts;

    #[test]
    fn amounts_are_exact() {
        let amount = |text: &str| text.parse::<Amount>();
        assert_eq!(amount("5M"), Ok(Amount::Tokens(5_000_000)));
        assert_eq!(amount("1.5M"), Ok(Amount::Tokens(1_500_000)));
        assert_eq!(amount("200k"), Ok(Amount::Tokens(200_000)));
        assert_eq!(amount("0"), Ok(Amount::Tokens(0)));
        assert_eq!(amount("200USD"), Ok(Amount::Usd(MicroUsd(200_000_000))));
        assert_eq!(amount("12.50USD"), Ok(Amount::Usd(MicroUsd(12_500_000))));
        assert_eq!(amount("0USD"), Ok(Amount::Usd(MicroUsd(0))));
        let largest = format!("{}", u64::MAX);
        assert_eq!(amount(&largest), Ok(Amount::Tokens(u64::MAX)));
        for wrong in
            ["", "M", "USD", "-1", "+1", "1.5", "1.0001k", "0.0000001USD", "1e3", "5 M", "5m", "5usd", "1.USD", ".5M"]
        {
            assert_eq!(amount(wrong), Err(NotAnAmount), "{wrong}");
        }
        assert_eq!(amount(&format!("{}0", u64::MAX)), Err(NotAnAmount));
    }

    #[test]
    fn a_limit_is_reached_when_the_usage_equals_it() {
        let used = |input, cache_read, cost| Usage {
            tokens: TokenCounts { input, cache_read, ..TokenCounts::default() },
            cost: MicroUsd(cost),
        };
        assert!(!Amount::Tokens(10).is_reached_by(&used(9, 9, 0)));
        assert!(Amount::Tokens(10).is_reached_by(&used(9, 10, 0)));
        assert!(!Amount::Usd(MicroUsd(5)).is_reached_by(&used(0, 0, 4)));
        assert!(Amount::Usd(MicroUsd(5)).is_reached_by(&used(0, 0, 5)));
        assert!(Amount::Tokens(0).is_reached_by(&Usage::default()));
    }

    #[test]
    fn blocks_and_grants_end() {
        let person = Person::parse("alice").unwrap();
        let [before, end] = [99, 100].map(Timestamp::from_unix);
        let since = Timestamp::from_unix(0);
        let grant = Grant { person: person.clone(), since, until: end, amount: None, reason: String::new() };
        assert!(grant.holds_at(before) && !grant.holds_at(end));
        let block = |until| Block { person: person.clone(), since, until, reason: None };
        assert!(block(Some(end)).holds_at(before) && !block(Some(end)).holds_at(end));
        assert!(block(None).holds_at(end));
    }
}
