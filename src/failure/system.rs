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

/// What is missing.
#[derive(Debug)]
pub enum SystemError {
    /// The system names no home folder for this user.
    NoHome,
    /// The runtime for network traffic.
    Runtime(io::Error),
    Stdin(io::Error),
    Stdout(io::Error),
    /// The system does not say where this program is.
    ProgramPathUnknown(io::Error),
    /// A process of our own for the sign-in could not be started.
    WorkerNotStarted(io::Error),
    /// It was started several times, and ended each time without a word.
    WorkerDied,
    /// It did not come to an end by itself.
    WorkerStuck {
        after: Duration,
    },
}

impl From<SystemError> for Failure {
    fn from(denied: SystemError) -> Self {
        let (exit, slug, what, hint) = match denied {
            SystemError::NoHome => (
                Exit::Configuration,
                "config/no_home",
                "the system names no home folder for this user".to_owned(),
                "set HOME".into(),
            ),
            SystemError::Runtime(error) => (
                Exit::Internal,
                "internal/runtime",
                format!("the system refused what is needed for network traffic: {error}"),
                "close some programs, or restart the machine".into(),
            ),
            SystemError::Stdin(error) => (
                Exit::Internal,
                "internal/stdin",
                format!("stdin cannot be read: {}", describe_io_error(&error)),
                "check where the input comes from".into(),
            ),
            SystemError::Stdout(error) => (
                Exit::Internal,
                "internal/stdout",
                format!("stdout cannot be written: {}", describe_io_error(&error)),
                "check where the output is sent".into(),
            ),
            SystemError::ProgramPathUnknown(error) => (
                Exit::Storage,
                "storage/files",
                format!("cannot find the path of this program: {}", describe_io_error(&error)),
                "check that this program is still in place".into(),
            ),
            SystemError::WorkerNotStarted(error) => (
                Exit::Internal,
                "internal/spawn",
                format!("cannot start a process of its own for the sign-in: {error}"),
                "check that this program may be executed and is still in place".into(),
            ),
            SystemError::WorkerDied => (
                Exit::Internal,
                "internal/worker_died",
                "the process that signs in ended without a word, several times".to_owned(),
                Hint::run(NextCommand::LoginVerbose).text(" and report what it says"),
            ),
            SystemError::WorkerStuck { after } => (
                Exit::Internal,
                "internal/worker_stuck",
                format!("the process that signs in did not finish within {} and was ended", format_duration(after)),
                Hint::from("try again; if it happens again, run ")
                    .command(NextCommand::LoginVerbose)
                    .text(" and report what it says"),
            ),
        };
        Self::new(exit, slug, what, hint)
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
