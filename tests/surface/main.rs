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

use crate::{PROGRAM, SPENT, desk, said, signed_in};

/// The user's configuration file as messages show it.
const FILE: &str = match cfg!(target_os = "macos") {
    true => "~/Library/Application Support/bedrock-sso/config.toml",
    false => "~/.config/bedrock-sso/config.toml",
};
/// A desk where somebody has signed in, to credentials that are of no more use.
fn signed_in_and_spent(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    signed_in(world)
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
