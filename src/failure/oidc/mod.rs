//! Failures of the identity provider: refused sign-ins, unusable responses, rejected ID tokens and blocked callback
//! ports.
//!
//! `oidc` reports each of them as a typed fact. This module chooses the message, the hint, the slug and the exit code.
//! Text from the provider is untrusted: it reaches a message only through `to_safe_line` or `sanitize_line`, which
//! escape control characters. Hints for the error codes of single providers are rows of `vendor_hints.txt`.

use crate::{
    aws::AlgorithmRefuser,
    config::Profile,
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    oidc::{
        ClockSkew, Error, NoSignOutPage, ProviderEndpoint, RequestRefusal, ResponseSource, TokenRejection,
        callback::{BindAttempt, BindError, BindObstacle, CallbackError},
    },
    text::{UntrustedText, join_with_and, sanitize_line},
    time::format_duration,
};

mod provider_hints;
mod client_auth;
mod pasted_redirect;
mod requirement;

use provider_hints::{find_hint, find_specific_hint, find_standard_hint};
pub use requirement::describe_unmet_requirement;

impl From<Error> for Failure {
    /// Exit code 9 (network) where the response probably came from something else than the provider, such as a captive
    /// portal; 3 (configuration) where the provider contradicts the profile; 5 (refused) where the provider itself is
    /// at fault or says no.
    fn from(error: Error) -> Self {
        match error {
            Error::Http(error) => error.into(),
            // An error response of the token or device endpoint (RFC 6749 §5.2, RFC 8628 §3.5).
            Error::Refused { error, description } => describe_sign_in_refusal(&error, &description),
            // `invalid_client` (RFC 6749 §5.2) although the application sent a secret or a signed assertion.
            Error::ClientRejected { means, error, description } => {
                client_auth::describe_rejected_client(means, &quote_error(&error, &description))
            }
            // The client follows no redirect, so that no code, secret or token reaches another host.
            Error::Redirected { source, location } => {
                let place = location.map_or_else(String::new, |to| format!(" to {}", to.to_safe_line()));
                let what = format!("redirected{place} instead of answering");
                describe_unusable_document("network/redirected", &source, &what)
            }
            // Neither success nor an error response of OAuth: an outage of the provider, or a path that does not exist.
            Error::UnexpectedStatus { source, status } => {
                let what = format!("answered with HTTP status {}", status.as_u16());
                describe_unusable_document("network/status", &source, &what)
            }
            // Captive portals of hotels and proxies answer every request with a web page.
            Error::NotJson { source } => {
                let what = "returned a web page instead of JSON";
                describe_unusable_document("network/not_json", &source, what)
            }
            Error::Malformed { source } => {
                let what = "returned incomplete or nonstandard JSON";
                describe_unusable_document("network/malformed", &source, what)
            }
            Error::MissingMember { source, member: lacks } => describe_missing_field(&source, lacks),
            // OpenID Connect Discovery §4.3: both issuers must be identical, character by character. AWS compares in
            // the same way, so a missing slash that we forgave would fail at STS.
            Error::IssuerMismatch { configured, stated } => {
                let (configured, stated) = (UntrustedText::new(configured).to_safe_line(), stated.to_safe_line());
                let what = format!("the provider's issuer is {stated}, but the profile has {configured}");
                let hint = "set `issuer` to the provider's own spelling, including a trailing slash, and register the same in IAM";
                Self::new(Exit::Configuration, "config/issuer", what, hint)
            }
            // The profile sends the browser to a host that the provider's discovery document does not name.
            Error::LoginDomainMismatch { configured, stated } => {
                let (configured, stated) = (UntrustedText::new(configured).to_safe_line(), stated.to_safe_line());
                let what = format!("`cognito_domain` is {configured}, but the provider's sign-in page is at {stated}");
                let hint = "remove `cognito_domain`: the provider's discovery document has the right address";
                Self::new(Exit::Configuration, "config/cognito_domain", what, hint)
            }
            // Discovery names an http or file address. Only the provider can change that: no key of the profile
            // overrides it.
            Error::UnusableEndpoint { name, stated, refusal } => {
                let what = format!("the provider's {name} {} cannot be used: {refusal}", stated.to_safe_line());
                let hint = "ask the provider's administrator to publish only https addresses in the discovery document";
                Self::new(Exit::Refused, "provider/endpoint", what, hint)
            }
        }
    }
}

