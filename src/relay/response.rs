//! The answers of the relay, and what an answer of CloudWatch means to an exporter.
//!
//! An exporter tries again after 429, 502, 503 and 504, and drops its data after any other error (OTLP/HTTP). So every
//! obstacle that can pass becomes 503. No answer permits a web page of another origin to read it.

use serde::{Serialize, de::IgnoredAny};
use serde_json::json;

use crate::http::parse_json_object;

/// How long an exporter should wait before it tries again, if CloudWatch does not say. Claude Code's exporter drops an
/// export after 10 seconds in all, or five attempts. This value lets it use both.
const RETRY_SECONDS: &str = "2";
/// The longest `Retry-After` that is passed on: a number of seconds, or a date.
const MAX_RETRY_AFTER: usize = 40;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RelayResponse {
    pub(super) status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl RelayResponse {
    pub(super) fn json(body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("an answer holds texts and numbers");
        Self { status: 200, retry_after: None, body }
    }

    /// An error after which the exporter drops its data. The body has the form that OTLP/HTTP prescribes.
    pub(super) fn refuse(status: u16, message: &str) -> Self {
        let body = json!({ "message": message }).to_string().into_bytes();
        Self { status, retry_after: None, body }
    }

    /// An error after which the exporter tries again.
    pub(super) fn retry_later(message: &str) -> Self {
        Self { retry_after: Some(RETRY_SECONDS.to_owned()), ..Self::refuse(503, message) }
    }

    pub(super) fn too_large() -> Self {
        Self::refuse(413, "the export is larger than the relay accepts")
    }

    /// Translates CloudWatch's answer. Only a success of CloudWatch becomes a success here, and not the page of a captive
    /// portal. A partial success passes unchanged, so that the exporter can report it.
    pub(super) fn from_upstream(status: u16, retry_after: Option<&str>, body: Vec<u8>) -> Self {
        let retry_after = retry_after.filter(|text| text.len() <= MAX_RETRY_AFTER && text.bytes().all(is_header_byte));
        match status {
            200..=299 if body.is_empty() => Self::json(&json!({})),
            200..=299 if parse_json_object::<IgnoredAny>(&body).is_some() => {
                Self { status: 200, retry_after: None, body }
            }
            429 | 502 | 503 | 504 => {
                let retry_after = Some(retry_after.unwrap_or(RETRY_SECONDS).to_owned());
                Self { retry_after, ..Self::refuse(status, "CloudWatch accepts no telemetry at this moment") }
            }
            400 | 413 => Self::refuse(status, "CloudWatch refused the export"),
            // Our signature, our rights or an expired session, which the exporter cannot change but time can.
            401 | 403 => Self::retry_later("CloudWatch refused the relay's credentials"),
            _ => Self::retry_later("CloudWatch failed"),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason_phrase(self.status));
        if let Some(seconds) = &self.retry_after {
            text.push_str(&format!("Retry-After: {seconds}\r\n"));
        }
        text.push_str(&format!(
            "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        ));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn is_header_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

fn reason_phrase(status: u16) -> &'static str {
    ::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_answers_become_what_an_exporter_understands() {
        for (upstream, status, retries) in [
            (200, 200, false),
            (202, 200, false),
            (400, 400, false),
            (401, 503, true),
            (403, 503, true),
            (404, 503, true),
            (413, 413, false),
            (429, 429, true),
            (500, 503, true),
            (501, 503, true),
            (502, 502, true),
            (503, 503, true),
            (504, 504, true),
            (302, 503, true),
        ] {
            let answer = RelayResponse::from_upstream(upstream, None, b"{}".to_vec());
            assert_eq!((answer.status, answer.retry_after.is_some()), (status, retries), "{upstream}");
        }
    }

    #[test]
    fn retry_after_passes_unless_it_could_end_its_header() {
        let of = |text| RelayResponse::from_upstream(429, Some(text), Vec::new()).retry_after.unwrap();
        assert_eq!(of("120"), "120");
        assert_eq!(of("1\r\nx: y"), RETRY_SECONDS);
    }

    #[test]
    fn partial_success_passes_and_an_error_body_does_not() {
        let partial = br#"{"partialSuccess":{"rejectedDataPoints":"1"}}"#.to_vec();
        assert_eq!(RelayResponse::from_upstream(200, None, partial.clone()).body, partial);
        let text = String::from_utf8(RelayResponse::from_upstream(400, None, b"secret".to_vec()).to_bytes()).unwrap();
        assert!(!text.contains("secret") && text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(!text.to_ascii_lowercase().contains("access-control"));
    }
}
