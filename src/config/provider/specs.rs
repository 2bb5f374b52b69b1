//! What differs between identity providers: one struct literal for each provider.
//!
//! The configuration, the requests of `oidc` and the import of `setup` read these fields. No other code distinguishes
//! providers, so a new provider needs a literal here and nothing else. The comments cite the vendors' documents.

use super::{
    AcrSupport, EmailAuthority, MaxAgeSupport, Provider, SignInProofSupport,
    issuer_format::{self, IssuerParts, is_cognito_host, is_domain_or_below},
    issuer_shorthand::{IssuerShorthand, build_pool_issuer, expand_auth0, expand_cognito, expand_entra, expand_okta},
};
use crate::config::{AssertionAudience, KeyAlgorithm, RedirectHost, error::ValueConflict, keys};

/// The properties of a provider. A literal sets only the fields that differ from `STANDARD`.
#[derive(Debug)]
pub struct ProviderSpec {
    /// Domains that belong to the provider, including their subdomains.
    pub(in crate::config) domains: &'static [&'static str],
    /// Whether a host outside these domains belongs to the provider.
    has_host: fn(&str) -> bool,

    /// The issuer of a provider that has only one.
    pub(in crate::config) fixed_issuer: Option<&'static str>,
    /// The key that names the issuer in short form, such as `okta_domain`.
    pub(in crate::config) shorthand: Option<IssuerShorthand>,
    /// Returns the conflict if this cannot be an issuer of the provider; `None` if it can.
    pub(super) check_issuer: fn(&IssuerParts<'_>) -> Option<ValueConflict>,
    pub(super) issuer_ends_in_slash: bool,

    /// The loopback host for which the provider accepts a redirect URI.
    pub(super) redirect_host: RedirectHost,
    /// How strictly the provider compares a redirect URI with the registered ones.
    pub(super) redirect_rule: RedirectRule,
    /// Whether a text has the form of the provider's client IDs. `client_id_rule` describes that form in a warning.
    pub(super) is_client_id: fn(&str) -> bool,
    pub(super) client_id_rule: &'static str,
    /// Whether every application has a client secret and must send it.
    pub(in crate::config) always_issues_secret: bool,

    /// The scopes to request for a profile that names none.
    pub scopes: &'static [&'static str],
    /// Scopes that the provider answers with `invalid_scope`.
    pub(super) unknown_scopes: &'static [&'static str],
    /// The scope without which the provider issues no refresh token.
    pub(super) refresh_scope: Option<&'static str>,
    /// Whether a request with `offline_access` also has `prompt=consent`, which OIDC Core §11 demands "unless other
    /// conditions for processing the request permitting offline access to the requested resources are in place". The
    /// user then sees the consent page at each sign-in.
    pub offline_needs_consent: bool,
    /// Further parameters of the authorization request. A profile's `extra_params` win over them.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether the device flow carries PKCE too. RFC 8628 does not mention it, so it is off only where a provider is
    /// known to refuse parameters that it does not need.
    pub device_pkce: bool,
    /// The paths of the endpoints on a separate sign-in domain; `None` if the provider has no such domains.
    pub endpoint_paths: Option<EndpointPaths>,
    /// How to redeem a code if the application is registered as a single-page application.
    pub origin_retry: Option<OriginRetry>,

    /// How a profile restricts the sign-in to one organization, if the provider supports that.
    pub organization: Option<OrganizationParameter>,
    /// The parameter without which every account of the provider can sign in, and the warning if it is missing.
    pub(super) account_restriction: Option<(&'static str, &'static str)>,
    /// What the provider can prove about a sign-in, for `require`.
    pub proof: SignInProofSupport,
    /// Whether ID tokens may name the issuer without `https://`.
    pub has_bare_issuer: bool,

    /// The audience of a client assertion, if the configuration does not set `client_audience`.
    pub assertion_audience: AssertionAudience,
    /// The algorithm with which an RSA key signs, if neither the configuration nor discovery names one.
    pub rsa_algorithm: KeyAlgorithm,

    /// The page that ends the user's session in the browser.
    pub sign_out_page: SignOutPage,

    /// How the ID token gets the user's e-mail address, as the beginning of a hint.
    pub email_claim_remedy: &'static str,

    /// The value of the telemetry header for the organization. AWS's guidance sample defines the possible values.
    pub telemetry_organization: &'static str,
    /// The name of the provider in the configuration of AWS's guidance sample, if it differs from ours.
    pub(super) sample_name: Option<&'static str>,
    /// Derives the issuer from the configuration of that sample.
    pub sample_issuer: fn(&SampleIssuer<'_>) -> Option<String>,
}

