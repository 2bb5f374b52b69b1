//! Why Bedrock gave no answer, as facts.
//!
//! It sorts what Bedrock said, much of it under one code; what a person should do about it is `failure`'s.

use super::IamDenial;
use crate::{
    aws::{AwsErrorDetails, error},
    credentials::AwsCredentials,
    http::{self, FullResponse},
    text::UntrustedText,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BedrockError {
    /// Bedrock answered, and the answer was no.
    Refused { cause: BedrockRefusalCause, details: AwsErrorDetails },
    /// No answer arrived.
    Network(http::Error),
    /// Something answered, but not as Bedrock does.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// A stream ended before its end.
    Truncated,
    /// What is asked about makes no address.
    InvalidAddress(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BedrockRefusalCause {
    /// By a policy.
    Denied(Box<IamDenial>),
    /// The account has not been given the model.
    NoAccess,
    /// The first call of a model buys it, and this role may not.
    MarketplaceNeeded,
    /// AWS has no means to be paid for it.
    PaymentMissing,
    /// Anthropic wants to be told what its models are for.
    UseCaseMissing,
    /// The account may not use Bedrock, or not yet.
    AccountNotAllowed,
    /// Its provider does not serve the country that the request comes from.
    CountryNotServed,
    /// It answers through an inference profile only.
    NotOnDemand,
    EndOfLife,
    /// It is near its end, and whoever has not used it lately may not begin.
    Legacy,
    /// There is no such model, profile or ARN in the region.
    NoModel,
    /// It cannot hold a conversation.
    NoConverse,
    NoGuardrail,
    /// Too many requests, or more tokens than the account's quotas allow.
    Throttled,
    /// The credentials have ended.
    ExpiredCredentials,
    /// The region does not know them: they are not AWS's, or the account has not enabled the region.
    UnknownCredentials,
    /// The signature is too old or too young.
    ClockSkew,
    Signature,
    InvalidRequest,
    /// A fault of AWS, or a model that failed, took too long or is not ready yet.
    Server,
    Other,
}

/// Words by which refusals under one code are told apart, in small letters; the first that fits.
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
    pub fn cause(&self) -> Option<&BedrockRefusalCause> {
        if let Self::Refused { cause, .. } = self { Some(cause) } else { None }
    }

    pub(super) fn from_unexpected_answer(answer: &FullResponse) -> Self {
        let content_type = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        Self::Unexpected { status: answer.status.as_u16(), content_type: content_type.map(UntrustedText::new) }
    }

    /// The same without the session's token, should it be quoted.
    pub(super) fn redact_token(self, credentials: &AwsCredentials) -> Self {
        match self {
            Self::Refused { cause, details: said } => {
                let message = said.message.redact_secret(&credentials.session_token);
                Self::Refused { cause, details: AwsErrorDetails { message, ..said } }
            }
            other => other,
        }
    }
}

pub(super) fn check_status(answer: FullResponse) -> Result<FullResponse, BedrockError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(match error::parse_refusal(&answer) {
        Some((code, message)) => from_refusal(&code, &message, &answer),
        None => BedrockError::from_unexpected_answer(&answer),
    })
}

/// A refusal that came as a piece of a stream.
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
    let cause = classify_refusal(code, message, answer.status.as_u16());
    BedrockError::Refused { cause, details: error::build_details(code, message, answer) }
}

fn classify_refusal(code: &str, message: &str, status: u16) -> BedrockRefusalCause {
    if let Some(denial) = IamDenial::parse(message) {
        return BedrockRefusalCause::Denied(Box::new(denial));
    }
    let plain = message.to_ascii_lowercase().replace('\u{2019}', "'");
    if let Some((_, cause)) =
        CAUSE_PHRASES.iter().find(|(phrases, _)| phrases.iter().any(|words| plain.contains(words)))
    {
        return cause.clone();
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
