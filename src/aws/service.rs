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
    /// The sign-in service of IAM Identity Center. It receives client registrations, codes and refresh tokens.
    SsoOidc,
    /// The access portal of IAM Identity Center. It receives access tokens and returns credentials.
    SsoPortal,
}

impl AwsService {
    pub(super) const ALL: [Self; 7] =
        [Self::Sts, Self::Cognito, Self::Bedrock, Self::BedrockRuntime, Self::Console, Self::SsoOidc, Self::SsoPortal];

    /// The labels of a regional host before the region, without a `-fips` suffix.
    pub(super) fn host_label(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Cognito => "cognito-identity",
            Self::Bedrock => "bedrock",
            Self::BedrockRuntime => "bedrock-runtime",
            Self::Console => "signin",
            Self::SsoOidc => "oidc",
            Self::SsoPortal => "portal.sso",
        }
    }
}
