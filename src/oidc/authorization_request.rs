//! Builds the authorization request: the address that the browser opens at the provider (RFC 6749 §4.1.1, OIDC Core
//! §3.1.2.1, RFC 7636).
//!
//! Each request has three new random secrets, and each stops one attack: `state` cross-site request forgery at the
//! callback (RFC 6749 §10.12), the PKCE verifier the redemption of a stolen code (RFC 7636 §1), and `nonce` the
//! injection of a foreign ID token or code (OIDC Core §15.5.2). `host` opens the browser.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::url::Url;
use ring::digest;

use super::{ProviderMetadata, proof_request::build_proof_parameters};
use crate::{config::OidcSettings, log, secret::Secret};

/// The method of PKCE that hides the verifier (RFC 7636 §4.2).
pub(crate) const CHALLENGE_METHOD: &str = "S256";

/// The authorization request of one sign-in, with the values that the response must match. No secret serves twice.
pub struct AuthorizationRequest {
    /// The address for the browser. It contains the state, so it may not appear in a process list or a log.
    pub url: Url,
    /// Returns in the callback and proves that the callback belongs to this request. Without it, any web page could
    /// send the attacker's code to the callback and sign the user in as the attacker (RFC 9700 §4.7).
    pub state: Secret,
    /// Returns inside the ID token and binds the token to this request (OIDC Core §3.1.3.7 item 11).
    pub nonce: Secret,
    /// Proves at the token endpoint that the program that sent the request also redeems the code (PKCE). A local
    /// program that intercepts the code cannot redeem it (RFC 8252 §8.1).
    pub code_verifier: Secret,
    pub redirect_uri: String,
}

/// Builds a request for a code. It always uses PKCE with S256 (RFC 9700 §2.1.1): a provider without PKCE ignores the
/// parameters, and the method `plain` would reveal the verifier in the address.
pub fn build_authorization_request(
    settings: &OidcSettings,
    metadata: &ProviderMetadata,
    redirect_uri: &str,
    random: &dyn Fn(&mut [u8]),
) -> AuthorizationRequest {
    log_omitted_scope(settings, &select_scopes(settings, metadata));
    compose_request(settings, metadata, redirect_uri, random)
}

/// Builds the request without a line in the log.
pub(super) fn compose_request(
    settings: &OidcSettings,
    metadata: &ProviderMetadata,
    redirect_uri: &str,
    random: &dyn Fn(&mut [u8]),
) -> AuthorizationRequest {
    let [state, nonce, code_verifier] = [(); 3].map(|()| generate_request_secret(random));
    let challenge = compute_code_challenge(&code_verifier);
    let secrets = [state.expose(), nonce.expose(), &challenge];
    let scope = select_scopes(settings, metadata);
    let url = build_authorization_url(metadata, &settings.client_id, redirect_uri, &scope, secrets);
    let url = append_parameters(url, settings, metadata, &scope);
    AuthorizationRequest { url, state, nonce, code_verifier, redirect_uri: redirect_uri.to_owned() }
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("provider", &self.url.authority())
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// Adds the parameters of the code flow to the authorization endpoint. `challenge` uses method S256. A query that the
/// endpoint already has stays (RFC 6749 §3.1).
pub(super) fn build_authorization_url(
    metadata: &ProviderMetadata,
    client_id: &str,
    redirect_uri: &str,
    scope: &str,
    [state, nonce, challenge]: [&str; 3],
) -> Url {
    let mut url = metadata.authorization_endpoint.as_url().clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", CHALLENGE_METHOD)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", scope)
        .append_pair("nonce", nonce);
    url
}

/// The scope that requests a refresh token (OIDC Core §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// Returns whether a sign-in of this profile requests a refresh token by its scope.
pub fn requests_offline_access(settings: &OidcSettings, metadata: &ProviderMetadata) -> bool {
    has_offline_access(&select_scopes(settings, metadata))
}

fn has_offline_access(scopes: &str) -> bool {
    scopes.split(' ').any(|scope| scope == OFFLINE_ACCESS)
}

/// Logs that a default scope is missing from the request. Without this line, nobody could see why the provider issues
/// no refresh token.
pub(super) fn log_omitted_scope(settings: &OidcSettings, requested: &str) {
    let is_default = settings.scopes.is_empty() && settings.provider.spec().scopes.contains(&OFFLINE_ACCESS);
    if is_default && !has_offline_access(requested) {
        log::info(
            "oidc",
            format_args!("not requesting {OFFLINE_ACCESS}, because the provider's discovery document does not list it"),
        );
    }
}

