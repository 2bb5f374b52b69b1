//! The shortest conversation that a model can be had for: what is said to it, and what the answer cost.
//!
//! What the model says is not looked at.

use serde::Deserialize;
use serde_json::json;

/// What is said to a model, and through which guardrail.
#[derive(Clone, Copy, Debug)]
pub struct ConverseRequest<'l> {
    /// A model's or an inference profile's identifier or ARN.
    pub model: &'l str,
    pub guardrail: Option<&'l Guardrail>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    pub identifier: String,
    pub version: String,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// An answer, or the last piece of one that comes in pieces, as far as it says what it cost.
#[derive(Deserialize)]
pub(super) struct UsageReport {
    pub(super) usage: TokenUsage,
}

impl ConverseRequest<'_> {
    /// A few tokens there and one back. `requestMetadata` tells these calls apart in the account's logs of invocations.
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
