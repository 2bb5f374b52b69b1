//! Runs the whole program against a test provider and a test STS on loopback.
//!
//! A `World` is the provider and AWS, and a `Desk` is the home of one user, in which the program runs. A `Knob` changes
//! what the world answers, and a `Fault` is an answer that breaks a request.
//!
//! All these tests are in one binary: it is linked once, and tests that wait for a deadline run at the same time as all
//! others. `cargo test --test program sign_in::` runs one module.
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
#[path = "identity_center/main.rs"]
mod identity_center;
mod ladder;
#[path = "live/main.rs"]
mod live;
mod logout;
#[cfg(target_os = "linux")]
mod pictures;
#[path = "providers/main.rs"]
mod providers;
mod quota;
mod relay;
mod requirements;
mod shared_sign_in;
#[path = "sign_in/main.rs"]
mod sign_in;
#[path = "surface/main.rs"]
mod surface;

use testworld::{Desk, Endpoint, Outcome, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");
/// A lifetime of AWS credentials, in seconds, so short that the program regards them as expired.
const SPENT: u32 = 10;

/// A home with the usual profile, before any sign-in.
fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, PROGRAM)
}

/// A home whose user has signed in.
fn signed_in(world: &World) -> Desk<'_> {
    let desk = desk(world);
    desk.credentials();
    desk
}

/// How many authorizations, code exchanges, refreshes and role requests the world has seen.
fn counts(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Assume])
}

/// A time as the program shows it to users, in a time zone this many hours ahead of UTC.
fn to_local_text(moment: &str, hours_ahead: i64) -> String {
    let moment = chrono::DateTime::parse_from_rfc3339(moment).expect("a time in RFC 3339").naive_utc();
    (moment + chrono::TimeDelta::hours(hours_ahead)).format("%Y-%m-%d %H:%M").to_string()
}

/// Asserts a success that prints exactly these bytes on stdout and nothing on stderr.
#[track_caller]
fn assert_prints(outcome: &Outcome, stdout: &str) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout, stdout);
}
