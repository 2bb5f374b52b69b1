//! Why there is no relay for this user, as typed facts. `failure` words them.

use std::io;

use crate::{
    failure::Failure,
    files,
    oidc::callback::{BindAttempt, PortHolder},
    trait_impls::impl_from,
};

/// Why a relay did not start, or why `otel-headers` must not name it to Claude Code.
#[derive(Debug)]
pub enum Error {
    /// A program that does not know this user's secret listens on the port.
    PortTaken {
        port: u16,
        holder: Option<PortHolder>,
    },
    /// The system does not let this user listen on the port.
    NoPort(BindAttempt),
    /// The relay of this user did not answer in time.
    Silent {
        port: u16,
    },
    /// Another relay of this user runs already.
    Running {
        port: u16,
    },
    /// The relay's process did not start, or ended before it was ready.
    NotStarted(io::Error),
    Files(files::Error),
}

impl_from!(Error: Files(files::Error));

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::PortTaken { port, holder } => Self::from_taken_relay_port(port, holder.as_ref()),
            Error::NoPort(attempt) => Self::from_missing_relay_port(&attempt),
            Error::Silent { port } => Self::from_silent_relay(port),
            Error::Running { port } => Self::from_running_relay(port),
            Error::NotStarted(error) => Self::from_unstarted_relay(&error),
            Error::Files(error) => error.into(),
        }
    }
}
