//! Fuzzes the reader of invocation logs with any delivery: lines of records, CloudWatch's envelope, and compressed bytes.
//!
//! Run with `cargo +nightly fuzz run delivery -- -max_total_time=300`.
#![no_main]

use std::sync::LazyLock;

use bedrock_sso::time::Timestamp;
use bedrock_sso_server::{calendar::Calendar, ingest::{Delivery, read_delivery}, prices::PriceList};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const LARGEST_COUNT: u64 = 1_000_000_000;

static PRICES: LazyLock<PriceList> = LazyLock::new(PriceList::shipped);

fuzz_target!(|input: &[u8]| {
    let Delivery { calls, faults, assigned } = read_delivery(input, &PRICES, &Calendar::utc(), NOW);
    assert!(assigned.iter().all(|person| calls.iter().any(|call| call.person == *person)));
    for call in &calls {
        let tokens = call.usage.tokens;
        let counts = [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write];
        assert!(counts.iter().all(|count| *count <= LARGEST_COUNT));
        assert!(!call.request_id.is_empty() && !call.target.model.is_empty() && call.periods.len() == 3);
        assert!(call.remember_until > NOW);
    }
    assert!(faults.unknown_models.values().sum::<u64>() <= calls.len() as u64);
});
