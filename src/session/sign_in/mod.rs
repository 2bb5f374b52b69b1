//! Rung four: asking the person, in a browser here or by a code entered elsewhere, and telling them the truth at the end.
//!
//! It decides whether a person may be asked, and keeps what they gave before AWS hears of it.

mod method_choice;
mod device_code;
mod callback;

use std::time::Duration;

use self::method_choice::{MethodChoice, MethodInputs, MethodPlan, choose_method, find_browser_obstacle};
pub use self::{callback::await_browser_failure, method_choice::SignInMethod};
use super::{
    Error, Ladder, MethodPreference, NoSignInMethod, OpenRecords, SessionCredentials, SignInEvent, SignInNeeded,
    UserInput,
};
use crate::{
    cache::{CachedProvider, CredentialsRecord, FailureReport, LockedSignIn, PromptBackoff},
    config::{CallerKind, Profile},
    host::{Browser, ExecutionContext},
    log,
    oidc::{Application, AuthorizationRequest, TokenGrant, TokenResponse, UnverifiedToken},
    race::{RaceWinner, race_futures},
    secret::Secret,
};

/// What a person has at least, however long the provider took before they were asked.
const MIN_PROMPT_TIME: Duration = Duration::from_secs(10);

/// How `login` would ask a person here, and why so, given whether the provider gives codes.
pub fn predict_method(
    profile: &Profile,
    browser: &Browser,
    around: &ExecutionContext,
    gives_codes: bool,
) -> (Result<SignInMethod, NoSignInMethod>, &'static str) {
    let MethodChoice { plan, reason: because } =
        choose_for_profile(profile, browser, false, MethodPreference::Any, around);
    (plan.resolve_method(gives_codes), because)
}

/// Fails with the reason where a page cannot be shown in this browser: by SSH, without a display.
pub fn check_browser(profile: &Profile, browser: &Browser, around: &ExecutionContext) -> Result<(), &'static str> {
    let asked = build_method_inputs(profile, browser, false, MethodPreference::Any);
    find_browser_obstacle(&asked, around).map_or(Ok(()), Err)
}

