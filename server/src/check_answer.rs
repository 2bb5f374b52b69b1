//! The document of `GET /check`: may this person spend?
//!
//! The names of its members and reasons are those of AWS's guidance sample, so that clients of the sample read it too.
//! Members for money and for hours are additional.

use bedrock_sso::time::Timestamp;
use serde::Serialize;

use crate::{
    calendar::{Calendar, Period},
    limits::{Action, Amount, Block, Grant, Scope, Unit},
    person::Person,
    standing::{LimitStanding, Standing, Verdict},
    usage::{MicroUsd, Usage},
};

/// The answer. A client that reads only `allowed` decides right.
#[derive(Debug, Serialize)]
pub struct CheckAnswer {
    pub allowed: bool,
    pub reason: &'static str,
    /// `block` if a limit can refuse the person, `alert` if all limits only warn.
    enforcement_mode: Option<&'static str>,
    usage: Option<UsageFields>,
    /// The limit that refuses the person, or else the one that is nearest to being spent.
    policy: Option<PolicyFields>,
    /// The grant that holds.
    unblock_status: Option<UnblockFields>,
    /// When a denial ends: the limit resets, or the block ends. Absent if no time changes anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
    /// What was used, until when it counts and whom to ask, in a few sentences.
    pub message: String,
}

/// Tokens are weighed as limits count them. Costs are in US dollars. Without a limit its members are absent, as in the
/// sample: clients compare them with numbers, and not all expect `null`.
#[derive(Debug, Serialize)]
struct UsageFields {
    monthly_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_limit: Option<u64>,
    /// The share of the limit of this period that is nearest to being spent, whatever its unit. Clients of the sample
    /// know no other number to warn by.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_percent: Option<f64>,
    daily_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_percent: Option<f64>,
    hourly_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hourly_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hourly_percent: Option<f64>,
    monthly_cost: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_cost_limit: Option<f64>,
    daily_cost: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_cost_limit: Option<f64>,
    hourly_cost: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hourly_cost_limit: Option<f64>,
}

#[derive(Debug, Serialize)]
struct PolicyFields {
    r#type: &'static str,
    identifier: String,
}

#[derive(Debug, Serialize)]
struct UnblockFields {
    is_unblocked: bool,
    unblocked_at: String,
    expires_at: String,
    /// The store does not remember which administrator has given a grant.
    unblocked_by: Option<String>,
    reason: String,
}

/// What the answers of one organization have in common.
#[derive(Clone, Copy, Debug)]
pub struct AnswerContext<'c> {
    pub calendar: &'c Calendar,
    /// Whom a person can ask for more.
    pub contact: Option<&'c str>,
}

impl CheckAnswer {
    /// The answer for a person with this standing.
    pub fn from_standing(person: &Person, standing: &Standing, context: AnswerContext<'_>) -> Self {
        let nearest = find_nearest_limit(standing);
        let of_nearest = || nearest.map(|limit| PolicyFields::from_scope(&limit.scope));
        let (allowed, reason, policy, message) = match standing.verdict() {
            Verdict::Blocked(block) => {
                let policy = PolicyFields::from_scope(&Scope::Person(person.clone()));
                (false, "blocked", Some(policy), context.describe_block(block))
            }
            Verdict::LimitReached(limit) => {
                let policy = PolicyFields::from_scope(&limit.scope);
                (false, name_reason(limit), Some(policy), context.describe_reached_limit(limit))
            }
            Verdict::Granted(grant) => (true, "unblocked", of_nearest(), context.describe_grant(grant)),
            Verdict::WithinLimits => {
                let message = nearest.map_or_else(
                    || "You are within your limits.".to_owned(),
                    |limit| context.describe_nearest_limit(limit),
                );
                (true, "within_quota", of_nearest(), message)
            }
            Verdict::NoLimits => (true, "no_policy", None, "No limit is set for you.".to_owned()),
        };
        Self {
            allowed,
            reason,
            resets_at: find_end(standing).map(|end| end.to_string()),
            enforcement_mode: name_enforcement(standing),
            usage: Some(UsageFields::from_standing(standing)),
            policy,
            unblock_status: find_named_grant(standing).map(UnblockFields::from_grant),
            message,
        }
    }

    /// The answer for a verified token that names nobody, because it has none of these claims.
    pub fn missing_identity(claims: &[String], context: AnswerContext<'_>) -> Self {
        Self {
            allowed: false,
            reason: "missing_identity",
            enforcement_mode: None,
            usage: None,
            policy: None,
            unblock_status: None,
            resets_at: None,
            message: format!(
                "Your ID token does not say who you are: it has none of the claims {}. Ask {} to add one at the identity \
                 provider.",
                claims.join(", "),
                context.name_contact()
            ),
        }
    }
}

