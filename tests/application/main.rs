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

use testworld::{Desk, Endpoint, Knob, Outcome, World, address_in, code_in};

use crate::{PROGRAM, SPENT};

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
    assert!(outcome.stdout.lines().last().unwrap().contains("demo@example.com"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    desk
}

/// A `login` whose code the person enters in a browser.
fn sign_in_by_code<const N: usize>(desk: &Desk<'_>, login: [&str; N]) {
    let mut call = desk.start(login);
    let line = call.lines(1).concat();
    testworld::enter_code(address_in(&line), code_in(&line), false).unwrap();
    call.finish().expect_code(0);
}

/// Authorizations, codes, refreshes, revocations.
fn counts(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Revoke])
}

/// The files in which the proof of an application is kept.
fn kept(desk: &Desk<'_>) -> Vec<String> {
    let entries = fs::read_dir(desk.data()).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".application")).collect()
}
