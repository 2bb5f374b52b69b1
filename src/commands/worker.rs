//! `worker`: a sign-in or a refresh in a process of its own, started by this program alone.
//!
//! The work, and how it is reported to the caller, is in `worker`.

use clap::error::ErrorKind;

use super::{CommandContext, login};
use crate::{
    cli::WorkerArgs,
    failure::Failure,
    secret,
    worker::{CallerTerminal, parse_purpose, report_early_failure, run_worker_process},
};

/// Every failure goes through the pipe too, since nobody sees this process's stderr.
pub(super) fn run_worker(
    WorkerArgs { terminal, purpose }: &WorkerArgs,
    context: &CommandContext<'_>,
) -> Result<(), Failure> {
    let purpose = parse_purpose(purpose).ok_or_else(|| {
        let error = clap::Error::raw(ErrorKind::InvalidValue, "this is no purpose of a worker");
        Failure::from(&error)
    });
    let purpose = purpose.inspect_err(report_early_failure)?;
    let flags = login::list_overrides(purpose.method_preference());
    let profile = context.load_profile_with_flags(purpose.caller(), flags).inspect_err(report_early_failure)?;
    let terminal = if *terminal { CallerTerminal::Present } else { CallerTerminal::Absent };
    let invocation = context.invocation();
    let done = run_worker_process(&context.host, &profile.profile, &profile.cache, purpose, terminal, &invocation);
    secret::wipe_stack::<{ secret::COLD_STACK_BYTES }>();
    done
}
