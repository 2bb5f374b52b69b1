//! An application that has to prove itself: where its proof comes from, how it is presented, what a wrong one costs.
//!
//! The provider of these tests believes one registered way and nothing beside it; see `testworld`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod key;
mod key_files;
mod secret;
mod storing;

use std::fs;

use testworld::{Desk, Endpoint, Knob, Outcome, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");
/// Too little life to be served.
const SPENT: u32 = 10;
const STORED: &str = "Signed in as demo@example.com: role BedrockUser in account 123456789012, until ";

/// A world whose application is registered for this method.
fn world(method: &str) -> World {
    let world = World::new();
    world.set(Knob::ClientAuth, method);
    world
}

fn desk(world: &World) -> Desk<'_> {
    Desk::with(world, PROGRAM, "client_auth = \"secret\"")
}

/// Stores this secret and signs in.
fn login(desk: &Desk<'_>, secret: &str) -> Outcome {
    desk.run_with(["login", "--client-secret-stdin"], &format!("{secret}\n"))
}

/// A desk where somebody has signed in with the application's secret, to credentials that are of no more use.
#[track_caller]
fn signed_in<'w>(world: &'w World) -> Desk<'w> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(world);
    let outcome = login(&desk, &world.client_secret()).expect_code(0);
    assert!(outcome.stdout.lines().last().unwrap().starts_with(STORED), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    desk
}

#[track_caller]
fn served(desk: &Desk<'_>) {
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!((outcome.stderr.as_str(), &outcome.document()["Version"]), ("", &1.into()));
}

/// A `login` whose code the person enters in a browser.
fn sign_in_by_code<const N: usize>(desk: &Desk<'_>, login: [&str; N]) {
    let mut call = desk.start(login);
    let line = call.lines(1).concat();
    let (address, code) = line
        .strip_prefix("To sign in, go to ")
        .and_then(|rest| rest.split_once(" in any browser and enter the code "))
        .unwrap();
    testworld::enter_code(address, code, false).unwrap();
    call.finish().expect_code(0);
}

/// Authorizations, codes, refreshes, revocations.
fn counts(world: &World) -> [usize; 4] {
    [Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Revoke]
        .map(|endpoint| world.count(endpoint))
}

/// The files in which the proof of an application is kept.
fn kept(desk: &Desk<'_>) -> Vec<String> {
    let entries = fs::read_dir(desk.data()).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".application")).collect()
}
