//! Why AWS gave no credentials, as facts.
//!
//! It sorts what STS said; what a person should do about it is `failure`'s.

use std::error;

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::result::DispatchFailure;
use serde::Deserialize;

use crate::{http, secret::Secret, text::UntrustedText, time::Timestamp, url::SecureUrlError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// STS answered, and the answer was no.
    Refused { reason: AwsRefusalReason, details: AwsErrorDetails },
    /// No answer arrived.
    Network(http::Error),
    /// Something answered, but not as STS does: a captive portal, a proxy's own page.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// STS handed out what cannot be used.
    Flawed(CredentialsFlaw),
    /// A variable names an endpoint that is no secure address.
    BadEndpoint { variable: &'static str, refusal: SecureUrlError },
    /// The SDK could not make the request: a region without the endpoint asked for, mostly.
    InvalidRequest(UntrustedText),
    /// A link of the chain is to be filled with a claim that the token does not have.
    MissingClaim { claim: String },
}

/// Which question it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeStep {
    /// AssumeRoleWithWebIdentity.
    WebIdentity,
    /// GetId of a Cognito identity pool.
    PoolIdentity,
    /// GetCredentialsForIdentity.
    PoolRole,
    /// AssumeRole for a link of the chain, counted from nought.
    ChainLink(usize),
}

/// An error, and at which question it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStep {
    pub step: ExchangeStep,
    pub error: Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsRefusalReason {
    /// The role's trust policy does not match the token, or the role does not exist.
    AccessDenied,
    /// The token is not one that AWS accepts: issuer, audience, signature or provider unknown to it.
    InvalidIdentityToken,
    ExpiredToken,
    IdpRejectedClaim,
    /// AWS could not reach the provider for its keys.
    IdpCommunication,
    /// The session is longer than the role allows.
    SessionTooLong,
    Validation,
    PackedPolicyTooLarge,
    /// An identity pool does not know the issuer under the name given, or not at all.
    UnknownLogin,
    /// There is no such identity pool, or no such identity in it.
    NotFound,
    /// The pool has no role for people who are signed in, or cannot assume it.
    PoolConfiguration,
    LimitExceeded,
    Common(CommonRefusal),
}

/// Refusals that mean the same at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonRefusal {
    RegionDisabled,
    MalformedPolicy,
    Throttled,
    /// AWS's own fault (5xx).
    Server,
    Other,
}

/// STS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsErrorDetails {
    pub code: UntrustedText,
    pub message: UntrustedText,
    pub request_id: Option<UntrustedText>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFlaw {
    /// A part of them is missing.
    Incomplete,
    /// With characters that AWS does not use.
    Malformed,
    /// Over before they began: one of the two clocks is wrong.
    AlreadyExpired { expiration: Timestamp, now: Timestamp },
    /// They are of another account than the role.
    OtherAccount { answered: UntrustedText },
}

impl Error {
    /// Whether the same question may find another answer a moment later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => matches!(
                reason,
                AwsRefusalReason::Common(CommonRefusal::Throttled | CommonRefusal::Server)
                    | AwsRefusalReason::IdpCommunication
            ),
            Self::Unexpected { status, .. } => *status >= 500,
            // A deadline that has passed is not waited for again: the person, or the caller, has waited as long already.
            Self::Network(error) => error.is_transient(),
            _ => false,
        }
    }

    pub(super) fn is_refused_for(&self, reason: AwsRefusalReason) -> bool {
        matches!(self, Self::Refused { reason: is, .. } if *is == reason)
    }

    /// Whether nobody answered, or only AWS's trouble: another region may fare better.
    pub(super) fn is_unanswered(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => *reason == AwsRefusalReason::Common(CommonRefusal::Server),
            Self::Unexpected { status, .. } => *status >= 500,
            Self::Network(error) => error.is_unanswered(),
            _ => false,
        }
    }

    /// The same without the token, should AWS quote it: its words reach terminals, logs and the last failure.
    pub(super) fn redact_token(self, token: &Secret) -> Self {
        match self {
            Self::Refused { reason, details } => {
                let message = details.message.redact_secret(token);
                Self::Refused { reason, details: AwsErrorDetails { message, ..details } }
            }
            other => other,
        }
    }
}

impl FailedStep {
    /// Whether another token of the same person might be accepted: this one is over, or unknown by now.
    pub fn is_token_refused(&self) -> bool {
        let reasons = [
            AwsRefusalReason::ExpiredToken,
            AwsRefusalReason::InvalidIdentityToken,
            AwsRefusalReason::IdpRejectedClaim,
        ];
        !matches!(self.step, ExchangeStep::ChainLink(_))
            && reasons.iter().any(|reason| self.error.is_refused_for(*reason))
    }
}

impl<E: ProvideErrorMetadata + error::Error + 'static> From<SdkError<E, HttpResponse>> for Error {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let request_id = error.request_id().map(UntrustedText::new);
        match error {
            SdkError::DispatchFailure(failure) => from_dispatch_failure(&failure),
            SdkError::ResponseError(response) => from_unexpected_answer(response.raw()),
            SdkError::ServiceError(service) => match service.err().code() {
                Some(code) => {
                    let message = service.err().message().unwrap_or_default();
                    let reason = classify_refusal(code, message, service.raw().status().as_u16());
                    let (code, message) = (UntrustedText::new(code), UntrustedText::new(message));
                    Self::Refused { reason, details: AwsErrorDetails { code, message, request_id } }
                }
                None => from_unexpected_answer(service.raw()),
            },
            other => Self::InvalidRequest(UntrustedText::new(find_root_cause(&other))),
        }
    }
}

