//! The services of AWS that this program sends secrets to.

/// A service of AWS that is sent an ID token, or requests signed with the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    Sts,
    Cognito,
    /// Lists of models.
    Bedrock,
    /// Answers of models.
    BedrockRuntime,
}

impl AwsService {
    /// What the first label of a regional host begins with.
    pub(super) fn host_labels(self) -> &'static [&'static str] {
        match self {
            Self::Sts => &["sts", "sts-fips"],
            Self::Cognito => &["cognito-identity", "cognito-identity-fips"],
            Self::Bedrock => &["bedrock", "bedrock-fips"],
            Self::BedrockRuntime => &["bedrock-runtime", "bedrock-runtime-fips"],
        }
    }
}