/// The hint after a failed revocation. Sign-out deletes the local session first, so only the provider still has it.
const NOT_REVOKED: &str = "end the session on the provider's sessions page; this computer no longer stores it";

impl Failure {
    /// `--device` or `flow = "device"` requests the device code flow, and the provider's discovery document has no
    /// `device_authorization_endpoint` (RFC 8628 §4).
    pub fn from_missing_device_flow(host: &str) -> Self {
        let what = format!("the provider at {host} does not offer the device code flow");
        let hint =
            Hint::run(NextCommand::Login).text(" without --device, or set flow = \"auto\" if the profile has `flow`");
        Self::new(Exit::Refused, "provider/no_device_codes", what, hint)
    }

    /// `logout --browser` found no page of the provider to open. The local session is deleted.
    pub fn from_missing_sign_out_page(reason: NoSignOutPage, profile: &Profile) -> Self {
        let host = profile.sign_in_host();
        let what = match reason {
            NoSignOutPage::NotNamed => format!("the provider at {host} names no sign-out page"),
            NoSignOutPage::Unusable(why) => format!("the sign-out page of {host} cannot be opened, because it {why}"),
        };
        let hint =
            "sign out on the provider's own pages, or delete its cookies; this computer stores no session any more";
        Self::new(Exit::Refused, "provider/no_sign_out_page", what, hint)
    }

    /// Revocation at sign-out failed (RFC 7009 §2.2.1). A rejected client gets both hints, because the user can fix the
    /// client secret and must still end the session.
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
            // An error response in the redirect (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6).
            CallbackError::Refused { error, description } => describe_sign_in_refusal(&error, &description),
            // RFC 9207 §2.4: an `iss` that differs may be a mix-up attack. So the hint says to check `issuer`, and does
            // not suggest the value that the response contains.
            CallbackError::WrongIssuer { expected, actual } => {
                let expected = sanitize_line(&expected);
                let what = match actual {
                    Some(actual) => {
                        format!("the sign-in response names the issuer {}, not {expected}", actual.to_safe_line())
                    }
                    None => format!("the sign-in response names no issuer, but {expected} was expected"),
                };
                let hint = "check that `issuer` is the provider's own spelling, including a trailing slash";
                Self::new(Exit::TokenRejected, "sign-in/wrong_issuer", what, hint)
            }
        }
    }
}

/// The provider's error code becomes the slug (`sign-in/access_denied`) if it is spelled as the codes of RFC 6749 are.
/// Any other text becomes `sign-in/refused`: a slug must not contain text that the provider chose freely.
fn describe_sign_in_refusal(error: &UntrustedText, description: &UntrustedText) -> Failure {
    let hint = find_hint(&error.to_safe_line(), &description.to_safe_line());
    describe_refused_sign_in("the provider", error, description, hint)
}

/// As [`describe_sign_in_refusal`], for this service.
pub(super) fn describe_refused_sign_in(
    service: &str,
    error: &UntrustedText,
    description: &UntrustedText,
    hint: Hint,
) -> Failure {
    let code = error.to_safe_line();
    let what = format!("{service} refused the sign-in: {}", quote_error(error, description));
    let is_code = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let slug = if is_code { format!("sign-in/{code}") } else { "sign-in/refused".to_owned() };
    Failure::new(Exit::Refused, slug, what, hint)
}

/// How the provider refuses an authorization request: its own words, or the status of its error page.
pub(super) fn describe_request_refusal(refusal: &RequestRefusal) -> String {
    match refusal {
        RequestRefusal::Error { error, description } => format!("the error {}", quote_error(error, description)),
        RequestRefusal::Page { status } => format!("an error page (HTTP status {})", status.as_u16()),
    }
}

/// The hint for the provider's words. `None` for an error page and for `invalid_request` without more words: most often
/// the client ID or the redirect URI is wrong then.
pub(super) fn advise_on_request_refusal(refusal: &RequestRefusal) -> Option<Hint> {
    match refusal {
        RequestRefusal::Error { error, description } => {
            let (code, said) = (error.to_safe_line(), description.to_safe_line());
            find_specific_hint(&code, &said).or_else(|| find_standard_hint(&code).filter(|_| code != "invalid_request"))
        }
        RequestRefusal::Page { .. } => None,
    }
}

