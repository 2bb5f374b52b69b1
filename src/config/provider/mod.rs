//! What the configuration knows of the kinds of providers: who stands behind an issuer, short forms, and what each demands.
//!
//! It judges what is written; what is said to a provider, and understood of it, differs in `oidc::provider`.

mod requirements;
mod issuer_format;
mod issuer_shorthand;

pub(super) use issuer_format::is_guid;
pub use issuer_shorthand::build_pool_issuer;
pub(super) use issuer_shorthand::{IssuerShorthand, SHORTHANDS, parse_login_domain};
pub(super) use requirements::{
    ProviderSettings, choose_redirect_host, choose_redirect_ports, collect_warnings, find_conflicts,
};

use super::{Issuer, Partition, Provider};

/// Why a value cannot stand, and what to do: most often, which line to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueConflict {
    pub rule: String,
    pub remedy: String,
}

impl ValueConflict {
    fn new(rule: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { rule: rule.into(), remedy: instead.into() }
    }

    fn suggest_issuer(rule: &str, right: &str) -> Self {
        Self::new(rule, format!("write `issuer = \"{right}\"`"))
    }
}

/// What may be written behind `provider`.
pub(super) const PROVIDER_NAMES: [&str; 7] =
    ["auto", "okta", "entra", "auth0", "cognito", "google", "generic"];

/// Domains that belong to one kind, they and whatever is below them. Custom domains are generic unless the profile says more.
const DOMAINS: [(&str, Provider); 15] = [
    ("okta.com", Provider::Okta),
    ("oktapreview.com", Provider::Okta),
    ("okta-emea.com", Provider::Okta),
    ("okta-gov.com", Provider::Okta),
    ("okta.mil", Provider::Okta),
    ("login.microsoftonline.com", Provider::Entra),
    ("login.microsoftonline.us", Provider::Entra),
    ("login.partner.microsoftonline.cn", Provider::Entra),
    ("login.chinacloudapi.cn", Provider::Entra),
    ("sts.windows.net", Provider::Entra),
    ("sts.chinacloudapi.cn", Provider::Entra),
    ("ciamlogin.com", Provider::Entra),
    ("auth0.com", Provider::Auth0),
    // No issuer, but often taken for one.
    ("amazoncognito.com", Provider::Cognito),
    ("accounts.google.com", Provider::Google),
];

impl Provider {
    /// The kind that the written word names; `None` for "auto" and for what is no kind.
    pub(super) fn from_name(word: &str) -> Option<Self> {
        Some(match word {
            "auth0" => Self::Auth0,
            "cognito" => Self::Cognito,
            "entra" => Self::Entra,
            "generic" => Self::Generic,
            "google" => Self::Google,
            "okta" => Self::Okta,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::Cognito => "cognito",
            Self::Entra => "entra",
            Self::Generic => "generic",
            Self::Google => "google",
            Self::Okta => "okta",
        }
    }

    /// Google gives every desktop application a secret, and takes no code without it; it says itself that this is no
    /// secret in earnest (developers.google.com/identity/protocols/oauth2/native-app).
    pub(super) fn always_issues_secret(self) -> bool {
        self == Self::Google
    }

    /// Whose the person is in telemetry, in the words of AWS's guidance, which knows no others.
    pub fn telemetry_organization(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::Cognito => "cognito",
            Self::Entra => "azure",
            Self::Generic | Self::Google => "amazon-internal",
            Self::Okta => "okta",
        }
    }

    pub fn from_issuer(issuer: &Issuer) -> Self {
        Self::from_host(issuer.url().as_url().host_str().unwrap_or_default())
    }

    /// The issuer of a provider that has but one.
    pub(super) fn fixed_issuer(self) -> Option<&'static str> {
        (self == Self::Google).then_some("https://accounts.google.com")
    }

    /// Whose host this is, be it no issuer's.
    pub fn from_host(host: &str) -> Self {
        let host = host.strip_suffix('.').unwrap_or(host);
        if is_cognito_host(host) {
            return Self::Cognito;
        }
        DOMAINS
            .iter()
            .find(|(domain, _)| is_domain_or_below(host, domain))
            .map_or(Self::Generic, |(_, kind)| *kind)
    }
}

/// `cognito-idp.eu-west-1.amazonaws.com`, and the same in AWS's other partitions.
fn is_cognito_host(host: &str) -> bool {
    ["cognito-idp.", "cognito-idp-fips."].iter().any(|service| host.starts_with(service))
        && Partition::from_host(host).is_some()
}

fn is_domain_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(issuer: &str) -> Provider {
        Provider::from_issuer(&Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn the_issuers_host_tells_the_provider() {
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
    fn a_host_that_only_resembles_a_providers_is_generic() {
        for issuer in [
            "https://notokta.com",
            "https://okta.com.evil.example",
            "https://cognito-idp.evil.example",
            "https://x.amazonaws.com",
        ] {
            assert_eq!(kind(issuer), Provider::Generic, "{issuer}");
        }
    }

    #[test]
    fn each_word_but_auto_names_the_provider_that_answers_to_it() {
        for word in PROVIDER_NAMES {
            assert_eq!(Provider::from_name(word).map_or("auto", Provider::name), word);
        }
    }
}
