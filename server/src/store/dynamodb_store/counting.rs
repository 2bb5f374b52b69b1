//! Counting: one transaction for the request ids and the sums of one person's calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::PoisonError,
};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use bedrock_sso::time::Timestamp;

use super::{
    Table,
    items::{EXPIRES, Item, KINDS, PK, expiry_of, key, month_partition, number, request_key, shard_of, usage_key},
    requests::{CONDITION_FAILED, MAX_ACTIONS, cancellation_codes},
};
use crate::{
    calendar::{Period, PeriodKey},
    person::Person,
    store::{CountedCall, StoreResult},
    usage::{AccountModel, ModelUsage, Usage},
};

/// An expression may have 4 KB, and a model takes about 50 bytes of it.
const MAX_MODELS_PER_UPDATE: usize = 40;
/// The names of (month, person) that are known to be in the index. More would only save requests.
const MAX_INDEXED: usize = 100_000;

/// The periods in which the call has used something.
fn periods_of_use(call: &CountedCall) -> &[PeriodKey] {
    if call.usage == Usage::default() { &[] } else { &call.periods }
}

impl Table {
    /// Counts one person's calls, each of which has another id. Returns the places of those that were counted.
    pub(super) async fn count_for(&self, person: &Person, calls: Vec<(usize, CountedCall)>) -> StoreResult<Vec<usize>> {
        // First the index, then the usage: so no usage is missing from it, whatever happens in between.
        self.index_months(person, &calls).await?;
        let mut counted = Vec::with_capacity(calls.len());
        let mut part = Vec::new();
        let mut actions = BTreeMap::<PeriodKey, BTreeSet<AccountModel>>::new();
        for (place, call) in calls {
            let mut extended = actions.clone();
            for period in periods_of_use(&call) {
                extended.entry(period.clone()).or_default().insert(call.target.clone());
            }
            let fits = part.len() + 1 + extended.len() <= MAX_ACTIONS
                && extended.values().all(|models| models.len() <= MAX_MODELS_PER_UPDATE);
            if !fits && !part.is_empty() {
                counted.extend(self.count_part(person, mem::take(&mut part)).await?);
                extended = BTreeMap::new();
                for period in periods_of_use(&call) {
                    extended.entry(period.clone()).or_default().insert(call.target.clone());
                }
            }
            actions = extended;
            part.push((place, call));
        }
        counted.extend(self.count_part(person, part).await?);
        Ok(counted)
    }

    /// Counts in one transaction. An id that was counted before cancels it, and it is repeated without that call.
    async fn count_part(&self, person: &Person, mut calls: Vec<(usize, CountedCall)>) -> StoreResult<Vec<usize>> {
        while !calls.is_empty() {
            let error = match self.transact(self.count_actions(person, &calls)?).await? {
                Ok(()) => break,
                Err(error) => error,
            };
            // The ids are the first actions of the transaction.
            let codes = cancellation_codes(&error).unwrap_or_default();
            let mut is_new = codes.iter().map(|code| *code != CONDITION_FAILED);
            let before = calls.len();
            calls.retain(|_| is_new.next().unwrap_or(true));
            if calls.len() == before {
                return Err(self.refused(&error));
            }
        }
        Ok(calls.into_iter().map(|(place, _)| place).collect())
    }

    fn count_actions(&self, person: &Person, calls: &[(usize, CountedCall)]) -> StoreResult<Vec<TransactWriteItem>> {
        let mut actions = Vec::with_capacity(calls.len() + 3);
        let mut sums = BTreeMap::<&PeriodKey, ModelUsage>::new();
        for (_, call) in calls {
            let mut item = request_key(&call.request_id);
            item.insert(EXPIRES.to_owned(), number(call.remember_until.unix_seconds()));
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK);
            let put = put.build().map_err(|error| self.unavailable(error))?;
            actions.push(TransactWriteItem::builder().put(put).build());
            for period in periods_of_use(call) {
                sums.entry(period).or_default().add(&call.target, call.usage);
            }
        }
        for (period, usage) in sums {
            let update = self.add_usage(usage_key(person, period), expiry_of(period), usage)?;
            actions.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(actions)
    }

    fn add_usage(&self, key: Item, expires: Option<Timestamp>, usage: ModelUsage) -> StoreResult<Update> {
        let mut update = Update::builder().table_name(&self.name).set_key(Some(key));
        let mut parts = Vec::new();
        for (target, mut usage) in usage.0 {
            for (kind, field) in KINDS {
                let (name, value) = (format!("#{}", parts.len()), format!(":{}", parts.len()));
                parts.push(format!("{name} {value}"));
                update = update
                    .expression_attribute_names(name, format!("{kind}/{target}"))
                    .expression_attribute_values(value, number(*field(&mut usage)));
            }
        }
        let mut expression = format!("ADD {}", parts.join(","));
        if let Some(expires) = expires {
            expression.push_str(" SET #expires = :expires");
            update = update
                .expression_attribute_names("#expires", EXPIRES)
                .expression_attribute_values(":expires", number(expires.unix_seconds()));
        }
        update.update_expression(expression).build().map_err(|error| self.unavailable(error))
    }

    /// Enters the person into the index of each month. A scan of the table instead would read the request ids of forty
    /// days to find the people of a month, and a write with every count would double the cost.
    async fn index_months(&self, person: &Person, calls: &[(usize, CountedCall)]) -> StoreResult<()> {
        let periods = calls.iter().flat_map(|(_, call)| periods_of_use(call));
        let months: BTreeSet<&PeriodKey> = periods.filter(|key| key.period == Period::Month).collect();
        for month in months {
            let entry = (month.text.clone(), person.clone());
            if self.indexed.lock().unwrap_or_else(PoisonError::into_inner).contains(&entry) {
                continue;
            }
            self.put(key(month_partition(month, shard_of(person)), person.as_str())).await?;
            let mut indexed = self.indexed.lock().unwrap_or_else(PoisonError::into_inner);
            if indexed.len() >= MAX_INDEXED {
                indexed.clear();
            }
            indexed.insert(entry);
        }
        Ok(())
    }
}
