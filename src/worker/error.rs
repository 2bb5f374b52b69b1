//! Why a caller of the worker got no result, as facts.
//!
//! The words for them are `failure`'s.

use std::io;

use crate::{
    cache::{FailureKind, FailureReport},
    failure::{Failure, LockWaitTimeout},
    files,
    session::{DestinationChanged, SignInNeeded, impl_from},
    store,
};

#[derive(Debug)]
pub enum Error {
    /// A worker reported this: the caller's own, or another process's.
    Reported(FailureReport),
    Store(store::Error),
    Files(files::Error),
    DestinationChanged(DestinationChanged),
    SignInNeeded(SignInNeeded),
    /// Another process held the lock for too long.
    LockWait(LockWaitTimeout),
    /// Ctrl-C at the caller's terminal.
    Interrupted,
    /// No worker could be started.
    NotStarted(io::Error),
    /// Several workers ended without a result.
    WorkerDied,
}

impl Error {
    /// What callers decide by.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Reported(report) => report.kind,
            Self::SignInNeeded(reason) => reason.kind(),
            Self::DestinationChanged(_) => FailureKind::SignInNeeded,
            Self::Interrupted => FailureKind::Interrupted,
            Self::Store(_) | Self::Files(_) | Self::LockWait(_) | Self::NotStarted(_) | Self::WorkerDied => {
                FailureKind::Other
            }
        }
    }
}

impl_from!(Error:
    Store(store::Error),
    Files(files::Error),
    DestinationChanged(DestinationChanged),
);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Reported(report) => report.into(),
            Error::Store(error) => error.into(),
            Error::Files(error) => error.into(),
            Error::DestinationChanged(changed) => changed.into(),
            Error::SignInNeeded(reason) => reason.into(),
            Error::LockWait(timeout) => timeout.into(),
            Error::Interrupted => Self::from_interruption(),
            Error::NotStarted(error) => Self::from_worker_start_error(error),
            Error::WorkerDied => Self::from_dead_worker(),
        }
    }
}
