//! Checks before the first sign-in whether the provider accepts a client ID and a redirect URI.
//!
//! `setup` and `doctor` use the result as a hint only. The probe starts no sign-in, and the program trusts no content
//! of the page, which is meant for a browser.

use ::http::{StatusCode, header};
use openidconnect::url::Url;

use super::{ProviderMetadata, authorization_request::build_authorization_url, error::Error};
use crate::http::Client;

/// The challenge of RFC 7636 appendix B. The program stores no verifier for it, so it can never redeem a code.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the provider's answer shows about the client ID and the redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProbe {
    Accepted,
    /// The provider answered with an error, or redirected to the redirect URI with one (RFC 6749 §4.1.2.1).
    Rejected,
    /// The answer is about something else: an outage, a proxy, or too many requests.
    Inconclusive,
}

/// Sends an authorization request that is never completed. Fails if the provider does not answer.
pub async fn probe_client(
    client: &Client,
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect_uri: &str,
) -> Result<ClientProbe, Error> {
    let secrets = ["knock", "knock", CHALLENGE];
    let url = build_authorization_url(metadata, client_id, redirect_uri, "openid", secrets);
    let answer = client.get(url.as_str(), "text/html").await?;
    let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    Ok(match answer.status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            ClientProbe::Inconclusive
        }
        status if status.is_server_error() => ClientProbe::Inconclusive,
        // GitLab answers 403 to a redirect URI that is not registered.
        status if status.is_client_error() => ClientProbe::Rejected,
        _ if to.is_some_and(|to| redirects_with_error(to, redirect_uri)) => ClientProbe::Rejected,
        _ => ClientProbe::Accepted,
    })
}

fn redirects_with_error(to: &str, redirect_uri: &str) -> bool {
    let Ok(to) = Url::parse(to) else { return false };
    to.as_str().starts_with(redirect_uri) && to.query_pairs().any(|(name, _)| name == "error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::{
            TrustConfig,
            testing::{block_on, test_client},
        },
        oidc::testing::{server_base_url, start_provider, test_metadata},
    };

    fn probe(status: &str, headers: &str) -> ClientProbe {
        let server = start_provider(status, headers, "");
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

    #[test]
    fn sign_in_page_or_redirect_to_one_is_acceptance() {
        assert_eq!(probe("200 OK", ""), ClientProbe::Accepted);
        assert_eq!(probe("302 Found", "Location: https://login.example/start\r\n"), ClientProbe::Accepted);
    }

    #[test]
    fn outage_or_rate_limit_says_nothing_about_the_client() {
        for status in ["503 Unavailable", "500 Error", "429 Too Many Requests", "407 Who Are You", "408 Timeout"] {
            assert_eq!(probe(status, ""), ClientProbe::Inconclusive, "{status}");
        }
    }

    #[test]
    fn error_is_rejection_wherever_it_is_shown() {
        assert_eq!(probe("400 Bad Request", ""), ClientProbe::Rejected);
        assert_eq!(probe("403 Forbidden", ""), ClientProbe::Rejected);
        let redirect = "Location: http://127.0.0.1:8400/callback?error=unauthorized_client&state=knock\r\n";
        assert_eq!(probe("302 Found", redirect), ClientProbe::Rejected);
    }
}
