//! What a call, a person or a month has used: tokens by kind, and money.
//!
//! All sums are integers. Money is counted in millionths of a US dollar, and rounded once, when a call is priced.

use std::{collections::BTreeMap, fmt, iter::Sum, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// An amount of money in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    pub const PER_USD: u64 = 1_000_000;

    /// The amount in dollars, for documents whose numbers are dollars. It is never used to calculate.
    #[expect(clippy::cast_precision_loss, reason = "a JSON number of dollars; the sums stay integers")]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / Self::PER_USD as f64
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, fraction) = (self.0 / Self::PER_USD, self.0 % Self::PER_USD);
        let fraction = format!("{fraction:06}");
        let digits = fraction.trim_end_matches('0');
        write!(f, "{dollars}.{digits:0<2} USD")
    }
}

/// Tokens by kind, as Bedrock reports and bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl TokenCounts {
    /// The tokens of the prompt, the cached ones included.
    pub fn count_prompt(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// What counts against a limit in tokens, in tenths of a token: tokens that were read from the prompt cache count
    /// one tenth, all others whole.
    pub fn weigh_in_tenths(&self) -> u128 {
        let whole = u128::from(self.input) + u128::from(self.output) + u128::from(self.cache_write);
        10 * whole + u128::from(self.cache_read)
    }
}

/// Tokens and their price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    #[serde(flatten)]
    pub tokens: TokenCounts,
    pub cost: MicroUsd,
}

impl AddAssign for Usage {
    /// Sums stop at the largest number instead of starting again at zero, so that a limit stays exceeded.
    fn add_assign(&mut self, other: Self) {
        let add = |sum: &mut u64, part: u64| *sum = sum.saturating_add(part);
        add(&mut self.tokens.input, other.tokens.input);
        add(&mut self.tokens.output, other.tokens.output);
        add(&mut self.tokens.cache_read, other.tokens.cache_read);
        add(&mut self.tokens.cache_write, other.tokens.cache_write);
        add(&mut self.cost.0, other.cost.0);
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum += part;
            sum
        })
    }
}

/// A model, and the account that was billed for it. As a text it is `123456789012/anthropic.claude-…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountModel {
    pub account: String,
    /// `modelId` of the invocation log: a model's id, or the ARN of an inference profile.
    pub model: String,
}

impl fmt::Display for AccountModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.model)
    }
}

impl From<AccountModel> for String {
    fn from(key: AccountModel) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for AccountModel {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let (account, model) = text.split_once('/').ok_or("the account is missing before the model")?;
        Ok(Self { account: account.to_owned(), model: model.to_owned() })
    }
}

/// Usage by account and model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelUsage(pub BTreeMap<AccountModel, Usage>);

impl ModelUsage {
    pub fn add(&mut self, key: &AccountModel, usage: Usage) {
        *self.0.entry(key.clone()).or_default() += usage;
    }

    /// The sum of all models.
    pub fn total(&self) -> Usage {
        self.0.values().copied().sum()
    }

    /// The sum of the models for which `selects` is true.
    pub fn total_of(&self, selects: impl Fn(&str) -> bool) -> Usage {
        self.0.iter().filter(|(key, _)| selects(&key.model)).map(|(_, usage)| *usage).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_in_dollars_with_at_least_two_digits() {
        let shown = |micro| MicroUsd(micro).to_string();
        assert_eq!(shown(0), "0.00 USD");
        assert_eq!(shown(1), "0.000001 USD");
        assert_eq!(shown(12_300_000), "12.30 USD");
        assert_eq!(shown(u64::MAX), "18446744073709.551615 USD");
    }

    #[test]
    fn tokens_from_the_cache_weigh_a_tenth() {
        let counts = TokenCounts { input: 1, output: 2, cache_read: 7, cache_write: 3 };
        assert_eq!(counts.weigh_in_tenths(), 67);
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let huge = Usage { cost: MicroUsd(u64::MAX), ..Usage::default() };
        let sum: Usage = [huge, huge].into_iter().sum();
        assert_eq!(sum.cost, MicroUsd(u64::MAX));
    }

    #[test]
    fn a_model_in_an_account_is_written_with_a_slash() {
        let text = "123456789012/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1";
        let key = AccountModel::try_from(text.to_owned()).unwrap();
        assert_eq!((key.account.as_str(), key.to_string().as_str()), ("123456789012", text));
        assert!(AccountModel::try_from("model".to_owned()).is_err());
    }

    #[test]
    fn usage_is_summed_by_account_and_model() {
        let tokens = |input| Usage { tokens: TokenCounts { input, ..TokenCounts::default() }, cost: MicroUsd(input) };
        let key = |account: &str, model: &str| AccountModel { account: account.to_owned(), model: model.to_owned() };
        let mut usage = ModelUsage::default();
        usage.add(&key("1", "opus"), tokens(2));
        usage.add(&key("2", "opus"), tokens(1));
        usage.add(&key("1", "haiku"), tokens(4));
        usage.add(&key("1", "opus"), tokens(5));
        assert_eq!(usage.0.len(), 3);
        assert_eq!(usage.total(), tokens(12));
        assert_eq!(usage.total_of(|model| model == "opus"), tokens(8));
    }
}
