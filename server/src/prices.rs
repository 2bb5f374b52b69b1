//! What a call costs.
//!
//! A list has one row for each pattern of models; the first row that matches counts. The list that ships with the
//! program stands in `prices.toml`, and an administrator can replace it.

use bedrock_sso::time::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use wildmatch::WildMatch;

use crate::{
    limits::parse_decimal,
    usage::{MicroUsd, TokenCounts},
};

/// The list that ships with the program.
const SHIPPED: &str = include_str!("prices.toml");

/// A list of prices, with its date.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    pub date: String,
    /// Where the prices come from.
    pub source: String,
    #[serde(default)]
    price: Vec<Price>,
}

/// The prices of the models that match a pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A pattern over `modelId` of the invocation log, in which `*` stands for any text.
    pub model: String,
    /// The row is only for calls with at least so many tokens in the prompt, the cached ones included.
    #[serde(default)]
    pub min_prompt_tokens: u64,
    /// The row is only for calls on this day and later ones.
    #[serde(default)]
    pub from: FirstDay,
    pub input: Rate,
    pub output: Rate,
    pub cache_read: Rate,
    pub cache_write: Rate,
}

/// The first day, in UTC, on which a price holds, as `2026-12-01`. Without one, the price holds on every day.
///
/// AWS changes its prices at midnight UTC, whatever the organization's time zone is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FirstDay(String);

/// US dollars for a million tokens, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

/// The price of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedCall {
    pub cost: MicroUsd,
    /// No row matches the model, so each kind of token costs as much as the dearest known one.
    pub is_unknown_model: bool,
}

impl PriceList {
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).expect("a test parses the list that ships with the program")
    }

    /// Parses a list. The error is one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.message().replace('\n', " "))?;
        match list.price.is_empty() {
            true => Err("a price list needs at least one [[price]]".to_owned()),
            false => Ok(list),
        }
    }

    pub fn rows(&self) -> &[Price] {
        &self.price
    }

    /// The price of a call of this model at this time, whenever its record arrives.
    pub fn price_call(&self, model: &str, tokens: &TokenCounts, time: Timestamp) -> PricedCall {
        let prompt = tokens.count_prompt();
        let day = FirstDay::of(time);
        let matches = |row: &&Price| {
            row.min_prompt_tokens <= prompt && row.from <= day && WildMatch::new(&row.model).matches(model)
        };
        match self.price.iter().find(matches) {
            Some(row) => PricedCall { cost: row.cost_of(tokens), is_unknown_model: false },
            None => PricedCall { cost: self.dearest(&day).cost_of(tokens), is_unknown_model: true },
        }
    }

    /// The dearest price that is known on this day, for each kind of token.
    fn dearest(&self, day: &FirstDay) -> Price {
        let held = || self.price.iter().filter(|row| row.from <= *day);
        let dearest = |kind: fn(&Price) -> Rate| held().map(kind).max().unwrap_or_default();
        Price {
            model: "*".to_owned(),
            min_prompt_tokens: 0,
            from: FirstDay::default(),
            input: dearest(|row| row.input),
            output: dearest(|row| row.output),
            cache_read: dearest(|row| row.cache_read),
            cache_write: dearest(|row| row.cache_write),
        }
    }
}

impl Price {
    /// The cost of these tokens, rounded once, to the nearest millionth of a dollar.
    fn cost_of(&self, tokens: &TokenCounts) -> MicroUsd {
        const TOKENS_PER_RATE: u128 = 1_000_000;
        let cost = |count: u64, rate: Rate| u128::from(count) * u128::from(rate.0);
        let exact = [
            cost(tokens.input, self.input),
            cost(tokens.output, self.output),
            cost(tokens.cache_read, self.cache_read),
            cost(tokens.cache_write, self.cache_write),
        ]
        .into_iter()
        .fold(0, u128::saturating_add);
        let rounded = exact.saturating_add(TOKENS_PER_RATE / 2) / TOKENS_PER_RATE;
        MicroUsd(u64::try_from(rounded).unwrap_or(u64::MAX))
    }
}

impl FirstDay {
    fn of(time: Timestamp) -> Self {
        let mut text = time.to_string();
        text.truncate("2026-12-01".len());
        Self(text)
    }

    /// The day, if the price has not always held. The text before all days is empty.
    pub fn as_text(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for FirstDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Days are compared as texts, so they need all their digits.
        match text.len() == "2026-12-01".len() && Date::strptime("%Y-%m-%d", &text).is_ok() {
            true => Ok(Self(text)),
            false => Err(D::Error::custom(format!("from = \"{text}\" is not a day such as 2026-12-01"))),
        }
    }
}

impl Rate {
    /// Millionths of a dollar for a million tokens.
    pub fn micro_usd(self) -> u64 {
        self.0
    }

    /// The dollars for a million tokens, for documents. It is never used to calculate.
    pub fn as_dollars(self) -> f64 {
        MicroUsd(self.0).as_dollars()
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_dollars())
    }
}

