//! Files of limits, grants and blocks: our own export, and the quota policies of AWS's guidance sample.
//!
//! The sample's policies have a type (`user`, `group`, `default`), limits in tokens or dollars, and a mode. Its table in
//! DynamoDB has the same fields, with a type in front of each value.

use bedrock_sso::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    calendar::Period,
    limits::{Action, Amount, Block, Grant, Limit, Scope, Unit, parse_decimal},
    person::Person,
    usage::MicroUsd,
};

/// One thing that is transferred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferRow {
    Limit(Limit),
    Grant(Grant),
    Block(Block),
}

impl TransferRow {
    pub(super) fn as_limit(&self) -> Option<&Limit> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::Grant(_) | Self::Block(_) => None,
        }
    }
}

/// Reads a file. The error is one line that names the row.
pub fn parse_transfer(text: &str) -> Result<Vec<TransferRow>, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("the file is not JSON: {error}"))?;
    let rows = |name: &str| document.get(name).and_then(Value::as_array);
    if let Some(rows) = rows("rows") {
        return parse_rows(rows, |row| Ok(vec![parse_own_row(row)?]));
    }
    if let Some(items) = rows("Items") {
        let items: Vec<Value> = items.iter().map(remove_dynamodb_types).collect();
        return parse_rows(&items, parse_policy);
    }
    match rows("policies").or_else(|| document.as_array()) {
        Some(policies) => parse_rows(policies, parse_policy),
        None => Err("the file has neither rows (an export), nor policies or Items (the guidance sample)".to_owned()),
    }
}

fn parse_rows(
    rows: &[Value],
    parse: impl Fn(&Map<String, Value>) -> Result<Vec<TransferRow>, String>,
) -> Result<Vec<TransferRow>, String> {
    let mut parsed = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let row = row.as_object().ok_or("it is not an object".to_owned()).and_then(&parse);
        parsed.extend(row.map_err(|fault| format!("row {}: {fault}", number + 1))?);
    }
    Ok(parsed)
}

/// A row of our export, as `describe_transfer` writes it.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum OwnRow {
    Limit {
        scope: String,
        identifier: Option<String>,
        model: Option<String>,
        period: Period,
        unit: Unit,
        limit: Value,
        action: Action,
    },
    Grant {
        person: Person,
        since: String,
        until: String,
        unit: Option<Unit>,
        amount: Option<Value>,
        reason: String,
    },
    Block {
        person: Person,
        since: String,
        until: Option<String>,
        reason: Option<String>,
    },
}

fn parse_own_row(row: &Map<String, Value>) -> Result<TransferRow, String> {
    let row: OwnRow = serde_json::from_value(Value::Object(row.clone())).map_err(|error| error.to_string())?;
    Ok(match row {
        OwnRow::Limit { scope, identifier, model, period, unit, limit, action } => TransferRow::Limit(Limit {
            scope: parse_scope(&scope, identifier.as_deref())?,
            model,
            period,
            amount: parse_amount(unit, &limit)?,
            action,
        }),
        OwnRow::Grant { person, since, until, unit, amount, reason } => TransferRow::Grant(Grant {
            person,
            since: parse_time(&since)?,
            until: parse_time(&until)?,
            amount: unit.zip(amount).map(|(unit, amount)| parse_amount(unit, &amount)).transpose()?,
            reason,
        }),
        OwnRow::Block { person, since, until, reason } => TransferRow::Block(Block {
            person,
            since: parse_time(&since)?,
            until: until.as_deref().map(parse_time).transpose()?,
            reason,
        }),
    })
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339(text).ok_or_else(|| format!("\"{text}\" is not a time such as 2026-12-01T08:00:00Z"))
}

fn parse_scope(kind: &str, identifier: Option<&str>) -> Result<Scope, String> {
    match (kind, identifier) {
        ("person" | "user", Some(name)) => {
            Person::parse(name).map(Scope::Person).map_err(|fault| format!("\"{name}\": {fault}"))
        }
        ("group", Some(group)) if !group.is_empty() => Ok(Scope::Group(group.to_owned())),
        ("default", _) => Ok(Scope::Default),
        _ => Err(format!("the scope \"{kind}\" is not known, or has no identifier")),
    }
}

fn parse_amount(unit: Unit, value: &Value) -> Result<Amount, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let amount = match unit {
        Unit::Tokens => parse_tokens(&text).map(Amount::Tokens),
        Unit::Usd => parse_decimal(text.trim_start_matches('$'), 6).map(|micro| Amount::Usd(MicroUsd(micro))),
    };
    amount.ok_or_else(|| format!("\"{text}\" is not an amount"))
}

/// A number of tokens as the sample writes it: `225000000`, `225M`, `1.5B`.
fn parse_tokens(text: &str) -> Option<u64> {
    let multiples = [('K', 3), ('k', 3), ('M', 6), ('m', 6), ('B', 9), ('b', 9)];
    let multiple = multiples.iter().find_map(|(letter, digits)| Some((text.strip_suffix(*letter)?, *digits)));
    let (number, digits) = multiple.unwrap_or((text, 0));
    // DynamoDB writes whole numbers with a fraction of zero too.
    parse_decimal(number, digits)
}

