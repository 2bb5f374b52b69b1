//! Interprets the few answers that differ between providers: a required `Origin` header, the organization claim, and a
//! second name of the issuer.
//!
//! `config::ProviderSpec` holds the differences as data. This module applies them.

use super::Error;
use crate::config::{OidcSettings, OrganizationParameter, OriginRetry};

/// Returns whether the provider refused the request because the application is registered as a single-page
/// application, whose requests must carry an `Origin` header.
pub(super) fn is_origin_required(retry: &OriginRetry, error: &Error) -> bool {
    matches!(error, Error::Refused { description, .. }
        if description.to_safe_line().starts_with(retry.refusal))
}

/// The organization that the profile requires. It exists only for providers that treat the request parameter as a
/// suggestion, so that this program must check the claim in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequiredOrganization<'a> {
    pub(super) claim: &'static str,
    pub(super) name: &'a str,
}

/// Finds the organization that ID tokens of this profile must name. `None` where the profile requires none, or where
/// the provider itself enforces it.
pub fn find_organization(settings: &OidcSettings) -> Option<RequiredOrganization<'_>> {
    let OrganizationParameter { parameter, claim } = settings.provider.spec().organization.as_ref()?;
    let name = settings.extra_params.get(*parameter)?.as_str();
    Some(RequiredOrganization { claim: claim(name), name })
}

/// Returns the second issuer name that this provider may write into `iss`. Google documents its issuer both with and
/// without `https://`.
pub fn find_issuer_alias(settings: &OidcSettings) -> Option<&str> {
    let (_, bare) = settings.issuer.as_str().split_once("://")?;
    settings.provider.spec().has_bare_issuer.then_some(bare)
}

impl RequiredOrganization<'_> {
    /// Compares the claim with the required name. An asterisk accepts any organization, but a token without the claim
    /// (a personal account) still fails.
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
            Error, ProviderSession, TokenResponse,
            testing::{server_base_url, test_application, test_metadata, test_settings},
        },
        text::UntrustedText,
    };

    const GRANTED: &str = r#"{"access_token":"at","id_token":"a.b.c"}"#;

    /// A provider that demands an `Origin` header, and gives `answer` to a request that has one.
    fn of_pages(answer: &'static str) -> LoopbackServer {
        LoopbackServer::start_plain(move |request, out| {
            let first = r#"{"error":"invalid_request","error_description":"AADSTS9002327: Tokens issued for"}"#;
            let is_page = request.to_lowercase().contains("\r\norigin: http://localhost\r\n");
            let body = if is_page { answer } else { first };
            write_response(out, if body == GRANTED { "200 OK" } else { "400 Bad Request" }, "", body);
        })
    }

    fn redeemed(kind: Provider, grant: &str, server: &LoopbackServer) -> Result<TokenResponse, Error> {
        let (settings, metadata) = (test_settings(kind), test_metadata(&server_base_url(server)));
        let application = test_application(&settings, None);
        let form = [("grant_type", grant)];
        let client = test_client(&TrustConfig::default());
        let provider = ProviderSession { client: &client, application: &application, metadata: &metadata };
        block_on(provider.request_tokens(&form, &[]))
    }

    fn code_of(outcome: Result<TokenResponse, Error>) -> UntrustedText {
        match outcome {
            Err(Error::Refused { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn request_is_repeated_with_origin_only_for_that_refusal() {
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
        assert_eq!(server.requests.try_iter().count(), 1, "only Entra needs this");
    }

    #[test]
    fn first_refusal_is_reported_if_it_spent_the_code() {
        let server = of_pages(r#"{"error":"invalid_grant"}"#);
        let said = |grant| code_of(redeemed(Provider::Entra, grant, &server));
        assert_eq!(said("authorization_code"), UntrustedText::new("invalid_request"));
        assert_eq!(said("refresh_token"), UntrustedText::new("invalid_grant"));
    }
}
