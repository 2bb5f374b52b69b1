//! What a month costs, by list prices.

use std::fmt::Write as _;

use crate::{
    measured::Measured,
    simulation::{CALLS_OF_BEDROCK, Day, LAPTOPS},
};

/// Prices of us-east-1 in USD, without AWS's free allowances, taxes and discounts, compared on this day. AWS's pages load
/// the amounts by script, and no copy has them. So each amount is from public pages that quote AWS's price list.
const PRICES_DATE: &str = "2026-12-01";
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;
// aws.amazon.com/dynamodb/pricing/on-demand
const WRITE_UNIT: f64 = 0.625 / MILLION;
const READ_UNIT: f64 = 0.125 / MILLION;
const TABLE_GB_MONTH: f64 = 0.25;
const BACKUP_GB_MONTH: f64 = 0.20;
// aws.amazon.com/lambda/pricing (arm64)
const INVOCATION: f64 = 0.20 / MILLION;
const GB_SECOND: f64 = 0.000_013_333_4;
// aws.amazon.com/api-gateway/pricing (HTTP APIs; less from 300 million a month on)
const API_REQUEST: f64 = 1.00 / MILLION;
// aws.amazon.com/cloudwatch/pricing (logs, standard class). The subscription itself is free.
const LOG_GB: f64 = 0.50;
const LOG_GB_MONTH: f64 = 0.03;

const WORKING_DAYS: f64 = 21.0;
/// `packaging/aws` deletes records after this time.
const LOG_MONTHS: f64 = 3.0;
/// The functions' memory in `packaging/aws/service.yaml`.
const MEMORY_GB: f64 = 0.5;
/// How long the function works for one question, and for one record.
const SECONDS_PER_CHECK: f64 = 0.020;
const SECONDS_PER_RECORD: f64 = 0.005;
const RECORDS_PER_DELIVERY: f64 = 50.0;
/// DynamoDB stores this much beside each item.
const BYTES_BESIDE_ITEM: f64 = 100.0;
/// A request id is remembered for 40 days. In them are this many working days.
const WORKING_DAYS_REMEMBERED: f64 = 28.0;
/// The items of usage of a person: hours of three days, days of two months, and months of two years.
const ITEMS_OF_USAGE: f64 = 30.0 + 50.0 + 24.0;

/// The lines of the bill, as a table.
pub(crate) fn describe(day: &Day, measured: &Measured) -> String {
    let month = |of_day: f64| of_day * WORKING_DAYS;
    let records = month(f64::from(LAPTOPS) * f64::from(CALLS_OF_BEDROCK));
    let checks = month(day.checks as f64);
    let new_tokens = month(day.new_tokens as f64);
    let [record, check, new_token, evaluation] =
        [&measured.record, &measured.check, &measured.check_with_new_token, &measured.evaluation].map(|it| it.total());
    let writes = records * record.writes as f64 + new_tokens * new_token.writes as f64;
    let check_reads = (checks - new_tokens) * check.reads as f64 + new_tokens * new_token.reads as f64;
    let evaluation_reads = records * evaluation.reads as f64;
    let gb_stored =
        (records / WORKING_DAYS * WORKING_DAYS_REMEMBERED * (measured.request_bytes as f64 + BYTES_BESIDE_ITEM)
            + f64::from(LAPTOPS) * ITEMS_OF_USAGE * (measured.usage_bytes as f64 + BYTES_BESIDE_ITEM))
            / GB;
    let log_gb = records * measured.record_bytes as f64 / GB;
    let deliveries = records / RECORDS_PER_DELIVERY;
    let lines = [
        ("DynamoDB: writes for records", millions(writes), writes * WRITE_UNIT),
        ("DynamoDB: reads for `/check`", millions(check_reads), check_reads * READ_UNIT),
        ("DynamoDB: reads for notices and enforcement", millions(evaluation_reads), evaluation_reads * READ_UNIT),
        ("DynamoDB: storage and backups", format!("{gb_stored:.0} GB"), gb_stored * (TABLE_GB_MONTH + BACKUP_GB_MONTH)),
        ("API Gateway", format!("{} requests", millions(checks)), checks * API_REQUEST),
        (
            "Lambda: `check`",
            format!("{} calls", millions(checks)),
            checks * (INVOCATION + SECONDS_PER_CHECK * MEMORY_GB * GB_SECOND),
        ),
        (
            "Lambda: `ingest`",
            format!("{} deliveries", millions(deliveries)),
            deliveries * INVOCATION + records * SECONDS_PER_RECORD * MEMORY_GB * GB_SECOND,
        ),
        (
            "CloudWatch: the invocation log, for 90 days",
            format!("{log_gb:.0} GB"),
            log_gb * (LOG_GB + LOG_GB_MONTH * LOG_MONTHS),
        ),
    ];
    let sum: f64 = lines.iter().map(|(_, _, cost)| cost).sum();
    let mut text = format!("| USD a month, prices of us-east-1 of {PRICES_DATE} | How much | Cost |\n|---|---|---|\n");
    for (what, amount, cost) in &lines {
        writeln!(text, "| {what} | {amount} | {cost:.0} |").unwrap();
    }
    writeln!(text, "| all | | {sum:.0} |").unwrap();
    writeln!(text, "| for each person | | {:.3} |", sum / f64::from(LAPTOPS)).unwrap();
    text
}

fn millions(count: f64) -> String {
    format!("{:.0} M", count / MILLION)
}
