//! What a person can do when the provider says no, says nothing useful, or says what cannot be believed.
//!
//! Which of them it was is for `oidc` to tell; what each code of a provider asks for is in `advice`.

use crate::{
    config::Issuer,
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    oidc::{
        ClockSkew, Error, ProviderEndpoint, ResponseSource, TokenRejection,
        callback::{BindAttempt, BindError, BindObstacle, CallbackError},
    },
    text::{UntrustedText, sanitize_line},
    time::format_duration,
};

mod provider_hints;
mod client_auth;
mod pasted_redirect;

use provider_hints::find_hint;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(error) => error.into(),
            Error::Refused { error, description } => describe_sign_in_refusal(&error, &description),
            Error::ClientRejected { means, error, description } => {
                client_auth::describe_rejected_client(means, &quote_error(&error, &description))
            }
            Error::Redirected { source, location } => {
                let place = location.map_or_else(String::new, |to| format!(" to {}", to.to_safe_line()));
                let what = format!("redirects{place} instead of answering");
                describe_unusable_document("network/redirected", &source, &what)
            }
            Error::UnexpectedStatus { source, status } => {
                let what = format!("answered with HTTP status {}", status.as_u16());
                describe_unusable_document("network/status", &source, &what)
            }
            Error::NotJson { source } => {
                let what = "answered with a web page, as a captive portal or a proxy does";
                describe_unusable_document("network/not_json", &source, what)
            }
            Error::Malformed { source } => {
                let what = "answered with something else than the standard describes";
                describe_unusable_document("network/malformed", &source, what)
            }
            Error::MissingMember { source, member: lacks } => describe_missing_field(&source, lacks),
            Error::IssuerMismatch { configured, stated } => {
                let (configured, stated) = (UntrustedText::new(configured).to_safe_line(), stated.to_safe_line());
                let what = format!("the provider calls itself {stated}, the configuration says {configured}");
                let hint = "set `issuer` to the provider's own spelling, trailing slash included, and register the same in IAM";
                Self::new(Exit::Configuration, "config/issuer", what, hint)
            }
            Error::LoginDomainMismatch { configured, stated } => {
                let (configured, stated) = (UntrustedText::new(configured).to_safe_line(), stated.to_safe_line());
                let what = format!("`cognito_domain` names {configured}, and the provider's own address is {stated}");
                let hint =
                    "remove `cognito_domain`, which is needed only where the provider names no address of its own";
                Self::new(Exit::Configuration, "config/cognito_domain", what, hint)
            }
            Error::UnusableEndpoint { name, stated, refusal } => {
                let what = format!("the provider's {name} {} cannot be used: {refusal}", stated.to_safe_line());
                let hint = "report it to the provider's administrator: every address must be https";
                Self::new(Exit::Refused, "provider/endpoint", what, hint)
            }
        }
    }
}

const NOT_REVOKED: &str = "nothing is kept here any more; your provider's own page of sessions can end this one";

impl Failure {
    /// The user asked for a sign-in by code, and the provider offers none.
    pub fn from_missing_device_flow(issuer: &Issuer) -> Self {
        let what = format!("the provider at {} offers no sign-in by code", issuer.url().authority());
        let hint =
            Hint::run(NextCommand::Login).text(" without --device, with flow = \"browser\" or \"auto\" in the profile");
        Self::new(Exit::Refused, "provider/no_device_codes", what, hint)
    }

    /// The provider did not revoke the session at sign-out.
    pub fn from_revocation_error(error: Error) -> Self {
        match error {
            Error::Refused { error, description } => {
                let what = format!("the provider refused to revoke the session: {}", quote_error(&error, &description));
                Self::new(Exit::Refused, "provider/not_revoked", what, NOT_REVOKED)
            }
            Error::ClientRejected { .. } => {
                let failure = Self::from(error);
                let hint = failure.hint.clone().text("; ").text(NOT_REVOKED);
                failure.with_hint(hint)
            }
            Error::Http(_)
            | Error::Redirected { .. }
            | Error::UnexpectedStatus { .. }
            | Error::NotJson { .. }
            | Error::Malformed { .. }
            | Error::MissingMember { .. }
            | Error::IssuerMismatch { .. }
            | Error::LoginDomainMismatch { .. }
            | Error::UnusableEndpoint { .. } => error.into(),
        }
    }
}

