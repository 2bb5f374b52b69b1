//! The exchange of an ID token for AWS credentials: requests, refusals, role chains, identity pools, regions, sessions.
//!
//! In these tests the sign-in itself succeeds. `ladder` tests the cache and the refresh afterwards.
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
mod user_info;

use std::collections::BTreeMap;

use serde_json::Value;
use testworld::{Desk, Endpoint, Failed, World};

use crate::{PROGRAM, desk};

/// Asserts that `credentials` fails with this exit code and slug.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

/// The form of each AssumeRoleWithWebIdentity request.
fn role_requests(world: &World) -> Vec<BTreeMap<String, String>> {
    forms(world, Endpoint::Assume)
}

/// The forms that this endpoint has got.
fn forms(world: &World, endpoint: Endpoint) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter().filter(|request| request.endpoint == endpoint);
    requests
        .map(|request| openidconnect::url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect())
        .collect()
}

/// How long the credentials of this document are valid, by the clock of the world.
fn seconds_left(world: &World, document: &Value) -> i64 {
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    end.timestamp() - world.now()
}
