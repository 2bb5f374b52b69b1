//! The interface of the program to users and scripts: exit codes, stdout, stderr, help and the log.
//!
//! These tests compare the whole output. `ladder` and `sign_in` test what happens before it.
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
mod hints;
mod logging;
mod login;
mod special_files;
mod status;
mod upgrades;

use std::{
    fs,
    process::{Command, Stdio},
};

use testworld::{Desk, Knob, World};

use crate::{PROGRAM, SPENT, assert_prints, desk, signed_in};

/// The user's configuration file as messages show it.
const FILE: &str = match cfg!(target_os = "macos") {
    true => "~/Library/Application Support/bedrock-sso/config.toml",
    false => "~/.config/bedrock-sso/config.toml",
};
/// A home whose user has signed in; the credentials are expired.
fn signed_in_with_expired_credentials(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    signed_in(world)
}

/// The number of the first line of the configuration that begins with this text.
fn line_of(desk: &Desk<'_>, beginning: &str) -> usize {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    1 + text.lines().position(|line| line.starts_with(beginning)).unwrap()
}

/// A shell that runs this script in the home; `$0` is the program.
fn shell(desk: &Desk<'_>, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    let own = desk.command();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(variables).current_dir(desk.home()).args(["-c", script, PROGRAM]);
    shell.stdin(Stdio::null());
    shell
}
