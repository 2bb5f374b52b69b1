//! Sign-ins that do not meet the profile's `require`.
//!
//! The message says what is required and what the provider stated, because the user, the provider's administrator and
//! the author of the configuration each can be the one who must act. The hint names that one.

use crate::{
    hint::{Hint, NextCommand},
    oidc::UnmetRequirement,
    text::{UntrustedText, join_with_and, join_with_or, sanitize_line},
    time::format_duration,
};

/// What a sign-in lacks, as a clause, for a rejected token, a sign-in that has become too old, and `status`.
pub fn describe_unmet_requirement(unmet: &UnmetRequirement) -> String {
    match unmet {
        UnmetRequirement::Context { claim, accepted, actual } => {
            let accepted = join_with_or(&escape_all(accepted));
            match actual.as_slice() {
                [] => format!("the provider did not state `{claim}`, but the profile requires {accepted}"),
                actual => {
                    format!("the sign-in has the `{claim}` {}, but the profile requires {accepted}", quote(actual))
                }
            }
        }
        UnmetRequirement::Methods { missing, actual } => {
            let missing = join_with_and(&escape_all(missing));
            match actual.as_slice() {
                [] => format!("the provider did not state `amr`, but the profile requires {missing}"),
                actual => format!("the sign-in used {} (`amr`), but the profile requires {missing}", quote(actual)),
            }
        }
        UnmetRequirement::TooOld { age, limit } => {
            let (age, limit) = (format_duration(*age), format_duration(*limit));
            format!("you signed in at the provider {age} ago, but the profile allows {limit} (`max_age`)")
        }
        UnmetRequirement::NoAuthTime { limit } => {
            let limit = format_duration(*limit);
            format!("the provider did not state `auth_time`, but the profile has `max_age` {limit}")
        }
        UnmetRequirement::AuthTimeInFuture { at, now } => {
            format!("the sign-in is dated {at} (`auth_time`), but this computer's clock says {now}")
        }
        UnmetRequirement::EmailDomain { accepted, actual } => {
            let accepted = join_with_or(&escape_all(accepted));
            match actual {
                None => format!("the provider did not state `email`, but the profile requires one at {accepted}"),
                Some(actual) => {
                    format!("the account {} is not at {accepted}, which the profile requires", actual.to_safe_line())
                }
            }
        }
        UnmetRequirement::EmailNotVouched { address, claim } => {
            format!("the provider does not confirm that {} belongs to you (`{claim}`)", address.to_safe_line())
        }
    }
}

/// Slug, message and hint of a new sign-in that does not meet a requirement.
pub(super) fn describe_weak_sign_in(unmet: &UnmetRequirement) -> (&'static str, String, Hint) {
    (find_requirement_slug(unmet), describe_unmet_requirement(unmet), suggest_remedy(unmet))
}

fn find_requirement_slug(unmet: &UnmetRequirement) -> &'static str {
    match unmet {
        UnmetRequirement::Context { .. } => "acr",
        UnmetRequirement::Methods { .. } => "amr",
        UnmetRequirement::TooOld { .. }
        | UnmetRequirement::NoAuthTime { .. }
        | UnmetRequirement::AuthTimeInFuture { .. } => "max_age",
        UnmetRequirement::EmailDomain { .. } => "email_domain",
        UnmetRequirement::EmailNotVouched { .. } => "email_unverified",
    }
}

/// The hint for the one who can help: the user, or the provider's administrator.
fn suggest_remedy(unmet: &UnmetRequirement) -> Hint {
    let ask_for_claim = |claim: &str| {
        Hint::from(format!("ask the provider's administrator to put `{claim}` into the ID token of this application"))
    };
    match unmet {
        UnmetRequirement::Context { claim, accepted: _, actual } if actual.is_empty() => ask_for_claim(claim),
        UnmetRequirement::Methods { missing: _, actual } if actual.is_empty() => ask_for_claim("amr"),
        UnmetRequirement::Context { .. } | UnmetRequirement::Methods { .. } => Hint::run(NextCommand::Login)
            .text(" and use the stronger sign-in; if the provider offers none, ask its administrator to set it up"),
        // The provider was asked for a new authentication, and accepted an old session.
        UnmetRequirement::TooOld { .. } => {
            Hint::from("sign out of the provider in the browser, then run ").command(NextCommand::Login)
        }
        UnmetRequirement::NoAuthTime { .. } => ask_for_claim("auth_time"),
        UnmetRequirement::AuthTimeInFuture { .. } => super::suggest_clock(),
        UnmetRequirement::EmailDomain { accepted: _, actual: None } => ask_for_claim("email"),
        UnmetRequirement::EmailDomain { accepted, actual: Some(_) } => Hint::run(NextCommand::Login)
            .text(format!(" and choose your account at {}", join_with_or(&escape_all(accepted)))),
        UnmetRequirement::EmailNotVouched { address: _, claim: "email_verified" } => {
            "ask the provider's administrator to verify the address of your account".into()
        }
        // The organization (`hd`) or the tenant (`tid`) vouches for addresses, and the account belongs to none or another.
        UnmetRequirement::EmailNotVouched { .. } => {
            Hint::run(NextCommand::Login).text(" and choose your account of the organization")
        }
    }
}

/// The values of the configuration, escaped.
fn escape_all(values: &[String]) -> Vec<String> {
    values.iter().map(|value| sanitize_line(value)).collect()
}

/// The values of the provider, escaped.
fn quote(values: &[UntrustedText]) -> String {
    let values: Vec<String> = values.iter().map(UntrustedText::to_safe_line).collect();
    values.join(", ")
}
