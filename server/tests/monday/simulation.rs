//! All laptops of one scenario.

use std::ops::Range;

use crate::{
    laptop::{Load, Scenario, spend_day},
    load::{HOUR, Service},
    random::Random,
};

pub(crate) const LAPTOPS: u32 = 100_000;

/// Calls of Bedrock by one person on one day.
pub(crate) const CALLS_OF_BEDROCK: u32 = 200;

/// Any number; another one changes the results by a few percent.
const SEED: u64 = 21;

/// The sums of a whole day.
pub(crate) struct Day {
    pub(crate) checks: u64,
    pub(crate) new_tokens: u64,
}

impl Day {
    pub(crate) fn of(load: &Load) -> Self {
        Self { checks: load.all[Service::Check as usize].total(), new_tokens: load.new_tokens }
    }
}

/// A Monday of an organization, with the approvals and sessions of its configuration.
pub(crate) fn monday(session: i64, interval: i64) -> Scenario {
    Scenario { session, interval, jitter: 0.0, agents: 0.25, outage: 0..0 }
}

/// The quota service does not answer for half an hour, as long as an approval lasts.
pub(crate) const OUTAGE: Range<i64> = 9 * HOUR + HOUR / 2..10 * HOUR;
/// It does not answer for five minutes, the shortest time for which an approval is left when it is renewed.
pub(crate) const SHORT_OUTAGE: Range<i64> = 10 * HOUR - 300..10 * HOUR;

pub(crate) fn simulate(scenario: &Scenario, shards: usize) -> Load {
    let (mut load, mut random) = (Load::new(shards), Random::new(SEED));
    for _ in 0..LAPTOPS {
        spend_day(scenario, &mut random, &mut load);
    }
    load
}
