//! The table of what providers do differently. No other file matches on the provider.
//!
//! It holds what is said to them and understood of them; what may be written in a profile for each is `config`'s.

use super::Error;
use crate::config::{Audience, KeyAlgorithm, Profile, Provider};

/// What to ask a provider for, unless the configuration says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) scopes: &'static [&'static str],
    /// Parameters of the authorization request.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    /// Where the endpoints stand on a sign-in domain that the profile names.
    pub(super) paths: Option<Paths>,
    /// How it redeems codes of applications that are registered as pages in a browser.
    pub(super) origin: Option<Origin>,
    membership: Option<Membership>,
    /// Whether its tokens may name the issuer without `https://`.
    bare_issuer: bool,
}

/// The parameter that names an organization, and the claim that names it in a token.
#[derive(Clone, Copy, Debug)]
struct Membership {
    parameter: &'static str,
    claim: fn(&str) -> &'static str,
}

/// An `Origin` header that is sent only after this very refusal: the provider refuses everybody else who sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) value: &'static str,
    refusal: &'static str,
}

impl Origin {
    pub(super) fn is_wanted(&self, error: &Error) -> bool {
        matches!(error, Error::Refused { description, .. } if description.line().to_string().starts_with(self.refusal))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) authorize: &'static str,
    pub(super) token: &'static str,
    pub(super) revoke: &'static str,
}

/// OIDC Core §11 for `offline_access`, which asks for a refresh token.
const STANDARD: Habits = Habits {
    scopes: &["openid", "profile", "email", "offline_access"],
    parameters: &[],
    paths: None,
    origin: None,
    membership: None,
    bare_issuer: false,
};

pub(super) fn habits(provider: Provider) -> Habits {
    match provider {
        Provider::Generic | Provider::Okta => STANDARD,
        // Redirect addresses of the platform "Single-page application": AADSTS9002327 without an Origin, and AADSTS9002326
        // with one for every other platform ("Microsoft Entra authentication and authorization error codes").
        Provider::Entra => Habits {
            origin: Some(Origin { value: "http://localhost", refusal: "AADSTS9002327:" }),
            ..STANDARD
        },
        // The answer to `organization` must be compared by whoever asks (Auth0, "Work with tokens and organizations").
        Provider::Auth0 => Habits {
            membership: Some(Membership {
                parameter: "organization",
                claim: |named| {
                    if named.starts_with("org_") { "org_id" } else { "org_name" }
                },
            }),
            ..STANDARD
        },
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
        // (Google, "OpenID Connect", refresh tokens). `hd` only chooses among the person's accounts, and whoever asks has to
        // compare the claim, and may find `iss` without its scheme (the same, "Validating an ID token").
        Provider::Google => Habits {
            scopes: &["openid", "email", "profile"],
            parameters: &[("access_type", "offline"), ("prompt", "consent")],
            membership: Some(Membership { parameter: "hd", claim: |_| "hd" }),
            bare_issuer: true,
            ..STANDARD
        },
    }
}

/// How a provider wants a private key to prove the application, unless the configuration or discovery says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assertions {
    pub(super) audience: Audience,
    /// How an RSA key signs where discovery does not say.
    pub(super) rsa: KeyAlgorithm,
}

pub(super) fn assertions(provider: Provider) -> Assertions {
    match provider {
        // The standard's next edition knows no other audience (draft-ietf-oauth-rfc7523bis), FAPI 2.0 §5.3.2.1 neither.
        Provider::Auth0 | Provider::Cognito | Provider::Generic | Provider::Google => {
            Assertions { audience: Audience::Issuer, rsa: KeyAlgorithm::Rs256 }
        }
        // Microsoft, "Application authentication certificate credentials".
        Provider::Entra => Assertions { audience: Audience::Endpoint, rsa: KeyAlgorithm::Ps256 },
        // Okta, "Build a JWT for client authentication": the whole address that it is used at.
        Provider::Okta => Assertions { audience: Audience::Endpoint, rsa: KeyAlgorithm::Rs256 },
    }
}

/// The organization that the profile asks for, where its provider leaves it to us to insist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Organization<'a> {
    pub(super) claim: &'static str,
    pub(super) named: &'a str,
}

pub fn organization(profile: &Profile) -> Option<Organization<'_>> {
    let Membership { parameter, claim } = habits(profile.provider).membership?;
    let named = profile.extra_params.get(parameter)?.as_str();
    Some(Organization { claim: claim(named), named })
}

/// The other name under which the provider's tokens may know their issuer.
pub fn issuer_alias(profile: &Profile) -> Option<&str> {
    let (_, bare) = profile.issuer.as_str().split_once("://")?;
    habits(profile.provider).bare_issuer.then_some(bare)
}

impl Organization<'_> {
    /// An asterisk stands for any organization, but not for none.
    pub(super) fn is(&self, stated: Option<&str>) -> bool {
        stated.is_some_and(|stated| self.named == "*" || self.named.eq_ignore_ascii_case(stated))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Provider,
        http::{
            Trust,
            testing::{Server, block_on, client, respond},
        },
        oidc::{
            Error, Tokens,
            testing::{base, metadata, profile, proven},
            token::post,
        },
        text::Foreign,
    };

    const GRANTED: &str = r#"{"access_token":"at","id_token":"a.b.c"}"#;

    /// A provider that takes the application for a page in a browser, and answers a page so.
    fn of_pages(answer: &'static str) -> Server {
        Server::plain(move |request, out| {
            let first =
                r#"{"error":"invalid_request","error_description":"AADSTS9002327: Tokens issued for"}"#;
            let is_page = request.to_lowercase().contains("\r\norigin: http://localhost\r\n");
            let body = if is_page { answer } else { first };
            respond(out, if body == GRANTED { "200 OK" } else { "400 Bad Request" }, "", body);
        })
    }

    fn redeemed(kind: Provider, grant: &str, server: &Server) -> Result<Tokens, Error> {
        let (profile, metadata) = (profile(kind), metadata(&base(server)));
        let application = proven(&profile, None);
        let form = [("grant_type", grant)];
        block_on(post(&client(&Trust::default()), &application, &metadata, &form, &[]))
    }

    fn code_of(outcome: Result<Tokens, Error>) -> Foreign {
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
            Foreign::new("invalid_request")
        );
        assert_eq!(server.requests.try_iter().count(), 1, "nobody else's way");
    }

    #[test]
    fn a_code_that_the_first_refusal_has_spent_is_told_by_that_refusal() {
        let server = of_pages(r#"{"error":"invalid_grant"}"#);
        let said = |grant| code_of(redeemed(Provider::Entra, grant, &server));
        assert_eq!(said("authorization_code"), Foreign::new("invalid_request"));
        assert_eq!(said("refresh_token"), Foreign::new("invalid_grant"));
    }
}
