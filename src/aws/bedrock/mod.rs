//! Amazon Bedrock: which models and inference profiles there are, and a word of one of them.
//!
//! Five signed questions in JSON, by hand over the one client: the SDK's crates for them would double the program. What
//! the answers mean for a person is not its business.

mod call;
mod denial;
mod error;
mod lists;
mod stream;
mod talk;

use ::http::Method;

pub use self::{
    denial::{Denial, Policy},
    error::{BedrockError, Cause},
    lists::{InferenceProfile, Model},
    talk::{Guardrail, Line, Spent},
};
use super::{Error, endpoint};
use crate::{
    config::Profile, credentials::Credentials, host::Environment, http::Client, time::Moment, url::SecureUrl,
};

/// Bedrock of one region, asked with these credentials and no others.
#[derive(Debug)]
pub struct Bedrock<'b> {
    client: &'b Client,
    control: SecureUrl,
    runtime: SecureUrl,
    region: &'b str,
    credentials: &'b Credentials,
    now: fn() -> Moment,
}

impl<'b> Bedrock<'b> {
    pub fn new(
        client: &'b Client,
        profile: &Profile,
        region: &'b str,
        environment: &Environment,
        credentials: &'b Credentials,
        now: fn() -> Moment,
    ) -> Result<Self, Error> {
        let at = |service| endpoint::bedrock(service, profile, region, environment);
        let (control, runtime) = (at(endpoint::Bedrock::Control)?, at(endpoint::Bedrock::Runtime)?);
        Ok(Self { client, control, runtime, region, credentials, now })
    }

    /// ListFoundationModels: all that the region has, whether this account may use them or not.
    pub async fn models(&self) -> Result<Vec<Model>, BedrockError> {
        let question = self.question(Method::GET, &self.control, &["foundation-models"], "");
        lists::models(&self.asked(question, Vec::new()).await?)
    }

    /// ListInferenceProfiles: those that AWS defines for the region.
    pub async fn inference_profiles(&self) -> Result<Vec<InferenceProfile>, BedrockError> {
        let mut profiles = Vec::new();
        let mut query = lists::PROFILES.to_owned();
        for _ in 0..lists::PAGES {
            let question = self.question(Method::GET, &self.control, &["inference-profiles"], &query);
            let page = lists::profiles(&self.asked(question, Vec::new()).await?)?;
            profiles.extend(page.profiles);
            match page.next {
                Some(next) => query = format!("{}&nextToken={}", lists::PROFILES, call::encoded(&next)),
                None => break,
            }
        }
        Ok(profiles)
    }

    /// GetInferenceProfile, by identifier or ARN.
    pub async fn inference_profile(&self, name: &str) -> Result<InferenceProfile, BedrockError> {
        let question = self.question(Method::GET, &self.control, &["inference-profiles", name], "");
        lists::profile(&self.asked(question, Vec::new()).await?)
    }

    /// Converse: one word, whole.
    pub async fn word(&self, line: &Line<'_>) -> Result<Spent, BedrockError> {
        let question = self.question(Method::POST, &self.runtime, &["model", line.model, "converse"], "");
        talk::whole(&self.asked(question, line.body()).await?)
    }

    /// ConverseStream: one word, as it comes. It needs the very permission that InvokeModelWithResponseStream does.
    pub async fn stream(&self, line: &Line<'_>) -> Result<Spent, BedrockError> {
        let path = ["model", line.model, "converse-stream"];
        let question = self.question(Method::POST, &self.runtime, &path, "");
        stream::read(&self.asked(question, line.body()).await?)
    }
}
