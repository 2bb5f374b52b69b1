//! What a person can do when this machine denies what every run needs, or this program has a fault.
//!
//! What was denied is for `host` to say; nothing here concerns one profile.

use std::{io, panic::PanicHookInfo, time::Duration};

use crate::{
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    text::describe_io_error,
    time::format_duration,
};

#[expect(clippy::needless_pass_by_value, reason = "callers name these functions in `map_err`")]
impl Failure {
    pub fn from_missing_home() -> Self {
        Self::new(Exit::Configuration, "config/no_home", "the system names no home folder for this user", "set HOME")
    }

    /// There is no runtime for network traffic.
    pub fn from_runtime_error(error: io::Error) -> Self {
        let what = format!("the system refused what is needed for network traffic: {error}");
        Self::new(Exit::Internal, "internal/runtime", what, "close some programs, or restart the machine")
    }

    pub fn from_stdin_error(error: io::Error) -> Self {
        let what = format!("stdin cannot be read: {}", describe_io_error(&error));
        Self::new(Exit::Internal, "internal/stdin", what, "check where the input comes from")
    }

    pub fn from_stdout_error(error: io::Error) -> Self {
        let what = format!("stdout cannot be written: {}", describe_io_error(&error));
        Self::new(Exit::Internal, "internal/stdout", what, "check where the output is sent")
    }

    /// The system does not say where this program is.
    pub fn from_program_path_error(error: io::Error) -> Self {
        let what = format!("cannot find the path of this program: {}", describe_io_error(&error));
        Self::new(Exit::Storage, "storage/files", what, "check that this program is still in place")
    }

    /// A process of our own for the sign-in could not be started.
    pub fn from_worker_start_error(error: io::Error) -> Self {
        let what = format!("cannot start a process of its own for the sign-in: {error}");
        let hint = "check that this program may be executed and is still in place";
        Self::new(Exit::Internal, "internal/spawn", what, hint)
    }

    /// The worker was started several times, and ended each time without a result.
    pub fn from_dead_worker() -> Self {
        let what = "the process that signs in ended without a word, several times";
        let hint = Hint::run(NextCommand::LoginVerbose).text(" and report what it says");
        Self::new(Exit::Internal, "internal/worker_died", what, hint)
    }

    /// The worker did not end in time.
    pub fn from_stuck_worker(after: Duration) -> Self {
        let what = format!("the process that signs in did not finish within {} and was ended", format_duration(after));
        let hint = Hint::from("try again; if it happens again, run ").command(NextCommand::LoginVerbose);
        Self::new(Exit::Internal, "internal/worker_stuck", what, hint.text(" and report what it says"))
    }
}

/// Told by its place alone: what a panic says may quote a secret.
impl From<&PanicHookInfo<'_>> for Failure {
    fn from(fault: &PanicHookInfo<'_>) -> Self {
        let place = fault.location().map_or_else(String::new, |place| format!(" at {place}"));
        let hint = "report it, with what the same command says with `-vv`";
        Self::new(Exit::Internal, "internal/fault", format!("this program has a fault{place}"), hint)
    }
}