fn choose_for_profile(
    profile: &Profile,
    browser: &Browser,
    automatically: bool,
    wish: MethodPreference,
    around: &ExecutionContext,
) -> MethodChoice {
    choose_method(&build_method_inputs(profile, browser, automatically, wish), around)
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
    pub(super) async fn sign_in_interactively(
        &self,
        records: &mut OpenRecords<'_, '_>,
        person: &mut UserInput<'_>,
    ) -> Result<SessionCredentials, Error> {
        self.check_prompt_allowed(records.sign_in.lock)?;
        let application = self.load_application(records.sign_in.lock.folder())?;
        let browser = self.profile.chosen_browser(&self.host.environment);
        let MethodChoice { plan, reason: because } = self.choose_sign_in_method(&browser);
        log::info("session", format_args!("the way in is {plan:?}: {because}"));
        let known = match plan {
            MethodPlan::DeviceCodeOr(_) | MethodPlan::Use(SignInMethod::DeviceCode) => {
                Some(self.get_provider_or_cancel(records.sign_in.lock, person).await?)
            }
            _ => None,
        };
        let gives_codes = known.as_ref().is_some_and(|known| known.metadata.device_authorization_endpoint.is_some());
        match (plan.resolve_method(gives_codes).map_err(SignInNeeded::NoMethod)?, known) {
            (SignInMethod::DeviceCode, Some(mut known)) => {
                self.sign_in_by_device_code(records, &application, &mut known, person).await
            }
            (way, known) => self.sign_in_by_callback(records, &application, way, &browser, known, person).await,
        }
    }

    fn choose_sign_in_method(&self, browser: &Browser) -> MethodChoice {
        let automatically = !self.purpose.is_login();
        choose_for_profile(self.profile, browser, automatically, self.purpose.method_preference(), self.context)
    }

    /// What the provider says of itself, unless the person gives up first.
    async fn get_provider_or_cancel(
        &self,
        sign_in: &LockedSignIn<'_>,
        person: &mut UserInput<'_>,
    ) -> Result<CachedProvider, Error> {
        match race_futures(self.get_provider(sign_in), person.cancel_signal.as_mut()).await {
            RaceWinner::Left(known) => known,
            RaceWinner::Right(()) => Err(Error::Interrupted),
        }
    }

    /// Whether a person may be asked by this command, now.
    fn check_prompt_allowed(&self, sign_in: &LockedSignIn<'_>) -> Result<(), Error> {
        match self.purpose.caller() {
            CallerKind::SignIn => Ok(()),
            caller if !self.profile.login.allows_prompt(caller) => Err(SignInNeeded::PromptNotAllowed.into()),
            _ => {
                let (door, now) = (sign_in.load_sign_in_notes().door, self.now());
                let Some(until) = door.blocked_until(now) else { return Ok(()) };
                Err(SignInNeeded::BackoffActive { until, now, why: door.failure_reason().map(str::to_owned) }.into())
            }
        }
    }

    /// Code to tokens, and on with them.
    async fn finish_with_code(
        &self,
        records: &mut OpenRecords<'_, '_>,
        application: &Application<'_>,
        known: &mut CachedProvider,
        request: &AuthorizationRequest,
        code: &Secret,
    ) -> Result<SessionCredentials, Error> {
        let (id_token, tokens) = self.provider_session(application, known).exchange_code(request, code).await?;
        self.finish_sign_in(records, known, id_token, tokens, TokenGrant::AuthorizationCode { nonce: &request.nonce })
            .await
    }

    /// The answer's tokens verified and kept, then AWS.
    async fn finish_sign_in(
        &self,
        records: &mut OpenRecords<'_, '_>,
        known: &mut CachedProvider,
        id_token: UnverifiedToken,
        tokens: TokenResponse,
        grant: TokenGrant<'_>,
    ) -> Result<SessionCredentials, Error> {
        (self.report)(SignInEvent::Answered);
        let token =
            self.verify_token(records.sign_in.lock, known, id_token, &self.expected_claims(&tokens, grant)).await?;
        // Nothing of an earlier user stays, whatever profile it was for. Credentials of the same user stay valid, should AWS
        // give no new ones.
        let OpenRecords { sign_in, credentials } = records;
        let is_another_user = sign_in.subject.as_deref() != Some(token.subject());
        if is_another_user {
            let longest = credentials.longest;
            **credentials = CredentialsRecord { longest, ..CredentialsRecord::default() };
            credentials.store()?;
            sign_in.lock.remove_other_credentials()?;
        }
        sign_in.refresh_token = tokens.refresh_token;
        self.set_destinations(sign_in, known);
        self.set_token(sign_in, &token)?;
        if is_another_user {
            // Those that another process stored meanwhile. Removed at the end alone, they would stay after a kill.
            sign_in.lock.remove_other_credentials()?;
        }
        let granted = self.request_credentials(credentials, &token).await?;
        Ok(self.store_credentials(credentials, granted, sign_in.token_count))
    }

    /// What is left of the person's time.
    fn time_left(&self) -> Duration {
        self.profile.login_timeout.saturating_sub(self.started.elapsed()).max(MIN_PROMPT_TIME)
    }

    /// Stores that the user is about to be prompted, and returns the backoff from before.
    fn record_prompt(&self, sign_in: &LockedSignIn<'_>) -> Result<PromptBackoff, Error> {
        let before = sign_in.load_sign_in_notes().door;
        sign_in.update_notes(|notes| notes.door.record_prompt(self.now()))?;
        Ok(before)
    }

    /// Stores how the prompt ended. It must not cost the user the credentials that they signed in for.
    fn record_outcome(&self, sign_in: &LockedSignIn<'_>, failure: Option<&FailureReport>) {
        sign_in.try_update_notes(|notes| match failure {
            None => notes.door.reset(),
            Some(failure) => notes.door.record_failure(self.now(), failure.message.clone()),
        });
    }
}
