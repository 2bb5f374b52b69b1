//! The errors of Bedrock, as typed facts.
//!
//! Bedrock uses one code for many causes, so this module also searches the message for known phrases. `failure` writes
//! the messages and hints.

use std::net::IpAddr;

use crate::{
    aws::{AwsErrorDetails, IamDenial, error},
    credentials::AwsCredentials,
    http::{self, FullResponse},
    text::UntrustedText,
};

/// Why a request to Bedrock failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BedrockError {
    /// Bedrock refused the request. `peer` is the address that answered, which may be a proxy's.
    Refused { cause: BedrockRefusalCause, details: AwsErrorDetails, peer: Option<IpAddr> },
    /// No answer arrived.
    Network(http::Error),
    /// The answer is not Bedrock's: it comes from a captive portal or a proxy.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// A stream ended before its last message.
    Truncated,
    /// The model's name does not form a valid address.
    InvalidAddress(String),
}

/// Why Bedrock refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BedrockRefusalCause {
    /// A policy denies the request. The details have the denial.
    Denied,
    /// The account has no access to the model.
    NoAccess,
    /// The first call of a model subscribes to it in AWS Marketplace, and the role may not do that.
    MarketplaceNeeded,
    /// The account has no valid payment method for the model.
    PaymentMissing,
    /// The account has not submitted the use case form that Anthropic requires.
    UseCaseMissing,
    /// The account may not use Bedrock yet.
    AccountNotAllowed,
    /// The model's provider does not serve the country of the request.
    CountryNotServed,
    /// The model is available only through an inference profile.
    NotOnDemand,
    EndOfLife,
    /// The model is near its end of life, and accounts that have not used it recently may not start.
    Legacy,
    /// The model, profile or ARN does not exist in the region.
    NoModel,
    /// The model does not support the Converse API.
    NoConverse,
    NoGuardrail,
    /// Too many requests, or more tokens than the account's quotas allow.
    Throttled,
    /// The credentials have expired.
    ExpiredCredentials,
    /// The region does not know the credentials: they are not AWS's, or the account has not enabled the region.
    UnknownCredentials,
    /// The signature's time differs too much from AWS's clock.
    ClockSkew,
    Signature,
    InvalidRequest,
    /// AWS failed, or the model failed, took too long or is not ready yet.
    Server,
    Other,
}

/// Phrases in lower case that identify the cause of a refusal. The first match wins, so specific phrases come before
/// general ones such as "guardrail" and "inference profile".
const CAUSE_PHRASES: [(&[&str], BedrockRefusalCause); 15] = [
    (&["payment_instrument", "payment instrument"], BedrockRefusalCause::PaymentMissing),
    (
        &["aws marketplace actions", "marketplace subscription", "does not have an agreement"],
        BedrockRefusalCause::MarketplaceNeeded,
    ),
    (&["use case details", "use-case form", "request form"], BedrockRefusalCause::UseCaseMissing),
    (&["have access to the model", "not available for this account"], BedrockRefusalCause::NoAccess),
    (&["unsupported countries"], BedrockRefusalCause::CountryNotServed),
    (&["account is not authorized to invoke", "operation not allowed"], BedrockRefusalCause::AccountNotAllowed),
    (&["on-demand throughput"], BedrockRefusalCause::NotOnDemand),
    (&["end of its life"], BedrockRefusalCause::EndOfLife),
    (&["marked by provider as legacy"], BedrockRefusalCause::Legacy),
    (&["guardrail"], BedrockRefusalCause::NoGuardrail),
    (
        &[
            "model identifier is invalid",
            "could not resolve the foundation model",
            "inference profile",
            "model not found",
        ],
        BedrockRefusalCause::NoModel,
    ),
    (&["doesn't support the model"], BedrockRefusalCause::NoConverse),
    (&["tokens per day"], BedrockRefusalCause::Throttled),
    (&["signature expired", "not yet current"], BedrockRefusalCause::ClockSkew),
    (&["token included in the request is expired"], BedrockRefusalCause::ExpiredCredentials),
];

