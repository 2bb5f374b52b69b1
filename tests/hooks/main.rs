//! The commands that hosts, shells and people run to have what a sign-in brought: each as it is really called.
//!
//! What happens on the ladder is `ladder`'s business; here it is what comes out, to whom, and how fast.
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

use crate::{PROGRAM, SPENT, desk, said, signed_in};

/// Tabs, codes, refreshes and exchanges so far.
fn counts(world: &World, desk: &Desk<'_>) -> [usize; 4] {
    let asked = world.counts([Endpoint::Code, Endpoint::Refresh, Endpoint::Assume]);
    [desk.tabs(), asked[0], asked[1], asked[2]]
}

/// The kept credentials as the `credential_process` document.
fn kept(desk: &Desk<'_>) -> serde_json::Value {
    desk.run(["credentials", "--no-login"]).expect_code(0).document()
}

/// A shell at this desk.
fn shell(desk: &Desk<'_>, shell: &str, arguments: &[&str], script: &str) -> Command {
    let mut command = Command::new(shell);
    let own = desk.command();
    let variables = own.get_envs().filter_map(|(name, value)| Some((name, value?)));
    // fish reads the bytes of a home as its locale says.
    command.env_clear().envs(variables).env("LC_ALL", "C.UTF-8").current_dir(desk.home());
    command.args(arguments).arg(script).stdin(Stdio::null());
    command
}
