//! The services of AWS that this program sends secrets to.

/// A service of AWS that is sent an ID token, requests signed with the credentials, or the credentials themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    Sts,
    Cognito,
    /// Lists of models.
    Bedrock,
    /// Answers of models.
    BedrockRuntime,
    /// The sign-in to the console.
    Console,
}

impl AwsService {
    /// The first label of a regional host, without the `-fips` that may follow.
    pub(super) fn host_label(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Cognito => "cognito-identity",
            Self::Bedrock => "bedrock",
            Self::BedrockRuntime => "bedrock-runtime",
            Self::Console => "signin",
        }
    }
}
