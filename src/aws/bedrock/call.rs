//! One signed request to Bedrock and its answer.
//!
//! It carries; which question it is, and what the answer says, is for its callers.

use ::http::{Method, Request, header};
use aws_sigv4::http_request::SigningSettings;

use super::{Bedrock, BedrockError, error};
use crate::{aws::signature::Signer, http::Answer, url::SecureUrl};

/// Method and address.
pub(super) struct Question(Method, String);

impl Bedrock<'_> {
    /// Below whatever path a named endpoint has of its own. The segments are encoded: identifiers have colons, ARNs slashes.
    pub(super) fn question(
        &self,
        method: Method,
        service: &SecureUrl,
        path: &[&str],
        query: &str,
    ) -> Question {
        let path: Vec<_> = path.iter().map(|segment| encoded(segment)).collect();
        let mut address = format!("{}/{}", service.as_str().trim_end_matches('/'), path.join("/"));
        if !query.is_empty() {
            address = format!("{address}?{query}");
        }
        Question(method, address)
    }

    pub(super) async fn asked(
        &self,
        Question(method, address): Question,
        body: Vec<u8>,
    ) -> Result<Answer, BedrockError> {
        let mut request = Request::builder().method(method).uri(&address);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|_| BedrockError::Unaskable(address))?;
        let signer = Signer { credentials: self.credentials, region: self.region, now: (self.now)() };
        let request = signer.signed(request, SigningSettings::default());
        let answer = self.client.send(request).await.map_err(BedrockError::Network)?;
        error::if_refused(answer).map_err(|error| error.without(self.credentials))
    }
}

/// For a segment of a path, and for a value in a query: all but what RFC 3986 leaves unreserved.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
        encoded
    })
}
