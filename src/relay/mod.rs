//! The telemetry relay on the computer: it takes what Claude Code exports, states who the user is, and sends it to
//! CloudWatch, signed with the user's AWS credentials.
//!
//! Claude Code cannot sign requests, and its settings name one fixed port. Any other user of the computer can listen on
//! that port first. So the relay proves itself to `otel-headers` before Claude Code gets a token, and the token is worth
//! nothing anywhere else: see `secret`. The relay stores nothing. It acknowledges only what CloudWatch has taken, so a
//! relay that is killed loses nothing that it has acknowledged.
//!
//! `launch` and `probe` are the side of `otel-headers`; `server`, `request` and `export` are the relay.

mod chunks;
mod error;
mod export;
mod launch;
mod probe;
mod request;
mod response;
mod secret;
mod server;
mod upstream;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use launch::{READY_LINE, RelayStart, connect_relay, forget_relays, is_relay_running, run_relay};
pub use probe::{ProbeOutcome, RelayInstance, probe_relay};