/// How a redirect URI may differ from the registered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RedirectRule {
    /// The provider ignores the port of a loopback address (RFC 8252 §7.3).
    AnyPort,
    /// The provider compares the whole address including the port, so each port must be registered.
    RegisteredPort,
    /// As `RegisteredPort`; in addition, `redirect_host` is the only loopback host that can be registered.
    RegisteredPortAndHost,
}

/// Where the provider's page is that ends the user's session in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutPage {
    /// At the `end_session_endpoint` of discovery, if there is one. It accepts a request with `client_id` alone.
    Discovered,
    /// At this path of the issuer's host.
    Path(&'static str),
    /// The page needs something that this program does not have. The text says what, and follows "because it".
    Unusable(&'static str),
}

/// The paths of the endpoints on a separate sign-in domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointPaths {
    pub authorize: &'static str,
    pub token: &'static str,
    pub revoke: &'static str,
}

/// An `Origin` header for a second token request. It must not be sent at once: the provider rejects it for every other
/// kind of application. So the program sends it only after the provider has rejected the first request for its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginRetry {
    pub value: &'static str,
    /// The beginning of the `error_description` that asks for the header.
    pub refusal: &'static str,
}

/// The request parameter that names an organization, and the claim of the ID token that must name the same one.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationParameter {
    pub parameter: &'static str,
    /// The name of the claim, which can depend on the value of the parameter.
    pub claim: fn(&str) -> &'static str,
}

/// The fields of the guidance sample's configuration that determine an issuer.
#[derive(Clone, Copy, Debug)]
pub struct SampleIssuer<'a> {
    /// A domain without `https://`.
    pub domain: Option<&'a str>,
    pub okta_auth_server: Option<&'a str>,
    pub cognito_user_pool_id: Option<&'a str>,
    pub issuer: Option<&'a str>,
}

/// The redirect ports for a profile that names none, if the provider compares ports. The provider guides ask
/// administrators to register exactly these two.
pub const REGISTERED_PORTS: [u16; 2] = [8400, 8401];

/// The proofs that the standards define (OIDC Core §2, §3.1.2.1 and §5.1).
const STANDARD_PROOF: SignInProofSupport = SignInProofSupport {
    acr: AcrSupport::EssentialClaim,
    has_amr: |_| true,
    max_age: MaxAgeSupport::Parameter,
    email: EmailAuthority::Verified,
    is_announced: true,
    domain_parameter: None,
};

