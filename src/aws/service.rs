//! The AWS services that this program sends secrets to.

/// A service that receives an ID token, signed requests, or the credentials themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    Sts,
    Cognito,
    /// The control plane: lists of models.
    Bedrock,
    /// The runtime: calls of models.
    BedrockRuntime,
    /// The federation endpoint of the console. It receives the credentials themselves.
    Console,
}

impl AwsService {
    /// The first label of a regional host, without a `-fips` suffix.
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
