//! Why a call of AWS failed.

use std::fmt;

use bedrock_sso::{
    http::{self, FullResponse},
    text::sanitize_line,
};
use roxmltree::Document;
use serde::Deserialize;

use super::{AwsCall, CalledService};

/// Why a call failed. All of its texts are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsCallError {
    /// The environment has no credentials, no Region, or an endpoint that is not permitted.
    NotConfigured(String),
    /// There is no answer.
    Unreachable { call: String, cause: String },
    /// The answer is larger than this program reads.
    TooLarge { call: String },
    /// The service has refused the call.
    Refused { call: String, status: u16, code: String, message: String },
    /// The answer is not what the service's documentation says.
    Unreadable { call: String, what: &'static str },
}

impl AwsCallError {
    pub(super) fn from_http(call: &AwsCall<'_>, error: &http::Error) -> Self {
        match error {
            http::Error::TooLarge { .. } => Self::TooLarge { call: describe_call(call) },
            other => Self::Unreachable { call: describe_call(call), cause: sanitize_line(&format!("{other:?}")) },
        }
    }

    pub(super) fn unreadable(call: &AwsCall<'_>, what: &'static str) -> Self {
        Self::Unreadable { call: describe_call(call), what }
    }

    /// Whether the service has refused the call with this code.
    pub fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// Whether the same call may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        const BUSY: [&str; 11] = [
            "ConcurrentModification",
            "ConcurrentModificationException",
            "EntityTemporarilyUnmodifiable",
            "RequestLimitExceeded",
            "RequestTimeout",
            "ServiceUnavailableException",
            "SlowDown",
            "Throttled",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ];
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, code, .. } => *status >= 500 || *status == 429 || BUSY.contains(&code.as_str()),
            Self::NotConfigured(_) | Self::TooLarge { .. } | Self::Unreadable { .. } => false,
        }
    }
}

fn describe_call(call: &AwsCall<'_>) -> String {
    format!("{} {}", call.service.title(), call.operation)
}

impl fmt::Display for AwsCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(what) => f.write_str(what),
            Self::Unreachable { call, cause } => write!(f, "{call} has no answer: {cause}"),
            Self::TooLarge { call } => write!(f, "the answer of {call} is too large"),
            Self::Refused { call, status, code, message } => {
                write!(f, "{call} was refused with HTTP status {status}: {code}: {message}")
            }
            Self::Unreadable { call, what } => write!(f, "{call}: {what}"),
        }
    }
}

impl std::error::Error for AwsCallError {}

/// A refusal in JSON.
#[derive(Default, Deserialize)]
struct JsonRefusal {
    /// The name of the error, where no header has it.
    #[serde(rename = "__type")]
    name: Option<String>,
    #[serde(alias = "message", rename = "Message")]
    message: Option<String>,
}

/// What a refusal says: XML from IAM, SNS and S3, JSON and often a header from the others.
pub(super) fn read_refusal(call: &AwsCall<'_>, answer: &FullResponse) -> AwsCallError {
    let (code, message) = match call.service {
        CalledService::Lambda | CalledService::CloudWatch | CalledService::CloudWatchLogs | CalledService::Firehose => {
            let named = answer.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
            let refusal: JsonRefusal = serde_json::from_slice(&answer.body).unwrap_or_default();
            (shorten_name(named.or(refusal.name.as_deref()).unwrap_or_default()), refusal.message.unwrap_or_default())
        }
        CalledService::Iam | CalledService::Sns | CalledService::S3 => {
            let text = String::from_utf8_lossy(&answer.body);
            let document = Document::parse(&text).ok();
            let find = |name| document.as_ref().and_then(|document| find_text(document, name)).unwrap_or_default();
            (find("Code"), find("Message"))
        }
    };
    let known = |text: String| if text.is_empty() { "(nothing)".to_owned() } else { sanitize_line(&text) };
    AwsCallError::Refused {
        call: describe_call(call),
        status: answer.status.as_u16(),
        code: known(code),
        message: known(message),
    }
}

/// The name of an error. A colon and an address may follow it, and a namespace with `#` may stand before it.
fn shorten_name(name: &str) -> String {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().to_owned()
}

/// The text of the first element with this name, in whatever namespace.
pub(super) fn find_text(document: &Document<'_>, name: &str) -> Option<String> {
    let found = document.descendants().find(|node| node.is_element() && node.tag_name().name() == name);
    found.and_then(|node| node.text()).map(str::to_owned)
}
