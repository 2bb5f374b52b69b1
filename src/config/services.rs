//! The settings of the services that a profile uses besides the provider: AWS endpoints, a quota service, and telemetry
//! collectors. The modules `aws`, `quota` and `telemetry` use them.

use std::{collections::BTreeMap, time::Duration};

use super::choice::NamedChoice;
use crate::url::SecureUrl;

/// The AWS endpoints that the profile names. For the others, `aws` uses the AWS variables if they count, or else the
/// endpoint of the region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    pub sts: Option<SecureUrl>,
    pub cognito: Option<SecureUrl>,
    pub bedrock: Option<BedrockEndpoints>,
    /// The federation endpoint of the AWS console.
    pub console: Option<SecureUrl>,
    pub identity_center: Option<IdentityCenterEndpoints>,
}

/// The endpoints of the two services that make up Amazon Bedrock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedrockEndpoints {
    /// The service `bedrock`, which lists models and inference profiles.
    pub control: SecureUrl,
    /// The service `bedrock-runtime`, which runs models.
    pub runtime: SecureUrl,
}

/// The endpoints of the two services of IAM Identity Center that a sign-in uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCenterEndpoints {
    /// The service `oidc`, which registers clients and issues tokens.
    pub sign_in: SecureUrl,
    /// The service `portal.sso`, which lists assignments and issues credentials.
    pub portal: SecureUrl,
}

/// The settings of the quota service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    /// The full address of the check.
    pub endpoint: SecureUrl,
    /// How long an approval is valid. Credentials do not outlive it.
    pub interval: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    pub on_error: QuotaErrorPolicy,
}

impl QuotaSettings {
    /// The address at which the service of this project reports a user's own limits: `/me`, beside the check.
    pub fn overview_address(&self) -> SecureUrl {
        self.endpoint.replace_last_segment("me")
    }
}

/// What the program does if the quota service does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaErrorPolicy {
    /// It issues credentials, as if the service had approved.
    Allow,
    /// It refuses credentials.
    Deny,
}

impl NamedChoice for QuotaErrorPolicy {
    const CHOICES: &'static [(&'static str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}

/// What telemetry collectors receive about the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Header names in lower case, with the claims that fill them. Empty for the usual headers.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Further headers, with the same values for every user.
    pub fixed: BTreeMap<String, String>,
    /// The collectors that receive the headers. Empty for all collectors.
    pub collectors: Vec<SecureUrl>,
    /// Whether they also receive the ID token. If so, `collectors` is not empty, and a file in a default place names
    /// them.
    pub send_token: bool,
    pub relay: TelemetryRelay,
}

/// Where Claude Code sends its telemetry, if this program has a part in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TelemetryRelay {
    /// Claude Code sends it where its settings say.
    #[default]
    None,
    /// To the relay that this program runs on the computer.
    Laptop(LaptopRelay),
    /// To the organization's relay, which verifies the ID token. It is one of `collectors`.
    Remote(SecureUrl),
}

/// The settings of the relay that this program runs on the computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaptopRelay {
    /// The port on 127.0.0.1. It is fixed, because Claude Code's settings name it.
    pub port: u16,
    /// `None` for CloudWatch's endpoints of the region.
    pub endpoints: Option<TelemetryEndpoints>,
    /// `None` if events are not sent.
    pub log_group: Option<String>,
    pub log_stream: String,
}

/// The addresses of the two services of CloudWatch that take telemetry, without the path of OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryEndpoints {
    /// The service `monitoring`.
    pub metrics: SecureUrl,
    /// The service `logs`.
    pub logs: SecureUrl,
}

/// The value of `telemetry.relay`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayChoice {
    None,
    Laptop,
    Remote(SecureUrl),
}

impl LaptopRelay {
    /// The address that Claude Code's settings contain. It has no name that a resolver could map to another machine.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
