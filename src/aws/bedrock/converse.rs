//! The shortest possible request to a model, and the token usage of its answer.
//!
//! The program ignores the text of the answer: it only tests whether the model answers.

use serde::Deserialize;
use serde_json::json;

/// A test request to a model.
#[derive(Clone, Copy, Debug)]
pub struct ConverseRequest<'l> {
    /// A model's or an inference profile's identifier or ARN.
    pub model: &'l str,
    pub guardrail: Option<&'l Guardrail>,
}

/// A guardrail of the account, which some policies require for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    pub identifier: String,
    pub version: String,
}

/// The tokens that one request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// The usage in an answer, or in the last message of a stream.
#[derive(Deserialize)]
pub(super) struct UsageReport {
    pub(super) usage: TokenUsage,
}

impl ConverseRequest<'_> {
    /// The body of the request: a few input tokens and one output token. `requestMetadata` identifies these calls in
    /// the account's invocation logs.
    pub(super) fn request_body(&self) -> Vec<u8> {
        let mut body = json!({
            "messages": [{ "role": "user", "content": [{ "text": "Say ok." }] }],
            "inferenceConfig": { "maxTokens": 1 },
            "requestMetadata": { "client": "bedrock-sso doctor", "version": env!("CARGO_PKG_VERSION") },
        });
        if let (Some(Guardrail { identifier, version }), Some(members)) = (self.guardrail, body.as_object_mut()) {
            let guardrail = json!({ "guardrailIdentifier": identifier, "guardrailVersion": version });
            members.insert("guardrailConfig".to_owned(), guardrail);
        }
        body.to_string().into_bytes()
    }
}
