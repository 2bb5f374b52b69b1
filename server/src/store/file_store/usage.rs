//! Counting, what was counted, and what is forgotten after its time.

use std::collections::BTreeMap;

use bedrock_sso::time::Timestamp;
use redb::{Error as RedbError, ReadTransaction, ReadableTable as _, WriteTransaction};

use super::tables::{
    LEASES, NOTICES, OVER_LIMIT, REQUEST_IDS, REQUEST_IDS_BY_EXPIRY, RedbResult, USAGE_DAYS, USAGE_HOURS, UsageRow,
    usage_table,
};
use crate::{
    calendar::{Period, PeriodKey},
    person::Person,
    store::{CountOutcome, CountedCall, oldest_day_to_store, oldest_hour_to_store},
    usage::{AccountModel, MicroUsd, ModelUsage, TokenCounts, Usage},
};

/// How many request ids one transaction forgets, so that calls are counted in between.
pub(super) const MAX_IDS_FORGOTTEN_AT_ONCE: usize = 20_000;

fn to_row(usage: Usage) -> UsageRow {
    let TokenCounts { input, output, cache_read, cache_write } = usage.tokens;
    (input, output, cache_read, cache_write, usage.cost.0)
}

fn from_row((input, output, cache_read, cache_write, cost): UsageRow) -> Usage {
    Usage { tokens: TokenCounts { input, output, cache_read, cache_write }, cost: MicroUsd(cost) }
}

pub(super) fn count_calls(transaction: &WriteTransaction, calls: &[CountedCall]) -> RedbResult<Vec<CountOutcome>> {
    let mut outcomes = Vec::with_capacity(calls.len());
    let mut ids_by_expiry = BTreeMap::<i64, Vec<&str>>::new();
    let mut sums = BTreeMap::<Period, BTreeMap<(&str, &str, String), Usage>>::new();
    let mut request_ids = transaction.open_table(REQUEST_IDS)?;
    for call in calls {
        if request_ids.insert(call.request_id.as_str(), ())?.is_some() {
            outcomes.push(CountOutcome::Repeated);
            continue;
        }
        outcomes.push(CountOutcome::Counted);
        ids_by_expiry.entry(round_up_to_hour(call.remember_until)).or_default().push(&call.request_id);
        if call.usage == Usage::default() {
            continue;
        }
        for key in &call.periods {
            let row = (key.text.as_str(), call.person.as_str(), call.target.to_string());
            *sums.entry(key.period).or_default().entry(row).or_default() += call.usage;
        }
    }
    for (period, sums) in sums {
        let mut table = transaction.open_table(usage_table(period))?;
        for ((text, name, target), added) in sums {
            let key = (text, name, target.as_str());
            let mut sum = table.get(key)?.map(|row| from_row(row.value())).unwrap_or_default();
            sum += added;
            table.insert(key, to_row(sum))?;
        }
    }
    let mut expiries = transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    for (hour, ids) in ids_by_expiry {
        let last = expiries.range((hour, 0)..=(hour, u64::MAX))?.next_back().transpose()?;
        let number = last.map_or(0, |(key, _)| key.value().1 + 1);
        expiries.insert((hour, number), ids)?;
    }
    Ok(outcomes)
}

fn round_up_to_hour(time: Timestamp) -> i64 {
    const HOUR: i64 = 3600;
    time.unix_seconds().div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR)
}

pub(super) fn load_usage(transaction: &ReadTransaction, person: &Person, key: &PeriodKey) -> RedbResult<ModelUsage> {
    let mut usage = ModelUsage::default();
    let table = transaction.open_table(usage_table(key.period))?;
    for entry in table.range((key.text.as_str(), person.as_str(), "")..)? {
        let (row_key, row) = entry?;
        let (text, name, target) = row_key.value();
        if text != key.text || name != person.as_str() {
            break;
        }
        usage.add(&parse_target(target)?, from_row(row.value()));
    }
    Ok(usage)
}

pub(super) fn list_usage(transaction: &ReadTransaction, key: &PeriodKey) -> RedbResult<Vec<(Person, ModelUsage)>> {
    let mut people = Vec::<(Person, ModelUsage)>::new();
    let table = transaction.open_table(usage_table(key.period))?;
    for entry in table.range((key.text.as_str(), "", "")..)? {
        let (row_key, row) = entry?;
        let (text, name, target) = row_key.value();
        if text != key.text {
            break;
        }
        let (target, usage) = (parse_target(target)?, from_row(row.value()));
        match people.last_mut() {
            Some((person, models)) if person.as_str() == name => models.add(&target, usage),
            _ => people.push((parse_person(name)?, ModelUsage([(target, usage)].into()))),
        }
    }
    Ok(people)
}

pub(super) fn parse_person(name: &str) -> RedbResult<Person> {
    Person::parse(name).map_err(|reason| RedbError::Corrupted(format!("a person is called {name:?}: {reason}")))
}

fn parse_target(target: &str) -> RedbResult<AccountModel> {
    AccountModel::try_from(target.to_owned())
        .map_err(|reason| RedbError::Corrupted(format!("a model is called {target:?}: {reason}")))
}

/// Forgets a part of the request ids that have expired, and returns whether some may be left.
pub(super) fn forget_request_ids(transaction: &WriteTransaction, now: Timestamp) -> RedbResult<bool> {
    let mut request_ids = transaction.open_table(REQUEST_IDS)?;
    let mut expiries = transaction.open_table(REQUEST_IDS_BY_EXPIRY)?;
    let mut forgotten = 0;
    while forgotten < MAX_IDS_FORGOTTEN_AT_ONCE {
        let first = expiries.first()?.map(|(key, _)| key.value());
        if first.is_none_or(|(hour, _)| hour > now.unix_seconds()) {
            return Ok(false);
        }
        if let Some((_, ids)) = expiries.pop_first()? {
            for id in ids.value() {
                request_ids.remove(id)?;
                forgotten += 1;
            }
        }
    }
    Ok(true)
}

pub(super) fn forget_periods(transaction: &WriteTransaction, now: Timestamp) -> RedbResult<()> {
    let (hour, day) = (oldest_hour_to_store(now), oldest_day_to_store(now));
    for (definition, end) in [(USAGE_HOURS, &hour), (USAGE_DAYS, &day)] {
        transaction.open_table(definition)?.retain_in(..(end.as_str(), "", ""), |_, _| false)?;
    }
    transaction.open_table(NOTICES)?.retain(|_, until| until > now.unix_seconds())?;
    transaction.open_table(OVER_LIMIT)?.retain(|_, (until, _)| until > now.unix_seconds())?;
    transaction.open_table(LEASES)?.retain(|_, (_, until)| until > now.unix_seconds())?;
    Ok(())
}
