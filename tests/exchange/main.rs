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

use std::collections::BTreeMap;

use serde_json::Value;
use testworld::{Desk, Endpoint, Failed, World};

use crate::{PROGRAM, desk};

/// The failure of a call for credentials.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

/// The fields of each question that AWS was asked.
fn asked(world: &World) -> Vec<BTreeMap<String, String>> {
    forms(world, Endpoint::Assume)
}

/// The forms that arrived there.
fn forms(world: &World, endpoint: Endpoint) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter().filter(|request| request.endpoint == endpoint);
    requests
        .map(|request| openidconnect::url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect())
        .collect()
}

/// How long the credentials of this document last from now, as the world's clock has it.
fn seconds_left(world: &World, document: &Value) -> i64 {
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    end.timestamp() - world.now()
}
