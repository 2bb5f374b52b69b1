//! What the sender of an export is answered, so that OpenTelemetry's exporters behave: they repeat an export after 429,
//! 502, 503 and 504, and drop it after every other error (OTLP specification, "OTLP/HTTP Response").

use std::{fmt, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bedrock_sso::telemetry::otlp::{OtlpFormat, OtlpSignal, encode_error};
use serde_json::json;

use crate::token::TokenError;

/// Why an export is not passed on.
#[derive(Debug)]
pub enum ExportRefusal {
    NoToken,
    /// The token is not believed, or names nobody.
    Token(String),
    /// The keys of the identity provider are missing, so nobody knows whether the token is true.
    NoKeys(String),
    /// The sender has sent more than its share.
    TooOften {
        wait: Duration,
    },
    TooLarge,
    UnknownFormat,
    Malformed(String),
    /// The configuration sends exports of this signal nowhere.
    SignalNotWanted,
    /// The next place asks the sender to repeat the export later.
    RepeatLater {
        status: StatusCode,
        retry_after: Option<HeaderValue>,
        cause: String,
    },
    /// The next place accepts nothing from this relay. The sender repeats the export until somebody has corrected that.
    NotForwarded(String),
    /// The next place does not accept this export.
    NotAccepted {
        status: StatusCode,
        cause: String,
    },
    /// The server ends.
    Busy,
}

impl ExportRefusal {
    pub(super) fn from_token(error: TokenError) -> Self {
        match error {
            TokenError::NotBelieved(why) => Self::Token(why),
            TokenError::NobodyNamed { claims } => Self::Token(format!("it has none of {}", claims.join(", "))),
            TokenError::NoKeys { issuer, cause } => Self::NoKeys(format!("{issuer}: {cause}")),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::SignalNotWanted => StatusCode::NOT_FOUND,
            Self::RepeatLater { status, .. } | Self::NotAccepted { status, .. } => *status,
            Self::NoKeys(_) | Self::NotForwarded(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the sender could have done better.
    pub(super) fn is_fault_of_sender(&self) -> bool {
        match self {
            Self::NoToken
            | Self::Token(_)
            | Self::TooOften { .. }
            | Self::TooLarge
            | Self::UnknownFormat
            | Self::Malformed(_)
            | Self::SignalNotWanted => true,
            Self::NoKeys(_)
            | Self::RepeatLater { .. }
            | Self::NotForwarded(_)
            | Self::NotAccepted { .. }
            | Self::Busy => false,
        }
    }

    /// What the sender may know: nothing about tokens, keys or the next place.
    fn public_message(&self) -> &str {
        match self {
            Self::NoToken | Self::Token(_) => "Unauthorized",
            Self::NoKeys(_) => "the keys of the identity provider are not available",
            Self::TooOften { .. } => "too many exports of one person",
            Self::TooLarge => "the export is larger than 4 MiB",
            Self::UnknownFormat => "send application/json or application/x-protobuf, plain or with gzip",
            Self::Malformed(what) => what,
            Self::SignalNotWanted => "exports of this signal go nowhere from here",
            Self::RepeatLater { .. } | Self::NotForwarded(_) | Self::Busy => "the export could not be passed on",
            Self::NotAccepted { .. } => "the export was not accepted",
        }
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::TooOften { wait } => HeaderValue::try_from(wait.as_secs().max(1).to_string()).ok(),
            Self::RepeatLater { retry_after, .. } => retry_after.clone(),
            _ => None,
        }
    }
}

impl fmt::Display for ExportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("the request has no bearer token"),
            Self::Token(why) => write!(f, "the token is not believed: {why}"),
            Self::NoKeys(cause) => write!(f, "no keys of {cause}"),
            Self::RepeatLater { status, cause, .. } => write!(f, "{cause} (HTTP status {})", status.as_u16()),
            Self::NotAccepted { status, cause } => write!(f, "{cause} (HTTP status {})", status.as_u16()),
            Self::NotForwarded(cause) => f.write_str(cause),
            Self::TooOften { .. }
            | Self::TooLarge
            | Self::UnknownFormat
            | Self::Malformed(_)
            | Self::SignalNotWanted
            | Self::Busy => f.write_str(self.public_message()),
        }
    }
}

/// The answer in the format of the export.
pub(super) struct RelayAnswer {
    pub(super) signal: OtlpSignal,
    /// `None` if it is unknown; the answer is JSON then.
    pub(super) format: Option<OtlpFormat>,
    /// The answer of the next place, in JSON.
    pub(super) outcome: Result<Bytes, ExportRefusal>,
}

impl IntoResponse for RelayAnswer {
    fn into_response(self) -> Response {
        let Self { signal, format, outcome } = self;
        let format = format.unwrap_or(OtlpFormat::Json);
        let (status, body) = match (&outcome, format) {
            (Ok(answer), OtlpFormat::Json) => (StatusCode::OK, answer.clone()),
            (Ok(answer), OtlpFormat::Protobuf) => (StatusCode::OK, signal.encode_answer(answer).into()),
            (Err(refusal), OtlpFormat::Json) => {
                (refusal.status(), json!({ "message": refusal.public_message() }).to_string().into())
            }
            (Err(refusal), OtlpFormat::Protobuf) => (refusal.status(), encode_error(refusal.public_message()).into()),
        };
        let kind = match format {
            OtlpFormat::Json => "application/json",
            OtlpFormat::Protobuf => "application/x-protobuf",
        };
        let mut answer = (status, body).into_response();
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Err(refusal) = &outcome {
            if let Some(wait) = refusal.retry_after() {
                answer.headers_mut().insert(header::RETRY_AFTER, wait);
            }
            if status == StatusCode::UNAUTHORIZED {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
        }
        answer
    }
}
