//! Messages and hints for a machine that denies what every run needs, and for bugs of this program.
//!
//! None of these failures concerns one profile. They are rare, so each hint names the one check that most often finds
//! the cause, or asks for a report.

use std::{io, panic::PanicHookInfo, time::Duration};

use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    text::describe_io_error,
    time::format_duration,
};

#[expect(clippy::needless_pass_by_value, reason = "callers name these functions in `map_err`")]
impl Failure {
    /// The home folder is unknown, so there is no place for the configuration and the stored session. Containers and
    /// system services often run without `HOME`.
    pub fn from_missing_home() -> Self {
        let what = "the system reports no home folder for this user";
        Self::new(Exit::Configuration, "config/no_home", what, "set the environment variable HOME")
    }

    /// The runtime for network traffic did not start. It needs a few file handles and threads, so the cause is most
    /// often a limit of the system.
    pub fn from_runtime_error(error: io::Error) -> Self {
        let what = format!("the system denied the resources for network traffic: {error}");
        Self::new(Exit::Internal, "internal/runtime", what, "close some programs, or restart the computer")
    }

    /// Reading a secret from stdin failed.
    pub fn from_stdin_error(error: io::Error) -> Self {
        let what = format!("cannot read stdin: {}", describe_io_error(&error));
        Self::new(Exit::Internal, "internal/stdin", what, "check the file or program that stdin comes from")
    }

    /// The output could not be delivered, so the caller must not take the run for a success.
    pub fn from_stdout_error(error: io::Error) -> Self {
        let what = format!("cannot write to stdout: {}", describe_io_error(&error));
        Self::new(Exit::Internal, "internal/stdout", what, "check the file or program that stdout goes to")
    }

    /// The system does not know the path of the running program. `setup` writes this path into the files of other
    /// programs, and the worker is started from it. The path is unknown after somebody deleted the file, for example
    /// during an update.
    pub fn from_program_path_error(error: io::Error) -> Self {
        let what = format!("cannot find the path of this program: {}", describe_io_error(&error));
        Self::new(Exit::Storage, "storage/files", what, "reinstall bedrock-sso if its file was moved or deleted")
    }

    /// The worker process could not be started. It runs the sign-in, so that the sign-in continues when a host ends the
    /// command.
    pub fn from_worker_start_error(error: io::Error) -> Self {
        let what = format!("cannot start the worker process for the sign-in: {error}");
        let hint = "check that the file of bedrock-sso still exists and that you can execute it";
        Self::new(Exit::Internal, "internal/spawn", what, hint)
    }

    /// The command started the worker several times, and each worker ended without a result. Something outside this
    /// program ends it, or it has a bug that its log shows.
    pub fn from_dead_worker() -> Self {
        let what = "the worker process for the sign-in ended several times without a result";
        let hint = Hint::run(NextCommand::LoginVerbose).text(" and report its output");
        Self::new(Exit::Internal, "internal/worker_died", what, hint)
    }

    /// The worker's watchdog ended it. Every step of a sign-in has its own timeout, so this is a bug or a machine that
    /// was asleep.
    pub fn from_stuck_worker(after: Duration) -> Self {
        let what = format!(
            "the worker process for the sign-in did not finish within {} and was ended",
            format_duration(after)
        );
        let hint = Hint::from("try again; if it fails again, run ").command(NextCommand::LoginVerbose);
        Self::new(Exit::Internal, "internal/worker_stuck", what, hint.text(" and report its output"))
    }
}

/// A panic. The message names only the place in the source, because the text of a panic may contain a secret.
impl From<&PanicHookInfo<'_>> for Failure {
    fn from(fault: &PanicHookInfo<'_>) -> Self {
        let place = fault.location().map_or_else(String::new, |place| format!(" at {place}"));
        let hint = "run the same command with `-vv` and report its output";
        Self::new(Exit::Internal, "internal/fault", format!("bedrock-sso has a bug{place}"), hint)
    }
}
