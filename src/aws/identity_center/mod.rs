//! The client of AWS IAM Identity Center: signs a user in, lists the user's accounts and permission sets, and fetches
//! credentials.
//!
//! It sends unsigned JSON requests to two services with the HTTP client: `oidc` issues tokens, and the access portal
//! accepts them. The SDK's two crates would add a second copy of the endpoint rules. `session` decides when to prompt
//! the user and what to store.

mod device;
mod error;
mod portal;
mod sign_in;
#[cfg(test)]
mod testing;

use std::time::Duration;

use ::http::{Request, header};
use serde_json::Value;

use self::error::PortalCall;
pub use self::{
    device::{PortalDeviceCode, PortalPollOutcome},
    error::{IdentityCenterError, PortalRefusal},
    portal::AssignedAccount,
    sign_in::{ClientRegistration, PortalRequest, PortalTokens},
};
use super::retry;
use crate::{
    config::IdentityCenterEndpoints,
    http::{self, FullResponse},
    secret::Secret,
};

/// The client of both services of one Identity Center. It stores nothing.
#[derive(Clone, Debug)]
pub struct IdentityCenterClient {
    client: http::Client,
    endpoints: IdentityCenterEndpoints,
    /// The backoff before the second attempt of a read.
    first_pause: Duration,
}

impl IdentityCenterClient {
    /// Creates the client without any request.
    pub fn new(client: &http::Client, endpoints: IdentityCenterEndpoints) -> Self {
        Self { client: client.clone(), endpoints, first_pause: retry::FIRST_PAUSE }
    }

    /// Returns the same client with another HTTP client, for example one with shorter timeouts.
    #[must_use]
    pub fn with_client(&self, client: http::Client) -> Self {
        Self { client, ..self.clone() }
    }

    /// Posts a JSON document to the sign-in service, once: a second attempt could spend a refresh token whose
    /// replacement was lost. An error does not quote these secrets.
    async fn post_sign_in(
        &self,
        call: PortalCall,
        path: &[&str],
        question: &Value,
        secrets: &[&Secret],
    ) -> Result<FullResponse, IdentityCenterError> {
        let request = Request::post(self.endpoints.sign_in.extend_path(path).as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(question.to_string().into_bytes())
            .expect("a parsed address forms a valid request");
        self.send_request(call, request, secrets).await
    }

    /// Sends one request and classifies a refusal.
    async fn send_request(
        &self,
        call: PortalCall,
        request: Request<Vec<u8>>,
        secrets: &[&Secret],
    ) -> Result<FullResponse, IdentityCenterError> {
        let answer = self.client.send(request).await.map_err(IdentityCenterError::Network)?;
        error::check_answer(call, answer)
            .map_err(|error| secrets.iter().fold(error, |error, secret| error.redact_secret(secret)))
    }
}