/// `code (description)`, as the provider sent them but escaped: administrators search for this text.
pub(super) fn quote_error(error: &UntrustedText, description: &UntrustedText) -> String {
    let (code, said) = (error.to_safe_line(), description.to_safe_line());
    if said.is_empty() { code } else { format!("{code} ({said})") }
}

/// A response that no OpenID provider sends. Outages pass and captive portals are visible in a browser, so the hints
/// ask for another try or for a look with the browser, not for a change of the configuration alone.
fn describe_unusable_document(slug: &str, source: &ResponseSource, what: &str) -> Failure {
    let ResponseSource { endpoint: document, host } = source;
    let (name, hint) = match document {
        ProviderEndpoint::Discovery => (
            "discovery endpoint",
            "check `issuer`, and open it in a browser to see whether a captive portal or proxy answers",
        ),
        ProviderEndpoint::Keys => (
            "signing-key endpoint",
            "try again, then open `issuer` in a browser to see whether a captive portal or proxy answers",
        ),
        ProviderEndpoint::Token => ("token endpoint", "try again in a moment"),
        ProviderEndpoint::DeviceAuthorization => ("device authorization endpoint", "try again in a moment"),
        ProviderEndpoint::UserInfo => ("UserInfo endpoint", "try again in a moment"),
        ProviderEndpoint::Revocation => ("revocation endpoint", NOT_REVOKED),
    };
    Failure::new(Exit::Network, slug, format!("the provider's {name} at {host} {what}"), hint)
}

/// Valid JSON without a required member: of the discovery document (OpenID Connect Discovery §3) or of the token
/// response (OIDC Core §3.1.3.3). A missing `id_token` is the one case that the profile can cause: without the scope
/// `openid` the provider answers as plain OAuth.
fn describe_missing_field(source: &ResponseSource, lacks: &str) -> Failure {
    let hint = match lacks {
        "id_token" => "add `openid` to `scopes`, and allow this scope for the application at the provider",
        _ => "report this message to the provider's administrator",
    };
    let what = format!("the response from {} is missing {lacks}", source.host);
    Failure::new(Exit::Refused, "provider/incomplete", what, hint)
}

/// The remedy for signatures that cannot be used. All providers of the guides can sign with one of the two algorithms.
pub(super) const SUPPORTED_ALGORITHMS: &str =
    "ask the provider's administrator to sign the application's ID tokens with RS256 or ES256";

/// The most algorithms that a message names. The standards have a dozen.
const MAX_ALGORITHMS: usize = 12;

/// The fact that a provider's discovery document lists no algorithm that can be used.
pub(super) fn describe_offered_algorithms(offered: &[String], refuser: AlgorithmRefuser) -> String {
    let offered: Vec<String> = offered.iter().take(MAX_ALGORITHMS).map(|name| sanitize_line(name)).collect();
    let who = match refuser {
        AlgorithmRefuser::Program => "this program",
        AlgorithmRefuser::Aws => "AWS",
    };
    format!("the provider signs ID tokens only with {}, which {who} does not accept", join_with_and(&offered))
}

impl Failure {
    /// The provider's discovery document lists no algorithm that can be used. It ends the sign-in before the user is
    /// prompted, with the slug that a token of the provider would lead to.
    pub fn from_algorithms(offered: &[String], refuser: AlgorithmRefuser) -> Self {
        let what = describe_offered_algorithms(offered, refuser);
        Self::new(Exit::TokenRejected, "token/algorithm", what, SUPPORTED_ALGORITHMS)
    }
}

/// A rejected ID token is used for nothing and never stored, and the command ends with exit code 6.
impl From<TokenRejection> for Failure {
    fn from(rejection: TokenRejection) -> Self {
        let (slug, what, hint) = describe_rejection(rejection);
        Self::new(Exit::TokenRejected, format!("token/{slug}"), what, hint)
    }
}

