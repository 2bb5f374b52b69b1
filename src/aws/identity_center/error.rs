//! The errors of Identity Center's two services, as typed facts.
//!
//! A refusal is classified by the name of AWS's exception, or by the OAuth error code if an answer has no such name.

use serde::Deserialize;

use crate::{
    aws::{
        AwsErrorDetails, CredentialsFlaw,
        error::{build_details, parse_refusal, read_header},
        retry::TransientError,
    },
    http::{self, FullResponse},
    secret::Secret,
    text::UntrustedText,
    url::SecureUrlError,
};

/// Why Identity Center gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityCenterError {
    /// No answer arrived.
    Network(http::Error),
    /// AWS refused the request.
    Refused { reason: PortalRefusal, details: AwsErrorDetails },
    /// The answer is not AWS's: it comes from a captive portal or a proxy.
    Unexpected { status: u16, content_type: Option<UntrustedText> },
    /// A complete answer lacks this member, or its value is unusable.
    Incomplete(&'static str),
    /// AWS returned unusable credentials.
    Flawed(CredentialsFlaw),
    /// AWS issued a client registration that has already expired, so one of the two clocks is wrong.
    RegistrationExpired,
    /// AWS stated a verification page that is not a secure address.
    UnusablePage { stated: UntrustedText, refusal: SecureUrlError },
    /// A list does not end, or repeats a page.
    EndlessList,
}

/// Why AWS refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalRefusal {
    /// The user or an administrator rejected the sign-in.
    AccessDenied,
    /// AWS does not accept the code or the refresh token any more.
    InvalidGrant,
    /// AWS does not know the registered client any more, so the program must register again.
    InvalidClient,
    InvalidRequest,
    /// The access token does not work any more: it has expired, or somebody has ended the session.
    Unauthorized,
    /// The user does not have this permission set in this account, or one of them does not exist.
    NoAssignment,
    /// The region has no Identity Center with this start URL.
    WrongRegion,
    /// Identity Center cannot use the customer's own encryption key. Only an administrator can fix that.
    EncryptionKey,
    Throttled,
    /// AWS's own fault (5xx).
    Server,
    Other,
}

/// What a request was about. The same name of an exception has another meaning at another operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortalCall {
    RegisterClient,
    StartDevice,
    /// A code or a refresh token is exchanged, or a device code is polled.
    CreateToken,
    /// Any request to the access portal.
    Portal,
}

/// An error of the sign-in service, which has the members of RFC 6749 §5.2.
#[derive(Deserialize)]
struct SignInRefusal {
    error: String,
    error_description: Option<String>,
    /// Set if a customer-managed encryption key is the cause.
    reason: Option<String>,
}

impl IdentityCenterError {
    /// Returns whether Identity Center was not reached, is overloaded or failed, or something else on the network
    /// answered in its place. Such an error says nothing about the session.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Network(error) => error.is_network(),
            Self::Unexpected { .. } => true,
            Self::Refused { reason, .. } => matches!(reason, PortalRefusal::Throttled | PortalRefusal::Server),
            Self::Incomplete(_)
            | Self::Flawed(_)
            | Self::RegistrationExpired
            | Self::UnusablePage { .. }
            | Self::EndlessList => false,
        }
    }

    /// Returns whether AWS refused the request for this reason.
    pub fn is_refused_for(&self, reason: PortalRefusal) -> bool {
        matches!(self, Self::Refused { reason: is, .. } if *is == reason)
    }

    /// Removes a secret from AWS's message.
    pub(super) fn redact_secret(self, secret: &Secret) -> Self {
        match self {
            Self::Refused { reason, details } => Self::Refused { reason, details: details.redact_secret(secret) },
            other => other,
        }
    }

    /// Returns whether AWS refused with this OAuth error code, which an exception's name may stand for.
    pub(super) fn has_code(&self, code: &str) -> bool {
        let is_code = |details: &AwsErrorDetails| {
            [code.to_owned(), format!("{}Exception", to_exception(code))]
                .iter()
                .any(|known| details.code == UntrustedText::new(known.as_str()))
        };
        matches!(self, Self::Refused { details, .. } if is_code(details))
    }
}

