//! Why AWS gave no credentials, as facts.
//!
//! It sorts what STS said; what a person should do about it is `failure`'s.

use std::{error, fmt};

use aws_sdk_sts::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::result::DispatchFailure;
use serde::Deserialize;

use crate::{http, secret::Secret, text::Foreign, time::Moment, url::Refusal};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// STS answered, and the answer was no.
    Refused { reason: Reason, said: Said },
    /// No answer arrived.
    Network(http::Error),
    /// Something answered, but not as STS does: a captive portal, a proxy's own page.
    Unexpected { status: u16, content_type: Option<Foreign> },
    /// STS handed out what cannot be used.
    Flawed(Flaw),
    /// A variable names an endpoint that is no secure address.
    BadEndpoint { variable: &'static str, refusal: Refusal },
    /// The SDK could not make the request: a region without the endpoint asked for, mostly.
    NoRequest(Foreign),
    /// A link of the chain is to be filled with a claim that the token does not have.
    LacksClaim { claim: String },
}

/// Which question it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// AssumeRoleWithWebIdentity.
    WebIdentity,
    /// GetId of a Cognito identity pool.
    Identity,
    /// GetCredentialsForIdentity.
    PoolRole,
    /// AssumeRole for a link of the chain, counted from nought.
    Link(usize),
}

/// An error, and at which question it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub step: Step,
    pub error: Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The role's trust policy does not match the token, or the role does not exist.
    AccessDenied,
    /// The token is not one that AWS accepts: issuer, audience, signature or provider unknown to it.
    InvalidIdentityToken,
    ExpiredToken,
    IdpRejectedClaim,
    /// AWS could not reach the provider for its keys.
    IdpCommunication,
    /// The session is longer than the role allows.
    TooLong,
    Validation,
    PackedPolicyTooLarge,
    RegionDisabled,
    MalformedPolicy,
    Throttled,
    /// An identity pool does not know the issuer under the name given, or not at all.
    UnknownLogin,
    /// There is no such identity pool, or no such identity in it.
    NotFound,
    /// The pool has no role for people who are signed in, or cannot assume it.
    PoolConfiguration,
    LimitExceeded,
    /// AWS's own fault (5xx).
    Server,
    Other,
}

/// STS's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub code: Foreign,
    pub message: Foreign,
    pub request_id: Option<Foreign>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    Incomplete,
    /// With characters that AWS does not use.
    Malformed,
    /// Over before they began: one of the two clocks is wrong.
    Spent {
        expiration: Moment,
        now: Moment,
    },
    OtherAccount {
        answered: Foreign,
    },
}

impl Error {
    /// Whether the same question may find another answer a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => {
                matches!(reason, Reason::Throttled | Reason::Server | Reason::IdpCommunication)
            }
            Self::Unexpected { status, .. } => *status >= 500,
            // A deadline that has passed is not waited for again: the person, or the caller, has waited as long already.
            Self::Network(error) => error.may_pass(),
            _ => false,
        }
    }

    pub(super) fn is(&self, reason: Reason) -> bool {
        matches!(self, Self::Refused { reason: is, .. } if *is == reason)
    }

    /// Whether nobody answered, or only AWS's trouble: another region may fare better.
    pub(super) fn is_silence(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => *reason == Reason::Server,
            Self::Unexpected { status, .. } => *status >= 500,
            Self::Network(error) => error.is_silence(),
            _ => false,
        }
    }

    /// The same without the token, should AWS quote it: its words reach terminals, logs and the last failure.
    pub(super) fn without(self, token: &Secret) -> Self {
        match self {
            Self::Refused { reason, said: Said { code, message, request_id } } => {
                let message = message.without(token);
                Self::Refused { reason, said: Said { code, message, request_id } }
            }
            other => other,
        }
    }
}

impl Failed {
    /// Whether another token of the same person might be accepted: this one is over, or unknown by now.
    pub fn refuses_the_token(&self) -> bool {
        let reasons = [Reason::ExpiredToken, Reason::InvalidIdentityToken, Reason::IdpRejectedClaim];
        !matches!(self.step, Step::Link(_)) && reasons.iter().any(|reason| self.error.is(*reason))
    }
}

impl<E: ProvideErrorMetadata + error::Error + 'static> From<SdkError<E, HttpResponse>> for Error {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let request_id = error.request_id().map(Foreign::new);
        match error {
            SdkError::DispatchFailure(failure) => dispatch(&failure),
            SdkError::ResponseError(response) => unexpected(response.raw()),
            SdkError::ServiceError(service) => match service.err().code() {
                Some(code) => refused(code, service.err().message(), request_id, service.raw()),
                None => unexpected(service.raw()),
            },
            other => Self::NoRequest(Foreign::new(deepest(&other))),
        }
    }
}