impl BedrockError {
    pub fn cause(&self) -> Option<BedrockRefusalCause> {
        if let Self::Refused { cause, .. } = self { Some(*cause) } else { None }
    }

    /// Returns the denial, if a policy denies the request.
    pub fn denial(&self) -> Option<&IamDenial> {
        if let Self::Refused { details, .. } = self { details.denial.as_deref() } else { None }
    }

    pub(super) fn from_unexpected_answer(answer: &FullResponse) -> Self {
        let content_type = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        Self::Unexpected { status: answer.status.as_u16(), content_type: content_type.map(UntrustedText::new) }
    }

    /// Removes the session token from Bedrock's message.
    pub(super) fn redact_token(self, credentials: &AwsCredentials) -> Self {
        match self {
            Self::Refused { cause, details, peer } => {
                let details = details.redact_secret(&credentials.session_token);
                Self::Refused { cause, details, peer }
            }
            other => other,
        }
    }
}

/// Returns a successful answer, or its error.
pub(super) fn check_status(answer: FullResponse) -> Result<FullResponse, BedrockError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(match error::parse_refusal(&answer) {
        Some((code, message)) => from_refusal(&code, &message, &answer),
        None => BedrockError::from_unexpected_answer(&answer),
    })
}

/// Builds the error for an exception inside a stream. Its code starts with a lower-case letter there.
pub(super) fn from_stream_exception(
    code: &str,
    message: Option<&str>,
    payload: &[u8],
    answer: &FullResponse,
) -> BedrockError {
    let in_payload = || {
        let payload = serde_json::from_slice::<serde_json::Value>(payload).ok()?;
        Some(payload.get("message")?.as_str()?.to_owned())
    };
    let message = message.map(str::to_owned).or_else(in_payload).unwrap_or_default();
    let mut letters = code.chars();
    let code: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    from_refusal(&code, &message, answer)
}

fn from_refusal(code: &str, message: &str, answer: &FullResponse) -> BedrockError {
    let details = error::build_details(code, message, answer);
    let cause = match details.denial {
        Some(_) => BedrockRefusalCause::Denied,
        None => classify_refusal(code, message, answer.status.as_u16()),
    };
    BedrockError::Refused { cause, details, peer: answer.peer }
}

/// Classifies a refusal that is no denial by IAM: first by known phrases, then by the code, then by the status.
fn classify_refusal(code: &str, message: &str, status: u16) -> BedrockRefusalCause {
    let plain = message.to_ascii_lowercase().replace('\u{2019}', "'");
    if let Some((_, cause)) =
        CAUSE_PHRASES.iter().find(|(phrases, _)| phrases.iter().any(|words| plain.contains(words)))
    {
        return *cause;
    }
    match code {
        "AccessDeniedException" => BedrockRefusalCause::NoAccess,
        "ResourceNotFoundException" => BedrockRefusalCause::NoModel,
        "ValidationException" => BedrockRefusalCause::InvalidRequest,
        "ThrottlingException" | "TooManyRequestsException" | "ServiceQuotaExceededException" => {
            BedrockRefusalCause::Throttled
        }
        "ExpiredTokenException" | "ExpiredToken" => BedrockRefusalCause::ExpiredCredentials,
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => {
            BedrockRefusalCause::UnknownCredentials
        }
        "InvalidSignatureException" | "IncompleteSignatureException" | "SignatureDoesNotMatch" => {
            BedrockRefusalCause::Signature
        }
        "ModelNotReadyException" | "ModelErrorException" | "ModelTimeoutException" | "ModelStreamErrorException" => {
            BedrockRefusalCause::Server
        }
        _ if status == 429 => BedrockRefusalCause::Throttled,
        _ if status >= 500 => BedrockRefusalCause::Server,
        _ => BedrockRefusalCause::Other,
    }
}