impl From<CallbackError> for Failure {
    fn from(error: CallbackError) -> Self {
        match error {
            CallbackError::Refused { error, description } => describe_sign_in_refusal(&error, &description),
            CallbackError::WrongIssuer { expected, actual } => {
                let actual = actual
                    .map_or_else(|| "no issuer".to_owned(), |actual| format!("the issuer {}", actual.to_safe_line()));
                let what = format!("the answer to the sign-in names {actual}, not {}", sanitize_line(&expected));
                let hint = "set `issuer` to exactly what the provider calls itself, trailing slash included";
                Self::new(Exit::TokenRejected, "sign-in/wrong_issuer", what, hint)
            }
        }
    }
}

/// The provider's own words, verbatim and escaped; the slug carries its code where it is one of the standard's.
fn describe_sign_in_refusal(error: &UntrustedText, description: &UntrustedText) -> Failure {
    let code = error.to_safe_line();
    let said = description.to_safe_line();
    let what = format!("the provider refused the sign-in: {}", quote_error(error, description));
    let is_code = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let slug = if is_code { format!("sign-in/{code}") } else { "sign-in/refused".to_owned() };
    Failure::new(Exit::Refused, slug, what, find_hint(&code, &said))
}

fn quote_error(error: &UntrustedText, description: &UntrustedText) -> String {
    let (code, said) = (error.to_safe_line(), description.to_safe_line());
    if said.is_empty() { code } else { format!("{code} ({said})") }
}

fn describe_unusable_document(slug: &str, source: &ResponseSource, what: &str) -> Failure {
    let ResponseSource { endpoint: document, host } = source;
    let (name, hint) = match document {
        ProviderEndpoint::Discovery => ("discovery", "check `issuer`, and open it in a browser to see who answers"),
        ProviderEndpoint::Keys => ("keys", "try again in a moment; open the issuer in a browser to see who answers"),
        ProviderEndpoint::Token => ("sign-in service", "try again in a moment; nothing was lost"),
        ProviderEndpoint::DeviceAuthorization => ("device code service", "try again in a moment"),
        ProviderEndpoint::Revocation => ("revocation endpoint", NOT_REVOKED),
    };
    Failure::new(Exit::Network, slug, format!("the provider's {name} at {host} {what}"), hint)
}

fn describe_missing_field(source: &ResponseSource, lacks: &str) -> Failure {
    let hint = match lacks {
        "id_token" => "allow the application the scope `openid`, and keep `openid` in `scopes`",
        _ => "report it to the provider's administrator",
    };
    let what = format!("the answer of {} lacks {lacks}", source.host);
    Failure::new(Exit::Refused, "provider/incomplete", what, hint)
}

impl From<TokenRejection> for Failure {
    fn from(rejection: TokenRejection) -> Self {
        let (slug, what, hint) = describe_rejection(rejection);
        Self::new(Exit::TokenRejected, format!("token/{slug}"), format!("the ID token was rejected: {what}"), hint)
    }
}

fn suggest_login() -> Hint {
    Hint::run(NextCommand::Login).text("; if it stays so, report it to the provider's administrator")
}

fn suggest_clock() -> Hint {
    Hint::from("set this computer's clock (better: let it follow network time), then run ").command(NextCommand::Login)
}

