//! The answer to an administrator: rows, as a table or as JSON.

use std::fmt::Write as _;

use bedrock_sso::{
    text::{escape_controls, escape_json},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    calendar::Calendar,
    prices::PriceList,
    report::{ReportRow, UsageReport},
    usage::MicroUsd,
};

/// One row: names of columns with their values, in the order in which they are shown.
pub type Row = Vec<(&'static str, Value)>;

/// Rows with the same columns, or rows of different kinds, which each name their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminAnswer {
    rows: Vec<Vec<(String, Value)>>,
    /// What to say instead of an empty table.
    note: Option<String>,
    /// What else the administrator should know. It is no part of the document.
    #[serde(default)]
    remark: Option<String>,
    /// The report of a month, of which the rows are a part.
    #[serde(default)]
    report: Option<Box<UsageReport>>,
}

impl AdminAnswer {
    pub(super) fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        let own = |row: Row| row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { rows: rows.into_iter().map(own).collect(), note: None, remark: None, report: None }
    }

    /// The list of prices, in US dollars for a million tokens.
    pub fn of_prices(prices: &PriceList) -> Self {
        Self::new(prices.rows().iter().map(|row| {
            vec![
                ("model", json!(row.model)),
                ("min_prompt", json!(row.min_prompt_tokens)),
                ("from", json!(row.from.as_text())),
                ("input", json!(row.input)),
                ("output", json!(row.output)),
                ("cache_read", json!(row.cache_read)),
                ("cache_write", json!(row.cache_write)),
            ]
        }))
    }

    /// The list of prices as analytics reads it: in millionths of a US dollar for a million tokens, in the order in which
    /// rows are compared, with the pattern of models as SQL's `LIKE … ESCAPE '!'` understands it.
    pub fn of_exported_prices(prices: &PriceList) -> Self {
        Self::new(prices.rows().iter().enumerate().map(|(position, row)| {
            vec![
                ("position", json!(position)),
                ("model", json!(row.model)),
                ("model_like", json!(to_like_pattern(&row.model))),
                ("min_prompt_tokens", json!(row.min_prompt_tokens)),
                ("from_day", json!(row.from.as_text().unwrap_or_default())),
                ("input", json!(row.input.micro_usd())),
                ("output", json!(row.output.micro_usd())),
                ("cache_read", json!(row.cache_read.micro_usd())),
                ("cache_write", json!(row.cache_write.micro_usd())),
                ("list_date", json!(prices.date)),
            ]
        }))
    }

    /// A report, with a row for each of its parts.
    pub(super) fn of_report(report: UsageReport) -> Self {
        let row = |about: &str, row: &ReportRow| -> Row {
            vec![
                ("about", json!(about)),
                ("name", json!(row.label)),
                ("month", json!(report.month)),
                ("input_tokens", json!(row.usage.tokens.input)),
                ("output_tokens", json!(row.usage.tokens.output)),
                ("cache_read_tokens", json!(row.usage.tokens.cache_read)),
                ("cache_write_tokens", json!(row.usage.tokens.cache_write)),
                ("micro_usd", json!(row.usage.cost)),
            ]
        };
        let total = ReportRow { label: report.month.clone(), usage: report.total };
        let parts = [
            ("month", std::slice::from_ref(&total)),
            ("day", &report.days),
            ("department", &report.departments),
            ("team", &report.teams),
            ("model", &report.models),
            ("person", &report.people),
        ];
        let rows: Vec<Row> = parts.iter().flat_map(|(about, rows)| rows.iter().map(|it| row(about, it))).collect();
        let limits = report.limits.iter().map(|limit| -> Row {
            vec![
                ("about", json!("limit")),
                ("name", json!(limit.person)),
                ("month", json!(report.month)),
                ("period", json!(limit.period)),
                ("model", json!(limit.model)),
                ("limit", json!(limit.amount)),
                ("action", json!(limit.action)),
                ("times", json!(limit.times)),
            ]
        });
        let answer = Self::new(rows.into_iter().chain(limits));
        Self { report: Some(Box::new(report)), ..answer }
    }

    /// The report of a month, if that was the request.
    pub fn report(&self) -> Option<&UsageReport> {
        self.report.as_deref()
    }

    /// The same answer, with a sentence for the case that it has no rows.
    pub(super) fn or_note(self, note: &str) -> Self {
        Self { note: self.rows.is_empty().then(|| note.to_owned()), ..self }
    }

    /// The same answer, with a sentence beside the rows.
    pub(super) fn with_remark(self, remark: &str) -> Self {
        Self { remark: Some(remark.to_owned()), ..self }
    }

    /// A sentence for the terminal, beside the rows.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// `{"version":1,"rows":[…]}`, on one line.
    pub fn to_json(&self) -> String {
        let rows: Vec<Map<String, Value>> = self.rows.iter().map(|row| row.iter().cloned().collect()).collect();
        escape_json(json!({ "version": 1, "rows": rows }).to_string())
    }

    /// Each row as a JSON object on a line of its own, as Amazon Athena reads tables.
    pub fn to_json_lines(&self) -> String {
        let line = |row: &Vec<(String, Value)>| {
            let object: Map<String, Value> = row.iter().cloned().collect();
            escape_json(Value::Object(object).to_string()) + "\n"
        };
        self.rows.iter().map(line).collect()
    }

    /// A table for a terminal, with times in the organization's zone, or the sentence for an empty one.
    pub fn to_table(&self, calendar: &Calendar) -> String {
        let Some(first) = self.rows.first() else {
            return self.note.as_deref().map(|note| format!("{note}\n")).unwrap_or_default();
        };
        let header: Vec<String> = first.iter().map(|(name, _)| shown_name(name).to_uppercase()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(header)
            .chain(self.rows.iter().map(|row| row.iter().map(|(name, value)| show(name, value, calendar)).collect()))
            .collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let is_number =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).all(|(_, value)| value.is_number());
        let numbers: Vec<bool> = (0..columns).map(is_number).collect();
        let mut table = String::new();
        for line in &lines {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .zip(&numbers)
                .map(|((cell, width), is_number)| match is_number {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                })
                .collect();
            writeln!(table, "{}", cells.join("  ").trim_end()).expect("a String takes every text");
        }
        table
    }
}