impl<'de> Deserialize<'de> for Rate {
    /// Reads `3`, `3.75` or `"3.75"`. The decimal digits count, so `0.1` is a tenth exactly.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Whole(u64),
            Decimal(f64),
            Text(String),
        }
        let digits = match Written::deserialize(deserializer)? {
            Written::Whole(dollars) => dollars.to_string(),
            Written::Decimal(dollars) => dollars.to_string(),
            Written::Text(text) => text,
        };
        parse_decimal(&digits, 6)
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{digits} is not a price in US dollars with at most six decimals")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_ROWS: &str = r#"
date = "2026-11-30"
source = "a test"
[[price]]
model = "*haiku*"
input = 1
output = 5.0
cache_read = "0.1"
cache_write = 1.25
[[price]]
model = "*opus-4*"
input = 5.5
output = 27.5
cache_read = 0.55
cache_write = 0.000001
"#;

    fn tokens(input: u64, output: u64, cache_read: u64, cache_write: u64) -> TokenCounts {
        TokenCounts { input, output, cache_read, cache_write }
    }

    fn now() -> Timestamp {
        Timestamp::from_rfc3339("2026-11-30T12:00:00Z").unwrap()
    }

    #[test]
    fn the_shipped_list_is_complete() {
        let list = PriceList::shipped();
        for model in [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            assert!(!list.price_call(model, &tokens(1, 1, 1, 1), now()).is_unknown_model, "{model}");
        }
        assert!(list.price_call("acme.model-1", &tokens(1, 1, 1, 1), now()).is_unknown_model);
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let list = PriceList::parse(TWO_ROWS).unwrap();
        let cost = |counts| list.price_call("eu.anthropic.claude-haiku-4-5", &counts, now()).cost;
        assert_eq!(cost(tokens(1_000_000, 0, 0, 0)), MicroUsd(1_000_000));
        assert_eq!(cost(tokens(0, 1_000_000, 0, 0)), MicroUsd(5_000_000));
        assert_eq!(cost(tokens(0, 0, 1_000_000, 0)), MicroUsd(100_000));
        assert_eq!(cost(tokens(0, 0, 0, 1_000_000)), MicroUsd(1_250_000));
    }

    #[test]
    fn the_cost_is_rounded_once() {
        let list = PriceList::parse(TWO_ROWS).unwrap();
        let cost = |counts| list.price_call("haiku", &counts, now()).cost;
        // Each kind alone would be rounded down.
        assert_eq!(cost(tokens(0, 0, 4, 0)), MicroUsd(0));
        assert_eq!(cost(tokens(0, 0, 5, 0)), MicroUsd(1));
        assert_eq!(cost(tokens(0, 0, 3, 1)), MicroUsd(2));
        assert_eq!(cost(tokens(u64::MAX, u64::MAX, u64::MAX, u64::MAX)), MicroUsd(u64::MAX));
    }

    #[test]
    fn an_unknown_model_is_as_dear_as_the_dearest_of_each_kind() {
        let list = PriceList::parse(TWO_ROWS).unwrap();
        let priced = list.price_call("acme.model-1", &tokens(1_000_000, 1_000_000, 1_000_000, 1_000_000), now());
        assert_eq!(priced, PricedCall { cost: MicroUsd(34_800_000), is_unknown_model: true });
    }

    #[test]
    fn the_first_row_that_matches_counts() {
        let reversed = TWO_ROWS.replace("*opus-4*", "*");
        let list = PriceList::parse(&reversed).unwrap();
        assert_eq!(list.price_call("haiku", &tokens(1_000_000, 0, 0, 0), now()).cost, MicroUsd(1_000_000));
        assert_eq!(list.price_call("opus", &tokens(1_000_000, 0, 0, 0), now()).cost, MicroUsd(5_500_000));
    }

    #[test]
    fn a_long_prompt_can_have_another_price() {
        let text = TWO_ROWS.replacen("[[price]]", LONG_PROMPTS, 1);
        let list = PriceList::parse(&text).unwrap();
        let cost = |counts| list.price_call("haiku", &counts, now()).cost;
        assert_eq!(cost(tokens(500_000, 0, 300_000, 199_999)), MicroUsd(779_999));
        assert_eq!(cost(tokens(500_000, 0, 300_000, 200_000)), MicroUsd(9_000_000));
    }

    const LONG_PROMPTS: &str = r#"
[[price]]
model = "*haiku*"
min_prompt_tokens = 1_000_000
input = 9
output = 9
cache_read = 9
cache_write = 9
[[price]]"#;

    #[test]
    fn a_price_holds_from_its_first_day_on() {
        let dated = "[[price]]\nmodel = \"*haiku*\"\nfrom = \"2026-12-01\"\ninput = 90\noutput = 5\ncache_read = 0.1\ncache_write = 1.25\n[[price]]";
        let list = PriceList::parse(&TWO_ROWS.replacen("[[price]]", dated, 1)).unwrap();
        let cost = |model, time| {
            let time = Timestamp::from_rfc3339(time).unwrap();
            list.price_call(model, &tokens(1_000_000, 0, 0, 0), time).cost
        };
        assert_eq!(cost("haiku", "2026-11-30T23:59:59Z"), MicroUsd(1_000_000));
        assert_eq!(cost("haiku", "2026-12-01T00:00:00Z"), MicroUsd(90_000_000));
        // A price of tomorrow is not known today.
        assert_eq!(cost("unknown", "2026-11-30T23:59:59Z"), MicroUsd(5_500_000));
        assert_eq!(cost("unknown", "2026-12-01T00:00:00Z"), MicroUsd(90_000_000));
        for wrong in ["2026-12-1", "2026-13-01", "tomorrow", ""] {
            let dated = dated.replace("2026-12-01", wrong);
            assert!(PriceList::parse(&TWO_ROWS.replacen("[[price]]", &dated, 1)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn prices_that_cannot_be_exact_are_refused() {
        for wrong in ["-1", "1e-9", "\"free\"", "0.0000001", "true", "nan"] {
            let text = TWO_ROWS.replace("input = 1\n", &format!("input = {wrong}\n"));
            assert!(PriceList::parse(&text).is_err(), "{wrong}");
        }
        assert!(PriceList::parse("date = \"\"\nsource = \"\"").unwrap_err().contains("at least one"));
    }
}
