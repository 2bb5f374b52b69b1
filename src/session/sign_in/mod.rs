//! Step 4 of the ladder: prompts the user to sign in, in a browser on this machine or with a code or address elsewhere.
//!
//! It decides whether this caller may prompt now, and by which method. It runs under both locks, and holds them until
//! the user has acted, so one application never prompts in two processes at once. The prompt is recorded before it is
//! shown and the tokens are stored before AWS is asked: a killed worker counts as a failed prompt, and a failed
//! exchange does not cost the user the sign-in. The browser's page shows the result of the whole ladder, not only of
//! the sign-in.

mod method_choice;
mod device_code;
mod callback;

use std::time::Duration;

use self::method_choice::{MethodChoice, MethodInputs, MethodPlan, choose_method, find_browser_obstacle};
pub use self::{callback::await_browser_failure, method_choice::SignInMethod};
use super::{
    Error, Ladder, MethodPreference, NoSignInMethod, OpenRecords, OpenSignIn, SessionCredentials, SignInEvent,
    SignInNeeded, SignInReason, UserInput, accept_destinations,
};
use crate::{
    aws::{self, AlgorithmSupport},
    cache::{CachedProvider, CredentialsRecord, FailureReport, LockedSignIn, PromptBackoff, RefreshHistory},
    config::{CallerKind, Profile},
    host::{Browser, ExecutionContext},
    identity::needs_user_info,
    log,
    oidc::{
        self, Application, AuthorizationRequest, ProviderMetadata, SignInProof, TokenGrant, TokenResponse,
        UnverifiedToken, VerifiedToken, fetch_user_info,
    },
    race::{RaceWinner, race_futures},
    secret::Secret,
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
    /// Prompts the user, and continues up to the stored credentials. Everything that can fail without the user is
    /// checked before the prompt: whether this caller may prompt, the client secret, and the method.
    pub(super) async fn sign_in_interactively(
        &self,
        records: &mut OpenRecords<'_, '_>,
        reason: SignInReason,
        user: &mut UserInput<'_>,
    ) -> Result<SessionCredentials, Error> {
        // A browser at a provider that is down would only show an error. So the provider must have answered in this run.
        let known = match reason {
            SignInReason::NoUsableToken | SignInReason::RequirementUnmet(_) => None,
            SignInReason::ProviderAnswered | SignInReason::RefreshRefused(_) => {
                // Cached metadata may be older than the administrator's correction.
                let cached = records.sign_in.lock.load_provider(self.now())?;
                cached.filter(|cached| self.check_algorithms(&cached.metadata).is_ok())
            }
        };
        self.check_prompt_allowed(records.sign_in.lock, reason)?;
        let application = self.load_application(records.sign_in.lock.folder())?;
        let browser = self.profile.chosen_browser(&self.host.environment);
        let (is_automatic, preference) = (!self.purpose.is_login(), self.purpose.method_preference());
        let inputs = build_method_inputs(self.profile, &browser, is_automatic, preference);
        let MethodChoice { plan, reason } = choose_method(&inputs, self.context);
        log::info("session", format_args!("sign-in method: {plan:?} ({reason})"));
        let known = match (plan, known) {
            (MethodPlan::DeviceCodeOr(_) | MethodPlan::Use(SignInMethod::DeviceCode), None) => {
                Some(self.fetch_provider_or_cancel(records.sign_in.lock, user).await?)
            }
            (_, known) => known,
        };
        let gives_codes = known.as_ref().is_some_and(|known| known.metadata.device_authorization_endpoint.is_some());
        match (plan.resolve_method(gives_codes).map_err(SignInNeeded::NoMethod)?, known) {
            (SignInMethod::DeviceCode, Some(mut known)) => {
                self.sign_in_by_device_code(records, &application, &mut known, user).await
            }
            (way, known) => self.sign_in_by_callback(records, &application, way, &browser, known, user).await,
        }
    }

    /// The provider's metadata, fetched now, if a sign-in there can lead to credentials; fails if the user cancels
    /// meanwhile.
    async fn fetch_provider_or_cancel(
        &self,
        sign_in: &LockedSignIn<'_>,
        user: &mut UserInput<'_>,
    ) -> Result<CachedProvider, Error> {
        match race_futures(self.fetch_provider(sign_in), user.cancel_signal.as_mut()).await {
            // Without the check the user would sign in for nothing.
            RaceWinner::Left(known) => known.and_then(|known| self.check_algorithms(&known.metadata).map(|()| known)),
            RaceWinner::Right(()) => Err(Error::Interrupted),
        }
    }

    /// Fails if the provider lists the algorithms of its ID tokens and none of them can be used.
    fn check_algorithms(&self, metadata: &ProviderMetadata) -> Result<(), Error> {
        let Some(offered) = &metadata.algorithms else { return Ok(()) };
        let verifiable: Vec<&String> = offered.iter().filter(|name| oidc::is_supported_algorithm(name)).collect();
        let federation = &self.profile.oidc.federation;
        if verifiable.iter().any(|name| aws::assess_algorithm(federation, name) != AlgorithmSupport::Refused) {
            return Ok(());
        }
        Err(Error::NoUsableAlgorithm { offered: offered.clone(), is_verifiable: !verifiable.is_empty() })
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
                Err(SignInNeeded::BackoffActive { until, now, why }.into())
            }
        }
    }

    /// Exchanges the authorization code for tokens (RFC 6749 §4.1.3), and continues with them.
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

    /// Verifies the tokens, stores them, and continues with steps 6 to 8.
    ///
    /// If another user has signed in, the credentials of the earlier user are removed before the new tokens are stored.
    /// A worker that is killed between the two leaves the earlier user's sign-in without credentials. The other order
    /// would leave the new user's sign-in with credentials of the earlier user.
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
        // Credentials of the same user stay, in case AWS issues no new ones.
        let OpenRecords { sign_in, credentials } = records;
        let is_another_user = sign_in.subject.as_deref() != Some(token.subject());
        if is_another_user {
            // The maximum session length is a property of the role, not of the user.
            let longest = credentials.longest;
            **credentials = CredentialsRecord { longest, ..CredentialsRecord::default() };
            credentials.store()?;
            sign_in.lock.remove_other_credentials()?;
        }
        if tokens.refresh_token.is_none() && oidc::requests_offline_access(&self.profile.oidc, &known.metadata) {
            log::warn(
                "session",
                format_args!("the provider issued no refresh token, although offline_access was requested"),
            );
            (self.report)(SignInEvent::NoRefreshToken);
        }
        sign_in.refresh_token = tokens.refresh_token;
        sign_in.proof = SignInProof::from_claims(token.claims());
        if sign_in.refresh_history == RefreshHistory::Refused {
            sign_in.refresh_history = RefreshHistory::Usual;
        }
        // The user has just made this sign-in, so the hosts of this profile and the provider are accepted too.
        accept_destinations(&mut sign_in.destinations, self.profile, &self.host.environment, Some(known));
        if is_another_user {
            sign_in.user_info.clear();
        }
        self.set_token(sign_in, &token)?;
        if is_another_user {
            // Removes what a process of the earlier user has stored since the first removal. From here on such a
            // process sees the new user and stores nothing. Without the first removal, a kill before this line would
            // leave the earlier user's credentials in place.
            sign_in.lock.remove_other_credentials()?;
        }
        let token = self.add_user_info(sign_in, known, token, tokens.access_token.as_ref()).await?;
        let granted = self.request_credentials(credentials, &token).await?;
        Ok(self.store_credentials(credentials, granted, sign_in.token_count))
    }

    /// Adds the claims of UserInfo to the token, and stores them, if the profile wants one that the ID token lacks.
    ///
    /// The sign-in is stored already, and continues without them if they cannot be fetched: then the subject, or an
    /// earlier answer about the same user, names the session.
    async fn add_user_info(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        known: &CachedProvider,
        token: VerifiedToken,
        access_token: Option<&Secret>,
    ) -> Result<VerifiedToken, Error> {
        if needs_user_info(&token, &self.profile.session_name) {
            match (&known.metadata.userinfo_endpoint, access_token) {
                (Some(endpoint), Some(access)) => {
                    log::debug("session", format_args!("the ID token lacks the user's name; asking UserInfo for it"));
                    let wanted = self.profile.user_info_claims();
                    match fetch_user_info(self.client, endpoint, access, token.subject(), wanted).await {
                        Ok(claims) => {
                            sign_in.user_info = claims;
                            sign_in.store()?;
                        }
                        Err(fault) => log::warn("session", format_args!("UserInfo cannot be used: {fault:?}")),
                    }
                }
                (None, _) => log::warn("session", format_args!("the provider's discovery names no usable UserInfo")),
                (Some(_), None) => {
                    log::warn("session", format_args!("UserInfo needs an access token, and the provider issued none"));
                }
            }
        }
        Ok(token.with_user_info(sign_in.user_info.clone()))
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
            Some(failure) => notes.prompt_backoff.record_failure(self.now(), failure.message.clone()),
        });
    }
}
