//! A scripted Identity Center on loopback. Both services answer at one address, below different paths.

use std::time::Duration;

use super::{ClientRegistration, IdentityCenterClient};
use crate::{
    aws::testing::NOW,
    config::IdentityCenterEndpoints,
    http::{
        TrustConfig,
        testing::{LoopbackServer, test_client, write_response},
    },
    secret::Secret,
    url::SecureUrl,
};

pub(super) const START_URL: &str = "https://acme.awsapps.com/start";
pub(super) const REDIRECT_URI: &str = "http://127.0.0.1/oauth/callback";

/// Status, headers and body.
pub(super) type PortalAnswer = (&'static str, &'static str, String);

pub(super) struct TestIdentityCenter(LoopbackServer);

impl TestIdentityCenter {
    /// Starts a server that gives these answers one after the other, the last one for ever.
    pub(super) fn answering(answers: Vec<PortalAnswer>) -> Self {
        let mut count = 0;
        Self(LoopbackServer::start_plain(move |_, out| {
            let (status, headers, body) = &answers[count.min(answers.len() - 1)];
            count += 1;
            write_response(out, status, headers, body);
        }))
    }

    /// Starts a server with one JSON answer of status 200.
    pub(super) fn granting(body: &str) -> Self {
        Self::answering(vec![grant(body)])
    }

    pub(super) fn client(&self) -> IdentityCenterClient {
        let endpoint = |path: &str| SecureUrl::parse(&format!("{}{path}", self.0.base_url("http"))).unwrap();
        let endpoints = IdentityCenterEndpoints { sign_in: endpoint("oidc/"), portal: endpoint("portal") };
        let client = IdentityCenterClient::new(&test_client(&TrustConfig::default()), endpoints);
        IdentityCenterClient { first_pause: Duration::from_millis(1), ..client }
    }

    /// The requests since the last call, with `HOST` in place of the server's address and `VERSION` in place of the
    /// program's.
    pub(super) fn take_requests(&self) -> Vec<String> {
        let host = format!("localhost:{}", self.0.address.port());
        let agent = concat!("bedrock-sso/", env!("CARGO_PKG_VERSION"));
        self.0
            .requests
            .try_iter()
            .map(|request| request.replace(&host, "HOST").replace(agent, "bedrock-sso/VERSION"))
            .collect()
    }

    /// Checks that exactly one request has arrived since the last call, byte for byte.
    #[track_caller]
    pub(super) fn assert_request(&self, expected: &str) {
        assert_eq!(self.take_requests(), [expected]);
    }
}

/// A JSON answer of status 200.
pub(super) fn grant(body: &str) -> PortalAnswer {
    ("200 OK", "Content-Type: application/json\r\n", body.to_owned())
}

/// The bytes of a JSON request to the sign-in service.
pub(super) fn sign_in_request(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /oidc{path} HTTP/1.1\r\naccept: application/json\r\ncontent-type: application/json\r\n\
         user-agent: bedrock-sso/VERSION\r\nhost: HOST\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The bytes of a read of the access portal.
pub(super) fn portal_request(path: &str) -> String {
    format!(
        "GET /portal{path} HTTP/1.1\r\naccept: application/json\r\nx-amz-sso_bearer_token: portal-token\r\n\
         user-agent: bedrock-sso/VERSION\r\nhost: HOST\r\n\r\n"
    )
}

pub(super) fn access_token() -> Secret {
    Secret::new("portal-token")
}

pub(super) fn build_registration() -> ClientRegistration {
    ClientRegistration {
        client_id: "client".into(),
        client_secret: Secret::new("client-secret"),
        expires_at: NOW.saturating_add(Duration::from_hours(2160)),
        redirect_uri: Some(REDIRECT_URI.into()),
    }
}
