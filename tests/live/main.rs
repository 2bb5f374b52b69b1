//! `doctor --live`: calls to AWS and Bedrock, against a Bedrock that verifies every signature and every field.
//!
//! These tests check the rows of `--live` and their hints. The checks of the machine are tested in `doctor`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod exchange;
mod models;
mod page;
mod refusals;

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Knob, Outcome, World};

use crate::PROGRAM;

const OPUS: &str = "us.anthropic.claude-opus-4-6-v1";
const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A desk at which the user is signed out, with these lines in the profile's section for Claude Code.
fn desk<'w>(world: &'w World, claude_code: &str) -> Desk<'w> {
    let endpoint = json!(world.bedrock_endpoint());
    let more = format!("bedrock_endpoint = {endpoint}\n[profiles.claude.claude_code]\n{claude_code}");
    let desk = Desk::with(world, PROGRAM, &more);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk
}

fn signed_in<'w>(world: &'w World, claude_code: &str) -> Desk<'w> {
    let desk = desk(world, claude_code);
    desk.run(["credentials"]).expect_code(0);
    desk
}

/// One row of `--live`: name, result, message and remedy.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    result: String,
    message: String,
    remedy: Option<String>,
}

/// The rows from `exchange` on.
fn rows(outcome: &Outcome) -> Vec<Row> {
    let document = outcome.document();
    assert_eq!((document["version"].as_u64(), outcome.stderr.as_str()), (Some(1), ""), "{outcome:?}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |check: &Value| Row {
        name: text(&check["name"]).unwrap(),
        result: text(&check["result"]).unwrap(),
        message: text(&check["message"]).unwrap(),
        remedy: text(&check["remedy"]),
    };
    let rows = document["checks"].as_array().unwrap().iter().map(row);
    rows.skip_while(|row| row.name != "exchange").collect()
}

/// Compares rows with the golden list `doctor --live`.
#[track_caller]
fn expect_wording(desk: &Desk<'_>, rows: &[Row]) {
    for row in rows {
        let remedy = row.remedy.as_deref().unwrap_or("none");
        let lines = format!("{}: {}\n  hint: {remedy}", row.result, row.message);
        desk.expect_wording("doctor --live", &row.name, &lines);
    }
}

#[track_caller]
fn live(desk: &Desk<'_>) -> Vec<Row> {
    let rows = rows(&desk.run(["doctor", "--live", "--json"]));
    expect_wording(desk, &rows);
    rows
}

impl Row {
    /// Asserts that the message or the remedy contains each of these facts.
    #[track_caller]
    fn has(&self, facts: &[&str]) {
        let text = format!("{}\n{}", self.message, self.remedy.as_deref().unwrap_or_default());
        for fact in facts {
            assert!(text.contains(fact), "{fact:?} is not in {text:?}");
        }
    }
}

/// The names and results of the rows.
fn results(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.name.as_str(), row.result.as_str())).collect()
}

#[track_caller]
fn row<'r>(rows: &'r [Row], name: &str) -> &'r Row {
    rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}: {rows:?}"))
}

/// The bodies that were posted to an endpoint, oldest first.
fn posted(world: &World, endpoint: Endpoint) -> Vec<Value> {
    let requests = world.ledger().requests().into_iter().filter(|entry| entry.endpoint == endpoint);
    requests.map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
}

/// Makes Bedrock refuse this operation.
fn refuse(world: &World, question: &str, status: u16, code: &str, message: &str) {
    let refusal = json!({ "status": status, "code": code, "message": message });
    world.set(Knob::BedrockRefusals, json!({ question: refusal }));
}
