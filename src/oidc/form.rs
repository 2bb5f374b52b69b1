//! Posts forms to the provider and recognises its refusals (RFC 6749 §5.2), which all endpoints express in the same
//! way.
//!
//! It adds the client's name and credentials, and removes secrets from the provider's error texts. The calling module
//! chooses the other fields and reads a successful answer.

use ::http::{HeaderValue, Request, StatusCode, header};
use openidconnect::url::form_urlencoded;
use serde::Deserialize;

use super::{Application, ProviderMetadata, application::ClientAuthEndpoint, error::Error, response::check_status};
use crate::{
    http::{self, Client, FullResponse},
    secret::Secret,
    text::UntrustedText,
};

/// The client and its provider: everything that a request on the client's behalf needs. Copying it is cheap.
#[derive(Clone, Copy, Debug)]
pub struct ProviderSession<'a> {
    pub client: &'a Client,
    pub application: &'a Application<'a>,
    pub metadata: &'a ProviderMetadata,
}

pub(super) const DEVICE_GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) struct ProviderForm<'a> {
    pub(super) endpoint: ClientAuthEndpoint<'a>,
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) secrets: &'a [&'a Secret],
    /// The `Origin` header, for applications that are registered as single-page applications.
    pub(super) origin: Option<&'static str>,
}

impl ProviderSession<'_> {
    /// Posts the form with the client's credentials. Fails for a refusal, a redirect or an outage. A 2xx answer is
    /// returned without a check of its body.
    pub(super) async fn post(&self, form: &ProviderForm<'_>) -> Result<FullResponse, Error> {
        let answer = self.client.send(form.build_request(self.application)).await?;
        if let Some(refusal) = form.parse_refusal(self.application, answer.status, &answer.body) {
            return Err(refusal);
        }
        check_status(&form.endpoint.response_source(), &answer)?;
        Ok(answer)
    }
}

impl ProviderForm<'_> {
    /// Builds the request. Secrets travel in the body or in a header that is marked sensitive, never in the address,
    /// because servers and proxies log addresses (RFC 6749 §2.3.1).
    fn build_request(&self, application: &Application<'_>) -> Request<Vec<u8>> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(self.fields);
        let authorization = application.append_proof(&self.endpoint, &mut body);
        let mut request = Request::post(self.endpoint.url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.finish().into_bytes())
            .expect("a parsed address forms a valid request");
        if let Some(header) = authorization {
            let mut value = HeaderValue::from_str(header.expose()).expect("base64 is valid in a header");
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        if let Some(origin) = self.origin {
            request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        request
    }

    /// Returns the provider's refusal if the answer is one: any 4xx with an OAuth error in JSON (Auth0 uses 403). A
    /// 5xx is an outage, whatever its body says: otherwise an overloaded gateway that answers `invalid_grant` would
    /// delete the user's refresh token. 408 and 429 only ask for a later attempt, whatever the body says. The exception
    /// is Auth0's answer to a poll for a device code, which is `slow_down` with 429.
    fn parse_refusal(&self, application: &Application<'_>, status: StatusCode, body: &[u8]) -> Option<Error> {
        if !status.is_client_error() {
            return None;
        }
        let OAuthErrorResponse { error, error_description } = http::parse_json_object(body)?;
        let is_overload = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let is_slow_down = error == "slow_down" && self.fields.contains(&("grant_type", DEVICE_GRANT_TYPE));
        if is_overload && !is_slow_down {
            return None;
        }
        let means = application.auth_method().filter(|_| rejects_client(status, &error));
        // The description reaches terminals, logs and the stored last failure, and some providers quote the token or
        // code that they refuse.
        let description = UntrustedText::new(error_description.unwrap_or_default());
        let secrets = self.secrets.iter().copied().chain(application.client_secret());
        let description = secrets.fold(description, |text, secret| text.redact_secret(secret));
        let error = UntrustedText::new(error);
        Some(match means {
            Some(means) => Error::ClientRejected { means, error, description },
            None => Error::Refused { error, description },
        })
    }
}

/// The error response of RFC 6749 §5.2. `error` is required, so other JSON does not count as a refusal.
#[derive(Deserialize)]
struct OAuthErrorResponse {
    error: String,
    error_description: Option<String>,
}

/// Returns whether the provider refused the client's credentials. The standard code is `invalid_client`. Keycloak sends
/// `unauthorized_client` and Auth0 `access_denied`, both with status 401, which means nothing else at these endpoints.
fn rejects_client(status: StatusCode, error: &str) -> bool {
    match error {
        "invalid_client" => true,
        "unauthorized_client" | "access_denied" => status == StatusCode::UNAUTHORIZED,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{ClientAuth, OidcSettings, Provider},
        http::{
            TrustConfig,
            testing::{block_on, test_client},
        },
        oidc::{
            ClientAuthMethod, ProviderEndpoint,
            testing::{server_base_url, start_provider, test_application, test_metadata, test_settings},
        },
    };

    /// The error of a form that was posted with a client secret and answered with this status and code.
    fn refused(status: &str, code: &str) -> Error {
        let body = format!(r#"{{"error":"{code}","error_description":"s3cret is wrong"}}"#);
        let server = start_provider(status, "", &body);
        let settings = OidcSettings { client_auth: ClientAuth::Secret, ..test_settings(Provider::Generic) };
        let application = test_application(&settings, Some("s3cret"));
        let metadata = test_metadata(&server_base_url(&server));
        let form = ProviderForm {
            endpoint: metadata.auth_endpoint(ProviderEndpoint::Token, &metadata.token_endpoint),
            fields: &[("refresh_token", "rt")],
            secrets: &[],
            origin: None,
        };
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        let error = block_on(provider.post(&form)).unwrap_err();
        let request = server.requests.recv().unwrap();
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("authorization: Basic Y2xpZW50OnMzY3JldA=="), "{head}");
        assert_eq!(sent, "refresh_token=rt");
        error
    }

    #[test]
    fn rejected_client_credentials_are_a_refusal_of_their_own() {
        for (status, code) in [
            ("401 Unauthorized", "invalid_client"),
            ("400 Bad Request", "invalid_client"),
            ("401 Unauthorized", "unauthorized_client"),
            ("401 Unauthorized", "access_denied"),
        ] {
            let error = refused(status, code);
            assert!(!error.is_invalid_grant() && !error.suggests_stale_metadata(), "{code}");
            let (code, description) = (UntrustedText::new(code), UntrustedText::new("[secret] is wrong"));
            assert_eq!(error, Error::ClientRejected { means: ClientAuthMethod::Secret, error: code, description });
        }
        for (status, code) in [("400 Bad Request", "unauthorized_client"), ("401 Unauthorized", "invalid_grant")] {
            let error = refused(status, code);
            assert!(matches!(error, Error::Refused { .. }), "{code}: {error:?}");
        }
    }

    #[test]
    fn overloaded_provider_refuses_nothing() {
        for status in ["408 Request Timeout", "429 Too Many Requests"] {
            for code in ["slow_down", "invalid_grant", "invalid_client"] {
                let error = refused(status, code);
                assert!(matches!(error, Error::UnexpectedStatus { .. }), "{status} {code}: {error:?}");
            }
        }
        assert!(matches!(refused("400 Bad Request", "slow_down"), Error::Refused { .. }));
    }
}
