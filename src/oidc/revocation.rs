//! Revokes a refresh token at the provider (RFC 7009), so that a copy of it, for example in a backup, becomes useless.
//!
//! `session` deletes the local session first, so a sign-out works without a network. It reports a failed revocation.

use super::{
    error::{Error, ProviderEndpoint},
    form::{ProviderForm, ProviderSession},
};
use crate::{secret::Secret, url::SecureUrl};

impl ProviderSession<'_> {
    /// Revokes the refresh token and the session behind it. An unknown or already revoked token counts as success (RFC
    /// 7009 §2.2). [`Error::is_unsupported_token_type`] identifies a provider that cannot revoke refresh tokens.
    pub async fn revoke_refresh_token(&self, endpoint: &SecureUrl, refresh_token: &Secret) -> Result<(), Error> {
        let form = ProviderForm {
            endpoint: self.metadata.auth_endpoint(ProviderEndpoint::Revocation, endpoint),
            fields: &[("token", refresh_token.expose()), ("token_type_hint", "refresh_token")],
            secrets: &[refresh_token],
            origin: None,
        };
        let answer = self.post(&form).await?;
        // The status alone reports the success (RFC 7009 §2.2). A body that is a web page comes from a captive portal,
        // which answers every request with 200: the token would still be valid.
        match answer.body.trim_ascii_start().first() {
            Some(b'<') => Err(Error::NotJson { source: form.endpoint.response_source() }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ::http::StatusCode;
    use openidconnect::url::form_urlencoded;

    use super::*;
    use crate::{
        config::Provider,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client},
        },
        oidc::error::ResponseSource,
        oidc::testing::{
            server_authority, server_base_url, start_provider, test_application, test_metadata, test_settings,
        },
        text::UntrustedText,
    };

    fn revoked(server: &LoopbackServer) -> Result<(), Error> {
        let endpoint = SecureUrl::parse(&format!("{}/revoke", server_base_url(server))).unwrap();
        let (settings, metadata) = (test_settings(Provider::Generic), test_metadata(&server_base_url(server)));
        let application = test_application(&settings, None);
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.revoke_refresh_token(&endpoint, &Secret::new("r+t")))
    }

    fn source(server: &LoopbackServer) -> ResponseSource {
        ResponseSource { endpoint: ProviderEndpoint::Revocation, host: server_authority(server) }
    }

    #[test]
    fn revocation_sends_token_type_hint_and_client_id_only() {
        let server = start_provider("200 OK", "", "");
        assert_eq!(revoked(&server), Ok(()));
        let request = server.requests.recv().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with("post /revoke http/1.1\r\n") && !head.contains("authorization"), "{head}");
        assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
        let sent: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let wanted = [("token", "r+t"), ("token_type_hint", "refresh_token"), ("client_id", "client")];
        assert_eq!(sent, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn revocation_success_ignores_the_body() {
        for (status, body) in [("200 OK", "{}"), ("200 OK", "{\"error\":\"x\"}"), ("204 No Content", "")] {
            assert_eq!(revoked(&start_provider(status, "", body)), Ok(()), "{status} {body}");
        }
    }

    #[test]
    fn captive_portal_page_is_not_a_revocation() {
        let server = start_provider("200 OK", "Content-Type: text/html\r\n", "\n<html>Welcome to the hotel</html>");
        assert_eq!(revoked(&server), Err(Error::NotJson { source: source(&server) }));
    }

    #[test]
    fn revocation_refusal_is_reported_without_the_token() {
        let body = r#"{"error":"unsupported_token_type","error_description":"r+t is opaque"}"#;
        let error = revoked(&start_provider("400 Bad Request", "", body)).unwrap_err();
        assert!(error.is_unsupported_token_type());
        let (error_code, description) =
            (UntrustedText::new("unsupported_token_type"), UntrustedText::new("[secret] is opaque"));
        assert_eq!(error, Error::Refused { error: error_code, description });
    }

    #[test]
    fn revocation_reports_outages_and_redirects() {
        let server = start_provider("503 Service Unavailable", "Retry-After: 9\r\n", r#"{"error":"x"}"#);
        let fact = Error::UnexpectedStatus { source: source(&server), status: StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(revoked(&server), Err(fact));
        let server = start_provider("307 Temporary Redirect", "Location: https://other.example/?a\r\n", "");
        let to = Some(UntrustedText::new("https://other.example/"));
        assert_eq!(revoked(&server), Err(Error::Redirected { source: source(&server), location: to }));
    }
}