/// A pattern in which `*` stands for any text and `?` for any character, in SQL's spelling.
fn to_like_pattern(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len());
    for part in pattern.chars() {
        match part {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '!' => like.extend(['!', part]),
            _ => like.push(part),
        }
    }
    like
}

fn shown_name(name: &str) -> &str {
    match name {
        "micro_usd" => "usd",
        other => other.strip_suffix("_tokens").unwrap_or(other),
    }
}

/// A value in a cell. Foreign text cannot control the terminal.
fn show(name: &str, value: &Value, calendar: &Calendar) -> String {
    match (name, value) {
        ("micro_usd", Value::Number(micro)) => {
            let money = MicroUsd(micro.as_u64().unwrap_or_default()).to_string();
            money.trim_end_matches(" USD").to_owned()
        }
        ("since" | "until", Value::String(text)) => match Timestamp::from_rfc3339(text) {
            Some(time) => calendar.describe(time),
            None => escape_controls(text),
        },
        (_, Value::Null) => "-".to_owned(),
        (_, Value::String(text)) => escape_controls(text),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_rows() -> AdminAnswer {
        let row = |person: &str, tokens: u64, micro: u64| -> Row {
            vec![("person", json!(person)), ("input_tokens", json!(tokens)), ("micro_usd", json!(micro))]
        };
        AdminAnswer::new([row("alice@example.com", 5, 12_500_000), row("bo", 12_345, 1)])
    }

    #[test]
    fn numbers_stand_at_the_right() {
        let table = "PERSON             INPUT       USD\n\
                     alice@example.com      5     12.50\n\
                     bo                 12345  0.000001\n";
        assert_eq!(two_rows().to_table(&Calendar::utc()), table);
    }

    #[test]
    fn json_has_a_version_and_raw_numbers() {
        let json: Value = serde_json::from_str(&two_rows().to_json()).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!(json["rows"][1], json!({ "person": "bo", "input_tokens": 12345, "micro_usd": 1 }));
    }

    #[test]
    fn each_line_is_a_row() {
        let lines = two_rows().to_json_lines();
        let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1], json!({ "person": "bo", "input_tokens": 12345, "micro_usd": 1 }));
    }

    #[test]
    fn patterns_of_models_become_patterns_of_sql() {
        assert_eq!(to_like_pattern("*global.anthropic.claude-opus-4?5*"), "%global.anthropic.claude-opus-4_5%");
        assert_eq!(to_like_pattern("100%_sure!"), "100!%!_sure!!");
    }

    #[test]
    fn an_empty_table_says_so() {
        let empty = AdminAnswer::new([]).or_note("there are no limits");
        assert_eq!(empty.to_table(&Calendar::utc()), "there are no limits\n");
        assert_eq!(empty.to_json(), r#"{"rows":[],"version":1}"#);
        assert_eq!(two_rows().or_note("unused"), two_rows());
    }

    #[test]
    fn foreign_text_cannot_control_the_terminal() {
        let answer = AdminAnswer::new([vec![("reason", json!("\u{1b}[2Jgone"))]]);
        assert!(!answer.to_table(&Calendar::utc()).contains('\u{1b}'));
    }
}