/// An answer of AWS's JSON protocol, where it is a good one.
pub(super) fn check_json_answer(answer: http::FullResponse) -> Result<http::FullResponse, Error> {
    let status = answer.status.as_u16();
    let is_object = || serde_json::from_slice::<serde_json::Map<_, _>>(&answer.body).is_ok();
    if answer.status.is_success() && is_object() {
        return Ok(answer);
    }
    let Some((code, message)) = parse_refusal(&answer) else {
        let content_type = read_header(&answer, "content-type").map(UntrustedText::new);
        return Err(Error::Unexpected { status, content_type });
    };
    let reason = classify_refusal(&code, &message, status);
    Err(Error::Refused { reason, details: build_details(&code, &message, &answer) })
}

/// Code and message of a refusal in AWS's JSON protocols. The code is in a header or in the body, behind a namespace or
/// before an address in some services; whether the message has a small letter depends on who in AWS refuses.
pub(super) fn parse_refusal(answer: &http::FullResponse) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct RefusalBody {
        #[serde(rename = "__type", alias = "code")]
        kind: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let RefusalBody { kind, message } = http::parse_json_object(&answer.body)?;
    let kind = read_header(answer, "x-amzn-errortype").map(str::to_owned).or(kind)?;
    let code = kind.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    Some((code.to_owned(), message.unwrap_or_default()))
}

pub(super) fn build_details(code: &str, message: &str, answer: &http::FullResponse) -> AwsErrorDetails {
    let request_id = read_header(answer, "x-amzn-requestid").map(UntrustedText::new);
    AwsErrorDetails { code: UntrustedText::new(code), message: UntrustedText::new(message), request_id }
}

fn read_header<'a>(answer: &'a http::FullResponse, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Our own client's error, which the SDK has only carried.
fn from_dispatch_failure(failure: &DispatchFailure) -> Error {
    let connector = failure.as_connector_error().and_then(error::Error::source);
    let ours = connector.and_then(|cause| cause.downcast_ref::<http::Error>());
    Error::Network(ours.cloned().unwrap_or(http::Error::Internal))
}

/// Codes as they stand in STS's answers, some of which bear an `Exception` in one place and not in another.
fn classify_refusal(code: &str, message: &str, status: u16) -> AwsRefusalReason {
    let about_length = || message.to_ascii_lowercase().contains("durationseconds");
    match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied" => AwsRefusalReason::AccessDenied,
        "InvalidIdentityToken" => AwsRefusalReason::InvalidIdentityToken,
        "ExpiredToken" => AwsRefusalReason::ExpiredToken,
        "IDPRejectedClaim" => AwsRefusalReason::IdpRejectedClaim,
        "IDPCommunicationError" => AwsRefusalReason::IdpCommunication,
        "ValidationError" | "Validation" if about_length() => AwsRefusalReason::SessionTooLong,
        "ValidationError" | "Validation" => AwsRefusalReason::Validation,
        "PackedPolicyTooLarge" => AwsRefusalReason::PackedPolicyTooLarge,
        "RegionDisabled" => AwsRefusalReason::Common(CommonRefusal::RegionDisabled),
        "MalformedPolicyDocument" => AwsRefusalReason::Common(CommonRefusal::MalformedPolicy),
        "NotAuthorized" => classify_login_refusal(message),
        "ResourceNotFound" => AwsRefusalReason::NotFound,
        "InvalidIdentityPoolConfiguration" => AwsRefusalReason::PoolConfiguration,
        "LimitExceeded" => AwsRefusalReason::LimitExceeded,
        "InvalidParameter" => AwsRefusalReason::Validation,
        "ExternalService" => AwsRefusalReason::IdpCommunication,
        "Throttling" | "Throttled" | "RequestLimitExceeded" | "RequestThrottled" | "TooManyRequests" | "SlowDown" => {
            AwsRefusalReason::Common(CommonRefusal::Throttled)
        }
        _ if status == 429 => AwsRefusalReason::Common(CommonRefusal::Throttled),
        _ if status >= 500 => AwsRefusalReason::Common(CommonRefusal::Server),
        _ => AwsRefusalReason::Common(CommonRefusal::Other),
    }
}

/// Cognito has one code for whatever is wrong with a token.
fn classify_login_refusal(message: &str) -> AwsRefusalReason {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    match () {
        () if says("supported provider") || says("providername") => AwsRefusalReason::UnknownLogin,
        () if says("expired") => AwsRefusalReason::ExpiredToken,
        () if says("token") => AwsRefusalReason::InvalidIdentityToken,
        () => AwsRefusalReason::AccessDenied,
    }
}

fn from_unexpected_answer(response: &HttpResponse) -> Error {
    let content_type = response.headers().get("content-type").map(UntrustedText::new);
    Error::Unexpected { status: response.status().as_u16(), content_type }
}

/// The innermost cause: the SDK's outer messages say only that something failed.
fn find_root_cause(error: &(dyn error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
