//! Asks the program on the relay's port to prove that it is this user's relay.
//!
//! The question contains a random number and nothing about the user. Only a program that can read this user's secret
//! can answer it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::secret::RelaySecret;
use crate::{config::parse_version, host::Host, http::parse_json_object, log, text::encode_hex};

/// A free port refuses at once, except on Windows, which tries again for two seconds. Then starting the relay shows
/// whether the port is free.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// A relay answers within milliseconds, also while it sends telemetry.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_ANSWER_BYTES: u64 = 4096;

pub(super) const PROOF_PATH: &str = "/relay/proof";
pub(super) const END_PATH: &str = "/relay/end";

/// What listens on the relay's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// This user's relay.
    Ours(RelayInstance),
    /// Nothing.
    Absent,
    /// A program that cannot prove that it is this user's relay.
    Foreign,
    /// A program that accepts connections and does not answer in time.
    Silent,
}

/// A relay that has proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayInstance {
    pub version: String,
    name: String,
}

/// The relay's answer to the question for its proof.
#[derive(Serialize, Deserialize)]
pub(super) struct ProofAnswer {
    pub(super) version: String,
    /// A random name of the process, so that a request to end it reaches no other process.
    pub(super) instance: String,
    pub(super) proof: String,
}

impl RelayInstance {
    /// Whether this program is newer than the relay's, and therefore has to replace it. An older program leaves a newer
    /// relay alone: two installed versions would otherwise end each other's relay all the time.
    pub(super) fn is_outdated(&self) -> bool {
        parse_version(&self.version) < parse_version(env!("CARGO_PKG_VERSION"))
    }
}

/// Asks the program on this port. Without a secret no relay of this user can run, so any program there is foreign.
pub fn probe_relay(host: &Host, port: u16) -> Result<ProbeOutcome, crate::files::Error> {
    let secret = RelaySecret::load(&host.paths.data)?;
    Ok(probe_port(host, port, secret.as_ref()))
}

pub(super) fn probe_port(host: &Host, port: u16, secret: Option<&RelaySecret>) -> ProbeOutcome {
    let mut bytes = [0; 32];
    (host.fill_random)(&mut bytes);
    let nonce = encode_hex(&bytes);
    let answer = match ask(port, &format!("GET {PROOF_PATH}?{nonce} HTTP/1.1\r\n")) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    let proved = parse_json_object::<ProofAnswer>(&answer).filter(|answer| {
        secret.is_some_and(|key| key.is_proof(&answer.proof, port, &nonce, &answer.version, &answer.instance))
    });
    match proved {
        Some(ProofAnswer { version, instance, .. }) => ProbeOutcome::Ours(RelayInstance { version, name: instance }),
        None => ProbeOutcome::Foreign,
    }
}

/// Asks an older relay to end. It has closed its port when it answers.
pub(super) fn end_relay(port: u16, instance: &RelayInstance, secret: &RelaySecret) {
    let token = secret.end_token(port, &instance.name);
    let line = format!("POST {END_PATH} HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: Bearer {}\r\n", token.expose());
    if ask(port, &line).is_err() {
        log::info("relay", format_args!("the older relay on port {port} did not answer the request to end"));
    }
}

/// Sends a request and returns the body of the answer; empty if the answer is not one of HTTP.
fn ask(port: u16, head: &str) -> Result<Vec<u8>, ProbeOutcome> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(|_| ProbeOutcome::Absent)?;
    let request = format!("{head}Host: {address}\r\nConnection: close\r\n\r\n");
    let began = Instant::now();
    let outcome_of = |error: std::io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ProbeOutcome::Silent,
        _ => ProbeOutcome::Foreign,
    };
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(outcome_of)?;
    stream.write_all(request.as_bytes()).map_err(outcome_of)?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    // The program on the other side may be hostile, and could send one byte at a time for ever.
    while (answer.len() as u64) < MAX_ANSWER_BYTES {
        let Some(left) = ANSWER_TIMEOUT.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else {
            return Err(ProbeOutcome::Silent);
        };
        stream.set_read_timeout(Some(left)).map_err(outcome_of)?;
        match stream.read(&mut buffer).map_err(outcome_of)? {
            0 => break,
            read => answer.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    Ok(answer.split_off(end))
}
