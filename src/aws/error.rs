//! The errors of an exchange with STS or a Cognito identity pool, as typed facts.
//!
//! It classifies AWS's answers by code and, where one code has several causes, by message. `failure` writes the
//! messages and hints.

use std::error;

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::result::DispatchFailure;
use serde::Deserialize;

use super::{iam_denial::IamDenial, retry::TransientError};
use crate::{http, secret::Secret, text::UntrustedText, time::Timestamp, url::SecureUrlError};

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// AWS refused the request.
    Refused { reason: AwsRefusalReason, details: AwsErrorDetails },
    /// No answer arrived.
    Network(http::Error),
    /// The answer is not AWS's: it comes from a captive portal or a proxy.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// AWS returned unusable credentials.
    Flawed(CredentialsFlaw),
    /// A variable names an endpoint that is not a secure address.
    BadEndpoint { variable: &'static str, refusal: SecureUrlError },
    /// The SDK could not build the request, usually because the region does not have the requested endpoint.
    InvalidRequest(UntrustedText),
    /// A chained role needs a claim that the token does not contain.
    MissingClaim { claim: String },
}

/// The request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeStep {
    /// AssumeRoleWithWebIdentity.
    WebIdentity,
    /// GetId of a Cognito identity pool.
    PoolIdentity,
    /// GetCredentialsForIdentity.
    PoolRole,
    /// AssumeRole for a link of the chain, counted from 0.
    ChainLink(usize),
}

/// An error and the step that it occurred in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedStep {
    pub step: ExchangeStep,
    pub error: Error,
}

/// Why AWS refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsRefusalReason {
    /// The role's trust policy does not match the token, or the role does not exist.
    AccessDenied,
    /// AWS does not accept the token: it does not know the issuer, audience, key or provider.
    InvalidIdentityToken,
    ExpiredToken,
    IdpRejectedClaim,
    /// AWS could not fetch the provider's keys.
    IdpCommunication,
    /// The session is longer than the role allows.
    SessionTooLong,
    Validation,
    PackedPolicyTooLarge,
    /// The identity pool does not know the issuer by this name.
    UnknownLogin,
    /// The identity pool, or the identity in it, does not exist.
    NotFound,
    /// The pool has no role for authenticated users, or cannot assume it.
    PoolConfiguration,
    LimitExceeded,
    Common(CommonRefusal),
}

/// Refusals that have the same meaning at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonRefusal {
    RegionDisabled,
    MalformedPolicy,
    Throttled,
    /// AWS's own fault (5xx).
    Server,
    Other,
}

/// The texts of AWS's answer. They are untrusted and never contain the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsErrorDetails {
    pub code: UntrustedText,
    pub message: UntrustedText,
    pub request_id: Option<UntrustedText>,
    /// The facts of the message, if it is IAM's sentence about a denied request.
    pub denial: Option<Box<IamDenial>>,
}

/// Why returned credentials are unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFlaw {
    /// A part is missing.
    Incomplete,
    /// They contain characters that AWS does not use.
    Malformed,
    /// They have already expired, so one of the two clocks is wrong.
    AlreadyExpired { expiration: Timestamp, now: Timestamp },
    /// They belong to another account than the role.
    OtherAccount { answered: UntrustedText },
}

impl Error {
    pub(super) fn is_refused_for(&self, reason: AwsRefusalReason) -> bool {
        matches!(self, Self::Refused { reason: is, .. } if *is == reason)
    }

    /// Returns whether AWS did not answer or has a fault of its own, so that another region may succeed.
    pub(super) fn is_unanswered(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => *reason == AwsRefusalReason::Common(CommonRefusal::Server),
            Self::Unexpected { status, .. } => *status >= 500,
            Self::Network(error) => error.is_unanswered(),
            _ => false,
        }
    }

    /// Removes the token from AWS's message.
    pub(super) fn redact_token(self, token: &Secret) -> Self {
        match self {
            Self::Refused { reason, details } => Self::Refused { reason, details: details.redact_secret(token) },
            other => other,
        }
    }
}

