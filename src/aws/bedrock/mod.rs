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

pub use self::{
    catalog::{FoundationModel, InferenceProfile},
    converse::{ConverseRequest, Guardrail, TokenUsage},
    error::{BedrockError, BedrockRefusalCause},
    iam_denial::{IamDenial, PolicyKind},
};
use self::{
    catalog::{ModelList, ProfilePage},
    converse::UsageReport,
};
use super::{AwsService, Error, endpoint::resolve_endpoint};
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
        let at = |service| resolve_endpoint(service, profile, region, environment);
        let (control, runtime) = (at(AwsService::Bedrock)?, at(AwsService::BedrockRuntime)?);
        Ok(Self { client, control, runtime, region, credentials, now })
    }

    /// ListFoundationModels: all that the region has, whether this account may use them or not.
    pub async fn list_models(&self) -> Result<Vec<FoundationModel>, BedrockError> {
        let ModelList { model_summaries } = self.fetch_json(&["foundation-models"], "").await?;
        Ok(model_summaries)
    }

    /// ListInferenceProfiles: those that AWS defines for the region.
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

    /// GetInferenceProfile, by identifier or ARN.
    pub async fn get_profile(&self, name: &str) -> Result<InferenceProfile, BedrockError> {
        self.fetch_json(&["inference-profiles", name], "").await
    }

    /// Converse: one word, whole.
    pub async fn converse(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        let report: UsageReport = request::parse_answer(&self.post_line(line, "converse").await?)?;
        Ok(report.usage)
    }

    /// ConverseStream: one word, as it comes. It needs the very permission that InvokeModelWithResponseStream does.
    pub async fn converse_stream(&self, line: &ConverseRequest<'_>) -> Result<TokenUsage, BedrockError> {
        event_stream::parse_stream(&self.post_line(line, "converse-stream").await?)
    }
}
