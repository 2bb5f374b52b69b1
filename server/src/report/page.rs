//! The report as one HTML page: it runs no script, loads nothing, follows the reader's light or dark colours, and prints.
//!
//! Every text that comes from a token, a log or an administrator is escaped.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedrock_sso::text::{escape_html, sanitize_line};
use jiff::civil::Date;
use ring::digest::{SHA256, digest};

use super::{
    ReachedLimit, ReportRow, UNKNOWN, UsageReport,
    chart::{draw_bar, draw_columns},
};
use crate::{
    calendar::Period,
    limits::{Action, Amount},
    usage::{MicroUsd, TokenCounts},
};

const STYLE: &str = include_str!("page.css");

/// So many rows of a table are shown; the rest is one row.
const MOST_ROWS: usize = 40;

/// The page of a report.
pub fn render_page(report: &UsageReport) -> String {
    let month = describe_month(&report.month);
    let title = format!("Amazon Bedrock in {month}");
    let mut page = String::new();
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n",
        describe_making(report)
    );
    page.push_str(&render_tiles(report));
    page.push_str(&render_days(report, &month));
    for (heading, column, rows) in [
        ("By department", "Department", &report.departments),
        ("By team", "Team", &report.teams),
        ("By model", "Model", &report.models),
        ("By person", "Person", &report.people),
    ] {
        // A table whose one row says that nothing is known says nothing.
        if rows.iter().any(|row| row.label != UNKNOWN) {
            page.push_str(&render_table(heading, column, rows, report.total.cost));
        }
    }
    page.push_str(&render_limits(report));
    page.push_str(&render_notes(report));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn describe_making(report: &UsageReport) -> String {
    let made_at = escape_html(&report.made_at);
    match report.is_complete {
        true => format!("Made on {made_at}."),
        false => format!("The month goes on. Made on {made_at}."),
    }
}

fn render_tiles(report: &UsageReport) -> String {
    let tokens = &report.total.tokens;
    let compared = match report.before {
        Some(before) => describe_change(before.cost, report.total.cost, report.is_complete),
        None => "nothing in the month before".to_owned(),
    };
    let reached = match report.limited_count {
        0 => "nobody has reached a limit".to_owned(),
        1 => "1 has reached a limit".to_owned(),
        count => format!("{count} have reached a limit"),
    };
    let per_person = u64::try_from(report.people_count.max(1)).unwrap_or(u64::MAX);
    let tiles = [
        ("Spent in USD", format_money(report.total.cost), compared),
        ("People", group_digits(report.people_count as u64), reached),
        ("USD a person", format_money(MicroUsd(report.total.cost.0 / per_person)), "on average".to_owned()),
        (
            "Tokens",
            format_tokens(tokens.count_prompt().saturating_add(tokens.output)),
            format!("{} written by models", format_tokens(tokens.output)),
        ),
        ("From the cache", format_cache_share(tokens), "of the tokens in prompts".to_owned()),
    ];
    let mut list = "<ul class=\"tiles\">\n".to_owned();
    for (name, value, remark) in tiles {
        let _ = writeln!(list, "<li><span>{name}</span><strong>{value}</strong><small>{remark}</small></li>");
    }
    list + "</ul>\n"
}

fn render_days(report: &UsageReport, month: &str) -> String {
    let spent: Vec<(String, MicroUsd)> = report.days.iter().map(|day| (day.label.clone(), day.usage.cost)).collect();
    if spent.iter().all(|(_, cost)| *cost == MicroUsd(0)) {
        return String::new();
    }
    let mut section = "<section>\n<h2>By day</h2>\n<p class=\"unit\">USD</p>\n".to_owned();
    section.push_str(&draw_columns(&format!("Spending on each day of {month}, in US dollars"), &spent));
    section.push_str("<details>\n<summary>The numbers</summary>\n<table>\n<thead><tr><th scope=\"col\">Day</th><th scope=\"col\">Tokens</th><th scope=\"col\">USD</th></tr></thead>\n<tbody>\n");
    for day in &report.days {
        let _ = writeln!(
            section,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            escape_html(&day.label),
            format_all_tokens(&day.usage.tokens),
            format_money(day.usage.cost)
        );
    }
    section + "</tbody>\n</table>\n</details>\n</section>\n"
}

