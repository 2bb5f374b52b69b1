//! The table of what providers do differently. No other file matches on the provider.
//!
//! It holds what is said to them and understood of them; what may be written in a profile for each is `config`'s.

use crate::config::Provider;

/// What to ask a provider for, unless the configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the authorization request.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// Where the endpoints stand on a sign-in domain that the profile names.
    pub(super) paths: Option<Paths>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) authorize: &'static str,
    pub(super) token: &'static str,
    pub(super) revoke: &'static str,
}

/// OIDC Core §11 for `offline_access`, which asks for a refresh token.
const STANDARD: Habits =
    Habits { scopes: &["openid", "profile", "email", "offline_access"], parameters: &[], paths: None };

pub(super) fn habits(provider: Provider) -> Habits {
    match provider {
        Provider::Auth0 | Provider::Entra | Provider::Generic | Provider::Okta => STANDARD,
        // Gives a refresh token unasked, and refuses the scope that asks for one (Amazon Cognito, "Scopes, M2M, and
        // resource servers"). The paths are those of "Managed login endpoints reference".
        Provider::Cognito => Habits {
            scopes: &["openid", "profile", "email"],
            paths: Some(Paths {
                authorize: "/oauth2/authorize",
                token: "/oauth2/token",
                revoke: "/oauth2/revoke",
            }),
            ..STANDARD
        },
        // Knows no `offline_access`: `access_type` asks, and only a consent screen brings the refresh token again
        // (Google, "OpenID Connect", refresh tokens).
        Provider::Google => Habits {
            scopes: &["openid", "email", "profile"],
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
            ..STANDARD
        },
    }
}
