//! What differs between identity providers: one struct literal for each of them.
//!
//! Data only. The configuration, the requests of `oidc` and the import of `setup` act by it, and no other place in the program
//! knows one provider from another. Sources are the vendors' documents, as cited.

use super::{
    Provider,
    issuer_format::{self, IssuerParts, is_cognito_host, is_domain_or_below},
    issuer_shorthand::{IssuerShorthand, build_pool_issuer, expand_auth0, expand_cognito, expand_entra, expand_okta},
};
use crate::config::{AssertionAudience, KeyAlgorithm, RedirectHost, error::ValueConflict, keys};

/// What is special about a provider. The fields say what holds for most in `STANDARD`.
#[derive(Debug)]
pub struct ProviderSpec {
    /// Domains that belong to it, they and whatever is below them.
    pub(in crate::config) domains: &'static [&'static str],
    /// Whether a host belongs to it that is not below one of its domains.
    has_host: fn(&str) -> bool,

    /// The issuer of a provider that has only one.
    pub(in crate::config) fixed_issuer: Option<&'static str>,
    /// The key that stands for an issuer of this provider.
    pub(in crate::config) shorthand: Option<IssuerShorthand>,
    /// Why this cannot be an issuer of this provider, and what to write; `None` if it can.
    pub(super) check_issuer: fn(&IssuerParts<'_>) -> Option<ValueConflict>,
    pub(super) issuer_ends_in_slash: bool,

    /// The loopback host whose redirect addresses can be registered.
    pub(super) redirect_host: RedirectHost,
    /// How exactly redirect addresses are compared with the registered ones.
    pub(super) redirect_rule: RedirectRule,
    /// Whether a text has the form of its client identifiers, and what that form is.
    pub(super) is_client_id: fn(&str) -> bool,
    pub(super) client_id_rule: &'static str,
    /// Whether each application has a client secret that it cannot do without.
    pub(in crate::config) always_issues_secret: bool,

    /// The scopes to ask for where the profile names none.
    pub scopes: &'static [&'static str],
    /// Scopes that it answers with `invalid_scope`.
    pub(super) unknown_scopes: &'static [&'static str],
    /// The scope without which it issues no refresh token.
    pub(super) refresh_scope: Option<&'static str>,
    /// Parameters of the authorization request.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Where its endpoints are on a sign-in domain that the profile names; `None`: no such domain can be named.
    pub endpoint_paths: Option<EndpointPaths>,
    /// How it redeems codes of applications that are registered as pages in a browser.
    pub origin_retry: Option<OriginRetry>,

    /// The organization that a profile may restrict the sign-in to.
    pub organization: Option<OrganizationParameter>,
    /// The parameter without which any account of the provider can sign in, and the line to write.
    pub(super) account_restriction: Option<(&'static str, &'static str)>,
    /// Whether its tokens may name the issuer without `https://`.
    pub has_bare_issuer: bool,

    /// Whom an assertion with the application's key is for, and how an RSA key signs it, where neither the configuration nor
    /// discovery says so.
    pub assertion_audience: AssertionAudience,
    pub rsa_algorithm: KeyAlgorithm,

    /// The organization in telemetry, in the words of AWS's guidance, which knows no others.
    pub telemetry_organization: &'static str,
    /// What the sample of AWS's guidance calls it, if not by our name.
    pub(super) sample_name: Option<&'static str>,
    /// The issuer behind the facts of that sample.
    pub sample_issuer: fn(&SampleIssuer<'_>) -> Option<String>,
}

/// Whether redirect addresses may differ from those that are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RedirectRule {
    /// Any port (RFC 8252 §7.3).
    AnyPort,
    /// Compared to the letter, port included, so that a port has to be registered.
    RegisteredPort,
    /// The same, and no other loopback host can be registered than `redirect_host`.
    RegisteredPortAndHost,
}

/// The paths of the endpoints on a sign-in domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointPaths {
    pub authorize: &'static str,
    pub token: &'static str,
    pub revoke: &'static str,
}

/// An `Origin` header that is sent only after this very refusal: the provider refuses everybody else who sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginRetry {
    pub value: &'static str,
    /// How the description of the refusal begins.
    pub refusal: &'static str,
}

/// The parameter that names an organization, and the claim that names it in a token.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationParameter {
    pub parameter: &'static str,
    pub claim: fn(&str) -> &'static str,
}