fn describe_rejection(rejection: TokenRejection) -> (&'static str, String, Hint) {
    match rejection {
        TokenRejection::TooLarge => {
            ("too_large", "it is larger than 256 KiB".into(), "send fewer groups and claims in it".into())
        }
        TokenRejection::Malformed(_) | TokenRejection::CriticalHeader => {
            ("malformed", "it is not a signed token this program understands".into(), suggest_login())
        }
        TokenRejection::WrongClaimType { claim } => {
            ("malformed", format!("its {claim} is not what the standard allows"), suggest_login())
        }
        TokenRejection::WrongTokenType { named } => {
            ("type", format!("it is another kind of token: {}", named.to_safe_line()), suggest_login())
        }
        TokenRejection::Algorithm { named } => (
            "algorithm",
            format!("it is signed with \"{}\"", named.to_safe_line()),
            "have the provider sign ID tokens with RS256, or another asymmetric algorithm that its discovery lists"
                .into(),
        ),
        TokenRejection::UnknownKey { .. } => {
            ("unknown_key", "it is signed with a key that the provider does not publish".into(), suggest_login())
        }
        TokenRejection::Signature => ("signature", "its signature is wrong".into(), suggest_login()),
        TokenRejection::Missing { claim } => ("missing_claim", format!("it has no {claim}"), suggest_login()),
        TokenRejection::NonceMismatch => (
            "nonce",
            "it was issued for another sign-in".into(),
            Hint::from("close older tabs, then run ").command(NextCommand::Login),
        ),
        TokenRejection::AccessTokenMismatch => {
            ("at_hash", "it does not belong to the access token beside it".into(), suggest_login())
        }
        TokenRejection::InvalidSubject => ("subject", "it names nobody".into(), suggest_login()),
        TokenRejection::SubjectChanged => (
            "other_subject",
            "it belongs to another person than the sign-in it renews".into(),
            Hint::run(NextCommand::Login),
        ),
        TokenRejection::Organization { claim, expected, actual } => {
            let actual = actual.map_or_else(|| "nobody's".to_owned(), |actual| actual.to_safe_line());
            let what = format!("its {claim} is {actual}, and the profile asks for {}", expected.to_safe_line());
            let hint = Hint::run(NextCommand::Login).text(" and choose your account of that organization");
            ("organization", what, hint)
        }
        TokenRejection::Issuer { expected, actual } => (
            "issuer",
            format!("its issuer is {}, not {}", actual.to_safe_line(), expected.to_safe_line()),
            "set `issuer` to exactly what the tokens say, trailing slash included".into(),
        ),
        TokenRejection::AuthorizedParty { expected, actual } => (
            "azp",
            format!(
                "it was issued to the client {}, not {}",
                actual.map_or_else(|| "it does not name".to_owned(), |actual| actual.to_safe_line()),
                expected.to_safe_line()
            ),
            "check `client_id`".into(),
        ),
        TokenRejection::Audience { expected, actual } => {
            let actual: Vec<String> = actual.iter().map(|one| one.to_safe_line()).collect();
            (
                "audience",
                format!("it is meant for {}, not {}", actual.join(", "), expected.to_safe_line()),
                "check `client_id`".into(),
            )
        }
        TokenRejection::WrongClock(skew) => {
            let (span, side) = match skew {
                ClockSkew::AheadBy(span) => (span, "ahead of"),
                ClockSkew::BehindBy(span) => (span, "behind"),
            };
            let what = format!("this computer's clock is {} {side} the provider's", format_duration(span));
            ("clock", what, suggest_clock())
        }
        TokenRejection::Expired { at, now } => {
            ("expired", format!("it expired at {at}, and it is {now}"), suggest_clock())
        }
        TokenRejection::NotYetValid { from, now } => {
            ("not_yet_valid", format!("it is valid from {from}, and it is {now}"), suggest_clock())
        }
        TokenRejection::IssuedInTheFuture { at, now } => {
            ("not_yet_valid", format!("it was issued at {at}, and it is {now}"), suggest_clock())
        }
    }
}

/// What to do about ports that others hold.
pub(super) const PORTS: &str =
    "end the program that holds the port, or register another and add it to `redirect_ports`";

impl From<BindError> for Failure {
    fn from(BindError { attempts }: BindError) -> Self {
        let tried: Vec<String> = attempts.iter().map(describe_bind_attempt).collect();
        Self::new(
            Exit::SignInNeeded,
            "sign-in/port",
            format!("you need to sign in, and no redirect address could be taken: {}", tried.join("; ")),
            PORTS,
        )
    }
}

pub(super) fn describe_bind_attempt(BindAttempt { address, obstacle }: &BindAttempt) -> String {
    match obstacle {
        BindObstacle::InUse(Some(holder)) => {
            format!("{address} is in use by {} (process {})", holder.name.to_safe_line(), holder.pid)
        }
        BindObstacle::InUse(None) => format!("{address} is in use"),
        BindObstacle::Denied => format!("{address} may not be used"),
        BindObstacle::Other(kind) => format!("{address}: {kind}"),
    }
}
