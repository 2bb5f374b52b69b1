//! Claude Desktop's own sign-in at IAM Identity Center, as settings for a device management.
//!
//! Claude Desktop signs in without this program, with the same permission set. Its keys are those of Anthropic's page
//! "Claude Desktop on third-party: configuration". Each value is a text, and a list is JSON in a text.

use serde_json::{Map, Value, json};

use crate::config::{IdentityCenterSettings, MODEL_VARIABLES, Profile};

/// The settings, as names and texts. `None` if Claude Desktop cannot sign in as the profile says: at an OpenID provider,
/// through private endpoints of Identity Center, or to a role that another one assumes.
pub(super) fn build_desktop_settings(profile: &Profile) -> Option<Value> {
    let IdentityCenterSettings { start_url, region, account_id, permission_set } = profile.identity_center()?;
    if !profile.role_chain.is_empty() || profile.aws_endpoints.identity_center.is_some() {
        return None;
    }
    let mut settings: Map<String, Value> = [
        ("inferenceProvider", "bedrock"),
        ("inferenceCredentialKind", "interactive"),
        ("inferenceBedrockRegion", profile.bedrock_region()),
        ("inferenceBedrockSsoStartUrl", start_url.as_str()),
        ("inferenceBedrockSsoRegion", region),
        ("inferenceBedrockSsoAccountId", account_id),
        ("inferenceBedrockSsoRoleName", permission_set),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.into()))
    .collect();
    let models = list_models(profile);
    if !models.is_empty() {
        settings.insert("inferenceModels".to_owned(), json!(models).to_string().into());
    }
    Some(settings.into())
}

/// The models of the profile, each once, with the default one first.
fn list_models(profile: &Profile) -> Vec<&str> {
    let mut models = Vec::new();
    for (rank, _) in MODEL_VARIABLES {
        if let Some(model) = profile.claude_code.models.get(rank)
            && !models.contains(&model.as_str())
        {
            models.push(model.as_str());
        }
    }
    models
}
