//! A scripted STS on loopback, which answers in AWS's XML.

use std::{io::Write, time::Duration};

use openidconnect::url::form_urlencoded;

use super::Aws;
use crate::{
    config::{self, Profile, RoleArn},
    credentials::AwsCredentials,
    host::Environment,
    http::{
        TrustConfig,
        testing::{LoopbackServer, test_client, write_response},
    },
    identity::testing::build_token_with,
    oidc::VerifiedToken,
    secret::Secret,
    time::Timestamp,
};

pub(super) const ACCOUNT: &str = "123456789012";

/// 2030-01-01, midnight: twelve hours before the credentials below expire.
pub(super) const NOW: Timestamp = Timestamp::from_unix(1_893_456_000);

/// Status, content type and body.
pub(super) type ScriptedAnswer = (&'static str, &'static str, String);

pub(super) struct TestSts(LoopbackServer);

/// A request as it arrived.
pub(super) struct ReceivedRequest {
    pub(super) head: String,
    body: String,
}

impl TestSts {
    pub(super) fn answering(mut answer: impl FnMut(&ReceivedRequest) -> ScriptedAnswer + Send + 'static) -> Self {
        Self::writing(move |asked, out| {
            let (status, kind, body) = answer(asked);
            write_response(out, status, &format!("Content-Type: {kind}\r\nx-amzn-RequestId: 0f3a\r\n"), &body);
        })
    }

    pub(super) fn writing(mut write: impl FnMut(&ReceivedRequest, &mut dyn Write) + Send + 'static) -> Self {
        Self(LoopbackServer::start_plain(move |request, out| write(&ReceivedRequest::parse(request), out)))
    }

    /// The requests since the last call.
    pub(super) fn take_requests(&self) -> Vec<ReceivedRequest> {
        self.0.requests.try_iter().map(|request| ReceivedRequest::parse(&request)).collect()
    }
}

impl ReceivedRequest {
    fn parse(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn form_value(&self, name: &str) -> String {
        let pair = form_urlencoded::parse(self.body.as_bytes()).find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

/// Returns an `Aws` that uses this STS, with a backoff of one millisecond.
pub(super) fn build_aws(sts: &TestSts) -> Aws {
    let url = sts.0.base_url("http");
    let environment = Environment::fixed([("AWS_ENDPOINT_URL_STS", url.as_str())]);
    let mut aws = Aws::new(&test_client(&TrustConfig::default()), &build_profile(), &environment, || NOW).unwrap();
    aws.sts.first_pause = Duration::from_millis(1);
    aws
}

pub(super) fn build_session_answer() -> ScriptedAnswer {
    let body = format!(
        r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>subject</SubjectFromWebIdentityToken>
    <Audience>client</Audience>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/BedrockUser/jane@example.com</Arn>
      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:jane@example.com</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <SessionToken>session-token</SessionToken>
      <SecretAccessKey>secret</SecretAccessKey>
      <Expiration>2030-01-01T12:00:00Z</Expiration>
      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
    </Credentials>
    <Provider>arn:aws:iam::{ACCOUNT}:oidc-provider/login.example.com</Provider>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>0f3a</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>"#
    );
    ("200 OK", "text/xml", body)
}

pub(super) fn build_refusal(status: &'static str, code: &str, message: &str) -> ScriptedAnswer {
    let body = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>0f3a</RequestId>
</ErrorResponse>"#
    );
    (status, "text/xml", body)
}

/// The credentials in [`build_session_answer`].
pub(super) fn build_credentials() -> AwsCredentials {
    AwsCredentials {
        access_key_id: "ASIAEXAMPLE".into(),
        secret_access_key: Secret::new("secret"),
        session_token: Secret::new("session-token"),
        expiration: NOW.saturating_add(Duration::from_hours(12)),
    }
}

pub(super) fn build_token() -> VerifiedToken {
    let until = NOW.unix_seconds() + 3600;
    build_token_with(&serde_json::json!({ "email": "jane@example.com", "exp": until }))
}

pub(super) fn build_profile() -> Profile {
    Profile { region: "eu-west-1".into(), ..config::testing::profile() }
}

/// The role of [`build_profile`].
pub(super) fn build_role() -> RoleArn {
    build_profile().final_role().unwrap().clone()
}
