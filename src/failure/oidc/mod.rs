//! What a person can do when the provider says no, says nothing useful, or says what cannot be believed.
//!
//! Which of them it was is for `oidc` to tell; what each code of a provider asks for is in `advice`.

use crate::{
    config::Issuer,
    failure::{Exit, Failure},
    oidc::{
        Document, Error, Rejection, Skew, Source,
        callback::{AnswerError, Attempt, BindError, Obstacle, Refusal},
    },
    text::{Foreign, line},
    time::spoken,
};

mod advice;
mod application;
mod pasted;

use advice::advice;
pub use application::{UNBELIEVED, UnprovenError};
pub use pasted::NotTheAnswer;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(error) => error.into(),
            Error::Refused { error, description, uri: _ } => refused(&error, &description),
            Error::Unbelieved { means, error, description } => {
                application::unbelieved(means, &words(&error, &description))
            }
            Error::Redirected { source, to } => {
                let to = to.map_or_else(String::new, |to| format!(" to {}", to.line()));
                unusable("network/redirected", &source, &format!("redirects{to} instead of answering"))
            }
            Error::Status { source, status } => {
                unusable("network/status", &source, &format!("answered with HTTP status {}", status.as_u16()))
            }
            Error::NotJson { source } => unusable(
                "network/not_json",
                &source,
                "answered with a web page, as a captive portal or a proxy does",
            ),
            Error::Malformed { source } => unusable(
                "network/malformed",
                &source,
                "answered with something else than the standard describes",
            ),
            Error::Incomplete { source, lacks } => incomplete(&source, lacks),
            Error::Issuer { configured, stated } => Self::new(
                Exit::Configuration,
                "config/issuer",
                format!(
                    "the provider calls itself {}, the configuration says {}",
                    stated.line(),
                    Foreign::new(configured).line()
                ),
                "set `issuer` to the provider's own spelling, trailing slash included, and register the same in IAM",
            ),
            Error::LoginDomain { configured, stated } => Self::new(
                Exit::Configuration,
                "config/cognito_domain",
                format!(
                    "`cognito_domain` names {}, and the provider's own address is {}",
                    Foreign::new(configured).line(),
                    stated.line()
                ),
                "remove `cognito_domain`, which is needed only where the provider names no address of its own",
            ),
            Error::Endpoint { name, stated, refusal } => Self::new(
                Exit::Refused,
                "provider/endpoint",
                format!("the provider's {name} {} cannot be used: {refusal}", stated.line()),
                "tell whoever runs the provider: every address must be https",
            ),
        }
    }
}

/// The sign-in by code was wished for, and the provider has none.
#[derive(Debug)]
pub struct NoDeviceCodes<'a> {
    pub issuer: &'a Issuer,
}

impl From<NoDeviceCodes<'_>> for Failure {
    fn from(NoDeviceCodes { issuer }: NoDeviceCodes<'_>) -> Self {
        let what = format!("the provider at {} offers no sign-in by code", issuer.url().authority());
        let hint =
            "run `bedrock-sso login` without --device, with flow = \"browser\" or \"auto\" in the profile";
        Self::new(Exit::Refused, "provider/no_device_codes", what, hint)
    }
}

/// Signing out was not told to the provider.
#[derive(Debug)]
pub struct NotRevoked(pub Error);

const NOT_REVOKED: &str =
    "nothing is kept here any more; your provider's own page of sessions can end this one";

impl From<NotRevoked> for Failure {
    fn from(NotRevoked(error): NotRevoked) -> Self {
        match error {
            Error::Refused { error, description, uri: _ } => {
                let what =
                    format!("the provider refused to revoke the session: {}", words(&error, &description));
                Self::new(Exit::Refused, "provider/not_revoked", what, NOT_REVOKED)
            }
            Error::Unbelieved { means, error, description } => {
                let failure = application::unbelieved(means, &words(&error, &description));
                Self { hint: format!("{}; {NOT_REVOKED}", failure.hint), ..failure }
            }
            other => other.into(),
        }
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Refused(Refusal { error, description }) => refused(&error, &description),
            AnswerError::WrongIssuer { expected, actual } => {
                let actual = actual
                    .map_or_else(|| "no issuer".to_owned(), |actual| format!("the issuer {}", actual.line()));
                Self::new(
                    Exit::TokenRejected,
                    "sign-in/wrong_issuer",
                    format!("the answer to the sign-in names {actual}, not {}", line(&expected)),
                    "set `issuer` to exactly what the provider calls itself, trailing slash included",
                )
            }
        }
    }
}

