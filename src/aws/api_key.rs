//! A short-term Amazon Bedrock API key: a request that proves who asks, signed ahead and written as one word.
//!
//! It is made here alone, without a word to AWS; Bedrock checks it with each call.

use std::time::Duration;

use aws_sigv4::http_request::{SignatureLocation, SigningSettings};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::signature::sign_bedrock_request;
use crate::{credentials::AwsCredentials, secret::Secret, time::Timestamp};

/// What Bedrock knows such a key by.
const PREFIX: &str = "bedrock-api-key-";

/// Whose words these are is AWS's business: every region and partition takes this one host.
const REQUEST_URL: &str = "https://bedrock.amazonaws.com/?Action=CallWithBearerToken";

/// The longest that Bedrock believes one.
const MAX_KEY_LIFE: Duration = Duration::from_hours(12);

/// Good for as long as the credentials are. A key is for one region.
pub fn create_api_key(credentials: &AwsCredentials, region: &str, now: Timestamp) -> Secret {
    let life = credentials.expiration.duration_since(now).clamp(Duration::from_secs(1), MAX_KEY_LIFE);
    let signed = sign_request_url(credentials, region, now, life);
    let address = signed.trim_start_matches("https://");
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(format!("{address}&Version=1"))))
}

/// The request's address, with the signature in its query.
fn sign_request_url(credentials: &AwsCredentials, region: &str, now: Timestamp, life: Duration) -> String {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(life);
    let request = http::Request::post(REQUEST_URL).body([]).expect("a plain address");
    sign_bedrock_request(request, settings, credentials, region, now).uri().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use openidconnect::url::Url;

    use super::*;

    /// 2027-01-15T08:00:00Z
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn parameters(life: u64) -> BTreeMap<String, String> {
        let credentials = AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new("IQoJb3JpZ2luX2Vj//8+token=="),
            expiration: NOW.saturating_add(Duration::from_secs(life)),
        };
        let key = create_api_key(&credentials, "eu-west-1", NOW);
        let request = STANDARD.decode(key.expose().strip_prefix(PREFIX).unwrap()).unwrap();
        let address = format!("https://{}", String::from_utf8(request).unwrap());
        Url::parse(&address).unwrap().query_pairs().into_owned().collect()
    }

    /// The signature is the one that botocore's `SigV4QueryAuth` makes of the same request.
    #[test]
    fn the_key_is_what_botocore_signs() {
        let found: Vec<_> = parameters(3600).into_iter().collect();
        let expected = [
            ("Action", "CallWithBearerToken"),
            ("Version", "1"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", "ASIAEXAMPLE/20270115/eu-west-1/bedrock/aws4_request"),
            ("X-Amz-Date", "20270115T080000Z"),
            ("X-Amz-Expires", "3600"),
            ("X-Amz-Security-Token", "IQoJb3JpZ2luX2Vj//8+token=="),
            ("X-Amz-Signature", "772728bf036a728488e83c9faa6ade3115f59b7519d94d3f28ef6b058bd6d537"),
            ("X-Amz-SignedHeaders", "host"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_key_lives_no_longer_than_the_credentials_and_than_twelve_hours() {
        let expires = |life| parameters(life)["X-Amz-Expires"].clone();
        assert_eq!([expires(900), expires(43_200), expires(90_000)], ["900", "43200", "43200"]);
    }
}
