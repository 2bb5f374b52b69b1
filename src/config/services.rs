//! The services that a profile deals with besides the provider: AWS's endpoints, a quota service, telemetry collectors.
//!
//! Settings only; which endpoint is used where none is named is for `aws`, and the others have modules of their names.

use std::{collections::BTreeMap, time::Duration};

use super::choice::NamedChoice;
use crate::url::SecureUrl;

/// The addresses that the profile names; the region's own, or those of AWS's variables, in place of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsEndpoints {
    pub sts: Option<SecureUrl>,
    pub cognito: Option<SecureUrl>,
    pub bedrock: Option<BedrockEndpoints>,
    /// The federation endpoint of the AWS console.
    pub console: Option<SecureUrl>,
}

/// Bedrock's two services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BedrockEndpoints {
    /// Lists of models and inference profiles.
    pub control: SecureUrl,
    /// Answers of models.
    pub runtime: SecureUrl,
}

/// A service that says who may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    pub endpoint: SecureUrl,
    /// How long its yes holds.
    pub interval: Duration,
    pub timeout: Duration,
    pub on_error: QuotaErrorPolicy,
}

/// What holds when the service gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaErrorPolicy {
    Allow,
    Deny,
}

impl NamedChoice for QuotaErrorPolicy {
    const CHOICES: &'static [(&'static str, Self)] = &[("allow", Self::Allow), ("deny", Self::Deny)];
}

/// What a collector receives about the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Header names in lower case, and the claims that fill them; empty: the usual ones.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The collectors that receive anything; empty: any.
    pub collectors: Vec<SecureUrl>,
    /// Whether these receive the ID token as well.
    pub send_token: bool,
}