/// The provider's own words, verbatim and escaped; the slug carries its code where it is one of the standard's.
fn refused(error: &Foreign, description: &Foreign) -> Failure {
    let code = error.line().to_string();
    let said = description.line().to_string();
    let what = format!("the provider refused the sign-in: {}", words(error, description));
    let is_code = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let slug = if is_code { format!("sign-in/{code}") } else { "sign-in/refused".to_owned() };
    Failure::new(Exit::Refused, slug, what, advice(&code, &said))
}

fn words(error: &Foreign, description: &Foreign) -> String {
    let (code, said) = (error.line(), description.line().to_string());
    if said.is_empty() { code.to_string() } else { format!("{code} ({said})") }
}

fn unusable(slug: &str, source: &Source, what: &str) -> Failure {
    let Source { document, host } = source;
    let (name, hint) = match document {
        Document::Discovery => ("discovery", "check `issuer`, and open it in a browser to see who answers"),
        Document::Keys => ("keys", "try again in a moment; open the issuer in a browser to see who answers"),
        Document::Tokens => ("sign-in service", "try again in a moment; nothing was lost"),
        Document::Device => ("device code service", "try again in a moment"),
        Document::Revocation => ("revocation endpoint", NOT_REVOKED),
    };
    Failure::new(Exit::Network, slug, format!("the provider's {name} at {host} {what}"), hint)
}

fn incomplete(source: &Source, lacks: &str) -> Failure {
    let hint = match lacks {
        "id_token" => "allow the application the scope `openid`, and keep `openid` in `scopes`",
        _ => "tell whoever runs the provider",
    };
    let what = format!("the answer of {} lacks {lacks}", source.host);
    Failure::new(Exit::Refused, "provider/incomplete", what, hint)
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let (slug, what, hint) = judged(rejection);
        Self::new(
            Exit::TokenRejected,
            format!("token/{slug}"),
            format!("the ID token was rejected: {what}"),
            hint,
        )
    }
}

const AGAIN: &str = "run `bedrock-sso login`; if it stays so, tell whoever runs the provider";
const CLOCK: &str =
    "set this computer's clock (better: let it follow network time), then run `bedrock-sso login`";

fn judged(rejection: Rejection) -> (&'static str, String, &'static str) {
    match rejection {
        Rejection::TooLarge => {
            ("too_large", "it is larger than 256 KiB".into(), "send fewer groups and claims in it")
        }
        Rejection::Malformed(_) | Rejection::Critical => {
            ("malformed", "it is not a signed token this program understands".into(), AGAIN)
        }
        Rejection::WrongKind { claim } => {
            ("malformed", format!("its {claim} is not what the standard allows"), AGAIN)
        }
        Rejection::Type { named } => {
            ("type", format!("it is another kind of token: {}", named.line()), AGAIN)
        }
        Rejection::Algorithm { named } => (
            "algorithm",
            format!("it is signed with \"{}\"", named.line()),
            "have the provider sign ID tokens with RS256, or another asymmetric algorithm that its discovery lists",
        ),
        Rejection::UnknownKey { .. } => {
            ("unknown_key", "it is signed with a key that the provider does not publish".into(), AGAIN)
        }
        Rejection::Signature => ("signature", "its signature is wrong".into(), AGAIN),
        Rejection::Missing { claim } => ("missing_claim", format!("it has no {claim}"), AGAIN),
        Rejection::Nonce => (
            "nonce",
            "it was issued for another sign-in".into(),
            "close older tabs, then run `bedrock-sso login`",
        ),
        Rejection::AccessTokenHash => {
            ("at_hash", "it does not belong to the access token beside it".into(), AGAIN)
        }
        Rejection::Subject => ("subject", "it names nobody".into(), AGAIN),
        Rejection::OtherSubject => (
            "other_subject",
            "it belongs to another person than the sign-in it renews".into(),
            "run `bedrock-sso login`",
        ),
        Rejection::Organization { claim, expected, actual } => {
            let actual = actual.map_or_else(|| "nobody's".to_owned(), |actual| actual.line().to_string());
            let what = format!("its {claim} is {actual}, and the profile asks for {}", expected.line());
            ("organization", what, "run `bedrock-sso login` and choose your account of that organization")
        }
        whose @ (Rejection::Issuer { .. }
        | Rejection::Audience { .. }
        | Rejection::AuthorizedParty { .. }) => whose_it_is(whose),
        times => out_of_time(&times),
    }
}

