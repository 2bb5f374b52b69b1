//! The ladder: the steps from the stored records to AWS credentials, in the order from cheap to expensive.
//!
//! 1. The caller serves credentials from the cache if they are fresh. It needs no lock, and no worker.
//! 2. A worker takes the locks of the sign-in and the credentials, and checks the records again.
//! 3. It refreshes the ID token, unless another role has obtained one a moment ago.
//! 4. If that is not possible, it prompts the user to sign in.
//! 5. It verifies the new ID token.
//! 6. It asks the quota service for approval.
//! 7. It exchanges the token at AWS.
//! 8. It stores the credentials, and only then reports them to the caller.
//!
//! At an Identity Center, an access token takes the place of the ID token. Step 5 does not exist there. In step 7 the
//! access portal issues the credentials of an assignment, with which the question of step 6 is signed, so step 6 comes
//! between the portal and everything else. `provider_steps` and `portal_steps` have what differs.
//!
//! As soon as the worker has a token without a prompt, it releases the sign-in's lock, so that other roles can work. It
//! reads the sign-in once more before it stores credentials, because the user may have changed meanwhile.
//!
//! Each step stores its result before the next one begins, so a worker that is killed loses at most the step at hand.
//! The one gap is the answer to a refresh: if the worker dies after the provider has replaced the refresh token and
//! before the new one is stored, the user has to sign in again. No secret is sent to a host that needs the user's
//! consent and has not got it (see `destinations`).

mod application;
mod open_records;
mod sign_in;
mod prompt;
mod quota_check;
mod destinations;
mod error;
mod sign_out;
mod purpose;
mod sign_in_token;
mod provider_steps;
mod portal_steps;
mod portal_token;
mod requirements;
mod refresh;
mod session_credentials;
mod id_token;

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::{
    aws::{Aws, CredentialStatus, GrantedCredentials},
    cache::{
        Cache, CredentialsRecord, Destinations, FailureReport, LockedCredentials, LockedSignIn, SignInRecord,
        assess_credentials,
    },
    config::{Profile, SignInSettings},
    hint::Invocation,
    host::{ExecutionContext, Host},
    http::Client,
    identity::SessionName,
    log,
    oidc::ClientFiles,
    time::Timestamp,
};

use application::load_application;
pub use destinations::{accept_destinations, check_destinations, find_unaccepted_changes};
pub use error::{DestinationChanged, Error, NoSignInMethod, SignInNeeded};
pub use id_token::{find_token_for, is_due_for_refresh};
use open_records::{OpenCredentials, OpenRecords, OpenSignIn};
use portal_steps::PortalSteps;
pub use prompt::{PastedTextError, PromptMethod, SignInEvent, SignInPrompt, UserInput};
use provider_steps::ProviderSteps;
pub use purpose::{
    CredentialsPurpose, LadderPurpose, LoginCondition, MethodPreference, PortalTokenUse, Prompting, TokenUse,
};
use refresh::{NonInteractiveToken, SignInReason, TokenSearch};
pub use requirements::{find_unmet_requirement, predict_renewal};
pub use session_credentials::{SessionCredentials, find_credentials};
pub use sign_in::{SignInMethod, await_browser_failure, check_browser, predict_method};
use sign_in_token::SignInToken;
pub use sign_out::{RevocationOutcome, SignOutPageSupport, SignOutReport, StoredRecords, sign_out};

/// For how long other roles use a new ID token without a refresh. It is long enough for profiles that a user starts at
/// the same time, and short enough that a user whom the provider blocks soon gets no more credentials.
const NEW_TOKEN_AGE: Duration = Duration::from_secs(5 * 60);

/// How long a run of the ladder waits for the provider before a prompt, in all its requests together.
const PROVIDER_TIME: Duration = Duration::from_secs(20);

/// What a request gets even if the earlier ones have used up [`PROVIDER_TIME`].
const MIN_REQUEST_TIME: Duration = Duration::from_secs(2);