fn render_table(heading: &str, column: &str, rows: &[ReportRow], total: MicroUsd) -> String {
    let largest = rows.iter().map(|row| row.usage.cost.as_dollars()).fold(0.0, f64::max);
    let mut section = format!(
        "<section>\n<h2>{heading}</h2>\n<table>\n<thead><tr><th scope=\"col\">{column}</th>\
         <th scope=\"col\" class=\"chart\"><span class=\"spoken\">Share of the largest</span></th><th scope=\"col\">Tokens</th>\
         <th scope=\"col\">Cache</th><th scope=\"col\">USD</th><th scope=\"col\">Share</th></tr></thead>\n<tbody>\n"
    );
    let mut add = |label: &str, row: &ReportRow| {
        let cost = row.usage.cost;
        let _ = writeln!(
            section,
            "<tr><th scope=\"row\">{}</th><td class=\"chart\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape_html(&sanitize_line(label)),
            draw_bar(cost.as_dollars() / largest.max(f64::MIN_POSITIVE)),
            format_all_tokens(&row.usage.tokens),
            format_cache_share(&row.usage.tokens),
            format_money(cost),
            format_share(cost, total),
        );
    };
    let (shown, rest) = rows.split_at(rows.len().min(MOST_ROWS));
    for row in shown {
        add(&row.label, row);
    }
    if !rest.is_empty() {
        let usage = rest.iter().map(|row| row.usage).sum();
        add(&format!("{} others", rest.len()), &ReportRow { label: String::new(), usage });
    }
    section + "</tbody>\n</table>\n</section>\n"
}

fn render_limits(report: &UsageReport) -> String {
    if report.limits.is_empty() {
        return String::new();
    }
    let mut section = "<section>\n<h2>Limits that were reached</h2>\n<table class=\"words\">\n<thead><tr><th scope=\"col\">Person</th><th scope=\"col\">Limit</th><th scope=\"col\">When</th><th scope=\"col\">What happens</th></tr></thead>\n<tbody>\n".to_owned();
    for limit in &report.limits {
        let _ = writeln!(
            section,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape_html(&limit.person),
            escape_html(&sanitize_line(&describe_limit(limit))),
            describe_times(limit),
            match limit.action {
                Action::Block => "calls are refused",
                Action::Warn => "a warning",
            }
        );
    }
    section + "</tbody>\n</table>\n</section>\n"
}

fn describe_limit(limit: &ReachedLimit) -> String {
    let amount = match limit.amount {
        Amount::Tokens(count) => format!("{} tokens", format_tokens(count)),
        Amount::Usd(money) => format!("{} USD", format_money(money)),
    };
    let of_model = limit.model.as_deref().map(|model| format!(" for {model}")).unwrap_or_default();
    format!("{amount} a {}{of_model}", limit.period.name())
}

fn describe_times(limit: &ReachedLimit) -> String {
    match (limit.period, limit.times) {
        (Period::Month, _) => "in the month".to_owned(),
        (Period::Day | Period::Hour, 1) => "on 1 day".to_owned(),
        (Period::Day | Period::Hour, times) => format!("on {times} days"),
    }
}

fn render_notes(report: &UsageReport) -> String {
    let mut notes =
        vec!["Money is estimated from the tokens in Bedrock's invocation log and a price list. The bill may differ."];
    if !report.has_all_days {
        notes.push("Some days are missing: the server stores days for about two months, and months for ever.");
    }
    if report.limited_count > 0 {
        notes.push("Limits are those that hold now. Limits for an hour are not in this report.");
    }
    if report.people.iter().any(|row| row.label.starts_with("Person ")) {
        notes.push(
            "People are numbered by what they spent in this month, so a number is another person in another month.",
        );
    }
    let list: String = notes.iter().map(|note| format!("<p>{note}</p>\n")).collect();
    format!("<footer>\n{list}</footer>\n")
}