/// The limits of one policy of the guidance sample. A disabled policy has none.
fn parse_policy(policy: &Map<String, Value>) -> Result<Vec<TransferRow>, String> {
    let text = |name: &str| policy.get(name)?.as_str();
    if policy.get("enabled").is_some_and(|enabled| *enabled == Value::Bool(false) || enabled == "false") {
        return Ok(Vec::new());
    }
    let kind = text("type").or_else(|| text("policy_type")).ok_or("the policy has no type")?;
    let scope = parse_scope(kind, text("identifier"))?;
    let action = match text("enforcement_mode") {
        Some("block") => Action::Block,
        // What the sample assumes if the policy does not say it.
        Some("alert") | None => Action::Warn,
        Some(other) => return Err(format!("the enforcement mode \"{other}\" is not known")),
    };
    let fields = [
        ("monthly_token_limit", Period::Month, Unit::Tokens),
        ("daily_token_limit", Period::Day, Unit::Tokens),
        ("monthly_cost_limit", Period::Month, Unit::Usd),
        ("daily_cost_limit", Period::Day, Unit::Usd),
    ];
    let mut limits = Vec::new();
    for (name, period, unit) in fields {
        let Some(value) = policy.get(name).filter(|value| !value.is_null() && *value != "") else { continue };
        let amount = parse_amount(unit, value).map_err(|fault| format!("{name}: {fault}"))?;
        // In the sample, zero means that there is no limit.
        if !amount.is_zero() {
            limits.push(TransferRow::Limit(Limit { scope: scope.clone(), model: None, period, amount, action }));
        }
    }
    Ok(limits)
}

/// An item of `aws dynamodb scan` as plain JSON: `{"S": "text"}` becomes `"text"`.
fn remove_dynamodb_types(item: &Value) -> Value {
    let plain = |value: &Value| {
        let (kind, inner) = value.as_object()?.iter().next()?;
        match kind.as_str() {
            "S" | "BOOL" | "N" => Some(inner.clone()),
            _ => None,
        }
    };
    let fields = item.as_object().into_iter().flatten();
    Value::Object(fields.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limit(scope: Scope, period: Period, amount: &str, action: Action) -> TransferRow {
        TransferRow::Limit(Limit { scope, model: None, period, amount: amount.parse().unwrap(), action })
    }

    fn alice() -> Person {
        Person::parse("alice@example.com").unwrap()
    }

    #[test]
    fn an_export_is_read_back() {
        let rows = [
            limit(Scope::Person(alice()), Period::Day, "12.5USD", Action::Block),
            limit(Scope::Default, Period::Hour, "0", Action::Warn),
            TransferRow::Grant(Grant {
                person: alice(),
                since: Timestamp::from_unix(0),
                until: Timestamp::from_unix(60),
                amount: Some(Amount::Tokens(7)),
                reason: "release week".to_owned(),
            }),
            TransferRow::Block(Block { person: alice(), since: Timestamp::from_unix(1), until: None, reason: None }),
        ];
        let export = super::super::AdminAnswer::new(rows.iter().map(super::super::describe_transfer)).to_json();
        assert_eq!(parse_transfer(&export).unwrap(), rows);
    }

    #[test]
    fn policies_of_the_sample_become_limits() {
        let file = json!({ "version": "1.0", "policies": [
            { "type": "user", "identifier": "alice@example.com", "monthly_token_limit": "300M",
              "daily_token_limit": 15_000_000, "enforcement_mode": "block", "enabled": true },
            { "type": "group", "identifier": "ml", "monthly_token_limit": 0, "monthly_cost_limit": "250.00",
              "enforcement_mode": "alert" },
            { "type": "default", "identifier": "default", "monthly_token_limit": "1.5B", "enabled": false },
        ]});
        let expected = [
            limit(Scope::Person(alice()), Period::Month, "300M", Action::Block),
            limit(Scope::Person(alice()), Period::Day, "15M", Action::Block),
            limit(Scope::Group("ml".to_owned()), Period::Month, "250USD", Action::Warn),
        ];
        assert_eq!(parse_transfer(&file.to_string()).unwrap(), expected);
    }

    #[test]
    fn the_table_of_the_sample_becomes_limits() {
        let file = json!({ "Items": [{
            "pk": { "S": "POLICY#default#default" }, "policy_type": { "S": "default" }, "identifier": { "S": "default" },
            "monthly_token_limit": { "N": "225000000" }, "enforcement_mode": { "S": "block" }, "enabled": { "BOOL": true },
            "groups": { "L": [] }
        }]});
        assert_eq!(
            parse_transfer(&file.to_string()).unwrap(),
            [limit(Scope::Default, Period::Month, "225M", Action::Block)]
        );
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let policy = |field: &str, value: Value| {
            let mut policy = json!({ "type": "user", "identifier": "alice@example.com", "monthly_token_limit": "1M" });
            policy[field] = value;
            parse_transfer(&json!({ "policies": [policy] }).to_string()).unwrap_err()
        };
        assert!(policy("type", json!("team")).starts_with("row 1: the scope \"team\""));
        assert!(policy("identifier", json!("a b")).starts_with("row 1: \"a b\""));
        assert!(policy("monthly_token_limit", json!(-5)).starts_with("row 1: monthly_token_limit"));
        assert!(policy("enforcement_mode", json!("never")).contains("\"never\" is not known"));
        assert!(parse_transfer("{}").unwrap_err().starts_with("the file has neither rows"));
        assert!(parse_transfer("type,identifier").unwrap_err().starts_with("the file is not JSON"));
        assert!(parse_transfer(r#"{"rows":[{"kind":"usage"}]}"#).unwrap_err().starts_with("row 1: unknown variant"));
    }
}
