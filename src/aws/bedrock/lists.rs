//! What Bedrock has to offer in a region, as far as anybody here looks at it.
//!
//! It reads the control plane's answers; which model somebody wants is their business.

use serde::{Deserialize, de::DeserializeOwned};

use super::BedrockError;
use crate::http::{self, Answer};

/// Those that AWS defines: a company's own have ARNs, and are asked for one by one.
pub(super) const PROFILES: &str = "maxResults=1000&type=SYSTEM_DEFINED";

/// More pages than any region fills.
pub(super) const PAGES: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    #[serde(rename = "modelId")]
    pub id: String,
    #[serde(default)]
    inference_types_supported: Vec<String>,
    #[serde(default)]
    model_lifecycle: Lifecycle,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Lifecycle {
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceProfile {
    #[serde(rename = "inferenceProfileId")]
    pub id: String,
    #[serde(rename = "inferenceProfileArn")]
    pub arn: String,
    status: String,
    #[serde(default)]
    models: Vec<Source>,
}

/// A model that a profile leads to, in one of its regions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(default)]
    model_arn: String,
}

impl Model {
    /// Whether it answers to its own identifier; those that do not are reached through an inference profile.
    pub fn is_on_demand(&self) -> bool {
        self.inference_types_supported.iter().any(|kind| kind == "ON_DEMAND")
    }

    /// Its provider has announced its end.
    pub fn is_legacy(&self) -> bool {
        self.model_lifecycle.status == "LEGACY"
    }
}

impl InferenceProfile {
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.arn == name
    }

    /// The identifier of the model behind it.
    pub fn model(&self) -> Option<&str> {
        self.models.first()?.model_arn.rsplit('/').next().filter(|id| !id.is_empty())
    }
}

pub(super) struct Page {
    pub(super) profiles: Vec<InferenceProfile>,
    pub(super) next: Option<String>,
}

pub(super) fn models(answer: &Answer) -> Result<Vec<Model>, BedrockError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        model_summaries: Vec<Model>,
    }
    read::<Listed>(answer).map(|listed| listed.model_summaries)
}

pub(super) fn profiles(answer: &Answer) -> Result<Page, BedrockError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        inference_profile_summaries: Vec<InferenceProfile>,
        next_token: Option<String>,
    }
    let listed = read::<Listed>(answer)?;
    Ok(Page { profiles: listed.inference_profile_summaries, next: listed.next_token })
}

pub(super) fn profile(answer: &Answer) -> Result<InferenceProfile, BedrockError> {
    read(answer)
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, BedrockError> {
    http::object(&answer.body).ok_or_else(|| BedrockError::strange(answer))
}