/// `2026-11` as `November 2026`.
fn describe_month(month: &str) -> String {
    let first = Date::strptime("%Y-%m-%d", format!("{month}-01"));
    first.map_or_else(|_| escape_html(month), |day| day.strftime("%B %Y").to_string())
}

fn describe_change(before: MicroUsd, now: MicroUsd, is_complete: bool) -> String {
    let so_far = if is_complete { "" } else { " so far" };
    let percent = 100.0 * (now.as_dollars() - before.as_dollars()) / before.as_dollars().max(f64::MIN_POSITIVE);
    match percent {
        percent if percent > 999.0 => format!("over ten times the month before{so_far}"),
        percent if percent >= 0.5 => format!("{percent:.0} % more than the month before{so_far}"),
        percent if percent <= -0.5 => format!("{:.0} % less than the month before{so_far}", -percent),
        _ => format!("as the month before{so_far}"),
    }
}

/// Dollars with two digits, and commas between thousands.
fn format_money(cost: MicroUsd) -> String {
    let cents = cost.0.saturating_add(5_000) / 10_000;
    match (cost.0, cents) {
        (1.., 0) => "&lt;&nbsp;0.01".to_owned(),
        _ => format!("{}.{:02}", group_digits(cents / 100), cents % 100),
    }
}

fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three digits that count, and a unit: `999`, `12.3 k`, `4.56 M`.
#[expect(clippy::cast_precision_loss, reason = "three digits for people")]
fn format_tokens(count: u64) -> String {
    let (size, unit) = match count {
        0..1_000 => return count.to_string(),
        1_000..1_000_000 => (1e3, "k"),
        1_000_000..1_000_000_000 => (1e6, "M"),
        1_000_000_000.. => (1e9, "B"),
    };
    let value = count as f64 / size;
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$}&nbsp;{unit}")
}

