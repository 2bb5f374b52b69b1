//! One signed request to Bedrock and its answer.
//!
//! It carries; which question it is, and what the answer says, is for its callers.

use ::http::{Method, Request, header};
use aws_sigv4::http_request::SigningSettings;

use super::{BedrockClient, BedrockError, error};
use crate::{aws::signature::BedrockSigner, http::FullResponse, url::SecureUrl};

/// Method and address.
pub(super) struct BedrockRequest(Method, String);

impl BedrockClient<'_> {
    /// Below whatever path a named endpoint has of its own. The segments are encoded: identifiers have colons, ARNs slashes.
    pub(super) fn build_request(
        &self,
        method: Method,
        service: &SecureUrl,
        path: &[&str],
        query: &str,
    ) -> BedrockRequest {
        let path: Vec<_> = path.iter().map(|segment| percent_encode(segment)).collect();
        let mut address = format!("{}/{}", service.as_str().trim_end_matches('/'), path.join("/"));
        if !query.is_empty() {
            address = format!("{address}?{query}");
        }
        BedrockRequest(method, address)
    }

    pub(super) async fn send_request(
        &self,
        question: BedrockRequest,
        body: Vec<u8>,
    ) -> Result<FullResponse, BedrockError> {
        let request = self.sign_request(question, body)?;
        let answer = self.client.send(request).await.map_err(BedrockError::Network)?;
        error::check_status(answer).map_err(|error| error.redact_token(self.credentials))
    }

    fn sign_request(
        &self,
        BedrockRequest(method, address): BedrockRequest,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, BedrockError> {
        let mut request = Request::builder().method(method).uri(&address);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|_| BedrockError::InvalidAddress(address))?;
        let signer = BedrockSigner { credentials: self.credentials, region: self.region, now: (self.now)() };
        Ok(signer.sign_request(request, SigningSettings::default()))
    }
}

/// For a segment of a path, and for a value in a query: all but what RFC 3986 leaves unreserved.
pub(super) fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
        encoded
    })
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

    /// Address and signature of a question.
    fn signed(ask: impl Fn(&BedrockClient<'_>) -> BedrockRequest, body: &str) -> (String, String) {
        let credentials = AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new("IQoJb3JpZ2luX2Vj//8+token=="),
            expiration: NOW.saturating_add(Duration::from_secs(3600)),
        };
        let (client, environment) = (test_client(&TrustConfig::default()), Environment::fixed([]));
        let bedrock =
            BedrockClient::new(&client, &build_profile(), "eu-west-1", &environment, &credentials, || NOW).unwrap();
        let request = bedrock.sign_request(ask(&bedrock), body.into()).unwrap();
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        (request.uri().to_string(), header)
    }

    /// The signatures are those that botocore's `SigV4Auth` makes of the same requests; the address of the first is the one
    /// it sends for that ARN.
    #[test]
    fn a_question_is_signed_as_botocore_signs_it_whatever_is_in_its_address() {
        let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/hq2of259skzs";
        let converse = |bedrock: &BedrockClient<'_>| {
            bedrock.build_request(Method::POST, &bedrock.runtime, &["model", arn, "converse"], "")
        };
        let (address, signature) = signed(converse, "{\"messages\":[]}");
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
            bedrock.build_request(Method::GET, &bedrock.control, &["inference-profiles"], &query)
        };
        let (_, signature) = signed(list, "");
        assert_eq!(
            signature,
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20270115/eu-west-1/bedrock/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token, \
             Signature=575edd527fa23cd6d41222902bab27a4712b295f7d9f61fa1d9d051b338ca2e5"
        );
    }
}
