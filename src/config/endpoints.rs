//! The endpoints of AWS's services, as far as the profile names any.
//!
//! Types only. Which endpoint is used where the profile names none is for `aws`.

use crate::url::SecureUrl;

/// The addresses that the profile names; the region's own, or those of AWS's variables, in place of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    pub sts: Option<SecureUrl>,
    pub cognito: Option<SecureUrl>,
    pub bedrock: Option<BedrockEndpoints>,
}

/// Bedrock's two services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedrockEndpoints {
    /// Lists of models and inference profiles.
    pub control: SecureUrl,
    /// Answers of models.
    pub runtime: SecureUrl,
}
