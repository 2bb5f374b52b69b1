//! What Bedrock has to offer in a region, as far as anybody here looks at it.
//!
//! It reads the control plane's answers; which model somebody wants is their business.

use serde::Deserialize;

/// Those that AWS defines: a company's own have ARNs, and are asked for one by one.
pub(super) const PROFILES_QUERY: &str = "maxResults=1000&type=SYSTEM_DEFINED";

/// More pages than any region fills.
pub(super) const MAX_PAGES: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundationModel {
    #[serde(rename = "modelId")]
    pub id: String,
    #[serde(default)]
    inference_types_supported: Vec<String>,
    #[serde(default)]
    model_lifecycle: ModelLifecycle,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct ModelLifecycle {
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
    models: Vec<ProfileModel>,
}

/// A model that a profile leads to, in one of its regions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileModel {
    #[serde(default)]
    model_arn: String,
}

impl FoundationModel {
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

    pub fn has_name(&self, name: &str) -> bool {
        self.id == name || self.arn == name
    }

    /// The identifier of the model behind it.
    pub fn model_id(&self) -> Option<&str> {
        self.models.first()?.model_arn.rsplit('/').next().filter(|id| !id.is_empty())
    }
}

/// The answer to ListFoundationModels.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelList {
    pub(super) model_summaries: Vec<FoundationModel>,
}

/// One answer to ListInferenceProfiles.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfilePage {
    pub(super) inference_profile_summaries: Vec<InferenceProfile>,
    pub(super) next_token: Option<String>,
}
