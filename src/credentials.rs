//! AWS credentials and the document in which an SDK expects them.
//!
//! It knows the wire form and the moment of expiry, not where credentials come from.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{secret::Secret, time::Moment};

/// Short-lived credentials as STS hands them out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    pub expiration: Moment,
}

impl Credentials {
    /// The `credential_process` document: one line, version 1, always with an expiry.
    pub fn document(&self) -> Document {
        Document::of(&self.shape(Some(1)))
    }

    /// What Claude Code takes from an `awsCredentialExport`: the same without a version, one level deeper.
    pub fn export(&self) -> Document {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Export<'a> {
            credentials: Shape<'a>,
        }
        Document::of(&Export { credentials: self.shape(None) })
    }

    fn shape(&self, version: Option<u8>) -> Shape<'_> {
        let Self { access_key_id, secret_access_key, session_token, expiration } = self;
        Shape {
            version,
            access_key_id,
            secret_access_key: secret_access_key.expose(),
            session_token: session_token.expose(),
            expiration: expiration.to_string(),
        }
    }
}

/// The members that all readers know.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u8>,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
}

/// The printed form; as secret as what it holds.
pub struct Document(Secret);

impl Document {
    /// One line of JSON.
    pub fn of(shape: &impl Serialize) -> Self {
        let mut text = serde_json::to_string(shape).expect("plain strings always serialise");
        text.push('\n');
        Self(Secret::new(text))
    }

    /// Any other form that holds a secret.
    pub fn of_text(text: String) -> Self {
        Self(Secret::new(text))
    }

    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[document]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalr/\"key"),
            session_token: Secret::new("token=="),
            expiration: Moment::from_unix(1_800_000_000),
        }
    }

    #[test]
    fn the_document_is_what_sdks_parse() {
        assert_eq!(
            String::from_utf8_lossy(credentials().document().expose()),
            "{\"Version\":1,\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"wJalr/\\\"key\",\
             \"SessionToken\":\"token==\",\"Expiration\":\"2027-01-15T08:00:00Z\"}\n"
        );
    }
    #[test]
    fn the_export_is_what_claude_code_parses() {
        assert_eq!(
            String::from_utf8_lossy(credentials().export().expose()),
            "{\"Credentials\":{\"AccessKeyId\":\"ASIAEXAMPLE\",\"SecretAccessKey\":\"wJalr/\\\"key\",\
             \"SessionToken\":\"token==\",\"Expiration\":\"2027-01-15T08:00:00Z\"}}\n"
        );
    }
}