/// The properties that the standards define, for a provider without a literal. `offline_access` requests a refresh
/// token (OIDC Core §11). The port of a loopback redirect URI is arbitrary (RFC 8252 §7.3). The audience of an
/// assertion is the issuer (draft-ietf-oauth-rfc7523bis, FAPI 2.0 §5.3.2.1).
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
    offline_needs_consent: true,
    parameters: &[],
    device_pkce: true,
    endpoint_paths: None,
    origin_retry: None,
    organization: None,
    account_restriction: None,
    proof: STANDARD_PROOF,
    has_bare_issuer: false,
    assertion_audience: AssertionAudience::Issuer,
    rsa_algorithm: KeyAlgorithm::Rs256,
    sign_out_page: SignOutPage::Discovered,
    // Most providers offer the claims of the scopes `profile` and `email` in UserInfo only (OIDC Core §5.4).
    email_claim_remedy: "ask the provider's administrator to put `email` into the ID token",
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
    // Okta compares "Sign-in redirect URIs" exactly, including port and case (Okta, "OpenID Connect redirect URI").
    redirect_rule: RedirectRule::RegisteredPort,
    // Okta issues a refresh token if the application has that grant (Okta, "Refresh access tokens").
    offline_needs_consent: false,
    // Okta, "Step-up authentication using ACR values".
    proof: SignInProofSupport { acr: AcrSupport::AcrValues, is_announced: false, ..STANDARD_PROOF },
    // `aud` is the full address of the endpoint (Okta, "Build a JWT for client authentication").
    assertion_audience: AssertionAudience::Endpoint,
    // Okta's `end_session_endpoint` requires `id_token_hint`. This page ends the session without it (Okta, "Sign users
    // out").
    sign_out_page: SignOutPage::Path("/login/signout"),
    // "Always" in "Include in token type" (Okta, "Create API access claims").
    email_claim_remedy: "ask your Okta administrator to add the claim `email` to the ID token, included \"Always\"",
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
    // The portal accepts http for `localhost` only; 127.0.0.1 can be registered in the manifest only. Entra ignores the
    // port of both ("Redirect URI restrictions and limitations").
    redirect_host: RedirectHost::Localhost,
    is_client_id: issuer_format::is_guid,
    client_id_rule: "an \"Application (client) ID\" of Entra is a GUID",
    // For the platform "Single-page application" Entra rejects a request without `Origin` (AADSTS9002327). For every
    // other platform it rejects a request with it (AADSTS9002326; "Microsoft Entra authentication and authorization
    // error codes").
    origin_retry: Some(OriginRetry { value: "http://localhost", refusal: "AADSTS9002327:" }),
    // Entra asks for consent only where nobody has granted it yet. `prompt=consent` would ask every user again, and fail
    // in tenants where only administrators may consent (Microsoft, "OAuth 2.0 authorization code flow").
    offline_needs_consent: false,
    // Contexts: Microsoft, "Developer guide to Conditional Access authentication context". Only v1.0 ID tokens have
    // `amr`. The documented parameters of the authorization request lack `max_age`. Entra does not verify addresses,
    // and each tenant's administrators choose those of its accounts.
    proof: SignInProofSupport {
        acr: AcrSupport::AcrsClaim,
        has_amr: |issuer| !issuer.as_str().ends_with("/v2.0"),
        max_age: MaxAgeSupport::FreshPrompt,
        email: EmailAuthority::OfTenant { claim: "tid", find_tenant: issuer_format::find_entra_tenant },
        is_announced: false,
        ..STANDARD_PROOF
    },
    // Audience and PS256: Microsoft, "Application authentication certificate credentials".
    assertion_audience: AssertionAudience::Endpoint,
    rsa_algorithm: KeyAlgorithm::Ps256,
    email_claim_remedy: "ask your Entra administrator to add the optional claim `email` to the ID token",
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
    // Auth0 compares "Allowed Callback URLs" exactly (Auth0, "Application settings").
    redirect_rule: RedirectRule::RegisteredPort,
    // The client must compare the token's organization with the requested one (Auth0, "Work with tokens and
    // organizations").
    organization: Some(OrganizationParameter {
        parameter: "organization",
        claim: |named| if named.starts_with("org_") { "org_id" } else { "org_name" },
    }),
    // Auth0 issues a refresh token if the API allows offline access (Auth0, "Get refresh tokens").
    offline_needs_consent: false,
    email_claim_remedy: "add `email` to `scopes`, or give the user an e-mail address in Auth0",
    // Auth0, "Configure Step-up Authentication for Web Apps".
    proof: SignInProofSupport { acr: AcrSupport::AcrValues, is_announced: false, ..STANDARD_PROOF },
    telemetry_organization: "auth0",
    sample_issuer: |sample| sample.domain.map(|domain| format!("https://{domain}/")),
    ..STANDARD
};