/// The hint where no setting of the user can help: a new token may be good, and otherwise the provider is at fault.
fn suggest_login() -> Hint {
    Hint::run(NextCommand::Login).text("; if it fails again, report this message to the provider's administrator")
}

fn suggest_clock() -> Hint {
    Hint::from("synchronize this computer's clock with network time, then run ").command(NextCommand::Login)
}

/// Slug, message and hint of each check of OIDC Core §3.1.3.7 that an ID token can fail. Each message is a whole
/// sentence, because `login`, the browser page and the pause after a failed sign-in all quote it.
fn describe_rejection(rejection: TokenRejection) -> (&'static str, String, Hint) {
    match rejection {
        // Users with thousands of groups.
        TokenRejection::TooLarge => (
            "too_large",
            "the ID token is larger than 256 KiB".into(),
            "configure the provider to send fewer groups and claims in the ID token".into(),
        ),
        TokenRejection::Malformed(_) => ("malformed", "the ID token is not a valid signed JWT".into(), suggest_login()),
        // RFC 7515 §4.1.11: a reader that does not know the extension must reject the token.
        TokenRejection::CriticalHeader => {
            ("malformed", "the ID token requires an unsupported extension (`crit`)".into(), suggest_login())
        }
        TokenRejection::WrongClaimType { claim } => {
            ("malformed", format!("the ID token's claim {claim} has a nonstandard type"), suggest_login())
        }
        TokenRejection::WrongTokenType { named } => (
            "type",
            format!("the provider sent a token of type {} instead of an ID token", named.to_safe_line()),
            suggest_login(),
        ),
        // `none` and HMAC are rejected even if discovery lists them: an HMAC's key is the client secret, which is no
        // proof that the provider signed.
        TokenRejection::Algorithm { named } => (
            "algorithm",
            format!("the ID token is signed with \"{}\", which is not allowed", named.to_safe_line()),
            "configure the provider to sign with an asymmetric algorithm such as RS256, and to list it in its discovery"
                .into(),
        ),
        TokenRejection::ExchangeAlgorithm { named } => (
            "algorithm",
            format!("the ID token is signed with \"{}\", which AWS does not accept", named.to_safe_line()),
            SUPPORTED_ALGORITHMS.into(),
        ),
        // The keys were fetched again before this: a rotated key is not the cause.
        TokenRejection::UnknownKey { .. } => (
            "unknown_key",
            "the ID token is signed with a key that the provider does not publish".into(),
            suggest_login(),
        ),
        TokenRejection::Signature => ("signature", "the ID token's signature is wrong".into(), suggest_login()),
        TokenRejection::Missing { claim } => {
            ("missing_claim", format!("the ID token is missing the claim {claim}"), suggest_login())
        }
        TokenRejection::Requirement(unmet) => requirement::describe_weak_sign_in(&unmet),
        // OIDC Core §15.5.2. Mostly an older tab that was completed late.
        TokenRejection::NonceMismatch => (
            "nonce",
            "the ID token was issued for another sign-in".into(),
            Hint::from("close older sign-in tabs, then run ").command(NextCommand::Login),
        ),
        // OIDC Core §3.1.3.8: one of the two tokens was replaced on the way.
        TokenRejection::AccessTokenMismatch => (
            "at_hash",
            "the ID token does not match the access token that came with it (`at_hash`)".into(),
            suggest_login(),
        ),
        TokenRejection::InvalidSubject => {
            ("subject", "the ID token's subject (`sub`) is empty or longer than 255 bytes".into(), suggest_login())
        }
        // OIDC Core §12.2: a refresh must return the same `sub`.
        TokenRejection::SubjectChanged => (
            "other_subject",
            "the refreshed ID token belongs to another user".into(),
            Hint::run(NextCommand::Login).text(" to sign in again"),
        ),
        // `extra_params` names an organization (Google's `hd`, Auth0's `organization`). The provider let the user
        // choose an account of another one, so the user can choose again.
        TokenRejection::Organization { claim, expected, actual } => {
            let expected = expected.to_safe_line();
            let what = match actual {
                Some(actual) => {
                    format!("the ID token's {claim} is {}, but the profile requires {expected}", actual.to_safe_line())
                }
                None => format!("the ID token has no {claim}, but the profile requires {expected}"),
            };
            let hint = Hint::run(NextCommand::Login).text(" and choose your account of that organization");
            ("organization", what, hint)
        }
        TokenRejection::Issuer { expected, actual } => (
            "issuer",
            format!("the ID token's issuer is {}, not {}", actual.to_safe_line(), expected.to_safe_line()),
            "check that `issuer` is the provider's own spelling, including a trailing slash".into(),
        ),
        // OIDC Core §2: `azp` is the client that the token was issued to. It is required beside several audiences.
        TokenRejection::AuthorizedParty { expected, actual } => {
            let expected = expected.to_safe_line();
            let what = match actual {
                Some(actual) => {
                    format!("the ID token was issued to the client {}, not {expected}", actual.to_safe_line())
                }
                None => format!("the ID token has several audiences, but no `azp` claim that says whether {expected} is the client"),
            };
            ("azp", what, "check `client_id`".into())
        }
        // OIDC Core §3.1.3.7: `aud` must contain our client.
        TokenRejection::Audience { expected, actual } => {
            let expected = expected.to_safe_line();
            let actual: Vec<String> = actual.iter().map(|one| one.to_safe_line()).collect();
            if actual.is_empty() {
                let what = format!("the ID token is for nobody: its audience is empty, but should be {expected}");
                let hint = format!("ask the provider's administrator to add {expected} to the application's audience");
                return ("audience", what, hint.into());
            }
            let what = format!("the ID token's audience is {}, not {expected}", actual.join(", "));
            ("audience", what, "check `client_id`".into())
        }
        // The `Date` of the provider's response shows that this computer's clock is wrong. Without it, the three cases
        // below cannot say which of the two clocks is; the user can correct only this one.
        TokenRejection::WrongClock(skew) => {
            ("clock", format!("{} the provider's", describe_skew(skew)), suggest_clock())
        }
        TokenRejection::Expired { at, now } => {
            ("expired", format!("the ID token expired at {at}, and this computer's clock says {now}"), suggest_clock())
        }
        TokenRejection::NotYetValid { from, now } => {
            let what = format!("the ID token is not valid before {from}, and this computer's clock says {now}");
            ("not_yet_valid", what, suggest_clock())
        }
        TokenRejection::IssuedInTheFuture { at, now } => {
            let what = format!("the ID token was issued at {at}, but this computer's clock says {now}");
            ("not_yet_valid", what, suggest_clock())
        }
    }
}