/// The sample's code for a limit that is reached, with codes of its form for hours.
fn name_reason(limit: &LimitStanding) -> &'static str {
    match (limit.period, limit.unit()) {
        (Period::Month, Unit::Tokens) => "monthly_exceeded",
        (Period::Month, Unit::Usd) => "monthly_cost_exceeded",
        (Period::Day, Unit::Tokens) => "daily_exceeded",
        (Period::Day, Unit::Usd) => "daily_cost_exceeded",
        (Period::Hour, Unit::Tokens) => "hourly_exceeded",
        (Period::Hour, Unit::Usd) => "hourly_cost_exceeded",
    }
}

/// When a denial ends. A limit of zero is reached again as soon as it has been reset.
fn find_end(standing: &Standing) -> Option<Timestamp> {
    match standing.verdict() {
        Verdict::Blocked(block) => block.until,
        Verdict::LimitReached(limit) => (!limit.amount.is_zero()).then_some(limit.resets_at),
        Verdict::Granted(_) | Verdict::WithinLimits | Verdict::NoLimits => None,
    }
}

fn name_enforcement(standing: &Standing) -> Option<&'static str> {
    if standing.block.is_some() || standing.limits.iter().any(|limit| limit.action == Action::Block) {
        return Some("block");
    }
    (!standing.limits.is_empty()).then_some("alert")
}

/// The limit of which the largest share is used; of equal ones the first. Without shares it is the first limit.
fn find_nearest_limit(standing: &Standing) -> Option<&LimitStanding> {
    let share = |limit: &LimitStanding| limit.percent().unwrap_or(-1.0);
    standing.limits.iter().reduce(|one, other| if share(other) > share(one) { other } else { one })
}

/// The grant to show. One without an amount lifts more than any other; of several, the one that ends last.
fn find_named_grant(standing: &Standing) -> Option<&Grant> {
    match standing.verdict() {
        Verdict::Granted(grant) => Some(grant),
        Verdict::Blocked(_) | Verdict::LimitReached(_) | Verdict::WithinLimits | Verdict::NoLimits => {
            standing.grants.iter().max_by_key(|grant| (grant.amount.is_none(), grant.until))
        }
    }
}

impl UsageFields {
    fn from_standing(standing: &Standing) -> Self {
        let limit = |period, unit| {
            let all_models = |limit: &&LimitStanding| limit.model.is_none() && !limit.is_lifted;
            let holding = standing.limits.iter().filter(all_models);
            holding.filter(move |limit| (limit.period, limit.unit()) == (period, unit)).map(|limit| limit.amount)
        };
        let tokens = |period| limit(period, Unit::Tokens).filter_map(count_tokens).min();
        let dollars = |period| limit(period, Unit::Usd).filter_map(count_money).min().map(MicroUsd::as_dollars);
        let percent = |period| {
            let shares =
                standing.limits.iter().filter(|limit| limit.period == period).filter_map(LimitStanding::percent);
            shares.reduce(f64::max).map(floor_percent)
        };
        let used = standing.usage;
        Self {
            monthly_tokens: weigh_tokens(&used.month),
            monthly_limit: tokens(Period::Month),
            monthly_percent: percent(Period::Month),
            daily_tokens: weigh_tokens(&used.day),
            daily_limit: tokens(Period::Day),
            daily_percent: percent(Period::Day),
            hourly_tokens: weigh_tokens(&used.hour),
            hourly_limit: tokens(Period::Hour),
            hourly_percent: percent(Period::Hour),
            monthly_cost: used.month.cost.as_dollars(),
            monthly_cost_limit: dollars(Period::Month),
            daily_cost: used.day.cost.as_dollars(),
            daily_cost_limit: dollars(Period::Day),
            hourly_cost: used.hour.cost.as_dollars(),
            hourly_cost_limit: dollars(Period::Hour),
        }
    }
}

fn count_tokens(amount: Amount) -> Option<u64> {
    match amount {
        Amount::Tokens(count) => Some(count),
        Amount::Usd(_) => None,
    }
}

fn count_money(amount: Amount) -> Option<MicroUsd> {
    match amount {
        Amount::Tokens(_) => None,
        Amount::Usd(money) => Some(money),
    }
}

/// The tokens that count against a limit, in whole tokens.
pub(crate) fn weigh_tokens(usage: &Usage) -> u64 {
    u64::try_from(usage.tokens.weigh_in_tenths() / 10).unwrap_or(u64::MAX)
}