fn whose_it_is(rejection: Rejection) -> (&'static str, String, &'static str) {
    match rejection {
        Rejection::Issuer { expected, actual } => (
            "issuer",
            format!("its issuer is {}, not {}", actual.line(), expected.line()),
            "set `issuer` to exactly what the tokens say, trailing slash included",
        ),
        Rejection::AuthorizedParty { expected, actual } => (
            "azp",
            format!(
                "it was issued to the client {}, not {}",
                actual.map_or_else(|| "it does not name".to_owned(), |actual| actual.line().to_string()),
                expected.line()
            ),
            "check `client_id`",
        ),
        Rejection::Audience { expected, actual } => {
            let actual: Vec<String> = actual.iter().map(|one| one.line().to_string()).collect();
            (
                "audience",
                format!("it is meant for {}, not {}", actual.join(", "), expected.line()),
                "check `client_id`",
            )
        }
        _ => ("malformed", "it is not for this program".into(), AGAIN),
    }
}

fn out_of_time(rejection: &Rejection) -> (&'static str, String, &'static str) {
    match rejection {
        Rejection::Clock(Skew::AheadBy(span)) => {
            ("clock", format!("this computer's clock is {} ahead of the provider's", spoken(*span)), CLOCK)
        }
        Rejection::Clock(Skew::BehindBy(span)) => {
            ("clock", format!("this computer's clock is {} behind the provider's", spoken(*span)), CLOCK)
        }
        Rejection::Expired { at, now } => ("expired", format!("it expired at {at}, and it is {now}"), CLOCK),
        Rejection::NotYetValid { from, now } => {
            ("not_yet_valid", format!("it is valid from {from}, and it is {now}"), CLOCK)
        }
        Rejection::IssuedInTheFuture { at, now } => {
            ("not_yet_valid", format!("it was issued at {at}, and it is {now}"), CLOCK)
        }
        _ => ("malformed", "its times make no sense".into(), AGAIN),
    }
}

/// What to do about ports that others hold.
pub(super) const PORTS: &str =
    "end the program that holds the port, or register another and add it to `redirect_ports`";

impl From<BindError> for Failure {
    fn from(BindError { attempts }: BindError) -> Self {
        let tried: Vec<String> = attempts.iter().map(obstacle).collect();
        Self::new(
            Exit::SignInNeeded,
            "sign-in/port",
            format!("you need to sign in, and no redirect address could be taken: {}", tried.join("; ")),
            PORTS,
        )
    }
}

pub(super) fn obstacle(Attempt { address, obstacle }: &Attempt) -> String {
    match obstacle {
        Obstacle::InUse(Some(holder)) => {
            format!("{address} is in use by {} (process {})", holder.name.line(), holder.pid)
        }
        Obstacle::InUse(None) => format!("{address} is in use"),
        Obstacle::Denied => format!("{address} may not be used"),
        Obstacle::Other(kind) => format!("{address}: {kind}"),
    }
}
