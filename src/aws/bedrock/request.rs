//! Sends one signed request to Bedrock.
//!
//! Its callers choose the operation and interpret the answer.

use ::http::{Method, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::{BedrockClient, BedrockError, ConverseRequest, error};
use crate::{
    http::{self, FullResponse},
    signature::sign_request,
    url::SecureUrl,
};

/// Every character except the unreserved ones of RFC 3986 §2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl BedrockClient<'_> {
    /// Fetches a JSON document from the control plane.
    pub(super) async fn fetch_json<T: DeserializeOwned>(&self, path: &[&str], query: &str) -> Result<T, BedrockError> {
        let request = self.sign_request(Method::GET, &self.control, path, query, Vec::new())?;
        parse_answer(&self.send_request(request).await?)
    }

    /// Sends a test request to a model, with one of the runtime's operations.
    pub(super) async fn post_line(
        &self,
        line: &ConverseRequest<'_>,
        operation: &str,
    ) -> Result<FullResponse, BedrockError> {
        let path = ["model", line.model, operation];
        self.send_request(self.sign_request(Method::POST, &self.runtime, &path, "", line.request_body())?).await
    }

    /// Sends a request and checks the status. An error never quotes the session token.
    async fn send_request(&self, request: Request<Vec<u8>>) -> Result<FullResponse, BedrockError> {
        let answer = self.client.send(request).await.map_err(BedrockError::Network)?;
        error::check_status(answer).map_err(|error| error.redact_token(self.credentials))
    }

    /// Builds and signs a request. `path` is appended to the path of a configured endpoint. Its segments are encoded,
    /// because identifiers contain colons and ARNs slashes: an unencoded slash would address another operation.
    fn sign_request(
        &self,
        method: Method,
        service: &SecureUrl,
        path: &[&str],
        query: &str,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, BedrockError> {
        let path: Vec<_> = path.iter().map(|segment| percent_encode(segment).to_string()).collect();
        let mut address = format!("{}/{}", service.as_str().trim_end_matches('/'), path.join("/"));
        if !query.is_empty() {
            address = format!("{address}?{query}");
        }
        let mut request = Request::builder().method(method).uri(&address);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|_| BedrockError::InvalidAddress(address))?;
        Ok(sign_request(request, self.credentials, "bedrock", self.region, (self.now)()))
    }
}

pub(super) fn parse_answer<T: DeserializeOwned>(answer: &FullResponse) -> Result<T, BedrockError> {
    http::parse_json_object(&answer.body).ok_or_else(|| BedrockError::from_unexpected_answer(answer))
}

/// Encodes a path segment or a query value.
pub(super) fn percent_encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::{bedrock::catalog, testing::build_profile},
        credentials::AwsCredentials,
        host::Environment,
        http::{TrustConfig, testing::test_client},
        secret::Secret,
        time::Timestamp,
    };

    /// 2027-01-15T08:00:00Z
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    /// Address and signature of a request.
    fn signed(ask: impl Fn(&BedrockClient<'_>) -> Result<Request<Vec<u8>>, BedrockError>) -> (String, String) {
        let credentials = AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new("IQoJb3JpZ2luX2Vj//8+token=="),
            expiration: NOW.saturating_add(Duration::from_secs(3600)),
        };
        let (client, environment) = (test_client(&TrustConfig::default()), Environment::fixed([]));
        let bedrock =
            BedrockClient::new(&client, &build_profile(), "eu-west-1", &environment, &credentials, || NOW).unwrap();
        let request = ask(&bedrock).unwrap();
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        (request.uri().to_string(), header)
    }

    /// botocore's `SigV4Auth` computes the same signatures for these requests, and sends the same address for that ARN.
    #[test]
    fn bedrock_signatures_match_botocores() {
        let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/hq2of259skzs";
        let converse = |bedrock: &BedrockClient<'_>| {
            let path = ["model", arn, "converse"];
            bedrock.sign_request(Method::POST, &bedrock.runtime, &path, "", b"{\"messages\":[]}".to_vec())
        };
        let (address, signature) = signed(converse);
        assert_eq!(
            address,
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3A\
             application-inference-profile%2Fhq2of259skzs/converse"
        );
        assert_eq!(
            signature,
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20270115/eu-west-1/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=7a44ae0ee004f8106ca6800c4dde8432d5eb4510b70221f4f7e6fdc5435af102"
        );
        let query = format!("{}&nextToken={}", catalog::PROFILES_QUERY, percent_encode("page+2="));
        let list = |bedrock: &BedrockClient<'_>| {
            bedrock.sign_request(Method::GET, &bedrock.control, &["inference-profiles"], &query, Vec::new())
        };
        let (_, signature) = signed(list);
        assert_eq!(
            signature,
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20270115/eu-west-1/bedrock/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, \
             Signature=575edd527fa23cd6d41222902bab27a4712b295f7d9f61fa1d9d051b338ca2e5"
        );
    }
}