/// The result of one run of the ladder.
#[derive(Debug)]
pub enum ClimbOutcome {
    /// The credentials. They are stored, unless storing failed, which the log says.
    Done(SessionCredentials),
    /// AWS refused this cached token, and the lock of the sign-in is already released. Take both locks again, in their
    /// order, and run the ladder with the refused token.
    TokenRefused(RefusedToken),
    /// During the exchange the user signed out, or another user signed in. The credentials were dropped, not stored.
    UserChanged,
}

/// A cached token that AWS refused.
#[derive(Debug)]
pub struct RefusedToken {
    token: SignInToken,
    /// The provider could not be asked for another one. AWS fetches the provider's keys itself and says the same for a
    /// key that is gone and for one that it could not fetch, so the token may still be good.
    after_network_failure: bool,
}

/// The credentials that AWS returned, before they are stored.
struct NewCredentials {
    granted: GrantedCredentials,
    /// `None` if AWS names the session itself and did not say how.
    session_name: Option<SessionName>,
    notice: Option<String>,
}

/// The steps that differ between the services at which a user signs in.
enum ServiceSteps<'l, 'a> {
    Provider(ProviderSteps<'l, 'a>),
    Portal(PortalSteps<'l, 'a>),
}

/// Resolves when the user cancels at the terminal.
pub type CancelSignal<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Everything that the ladder needs besides the locked records.
pub struct Ladder<'a> {
    /// What the caller wants; it decides which step is enough and whether the user may be prompted.
    pub purpose: LadderPurpose,
    pub profile: &'a Profile,
    pub host: &'a Host,
    pub client: &'a Client,
    pub client_files: &'a ClientFiles,
    pub aws: &'a Aws,
    pub context: &'a ExecutionContext,
    /// Shows the caller where the user is prompted.
    pub report: &'a dyn Fn(SignInEvent),
    /// The flags that select this profile, for the commands that the browser's page names.
    pub invocation: &'a Invocation,
    /// Turns an error into text, for the browser's page and the stored failure.
    pub describe: &'a dyn Fn(Error) -> FailureReport,
    /// When the worker started. The user's time to sign in counts from here, as the host's own timeout does.
    pub started: Instant,
}

impl std::fmt::Debug for Ladder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ladder({:?} for {})", self.purpose, self.profile.name)
    }
}

