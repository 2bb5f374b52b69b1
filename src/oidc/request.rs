//! The authorization request: what the browser is sent to ask (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, RFC 7636).
//!
//! It builds the address and keeps what the answer must match; opening a browser is for `host`.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    AuthUrl, ClientId, CsrfToken, IssuerUrl, JsonWebKeySet, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope,
    core::{CoreAuthenticationFlow, CoreClient},
    url::Url,
};

use super::{Metadata, provider::habits};
use crate::{config::Profile, secret::Secret};

/// One sign-in's question. Its secrets are made for it alone.
pub struct Request {
    /// Where the browser goes.
    pub url: Url,
    /// Comes back with the answer, and proves that it answers this question.
    pub state: Secret,
    /// Comes back inside the ID token, and ties that to this question.
    pub nonce: Secret,
    /// Proves at the token endpoint that who asked is who exchanges (PKCE).
    pub verifier: Secret,
    pub redirect_uri: String,
}

/// Asks for a code. PKCE with S256 always: a provider that does not advertise it ignores it.
pub fn request(
    profile: &Profile,
    metadata: &Metadata,
    redirect_uri: &str,
    random: &dyn Fn(&mut [u8]),
) -> Request {
    let [state, nonce, verifier] = [(); 3].map(|()| Secret::new(unguessable(random)));
    let url = address(profile, metadata, redirect_uri, [&state, &nonce, &verifier]);
    Request { url, state, nonce, verifier, redirect_uri: redirect_uri.to_owned() }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("provider", &self.url.authority())
            .field("redirect_uri", &self.redirect_uri)
            .finish_non_exhaustive()
    }
}

fn address(
    profile: &Profile,
    metadata: &Metadata,
    redirect_uri: &str,
    [state, nonce, verifier]: [&Secret; 3],
) -> Url {
    let (state, nonce) = (CsrfToken::new(state.expose().to_owned()), Nonce::new(nonce.expose().to_owned()));
    let challenge =
        PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.expose().to_owned()));
    let redirect = RedirectUrl::new(redirect_uri.to_owned()).expect("the listener's address is an address");
    let (url, _, _) = CoreClient::new(
        ClientId::new(profile.client_id.clone()),
        IssuerUrl::from_url(profile.issuer.url().as_url().clone()),
        JsonWebKeySet::default(),
    )
    .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.as_url().clone()))
    .set_redirect_uri(redirect)
    .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
    .set_pkce_challenge(challenge)
    .add_scopes(further_scopes(profile, metadata).map(Scope::new))
    .url();
    with_parameters(url, profile)
}

/// The scopes beside `openid`, which the library puts first. A default that the provider says it does not know is left
/// out, for some refuse the whole request over it; what the configuration names is asked for regardless.
fn further_scopes(profile: &Profile, metadata: &Metadata) -> impl Iterator<Item = String> {
    let scopes = if profile.scopes.is_empty() {
        let known = |scope: &&str| *scope != "offline_access" || metadata.knows_scope(scope);
        habits(profile.provider).scopes.iter().copied().filter(known).map(str::to_owned).collect()
    } else {
        profile.scopes.clone()
    };
    scopes.into_iter().filter(|scope| scope != "openid")
}

/// Appends the configured parameters, and of the provider's habitual ones those that the configuration leaves open.
fn with_parameters(mut url: Url, profile: &Profile) -> Url {
    let own = &profile.extra_params;
    let habitual = habits(profile.provider).parameters.iter().filter(|(name, _)| !own.contains_key(*name));
    let all = habitual.copied().chain(own.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in all {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

/// 256 bits in 43 characters that need no escaping: also what RFC 7636 §4.1 wants of a verifier.
fn unguessable(random: &dyn Fn(&mut [u8])) -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
