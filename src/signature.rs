//! Signs requests with AWS Signature Version 4: those to AWS, and those to a quota service behind AWS's API Gateway.
//!
//! It uses the SDK's signer, which the STS client needs anyway. The callers choose the request and its destination.

use std::time::UNIX_EPOCH;

use ::http::Request;
use aws_sdk_sts::config::Credentials as SdkCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
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
    let token = Some(session_token.expose().to_owned());
    SdkCredentials::new(access_key_id, secret_access_key.expose(), token, None, "bedrock-sso")
}
