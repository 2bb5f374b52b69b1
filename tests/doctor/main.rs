//! `doctor`: what it says of a healthy laptop, and of one with a fault planted in it.
//!
//! Each fault is found by its own check, with the words that mend it; every other check goes on as if nothing were.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, write files and start children"
)]

mod bundle;
mod healthy;
mod machine;
mod neighbours;
mod network;
mod provider;

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use serde_json::{Value, json};
use testworld::{Desk, World, write_script};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");

/// A laptop on which all is well: set up, signed in, and Claude Code installed.
fn laptop(world: &World) -> Desk<'_> {
    laptop_with(world, "")
}

/// With further lines of the profile.
fn laptop_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    install(&desk, "claude", "exit 0");
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.run(["login"]).expect_code(0);
    desk
}

/// A program of this name on the person's `PATH`.
fn install(desk: &Desk<'_>, name: &str, script: &str) -> PathBuf {
    let program = desk.home().join("bin").join(name);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    write_script(&program, &format!("#!/bin/sh\n{script}\n"));
    desk.set_variable("PATH", format!("{}:/usr/bin:/bin", desk.home().join("bin").display()));
    program
}

fn write(desk: &Desk<'_>, name: &str, text: &str) -> PathBuf {
    let path = desk.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// Every check of `doctor --json`.
fn checks(desk: &Desk<'_>) -> Vec<Value> {
    let outcome = desk.run(["doctor", "--json"]);
    assert_eq!((outcome.stderr.as_str(), &outcome.document()["version"]), ("", &json!(1)));
    outcome.document()["checks"].as_array().unwrap().clone()
}

fn read(desk: &Desk<'_>, name: &str) -> String {
    fs::read_to_string(desk.home().join(name)).unwrap()
}

/// Replaces words in a file of the home.
fn reword(desk: &Desk<'_>, name: &str, from: &str, to: &str) {
    let text = read(desk, name);
    assert!(text.contains(from), "{text}");
    write(desk, name, &text.replace(from, to));
}

/// Exactly these checks complain, each as `(name, result, message, remedy)`. A message or remedy that ends in `…` is the
/// beginning of what is said.
#[track_caller]
fn complains(desk: &Desk<'_>, expected: &[(&str, &str, &str, &str)]) {
    let found = checks(desk);
    let complaints: Vec<_> =
        found.iter().filter(|check| ["warn", "bad"].contains(&check["result"].as_str().unwrap())).collect();
    let names: Vec<_> = complaints.iter().map(|check| check["name"].as_str().unwrap()).collect();
    let wanted: Vec<_> = expected.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, wanted, "{complaints:#?}");
    for (check, (name, result, message, remedy)) in complaints.iter().zip(expected) {
        assert_eq!(&check["result"], result, "{check:#}");
        for (key, words) in [("message", message), ("remedy", remedy)] {
            let said = check[key].as_str().unwrap();
            match words.strip_suffix('…') {
                Some(start) => assert!(said.starts_with(start), "{name}: {said}"),
                None => assert_eq!(said, *words, "{name}"),
            }
        }
    }
}

/// The check was passed over, and says why.
#[track_caller]
fn skips(desk: &Desk<'_>, name: &str, why: &str) {
    let found = checks(desk);
    let check = found.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!((&check["result"], &check["message"]), (&json!("skipped"), &json!(why)), "{check}");
    assert_eq!(check["remedy"], Value::Null);
}

/// What a check says that has nothing to complain of.
#[track_caller]
fn says(desk: &Desk<'_>, name: &str) -> String {
    let found = checks(desk);
    let check = found.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!((&check["result"], &check["remedy"]), (&json!("ok"), &Value::Null), "{check}");
    check["message"].as_str().unwrap().to_owned()
}

/// Where the data lies, below the home and as messages show it.
const DATA: &str = match cfg!(target_os = "macos") {
    true => "Library/Application Support/bedrock-sso",
    false => ".local/share/bedrock-sso",
};

const CONFIG: &str = match cfg!(target_os = "macos") {
    true => "Library/Application Support/bedrock-sso/config.toml",
    false => ".config/bedrock-sso/config.toml",
};

const SETUP: &str = "run `bedrock-sso setup`, which shows what it changes before it does";
const NETWORK: &str = "check the network or the VPN; behind a proxy, set HTTPS_PROXY";
