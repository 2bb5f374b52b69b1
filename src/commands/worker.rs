//! `worker`: the hidden command of a worker process, which signs in or refreshes for the command that started it.
//!
//! The worker is a separate process so that a sign-in continues when its caller ends. This file only parses what the
//! worker must do and loads the profile. The module `worker` does the work and reports to the caller.

use clap::error::ErrorKind;

use super::{CommandContext, login};
use crate::{
    cli::WorkerArgs,
    failure::Failure,
    secret,
    worker::{CallerTerminal, parse_purpose, report_early_failure, run_worker_process},
};

/// Runs the worker to its end.
///
/// The caller reads results from a pipe and does not show this process's stderr. Failures that happen before the work
/// begins must therefore be sent through the pipe as well.
pub(super) fn run_worker(
    WorkerArgs { terminal, purpose }: &WorkerArgs,
    context: &CommandContext<'_>,
) -> Result<(), Failure> {
    let purpose = parse_purpose(purpose).ok_or_else(|| {
        let error = clap::Error::raw(ErrorKind::InvalidValue, "not a valid purpose of a worker");
        Failure::from(&error)
    });
    let purpose = purpose.inspect_err(report_early_failure)?;
    let flags = login::list_overrides(purpose.method_preference());
    let profile = context.load_profile_with_flags(purpose.caller(), flags).inspect_err(report_early_failure)?;
    let terminal = if *terminal { CallerTerminal::Present } else { CallerTerminal::Absent };
    let invocation = context.invocation();
    let result = run_worker_process(&context.host, &profile.profile, &profile.cache, purpose, terminal, &invocation);
    // Token requests and decryption use much more stack than a command that only reads the cache.
    secret::wipe_stack::<{ secret::COLD_STACK_BYTES }>();
    result
}
