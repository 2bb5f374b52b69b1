//! AWS credentials, and the JSON documents in which the AWS SDKs and Claude Code read them.
//!
//! The documents are contracts with other programs, so tests compare them byte for byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{secret::Secret, time::Timestamp};

/// Short-lived AWS credentials, as STS issues them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    pub expiration: Timestamp,
}

impl AwsCredentials {
    /// The document for `credential_process`, in one line. It always contains `Expiration`; without it an SDK would
    /// use the credentials for ever.
    pub fn process_document(&self) -> Secret {
        to_json_line(&self.wire_form(Some(1)))
    }

    /// The document for Claude Code's `awsCredentialExport`: the same fields inside `Credentials`, without a version.
    pub fn export_document(&self) -> Secret {
        to_json_line(&BTreeMap::from([("Credentials", self.wire_form(None))]))
    }

    fn wire_form(&self, version: Option<u8>) -> WireCredentials<'_> {
        let Self { access_key_id, secret_access_key, session_token, expiration } = self;
        WireCredentials {
            version,
            access_key_id,
            secret_access_key: secret_access_key.expose(),
            session_token: session_token.expose(),
            expiration: expiration.to_string(),
        }
    }
}

/// The fields that all documents share.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireCredentials<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u8>,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
}

/// Renders a document as one line of JSON. The result is a [`Secret`], because it contains the credentials.
pub fn to_json_line(shape: &impl Serialize) -> Secret {
    let mut text = serde_json::to_string(shape).expect("plain strings always serialise");
    text.push('\n');
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> AwsCredentials {
        AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalr/\"key"),
            session_token: Secret::new("token=="),
            expiration: Timestamp::from_unix(1_800_000_000),
        }
    }

    #[test]
    fn process_document_matches_the_sdk_contract() {
        assert_eq!(
            credentials().process_document().expose(),
            "{\"Version\":1,\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"wJalr/\\\"key\",\
             \"SessionToken\":\"token==\",\"Expiration\":\"2027-01-15T08:00:00Z\"}\n"
        );
    }
    #[test]
    fn export_document_matches_the_claude_code_contract() {
        assert_eq!(
            credentials().export_document().expose(),
            "{\"Credentials\":{\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"wJalr/\\\"key\",\
             \"SessionToken\":\"token==\",\"Expiration\":\"2027-01-15T08:00:00Z\"}}\n"
        );
    }
}
