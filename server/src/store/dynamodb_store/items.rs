//! What the table's items are made of: keys, attributes, and how they are read back.

use std::{collections::HashMap, fmt, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use bedrock_sso::{host, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    calendar::{Period, PeriodKey},
    limits::{LimitKey, Scope},
    person::Person,
    store::{DAYS_ARE_STORED, HOURS_ARE_STORED, StoreError, StoreResult},
    usage::{AccountModel, ModelUsage, Usage},
};

/// One partition key serves 3,000 reads and 1,000 writes a second. Sixteen are enough for 100,000 people who all start
/// within the same minutes, and few enough to be read one by one for a list.
pub(super) const SHARDS: u64 = 16;

pub(super) const PK: &str = "PK";
pub(super) const SK: &str = "SK";
/// The sort key of an item that is alone under its partition key.
pub(super) const ALONE: &str = "-";
pub(super) const EXPIRES: &str = "expires";
pub(super) const JSON: &str = "json";
pub(super) const ISSUED: &str = "issued";

/// Partitions that one query reads whole.
pub(super) const BLOCKS: &str = "BLOCKS";
pub(super) const MODEL_LIMITS: &str = "MODEL_LIMITS";
pub(super) const MARKS: &str = "MARKS";

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    [(PK.to_owned(), text(partition)), (SK.to_owned(), text(sort))].into()
}

/// FNV-1a: the same on every machine and in every version, because it decides where something is stored.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn shard_of(person: &Person) -> u64 {
    hash(person.as_str()) % SHARDS
}

pub(super) fn random_number() -> u64 {
    let mut random = [0; 8];
    host::fill_random(&mut random);
    u64::from_ne_bytes(random)
}

pub(super) fn settings_partition(shard: u64) -> String {
    format!("SETTINGS#{shard:02}")
}

pub(super) fn limits_partition(shard: u64) -> String {
    format!("LIMITS#{shard:02}")
}

pub(super) fn faults_partition(shard: u64) -> String {
    format!("FAULTS#{shard:02}")
}

pub(super) fn month_partition(month: &PeriodKey, shard: u64) -> String {
    format!("MONTH#{month}#{shard:02}")
}

pub(super) fn request_key(id: &str) -> Item {
    key(format!("REQUEST#{id}"), ALONE)
}

pub(super) fn usage_key(person: &Person, period: &PeriodKey) -> Item {
    key(format!("USAGE#{person}"), format!("{}#{period}", period.period.name()))
}

/// `#` is in no person's name, so no name begins another one's keys.
pub(super) fn settings_key(person: &Person, rest: &str) -> Item {
    key(settings_partition(shard_of(person)), format!("{person}#{rest}"))
}

/// Where a limit is stored: with a person's settings, or in every shard for everybody else.
pub(super) fn limit_keys(limit: &LimitKey) -> Vec<Item> {
    let shared = |kind: &str| {
        let sort = format!("{kind}#{}", to_json(limit));
        (0..SHARDS).map(|shard| key(limits_partition(shard), &sort)).collect()
    };
    match &limit.scope {
        Scope::Person(person) => {
            let rest = to_json(&(limit.period, limit.unit, &limit.model));
            let mut keys = vec![settings_key(person, &format!("limit#{rest}"))];
            if limit.model.is_some() {
                keys.push(key(MODEL_LIMITS, format!("{person}#{rest}")));
            }
            keys
        }
        Scope::Group(_) => shared("group"),
        Scope::Default => shared("default"),
    }
}

/// Where a person's block is stored.
pub(super) fn block_keys(person: &Person) -> Vec<Item> {
    vec![settings_key(person, "block"), key(BLOCKS, person.as_str())]
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our own types have only keys that are text")
}

pub(super) fn damaged(reason: impl fmt::Display) -> StoreError {
    StoreError::Damaged(reason.to_string())
}

pub(super) fn read_text<'i>(item: &'i Item, name: &str) -> StoreResult<&'i str> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| damaged(format_args!("an item has no text \"{name}\"")))
}

pub(super) fn read_json<T: DeserializeOwned>(item: &Item) -> StoreResult<T> {
    serde_json::from_str(read_text(item, JSON)?)
        .map_err(|error| damaged(format_args!("an item cannot be read: {error}")))
}

/// DynamoDB's sums go on beyond ours, which stop at the largest number.
pub(super) fn read_sum(value: &AttributeValue) -> StoreResult<u64> {
    let digits = value.as_n().map_err(|_| damaged("a sum is not a number"))?;
    match digits.parse::<u64>() {
        Ok(sum) => Ok(sum),
        Err(_) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => Ok(u64::MAX),
        Err(_) => Err(damaged(format_args!("\"{digits}\" is not a sum"))),
    }
}

pub(super) fn parse_person(name: &str) -> StoreResult<Person> {
    Person::parse(name).map_err(|reason| damaged(format_args!("a person is called {name:?}: {reason}")))
}

pub(super) type UsageField = fn(&mut Usage) -> &mut u64;

pub(super) const KINDS: [(&str, UsageField); 5] = [
    ("input", |usage| &mut usage.tokens.input),
    ("output", |usage| &mut usage.tokens.output),
    ("cache_read", |usage| &mut usage.tokens.cache_read),
    ("cache_write", |usage| &mut usage.tokens.cache_write),
    ("micro_usd", |usage| &mut usage.cost.0),
];

pub(super) fn read_usage(item: &Item) -> StoreResult<ModelUsage> {
    let mut usage = ModelUsage::default();
    for (name, value) in item {
        // Keys and expiry have no slash.
        let Some((kind, target)) = name.split_once('/') else { continue };
        let Some((_, field)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            return Err(damaged(format_args!("usage has an attribute \"{name}\"")));
        };
        let target = AccountModel::try_from(target.to_owned()).map_err(damaged)?;
        *field(usage.0.entry(target).or_default()) = read_sum(value)?;
    }
    Ok(usage)
}

/// When DynamoDB may delete the usage of a period: `None` for a month.
pub(super) fn expiry_of(period: &PeriodKey) -> Option<Timestamp> {
    // An hour's key ends with its offset from UTC. A day's is at most 14 hours from the same day in UTC.
    let (start, stored) = match period.period {
        Period::Hour => {
            let (hour, offset) = period.text.split_at_checked("2026-11-30T14".len())?;
            (format!("{hour}:00:00{offset}"), HOURS_ARE_STORED)
        }
        Period::Day => (format!("{period}T00:00:00Z"), DAYS_ARE_STORED + Duration::from_secs(14 * 3600)),
        Period::Month => return None,
    };
    Some(Timestamp::from_rfc3339(&start)?.saturating_add(stored))
}
