//! Failures of a sign-in at IAM Identity Center that a sign-in at an OpenID provider has too.
//!
//! They have the same slugs and exit codes. The words name Identity Center, and the hints name its administrator and its
//! pages, because no application and no redirect address is registered there.

use crate::{
    config::IdentityCenterSettings,
    failure::{Exit, Failure, oidc::describe_refused_sign_in, sign_in::quote_refresh_refusal},
    hint::{Hint, NextCommand},
    oidc::callback::CallbackError,
    session::SignInNeeded,
    text::sanitize_line,
    time::format_duration,
};

const IDENTITY_CENTER: &str = "IAM Identity Center";

impl Failure {
    /// The user has to sign in at Identity Center. Two reasons name it, and their advice differs from that for a provider.
    pub fn from_portal_sign_in_need(reason: SignInNeeded) -> Self {
        let (slug, what, hint) = match reason {
            SignInNeeded::RefreshRefused(refusal) => (
                "sign-in/refresh_refused",
                format!(
                    "you need to sign in, because {IDENTITY_CENTER} refused a refresh: {}",
                    quote_refresh_refusal(&refusal)
                ),
                Hint::run(NextCommand::LoginForce),
            ),
            SignInNeeded::SignInTimedOut { after, redirect_uri: _ } => (
                "sign-in/unanswered",
                format!("the sign-in was not completed within {}", format_duration(after)),
                Hint::run(NextCommand::Login).text(
                    " and complete it in the browser; if its page shows an error, show it to your AWS administrator",
                ),
            ),
            other @ (SignInNeeded::PromptNotAllowed
            | SignInNeeded::RequirementUnmet(_)
            | SignInNeeded::IdTokenExpired
            | SignInNeeded::BackoffActive { .. }
            | SignInNeeded::RequestRefused { .. }
            | SignInNeeded::NoBrowser { .. }
            | SignInNeeded::BrowserFailed { .. }
            | SignInNeeded::NoMethod(_)
            | SignInNeeded::PromptElsewhere { .. }
            | SignInNeeded::CodeExpired { .. }) => return other.into(),
        };
        Self::new(Exit::SignInNeeded, slug, what, hint)
    }

    /// The browser returned from Identity Center with an error.
    pub fn from_portal_callback_error(error: CallbackError) -> Self {
        match error {
            CallbackError::Refused { error, description } => {
                let hint = advise_on_refusal(&error.to_safe_line());
                describe_refused_sign_in(IDENTITY_CENTER, &error, &description, hint)
            }
            CallbackError::WrongIssuer { .. } => error.into(),
        }
    }

    /// `logout --browser` at an Identity Center, which documents no address that ends the session in the browser.
    pub fn from_missing_portal_sign_out_page(center: &IdentityCenterSettings) -> Self {
        let what = format!("{IDENTITY_CENTER} names no sign-out page");
        let hint = format!(
            "sign out in the access portal at {}; this computer stores no session any more",
            sanitize_line(center.start_url.as_str())
        );
        Self::new(Exit::Refused, "provider/no_sign_out_page", what, hint)
    }
}

/// The hint after an error that Identity Center returned to the browser's callback.
fn advise_on_refusal(code: &str) -> Hint {
    match code {
        "access_denied" => Hint::from("if you pressed Deny, run ")
            .command(NextCommand::Login)
            .text(" and allow the access; otherwise ask your AWS administrator whether you may sign in"),
        _ => "show this message to your AWS administrator".into(),
    }
}