/// How this computer's clock differs, up to the name of the other clock.
pub(super) fn describe_skew(skew: ClockSkew) -> String {
    let side = match skew {
        ClockSkew::AheadBy(_) => "ahead of",
        ClockSkew::BehindBy(_) => "behind",
    };
    format!("this computer's clock is {} {side}", format_duration(skew.span()))
}

/// The hint about occupied ports. A new port must be registered first, because providers compare the port of the
/// redirect URI unless they follow RFC 8252 §7.3.
pub(super) const PORTS: &str =
    "end the program that uses the port, or register another port and add it to `redirect_ports`";

/// No port of `redirect_ports` could be opened for the callback, so the browser could not return to this program. The
/// message names each address that was tried and, where the system says so, the program that uses it.
impl From<BindError> for Failure {
    fn from(BindError { attempts }: BindError) -> Self {
        let tried: Vec<String> = attempts.iter().map(describe_bind_attempt).collect();
        Self::new(
            Exit::SignInNeeded,
            "sign-in/port",
            format!("you need to sign in, but no callback address is available: {}", tried.join("; ")),
            PORTS,
        )
    }
}

/// One address of the callback listener and why it is not available. The name of the other program comes from the
/// system, and any user may choose it, so it is escaped.
pub(super) fn describe_bind_attempt(BindAttempt { address, obstacle }: &BindAttempt) -> String {
    match obstacle {
        BindObstacle::InUse(Some(holder)) => {
            format!("{address} is in use by {} (process {})", holder.name.to_safe_line(), holder.pid)
        }
        BindObstacle::InUse(None) => format!("{address} is in use"),
        BindObstacle::Denied => format!("the system does not allow a listener on {address}"),
        BindObstacle::Other(kind) => format!("cannot listen on {address}: {kind}"),
    }
}
