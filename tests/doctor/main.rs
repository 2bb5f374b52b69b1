//! `doctor`: its report on a healthy machine, and on machines with one fault.
//!
//! Each fault must be reported by the check for it, with a hint that fixes it, and must not change any other check.
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

use crate::PROGRAM;

/// A healthy machine: `setup` has run, the user has signed in, and Claude Code is installed.
fn laptop(world: &World) -> Desk<'_> {
    laptop_with(world, "")
}

/// A healthy machine with more lines of TOML in the profile.
fn laptop_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    install(&desk, "claude", "exit 0");
    desk.run(["setup", "--yes"]).expect_code(0);
    desk.run(["login"]).expect_code(0);
    desk
}

/// Installs a shell script under this name on the `PATH` of the user.
fn install(desk: &Desk<'_>, name: &str, script: &str) -> PathBuf {
    let program = desk.home().join("bin").join(name);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    write_script(&program, &format!("#!/bin/sh\n{script}\n"));
    desk.set_variable("PATH", format!("{}:/usr/bin:/bin", desk.home().join("bin").display()));
    program
}

/// Every check of `doctor --json`.
fn checks(desk: &Desk<'_>) -> Vec<Value> {
    let outcome = desk.run(["doctor", "--json"]);
    assert_eq!((outcome.stderr.as_str(), &outcome.document()["version"]), ("", &json!(1)));
    outcome.document()["checks"].as_array().unwrap().clone()
}

/// Replaces text in a file of the home.
fn replace_in_file(desk: &Desk<'_>, name: &str, from: &str, to: &str) {
    let text = desk.read(name);
    assert!(text.contains(from), "{text}");
    desk.write(name, &text.replace(from, to));
}

/// The checks that failed or warn. The wording of each is compared with the golden list `doctor`.
#[track_caller]
fn complaints(desk: &Desk<'_>) -> Vec<Value> {
    let mut found = checks(desk);
    found.retain(|check| ["warn", "bad"].contains(&check["result"].as_str().unwrap()));
    found.iter().for_each(|check| expect_wording(desk, check));
    found
}

#[track_caller]
fn expect_wording(desk: &Desk<'_>, check: &Value) {
    let text = |key: &str| check[key].as_str().unwrap_or("none");
    let lines = format!("{}: {}\n  hint: {}", text("result"), text("message"), text("remedy"));
    desk.expect_wording("doctor", text("name"), &lines);
}

#[track_caller]
fn complains_of_nothing(desk: &Desk<'_>) {
    assert_eq!(complaints(desk), [Value::Null; 0]);
}

/// Asserts that only this check failed or warns, and that its message or hint contains each of these facts.
#[track_caller]
fn complains(desk: &Desk<'_>, name: &str, result: &str, facts: &[&str]) {
    let found = complaints(desk);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_complaint(&found[0], name, result, facts);
}

#[track_caller]
fn assert_complaint(check: &Value, name: &str, result: &str, facts: &[&str]) {
    assert_eq!((&check["name"], &check["result"]), (&json!(name), &json!(result)), "{check:#}");
    let text = format!("{}\n{}", check["message"].as_str().unwrap(), check["remedy"].as_str().unwrap());
    for fact in facts {
        assert!(text.contains(fact), "{fact:?} is not in {text:?}");
    }
}

/// The check with this name.
#[track_caller]
fn find_check(desk: &Desk<'_>, name: &str) -> Value {
    let found = checks(desk);
    let check = found.into_iter().find(|check| check["name"] == name).unwrap();
    expect_wording(desk, &check);
    check
}

#[track_caller]
fn skips(desk: &Desk<'_>, name: &str) {
    let check = find_check(desk, name);
    assert_eq!((&check["result"], &check["remedy"]), (&json!("skipped"), &Value::Null), "{check}");
}

/// The message of a check whose result is `ok`.
#[track_caller]
fn says(desk: &Desk<'_>, name: &str) -> String {
    let check = find_check(desk, name);
    assert_eq!((&check["result"], &check["remedy"]), (&json!("ok"), &Value::Null), "{check}");
    check["message"].as_str().unwrap().to_owned()
}

/// The data folder below the home, as messages show it.
const DATA: &str = match cfg!(target_os = "macos") {
    true => "Library/Application Support/bedrock-sso",
    false => ".local/share/bedrock-sso",
};

const CONFIG: &str = match cfg!(target_os = "macos") {
    true => "Library/Application Support/bedrock-sso/config.toml",
    false => ".config/bedrock-sso/config.toml",
};
