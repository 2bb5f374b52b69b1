//! Every test that runs the whole program, in one binary: it is linked once, and tests that wait for a deadline wait side by
//! side with all others. Run a part of it with `cargo test --test program sign_in::`.
#![cfg(unix)]

#[path = "application/main.rs"]
mod application;
mod console;
mod crowd;
mod destinations;
mod environment;
#[path = "doctor/main.rs"]
mod doctor;
#[path = "exchange/main.rs"]
mod exchange;
#[path = "hooks/main.rs"]
mod hooks;
#[path = "host/main.rs"]
mod host;
mod ladder;
#[path = "live/main.rs"]
mod live;
mod logout;
#[cfg(target_os = "linux")]
mod pictures;
#[path = "providers/main.rs"]
mod providers;
mod quota;
mod shared_sign_in;
#[path = "sign_in/main.rs"]
mod sign_in;
#[path = "surface/main.rs"]
mod surface;

use testworld::{Desk, Endpoint, Outcome, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");
/// A life of AWS credentials, in seconds, that is too short for them to be served.
const SPENT: u32 = 10;

/// A home with the usual profile, in which nobody has signed in.
fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, PROGRAM)
}

/// A home in which somebody has signed in.
fn signed_in(world: &World) -> Desk<'_> {
    let desk = desk(world);
    desk.credentials();
    desk
}

/// Authorizations, codes, refreshes and exchanges so far.
fn counts(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Assume])
}

/// A moment as people read it in a time zone that is so many hours ahead of UTC.
fn to_local_text(moment: &str, hours_ahead: i64) -> String {
    let moment = chrono::DateTime::parse_from_rfc3339(moment).expect("a time in RFC 3339").naive_utc();
    (moment + chrono::TimeDelta::hours(hours_ahead)).format("%Y-%m-%d %H:%M").to_string()
}

/// The whole of a success: these bytes on stdout, nothing on stderr.
#[track_caller]
fn said(outcome: &Outcome, stdout: &str) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout, stdout);
}
