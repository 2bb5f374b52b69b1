//! A Monday morning of 100,000 laptops: what the quota check, AWS STS and the identity provider get, what the table in
//! DynamoDB needs for it, and what a month costs. The results are the tables of `docs/organisation/scale.md`.
//!
//! The laptops are simulated second by second with the client's own constants, with the same random numbers in each run.
//! The capacity is that of the store's own requests.
// Other systems round logarithms otherwise, and the results are compared to the digit.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and counts are far below what a float can hold"
)]

mod bill;
mod laptop;
mod load;
mod measured;
mod random;
mod simulation;
mod table;

use std::{fmt::Write as _, ops::Range};

use laptop::{Load, Scenario};
use load::{HOUR, Seconds, Service};
use measured::Measured;
use simulation::{Day, OUTAGE, SHORT_OUTAGE, monday, simulate};
use testworld::expect_part;

const PAGE: &str = "docs/organisation/scale.md";

/// The morning, over which loads are averaged.
const MORNING: Range<i64> = 7 * HOUR..12 * HOUR;

/// After the quota service has come back: the first quarter of an hour, and the rest of the morning.
const RETURN: Range<i64> = OUTAGE.end..OUTAGE.end + HOUR / 4;
const ECHO: Range<i64> = RETURN.end..12 * HOUR;

/// By which share of itself an approval would be shortened at most.
const JITTER: f64 = 0.2;

/// What one partition key of DynamoDB serves in a second.
const PARTITION_READS: f64 = 3000.0;
const PARTITION_WRITES: f64 = 1000.0;

/// The client's default of `quota.interval`, as its schema states it.
fn default_interval() -> i64 {
    let schema: serde_json::Value = serde_json::from_str(&bedrock_sso::config::render_schema()).unwrap();
    let interval = find_key(&schema, "interval").unwrap();
    let minutes = interval["default"].as_str().unwrap().strip_suffix('m').unwrap();
    60 * minutes.parse::<i64>().unwrap()
}

fn find_key<'s>(schema: &'s serde_json::Value, name: &str) -> Option<&'s serde_json::Value> {
    match schema {
        serde_json::Value::Object(members) => members
            .get(name)
            .filter(|found| found["default"].is_string())
            .or_else(|| members.values().find_map(|member| find_key(member, name))),
        _ => None,
    }
}

/// Compares a table with the one on the page, or writes it there.
fn expect_table(name: &str, table: &str) {
    expect_part(PAGE, &format!("<!-- {name} -->\n\n"), "\n<!-- end of the table -->", table);
}

/// The same number of both scenarios, as `without / with`.
fn describe_both(loads: [&Seconds; 2], number: impl Fn(&Seconds) -> String) -> String {
    loads.map(number).join(" / ")
}

/// Requests in a second, of all kinds and of renewals alone.
fn describe_load(without: &Load, with: &Load) -> String {
    let mut table = "| Requests a second, 7 to 12 o'clock, without / with spreading | Mean | Busiest minute | Busiest second | Busiest minute over mean |\n\
                     |---|---|---|---|---|\n"
        .to_owned();
    let mut row = |name: String, loads: [&Seconds; 2]| {
        let mean = describe_both(loads, |seconds| format!("{:.0}", seconds.mean(&MORNING)));
        let minute = describe_both(loads, |seconds| format!("{:.0}", seconds.busiest_minute(&MORNING)));
        let second = describe_both(loads, |seconds| format!("{:.0}", seconds.busiest_second(&MORNING)));
        let peak = describe_both(loads, |seconds| describe_peak(seconds, &MORNING));
        writeln!(table, "| {name} | {mean} | {minute} | {second} | {peak} |").unwrap();
    };
    for service in Service::ALL {
        row(service.name().to_owned(), [without, with].map(|load| &load.all[service as usize]));
    }
    for service in Service::ALL {
        let renewals = [without, with].map(|load| &load.renewals[service as usize]);
        row(format!("{}, without sign-ins", service.name()), renewals);
    }
    table
}

/// The busiest minute over the mean.
fn describe_peak(seconds: &Seconds, hours: &Range<i64>) -> String {
    format!("{:.1}", seconds.busiest_minute(hours) / seconds.mean(hours))
}

/// `/check` in an outage and after it, without and with spreading.
fn describe_outage(scenarios: &[(&str, Range<i64>, [&Load; 2])]) -> String {
    let mut table = "| `/check` in an outage until 10:00, requests a second, without / with spreading | Busiest minute in it | Busiest minute after it | Mean from 10:15 to 12:00 | Busiest minute then | Busiest minute over mean |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for (name, outage, loads) in scenarios {
        let checks = loads.map(|load| &load.all[Service::Check as usize]);
        let during = describe_both(checks, |seconds| format!("{:.0}", seconds.busiest_minute(outage)));
        let first = describe_both(checks, |seconds| format!("{:.0}", seconds.busiest_minute(&RETURN)));
        let mean = describe_both(checks, |seconds| format!("{:.0}", seconds.mean(&ECHO)));
        let minute = describe_both(checks, |seconds| format!("{:.0}", seconds.busiest_minute(&ECHO)));
        let peak = describe_both(checks, |seconds| describe_peak(seconds, &ECHO));
        writeln!(table, "| {name} | {during} | {first} | {mean} | {minute} | {peak} |").unwrap();
    }
    table
}

