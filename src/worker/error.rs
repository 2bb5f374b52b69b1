//! Why a caller got no result from a worker, as typed facts.
//!
//! Callers decide by these types and by [`FailureKind`]. `failure` turns them into messages and hints.

use std::io;

use crate::{
    cache::{FailureKind, FailureReport},
    failure::{Failure, LockWaitTimeout},
    files,
    session::{DestinationChanged, SignInNeeded},
    store,
    trait_impls::impl_from,
};

/// A failure of a request to a worker.
#[derive(Debug)]
pub enum Error {
    /// The worker reported this failure, or stored it while this caller waited.
    Reported(FailureReport),
    Store(store::Error),
    Files(files::Error),
    DestinationChanged(DestinationChanged),
    SignInNeeded(SignInNeeded),
    /// The time was up while another process held the lock.
    LockWait(LockWaitTimeout),
    /// The user pressed Ctrl-C at the caller's terminal.
    Interrupted,
    /// The operating system did not start a worker.
    NotStarted(io::Error),
    /// Several workers in turn ended without a result.
    WorkerDied,
}

impl Error {
    /// The part of the failure that callers decide by.
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
