//! Amazon Bedrock: which models and inference profiles there are, and a word of one of them.
//!
//! Five signed questions in JSON, by hand over the one client: the SDK's crates for them would double the program. What
//! the answers mean for a person is not its business.

mod request;
mod iam_denial;
mod error;
mod catalog;
mod event_stream;
mod converse;

use ::http::Method;

pub use self::{
    catalog::{FoundationModel, InferenceProfile},
    converse::{ConverseRequest, Guardrail, TokenUsage},
    error::{BedrockError, BedrockRefusalCause},
    iam_denial::{IamDenial, PolicyKind},
};
use super::{Error, endpoint};
use crate::{
    config::Profile, credentials::AwsCredentials, host::Environment, http::Client, time::Timestamp, url::SecureUrl,
};

/// Bedrock of one region, asked with these credentials and no others.
#[derive(Debug)]
pub struct BedrockClient<'b> {
    client: &'b Client,
    control: SecureUrl,
    runtime: SecureUrl,
    region: &'b str,
    credentials: &'b AwsCredentials,
    now: fn() -> Timestamp,
}

impl<'b> BedrockClient<'b> {
    pub fn new(
        client: &'b Client,
        profile: &Profile,
        region: &'b str,
        environment: &Environment,
        credentials: &'b AwsCredentials,
        now: fn() -> Timestamp,
    ) -> Result<Self, Error> {
        let at = |service| endpoint::resolve_bedrock_endpoint(service, profile, region, environment);
        let (control, runtime) = (at(endpoint::BedrockPlane::Control)?, at(endpoint::BedrockPlane::Runtime)?);
        Ok(Self { client, control, runtime, region, credentials, now })
    }

    /// ListFoundationModels: all that the region has, whether this account may use them or not.
    pub async fn list_models(&self) -> Result<Vec<FoundationModel>, BedrockError> {
        let question = self.build_request(Method::GET, &self.control, &["foundation-models"], "");
        catalog::parse_models(&self.send_request(question, Vec::new()).await?)
    }

    /// ListInferenceProfiles: those that AWS defines for the region.
    pub async fn list_profiles(&self) -> Result<Vec<InferenceProfile>, BedrockError> {
        let mut profiles = Vec::new();
        let mut query = catalog::PROFILES_QUERY.to_owned();
        for _ in 0..catalog::MAX_PAGES {
            let question = self.build_request(Method::GET, &self.control, &["inference-profiles"], &query);
            let page = catalog::parse_profile_page(&self.send_request(question, Vec::new()).await?)?;
            profiles.extend(page.profiles);
            match page.next_token {
                Some(next) => {
                    query = format!("{}&nextToken={}", catalog::PROFILES_QUERY, request::percent_encode(&next));
                }
                None => break,
            }
        }
        Ok(profiles)
    }

    /// GetInferenceProfile, by identifier or ARN.
    pub async fn get_profile(&self, name: &str) -> Result<InferenceProfile, BedrockError> {
        let question = self.build_request(Method::GET, &self.control, &["inference-profiles", name], "");
        catalog::parse_profile(&self.send_request(question, Vec::new()).await?)
    }

    /// Converse: one word, whole.
    pub async fn converse(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        let question = self.build_request(Method::POST, &self.runtime, &["model", line.model, "converse"], "");
        converse::parse_converse_answer(&self.send_request(question, line.request_body()).await?)
    }

    /// ConverseStream: one word, as it comes. It needs the very permission that InvokeModelWithResponseStream does.
    pub async fn converse_stream(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        let path = ["model", line.model, "converse-stream"];
        let question = self.build_request(Method::POST, &self.runtime, &path, "");
        event_stream::parse_stream(&self.send_request(question, line.request_body()).await?)
    }
}