impl Ladder<'_> {
    /// Runs the steps in order and stores after each, so that a failure loses no completed work.
    ///
    /// It takes the sign-in's lock by value, and releases it as soon as it has a token without a prompt, so that a slow
    /// exchange for one role does not block other roles. `refused` is the cached token that AWS refused in the previous
    /// run, if there was one. It is marked as spent, so that this run does not present it again, unless the provider was
    /// not reached: then this is `login`, which prompts the user if the provider answers now.
    pub async fn get_credentials(
        &self,
        sign_in: LockedSignIn<'_>,
        credentials: &LockedCredentials<'_>,
        refused: Option<&RefusedToken>,
        user: &mut UserInput<'_>,
    ) -> Result<ClimbOutcome, Error> {
        let mut records =
            OpenRecords { sign_in: OpenSignIn::load(&sign_in)?, credentials: OpenCredentials::load(credentials)? };
        let was_provider_unreached = refused.is_some_and(|refused| refused.after_network_failure);
        if let Some(refused) = refused.filter(|_| !was_provider_unreached) {
            refused.token.mark_spent(&mut records.sign_in);
            records.sign_in.store()?;
        }
        // Before anything is used or sent.
        self.accept_or_reject_hosts(&mut records.sign_in)?;
        if let Some(ready) = self.reuse_credentials(&mut records).await? {
            return Ok(ClimbOutcome::Done(ready));
        }
        let search = match self.find_unused_token(&records) {
            _ if was_provider_unreached => TokenSearch::SignInNeeded(SignInReason::NoUsableToken),
            Some(token) => TokenSearch::Found(NonInteractiveToken::Cached { token, network_failure: None }),
            None => self.get_token_without_prompt(&mut records.sign_in).await?,
        };
        let token = match search {
            TokenSearch::Found(token) => token,
            TokenSearch::SignInNeeded(reason) => {
                let signed_in = Box::pin(self.sign_in_interactively(&mut records, reason, user)).await?;
                return signed_in.into_credentials().map(ClimbOutcome::Done);
            }
        };
        // The count belongs to this token. After the release another process may store the next token.
        let token_count = records.sign_in.token_count;
        let OpenRecords { mut credentials, sign_in: _ } = records;
        drop(sign_in);
        let (token, is_cached, network_failure) = match token {
            NonInteractiveToken::Refreshed(token) => (token, false, None),
            NonInteractiveToken::Cached { token, network_failure } => (token, true, network_failure),
        };
        let granted = self.request_credentials(&mut credentials, &token).await;
        // Without this check, credentials of the earlier user would appear in the session of the next one, or after a
        // sign-out. A sign-out that starts after the check waits for the credentials' lock before it removes them.
        if self.was_sign_in_replaced(credentials.lock, &token) {
            *credentials = CredentialsRecord::default();
            credentials.store()?;
            return Ok(ClimbOutcome::UserChanged);
        }
        let granted = match granted {
            Err(error) if is_cached => return self.handle_refused_token(error, token, network_failure),
            granted => granted?,
        };
        Ok(ClimbOutcome::Done(self.store_credentials(&mut credentials, granted, token_count)))
    }

    /// Decides what follows when AWS issued no credentials for a cached token.
    ///
    /// If AWS refuses it, the ladder runs again. But a provider that this computer did not reach is probably one that
    /// AWS did not reach either, so then the network failure is the result, and only `login` asks the provider again.
    fn handle_refused_token(
        &self,
        error: Error,
        token: SignInToken,
        network_failure: Option<FailureReport>,
    ) -> Result<ClimbOutcome, Error> {
        let is_refused = match &error {
            Error::Exchange { failed, .. } => {
                failed.is_token_refused() || (network_failure.is_some() && failed.is_provider_unreached())
            }
            Error::Assignment(error) => error.is_token_refused(),
            _ => false,
        };
        match network_failure {
            _ if !is_refused => Err(error),
            Some(report) if !self.purpose.is_login() => {
                log::info("session", format_args!("AWS did not accept the cached token: {error:?}"));
                Err(Error::Reported(report))
            }
            report => {
                let after_network_failure = report.is_some();
                Ok(ClimbOutcome::TokenRefused(RefusedToken { token, after_network_failure }))
            }
        }
    }

    /// The stored token, if another profile with the same sign-in obtained it a moment ago and this role has not used
    /// it yet. A refresh would only return an equivalent token, and would cost one more request for each role.
    fn find_unused_token(&self, records: &OpenRecords<'_, '_>) -> Option<SignInToken> {
        let OpenRecords { sign_in, credentials } = records;
        let is_new = sign_in.token_stored_at.is_some_and(|at| {
            at <= self.now() && self.now().duration_since(at) < NEW_TOKEN_AGE && !self.purpose.is_forced_login()
        });
        let is_unused = sign_in.token_count > credentials.token_count;
        let token = (is_new && is_unused).then(|| self.cached_token(sign_in)).flatten()?;
        Some(SignInToken::Id(Box::new(token)))
    }

    /// Whether the user has signed out, or another user has signed in, since the sign-in's lock was released. It reads
    /// the sign-in without the lock. If that fails, the credentials are not dropped: AWS granted them for a verified
    /// token.
    fn was_sign_in_replaced(&self, cache: &Cache, token: &SignInToken) -> bool {
        let is_other = |stored: SignInRecord| token.is_replaced(&stored);
        self.profile.storage.stores_anything() && cache.load_sign_in().is_ok_and(is_other)
    }

    /// Step 2: checks the stored credentials again under the lock, because another process may have renewed them since
    /// the caller checked.
    async fn reuse_credentials(&self, records: &mut OpenRecords<'_, '_>) -> Result<Option<SessionCredentials>, Error> {
        let stored = &mut records.credentials;
        let Some(credentials) = &stored.credentials else { return Ok(None) };
        let fresh = assess_credentials(credentials, self.now());
        let mut good = self.is_fresh_enough(fresh) && self.ensure_cleared(&mut records.sign_in, stored).await?;
        if good && self.purpose.is_login() {
            good = self.is_accepted_by_aws(stored).await?;
        }
        log::debug("session", format_args!("the stored credentials are {fresh:?}; using them: {good}"));
        Ok(find_credentials(stored, self.profile, self.now()).filter(|_| good))
    }

    /// Asks AWS whether it still accepts the stored credentials, and drops them if it refuses. A host runs `login` when
    /// AWS refused its credentials, so their expiry proves nothing here. A network failure is not a refusal.
    async fn is_accepted_by_aws(&self, stored: &mut OpenCredentials<'_>) -> Result<bool, Error> {
        let Some(credentials) = &stored.credentials else { return Ok(false) };
        if self.aws.check_credentials(credentials).await != CredentialStatus::Refused {
            return Ok(true);
        }
        log::info("session", format_args!("AWS no longer accepts the stored credentials; dropping them"));
        stored.credentials = None;
        stored.store()?;
        Ok(false)
    }

    fn service_steps(&self) -> ServiceSteps<'_, '_> {
        match &self.profile.sign_in {
            SignInSettings::Oidc(settings) => ServiceSteps::Provider(ProviderSteps { ladder: self, settings }),
            SignInSettings::IdentityCenter(settings) => {
                let portal = self.aws.identity_center().expect("the AWS client was built from this profile");
                ServiceSteps::Portal(PortalSteps { ladder: self, settings, portal })
            }
        }
    }

    /// A client for requests before a prompt. Their timeouts shrink, so that a provider that accepts connections and
    /// never answers costs about [`PROVIDER_TIME`] in all: some SDKs wait for less than 22 seconds.
    fn client_with_time_limit(&self) -> Client {
        let left = PROVIDER_TIME.saturating_sub(self.started.elapsed());
        self.client.with_timeout_limit(left.max(MIN_REQUEST_TIME))
    }

    /// Steps 6 and 7: asks for approval and then AWS for credentials.
    async fn request_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &SignInToken,
    ) -> Result<NewCredentials, Error> {
        match (self.service_steps(), token) {
            (ServiceSteps::Provider(steps), SignInToken::Id(token)) => steps.request_credentials(stored, token).await,
            (ServiceSteps::Portal(steps), SignInToken::Portal(token)) => steps.request_credentials(stored, token).await,
            // The record of this sign-in has the token of another service, which the key of the record excludes.
            (ServiceSteps::Provider(_), SignInToken::Portal(_)) | (ServiceSteps::Portal(_), SignInToken::Id(_)) => {
                Err(SignInNeeded::PromptNotAllowed.into())
            }
        }
    }

    /// Step 8: stores the credentials, and returns them. The caller receives them only after this, so that a second
    /// caller that comes at once finds them too.
    fn store_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        new: NewCredentials,
        token_count: u64,
    ) -> SessionCredentials {
        let NewCredentials { granted, session_name, notice } = new;
        let GrantedCredentials { credentials, role, max_seconds: longest, pool_identity: identity } = granted;
        let is_last_resort = session_name.as_ref().is_some_and(|name| name.is_last_resort);
        let name = session_name.map(|session_name| session_name.name);
        let who = name.as_deref().unwrap_or("a user whom AWS did not name");
        log::info("session", format_args!("AWS issued credentials to {who} until {}", credentials.expiration));
        (stored.credentials, stored.session_name, stored.role) = (Some(credentials), name, role);
        stored.is_named_by_subject = is_last_resort && self.profile.names_aws_session();
        (stored.longest, stored.identity) = (longest, identity);
        stored.token_count = token_count;
        stored.destinations = Destinations::from_profile(self.profile, &self.host.environment);
        // The caller gets the credentials even if they cannot be stored. The log says why the next call does it all
        // again.
        if let Err(error) = stored.store() {
            let report = (self.describe)(error.into());
            log::warn("session", format_args!("the new credentials could not be stored: {}", report.message));
        }
        let ready = find_credentials(stored, self.profile, self.now());
        SessionCredentials { notice, ..ready.expect("the record was given credentials above") }
    }

    fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}
