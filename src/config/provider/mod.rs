//! The kinds of identity providers, and how the program detects the kind from the host of the issuer.
//!
//! A provider that is not in this list works too: it counts as `Generic`, and the standards alone define its behaviour.
//! The differences between providers are in `specs`.

mod issuer_format;
mod issuer_shorthand;
mod proof_support;
mod requirements;
mod specs;

pub(super) use issuer_format::is_guid;
pub use issuer_shorthand::build_pool_issuer;
pub(super) use issuer_shorthand::{IssuerShorthand, parse_login_domain};
pub use proof_support::{AcrSupport, EmailAuthority, MaxAgeSupport, SignInProofSupport};
pub(super) use proof_support::{RequireSettings, find_require_conflicts};
pub(super) use requirements::{
    ProviderSettings, build_shorthand_issuer, choose_redirect_host, choose_redirect_ports, collect_warnings,
    find_conflicts,
};
pub use specs::{
    EndpointPaths, OrganizationParameter, OriginRetry, ProviderSpec, REGISTERED_PORTS, SampleIssuer, SignOutPage,
};

use super::choice::NamedChoice;

/// A kind of identity provider. [`Provider::spec`] returns its properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    Auth0,
    Cognito,
    Entra,
    /// Any provider that follows the standards.
    #[default]
    Generic,
    Google,
    Okta,
}

/// The values of the key `provider`. `None` is "auto": the kind that the issuer's host belongs to.
impl NamedChoice for Option<Provider> {
    const CHOICES: &'static [(&'static str, Self)] = &[
        ("auto", None),
        ("okta", Some(Provider::Okta)),
        ("entra", Some(Provider::Entra)),
        ("auth0", Some(Provider::Auth0)),
        ("cognito", Some(Provider::Cognito)),
        ("google", Some(Provider::Google)),
        ("generic", Some(Provider::Generic)),
    ];
}

impl Provider {
    /// The name in the configuration, such as `okta`. It is also part of the fingerprints, so it must never change.
    pub fn name(self) -> &'static str {
        Some(self).choice_name()
    }

    /// Every kind, in the order in which the configuration lists them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Option::<Self>::CHOICES.iter().filter_map(|(_, provider)| *provider)
    }

    /// The kind that a host belongs to, whether or not it is an issuer's host. A company's own domain is `Generic`.
    pub fn from_host(host: &str) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host);
        Self::all().find(|provider| provider.spec().owns_host(host)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Issuer;

    fn kind(issuer: &str) -> Provider {
        Issuer::parse(issuer).unwrap().provider()
    }

    #[test]
    fn provider_is_detected_from_the_issuer_host() {
        for (issuer, provider) in [
            ("https://acme.okta.com", Provider::Okta),
            ("https://ACME.oktapreview.com/oauth2/default", Provider::Okta),
            ("https://acme.okta-emea.com", Provider::Okta),
            ("https://acme.okta-gov.com", Provider::Okta),
            ("https://login.microsoftonline.com/72f9/v2.0", Provider::Entra),
            ("https://login.microsoftonline.us/72f9/v2.0", Provider::Entra),
            ("https://login.partner.microsoftonline.cn/72f9/v2.0", Provider::Entra),
            ("https://acme.ciamlogin.com/72f9/v2.0", Provider::Entra),
            ("https://acme.eu.auth0.com/", Provider::Auth0),
            ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC", Provider::Cognito),
            ("https://cognito-idp.cn-north-1.amazonaws.com.cn/x", Provider::Cognito),
            ("https://accounts.google.com", Provider::Google),
            ("https://sso.acme.example", Provider::Generic),
        ] {
            assert_eq!(kind(issuer), provider, "{issuer}");
        }
    }

    #[test]
    fn host_similar_to_a_provider_host_is_generic() {
        for issuer in [
            "https://notokta.com",
            "https://okta.com.evil.example",
            "https://cognito-idp.evil.example",
            "https://x.amazonaws.com",
        ] {
            assert_eq!(kind(issuer), Provider::Generic, "{issuer}");
        }
    }
}