/// Returns the scopes: `openid`, then the configured scopes or else the provider's defaults. It omits a default
/// `offline_access` that the provider does not list, because some providers then refuse the whole request. It never
/// omits a configured scope.
pub(super) fn select_scopes(settings: &OidcSettings, metadata: &ProviderMetadata) -> String {
    let scopes = if settings.scopes.is_empty() {
        let known = |scope: &&str| *scope != OFFLINE_ACCESS || metadata.supports_scope(scope);
        settings.provider.spec().scopes.iter().copied().filter(known).map(str::to_owned).collect()
    } else {
        settings.scopes.clone()
    };
    let further = scopes.into_iter().filter(|scope| scope != "openid");
    std::iter::once("openid".to_owned()).chain(further).collect::<Vec<_>>().join(" ")
}

/// Appends the provider's default parameters, those that `require` needs, and the configured ones. A configured
/// parameter replaces another of the same name, and an empty one leaves it out. The configuration cannot set the
/// parameters of the protocol itself (`state`, `redirect_uri` and others): `config` refuses them.
fn append_parameters(mut url: Url, settings: &OidcSettings, metadata: &ProviderMetadata, scope: &str) -> Url {
    let (own, spec) = (&settings.extra_params, settings.provider.spec());
    // OIDC Core §11: without it, a provider that follows the standard ignores the scope.
    let consent = (spec.offline_needs_consent && has_offline_access(scope)).then_some(("prompt", "consent"));
    let proof = build_proof_parameters(settings, metadata);
    let is_replaced = |name: &str| own.contains_key(name) || proof.iter().any(|(needed, _)| *needed == name);
    let habitual = spec.parameters.iter().copied().chain(consent).filter(|(name, _)| !is_replaced(name));
    let needed = proof.iter().map(|(name, value)| (*name, value.as_str()));
    let all = habitual.chain(needed).chain(own.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in all.filter(|(_, value)| !value.is_empty()) {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

/// Returns 256 random bits as 43 characters that need no escaping. RFC 7636 §4.1 requires at least 43 characters of a
/// verifier, and RFC 6749 §10.10 at least 128 bits against guessing.
pub(crate) fn generate_request_secret(random: &dyn Fn(&mut [u8])) -> Secret {
    let mut bytes = [0; 32];
    random(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// Computes the challenge of a PKCE verifier by [`CHALLENGE_METHOD`] (RFC 7636 §4.2).
pub(crate) fn compute_code_challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ring::digest::{SHA256, digest};

    use super::*;
    use crate::{config::Provider, oidc::testing, url::SecureUrl};

    /// Fills each call's bytes with the number of the call, so that all secrets differ.
    fn counting() -> impl Fn(&mut [u8]) {
        let calls = Cell::new(0);
        move |bytes| {
            calls.set(calls.get() + 1);
            bytes.fill(calls.get());
        }
    }

    fn asked(settings: &OidcSettings, metadata: &ProviderMetadata) -> AuthorizationRequest {
        build_authorization_request(settings, metadata, "http://127.0.0.1:8400/callback", &counting())
    }

    /// The values of a parameter in the address.
    fn values(request: &AuthorizationRequest, name: &str) -> Vec<String> {
        request.url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    }

    fn scopes(provider: Provider, configured: &[&str], supported: Option<&[&str]>) -> String {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let settings = OidcSettings { scopes: owned(configured), ..testing::test_settings(provider) };
        let metadata =
            ProviderMetadata { scopes_supported: supported.map(owned), ..testing::test_metadata("https://id.example") };
        values(&asked(&settings, &metadata), "scope").concat()
    }

    #[test]
    fn request_contains_all_parameters_of_the_code_flow() {
        let request = asked(&testing::test_settings(Provider::Generic), &testing::test_metadata("https://id.example"));
        assert!(request.url.as_str().starts_with("https://id.example/authorize?"));
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, request.code_verifier.expose().as_bytes()));
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "client"),
            ("redirect_uri", "http://127.0.0.1:8400/callback"),
            ("state", request.state.expose()),
            ("nonce", request.nonce.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile email offline_access"),
        ] {
            assert_eq!(values(&request, name), [value], "{name}");
        }
    }

    #[test]
    fn state_nonce_and_verifier_are_different_256_bit_secrets() {
        let request = asked(&testing::test_settings(Provider::Generic), &testing::test_metadata("https://id.example"));
        let decoded = |secret: &Secret| URL_SAFE_NO_PAD.decode(secret.expose()).unwrap();
        let secrets = [decoded(&request.state), decoded(&request.nonce), decoded(&request.code_verifier)];
        assert_eq!(secrets, [[1; 32], [2; 32], [3; 32]]);
        assert!(!request.url.as_str().contains(request.code_verifier.expose()));
        assert!(!format!("{request:?}").contains(request.state.expose()));
    }

    #[test]
    fn each_provider_gets_its_default_scopes() {
        let asks = |provider| scopes(provider, &[], None);
        for provider in [Provider::Auth0, Provider::Entra, Provider::Generic, Provider::Okta] {
            assert_eq!(asks(provider), "openid profile email offline_access");
        }
        assert_eq!(asks(Provider::Cognito), "openid profile email");
        assert_eq!(asks(Provider::Google), "openid email profile");
    }

    #[test]
    fn offline_access_is_omitted_if_discovery_does_not_list_it() {
        let asks = |supported: &[&str]| scopes(Provider::Generic, &[], Some(supported));
        assert_eq!(asks(&["openid", "email"]), "openid profile email");
        assert_eq!(asks(&["openid", "offline_access"]), "openid profile email offline_access");
    }

    #[test]
    fn configured_scopes_replace_defaults_and_include_openid() {
        let asks = |configured| scopes(Provider::Okta, configured, Some(&["openid"]));
        assert_eq!(asks(&["groups", "offline_access"]), "openid groups offline_access");
        assert_eq!(asks(&["groups", "openid"]), "openid groups");
    }

    #[test]
    fn google_request_has_access_type_offline_and_consent() {
        let mut settings = testing::test_settings(Provider::Google);
        let metadata = testing::test_metadata("https://id.example");
        let request = asked(&settings, &metadata);
        assert_eq!(values(&request, "access_type"), ["offline"]);
        assert_eq!(values(&request, "prompt"), ["consent"]);
        settings.extra_params.insert("prompt".into(), "select_account".into());
        assert_eq!(values(&asked(&settings, &metadata), "prompt"), ["select_account"]);
    }

    #[test]
    fn extra_parameters_are_appended_and_escaped() {
        let mut settings = testing::test_settings(Provider::Generic);
        settings.extra_params.insert("login_hint".into(), "ada+x@example.com&prompt=none".into());
        let request = asked(&settings, &testing::test_metadata("https://id.example"));
        assert_eq!(values(&request, "login_hint"), ["ada+x@example.com&prompt=none"]);
        assert_eq!(values(&request, "prompt"), ["consent"]);
    }

    /// The `prompt` of a request, with these scopes and this configured value.
    fn prompt(provider: Provider, scopes: &[&str], configured: Option<&str>) -> Vec<String> {
        let mut settings = testing::test_settings(provider);
        settings.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        settings.extra_params.extend(configured.map(|value| ("prompt".to_owned(), value.to_owned())));
        values(&asked(&settings, &testing::test_metadata("https://id.example")), "prompt")
    }

    #[test]
    fn offline_access_needs_consent_at_unknown_providers() {
        assert_eq!(prompt(Provider::Generic, &[], None), ["consent"]);
        assert_eq!(prompt(Provider::Generic, &["openid", "offline_access"], None), ["consent"]);
        assert_eq!(prompt(Provider::Generic, &["openid", "email"], None), [""; 0]);
        for known in [Provider::Auth0, Provider::Cognito, Provider::Entra, Provider::Okta] {
            assert_eq!(prompt(known, &[], None), [""; 0], "{known:?}");
        }
    }

    #[test]
    fn configured_prompt_replaces_or_removes_the_consent() {
        assert_eq!(prompt(Provider::Generic, &[], Some("login")), ["login"]);
        assert_eq!(prompt(Provider::Generic, &[], Some("")), [""; 0]);
        assert_eq!(prompt(Provider::Google, &[], Some("")), [""; 0]);
    }

    #[test]
    fn existing_query_of_the_endpoint_is_preserved() {
        let mut metadata = testing::test_metadata("https://id.example");
        metadata.authorization_endpoint = SecureUrl::parse("https://id.example/authorize?p=policy").unwrap();
        let request = asked(&testing::test_settings(Provider::Entra), &metadata);
        assert_eq!(
            (values(&request, "p"), values(&request, "client_id")),
            (vec!["policy".into()], vec!["client".into()])
        );
    }
}
