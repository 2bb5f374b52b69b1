//! Step 4 of the ladder: prompts the user to sign in, in a browser on this machine or with a code or address elsewhere.
//!
//! It decides whether this caller may prompt now, and by which method. It runs under both locks, and holds them until
//! the user has acted, so one application never prompts in two processes at once. The prompt is recorded before it is
//! shown and the tokens are stored before AWS is asked: a killed worker counts as a failed prompt, and a failed
//! exchange does not cost the user the sign-in. The browser's page shows the result of the whole ladder, not only of
//! the sign-in.

mod method_choice;
mod service;
mod device_code;
mod callback;
mod provider;
mod portal;

use std::time::Duration;

pub use self::{callback::await_browser_failure, method_choice::SignInMethod};
use self::{
    method_choice::{MethodChoice, MethodInputs, MethodPlan, choose_method, find_browser_obstacle},
    portal::PortalSignIn,
    provider::ProviderSignIn,
    service::{SignInResult, SignInService},
};
use super::{
    Error, Ladder, MethodPreference, NoSignInMethod, OpenRecords, ServiceSteps, SignInNeeded, SignInReason, UserInput,
};
use crate::{
    cache::{FailureReport, LockedSignIn, PromptBackoff},
    config::{CallerKind, Profile},
    host::{Browser, ExecutionContext},
    log,
    session::prompt::PromptFlow,
};

/// The time that the user has at least, even if the provider was slow before the prompt.
const MIN_PROMPT_TIME: Duration = Duration::from_secs(10);

/// The sign-in method that `login` would use here, with the reason; for `doctor`. `gives_codes` says
/// whether the provider supports device codes.
pub fn predict_method(
    profile: &Profile,
    browser: &Browser,
    context: &ExecutionContext,
    gives_codes: bool,
) -> (Result<SignInMethod, NoSignInMethod>, &'static str) {
    let inputs = build_method_inputs(profile, browser, false, MethodPreference::Any);
    let MethodChoice { plan, reason } = choose_method(&inputs, context);
    (plan.resolve_method(gives_codes), reason)
}

/// Fails with the reason if this browser cannot show a page to the user, for example over SSH without a display.
pub fn check_browser(profile: &Profile, browser: &Browser, context: &ExecutionContext) -> Result<(), &'static str> {
    let asked = build_method_inputs(profile, browser, false, MethodPreference::Any);
    find_browser_obstacle(&asked, context).map_or(Ok(()), Err)
}

fn build_method_inputs<'a>(
    profile: &Profile,
    browser: &'a Browser,
    is_automatic: bool,
    preference: MethodPreference,
) -> MethodInputs<'a> {
    let names_browser = !profile.browser.is_empty() && *browser != Browser::Disabled;
    MethodInputs { is_automatic, preference, flow: profile.flow, names_browser, browser }
}

