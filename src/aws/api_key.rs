//! Creates short-term Amazon Bedrock API keys: a presigned request, encoded as one text.
//!
//! Creating a key needs no request to AWS. Bedrock verifies the signature with each call, so a key has the rights of
//! the credentials and ends with them at the latest.

use std::time::Duration;

use aws_sigv4::http_request::{SignatureLocation, SigningSettings};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{credentials::AwsCredentials, secret::Secret, signature::sign_as, time::Timestamp};

/// The prefix by which Bedrock recognises a short-term key.
const PREFIX: &str = "bedrock-api-key-";

/// The presigned request. Every region and partition expects this host. The signature names the region.
const REQUEST_URL: &str = "https://bedrock.amazonaws.com/?Action=CallWithBearerToken";

/// The longest lifetime that Bedrock accepts.
const MAX_KEY_LIFE: Duration = Duration::from_hours(12);

/// Creates a key for one region, which is valid as long as the credentials, and at most twelve hours.
pub fn create_api_key(credentials: &AwsCredentials, region: &str, now: Timestamp) -> Secret {
    let life = credentials.expiration.duration_since(now).clamp(Duration::from_secs(1), MAX_KEY_LIFE);
    let signed = sign_request_url(credentials, region, now, life);
    let address = signed.trim_start_matches("https://");
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(format!("{address}&Version=1"))))
}

/// Signs the request and returns its address, which contains the signature.
fn sign_request_url(credentials: &AwsCredentials, region: &str, now: Timestamp, life: Duration) -> String {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(life);
    let request = http::Request::post(REQUEST_URL).body([]).expect("a plain address");
    sign_as(settings, request, credentials, "bedrock", region, now).uri().to_string()
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

    /// botocore's `SigV4QueryAuth` computes the same signature for this request.
    #[test]
    fn api_key_matches_botocores_signature() {
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
    fn api_key_ends_with_the_credentials_or_after_12_hours() {
        let expires = |life| parameters(life)["X-Amz-Expires"].clone();
        assert_eq!([expires(900), expires(43_200), expires(90_000)], ["900", "43200", "43200"]);
    }
}