/// What the sample of AWS's guidance says about an issuer.
#[derive(Clone, Copy, Debug)]
pub struct SampleIssuer<'a> {
    /// Without a scheme.
    pub domain: Option<&'a str>,
    pub okta_auth_server: Option<&'a str>,
    pub cognito_user_pool_id: Option<&'a str>,
    pub issuer: Option<&'a str>,
}

/// The ports of the redirect addresses where the profile names none and the provider compares ports.
pub(super) const REGISTERED_PORTS: [u16; 2] = [8400, 8401];

/// What holds for providers of which nothing else is known. OIDC Core §11 for `offline_access`, which asks for a refresh
/// token; RFC 8252 §7.3 for redirect addresses; draft-ietf-oauth-rfc7523bis and FAPI 2.0 §5.3.2.1 for the audience.
const STANDARD: ProviderSpec = ProviderSpec {
    domains: &[],
    has_host: |_| false,
    fixed_issuer: None,
    shorthand: None,
    check_issuer: |_| None,
    issuer_ends_in_slash: false,
    redirect_host: RedirectHost::LoopbackIp,
    redirect_rule: RedirectRule::AnyPort,
    is_client_id: |_| true,
    client_id_rule: "",
    always_issues_secret: false,
    scopes: &["openid", "profile", "email", "offline_access"],
    unknown_scopes: &[],
    refresh_scope: Some("offline_access"),
    parameters: &[],
    endpoint_paths: None,
    origin_retry: None,
    organization: None,
    account_restriction: None,
    has_bare_issuer: false,
    assertion_audience: AssertionAudience::Issuer,
    rsa_algorithm: KeyAlgorithm::Rs256,
    telemetry_organization: "amazon-internal",
    sample_name: None,
    sample_issuer: |sample| {
        let domain = || sample.domain.map(|domain| format!("https://{domain}"));
        sample.issuer.map(str::to_owned).or_else(domain)
    },
};

static GENERIC: ProviderSpec = STANDARD;

static OKTA: ProviderSpec = ProviderSpec {
    domains: &["okta.com", "oktapreview.com", "okta-emea.com", "okta-gov.com", "okta.mil"],
    shorthand: Some(IssuerShorthand {
        key: &keys::OKTA_DOMAIN,
        companion_key: Some(&keys::OKTA_AUTH_SERVER),
        expand: expand_okta,
    }),
    check_issuer: issuer_format::check_okta,
    // "Sign-in redirect URIs" are compared exactly, port and case included (Okta, "OpenID Connect redirect URI").
    redirect_rule: RedirectRule::RegisteredPort,
    // The whole address that it is used at (Okta, "Build a JWT for client authentication").
    assertion_audience: AssertionAudience::Endpoint,
    telemetry_organization: "okta",
    sample_issuer: |sample| {
        let path = sample.okta_auth_server.map_or_else(String::new, |server| format!("/oauth2/{server}"));
        sample.domain.map(|domain| format!("https://{domain}{path}"))
    },
    ..STANDARD
};

static ENTRA: ProviderSpec = ProviderSpec {
    domains: &[
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
        "sts.windows.net",
        "sts.chinacloudapi.cn",
        "ciamlogin.com",
    ],
    shorthand: Some(IssuerShorthand { key: &keys::ENTRA_TENANT, companion_key: None, expand: expand_entra }),
    check_issuer: issuer_format::check_entra,
    // The portal takes http for `localhost` only (127.0.0.1 in the manifest alone) and ignores the port of either
    // ("Redirect URI restrictions and limitations").
    redirect_host: RedirectHost::Localhost,
    is_client_id: issuer_format::is_guid,
    client_id_rule: "Entra's \"Application (client) ID\" is a GUID",
    // Redirect addresses of the platform "Single-page application": AADSTS9002327 without an Origin, and AADSTS9002326
    // with one for every other platform ("Microsoft Entra authentication and authorization error codes").
    origin_retry: Some(OriginRetry { value: "http://localhost", refusal: "AADSTS9002327:" }),
    // Microsoft, "Application authentication certificate credentials".
    assertion_audience: AssertionAudience::Endpoint,
    rsa_algorithm: KeyAlgorithm::Ps256,
    telemetry_organization: "azure",
    sample_name: Some("azure"),
    sample_issuer: |sample| sample.domain.map(issuer_format::build_entra_issuer),
    ..STANDARD
};

