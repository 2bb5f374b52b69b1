//! Whether the provider knows a client and its redirect address, asked before anybody signs in.
//!
//! A hint for a person who sets things up: nothing is begun, and what is meant for the browser is not believed.

use ::http::{Request, header};
use openidconnect::url::Url;

use super::{ProviderMetadata, error::Error};
use crate::http::Client;

/// RFC 7636 appendix B's challenge: nobody will ever redeem what this request might begin.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// False when the provider answers with an error, or sends one back to the redirect address (RFC 6749 §4.1.2.1).
pub async fn probe_client(
    client: &Client,
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect_uri: &str,
) -> Result<bool, Error> {
    let mut url = metadata.authorization_endpoint.as_url().clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", "openid")
        .append_pair("state", "knock")
        .append_pair("nonce", "knock")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256");
    let request = Request::get(url.as_str())
        .header(header::ACCEPT, "text/html")
        .body(Vec::new())
        .expect("an address that was parsed makes a request");
    let answer = client.send(request).await?;
    let to = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    Ok(!answer.status.is_client_error() && !to.is_some_and(|to| redirects_with_error(to, redirect_uri)))
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

    fn known(status: &str, headers: &str) -> bool {
        let server = start_provider(status, headers, "");
        let metadata = test_metadata(&server_base_url(&server));
        let (client, redirect) = (test_client(&TrustConfig::default()), "http://127.0.0.1:8400/callback");
        let known = block_on(probe_client(&client, &metadata, "c&d", redirect)).unwrap();
        let request = server.requests.recv().unwrap();
        assert!(
            request.contains("client_id=c%26d&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fcallback"),
            "{request}"
        );
        known
    }

    #[test]
    fn a_sign_in_page_or_the_way_to_it_is_good_news() {
        assert!(known("200 OK", ""));
        assert!(known("302 Found", "Location: https://login.example/start\r\n"));
        assert!(known("503 Unavailable", ""));
    }

    #[test]
    fn an_error_is_bad_news_wherever_it_is_shown() {
        assert!(!known("400 Bad Request", ""));
        assert!(!known(
            "302 Found",
            "Location: http://127.0.0.1:8400/callback?error=unauthorized_client&state=knock\r\n"
        ));
    }
}
