//! The connection to CloudWatch: one HTTP client for each kind of network settings, which is built when the first
//! telemetry arrives, because it reads all certificates of the system.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    config::Profile,
    host::Environment,
    http::{self, Client, ProxyChoice},
};

/// Claude Code's exporter waits ten seconds for the relay.
const SEND_TIMEOUT: Duration = Duration::from_secs(8);
/// CloudWatch's answers have some hundred bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The client of the latest settings. Profiles of one user rarely differ in them.
#[derive(Default)]
pub(super) struct UpstreamClient(Mutex<Option<(NetworkChoice, Client)>>);

type NetworkChoice = (Option<PathBuf>, ProxyChoice);

impl UpstreamClient {
    pub(super) fn for_profile(&self, profile: &Profile, environment: &Environment) -> Result<Client, http::Error> {
        let choice = (profile.ca_bundle.clone(), profile.proxy.clone());
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = &*latest
            && *known == choice
        {
            return Ok(client.clone());
        }
        let client = Client::new_for_service(profile.network_settings(environment))?
            .with_total_timeout(SEND_TIMEOUT)
            .with_body_limit(MAX_ANSWER_BYTES);
        *latest = Some((choice, client.clone()));
        Ok(client)
    }
}
