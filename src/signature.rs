//! Signs requests with AWS Signature Version 4: those to AWS, and those to a quota service behind AWS's API Gateway.
//!
//! It uses the SDK's signer, which the STS client needs anyway. The callers choose the request and its destination.

use std::time::UNIX_EPOCH;

use ::http::Request;
use aws_sdk_sts::config::Credentials as SdkCredentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::identity::Identity;

use crate::{credentials::AwsCredentials, time::Timestamp};

/// Adds the signature to the headers. `service` is the name that AWS signs with, such as `bedrock` or `execute-api`.
///
/// The address must be the one that is sent. Its path is encoded once there, and a second time in the signed text, as
/// all services except S3 require.
pub fn sign_request<B: AsRef<[u8]>>(
    request: Request<B>,
    credentials: &AwsCredentials,
    service: &str,
    region: &str,
    now: Timestamp,
) -> Request<B> {
    sign_as(SigningSettings::default(), request, credentials, service, region, now)
}

/// Does the same for S3, which signs the path as it is sent, and requires the digest of the body in a header. The path
/// must encode all characters except those that RFC 3986 calls unreserved.
pub fn sign_s3_request<B: AsRef<[u8]>>(
    request: Request<B>,
    credentials: &AwsCredentials,
    region: &str,
    now: Timestamp,
) -> Request<B> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    sign_as(settings, request, credentials, "s3", region, now)
}

/// Does the same, with the signature where the settings say.
pub(crate) fn sign_as<B: AsRef<[u8]>>(
    settings: SigningSettings,
    mut request: Request<B>,
    credentials: &AwsCredentials,
    service: &str,
    region: &str,
    now: Timestamp,
) -> Request<B> {
    let identity: Identity = to_sdk_credentials(credentials).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + now.duration_since(Timestamp::from_unix(0)))
        .settings(settings)
        .build()
        .expect("every required part is set")
        .into();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let body = SignableBody::Bytes(request.body().as_ref());
    let address = request.uri().to_string();
    let signable =
        SignableRequest::new(request.method().as_str(), address, headers, body).expect("a parsed address is valid");
    let (instructions, _) = sign(signable, &params).expect("the credentials are complete").into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
}

/// Converts the credentials to the SDK's type. The expiry is left out: the SDK would try to refresh the credentials.
pub(crate) fn to_sdk_credentials(credentials: &AwsCredentials) -> SdkCredentials {
    let AwsCredentials { access_key_id, secret_access_key, session_token, expiration: _ } = credentials;
    // Long-lived keys have no token, and AWS rejects an empty one.
    let token = Some(session_token.expose().to_owned()).filter(|token| !token.is_empty());
    SdkCredentials::new(access_key_id, secret_access_key.expose(), token, None, "bedrock-sso")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// The credentials of AWS's examples.
    fn example(session_token: &str) -> AwsCredentials {
        AwsCredentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new(session_token),
            expiration: Timestamp::from_unix(i64::MAX),
        }
    }

    /// 2013-05-24T00:00:00Z, the time of AWS's examples.
    const EXAMPLE_TIME: Timestamp = Timestamp::from_unix(1_369_353_600);

    fn get(address: &str) -> Request<Vec<u8>> {
        Request::get(address).body(Vec::new()).unwrap()
    }

    #[test]
    fn s3_requests_are_signed_as_in_its_documentation() {
        // "Example: GET Object" of "Authenticating Requests: Using the Authorization Header".
        let request = Request::get("https://examplebucket.s3.amazonaws.com/test.txt").header("range", "bytes=0-9");
        let signed = sign_s3_request(request.body(Vec::new()).unwrap(), &example(""), "us-east-1", EXAMPLE_TIME);
        assert_eq!(
            signed.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn only_temporary_credentials_have_a_token() {
        let token_of = |credentials: &AwsCredentials| {
            let request = get("https://iam.amazonaws.com/");
            let signed = sign_request(request, credentials, "iam", "us-east-1", EXAMPLE_TIME);
            signed.headers().get("x-amz-security-token").map(|token| token.to_str().unwrap().to_owned())
        };
        assert_eq!(token_of(&example("")), None);
        assert_eq!(token_of(&example("token")).as_deref(), Some("token"));
    }
}
