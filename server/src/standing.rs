//! Decides what holds for a person at one moment: which limits, how much of each is used, and whether the person may
//! spend.
//!
//! The module is pure: it gets everything that the store knows, and the time.

use bedrock_sso::time::Timestamp;
use wildmatch::WildMatch;

use crate::{
    calendar::{Calendar, Period, PeriodKey},
    config::GroupRule,
    limits::{Action, Amount, Block, Grant, Limit, Scope, Unit},
    store::{Account, StoreError},
    usage::{MicroUsd, ModelUsage, Usage},
};

/// What holds for a person at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub block: Option<Block>,
    /// The grants that have not ended.
    pub grants: Vec<Grant>,
    /// The usage of all models in this hour, on this day and in this month.
    pub usage: PeriodUsage,
    /// The limits that hold, sorted: of all models before those of one, long periods before short ones, tokens before
    /// money.
    pub limits: Vec<LimitStanding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodUsage {
    pub hour: Usage,
    pub day: Usage,
    pub month: Usage,
}

/// One limit that holds for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStanding {
    pub scope: Scope,
    pub model: Option<String>,
    pub period: Period,
    pub action: Action,
    /// The limit as it was set.
    pub set: Amount,
    /// The limit with all grants added.
    pub amount: Amount,
    /// A grant without an amount holds, so the limit does not.
    pub is_lifted: bool,
    pub used: Usage,
    pub resets_at: Timestamp,
}

/// The answer to the question whether a person may spend, with what decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'s> {
    /// Somebody has blocked the person.
    Blocked(&'s Block),
    /// The person has reached this limit. Of several, it is the one that resets last.
    LimitReached(&'s LimitStanding),
    /// The person may spend because of this grant.
    Granted(&'s Grant),
    WithinLimits,
    /// No limit holds for the person.
    NoLimits,
}

/// The periods whose usage [`evaluate`] needs, in the order in which it needs it.
pub fn current_periods(calendar: &Calendar, now: Timestamp) -> [PeriodKey; 3] {
    Period::ALL.map(|period| calendar.key_of(period, now))
}

/// Compares a person's usage with the limits that hold. `account` must have the usage of [`current_periods`]. Fails if
/// it has the usage of fewer or of more periods, because missing usage must not count as zero.
pub fn evaluate(
    account: &Account,
    calendar: &Calendar,
    rule: GroupRule,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    let [hour, day, month] = account.usage.as_slice() else {
        return Err(StoreError::Damaged(
            "it returned the usage of other periods than those that were named".to_owned(),
        ));
    };
    let grants: Vec<Grant> = account.grants.iter().filter(|grant| grant.holds_at(now)).cloned().collect();
    let usage_in = |period| match period {
        Period::Hour => hour,
        Period::Day => day,
        Period::Month => month,
    };
    let mut limits: Vec<LimitStanding> = select_limits(&account.limits.iter().collect::<Vec<_>>(), rule)
        .into_iter()
        .map(|limit| LimitStanding {
            scope: limit.scope.clone(),
            model: limit.model.clone(),
            period: limit.period,
            action: limit.action,
            set: limit.amount,
            amount: add_grants(limit.amount, &grants),
            is_lifted: grants.iter().any(|grant| grant.amount.is_none()),
            used: sum_usage(usage_in(limit.period), limit.model.as_deref()),
            resets_at: calendar.end_of(limit.period, now),
        })
        .collect();
    limits.sort_by(|one, other| one.order().cmp(&other.order()));
    Ok(Standing {
        block: account.block.clone().filter(|block| block.holds_at(now)),
        grants,
        usage: PeriodUsage { hour: hour.total(), day: day.total(), month: month.total() },
        limits,
    })
}

impl Standing {
    /// Whether the person may spend.
    pub fn verdict(&self) -> Verdict<'_> {
        if let Some(block) = &self.block {
            return Verdict::Blocked(block);
        }
        // The first of those that reset last is returned, so tokens go before money.
        let reached = self.limits.iter().filter(|limit| limit.refuses());
        if let Some(limit) = reached.reduce(|one, other| if other.resets_at > one.resets_at { other } else { one }) {
            return Verdict::LimitReached(limit);
        }
        match self.deciding_grant() {
            Some(grant) => Verdict::Granted(grant),
            None if self.limits.is_empty() => Verdict::NoLimits,
            None => Verdict::WithinLimits,
        }
    }

    /// The limit that refuses the person now, or will when the grants and the block have ended. Of several, the one that
    /// resets last.
    pub fn find_spent_limit(&self) -> Option<&LimitStanding> {
        let spent = self.limits.iter().filter(|limit| limit.is_enforced_here() && limit.reaches(limit.set));
        spent.max_by_key(|limit| limit.resets_at)
    }

    /// The grant that the answer names: one that lifts all limits, or else one that raises a limit which the person
    /// would have reached. Of several, the one that ends last.
    fn deciding_grant(&self) -> Option<&Grant> {
        let would_refuse = |unit| {
            self.limits
                .iter()
                .any(|limit| limit.set.unit() == unit && limit.is_enforced_here() && limit.reaches(limit.set))
        };
        let decides = |grant: &&Grant| grant.amount.is_none_or(|amount| would_refuse(amount.unit()));
        let lifts = |grant: &Grant| grant.amount.is_none();
        self.grants.iter().filter(decides).max_by_key(|grant| (lifts(grant), grant.until))
    }
}

impl LimitStanding {
    pub fn unit(&self) -> Unit {
        self.set.unit()
    }

    /// Whether the usage has reached the limit, with all grants added.
    pub fn is_exceeded(&self) -> bool {
        !self.is_lifted && self.reaches(self.amount)
    }

    /// Whether the limit refuses the person: it is reached, it blocks, and no other place enforces it.
    pub fn refuses(&self) -> bool {
        self.is_enforced_here() && self.is_exceeded()
    }

    /// Whether nobody may use the models of this limit. The roles in AWS refuse them, while the person may use all
    /// others.
    pub fn is_model_ban(&self) -> bool {
        self.model.is_some() && self.set.is_zero()
    }

    /// The used share of the limit in percent, and 100 for a limit of zero. `None` if the limit is lifted, or bans models.
    #[expect(clippy::cast_precision_loss, reason = "a share for people; comparisons use the integers")]
    pub fn percent(&self) -> Option<f64> {
        if self.is_lifted || self.is_model_ban() {
            return None;
        }
        let (used, limit) = match self.amount {
            Amount::Tokens(limit) => (self.used.tokens.weigh_in_tenths() as f64, 10.0 * limit as f64),
            Amount::Usd(limit) => (self.used.cost.0 as f64, limit.0 as f64),
        };
        Some(if limit > 0.0 { 100.0 * used / limit } else { 100.0 })
    }

    fn is_enforced_here(&self) -> bool {
        self.action == Action::Block && !self.is_model_ban()
    }

    fn reaches(&self, amount: Amount) -> bool {
        amount.is_reached_by(&self.used)
    }

    fn order(&self) -> impl Ord + '_ {
        (self.model.as_deref(), std::cmp::Reverse(self.period), self.unit(), self.action == Action::Warn, &self.scope)
    }
}