static AUTH0: ProviderSpec = ProviderSpec {
    domains: &["auth0.com"],
    shorthand: Some(IssuerShorthand { key: &keys::AUTH0_DOMAIN, companion_key: None, expand: expand_auth0 }),
    check_issuer: issuer_format::check_auth0,
    issuer_ends_in_slash: true,
    // "Allowed Callback URLs" are compared exactly (Auth0, "Application settings").
    redirect_rule: RedirectRule::RegisteredPort,
    // The answer to `organization` must be compared by the client (Auth0, "Work with tokens and organizations").
    organization: Some(OrganizationParameter {
        parameter: "organization",
        claim: |named| if named.starts_with("org_") { "org_id" } else { "org_name" },
    }),
    telemetry_organization: "auth0",
    sample_issuer: |sample| sample.domain.map(|domain| format!("https://{domain}/")),
    ..STANDARD
};

static COGNITO: ProviderSpec = ProviderSpec {
    // No issuer's, but often taken for one.
    domains: &["amazoncognito.com"],
    has_host: is_cognito_host,
    shorthand: Some(IssuerShorthand { key: &keys::COGNITO_USER_POOL_ID, companion_key: None, expand: expand_cognito }),
    check_issuer: issuer_format::check_cognito,
    // "requires HTTPS over HTTP except for http://localhost" (CallbackURLs in the reference of CreateUserPoolClient).
    redirect_host: RedirectHost::Localhost,
    redirect_rule: RedirectRule::RegisteredPortAndHost,
    // It issues a refresh token without being asked, and refuses the scope that asks for one (Amazon Cognito, "Scopes, M2M,
    // and resource servers").
    scopes: &["openid", "profile", "email"],
    unknown_scopes: &["offline_access"],
    refresh_scope: None,
    // "Managed login endpoints reference".
    endpoint_paths: Some(EndpointPaths {
        authorize: "/oauth2/authorize",
        token: "/oauth2/token",
        revoke: "/oauth2/revoke",
    }),
    telemetry_organization: "cognito",
    sample_issuer: |sample| sample.cognito_user_pool_id.and_then(build_pool_issuer),
    ..STANDARD
};

static GOOGLE: ProviderSpec = ProviderSpec {
    domains: &["accounts.google.com"],
    fixed_issuer: Some("https://accounts.google.com"),
    check_issuer: issuer_format::check_google,
    // Desktop applications need not register an address ("OAuth 2.0 for iOS & Desktop Apps").
    is_client_id: |id| id.ends_with(".apps.googleusercontent.com"),
    client_id_rule: "Google's client IDs end in .apps.googleusercontent.com",
    // It gives every desktop application a secret, and takes no code without it; it says itself that this is no secret in
    // earnest (developers.google.com/identity/protocols/oauth2/native-app).
    always_issues_secret: true,
    // It does not know `offline_access`: `access_type` asks, and only a consent screen brings the refresh token again (Google,
    // "OpenID Connect", refresh tokens).
    scopes: &["openid", "email", "profile"],
    unknown_scopes: &["offline_access"],
    refresh_scope: None,
    parameters: &[("access_type", "offline"), ("prompt", "consent")],
    // `hd` only chooses among the user's accounts, so that the claim has to be compared; `iss` may lack its scheme (the same,
    // "Validating an ID token").
    organization: Some(OrganizationParameter { parameter: "hd", claim: |_| "hd" }),
    account_restriction: Some((
        "hd",
        "hd is missing, so every Google account that the consent screen allows can sign in; add hd = \"acme.com\"",
    )),
    has_bare_issuer: true,
    sample_issuer: |_| GOOGLE.fixed_issuer.map(str::to_owned),
    ..STANDARD
};

impl Provider {
    /// What is special about this provider. This is the only match on the kind of a provider.
    pub fn spec(self) -> &'static ProviderSpec {
        match self {
            Self::Auth0 => &AUTH0,
            Self::Cognito => &COGNITO,
            Self::Entra => &ENTRA,
            Self::Generic => &GENERIC,
            Self::Google => &GOOGLE,
            Self::Okta => &OKTA,
        }
    }

    /// The provider that the sample of AWS's guidance calls by this name.
    pub fn from_sample_name(name: &str) -> Option<Self> {
        Self::all().find(|provider| provider.name() == name || provider.spec().sample_name == Some(name))
    }
}

impl ProviderSpec {
    pub(super) fn owns_host(&self, host: &str) -> bool {
        (self.has_host)(host) || self.domains.iter().any(|domain| is_domain_or_below(host, domain))
    }
}
