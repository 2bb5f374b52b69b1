//! The table of what providers do differently. No other file matches on the provider.
//!
//! It holds defaults; what the configuration says goes before it.

use crate::config::Provider;

/// What to ask a provider for, unless the configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the authorization request.
    pub(super) parameters: &'static [(&'static str, &'static str)],
}

const STANDARD: &[&str] = &["openid", "profile", "email", "offline_access"];

pub(super) fn habits(provider: Provider) -> Habits {
    match provider {
        Provider::Auth0 | Provider::Entra | Provider::Generic | Provider::Okta => {
            Habits { scopes: STANDARD, parameters: &[] }
        }
        // Gives a refresh token unasked, and refuses the scope that asks for one.
        Provider::Cognito => Habits { scopes: &["openid", "profile", "email"], parameters: &[] },
        // Knows no `offline_access`: `access_type` asks, and only a consent screen brings the refresh token again.
        Provider::Google => Habits {
            scopes: &["openid", "email", "profile"],
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
        },
    }
}
