//! `otel-relay`: runs the telemetry relay of this computer, which `otel-headers` starts when Claude Code needs it.
//!
//! A user who wants to see its decisions runs it with `-v`. It ends when nothing has needed it for an hour.

use super::{CommandContext, write_stdout};
use crate::{
    config::{CallerKind, TelemetryRelay},
    failure::Failure,
    relay::{READY_LINE, RelayStart, run_relay},
    secret,
};

/// Runs the relay to its end. It prints nothing, except one line to `otel-headers`, which has started it.
pub(super) fn run_otel_relay(in_background: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    let profile = context.load_profile(CallerKind::NonInteractive)?.profile;
    let TelemetryRelay::Laptop(relay) = &profile.telemetry.relay else {
        return Err(Failure::from_missing_laptop_relay(&profile));
    };
    let start = if in_background { RelayStart::InBackground } else { RelayStart::InForeground };
    let result = run_relay(&context.host, relay.port, start, || {
        if in_background {
            // The caller may have given up.
            let _ = write_stdout(READY_LINE.as_bytes());
        }
    });
    // Requests and decryption use much more stack than a command that only reads the cache.
    secret::wipe_stack::<{ secret::COLD_STACK_BYTES }>();
    Ok(result?)
}