/// The capacity of an operation, and of the partition keys that all people of a shard share.
fn describe_capacity(measured: &Measured) -> String {
    let mut table = "| One operation | Read units | Write units | of these at `LIMITS#nn` | at `SETTINGS#nn` | at `USAGE#person` |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for (name, consumed) in [
        ("`/check` with a known token", &measured.check),
        ("`/check` with a new token, once an hour", &measured.check_with_new_token),
        ("a record", &measured.record),
        ("notices and enforcement after a record", &measured.evaluation),
    ] {
        let total = consumed.total();
        let [limits, settings, usage] = ["LIMITS", "SETTINGS", "USAGE"].map(|kind| consumed.of(kind));
        writeln!(
            table,
            "| {name} | {} | {} | {} | {} | {} |",
            total.reads,
            total.writes,
            limits.describe(),
            settings.describe(),
            usage.describe()
        )
        .unwrap();
    }
    table
}

/// The hottest partition keys, with the loads of a normal Monday and of one with an outage.
fn describe_hottest(measured: &Measured, normal: &Load, outage: &Load) -> String {
    let hottest = |load: &Load, hours: &Range<i64>| {
        load.shards.iter().map(|shard| shard.busiest_second(hours)).fold(0.0, f64::max)
    };
    let (usual, after_outage) = (hottest(normal, &MORNING), hottest(outage, &RETURN));
    let records = f64::from(simulation::LAPTOPS) * f64::from(simulation::CALLS_OF_BEDROCK) / (8.0 * HOUR as f64);
    let mut table =
        "| The hottest partition key | Units a second | Share of what DynamoDB serves |\n|---|---|---|\n".to_owned();
    let mut row = |name: &str, units: f64, limit: f64| {
        writeln!(table, "| {name} | {units:.0} | {:.1} % |", 100.0 * units / limit).unwrap();
    };
    let evaluations = records / measured.shards as f64 * measured.evaluation.of("LIMITS").reads as f64;
    let reads = measured.check_with_new_token.of("LIMITS").reads as f64;
    row("`LIMITS#nn`, reads of `/check` in the busiest second", usual * reads, PARTITION_READS);
    row("the same after an outage, if everybody runs agents", after_outage * reads, PARTITION_READS);
    row("`LIMITS#nn`, reads of notices and enforcement, on average", evaluations, PARTITION_READS);
    let settings = measured.check_with_new_token.of("SETTINGS").writes as f64;
    row("`SETTINGS#nn`, writes, if each `/check` has a new token", after_outage * settings, PARTITION_WRITES);
    let usage = measured.record.of("USAGE").writes as f64;
    row("`USAGE#person`, writes of ten calls a second by one person", 10.0 * usage, PARTITION_WRITES);
    table
}

#[test]
fn scale_page_shows_what_the_simulation_finds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let measured = runtime.block_on(measured::measure());
    let usual = || monday(HOUR, default_interval());
    let after_outage = || Scenario { outage: OUTAGE, ..usual() };
    let after_short_outage = || Scenario { outage: SHORT_OUTAGE, ..usual() };
    let agents_after_outage = || Scenario { agents: 1.0, ..after_outage() };
    let both = |scenario: &dyn Fn() -> Scenario| [scenario(), Scenario { jitter: JITTER, ..scenario() }];
    let scenarios = [both(&usual), both(&after_short_outage), both(&after_outage), both(&agents_after_outage)];
    let shards = measured.shards;
    let loads: Vec<Load> = std::thread::scope(|scope| {
        let run = |scenario| scope.spawn(move || simulate(scenario, shards));
        let running: Vec<_> = scenarios.iter().flatten().map(run).collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let [off, on, short_off, short_on, outage_off, outage_on, agents_off, agents_on] = loads.try_into().ok().unwrap();
    expect_table("the load", &describe_load(&off, &on));
    let outages = [
        ("from 9:55", SHORT_OUTAGE, [&short_off, &short_on]),
        ("from 9:30", OUTAGE, [&outage_off, &outage_on]),
        ("from 9:30, and everybody runs agents", OUTAGE, [&agents_off, &agents_on]),
    ];
    expect_table("an outage", &describe_outage(&outages));
    expect_table("the capacity", &describe_capacity(&measured));
    expect_table("the hottest key", &describe_hottest(&measured, &off, &agents_off));
    expect_table("the bill", &bill::describe(&Day::of(&off), &measured));
    // Without a peak above the mean, the simulation would show nothing.
    let checks = &off.all[Service::Check as usize];
    assert!(checks.busiest_minute(&MORNING) > 1.5 * checks.mean(&MORNING));
    assert!(off.calls > checks.total(), "{} calls, {} checks", off.calls, checks.total());
}

#[test]
fn one_laptop_renews_its_approval_all_day() {
    let mut load = Load::new(1);
    let scenario = monday(HOUR, default_interval());
    laptop::spend_day(&scenario, &mut random::Random::new(1), &mut load);
    let renewals = load.renewals[Service::Check as usize].total();
    // Eight hours or more of approvals of half an hour, each renewed 5 to 15 minutes before its end.
    assert!((15..50).contains(&renewals), "{renewals}");
}
