//! The commands that hosts, shells and users run after a sign-in: `env`, `exec`, `export`, `otel-headers`, `token` and
//! `bearer`.
//!
//! These tests check their output and how long they wait. `ladder` tests how the credentials are obtained.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic, write files and start children"
)]

mod environment;
mod exec;
mod export;
mod headers;
mod token;

use std::process::{Command, Stdio};

use testworld::{Desk, Endpoint, World};

use crate::{PROGRAM, SPENT, assert_prints, desk, signed_in};

/// How many tabs, code exchanges, refreshes and role requests there were.
fn counts(world: &World, desk: &Desk<'_>) -> [usize; 4] {
    let asked = world.counts([Endpoint::Code, Endpoint::Refresh, Endpoint::Assume]);
    [desk.tabs(), asked[0], asked[1], asked[2]]
}

/// The cached credentials, as the document of `credential_process`.
fn cached_credentials(desk: &Desk<'_>) -> serde_json::Value {
    desk.run(["credentials", "--no-login"]).expect_code(0).document()
}

/// A shell that runs this script in the home.
fn shell(desk: &Desk<'_>, shell: &str, arguments: &[&str], script: &str) -> Command {
    let mut command = Command::new(shell);
    let own = desk.command();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    // fish decodes the path of the home with its locale.
    command.env_clear().envs(variables).env("LC_ALL", "C.UTF-8").current_dir(desk.home());
    command.args(arguments).arg(script).stdin(Stdio::null());
    command
}
