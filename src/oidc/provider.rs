//! The table of what providers do differently. No other file matches on the provider.
//!
//! It holds what is said to them and understood of them; what may be written in a profile for each is `config`'s.

use super::Error;
use crate::config::{AssertionAudience, KeyAlgorithm, Profile, Provider};

/// What to ask a provider for, unless the configuration says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProviderDefaults {
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the authorization request.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// Where the endpoints stand on a sign-in domain that the profile names.
    pub(super) paths: Option<EndpointPaths>,
    /// How it redeems codes of applications that are registered as pages in a browser.
    pub(super) origin: Option<OriginRetry>,
    membership: Option<OrganizationParameter>,
    /// Whether its tokens may name the issuer without `https://`.
    bare_issuer: bool,
}

/// The parameter that names an organization, and the claim that names it in a token.
#[derive(Clone, Copy, Debug)]
struct OrganizationParameter {
    parameter: &'static str,
    claim: fn(&str) -> &'static str,
}

/// An `OriginRetry` header that is sent only after this very refusal: the provider refuses everybody else who sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OriginRetry {
    pub(super) value: &'static str,
    trigger: &'static str,
}

impl OriginRetry {
    pub(super) fn is_required_by(&self, error: &Error) -> bool {
        matches!(error, Error::Refused { description, .. } if description.to_safe_line().to_string().starts_with(self.trigger))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndpointPaths {
    pub(super) authorize: &'static str,
    pub(super) token: &'static str,
    pub(super) revoke: &'static str,
}

/// OIDC Core §11 for `offline_access`, which asks for a refresh token.
const STANDARD: ProviderDefaults = ProviderDefaults {
    scopes: &["openid", "profile", "email", "offline_access"],
    parameters: &[],
    paths: None,
    origin: None,
    membership: None,
    bare_issuer: false,
};

pub(super) fn select_provider_defaults(provider: Provider) -> ProviderDefaults {
    match provider {
        Provider::Generic | Provider::Okta => STANDARD,
        // Redirect addresses of the platform "Single-page application": AADSTS9002327 without an Origin, and AADSTS9002326
        // with one for every other platform ("Microsoft Entra authentication and authorization error codes").
        Provider::Entra => ProviderDefaults {
            origin: Some(OriginRetry { value: "http://localhost", trigger: "AADSTS9002327:" }),
            ..STANDARD
        },
        // The answer to `organization` must be compared by whoever asks (Auth0, "Work with tokens and organizations").
        Provider::Auth0 => ProviderDefaults {
            membership: Some(OrganizationParameter {
                parameter: "organization",
                claim: |named| {
                    if named.starts_with("org_") { "org_id" } else { "org_name" }
                },
            }),
            ..STANDARD
        },
        // Gives a refresh token unasked, and refuses the scope that asks for one (Amazon Cognito, "Scopes, M2M, and
        // resource servers"). The paths are those of "Managed login endpoints reference".
        Provider::Cognito => ProviderDefaults {
            scopes: &["openid", "profile", "email"],
            paths: Some(EndpointPaths {
                authorize: "/oauth2/authorize",
                token: "/oauth2/token",
                revoke: "/oauth2/revoke",
            }),
            ..STANDARD
        },
        // Knows no `offline_access`: `access_type` asks, and only a consent screen brings the refresh token again
        // (Google, "OpenID Connect", refresh tokens). `hd` only chooses among the person's accounts, and whoever asks has to
        // compare the claim, and may find `iss` without its scheme (the same, "Validating an ID token").
        Provider::Google => ProviderDefaults {
            scopes: &["openid", "email", "profile"],
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
            membership: Some(OrganizationParameter { parameter: "hd", claim: |_| "hd" }),
            bare_issuer: true,
            ..STANDARD
        },
    }
}

/// How a provider wants a private key to prove the application, unless the configuration or discovery says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AssertionDefaults {
    pub(super) audience: AssertionAudience,
    /// How an RSA key signs where discovery does not say.
    pub(super) rsa: KeyAlgorithm,
}

pub(super) fn select_assertion_defaults(provider: Provider) -> AssertionDefaults {
    match provider {
        // The standard's next edition knows no other audience (draft-ietf-oauth-rfc7523bis), FAPI 2.0 §5.3.2.1 neither.
        Provider::Auth0 | Provider::Cognito | Provider::Generic | Provider::Google => {
            AssertionDefaults { audience: AssertionAudience::Issuer, rsa: KeyAlgorithm::Rs256 }
        }
        // Microsoft, "Application authentication certificate credentials".
        Provider::Entra => {
            AssertionDefaults { audience: AssertionAudience::Endpoint, rsa: KeyAlgorithm::Ps256 }
        }
        // Okta, "Build a JWT for client authentication": the whole address that it is used at.
        Provider::Okta => {
            AssertionDefaults { audience: AssertionAudience::Endpoint, rsa: KeyAlgorithm::Rs256 }
        }
    }
}

/// The organization that the profile asks for, where its provider leaves it to us to insist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredOrganization<'a> {
    pub(super) claim: &'static str,
    pub(super) name: &'a str,
}

