//! Messages and hints for the telemetry relay of this computer: it cannot run, or another program has its port.

use std::io;

use crate::{
    config::Profile,
    failure::{Exit, Failure, oidc::describe_bind_attempt},
    hint::{Hint, NextCommand},
    oidc::callback::{BindAttempt, PortHolder},
    text::{describe_io_error, sanitize_line},
};

impl Failure {
    /// Another program, perhaps of another user, listens on the port. Nothing may be sent there, so Claude Code sends no
    /// telemetry. The name of the program is its own choice, so it is escaped.
    pub fn from_taken_relay_port(port: u16, holder: Option<&PortHolder>) -> Self {
        let holder = match holder {
            Some(holder) => format!("{} (process {})", holder.name.to_safe_line(), holder.pid),
            None => "another program or another user".to_owned(),
        };
        let what = format!("127.0.0.1:{port}, the address of your telemetry relay, is in use by {holder}");
        let hint = Hint::from("set `telemetry.relay_port` to a free port, then run ").command(NextCommand::Setup);
        Self::new(Exit::Configuration, "relay/port_taken", what, hint)
    }

    /// The system does not let this user listen on the port.
    pub fn from_missing_relay_port(attempt: &BindAttempt) -> Self {
        let what = format!("the telemetry relay cannot start: {}", describe_bind_attempt(attempt));
        let hint = Hint::from("set `telemetry.relay_port` to another port, then run ").command(NextCommand::Setup);
        Self::new(Exit::Configuration, "relay/port", what, hint)
    }

    /// This user's relay holds its lock and does not answer.
    pub fn from_silent_relay(port: u16) -> Self {
        let what = format!("your telemetry relay at 127.0.0.1:{port} does not answer");
        let hint = Hint::from("end its process, then watch it with ").command(NextCommand::OtelRelayVerbose);
        Self::new(Exit::Busy, "relay/silent", what, hint)
    }

    /// The user has started a second relay.
    pub fn from_running_relay(port: u16) -> Self {
        let what = format!("your telemetry relay runs already at 127.0.0.1:{port}");
        Self::new(Exit::Busy, "relay/running", what, "nothing is left to do; the relay ends after an hour without work")
    }

    /// The relay's process did not start, or did not listen in time.
    pub fn from_unstarted_relay(error: &io::Error) -> Self {
        let what = format!("the telemetry relay did not start: {}", describe_io_error(error));
        Self::new(Exit::Internal, "relay/not_started", what, Hint::run(NextCommand::OtelRelayVerbose))
    }

    /// `otel-relay` without a relay in the configuration.
    pub fn from_missing_laptop_relay(profile: &Profile) -> Self {
        let what = format!("the profile \"{}\" uses no telemetry relay on this computer", sanitize_line(&profile.name));
        let hint = "set `relay = \"laptop\"` in [profiles.NAME.telemetry], if you administer this computer";
        Self::new(Exit::Configuration, "relay/not_configured", what, hint)
    }
}
