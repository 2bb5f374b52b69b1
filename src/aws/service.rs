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
    /// The first label of a regional host, without the `-fips` that may follow.
    pub(super) fn host_label(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Cognito => "cognito-identity",
            Self::Bedrock => "bedrock",
            Self::BedrockRuntime => "bedrock-runtime",
        }
    }
}
