//! What administrators and tokens have said, as JSON, and all that is known about one person.

use redb::{Error as RedbError, ReadTransaction, ReadableTable};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    tables::{BLOCKS, GRANTS, LIMITS, PEOPLE, RedbResult},
    usage::load_usage,
};
use crate::{
    calendar::PeriodKey,
    limits::{Grant, Limit, LimitKey, Scope},
    person::Person,
    store::{Account, PersonRecord},
};

/// It is behind every object of JSON, which begins with a brace.
pub(super) const LAST_JSON: &str = "~";

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types have only keys that are text")
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> RedbResult<T> {
    serde_json::from_str(text).map_err(|error| RedbError::Corrupted(format!("an entry cannot be read: {error}")))
}

/// The parts of a limit's key: kind of scope, group or person, and the rest as text.
pub(super) fn limit_row(key: &LimitKey) -> (&'static str, &str, String) {
    let (kind, identifier) = scope_row(&key.scope);
    (kind, identifier, to_json(&(key.period, key.unit, &key.model)))
}

fn scope_row(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Person(person) => ("person", person.as_str()),
        Scope::Group(group) => ("group", group),
        Scope::Default => ("default", ""),
    }
}

pub(super) fn load_limits(
    table: &impl ReadableTable<(&'static str, &'static str, &'static str), &'static str>,
    scope: &Scope,
) -> RedbResult<Vec<Limit>> {
    let (kind, identifier) = scope_row(scope);
    let mut limits = Vec::new();
    for entry in table.range((kind, identifier, "")..)? {
        let (key, json) = entry?;
        let (entry_kind, entry_identifier, _) = key.value();
        if (entry_kind, entry_identifier) != (kind, identifier) {
            break;
        }
        limits.push(from_json(json.value())?);
    }
    Ok(limits)
}

pub(super) fn load_grants(
    table: &impl ReadableTable<(&'static str, &'static str), ()>,
    person: &Person,
) -> RedbResult<Vec<Grant>> {
    let mut grants = Vec::new();
    for entry in table.range((person.as_str(), "")..)? {
        let (key, _) = entry?;
        let (name, json) = key.value();
        if name != person.as_str() {
            break;
        }
        grants.push(from_json(json)?);
    }
    Ok(grants)
}

pub(super) fn load_account(
    transaction: &ReadTransaction,
    person: &Person,
    periods: &[PeriodKey],
) -> RedbResult<Account> {
    let people = transaction.open_table(PEOPLE)?;
    let record: Option<PersonRecord> = people.get(person.as_str())?.map(|json| from_json(json.value())).transpose()?;
    let groups = record.iter().flat_map(|record| &record.groups).cloned().map(Scope::Group);
    let table = transaction.open_table(LIMITS)?;
    let mut limits = Vec::new();
    for scope in [Scope::Person(person.clone())].into_iter().chain(groups).chain([Scope::Default]) {
        limits.extend(load_limits(&table, &scope)?);
    }
    let usage = periods.iter().map(|key| load_usage(transaction, person, key)).collect::<RedbResult<_>>()?;
    let grants = load_grants(&transaction.open_table(GRANTS)?, person)?;
    let block = transaction.open_table(BLOCKS)?.get(person.as_str())?;
    let block = block.map(|json| from_json(json.value())).transpose()?;
    Ok(Account { record, usage, limits, grants, block })
}
