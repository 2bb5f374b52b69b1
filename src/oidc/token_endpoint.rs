//! The token endpoint: exchanges a code or a refresh token for tokens (RFC 6749 §4.1.3 and §6).
//!
//! It separates the provider's refusal from every other failure, because only a refusal may cost the user a refresh
//! token. The returned tokens are still unverified.
//!
//! The exchange of the `openidconnect` crate is unsuitable: it fails on an `expires_in` in quotes, it decodes the ID
//! token before verification, and it merges the refusal with other errors.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    AuthorizationRequest, ProviderMetadata, UnverifiedToken,
    error::{Error, ProviderEndpoint, ResponseSource},
    form::{ProviderForm, ProviderSession},
    provider::is_origin_required,
    response::parse_body,
};
use crate::{http::FullResponse, log, secret::Secret, time::Timestamp};

/// The tokens of one response. The ID token is unverified: pass it to `verify_token` before any use.
#[derive(Debug)]
pub struct TokenResponse {
    /// Providers may omit it from the answer to a refresh (OIDC Core §12.2).
    pub id_token: Option<UnverifiedToken>,
    /// Used only for the `at_hash` check and, if the profile names a claim of it, to fetch UserInfo. A response without
    /// it is still accepted, because it may contain a rotated refresh token, and losing that would end the session.
    pub access_token: Option<Secret>,
    /// `None` after a refresh means that the old refresh token stays valid (RFC 6749 §6).
    pub refresh_token: Option<Secret>,
    /// The provider's clock, for [`super::ExpectedClaims::server_date`].
    pub server_date: Option<Timestamp>,
}

impl ProviderSession<'_> {
    /// Exchanges the code that the callback received for `request`. Fails if the response lacks an ID token.
    ///
    /// It sends the PKCE verifier (RFC 7636 §4.5) and the same redirect URI as the request (RFC 6749 §4.1.3), so that
    /// the provider refuses a code that another request obtained.
    pub async fn exchange_code(
        &self,
        request: &AuthorizationRequest,
        code: &Secret,
    ) -> Result<(UnverifiedToken, TokenResponse), Error> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &request.redirect_uri),
            ("code_verifier", request.code_verifier.expose()),
        ];
        self.request_tokens(&fields, &[code, &request.code_verifier]).await?.require_id_token(self.metadata)
    }

    /// Refreshes the tokens. Callers delete the refresh token only after [`Error::is_invalid_grant`], and store a
    /// rotated one before anything else can fail: providers revoke the whole session when an old token is used again
    /// (RFC 9700 §4.14.2).
    pub async fn refresh_tokens(&self, refresh_token: &Secret) -> Result<TokenResponse, Error> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        self.request_tokens(&fields, &[refresh_token]).await
    }

    /// Posts to the token endpoint. If the provider requires an `Origin` header, it sends the request once more with
    /// one. `secrets` lists the values of `fields` that an error may not quote.
    pub(super) async fn request_tokens(
        &self,
        fields: &[(&str, &str)],
        secrets: &[&Secret],
    ) -> Result<TokenResponse, Error> {
        let send = async |origin| {
            let endpoint = self.metadata.auth_endpoint(ProviderEndpoint::Token, &self.metadata.token_endpoint);
            let form = ProviderForm { endpoint, fields, secrets, origin };
            parse_token_response(form.endpoint.response_source(), self.post(&form).await?)
        };
        let first = match send(None).await {
            Err(refusal) => refusal,
            granted => return granted,
        };
        let retry = self.application.settings.provider.spec().origin_retry.as_ref();
        let Some(origin) = retry.filter(|retry| is_origin_required(retry, &first)) else {
            return Err(first);
        };
        log::info("oidc", format_args!("the provider requires an Origin header: sending the request again with one"));
        let again = send(Some(origin.value)).await;
        // The first attempt may have spent the code. Its refusal then names the cause, and `invalid_grant` would hide
        // it.
        let is_code = fields.contains(&("grant_type", "authorization_code"));
        again.map_err(|second| if is_code && second.is_invalid_grant() { first } else { second })
    }
}

impl TokenResponse {
    /// Takes the ID token out of the response. A sign-in without one failed (OIDC Core §3.1.3.3 requires it).
    pub(super) fn require_id_token(mut self, metadata: &ProviderMetadata) -> Result<(UnverifiedToken, Self), Error> {
        let Some(id_token) = self.id_token.take() else {
            let host = metadata.token_endpoint.authority().to_owned();
            let source = ResponseSource { endpoint: ProviderEndpoint::Token, host };
            return Err(Error::MissingMember { source, member: "id_token" });
        };
        Ok((id_token, self))
    }
}

/// The members that this program uses. It ignores `expires_in`, because the ID token's `exp` is signed and exact.
#[derive(Deserialize)]
struct TokenResponseBody {
    access_token: Option<Secret>,
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
}

