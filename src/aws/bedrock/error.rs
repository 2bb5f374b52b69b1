//! Why Bedrock gave no answer, as facts.
//!
//! It sorts what Bedrock said, much of it under one code; what a person should do about it is `failure`'s.

use super::Denial;
use crate::{
    aws::{Said, error},
    credentials::Credentials,
    http::{self, Answer},
    text::Foreign,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BedrockError {
    /// Bedrock answered, and the answer was no.
    Refused { cause: Cause, said: Said },
    /// No answer arrived.
    Network(http::Error),
    /// Something answered, but not as Bedrock does.
    Unexpected { status: u16, content_type: Option<Foreign> },
    /// A stream ended before its end.
    Cut,
    /// What is asked about makes no address.
    Unaskable(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By a policy.
    Denied(Box<Denial>),
    /// The account has not been given the model.
    NoAccess,
    /// The first call of a model buys it, and this role may not.
    Marketplace,
    /// AWS has no means to be paid for it.
    Unpaid,
    /// Anthropic wants to be told what its models are for.
    UseCase,
    /// The account may not use Bedrock, or not yet.
    Account,
    /// Its provider does not serve the country that the request comes from.
    Country,
    /// It answers through an inference profile only.
    NotOnDemand,
    EndOfLife,
    /// It is near its end, and whoever has not used it lately may not begin.
    Legacy,
    /// There is no such model, profile or ARN in the region.
    NoModel,
    /// It cannot hold a conversation.
    NoTalk,
    NoGuardrail,
    /// A day's tokens are spent.
    DaySpent,
    Throttled,
    Quota,
    NotReady,
    /// The credentials have ended.
    Expired,
    /// The region does not know them: they are not AWS's, or the account has not enabled the region.
    UnknownCredentials,
    /// The signature is too old or too young.
    Clock,
    Signature,
    Invalid,
    /// The model failed, or took too long.
    Model,
    Server,
    Other,
}

/// Words by which refusals under one code are told apart, in small letters; the first that fits.
const WORDS: [(&str, Cause); 26] = [
    ("payment_instrument", Cause::Unpaid),
    ("payment instrument", Cause::Unpaid),
    ("aws marketplace actions", Cause::Marketplace),
    ("marketplace subscription", Cause::Marketplace),
    ("does not have an agreement", Cause::Marketplace),
    ("use case details", Cause::UseCase),
    ("use-case form", Cause::UseCase),
    ("request form", Cause::UseCase),
    ("have access to the model", Cause::NoAccess),
    ("not available for this account", Cause::NoAccess),
    ("unsupported countries", Cause::Country),
    ("account is not authorized to invoke", Cause::Account),
    ("operation not allowed", Cause::Account),
    ("on-demand throughput", Cause::NotOnDemand),
    ("end of its life", Cause::EndOfLife),
    ("marked by provider as legacy", Cause::Legacy),
    ("guardrail", Cause::NoGuardrail),
    ("model identifier is invalid", Cause::NoModel),
    ("could not resolve the foundation model", Cause::NoModel),
    ("inference profile", Cause::NoModel),
    ("model not found", Cause::NoModel),
    ("doesn't support the model", Cause::NoTalk),
    ("tokens per day", Cause::DaySpent),
    ("signature expired", Cause::Clock),
    ("not yet current", Cause::Clock),
    ("token included in the request is expired", Cause::Expired),
];

impl BedrockError {
    pub fn cause(&self) -> Option<&Cause> {
        if let Self::Refused { cause, .. } = self { Some(cause) } else { None }
    }

    pub(super) fn strange(answer: &Answer) -> Self {
        let content_type = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        Self::Unexpected { status: answer.status.as_u16(), content_type: content_type.map(Foreign::new) }
    }

    /// The same without the session's token, should it be quoted.
    pub(super) fn without(self, credentials: &Credentials) -> Self {
        match self {
            Self::Refused { cause, said } => {
                let message = said.message.without(&credentials.session_token);
                Self::Refused { cause, said: Said { message, ..said } }
            }
            other => other,
        }
    }
}

pub(super) fn if_refused(answer: Answer) -> Result<Answer, BedrockError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(match error::said(&answer) {
        Some((code, message)) => refused(&code, &message, &answer),
        None => BedrockError::strange(&answer),
    })
}

/// A refusal that came as a piece of a stream.
pub(super) fn in_stream(code: &str, message: Option<&str>, payload: &[u8], answer: &Answer) -> BedrockError {
    let in_payload = || {
        let payload = serde_json::from_slice::<serde_json::Value>(payload).ok()?;
        Some(payload.get("message")?.as_str()?.to_owned())
    };
    let message = message.map(str::to_owned).or_else(in_payload).unwrap_or_default();
    let mut letters = code.chars();
    let code: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    refused(&code, &message, answer)
}

fn refused(code: &str, message: &str, answer: &Answer) -> BedrockError {
    let cause = cause(code, message, answer.status.as_u16());
    BedrockError::Refused { cause, said: error::quoted(code, message, answer) }
}

fn cause(code: &str, message: &str, status: u16) -> Cause {
    if let Some(denial) = Denial::of(message) {
        return Cause::Denied(Box::new(denial));
    }
    let plain = message.to_ascii_lowercase().replace('\u{2019}', "'");
    if let Some((_, cause)) = WORDS.iter().find(|(words, _)| plain.contains(words)) {
        return cause.clone();
    }
    match code {
        "AccessDeniedException" => Cause::NoAccess,
        "ResourceNotFoundException" => Cause::NoModel,
        "ValidationException" => Cause::Invalid,
        "ThrottlingException" | "TooManyRequestsException" => Cause::Throttled,
        "ServiceQuotaExceededException" => Cause::Quota,
        "ModelNotReadyException" => Cause::NotReady,
        "ExpiredTokenException" | "ExpiredToken" => Cause::Expired,
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" => {
            Cause::UnknownCredentials
        }
        "InvalidSignatureException" | "IncompleteSignatureException" | "SignatureDoesNotMatch" => {
            Cause::Signature
        }
        "ModelErrorException" | "ModelTimeoutException" | "ModelStreamErrorException" => Cause::Model,
        _ if status == 429 => Cause::Throttled,
        _ if status >= 500 => Cause::Server,
        _ => Cause::Other,
    }
}
