//! The line of `status` about telemetry: which relay gets it, and whether the one on this computer runs.

use serde::Serialize;

use super::StatusFact;
use crate::{
    config::{Profile, TelemetryRelay},
    host::Host,
    relay::is_relay_running,
    text::sanitize_line,
};

/// The relay of the profile.
#[derive(Serialize)]
pub(super) struct StatusTelemetry {
    /// `laptop`, or the address of the organization's relay.
    relay: String,
    /// The address of the relay on this computer.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whether the relay on this computer runs. It starts with Claude Code.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<bool>,
}

impl StatusTelemetry {
    /// `None` if the profile names no relay.
    pub(super) fn from_profile(profile: &Profile, host: &Host) -> Option<Self> {
        match &profile.telemetry.relay {
            TelemetryRelay::None => None,
            TelemetryRelay::Laptop(relay) => Some(Self {
                relay: "laptop".to_owned(),
                address: Some(relay.address()),
                running: Some(is_relay_running(host, relay.port)),
            }),
            TelemetryRelay::Remote(address) => {
                Some(Self { relay: address.as_str().to_owned(), address: None, running: None })
            }
        }
    }

    pub(super) fn to_fact(&self) -> StatusFact {
        let text = match (&self.address, self.running) {
            (Some(address), Some(true)) => format!("by your relay at {address}"),
            (Some(address), _) => format!("by your relay at {address}, which starts with Claude Code"),
            (None, _) => format!("by the relay {}", sanitize_line(&self.relay)),
        };
        StatusFact::new("Telemetry", text)
    }
}
