//! The document of `GET /me`: a person's limits, and how much of each is used.

use serde::Serialize;

use crate::{
    check_answer::weigh_tokens,
    limits::{Action, Amount, Block, Scope, Unit},
    person::Person,
    standing::{LimitStanding, Standing},
};

#[derive(Debug, Serialize)]
pub struct MeAnswer {
    version: u32,
    person: Person,
    blocked: Option<BlockFields>,
    /// Whom the person can ask; absent if the configuration names nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    /// In the order of [`Standing::limits`].
    limits: Vec<LimitFields>,
}

#[derive(Debug, Serialize)]
struct BlockFields {
    since: String,
    until: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct LimitFields {
    /// `person`, `group` or `default`.
    scope: &'static str,
    /// The name of the group; absent for other scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The pattern over models; absent if the limit counts all models.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    period: &'static str,
    unit: Unit,
    /// With all grants added. A limit that a grant lifts has the amount that holds after the grant.
    limit: Number,
    used: Number,
    resets_at: String,
    action: Action,
    /// Until when a grant without an amount lifts the limit; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted_until: Option<String>,
}

/// A number of tokens, or of US dollars.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Number {
    Tokens(u64),
    Dollars(f64),
}

impl MeAnswer {
    pub fn new(person: Person, standing: &Standing, contact: Option<&str>) -> Self {
        Self {
            version: 1,
            person,
            blocked: standing.block.as_ref().map(BlockFields::new),
            contact: contact.map(str::to_owned),
            limits: standing.limits.iter().map(|limit| LimitFields::new(limit, standing)).collect(),
        }
    }
}

impl BlockFields {
    fn new(block: &Block) -> Self {
        Self {
            since: block.since.to_string(),
            until: block.until.map(|until| until.to_string()),
            reason: block.reason.clone(),
        }
    }
}

impl LimitFields {
    fn new(limit: &LimitStanding, standing: &Standing) -> Self {
        let (scope, group) = match &limit.scope {
            Scope::Person(_) => ("person", None),
            Scope::Group(group) => ("group", Some(group.clone())),
            Scope::Default => ("default", None),
        };
        let (amount, used) = match limit.amount {
            Amount::Tokens(count) => (Number::Tokens(count), Number::Tokens(weigh_tokens(&limit.used))),
            Amount::Usd(money) => (Number::Dollars(money.as_dollars()), Number::Dollars(limit.used.cost.as_dollars())),
        };
        Self {
            scope,
            group,
            model: limit.model.clone(),
            period: limit.period.name(),
            unit: limit.unit(),
            limit: amount,
            used,
            resets_at: limit.resets_at.to_string(),
            action: limit.action,
            lifted_until: if limit.is_lifted { find_end_of_lifting(standing) } else { None },
        }
    }
}

/// When the last grant without an amount ends.
fn find_end_of_lifting(standing: &Standing) -> Option<String> {
    let ends = standing.grants.iter().filter(|grant| grant.amount.is_none()).map(|grant| grant.until);
    ends.max().map(|end| end.to_string())
}