/// The limits that hold. For each period, unit and model, the nearest scope decides: the person, or else the person's
/// groups, or else the default.
pub(crate) fn select_limits<'l>(limits: &[&'l Limit], rule: GroupRule) -> Vec<&'l Limit> {
    let mut selected: Vec<&Limit> = Vec::new();
    for (index, first) in limits.iter().enumerate() {
        let is_rival = |other: &&Limit| {
            (other.period, other.amount.unit(), &other.model) == (first.period, first.amount.unit(), &first.model)
        };
        // Each set of rivals is judged once, at its first member.
        if limits.iter().take(index).any(is_rival) {
            continue;
        }
        let rivals: Vec<&Limit> = limits.iter().copied().filter(is_rival).collect();
        let of_scope = |is_scope: fn(&Scope) -> bool| -> Vec<&Limit> {
            rivals.iter().copied().filter(|limit| is_scope(&limit.scope)).collect()
        };
        let (own, of_groups) =
            (of_scope(|s| matches!(s, Scope::Person(_))), of_scope(|s| matches!(s, Scope::Group(_))));
        if !own.is_empty() {
            selected.extend(own);
        } else if !of_groups.is_empty() {
            selected.extend(merge_groups(&of_groups, rule));
        } else {
            selected.extend(of_scope(|scope| matches!(scope, Scope::Default)));
        }
    }
    selected
}

/// The limits of several groups that hold together.
///
/// Strictest: the lowest that blocks, and the lowest that warns if it warns earlier. So a low limit that only warns does
/// not replace a higher one that blocks. Most generous: the highest, and one that only warns before all that block.
fn merge_groups<'l>(limits: &[&'l Limit], rule: GroupRule) -> Vec<&'l Limit> {
    let of = |action| limits.iter().copied().filter(move |limit| limit.action == action);
    let size = |limit: &&Limit| size_of(limit.amount);
    match rule {
        GroupRule::Strictest => {
            let (block, warn) = (of(Action::Block).min_by_key(size), of(Action::Warn).min_by_key(size));
            let warns_earlier = |warn: &&Limit| block.is_none_or(|block| size(warn) < size(&block));
            block.into_iter().chain(warn.filter(warns_earlier)).collect()
        }
        GroupRule::MostGenerous => {
            of(Action::Warn).max_by_key(size).or_else(|| of(Action::Block).max_by_key(size)).into_iter().collect()
        }
    }
}

/// The size of an amount, to compare it with others of the same unit.
fn size_of(amount: Amount) -> u64 {
    match amount {
        Amount::Tokens(count) => count,
        Amount::Usd(MicroUsd(micro)) => micro,
    }
}

/// The amount, raised by the grants of its unit.
fn add_grants(amount: Amount, grants: &[Grant]) -> Amount {
    let raised = grants
        .iter()
        .filter_map(|grant| grant.amount)
        .filter(|granted| granted.unit() == amount.unit())
        .fold(size_of(amount), |sum, granted| sum.saturating_add(size_of(granted)));
    match amount {
        Amount::Tokens(_) => Amount::Tokens(raised),
        Amount::Usd(_) => Amount::Usd(MicroUsd(raised)),
    }
}

/// The usage of all models, or of those that match the pattern.
fn sum_usage(usage: &ModelUsage, pattern: Option<&str>) -> Usage {
    match pattern {
        None => usage.total(),
        Some(pattern) => {
            let pattern = WildMatch::new(pattern);
            usage.total_of(|model| pattern.matches(model))
        }
    }
}

#[cfg(test)]
mod tests;
