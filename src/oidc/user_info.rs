//! UserInfo (OIDC Core §5.3): claims about the user that the provider leaves out of the ID token.
//!
//! The claims are as trustworthy as the connection: the provider does not sign them, and AWS does not see them. They
//! name sessions and telemetry. They decide nothing.

use std::{collections::BTreeMap, time::Duration};

use ::http::{HeaderValue, Request, header};

use super::{
    claims::Claims,
    error::{Error, ProviderEndpoint, ResponseSource},
    response::{check_status, parse_body},
};
use crate::{
    http::{self, Client},
    secret::Secret,
    trait_impls::impl_from,
    url::SecureUrl,
};

/// The user waits for the answer, and a name is not worth a long wait.
const USER_INFO_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest text of a claim that is used. The result is stored with the sign-in.
const MAX_CLAIM_BYTES: usize = 1024;

/// Why the provider's UserInfo cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserInfoFault {
    Request(Error),
    /// The answer is a signed or encrypted token (`application/jwt`, OIDC Core §5.3.2), which this program does not
    /// read.
    Signed,
    /// `sub` is missing, or is another user than the one of the ID token. The answer must not be used then (OIDC Core
    /// §5.3.4): an access token that was exchanged for another one would name another user.
    OtherSubject,
    /// The access token contains a character that a header cannot have.
    UnusableAccessToken,
}

impl_from!(UserInfoFault: Request(Error));

impl From<http::Error> for UserInfoFault {
    fn from(error: http::Error) -> Self {
        Self::Request(error.into())
    }
}

/// Fetches the claims of the user with this subject, and returns those of `wanted` that are text. Fails if the answer
/// is about another user.
pub async fn fetch_user_info(
    client: &Client,
    endpoint: &SecureUrl,
    access_token: &Secret,
    subject: &str,
    wanted: impl IntoIterator<Item = &str>,
) -> Result<BTreeMap<String, String>, UserInfoFault> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", access_token.expose()))
        .map_err(|_| UserInfoFault::UnusableAccessToken)?;
    bearer.set_sensitive(true);
    let request = Request::get(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, bearer)
        .body(Vec::new())
        .expect("a parsed address forms a valid request");
    let answer = client.with_total_timeout(USER_INFO_TIMEOUT).send(request).await?;
    let source = ResponseSource { endpoint: ProviderEndpoint::UserInfo, host: endpoint.authority().to_owned() };
    check_status(&source, &answer)?;
    let kind = answer.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if kind.trim_ascii_start().to_ascii_lowercase().starts_with(b"application/jwt") {
        return Err(UserInfoFault::Signed);
    }
    let claims: Claims = parse_body(source, &answer.body)?;
    if claims.require_text("sub").ok() != Some(subject) {
        return Err(UserInfoFault::OtherSubject);
    }
    let text = |name: &str| claims.value(name)?.as_str().filter(|text| text.len() <= MAX_CLAIM_BYTES);
    Ok(wanted.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?.to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client},
        },
        oidc::testing::{server_authority, server_base_url, start_provider},
    };

    const JSON: &str = "Content-Type: application/json\r\n";

    fn fetched(server: &LoopbackServer) -> Result<BTreeMap<String, String>, UserInfoFault> {
        let endpoint = SecureUrl::parse(&format!("{}/userinfo", server_base_url(server))).unwrap();
        let client = test_client(&TrustConfig::default());
        block_on(fetch_user_info(&client, &endpoint, &Secret::new("at"), "jane", ["email", "team"]))
    }

    #[test]
    fn wanted_text_claims_of_the_user_are_returned() {
        let body = r#"{"sub":"jane","email":"jane@example.com","team":["a"],"name":"Jane"}"#;
        let server = start_provider("200 OK", JSON, body);
        assert_eq!(fetched(&server), Ok([("email".to_owned(), "jane@example.com".to_owned())].into()));
        let request = server.requests.recv().unwrap().to_lowercase();
        assert!(request.starts_with("get /userinfo http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nauthorization: bearer at\r\n"), "{request}");
    }

    #[test]
    fn answer_about_another_user_is_rejected() {
        for body in [
            r#"{"sub":"john","email":"jane@example.com"}"#,
            r#"{"email":"jane@example.com"}"#,
            r#"{"sub":["jane"],"email":"jane@example.com"}"#,
            r#"{"sub":"JANE","email":"jane@example.com"}"#,
        ] {
            assert_eq!(fetched(&start_provider("200 OK", JSON, body)), Err(UserInfoFault::OtherSubject), "{body}");
        }
    }

    #[test]
    fn answer_with_a_repeated_claim_is_rejected() {
        let server = start_provider("200 OK", JSON, r#"{"sub":"john","sub":"jane"}"#);
        assert!(matches!(fetched(&server), Err(UserInfoFault::Request(Error::Malformed { .. }))));
    }

    #[test]
    fn signed_answer_is_recognised() {
        let server = start_provider("200 OK", "Content-Type: Application/JWT; charset=utf-8\r\n", "a.b.c");
        assert_eq!(fetched(&server), Err(UserInfoFault::Signed));
    }

    #[test]
    fn refusal_redirect_and_page_are_faults() {
        let source = |server: &LoopbackServer| ResponseSource {
            endpoint: ProviderEndpoint::UserInfo,
            host: server_authority(server),
        };
        let server = start_provider("401 Unauthorized", JSON, r#"{"error":"invalid_token"}"#);
        let status = ::http::StatusCode::UNAUTHORIZED;
        let refused = Error::UnexpectedStatus { source: source(&server), status };
        assert_eq!(fetched(&server), Err(refused.into()));
        let server = start_provider("302 Found", "Location: https://other.example/\r\n", "");
        assert!(matches!(fetched(&server), Err(UserInfoFault::Request(Error::Redirected { .. }))));
        let server = start_provider("200 OK", "", "<html>");
        assert_eq!(fetched(&server), Err(Error::NotJson { source: source(&server) }.into()));
    }

    #[test]
    fn overlong_claim_is_dropped() {
        let body = format!(r#"{{"sub":"jane","email":"{}","team":"a"}}"#, "e".repeat(MAX_CLAIM_BYTES + 1));
        assert_eq!(fetched(&start_provider("200 OK", JSON, &body)), Ok([("team".to_owned(), "a".to_owned())].into()));
    }
}