fn format_all_tokens(tokens: &TokenCounts) -> String {
    format_tokens(tokens.count_prompt().saturating_add(tokens.output))
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn format_cache_share(tokens: &TokenCounts) -> String {
    match tokens.count_prompt() {
        0 => "-".to_owned(),
        prompt => format!("{:.0}&nbsp;%", 100.0 * tokens.cache_read as f64 / prompt as f64),
    }
}

fn format_share(cost: MicroUsd, total: MicroUsd) -> String {
    match total.0 {
        0 => "-".to_owned(),
        _ => format!("{:.1}&nbsp;%", 100.0 * cost.as_dollars() / total.as_dollars()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    fn usage(dollars: u64, tokens: u64) -> Usage {
        let tokens = TokenCounts { input: tokens, output: tokens / 10, cache_read: 8 * tokens, cache_write: tokens };
        Usage { tokens, cost: MicroUsd(dollars * 10_000) }
    }

    fn row(label: &str, cents: u64) -> ReportRow {
        ReportRow { label: label.to_owned(), usage: usage(cents, cents * 1_000) }
    }

    /// November 2026, with weekends.
    fn november() -> UsageReport {
        let days: Vec<ReportRow> = (1..=30_u64)
            .map(|day| {
                let weight = if matches!(day % 7, 0 | 1) { day % 5 } else { 9_000 + 731 * ((day * 37) % 11) };
                row(&format!("2026-11-{day:02}"), weight)
            })
            .collect();
        let total: Usage = days.iter().map(|day| day.usage).sum();
        UsageReport {
            month: "2026-11".to_owned(),
            made_at: "2026-12-01 08:00 Europe/Berlin".to_owned(),
            is_complete: true,
            total,
            before: Some(usage(241_234, 5)),
            people_count: 214,
            has_all_days: true,
            days,
            departments: vec![row("Engineering", 190_000), row("Research", 61_234), row(UNKNOWN, 21_120)],
            teams: vec![row("search", 120_000), row("platform", 70_000), row("ml", 61_234), row(UNKNOWN, 21_120)],
            models: vec![
                row("global.anthropic.claude-opus-5-5", 201_043),
                row("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 70_000),
                row("eu.anthropic.claude-haiku-5-5", 1_311),
            ],
            people: (1..=60).map(|rank| row(&format!("Person {rank}"), 58_000 / rank)).collect(),
            limits: vec![
                ReachedLimit {
                    person: "Person 1".to_owned(),
                    period: Period::Month,
                    model: None,
                    amount: Amount::Usd(MicroUsd(200_000_000)),
                    action: Action::Block,
                    times: 1,
                },
                ReachedLimit {
                    person: "Person 3".to_owned(),
                    period: Period::Day,
                    model: Some("*claude-opus*".to_owned()),
                    amount: Amount::Tokens(5_000_000),
                    action: Action::Warn,
                    times: 4,
                },
            ],
            limited_count: 2,
        }
    }

    /// A reviewer opens these files.
    #[test]
    fn pages_match_the_golden_files() {
        testworld::expect_file("server/tests/expected/report/november.html", &render_page(&november()));
        let early = UsageReport {
            month: "2026-12".to_owned(),
            is_complete: false,
            before: None,
            has_all_days: false,
            days: vec![row("2026-12-01", 0)],
            departments: vec![row(UNKNOWN, 50)],
            teams: vec![row(UNKNOWN, 50)],
            people: Vec::new(),
            limits: Vec::new(),
            limited_count: 0,
            people_count: 1,
            total: usage(50, 50_000),
            models: vec![row("eu.anthropic.claude-haiku-5-5", 50)],
            ..november()
        };
        testworld::expect_file("server/tests/expected/report/one-person.html", &render_page(&early));
    }

    /// `.ci/pictures` writes the checksum of the page that it has drawn, as `sha256sum` does.
    #[test]
    fn pictures_show_the_current_page() {
        let page = render_page(&november());
        let checksum: String =
            digest(&SHA256, page.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let drawn = include_str!("../../tests/expected/report/drawn.sha256");
        assert!(drawn.starts_with(&checksum), "the page has changed since it was drawn: run .ci/pictures");
    }

    #[test]
    fn foreign_text_is_escaped() {
        let hostile = "</th><script>alert(1)</script>\" onload='x'\u{1b}[2J<img src=x onerror=y>";
        let mut report = november();
        for rows in [&mut report.departments, &mut report.teams, &mut report.models, &mut report.people] {
            *rows = vec![row(hostile, 5)];
        }
        report.days = vec![row(hostile, 5)];
        hostile.clone_into(&mut report.limits[0].person);
        report.limits[0].model = Some(hostile.to_owned());
        hostile.clone_into(&mut report.month);
        hostile.clone_into(&mut report.made_at);
        let page = render_page(&report);
        for part in ["<script", "<img", "onload='", "\" onload"] {
            assert!(!page.contains(part), "{part}");
        }
        assert!(page.matches("&lt;script&gt;").count() > 8);
    }

    #[test]
    fn page_loads_nothing_and_runs_nothing() {
        let page = render_page(&november());
        for part in ["<script", "<link", "@import", "url(", "src=", " style=", "http://", "https://"] {
            assert!(!page.contains(part), "{part}");
        }
        let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert!(page.contains(&format!("default-src 'none'; style-src 'sha256-{hash}'")));
    }

    #[test]
    fn numbers_are_short_and_exact_enough() {
        for (micro, text) in [(0, "0.00"), (1, "&lt;&nbsp;0.01"), (5_000, "0.01"), (1_234_567_890_000, "1,234,567.89")]
        {
            assert_eq!(format_money(MicroUsd(micro)), text);
        }
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.00&nbsp;k"),
            (45_600_000, "45.6&nbsp;M"),
            (7_000_000_000, "7.00&nbsp;B"),
        ] {
            assert_eq!(format_tokens(count), text);
        }
        let change = |before, now| describe_change(MicroUsd(before), MicroUsd(now), true);
        assert_eq!(change(100, 112), "12 % more than the month before");
        assert_eq!(change(100, 50), "50 % less than the month before");
        assert_eq!(change(1_000, 1_001), "as the month before");
        assert_eq!(change(1, 1_000), "over ten times the month before");
    }
}
