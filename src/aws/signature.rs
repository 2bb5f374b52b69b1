//! AWS Signature Version 4, for the requests that are made by hand: by the SDK's own signer, which is in the tree anyway.
//!
//! It signs what it is given; what is asked, and where, is its callers' business.

use std::time::UNIX_EPOCH;

use ::http::Request;
use aws_sdk_sts::config::Credentials as SdkCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::identity::Identity;

use crate::{credentials::AwsCredentials, time::Timestamp};

/// The name under which all of Bedrock's services are signed for.
const SERVICE: &str = "bedrock";

/// The request with its signature, in the headers or in the query as the settings have it. Its address is the one that
/// is sent: its path is encoded once there, and once more in what is signed, as all services but S3 want it.
pub(super) fn sign_bedrock_request<B: AsRef<[u8]>>(
    mut request: Request<B>,
    settings: SigningSettings,
    credentials: &AwsCredentials,
    region: &str,
    now: Timestamp,
) -> Request<B> {
    let identity: Identity = to_sdk_credentials(credentials).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(UNIX_EPOCH + now.duration_since(Timestamp::from_unix(0)))
        .settings(settings)
        .build()
        .expect("each part of it is given")
        .into();
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let body = SignableBody::Bytes(request.body().as_ref());
    let address = request.uri().to_string();
    let signable =
        SignableRequest::new(request.method().as_str(), address, headers, body).expect("an address that was parsed");
    let (instructions, _) = sign(signable, &params).expect("credentials as the signature needs them").into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
}

/// The credentials in the SDK's own type.
pub(super) fn to_sdk_credentials(credentials: &AwsCredentials) -> SdkCredentials {
    let AwsCredentials { access_key_id, secret_access_key, session_token, expiration: _ } = credentials;
    let token = Some(session_token.expose().to_owned());
    SdkCredentials::new(access_key_id, secret_access_key.expose(), token, None, "bedrock-sso")
}