/// One decimal, rounded down: a limit that is not reached never shows 100 %.
fn floor_percent(percent: f64) -> f64 {
    (percent * 10.0).floor() / 10.0
}

impl PolicyFields {
    /// The sample's words for a scope.
    fn from_scope(scope: &Scope) -> Self {
        let (r#type, identifier) = match scope {
            Scope::Person(person) => ("user", person.as_str()),
            Scope::Group(group) => ("group", group.as_str()),
            Scope::Default => ("default", "default"),
        };
        Self { r#type, identifier: identifier.to_owned() }
    }
}

impl UnblockFields {
    fn from_grant(grant: &Grant) -> Self {
        Self {
            is_unblocked: true,
            unblocked_at: grant.since.to_string(),
            expires_at: grant.until.to_string(),
            unblocked_by: None,
            reason: grant.reason.clone(),
        }
    }
}

impl AnswerContext<'_> {
    fn name_contact(self) -> String {
        self.contact.unwrap_or("your administrator").to_owned()
    }

    fn describe_moment(self, moment: Timestamp) -> String {
        self.calendar.describe(moment)
    }

    fn describe_block(self, block: &Block) -> String {
        let until = match block.until {
            Some(until) => format!("until {}", self.describe_moment(until)),
            None => "until an administrator unblocks you".to_owned(),
        };
        let reason = block.reason.as_ref().map_or(String::new(), |reason| format!(" Reason: {reason}."));
        let since = self.describe_moment(block.since);
        format!("You have been blocked since {since}, {until}.{reason} Ask {}.", self.name_contact())
    }

    fn describe_reached_limit(self, limit: &LimitStanding) -> String {
        let (share, scope, contact) = (describe_share(limit), describe_scope(&limit.scope), self.name_contact());
        if limit.amount.is_zero() {
            return format!(
                "You may not use Amazon Bedrock{}: {scope} is zero. Ask {contact}.",
                describe_models(limit)
            );
        }
        let reset = self.describe_moment(limit.resets_at);
        format!("You have used {share} ({scope}). It resets on {reset}. Ask {contact} if you need more.")
    }

    fn describe_nearest_limit(self, limit: &LimitStanding) -> String {
        if limit.is_model_ban() {
            let model = limit.model.as_deref().unwrap_or_default();
            return format!("You may use all models except {model}.");
        }
        let reset = self.describe_moment(limit.resets_at);
        let (share, scope) = (describe_share(limit), describe_scope(&limit.scope));
        match limit.is_exceeded() {
            true => format!("You have used {share} ({scope}), which only warns. It resets on {reset}."),
            false => format!("You are within your limits: you have used {share} ({scope}), which resets on {reset}."),
        }
    }

    fn describe_grant(self, grant: &Grant) -> String {
        let effect = match grant.amount {
            None => "lifts your limits".to_owned(),
            Some(amount) => format!("raises your limits by {}", describe_amount(amount)),
        };
        let until = self.describe_moment(grant.until);
        match grant.reason.as_str() {
            "" => format!("A grant {effect} until {until}."),
            reason => format!("A grant {effect} until {until}. Reason: {reason}."),
        }
    }
}

/// Usage and limit: `2,060,000 of 2,000,000 tokens this month`.
pub(crate) fn describe_share(limit: &LimitStanding) -> String {
    let period = match limit.period {
        Period::Hour => "this hour",
        Period::Day => "today",
        Period::Month => "this month",
    };
    let used = match limit.amount {
        Amount::Tokens(_) => group_digits(weigh_tokens(&limit.used)),
        Amount::Usd(_) => describe_cents(limit.used.cost),
    };
    format!("{used} of {}{} {period}", describe_amount(limit.amount), describe_models(limit))
}

/// The models of a limit, to follow what they are used for; empty for all models.
fn describe_models(limit: &LimitStanding) -> String {
    limit.model.as_ref().map_or(String::new(), |model| format!(" on models {model}"))
}

fn describe_scope(scope: &Scope) -> String {
    match scope {
        Scope::Person(_) => "your own limit".to_owned(),
        Scope::Group(group) => format!("the limit of group {group}"),
        Scope::Default => "the default limit".to_owned(),
    }
}

fn describe_amount(amount: Amount) -> String {
    match amount {
        Amount::Tokens(count) => format!("{} tokens", group_digits(count)),
        Amount::Usd(money) => money.to_string(),
    }
}

/// Dollars and cents, rounded down like tokens.
fn describe_cents(money: MicroUsd) -> String {
    let cents = money.0 / (MicroUsd::PER_USD / 100);
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A number with commas between thousands.
fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