impl Ladder<'_> {
    /// Prompts the user, and continues up to what the caller asked for. Everything that can fail without the user is
    /// checked before the prompt: whether this caller may prompt, the client secret, and the method.
    pub(super) async fn sign_in_interactively(
        &self,
        records: &mut OpenRecords<'_, '_>,
        reason: SignInReason,
        user: &mut UserInput<'_>,
    ) -> Result<SignInResult, Error> {
        // A browser at a provider that is down would only show an error. So the provider must have answered in this run.
        let has_answered = match reason {
            SignInReason::NoUsableToken | SignInReason::RequirementUnmet(_) => false,
            SignInReason::ProviderAnswered | SignInReason::RefreshRefused(_) => true,
        };
        self.check_prompt_allowed(records.sign_in.lock, reason)?;
        match self.service_steps() {
            ServiceSteps::Provider(steps) => {
                let service = ProviderSignIn::new(steps, records.sign_in.lock.folder())?;
                Box::pin(self.sign_in_at(&service, records, has_answered, user)).await
            }
            ServiceSteps::Portal(steps) => {
                Box::pin(self.sign_in_at(&PortalSignIn(steps), records, has_answered, user)).await
            }
        }
    }

    /// Chooses how the user signs in at this service, and runs it.
    async fn sign_in_at<S: SignInService>(
        &self,
        service: &S,
        records: &mut OpenRecords<'_, '_>,
        has_answered: bool,
        user: &mut UserInput<'_>,
    ) -> Result<SignInResult, Error> {
        let known = if has_answered { service.recall(records.sign_in.lock)? } else { None };
        let browser = self.profile.chosen_browser(&self.host.environment);
        let (is_automatic, preference) = (!self.purpose.is_login(), self.purpose.method_preference());
        let inputs = build_method_inputs(self.profile, &browser, is_automatic, preference);
        let MethodChoice { plan, reason } = choose_method(&inputs, self.context);
        log::info("session", format_args!("sign-in method: {plan:?} ({reason})"));
        let known = match (plan, known) {
            (MethodPlan::DeviceCodeOr(_) | MethodPlan::Use(SignInMethod::DeviceCode), None) => {
                Some(service.prepare_or_cancel(records.sign_in.lock, PromptFlow::DeviceCode, user).await?)
            }
            (_, known) => known,
        };
        let gives_codes = known.as_ref().is_some_and(|known| service.gives_device_codes(known));
        match (plan.resolve_method(gives_codes).map_err(SignInNeeded::NoMethod)?, known) {
            (SignInMethod::DeviceCode, Some(mut known)) => {
                self.sign_in_by_device_code(service, records, &mut known, user).await
            }
            (way, known) => self.sign_in_by_callback(service, records, (way, &browser), known, user).await,
        }
    }

    /// Fails if this caller may not prompt: the profile allows it to `login` only, or an earlier prompt has failed and
    /// the backoff has not ended. `login` itself may always prompt, because the user has asked for it.
    fn check_prompt_allowed(&self, sign_in: &LockedSignIn<'_>, reason: SignInReason) -> Result<(), Error> {
        match self.purpose.caller() {
            CallerKind::SignIn => Ok(()),
            caller if !self.profile.login.allows_prompt(caller) => Err(match reason {
                SignInReason::NoUsableToken | SignInReason::ProviderAnswered => SignInNeeded::PromptNotAllowed,
                SignInReason::RefreshRefused(refusal) => SignInNeeded::RefreshRefused(refusal),
                SignInReason::RequirementUnmet(unmet) => SignInNeeded::RequirementUnmet(unmet),
            }
            .into()),
            _ => {
                let (backoff, now) = (sign_in.load_sign_in_notes().prompt_backoff, self.now());
                let Some(until) = backoff.blocked_until(now) else { return Ok(()) };
                let why = backoff.failure_reason().map(str::to_owned);
                let hint = backoff.failure_hint().cloned();
                Err(SignInNeeded::BackoffActive { until, now, why, hint }.into())
            }
        }
    }

    /// The time that the user has left to sign in.
    fn time_left(&self) -> Duration {
        self.profile.login_timeout.saturating_sub(self.started.elapsed()).max(MIN_PROMPT_TIME)
    }

    /// Counts a prompt that is about to start, and returns the earlier backoff for [`Self::show_prompt`] to restore.
    fn record_prompt(&self, sign_in: &LockedSignIn<'_>) -> Result<PromptBackoff, Error> {
        let before = sign_in.load_sign_in_notes().prompt_backoff;
        sign_in.update_notes(|notes| notes.prompt_backoff.record_prompt(self.now()))?;
        Ok(before)
    }

    /// Stores how the prompt ended. A failure to store it is only logged, because the user has the credentials already.
    fn record_outcome(&self, sign_in: &LockedSignIn<'_>, failure: Option<&FailureReport>) {
        sign_in.try_update_notes(|notes| match failure {
            None => notes.prompt_backoff.reset(),
            Some(FailureReport { message, hint, .. }) => {
                notes.prompt_backoff.record_failure(self.now(), message.clone(), hint.clone());
            }
        });
    }
}
