//! Prints the measurements as tables, and compares them with the limits.
//!
//! The limits of counts and sizes are exact. Those of times, which are ratios, and of memory have some latitude on a
//! machine that others share.

use super::{contender::Contender, turns::Cost};

/// The maximum number of system calls of a warm call whose key is in a file.
const CALLS: u64 = 60;
/// The maximum memory of the build that ships.
const PEAK_KIB: u64 = 2560;
const SIZE: u64 = 9 << 20;
const CROWD_LIMIT: f64 = 1.3;

/// The exceeded limits, which are reported at the end.
#[derive(Default)]
pub(super) struct Limits(Vec<String>);

impl Limits {
    pub(super) fn add_violations(&mut self, more: Vec<String>) {
        self.0.extend(more);
    }

    pub(super) fn assert_held(self) {
        assert!(self.0.is_empty(), "exceeded limits:\n  {}", self.0.join("\n  "));
        println!("every limit holds{}", if latitude() > 1.0 { ", with latitude" } else { "" });
    }
}

/// The factor by which times may exceed their limits: `BEDROCK_SSO_BENCH_LATITUDE`, 1 by default.
pub(super) fn latitude() -> f64 {
    std::env::var("BEDROCK_SSO_BENCH_LATITUDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0)
}

pub(super) fn find_violations(contenders: &[Contender], costs: &[Cost], calls: &[Option<u64>]) -> Vec<String> {
    let mut violations = Vec::new();
    let all = contenders.iter().zip(costs).zip(calls);
    for ((contender, cost), calls) in all.filter(|((contender, _), _)| contender.is_ours) {
        let ratio = ratio(cost, &costs[0]);
        let name = &contender.name;
        if let Some(limit) = contender.limit.filter(|limit| ratio > limit * latitude()) {
            violations.push(format!("{name}: {ratio:.2} x {}, at most {limit}", contenders[0].name));
        }
        if !contender.in_crowd {
            continue;
        }
        if let Some(calls) = calls.filter(|calls| *calls > CALLS) {
            violations.push(format!("{name}: {calls} system calls, at most {CALLS}"));
        }
        if contender.is_shipped {
            // The kernel decides how many pages it maps around a page fault. This varies less than times do.
            if cost.peak_kib as f64 > PEAK_KIB as f64 * latitude().min(1.2) {
                violations.push(format!("{name}: {} KiB of memory, at most {PEAK_KIB}", cost.peak_kib));
            }
            if contender.size() > SIZE {
                violations.push(format!("{name}: {} bytes on disk, at most {SIZE}", contender.size()));
            }
        }
    }
    violations
}

/// The ratio that is compared with the limits: that of the medians or that of the tenth percentiles, whichever is
/// lower. Other programs hardly disturb the fastest rounds, and a regression slows them down as much as the others.
fn ratio(cost: &Cost, cat: &Cost) -> f64 {
    (cost.median / cat.median).min(cost.low / cat.low)
}

pub(super) fn find_crowd_violations(contenders: &[Contender], costs: &[Cost]) -> Vec<String> {
    let too_slow = |(contender, cost): (&Contender, &Cost)| {
        let ratio = ratio(cost, &costs[0]);
        let is_too_slow = contender.is_shipped && ratio > CROWD_LIMIT * latitude();
        is_too_slow.then(|| format!("{}, many at once: {ratio:.2} x cat, at most {CROWD_LIMIT}", contender.name))
    };
    contenders.iter().zip(costs).filter_map(too_slow).collect()
}

pub(super) fn table(contenders: &[Contender], costs: &[Cost], calls: &[Option<u64>], rounds: usize) {
    let cat = costs[0];
    let measure = if contenders[0].is_ours { "x first" } else { "x cat" };
    println!(
        "\n{:<58} {:>7} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7}",
        format!("{rounds} rounds, in turn"),
        measure,
        "p10",
        "p90",
        "x CPU",
        "peak KiB",
        "faults",
        "calls",
        "MB"
    );
    for ((contender, cost), calls) in contenders.iter().zip(costs).zip(calls) {
        println!(
            "{:<58} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>9} {:>7} {:>7} {:>7.2}",
            contender.name,
            cost.median / cat.median,
            cost.low / cat.median,
            cost.high / cat.median,
            cost.processor / cat.processor,
            cost.peak_kib,
            cost.faults,
            calls.map_or_else(|| "-".to_owned(), |calls| calls.to_string()),
            contender.size() as f64 / 1e6,
        );
    }
}

pub(super) fn crowd_table(contenders: &[Contender], costs: &[Cost], size: usize, rounds: usize) {
    println!("\n{:<58} {:>7} {:>7} {:>7}", format!("{size} at once, {rounds} rounds"), "x cat", "p10", "p90");
    for (contender, cost) in contenders.iter().zip(costs) {
        let times = |time: f64| time / costs[0].median;
        println!(
            "{:<58} {:>7.2} {:>7.2} {:>7.2}",
            contender.name,
            times(cost.median),
            times(cost.low),
            times(cost.high)
        );
    }
}