/// An answer of AWS's JSON protocol, where it is a good one.
pub(super) fn in_json(answer: http::Answer) -> Result<http::Answer, Error> {
    let status = answer.status.as_u16();
    let is_object = || serde_json::from_slice::<serde_json::Map<_, _>>(&answer.body).is_ok();
    if answer.status.is_success() && is_object() {
        return Ok(answer);
    }
    let Some((code, message)) = said(&answer) else {
        let content_type = header(&answer, "content-type").map(Foreign::new);
        return Err(Error::Unexpected { status, content_type });
    };
    let reason = reason(&code, &message, status);
    Err(Error::Refused { reason, said: quoted(&code, &message, &answer) })
}

/// Code and message of a refusal in AWS's JSON protocols. The code is in a header or in the body, behind a namespace or
/// before an address in some services; whether the message has a small letter depends on who in AWS refuses.
pub(super) fn said(answer: &http::Answer) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type", alias = "code")]
        kind: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let Refusal { kind, message } = http::object(&answer.body)?;
    let kind = header(answer, "x-amzn-errortype").map(str::to_owned).or(kind)?;
    let code = kind.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    Some((code.to_owned(), message.unwrap_or_default()))
}

pub(super) fn quoted(code: &str, message: &str, answer: &http::Answer) -> Said {
    let request_id = header(answer, "x-amzn-requestid").map(Foreign::new);
    Said { code: Foreign::new(code), message: Foreign::new(message), request_id }
}

fn header<'a>(answer: &'a http::Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Our own client's error, which the SDK has only carried.
fn dispatch(failure: &DispatchFailure) -> Error {
    let connector = failure.as_connector_error().and_then(error::Error::source);
    let ours = connector.and_then(|cause| cause.downcast_ref::<http::Error>());
    Error::Network(ours.cloned().unwrap_or(http::Error::Internal))
}

fn refused(code: &str, message: Option<&str>, request_id: Option<Foreign>, response: &HttpResponse) -> Error {
    let message = message.unwrap_or_default();
    let reason = reason(code, message, response.status().as_u16());
    let said = Said { code: Foreign::new(code), message: Foreign::new(message), request_id };
    Error::Refused { reason, said }
}

/// Codes as they stand in STS's answers, some of which bear an `Exception` in one place and not in another.
fn reason(code: &str, message: &str, status: u16) -> Reason {
    let about_length = || message.to_ascii_lowercase().contains("durationseconds");
    match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied" => Reason::AccessDenied,
        "InvalidIdentityToken" => Reason::InvalidIdentityToken,
        "ExpiredToken" => Reason::ExpiredToken,
        "IDPRejectedClaim" => Reason::IdpRejectedClaim,
        "IDPCommunicationError" => Reason::IdpCommunication,
        "ValidationError" | "Validation" if about_length() => Reason::TooLong,
        "ValidationError" | "Validation" => Reason::Validation,
        "PackedPolicyTooLarge" => Reason::PackedPolicyTooLarge,
        "RegionDisabled" => Reason::RegionDisabled,
        "MalformedPolicyDocument" => Reason::MalformedPolicy,
        "NotAuthorized" => of_login(message),
        "ResourceNotFound" => Reason::NotFound,
        "InvalidIdentityPoolConfiguration" => Reason::PoolConfiguration,
        "LimitExceeded" => Reason::LimitExceeded,
        "InvalidParameter" => Reason::Validation,
        "ExternalService" => Reason::IdpCommunication,
        "Throttling"
        | "Throttled"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "TooManyRequests"
        | "SlowDown" => Reason::Throttled,
        _ if status == 429 => Reason::Throttled,
        _ if status >= 500 => Reason::Server,
        _ => Reason::Other,
    }
}

/// Cognito has one code for whatever is wrong with a token.
fn of_login(message: &str) -> Reason {
    let message = message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    match () {
        () if says("supported provider") || says("providername") => Reason::UnknownLogin,
        () if says("expired") => Reason::ExpiredToken,
        () if says("token") => Reason::InvalidIdentityToken,
        () => Reason::AccessDenied,
    }
}

fn unexpected(response: &HttpResponse) -> Error {
    let content_type = response.headers().get("content-type").map(Foreign::new);
    Error::Unexpected { status: response.status().as_u16(), content_type }
}

/// The innermost cause: the SDK's outer messages say only that something failed.
fn deepest(error: &(dyn error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

impl error::Error for Error {}

/// For logs; what people read is written in `failure`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
