//! The exchange with AWS, with the whole program: refusals and their advice, lengths, names, and no way round in circles.
//!
//! The sign-in before it goes well here; what is kept and renewed afterwards is the business of `ladder`.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, write files and start children"
)]

mod chain;
mod pool;
mod refusals;
mod regions;
mod request;
mod session;

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use testworld::{Desk, Endpoint, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");

fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, PROGRAM)
}

/// Changes one text of the desk's configuration into another.
#[track_caller]
fn reconfigure(desk: &Desk<'_>, from: &str, to: &str) {
    let configuration = fs::read_to_string(desk.config_file()).unwrap();
    assert!(configuration.contains(from), "{configuration}");
    desk.configure(&configuration.replace(from, to));
}

#[track_caller]
fn credentials(desk: &Desk<'_>) -> Value {
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    outcome.document()
}

/// What was said and what was advised, by a call that wrote these two lines and nothing else.
#[track_caller]
fn refused(desk: &Desk<'_>, code: i32, slug: &str) -> (String, String) {
    let (what, hint) = desk.run(["credentials"]).refused(code, slug);
    (without_request_id(&what), hint)
}

/// AWS names each request anew.
fn without_request_id(what: &str) -> String {
    match what.split_once(" (request ") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').unwrap().1),
        None => what.to_owned(),
    }
}

/// The fields of each question that AWS was asked.
fn asked(world: &World) -> Vec<BTreeMap<String, String>> {
    forms(world, Endpoint::Assume)
}

/// The forms that arrived there.
fn forms(world: &World, endpoint: Endpoint) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter().filter(|request| request.endpoint == endpoint);
    requests
        .map(|request| {
            openidconnect::url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
        })
        .collect()
}

/// How long the credentials of this document last from now, as the world's clock has it.
fn seconds_left(world: &World, document: &Value) -> i64 {
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    end.timestamp() - world.now()
}