impl TransientError for IdentityCenterError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => matches!(reason, PortalRefusal::Throttled | PortalRefusal::Server),
            Self::Unexpected { status, .. } => *status >= 500,
            // Do not retry after a timeout: the user has already waited that long.
            Self::Network(error) => error.is_transient(),
            Self::Incomplete(_)
            | Self::Flawed(_)
            | Self::RegistrationExpired
            | Self::UnusablePage { .. }
            | Self::EndlessList => false,
        }
    }
}

/// Returns a successful answer: a JSON object, or an empty body of the portal. Anything else is a refusal, or a page of
/// somebody else.
pub(super) fn check_answer(call: PortalCall, answer: FullResponse) -> Result<FullResponse, IdentityCenterError> {
    let status = answer.status.as_u16();
    let is_object = || http::parse_json_object::<serde_json::Map<_, _>>(&answer.body).is_some();
    if answer.status.is_success() && (answer.body.is_empty() || is_object()) {
        return Ok(answer);
    }
    let refusal = if status < 400 { None } else { read_refusal(&answer) };
    let Some((code, message, reason)) = refusal else {
        let content_type = read_header(&answer, "content-type").map(UntrustedText::new);
        return Err(IdentityCenterError::Unexpected { status, content_type });
    };
    let names_key = reason.is_some_and(|reason| reason.starts_with("KMS_"));
    let reason = classify_refusal(call, &code, status, names_key);
    Err(IdentityCenterError::Refused { reason, details: build_details(&code, &message, &answer) })
}

/// Returns the code and the message of a refusal, and the reason that the sign-in service adds to some. The code is the
/// exception's name, or else the OAuth error code.
fn read_refusal(answer: &FullResponse) -> Option<(String, String, Option<String>)> {
    let named = parse_refusal(answer);
    match (http::parse_json_object::<SignInRefusal>(&answer.body), named) {
        (Some(SignInRefusal { error, error_description, reason }), named) => {
            let name = named.map(|(name, _)| name).filter(|name| !name.is_empty());
            Some((name.unwrap_or(error), error_description.unwrap_or_default(), reason))
        }
        (None, Some((name, message))) => Some((name, message, None)),
        (None, None) => None,
    }
}

/// Turns an OAuth error code into the name of AWS's exception without its suffix: `invalid_grant` becomes
/// `InvalidGrant`.
fn to_exception(code: &str) -> String {
    let capitalize = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        first.to_ascii_uppercase() + rest
    };
    code.split('_').map(capitalize).collect()
}

/// Classifies a refusal. The status of an overload or of a fault outranks the code: a gateway that answers
/// `invalid_grant` with 503 must not cost the user the session.
fn classify_refusal(call: PortalCall, code: &str, status: u16, names_key: bool) -> PortalRefusal {
    let name = code.strip_suffix("Exception").unwrap_or(code);
    match to_exception(name).as_str() {
        _ if status >= 500 => PortalRefusal::Server,
        _ if matches!(status, 408 | 429) => PortalRefusal::Throttled,
        _ if names_key => PortalRefusal::EncryptionKey,
        "AccessDenied" if call != PortalCall::Portal => PortalRefusal::AccessDenied,
        "InvalidGrant" | "ExpiredToken" => PortalRefusal::InvalidGrant,
        "InvalidClient" | "UnauthorizedClient" => PortalRefusal::InvalidClient,
        "InvalidRequestRegion" => PortalRefusal::WrongRegion,
        // The service knows the start URLs of its own region only.
        "InvalidRequest" if call == PortalCall::StartDevice => PortalRefusal::WrongRegion,
        "InvalidRequest" => PortalRefusal::InvalidRequest,
        "Unauthorized" => PortalRefusal::Unauthorized,
        // The access portal refuses an unknown assignment with `ForbiddenException`, which the SDKs' model lacks.
        "Forbidden" | "ResourceNotFound" | "AccessDenied" => PortalRefusal::NoAssignment,
        "TooManyRequests" | "SlowDown" | "Throttling" | "Throttled" | "RequestLimitExceeded" => {
            PortalRefusal::Throttled
        }
        "InternalServer" | "InternalFailure" | "ServiceUnavailable" => PortalRefusal::Server,
        _ => PortalRefusal::Other,
    }
}
