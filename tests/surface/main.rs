//! What people and scripts see of the program: exit codes, stdout, stderr, help, and the log.
//!
//! What happens behind it is the business of `ladder` and `sign_in`; here every byte that comes out is looked at.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, write files and start children"
)]

mod calls;
mod config;
mod exits;
mod help;
mod logging;
mod login;
mod special_files;
mod status;
mod upgrades;

use std::{
    fs,
    process::{Command, Stdio},
};

use testworld::{Desk, Knob, Outcome, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bedrock-sso");
const ROLE: &str = "arn:aws:iam::123456789012:role/BedrockUser";
/// The user's configuration file as messages show it, and the administrator's.
const FILE: &str = match cfg!(target_os = "macos") {
    true => "~/Library/Application Support/bedrock-sso/config.toml",
    false => "~/.config/bedrock-sso/config.toml",
};
const SYSTEM_FILE: &str = match cfg!(target_os = "macos") {
    true => "/Library/Application Support/bedrock-sso/config.toml",
    false => "/etc/bedrock-sso/config.toml",
};
/// Too little life to be served.
const SPENT: u32 = 10;

fn desk(world: &World) -> Desk<'_> {
    Desk::new(world, PROGRAM)
}

/// A desk where somebody has signed in.
fn signed_in(world: &World) -> Desk<'_> {
    let desk = desk(world);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
    desk
}

/// A desk where somebody has signed in, to credentials that are of no more use.
fn signed_in_and_spent(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    signed_in(world)
}

/// The two lines of a failure.
fn failure(what: &str, slug: &str, hint: &str) -> String {
    format!("bedrock-sso: {what} [{slug}]\n  hint: {hint}\n")
}

/// All that came out: this code, nothing on stdout, these bytes on stderr.
#[track_caller]
fn told(outcome: &Outcome, code: i32, stderr: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), ""), "{outcome:?}");
    assert_eq!(outcome.stderr, stderr);
}

/// All that came out of a success: these bytes on stdout, nothing on stderr.
#[track_caller]
fn said(outcome: &Outcome, stdout: &str) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout, stdout);
}

/// Replaces words in the configuration.
fn reword(desk: &Desk<'_>, from: &str, to: &str) {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    assert!(text.contains(from), "{text}");
    desk.configure(&text.replace(from, to));
}

/// The number of the configuration's line that begins so.
fn line_of(desk: &Desk<'_>, beginning: &str) -> usize {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    1 + text.lines().position(|line| line.starts_with(beginning)).unwrap()
}

/// A shell at this desk; `$0` is the program.
fn shell(desk: &Desk<'_>, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    let own = desk.command();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(variables).current_dir(desk.home()).args(["-c", script, PROGRAM]);
    shell.stdin(Stdio::null());
    shell
}
