//! An STS of a few lines on loopback: answers by script, in the XML that AWS writes.

use std::{io::Write, time::Duration};

use openidconnect::url::form_urlencoded;

use super::Aws;
use crate::{
    config::{self, Profile, RoleArn},
    credentials::Credentials,
    host::Environment,
    http::{
        Trust,
        testing::{Server, client, respond},
    },
    identity::testing::token_with,
    oidc::VerifiedToken,
    secret::Secret,
    time::Moment,
};

pub(super) const ACCOUNT: &str = "123456789012";

/// 2030-01-01, midnight: half a day before the credentials below end.
pub(super) const NOW: Moment = Moment::from_unix(1_893_456_000);

/// Status, content type and body.
pub(super) type Answer = (&'static str, &'static str, String);

pub(super) struct Sts(Server);

/// A request as it arrived.
pub(super) struct Asked {
    pub(super) head: String,
    body: String,
}

impl Sts {
    pub(super) fn answering(mut answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        Self::writing(move |asked, out| {
            let (status, kind, body) = answer(asked);
            respond(out, status, &format!("Content-Type: {kind}\r\nx-amzn-RequestId: 0f3a\r\n"), &body);
        })
    }

    pub(super) fn writing(mut write: impl FnMut(&Asked, &mut dyn Write) + Send + 'static) -> Self {
        Self(Server::plain(move |request, out| write(&Asked::of(request), out)))
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.0.requests.try_iter().map(|request| Asked::of(&request)).collect()
    }
}

impl Asked {
    fn of(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        Self { head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn form(&self, name: &str) -> String {
        let pair = form_urlencoded::parse(self.body.as_bytes()).find(|(key, _)| key == name);
        pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }
}

/// Speaks to this STS, without pauses worth the name.
pub(super) fn aws(sts: &Sts) -> Aws {
    let url = sts.0.url("http");
    let environment = Environment::fixed([("AWS_ENDPOINT_URL_STS", url.as_str())]);
    let mut aws = Aws::new(&client(&Trust::default()), &profile(), &environment, || NOW).unwrap();
    aws.reach.pause = Duration::from_millis(1);
    aws
}

pub(super) fn session() -> Answer {
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

pub(super) fn refusal(status: &'static str, code: &str, message: &str) -> Answer {
    let body = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>0f3a</RequestId>
</ErrorResponse>"#
    );
    (status, "text/xml", body)
}

/// What [`session`] hands out.
pub(super) fn credentials() -> Credentials {
    Credentials {
        access_key_id: "ASIAEXAMPLE".into(),
        secret_access_key: Secret::new("secret"),
        session_token: Secret::new("session-token"),
        expiration: NOW.plus(Duration::from_hours(12)),
    }
}

pub(super) fn token() -> VerifiedToken {
    let until = NOW.unix() + 3600;
    token_with(&serde_json::json!({ "email": "jane@example.com", "exp": until }))
}

pub(super) fn profile() -> Profile {
    Profile { region: "eu-west-1".into(), ..config::testing::profile() }
}

/// The one of [`profile`].
pub(super) fn role() -> RoleArn {
    profile().role().unwrap().clone()
}
