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

    pub(super) async fn asked(&self, question: Question, body: Vec<u8>) -> Result<Answer, BedrockError> {
        let request = self.signed(question, body)?;
        let answer = self.client.send(request).await.map_err(BedrockError::Network)?;
        error::if_refused(answer).map_err(|error| error.without(self.credentials))
    }

    fn signed(
        &self,
        Question(method, address): Question,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, BedrockError> {
        let mut request = Request::builder().method(method).uri(&address);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(body).map_err(|_| BedrockError::Unaskable(address))?;
        let signer = Signer { credentials: self.credentials, region: self.region, now: (self.now)() };
        Ok(signer.signed(request, SigningSettings::default()))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        aws::{bedrock::lists, testing::profile},
        credentials::Credentials,
        host::Environment,
        http::{Trust, testing::client},
        secret::Secret,
        time::Moment,
    };

    /// 2027-01-15T08:00:00Z
    const NOW: Moment = Moment::from_unix(1_800_000_000);

    /// Address and signature of a question.
    fn signed(ask: impl Fn(&Bedrock<'_>) -> Question, body: &str) -> (String, String) {
        let credentials = Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new("IQoJb3JpZ2luX2Vj//8+token=="),
            expiration: NOW.plus(Duration::from_secs(3600)),
        };
        let (client, environment) = (client(&Trust::default()), Environment::fixed([]));
        let bedrock =
            Bedrock::new(&client, &profile(), "eu-west-1", &environment, &credentials, || NOW).unwrap();
        let request = bedrock.signed(ask(&bedrock), body.into()).unwrap();
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        (request.uri().to_string(), header)
    }

    /// The signatures are those that botocore's `SigV4Auth` makes of the same requests; the address of the first is the one
    /// it sends for that ARN.
    #[test]
    fn a_question_is_signed_as_botocore_signs_it_whatever_is_in_its_address() {
        let arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/hq2of259skzs";
        let converse = |bedrock: &Bedrock<'_>| {
            bedrock.question(Method::POST, &bedrock.runtime, &["model", arn, "converse"], "")
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
        let query = format!("{}&nextToken={}", lists::PROFILES, encoded("page+2="));
        let list = |bedrock: &Bedrock<'_>| {
            bedrock.question(Method::GET, &bedrock.control, &["inference-profiles"], &query)
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
