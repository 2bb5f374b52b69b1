//! Turns Bedrock's invocation log into counted calls.
//!
//! Records arrive as they are: one JSON document a line, or in the envelope in which CloudWatch Logs delivers them. A
//! record that is not what Bedrock writes is rejected and counted, and never stops the others.

mod envelope;
mod record;

use std::{collections::BTreeSet, ops::AddAssign};

use bedrock_sso::{log, time::Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{envelope::MAX_UNPACKED_BYTES, record::Rejection};
use self::{envelope::UnpackedDelivery, record::InvocationRecord};
use crate::{
    calendar::{Calendar, Period},
    person::Person,
    prices::PriceList,
    store::{CountOutcome, CountedCall, Faults, Store, StoreResult},
    usage::{TokenCounts, Usage},
};

/// For how long a request id is remembered. CloudWatch repeats a delivery within hours, an administrator perhaps after
/// weeks.
const REMEMBER_SECONDS: u64 = 40 * 86_400;

/// What became of the records of one delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestSummary {
    /// Records that were counted now.
    pub accepted: u64,
    /// Records whose request id was counted before.
    pub repeated: u64,
    pub rejected: u64,
}

impl AddAssign for IngestSummary {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.repeated += other.repeated;
        self.rejected += other.rejected;
    }
}

/// What prices and dates the records.
#[derive(Clone, Copy, Debug)]
pub struct Ingestion<'a> {
    pub store: &'a dyn Store,
    pub prices: &'a PriceList,
    pub calendar: &'a Calendar,
    pub now: Timestamp,
}

impl Ingestion<'_> {
    /// Counts the records of one delivery. If the store fails, some records may be counted; the sender repeats the
    /// delivery, and none is counted twice.
    pub async fn ingest(&self, body: &[u8]) -> StoreResult<IngestSummary> {
        self.ingest_and_list_people(body).await.map(|(summary, _)| summary)
    }

    /// Does the same, and returns whose calls they were.
    pub async fn ingest_and_list_people(&self, body: &[u8]) -> StoreResult<(IngestSummary, DeliveredPeople)> {
        let Delivery { calls, faults, assigned } = read_delivery(body, self.prices, self.calendar, self.now);
        let outcomes = if calls.is_empty() { Vec::new() } else { self.store.count(&calls).await? };
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count() as u64;
        let summary = IngestSummary {
            accepted: count(CountOutcome::Counted),
            repeated: count(CountOutcome::Repeated),
            rejected: faults.rejected.values().sum(),
        };
        if faults != Faults::default() {
            self.store.add_faults(&faults).await?;
        }
        for (model, count) in &faults.unknown_models {
            // An alarm finds this line by its words.
            log::warn("ingest", format_args!("{model} has no price: {count} calls count at the dearest known one"));
        }
        // Also those of repeated calls: what followed from them may have failed the first time.
        Ok((summary, DeliveredPeople { all: calls.into_iter().map(|call| call.person).collect(), assigned }))
    }
}

/// The people whose calls a delivery has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveredPeople {
    pub all: BTreeSet<Person>,
    /// Those whose sessions IAM Identity Center has named. They have no token that could name them.
    pub assigned: BTreeSet<Person>,
}

/// What one delivery contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub calls: Vec<CountedCall>,
    pub faults: Faults,
    /// The people whose sessions IAM Identity Center has named.
    pub assigned: BTreeSet<Person>,
}

/// Reads the records of one delivery without a store: the calls that count, and what could not be counted as it should.
pub fn read_delivery(body: &[u8], prices: &PriceList, calendar: &Calendar, now: Timestamp) -> Delivery {
    let Delivery { mut calls, mut faults, mut assigned } = Delivery::default();
    match UnpackedDelivery::unpack(body) {
        Ok(delivery) => {
            for record in delivery.records() {
                match InvocationRecord::parse(record, now) {
                    Ok(record) => {
                        if record.is_assigned {
                            assigned.insert(record.person.clone());
                        }
                        calls.push(price_record(record, prices, calendar, now, &mut faults));
                    }
                    Err(rejection) => count_rejection(&mut faults, rejection),
                }
            }
        }
        Err(rejection) => count_rejection(&mut faults, rejection),
    }
    Delivery { calls, faults, assigned }
}

fn price_record(
    record: InvocationRecord,
    prices: &PriceList,
    calendar: &Calendar,
    now: Timestamp,
    faults: &mut Faults,
) -> CountedCall {
    let InvocationRecord { request_id, person, target, time, tokens, is_assigned: _ } = record;
    let priced = prices.price_call(&target.model, &tokens, time);
    // A call that failed may name a model that does not exist.
    if priced.is_unknown_model && tokens != TokenCounts::default() {
        *faults.unknown_models.entry(target.model.clone()).or_default() += 1;
    }
    CountedCall {
        request_id,
        person,
        target,
        periods: Period::ALL.map(|period| calendar.key_of(period, time)).into(),
        usage: Usage { tokens, cost: priced.cost },
        remember_until: now.saturating_add(std::time::Duration::from_secs(REMEMBER_SECONDS)),
    }
}

fn count_rejection(faults: &mut Faults, rejection: Rejection) {
    *faults.rejected.entry(rejection.name().to_owned()).or_default() += 1;
}
