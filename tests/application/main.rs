//! Client authentication: a client secret or a private key that the application must present to the provider.
//!
//! The test provider accepts only the method that is registered for the client.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod key;
mod key_files;
mod secret;
mod storing;

use std::fs;

use testworld::{Desk, Endpoint, Knob, Outcome, World, address_in, code_in};

use crate::{PROGRAM, SPENT};

/// A world whose provider has registered the client for this method.
fn world(method: &str) -> World {
    let world = World::new();
    world.set(Knob::ClientAuth, method);
    world
}

fn desk(world: &World) -> Desk<'_> {
    Desk::with(world, PROGRAM, "client_auth = \"secret\"")
}

/// Runs `login` with this secret on stdin.
fn login(desk: &Desk<'_>, secret: &str) -> Outcome {
    desk.run_with(["login", "--client-secret-stdin"], &format!("{secret}\n"))
}

/// A home whose user has signed in with the client secret; the credentials are expired.
#[track_caller]
fn signed_in<'w>(world: &'w World) -> Desk<'w> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(world);
    let outcome = login(&desk, &world.client_secret()).expect_code(0);
    assert!(outcome.stdout.lines().last().unwrap().contains("demo@example.com"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    desk
}

/// Runs `login` with a device code, which the user enters in a browser.
fn sign_in_with_device_code<const N: usize>(desk: &Desk<'_>, login: [&str; N]) {
    let mut call = desk.start(login);
    let line = call.lines(1).concat();
    testworld::enter_code(address_in(&line), code_in(&line), false).unwrap();
    call.finish().expect_code(0);
}

/// How many authorizations, code exchanges, refreshes and revocations the world has seen.
fn counts(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Revoke])
}

/// The names of the files in which client secrets and passphrases are stored.
fn application_files(desk: &Desk<'_>) -> Vec<String> {
    let entries = fs::read_dir(desk.data()).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".application")).collect()
}