pub fn find_organization(profile: &Profile) -> Option<RequiredOrganization<'_>> {
    let OrganizationParameter { parameter, claim } = select_provider_defaults(profile.provider).membership?;
    let named = profile.extra_params.get(parameter)?.as_str();
    Some(RequiredOrganization { claim: claim(named), name: named })
}

/// The other name under which the provider's tokens may know their issuer.
pub fn find_issuer_alias(profile: &Profile) -> Option<&str> {
    let (_, bare) = profile.issuer.as_str().split_once("://")?;
    select_provider_defaults(profile.provider).bare_issuer.then_some(bare)
}

impl RequiredOrganization<'_> {
    /// An asterisk stands for any organization, but not for none.
    pub(super) fn matches_claim(&self, stated: Option<&str>) -> bool {
        stated.is_some_and(|stated| self.name == "*" || self.name.eq_ignore_ascii_case(stated))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Provider,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client, write_response},
        },
        oidc::{
            Error, TokenResponse,
            testing::{server_base_url, test_application, test_metadata, test_profile},
            token::request_tokens,
        },
        text::UntrustedText,
    };

    const GRANTED: &str = r#"{"access_token":"at","id_token":"a.b.c"}"#;

    /// A provider that takes the application for a page in a browser, and answers a page so.
    fn of_pages(answer: &'static str) -> LoopbackServer {
        LoopbackServer::start_plain(move |request, out| {
            let first =
                r#"{"error":"invalid_request","error_description":"AADSTS9002327: Tokens issued for"}"#;
            let is_page = request.to_lowercase().contains("\r\norigin: http://localhost\r\n");
            let body = if is_page { answer } else { first };
            write_response(out, if body == GRANTED { "200 OK" } else { "400 Bad Request" }, "", body);
        })
    }

    fn redeemed(kind: Provider, grant: &str, server: &LoopbackServer) -> Result<TokenResponse, Error> {
        let (profile, metadata) = (test_profile(kind), test_metadata(&server_base_url(server)));
        let application = test_application(&profile, None);
        let form = [("grant_type", grant)];
        block_on(request_tokens(&test_client(&TrustConfig::default()), &application, &metadata, &form, &[]))
    }

    fn code_of(outcome: Result<TokenResponse, Error>) -> UntrustedText {
        match outcome {
            Err(Error::Refused { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_application_registered_as_a_page_is_served_as_one_after_that_very_refusal() {
        let server = of_pages(GRANTED);
        for grant in ["authorization_code", "refresh_token"] {
            assert!(redeemed(Provider::Entra, grant, &server).is_ok());
            let asked = server.requests.try_iter().map(|asked| asked.to_lowercase().contains("\r\norigin: "));
            assert_eq!(asked.collect::<Vec<_>>(), [false, true], "{grant}");
        }
        assert_eq!(
            code_of(redeemed(Provider::Okta, "authorization_code", &server)),
            UntrustedText::new("invalid_request")
        );
        assert_eq!(server.requests.try_iter().count(), 1, "nobody else's way");
    }

    #[test]
    fn a_code_that_the_first_refusal_has_spent_is_told_by_that_refusal() {
        let server = of_pages(r#"{"error":"invalid_grant"}"#);
        let said = |grant| code_of(redeemed(Provider::Entra, grant, &server));
        assert_eq!(said("authorization_code"), UntrustedText::new("invalid_request"));
        assert_eq!(said("refresh_token"), UntrustedText::new("invalid_grant"));
    }
}
