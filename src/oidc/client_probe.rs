//! Sends an authorization request without a user, to see whether the provider accepts the client ID and the redirect URI.
//!
//! `setup` and `doctor` do this before the first sign-in. `session` does it while a browser is open, because the provider
//! shows the error page of RFC 6749 §4.1.2.1 in the browser only. The answer is not certain: the user's browser has
//! cookies, so the provider may answer it in another way. The probe starts no sign-in, and the program trusts no content
//! of the page.

use ::http::{StatusCode, header};
use openidconnect::url::Url;
use serde::Deserialize;

use super::{
    ProviderMetadata,
    authorization_request::{build_authorization_url, compose_request},
    error::Error,
};
use crate::{
    config::OidcSettings,
    http::{self, Client, FullResponse},
    text::UntrustedText,
};

/// The challenge of RFC 7636 appendix B. The program stores no verifier for it, so it can never redeem a code.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the provider's answer shows about the client ID and the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientProbe {
    Accepted,
    Rejected(RequestRefusal),
    /// The answer is about something else: an outage, a proxy, or too many requests.
    Inconclusive,
}

/// How the provider refuses an authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// It redirects with an error (RFC 6749 §4.1.2.1), to the redirect URI or to a page of its own, or answers with one.
    Error { error: UntrustedText, description: UntrustedText },
    /// It shows an error page.
    Page { status: StatusCode },
}

/// Sends an authorization request that is never completed, with nothing but a client ID and a redirect URI. Fails if the
/// provider does not answer.
pub async fn probe_client(
    client: &Client,
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect_uri: &str,
) -> Result<ClientProbe, Error> {
    let secrets = ["knock", "knock", CHALLENGE];
    send_probe(client, &build_authorization_url(metadata, client_id, redirect_uri, "openid", secrets)).await
}

/// Sends the authorization request of this profile with a state, a nonce and a challenge of its own, so that it cannot
/// interfere with the request in the browser. It is never completed. Fails if the provider does not answer.
pub async fn probe_request(
    client: &Client,
    settings: &OidcSettings,
    metadata: &ProviderMetadata,
    redirect_uri: &str,
    random: &dyn Fn(&mut [u8]),
) -> Result<ClientProbe, Error> {
    send_probe(client, &compose_request(settings, metadata, redirect_uri, random).url).await
}

/// The headers of filters that refuse programs and let browsers pass: Cloudflare ("Detect a Challenge Page response") and
/// AWS WAF ("CAPTCHA and Challenge in AWS WAF").
const FILTER_HEADERS: [&str; 2] = ["cf-mitigated", "x-amzn-waf-action"];

async fn send_probe(client: &Client, url: &Url) -> Result<ClientProbe, Error> {
    let answer = client.get(url.as_str(), "text/html").await?;
    Ok(match answer.status {
        _ if FILTER_HEADERS.iter().any(|name| answer.headers.contains_key(*name)) => ClientProbe::Inconclusive,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            ClientProbe::Inconclusive
        }
        status if status.is_server_error() => ClientProbe::Inconclusive,
        // GitLab answers 403 to a redirect URI that is not registered.
        status if status.is_client_error() => ClientProbe::Rejected(
            http::parse_json_object::<RefusalParameters>(&answer.body)
                .and_then(RefusalParameters::into_refusal)
                .unwrap_or(RequestRefusal::Page { status }),
        ),
        _ => read_redirect_error(&answer, url).map_or(ClientProbe::Accepted, judge_error),
    })
}

