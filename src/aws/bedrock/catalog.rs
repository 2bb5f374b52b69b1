//! The models and inference profiles of a region: the members of the control plane's answers that the program uses.
//!
//! The callers choose a model.

use serde::Deserialize;

/// Selects the profiles that AWS defines. A company's own profiles are requested one by one, by their ARNs.
pub(super) const PROFILES_QUERY: &str = "maxResults=1000&type=SYSTEM_DEFINED";

/// A limit for the number of pages, more than any region has, so that a repeated page token cannot cause an endless
/// loop.
pub(super) const MAX_PAGES: usize = 10;

/// A model that Bedrock offers in the region.
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

/// An identifier that routes requests to a model in one or more regions.
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

/// A model behind a profile, in one of the profile's regions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileModel {
    #[serde(default)]
    model_arn: String,
}

impl FoundationModel {
    /// Returns whether requests may name the model itself. Other models need an inference profile.
    pub fn is_on_demand(&self) -> bool {
        self.inference_types_supported.iter().any(|kind| kind == "ON_DEMAND")
    }

    /// Returns whether the model's provider has announced its end of life.
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

    /// The identifier of the model behind the profile.
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

/// Whether a name is that of an inference profile: `us.anthropic.…`, or an ARN with that type. The ID of a model has
/// one dot, as in `anthropic.…`.
pub fn is_inference_profile(name: &str) -> bool {
    match name.starts_with("arn:") {
        true => name.contains("inference-profile/"),
        false => name.matches('.').count() > 1,
    }
}