fn parse_token_response(source: ResponseSource, answer: FullResponse) -> Result<TokenResponse, Error> {
    let server_date = answer.server_date();
    let TokenResponseBody { access_token, id_token, refresh_token } =
        parse_body(source.clone(), &Zeroizing::new(answer.body))?;
    // An empty token counts as absent.
    let [access_token, id_token, refresh_token] = [access_token, id_token, refresh_token]
        .map(|token: Option<Secret>| token.filter(|token| !token.expose().is_empty()));
    if [&access_token, &id_token, &refresh_token] == [&None; 3] {
        return Err(Error::MissingMember { source, member: "access_token" });
    }
    Ok(TokenResponse { id_token: id_token.map(UnverifiedToken::new), access_token, refresh_token, server_date })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::http::StatusCode;
    use openidconnect::url::{Url, form_urlencoded};

    use super::*;
    use crate::{
        config::Provider,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client},
        },
        oidc::testing::{
            server_authority, server_base_url, start_provider, test_application, test_metadata, test_settings,
        },
        text::UntrustedText,
    };

    const GRANTED: &str = r#"{"access_token":"at","id_token":"a.b.c","refresh_token":"rt","token_type":"Bearer"}"#;

    fn renewed(server: &LoopbackServer) -> Result<TokenResponse, Error> {
        let (settings, metadata) = (test_settings(Provider::Generic), test_metadata(&server_base_url(server)));
        let application = test_application(&settings, None);
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.refresh_tokens(&Secret::new("old+rt")))
    }

    fn exchanged(server: &LoopbackServer) -> Result<(UnverifiedToken, TokenResponse), Error> {
        let (settings, metadata) = (test_settings(Provider::Generic), test_metadata(&server_base_url(server)));
        let request = AuthorizationRequest {
            url: Url::parse("https://id.example").unwrap(),
            state: Secret::new("s"),
            nonce: Secret::new("n"),
            code_verifier: Secret::new("v"),
            redirect_uri: "http://127.0.0.1:8400/callback".into(),
        };
        let (client, application) = (test_client(&TrustConfig::default()), test_application(&settings, None));
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.exchange_code(&request, &Secret::new("c&d")))
    }

    fn tokens(server: &LoopbackServer) -> ResponseSource {
        ResponseSource { endpoint: ProviderEndpoint::Token, host: server_authority(server) }
    }

    /// The error of a refresh with this answer, which must not count as `invalid_grant`.
    fn harmless(status: &str, headers: &str, body: &str) -> (Error, ResponseSource) {
        let server = start_provider(status, headers, body);
        let error = renewed(&server).expect_err("no tokens were given");
        assert!(!error.is_invalid_grant(), "{status} {body}");
        (error, tokens(&server))
    }

    /// The received request: its head in lower case, and its form.
    fn arrived(server: &LoopbackServer) -> (String, BTreeMap<String, String>) {
        let request = server.requests.recv().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), form_urlencoded::parse(body.as_bytes()).into_owned().collect())
    }

    fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_code_is_exchanged_as_a_public_client() {
        let server = start_provider("200 OK", "Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n", GRANTED);
        let (_, granted) = exchanged(&server).unwrap();
        assert_eq!((granted.access_token, granted.refresh_token), (Some(Secret::new("at")), Some(Secret::new("rt"))));
        assert_eq!(granted.server_date, Some(Timestamp::from_unix(1_800_000_000)));
        let (head, sent) = arrived(&server);
        assert!(head.starts_with("post /token http/1.1\r\n") && !head.contains("authorization"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
        let wanted = form(&[
            ("grant_type", "authorization_code"),
            ("code", "c&d"),
            ("redirect_uri", "http://127.0.0.1:8400/callback"),
            ("client_id", "client"),
            ("code_verifier", "v"),
        ]);
        assert_eq!(sent, wanted);
    }

    #[test]
    fn a_refresh_sends_the_token_and_the_client() {
        let server = start_provider("200 OK", "", GRANTED);
        renewed(&server).unwrap();
        let wanted = form(&[("grant_type", "refresh_token"), ("refresh_token", "old+rt"), ("client_id", "client")]);
        assert_eq!(arrived(&server).1, wanted);
    }

    #[test]
    fn quoted_lifetime_and_unknown_members_are_ignored() {
        let odd = GRANTED.replacen('{', r#"{"expires_in":"3599","ext_expires_in":[],"foo":null,"#, 1);
        assert!(renewed(&start_provider("200 OK", "", &odd)).is_ok());
    }

    #[test]
    fn refresh_answer_may_omit_id_and_refresh_token() {
        for body in [r#"{"access_token":"at"}"#, r#"{"access_token":"at","id_token":"","refresh_token":""}"#] {
            let granted = renewed(&start_provider("200 OK", "", body)).unwrap();
            assert!(granted.id_token.is_none() && granted.refresh_token.is_none(), "{body}");
        }
    }

    #[test]
    fn a_code_exchange_without_an_id_token_is_incomplete() {
        let server = start_provider("200 OK", "", r#"{"access_token":"at"}"#);
        let fact = Error::MissingMember { source: tokens(&server), member: "id_token" };
        assert_eq!(exchanged(&server).err(), Some(fact));
    }

    #[test]
    fn rotated_refresh_token_survives_a_missing_access_token() {
        let server = start_provider("200 OK", "", r#"{"refresh_token":"new"}"#);
        let tokens = renewed(&server).unwrap();
        assert_eq!((tokens.access_token, tokens.refresh_token), (None, Some(Secret::new("new"))));
    }

    #[test]
    fn an_answer_without_any_token_is_incomplete() {
        for body in ["{}", r#"{"access_token":""}"#, r#"{"error":"invalid_grant"}"#] {
            let (error, source) = harmless("200 OK", "", body);
            assert_eq!(error, Error::MissingMember { source, member: "access_token" });
        }
    }

    #[test]
    fn refusal_contains_the_providers_code_and_description() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000218: no\u001b[31m","error_uri":"u",
                       "error_codes":[7000218]}"#;
        let (error, _) = harmless("401 Unauthorized", "", body);
        let description = UntrustedText::new("AADSTS7000218: no\u{1b}[31m");
        assert_eq!(error, Error::Refused { error: UntrustedText::new("invalid_client"), description });
    }

    /// Some providers quote the rejected token, and their text reaches terminals, logs and the stored last failure.
    #[test]
    fn refusal_that_quotes_the_refresh_token_is_redacted() {
        let body = r#"{"error":"server_oops","error_description":"Invalid refresh token: old+rt"}"#;
        let (error, _) = harmless("400 Bad Request", "", body);
        let description = UntrustedText::new("Invalid refresh token: [secret]");
        assert_eq!(error, Error::Refused { error: UntrustedText::new("server_oops"), description });
        let error = exchanged(&start_provider(
            "400 Bad Request",
            "",
            r#"{"error":"invalid_grant","error_description":"no code c&d here"}"#,
        ));
        let description = UntrustedText::new("no code [secret] here");
        assert_eq!(error.err(), Some(Error::Refused { error: UntrustedText::new("invalid_grant"), description }));
    }

    #[test]
    fn invalid_grant_with_any_client_error_is_recognised() {
        for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden"] {
            let error = renewed(&start_provider(status, "", r#"{"error":"invalid_grant"}"#)).unwrap_err();
            assert!(error.is_invalid_grant(), "{status}");
        }
    }

    #[test]
    fn server_error_is_an_outage_whatever_its_body_says() {
        for (status, code) in [("500 Oops", 500), ("502 Bad Gateway", 502), ("503 Unavailable", 503)] {
            let (error, source) = harmless(status, "", r#"{"error":"invalid_grant"}"#);
            assert_eq!(error, Error::UnexpectedStatus { source, status: StatusCode::from_u16(code).unwrap() });
        }
    }

    #[test]
    fn client_error_without_oauth_json_is_not_a_refusal() {
        for body in
            ["", "<html>invalid_grant</html>", "invalid_grant", "\"invalid_grant\"", "{}", r#"{"error":{"code":1}}"#]
        {
            let (error, source) = harmless("400 Bad Request", "", body);
            assert_eq!(error, Error::UnexpectedStatus { source, status: StatusCode::BAD_REQUEST }, "{body}");
        }
    }

    #[test]
    fn a_captive_portals_page_is_not_json() {
        let (error, source) = harmless("200 OK", "Content-Type: text/html\r\n", " <!doctype html><p>Welcome");
        assert_eq!(error, Error::NotJson { source });
    }

    #[test]
    fn truncated_answer_is_malformed_and_not_quoted() {
        let (error, source) = harmless("200 OK", "", r#"{"access_token":"hunter2"#);
        assert_eq!(error, Error::Malformed { source });
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_redirect_is_not_followed() {
        for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let (error, source) = harmless(status, "Location: https://portal.example/?rt=1\r\n", "");
            assert_eq!(
                error,
                Error::Redirected { source, location: Some(UntrustedText::new("https://portal.example/")) }
            );
        }
    }

    #[test]
    fn broken_connection_is_a_network_error() {
        let server = LoopbackServer::start_plain(|_, _| {});
        let error = renewed(&server).unwrap_err();
        assert!(matches!(error, Error::Http(_)) && !error.is_invalid_grant());
    }

    #[test]
    fn debug_output_hides_the_tokens() {
        let shown = format!("{:?}", exchanged(&start_provider("200 OK", "", GRANTED)));
        assert!(!shown.contains("at\"") && !shown.contains("a.b.c") && !shown.contains("rt"), "{shown}");
    }
}