/// The error in the target of a redirect. better-auth redirects to a page of its own with it, by a relative address.
fn read_redirect_error(answer: &FullResponse, url: &Url) -> Option<RefusalParameters> {
    let to = url.join(answer.headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    let find = |wanted| to.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    Some(RefusalParameters { error: Some(find("error")?), error_description: find("error_description") })
}

/// The codes of OIDC Core §3.1.2.6 that mean that the provider has to show the user a page. A request with
/// `prompt=none` gets them without a session, and the browser may have one.
const NEEDS_USER: [&str; 4] =
    ["login_required", "interaction_required", "consent_required", "account_selection_required"];

/// The codes of RFC 6749 §4.1.2.1 for an outage.
const OUTAGE: [&str; 2] = ["server_error", "temporarily_unavailable"];

fn judge_error(parameters: RefusalParameters) -> ClientProbe {
    match parameters.error.as_deref() {
        Some(error) if OUTAGE.contains(&error) => ClientProbe::Inconclusive,
        Some(error) if NEEDS_USER.contains(&error) => ClientProbe::Accepted,
        _ => parameters.into_refusal().map_or(ClientProbe::Accepted, ClientProbe::Rejected),
    }
}

/// An error, in a query or in JSON.
#[derive(Deserialize)]
struct RefusalParameters {
    error: Option<String>,
    error_description: Option<String>,
}

impl RefusalParameters {
    /// `None` if the code is empty.
    fn into_refusal(self) -> Option<RequestRefusal> {
        let error = self.error.filter(|error| !error.trim().is_empty())?;
        let description = UntrustedText::new(self.error_description.unwrap_or_default());
        Some(RequestRefusal::Error { error: UntrustedText::new(error), description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Provider,
        http::{
            TrustConfig,
            testing::{block_on, test_client},
        },
        oidc::testing::{server_base_url, start_provider, test_metadata, test_settings},
    };

    fn probe(status: &str, headers: &str) -> ClientProbe {
        probe_with(status, headers, "")
    }

    fn probe_with(status: &str, headers: &str, body: &str) -> ClientProbe {
        let server = start_provider(status, headers, body);
        let metadata = test_metadata(&server_base_url(&server));
        let (client, redirect) = (test_client(&TrustConfig::default()), "http://127.0.0.1:8400/callback");
        let known = block_on(probe_client(&client, &metadata, "c&d", redirect)).unwrap();
        let request = server.requests.recv().unwrap();
        assert!(
            ["client_id=c%26d&", "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fcallback&"]
                .iter()
                .all(|pair| request.contains(pair)),
            "{request}"
        );
        known
    }

    fn page(status: u16) -> ClientProbe {
        ClientProbe::Rejected(RequestRefusal::Page { status: StatusCode::from_u16(status).unwrap() })
    }

    fn error(error: &str, description: &str) -> ClientProbe {
        let [error, description] = [error, description].map(UntrustedText::new);
        ClientProbe::Rejected(RequestRefusal::Error { error, description })
    }

    fn redirect(to: &str) -> ClientProbe {
        probe("302 Found", &format!("Location: {to}\r\n"))
    }

    #[test]
    fn sign_in_page_or_redirect_to_one_is_acceptance() {
        assert_eq!(probe("200 OK", ""), ClientProbe::Accepted);
        assert_eq!(redirect("https://login.example/start"), ClientProbe::Accepted);
        assert_eq!(redirect("/login?error=&next=1"), ClientProbe::Accepted);
        assert_eq!(redirect("http://127.0.0.1:8400/callback?error=login_required"), ClientProbe::Accepted);
    }

    #[test]
    fn outage_or_rate_limit_says_nothing_about_the_client() {
        for status in ["503 Unavailable", "500 Error", "429 Too Many Requests", "407 Who Are You", "408 Timeout"] {
            assert_eq!(probe(status, ""), ClientProbe::Inconclusive, "{status}");
        }
        assert_eq!(redirect("http://127.0.0.1:8400/callback?error=server_error"), ClientProbe::Inconclusive);
    }

    #[test]
    fn page_of_a_filter_says_nothing_about_the_client() {
        assert_eq!(probe("403 Forbidden", "cf-mitigated: challenge\r\n"), ClientProbe::Inconclusive);
        assert_eq!(probe("405 No", "x-amzn-waf-action: captcha\r\n"), ClientProbe::Inconclusive);
    }

    #[test]
    fn error_is_rejection_wherever_it_is_shown() {
        assert_eq!(probe("400 Bad Request", ""), page(400));
        assert_eq!(probe("403 Forbidden", ""), page(403));
        assert_eq!(probe_with("400 Bad Request", "", r#"{"message":"no"}"#), page(400));
        let body = r#"{"error":"invalid_client","error_description":"unknown"}"#;
        assert_eq!(probe_with("401 Unauthorized", "", body), error("invalid_client", "unknown"));
        let callback = "http://127.0.0.1:8400/callback?error=invalid_request&error_description=DPoP+proof+is+missing";
        assert_eq!(redirect(callback), error("invalid_request", "DPoP proof is missing"));
    }

    #[test]
    fn redirect_to_an_error_page_of_the_provider_is_rejection() {
        assert_eq!(redirect("/api/auth/error?error=invalid_redirect"), error("invalid_redirect", ""));
        assert_eq!(redirect("error?error=invalid_client&x=y"), error("invalid_client", ""));
    }

    #[test]
    fn probe_of_a_request_has_secrets_of_its_own() {
        let server = start_provider("302 Found", "Location: /error?error=unauthorized_client\r\n", "");
        let metadata = test_metadata(&server_base_url(&server));
        let (client, mut settings) = (test_client(&TrustConfig::default()), test_settings(Provider::Generic));
        settings.extra_params.insert("audience".into(), "x".into());
        let redirect = "http://127.0.0.1:8400/callback";
        let random = |bytes: &mut [u8]| bytes.fill(7);
        let probed = block_on(probe_request(&client, &settings, &metadata, redirect, &random));
        assert_eq!(probed.unwrap(), error("unauthorized_client", ""));
        let request = server.requests.recv().unwrap();
        let expected = compose_request(&settings, &metadata, redirect, &random).url;
        assert!(request.starts_with(&format!("GET {}?{} ", expected.path(), expected.query().unwrap())), "{request}");
        assert!(!request.to_lowercase().contains("\r\ncookie:"), "{request}");
    }
}
