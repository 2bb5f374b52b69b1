//! The state of the program on a laptop, which travels with its telemetry: `otel-headers` says it in two headers, and a
//! relay turns them into one gauge.

use serde_json::{Value, json};

/// The header with the version of the program.
pub const VERSION_HEADER: &str = "x-bedrock-sso-version";

/// The header with the slug of the last failure. It is absent after a success.
pub const FAILURE_HEADER: &str = "x-bedrock-sso-failure";

/// The longest slug that is passed on. A provider's own error code can be part of one.
const MAX_SLUG_LENGTH: usize = 64;

/// Version and last failure of the program that has sent an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperState {
    version: String,
    failure: String,
}

impl HelperState {
    /// Reads the two headers. `None` if the first does not have the form of a version. A failure that does not have the
    /// form of a slug becomes `other`, so that no sender can write free text into a dashboard.
    pub fn from_headers(version: Option<&str>, failure: Option<&str>) -> Option<Self> {
        let version = version.filter(|version| is_version(version))?.to_owned();
        let failure = match failure {
            None => "none",
            Some(slug) if is_slug(slug) => slug,
            Some(_) => "other",
        };
        Some(Self { version, failure: failure.to_owned() })
    }

    /// The gauge as an entry of `resourceMetrics` with these attributes of the resource.
    pub(super) fn to_resource_metrics(&self, mut attributes: Vec<Value>, unix_nanos: u64) -> Value {
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        attributes.insert(0, text("service.name", "bedrock-sso"));
        let point = json!({
            "attributes": [text("version", &self.version), text("failure", &self.failure)],
            "timeUnixNano": unix_nanos.to_string(),
            "asInt": "1",
        });
        json!({
            "resource": { "attributes": attributes },
            "scopeMetrics": [{
                "scope": { "name": "bedrock-sso" },
                "metrics": [{
                    "name": "bedrock_sso.helper",
                    "description": "A helper that sends telemetry, with its version and its last failure",
                    "unit": "1",
                    "gauge": { "dataPoints": [point] },
                }],
            }],
        })
    }
}

/// Whether the text has the form `0.1.0` or `0.1.0-rc.1`.
fn is_version(text: &str) -> bool {
    let (numbers, suffix) = text.split_once('-').unwrap_or((text, "x"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_suffix = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    text.len() <= 32
        && numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && !suffix.is_empty()
        && suffix.bytes().all(is_suffix)
}

/// Whether the text has the form of the program's slugs, such as `sign-in/access_denied`.
fn is_slug(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    text.len() <= MAX_SLUG_LENGTH && text.split('/').count() == 2 && text.split('/').all(is_part)
}