static COGNITO: ProviderSpec = ProviderSpec {
    // Hosts of sign-in pages. Users often enter one of them as the issuer, and then get a hint.
    domains: &["amazoncognito.com"],
    has_host: is_cognito_host,
    shorthand: Some(IssuerShorthand { key: &keys::COGNITO_USER_POOL_ID, companion_key: None, expand: expand_cognito }),
    check_issuer: issuer_format::check_cognito,
    // "requires HTTPS over HTTP except for http://localhost" (CallbackURLs in the reference of CreateUserPoolClient).
    redirect_host: RedirectHost::Localhost,
    redirect_rule: RedirectRule::RegisteredPortAndHost,
    // Cognito always issues a refresh token, and rejects the scope that requests one (Amazon Cognito, "Scopes, M2M, and
    // resource servers").
    scopes: &["openid", "profile", "email"],
    unknown_scopes: &["offline_access"],
    refresh_scope: None,
    // Amazon Cognito, "Managed login endpoints reference".
    endpoint_paths: Some(EndpointPaths {
        authorize: "/oauth2/authorize",
        token: "/oauth2/token",
        revoke: "/oauth2/revoke",
    }),
    // `logout_uri`, one of the registered sign-out URLs, is required (Amazon Cognito, "The managed login user logout
    // endpoint").
    sign_out_page: SignOutPage::Unusable("needs a registered sign-out URL, to which it returns"),
    email_claim_remedy: "add `email` to `scopes`, and let the application read the attribute `email`",
    // Amazon Cognito, "Authentication levels with ACR and AMR claims".
    proof: SignInProofSupport { acr: AcrSupport::AcrValues, is_announced: false, ..STANDARD_PROOF },
    telemetry_organization: "cognito",
    sample_issuer: |sample| sample.cognito_user_pool_id.and_then(build_pool_issuer),
    ..STANDARD
};

static GOOGLE: ProviderSpec = ProviderSpec {
    domains: &["accounts.google.com"],
    fixed_issuer: Some("https://accounts.google.com"),
    check_issuer: issuer_format::check_google,
    // Desktop applications do not register redirect URIs, so `redirect_rule` stays the standard one (Google, "OAuth 2.0
    // for iOS & Desktop Apps").
    is_client_id: |id| id.ends_with(".apps.googleusercontent.com"),
    client_id_rule: "Google's client IDs end in .apps.googleusercontent.com",
    // Google gives every desktop application a secret and redeems no code without it, although its own documents do not
    // treat that value as confidential (developers.google.com/identity/protocols/oauth2/native-app).
    always_issues_secret: true,
    // Google rejects `offline_access`. Instead, `access_type` requests a refresh token, and Google issues another one
    // only after a consent screen (Google, "OpenID Connect", refresh tokens).
    scopes: &["openid", "email", "profile"],
    unknown_scopes: &["offline_access"],
    refresh_scope: None,
    parameters: &[("access_type", "offline"), ("prompt", "consent")],
    // Google documents no PKCE for devices, and answers "code_verifier or verifier is not needed" to a verifier for
    // which it has no challenge (panva/oauth4webapi, issue 119).
    device_pkce: false,
    // `hd` only preselects an account, so the program must compare the claim. `iss` may lack its scheme (Google,
    // "OpenID Connect", "Validating an ID token").
    organization: Some(OrganizationParameter { parameter: "hd", claim: |_| "hd" }),
    account_restriction: Some((
        "hd",
        "hd is missing, so every Google account that the consent screen allows can sign in; add hd = \"acme.com\"",
    )),
    // Google adds `amr` and `auth_time` to the tokens of applications that it has verified, and documents no parameter
    // that asks for another authentication ("Security bundle"). It answers for an address only if the account also
    // belongs to an organization ("OpenID Connect", `email_verified` and `hd`).
    proof: SignInProofSupport {
        acr: AcrSupport::Unsupported,
        has_amr: |_| false,
        max_age: MaxAgeSupport::Unsupported,
        email: EmailAuthority::VerifiedInOrganization { claim: "hd" },
        is_announced: false,
        domain_parameter: Some("hd"),
    },
    has_bare_issuer: true,
    email_claim_remedy: "add `email` to `scopes`",
    sample_issuer: |_| GOOGLE.fixed_issuer.map(str::to_owned),
    ..STANDARD
};

impl Provider {
    /// The properties of this provider. This is the only place that matches on the kind of a provider.
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

    /// The provider with this name in the configuration of AWS's guidance sample.
    pub fn from_sample_name(name: &str) -> Option<Self> {
        Self::all().find(|provider| provider.name() == name || provider.spec().sample_name == Some(name))
    }
}

impl ProviderSpec {
    /// Whether the host belongs to the provider, as an issuer or as another service of it.
    pub(super) fn owns_host(&self, host: &str) -> bool {
        (self.has_host)(host) || self.domains.iter().any(|domain| is_domain_or_below(host, domain))
    }
}