impl TransientError for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => matches!(
                reason,
                AwsRefusalReason::Common(CommonRefusal::Throttled | CommonRefusal::Server)
                    | AwsRefusalReason::IdpCommunication
            ),
            Self::Unexpected { status, .. } => *status >= 500,
            // Do not retry after a timeout: the user has already waited that long.
            Self::Network(error) => error.is_transient(),
            _ => false,
        }
    }
}

impl AwsErrorDetails {
    fn new(code: &str, message: &str, request_id: Option<&str>) -> Self {
        Self {
            code: UntrustedText::new(code),
            message: UntrustedText::new(message),
            request_id: request_id.map(UntrustedText::new),
            denial: IamDenial::parse(message).map(Box::new),
        }
    }

    /// Removes a secret from AWS's message. AWS quotes invalid values, and the message reaches terminals, logs and the
    /// stored last failure.
    pub(super) fn redact_secret(self, secret: &Secret) -> Self {
        Self { message: self.message.redact_secret(secret), ..self }
    }
}

impl FailedStep {
    /// Returns whether AWS rejected the token itself, so that a refreshed token may be accepted.
    pub fn is_token_refused(&self) -> bool {
        let reasons = [
            AwsRefusalReason::ExpiredToken,
            AwsRefusalReason::InvalidIdentityToken,
            AwsRefusalReason::IdpRejectedClaim,
        ];
        !matches!(self.step, ExchangeStep::ChainLink(_))
            && reasons.iter().any(|reason| self.error.is_refused_for(*reason))
    }

    /// Returns whether AWS did not reach the provider, whose keys it needs.
    pub fn is_provider_unreached(&self) -> bool {
        self.error.is_refused_for(AwsRefusalReason::IdpCommunication)
    }
}

impl<E: ProvideErrorMetadata + error::Error + 'static> From<SdkError<E, HttpResponse>> for Error {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let request_id = error.request_id().map(str::to_owned);
        match error {
            SdkError::DispatchFailure(failure) => from_dispatch_failure(&failure),
            SdkError::ResponseError(response) => from_unexpected_answer(response.raw()),
            SdkError::ServiceError(service) => match service.err().code() {
                Some(code) => {
                    let message = service.err().message().unwrap_or_default();
                    let reason = classify_refusal(code, message, service.raw().status().as_u16());
                    Self::Refused { reason, details: AwsErrorDetails::new(code, message, request_id.as_deref()) }
                }
                None => from_unexpected_answer(service.raw()),
            },
            other => Self::InvalidRequest(UntrustedText::new(find_root_cause(&other))),
        }
    }
}

/// Returns a successful answer of AWS's JSON protocol, or its error.
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

/// Returns code and message of a refusal in AWS's JSON protocols. The code is in a header or in the body. Some
/// services add a namespace before it or an address after it, and some write `Message` instead of `message`.
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
    AwsErrorDetails::new(code, message, read_header(answer, "x-amzn-requestid"))
}

pub(super) fn read_header<'a>(answer: &'a http::FullResponse, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Extracts the HTTP client's error from the SDK's error that wraps it.
fn from_dispatch_failure(failure: &DispatchFailure) -> Error {
    let connector = failure.as_connector_error().and_then(error::Error::source);
    let ours = connector.and_then(|cause| cause.downcast_ref::<http::Error>());
    Error::Network(ours.cloned().unwrap_or(http::Error::Internal))
}

/// Classifies a refusal by its code. Some codes end in `Exception` in some answers only, so the suffix is ignored.
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

/// Classifies `NotAuthorized` by its message, because Cognito uses that code for every problem with a token.
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

/// Returns the text of the innermost cause. The SDK's outer messages say only that something failed.
fn find_root_cause(error: &(dyn error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
