//! The first hour in a terminal: in a container, in WSL and over SSH the user ends signed in, without editing a file.
//!
//! `tests/keyring` has the desktop with a keyring. The pictures of the terminals are in `target/tmp/terminals`.

use std::path::Path;

use serde_json::json;
use testworld::{Desk, FirstSignIn, KeyringWorks, Knob, STORAGE_QUESTION, TerminalPicture, World};

use super::desk;

/// Draws the terminal, for somebody who wants to see what the user sees.
fn draw(name: &str, shown: &str) {
    let mut picture = TerminalPicture::default();
    picture.add("bedrock-sso setup", shown);
    picture.write_for_review(Path::new(env!("CARGO_TARGET_TMPDIR")), name);
}

/// Runs the wizard without a keyring, and asserts that programs have credentials afterwards. Returns what the terminal
/// shows.
fn ends_signed_in(desk: &Desk<'_>, sign_in: FirstSignIn, cause: &str) -> String {
    for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        desk.set_variable(name, value);
    }
    let outcome = desk.spend_first_hour(KeyringWorks::No, sign_in);
    let shown = outcome.shown.replace('\r', "");
    assert_eq!(outcome.code, Some(0), "{shown}");
    for fact in [cause, STORAGE_QUESTION, "✓ signed in as demo@example.com", "✓ AWS accepts the credentials"] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
    assert!(desk.data().join("key").exists());
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
    assert_eq!(desk.run(["status", "--json"]).document().get("storage"), Some(&json!("file")));
    shown
}

#[test]
fn first_hour_in_a_container_ends_signed_in() {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    let desk = desk(&world);
    desk.set_variable("container", "podman");
    let shown = ends_signed_in(&desk, FirstSignIn::DeviceCode, "no keyring is available: a container has none");
    draw("container", &shown);
}

#[test]
fn first_hour_in_wsl_ends_signed_in() {
    let world = World::new();
    let desk = desk(&world);
    for (name, value) in [("WSL_DISTRO_NAME", "Debian"), ("WSL_INTEROP", "/run/WSL/8_interop")] {
        desk.set_variable(name, value);
    }
    // A build machine can be a container itself, which then is the innermost surrounding.
    let is_container = ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists());
    let cause = if is_container { "a container has none" } else { "WSL has none" };
    let shown = ends_signed_in(&desk, FirstSignIn::Browser, &format!("no keyring is available: {cause}"));
    // What a container shows is no picture of WSL.
    if !is_container {
        draw("wsl", &shown);
    }
}

#[test]
fn first_hour_over_ssh_ends_signed_in() {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    let desk = desk(&world);
    for (name, value) in [("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22"), ("SSH_TTY", "/dev/pts/1")] {
        desk.set_variable(name, value);
    }
    let shown = ends_signed_in(&desk, FirstSignIn::DeviceCode, "no keyring is available: a session over SSH has none");
    draw("ssh", &shown);
}
