//! Amazon Bedrock: lists models and inference profiles, and calls a model with the shortest possible request.
//!
//! `setup` and `doctor` use it. It sends five kinds of signed JSON requests with the HTTP client, because the SDK's
//! crates for them would double the size of the program.

mod request;
mod error;
mod catalog;
mod event_stream;
mod converse;

pub use self::{
    catalog::{FoundationModel, InferenceProfile, is_inference_profile},
    converse::{ConverseRequest, Guardrail, TokenUsage},
    error::{BedrockError, BedrockRefusalCause},
};
use self::{
    catalog::{ModelList, ProfilePage},
    converse::UsageReport,
};
use super::{AwsService, Error, endpoint::resolve_endpoint};
use crate::{
    config::Profile, credentials::AwsCredentials, host::Environment, http::Client, time::Timestamp, url::SecureUrl,
};

/// The Bedrock endpoints of one region. Every request is signed with these credentials only.
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
        let at = |service| resolve_endpoint(service, profile, region, environment);
        let (control, runtime) = (at(AwsService::Bedrock)?, at(AwsService::BedrockRuntime)?);
        Ok(Self { client, control, runtime, region, credentials, now })
    }

    /// Returns the address of the runtime, which answers for the models.
    pub fn runtime_endpoint(&self) -> &SecureUrl {
        &self.runtime
    }

    /// Lists every model of the region (ListFoundationModels), including those that this account may not use.
    pub async fn list_models(&self) -> Result<Vec<FoundationModel>, BedrockError> {
        let ModelList { model_summaries } = self.fetch_json(&["foundation-models"], "").await?;
        Ok(model_summaries)
    }

    /// Lists the inference profiles that AWS defines for the region (ListInferenceProfiles).
    pub async fn list_profiles(&self) -> Result<Vec<InferenceProfile>, BedrockError> {
        let mut profiles = Vec::new();
        let mut query = catalog::PROFILES_QUERY.to_owned();
        for _ in 0..catalog::MAX_PAGES {
            let page: ProfilePage = self.fetch_json(&["inference-profiles"], &query).await?;
            profiles.extend(page.inference_profile_summaries);
            let Some(next) = page.next_token else { break };
            query = format!("{}&nextToken={}", catalog::PROFILES_QUERY, request::percent_encode(&next));
        }
        Ok(profiles)
    }

    /// Returns one inference profile by identifier or ARN (GetInferenceProfile).
    pub async fn get_profile(&self, name: &str) -> Result<InferenceProfile, BedrockError> {
        self.fetch_json(&["inference-profiles", name], "").await
    }

    /// Requests one token from a model (Converse) and returns the usage.
    pub async fn converse(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        let report: UsageReport = request::parse_answer(&self.post_line(line, "converse").await?)?;
        Ok(report.usage)
    }

    /// Requests one token as a stream (ConverseStream). It needs the permission of InvokeModelWithResponseStream,
    /// which Claude Code needs as well.
    pub async fn converse_stream(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        event_stream::parse_stream(&self.post_line(line, "converse-stream").await?)
    }
}
