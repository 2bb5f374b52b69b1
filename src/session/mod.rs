//! The ladder: from what is kept to credentials, climbing only as far as it must.
//!
//! It runs in the one process that holds the locks of the profile's records. Each rung is a call into the module that knows
//! how; the order, and what is kept when, is decided here and nowhere else.

mod application;
mod open_records;
mod sign_in;
mod prompt;
mod quota_check;
mod destinations;
mod error;
mod sign_out;
mod purpose;
mod session_credentials;
mod id_token;

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::{
    aws::{Aws, CredentialStatus, ExchangeRequest, GrantedCredentials},
    cache::{
        Cache, CachedProvider, CredentialsRecord, Destinations, FailureReport, LockedCredentials, LockedSignIn,
        MIN_REMAINING, RecordFolder, SignInRecord, assess_credentials,
    },
    config::Profile,
    hint::Invocation,
    host::{ExecutionContext, Host},
    http::Client,
    identity, log,
    oidc::{
        self, Application, ClientFiles, ExpectedClaims, ProviderSession, TokenGrant, TokenResponse, UnverifiedToken,
        VerifiedToken,
    },
    secret::Secret,
    time::Timestamp,
};

use application::load_application;
pub use destinations::{accept_destinations, check_destinations, find_unaccepted_changes};
pub(crate) use error::impl_from;
pub use error::{DestinationChanged, Error, NoSignInMethod, SignInNeeded};
pub use id_token::{find_token_for, is_due_for_refresh};
use open_records::{OpenCredentials, OpenRecords, OpenSignIn};
pub use prompt::{PastedTextError, PromptMethod, SignInEvent, SignInPrompt, UserInput};
pub use purpose::{CredentialsPurpose, LadderPurpose, LoginCondition, MethodPreference, Prompting, TokenUse};
pub use session_credentials::{SessionCredentials, find_credentials};
pub use sign_in::{SignInMethod, await_browser_failure, check_browser, predict_method};
pub use sign_out::{RevocationOutcome, SignOutReport, StoredRecords, sign_out};

/// A token that nobody had to be asked for.
enum NonInteractiveToken {
    /// From the refresh token, just now.
    Refreshed(VerifiedToken),
    /// Verified earlier and still valid. AWS may have changed its mind about it since.
    Cached(VerifiedToken),
}

/// An ID token serves further roles without a refresh for this long: callers of several profiles come at once, and a user
/// whom the provider blocks must soon get no further credentials.
const NEW_TOKEN_AGE: Duration = Duration::from_secs(5 * 60);

/// What came of an attempt to get credentials.
#[derive(Debug)]
pub enum ClimbOutcome {
    Done(SessionCredentials),
    /// AWS does not accept this token from the stored sign-in any more. A sign-in is needed, and its lock first.
    TokenRefused(Box<VerifiedToken>),
    /// The user has signed out meanwhile, or another user in, so that the credentials must not be stored.
    UserChanged,
}

/// What AWS gave, before it is stored.
struct NewCredentials {
    granted: GrantedCredentials,
    session_name: String,
    notice: Option<String>,
}

/// Resolves when the person at the terminal has given up.
pub type CancelSignal<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Everything that the ladder needs besides the locked records.
pub struct Ladder<'a> {
    pub purpose: LadderPurpose,
    pub profile: &'a Profile,
    pub host: &'a Host,
    pub client: &'a Client,
    pub client_files: &'a ClientFiles,
    pub aws: &'a Aws,
    pub context: &'a ExecutionContext,
    pub report: &'a dyn Fn(SignInEvent),
    /// How the user reaches this profile, for the commands that the browser's page names.
    pub invocation: &'a Invocation,
    /// Puts an error into words, for the browser's page and the stored failure.
    pub describe: &'a dyn Fn(Error) -> FailureReport,
    /// When the worker started: the time for the user is counted from here, because hosts count from here too.
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
    /// The lock of the sign-in is released as soon as there is a token, so that a slow exchange of one role holds up no
    /// other role. `refused` is a cached token that AWS did not accept when this was tried before.
    pub async fn get_credentials(
        &self,
        sign_in: LockedSignIn<'_>,
        credentials: &LockedCredentials<'_>,
        refused: Option<&VerifiedToken>,
        user: &mut UserInput<'_>,
    ) -> Result<ClimbOutcome, Error> {
        let mut records =
            OpenRecords { sign_in: OpenSignIn::load(&sign_in)?, credentials: OpenCredentials::load(credentials)? };
        if let Some(refused) = refused {
            records.sign_in.mark_spent_if_current(refused);
            records.sign_in.store()?;
        }
        self.accept_or_reject_hosts(&mut records.sign_in)?;
        if let Some(ready) = self.reuse_credentials(&mut records).await? {
            return Ok(ClimbOutcome::Done(ready));
        }
        let token = match self.find_unused_token(&records) {
            Some(token) => Some(NonInteractiveToken::Cached(token)),
            None => self.get_token_without_prompt(&mut records.sign_in).await?,
        };
        let Some(token) = token else {
            return Ok(ClimbOutcome::Done(self.sign_in_interactively(&mut records, user).await?));
        };
        let token_count = records.sign_in.token_count;
        let OpenRecords { mut credentials, sign_in: _ } = records;
        drop(sign_in);
        let (token, is_cached) = match token {
            NonInteractiveToken::Refreshed(token) => (token, false),
            NonInteractiveToken::Cached(token) => (token, true),
        };
        let granted = self.request_credentials(&mut credentials, &token).await;
        if self.was_sign_in_replaced(credentials.lock, &token) {
            *credentials = CredentialsRecord::default();
            credentials.store()?;
            return Ok(ClimbOutcome::UserChanged);
        }
        let granted = match granted {
            Err(Error::Exchange { failed, token }) if is_cached && failed.is_token_refused() => {
                return Ok(ClimbOutcome::TokenRefused(token));
            }
            granted => granted?,
        };
        Ok(ClimbOutcome::Done(self.store_credentials(&mut credentials, granted, token_count)))
    }

    /// A token that was stored a moment ago for another profile with the same sign-in, and that this role has not been
    /// exchanged for: a refresh would bring the same once more.
    fn find_unused_token(&self, records: &OpenRecords<'_, '_>) -> Option<VerifiedToken> {
        let OpenRecords { sign_in, credentials } = records;
        let is_new = sign_in.token_stored_at.is_some_and(|at| {
            at <= self.now() && self.now().duration_since(at) < NEW_TOKEN_AGE && !self.purpose.is_forced_login()
        });
        let is_unused = sign_in.token_count > credentials.token_count;
        (is_new && is_unused).then(|| self.cached_token(sign_in)).flatten()
    }

    /// Whether the user has signed out, or another user in, since the lock of the sign-in was released. A sign-in that cannot
    /// be read is no reason to drop credentials that AWS gave.
    fn was_sign_in_replaced(&self, cache: &Cache, token: &VerifiedToken) -> bool {
        let is_other = |stored: SignInRecord| stored.recall_token().is_none_or(|it| it.subject() != token.subject());
        self.profile.storage.stores_anything() && cache.load_sign_in().is_ok_and(is_other)
    }

    /// Rung one, looked at again under the lock: another process may have done the work.
    async fn reuse_credentials(&self, records: &mut OpenRecords<'_, '_>) -> Result<Option<SessionCredentials>, Error> {
        let stored = &mut records.credentials;
        let Some(credentials) = &stored.credentials else { return Ok(None) };
        let fresh = assess_credentials(credentials, self.now());
        let mut good = self.is_fresh_enough(fresh) && self.ensure_cleared(&mut records.sign_in, stored).await?;
        if good && self.purpose.is_login() {
            good = self.is_accepted_by_aws(stored).await?;
        }
        log::debug("session", format_args!("stored credentials are {fresh:?}, good enough: {good}"));
        Ok(find_credentials(stored.record(), self.profile, self.now()).filter(|_| good))
    }

    /// Hosts run `login` because AWS refused what they hold, so AWS is asked; only its clear refusal counts.
    async fn is_accepted_by_aws(&self, stored: &mut OpenCredentials<'_>) -> Result<bool, Error> {
        let Some(credentials) = &stored.credentials else { return Ok(false) };
        if self.aws.check_credentials(credentials).await != CredentialStatus::Refused {
            return Ok(true);
        }
        log::info("session", format_args!("AWS no longer accepts the stored credentials, so they are dropped"));
        stored.credentials = None;
        stored.store()?;
        Ok(false)
    }

    /// Rung three: a token from the refresh token, else the one still valid. `None` means that the user is needed.
    async fn get_token_without_prompt(
        &self,
        sign_in: &mut OpenSignIn<'_>,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        if self.purpose.is_forced_login() {
            return Ok(None);
        }
        let Some(refresh_token) = sign_in.refresh_token.clone() else {
            return Ok(self.cached_token(sign_in).map(NonInteractiveToken::Cached));
        };
        match self.try_refresh(sign_in, &refresh_token).await {
            Ok(token) => Ok(token),
            Err(failure) => self.handle_refresh_failure(sign_in, failure),
        }
    }

    /// On a network failure the cached token is used. A refusal, or a token that fails verification, is reported; but a
    /// user who runs `login` signs in again, unless the provider would reject the application itself once more.
    fn handle_refresh_failure(
        &self,
        sign_in: &SignInRecord,
        error: Error,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        match (error, self.cached_token(sign_in)) {
            (error, Some(token)) if error.is_network() => {
                let report = (self.describe)(error);
                log::info("session", format_args!("using the cached token: {}", report.message));
                Ok(Some(NonInteractiveToken::Cached(token)))
            }
            (
                Error::Provider(
                    oidc::Error::Refused { .. }
                    | oidc::Error::UnusableEndpoint { .. }
                    | oidc::Error::MissingMember { .. },
                )
                | Error::Token(_),
                _,
            ) if self.purpose.is_login() => {
                log::info("session", format_args!("the refresh failed, so the user signs in again"));
                Ok(None)
            }
            (error, _) => Err(error),
        }
    }

    /// Presents the refresh token. Only `invalid_grant` loses it.
    async fn try_refresh(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        refresh_token: &Secret,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        let application = self.load_application(sign_in.lock.folder())?;
        let mut known = self.get_provider(sign_in.lock).await?;
        self.check_token_endpoint(sign_in, &known)?;
        log::debug("session", format_args!("renewing with the refresh token"));
        let provider = self.provider_session(&application, &known);
        match provider.refresh_tokens(refresh_token).await {
            Ok(tokens) => self.store_refreshed_tokens(sign_in, &mut known, tokens).await,
            Err(error) if error.is_invalid_grant() => {
                log::info("session", format_args!("the provider has ended the session: the refresh token is spent"));
                sign_in.refresh_token = None;
                sign_in.mark_token_spent();
                sign_in.store()?;
                Ok(None)
            }
            Err(error) if error.needs_interaction() => {
                log::info("session", format_args!("the provider wants to see the person, not a refresh token"));
                Ok(None)
            }
            Err(error) => {
                if error.suggests_stale_metadata() {
                    sign_in.lock.remove_provider()?;
                }
                Err(error.into())
            }
        }
    }

    /// A rotated refresh token is kept before anything else can fail: the one before it is worth nothing now. A provider
    /// may leave out the ID token while the one it gave earlier is valid (OIDC Core §12.2).
    async fn store_refreshed_tokens(
        &self,
        sign_in: &mut OpenSignIn<'_>,
        known: &mut CachedProvider,
        mut tokens: TokenResponse,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        if tokens.refresh_token.is_some() {
            sign_in.refresh_token.clone_from(&tokens.refresh_token);
            sign_in.store()?;
        }
        let Some(token) = tokens.id_token.take() else {
            return Ok(self.cached_token(sign_in).map(NonInteractiveToken::Cached));
        };
        let token = self
            .verify_token(
                sign_in.lock,
                known,
                token,
                &self.expected_claims(&tokens, TokenGrant::RefreshToken { subject: sign_in.subject.as_deref() }),
            )
            .await?;
        self.set_token(sign_in, &token)?;
        Ok(Some(NonInteractiveToken::Refreshed(token)))
    }

    /// The kept token, while it is valid long enough to reach AWS.
    fn cached_token(&self, sign_in: &SignInRecord) -> Option<VerifiedToken> {
        sign_in.find_valid_token(self.now().saturating_add(MIN_REMAINING))
    }

    /// Rung five. A key that is unknown may be a new one: the provider's keys are fetched again, once.
    async fn verify_token(
        &self,
        sign_in: &LockedSignIn<'_>,
        known: &mut CachedProvider,
        token: UnverifiedToken,
        expected: &ExpectedClaims<'_>,
    ) -> Result<VerifiedToken, Error> {
        match oidc::verify_token(token.clone(), &known.keys, &known.metadata, expected) {
            Err(rejection) if rejection.needs_fresh_keys() => {
                log::info("session", format_args!("no known key fits the token: fetching the keys again"));
                let keys = oidc::fetch_keys(self.client, &known.metadata).await?;
                *known = CachedProvider::new(self.now(), known.metadata.clone(), keys);
                sign_in.store_provider(known)?;
                Ok(oidc::verify_token(token, &known.keys, &known.metadata, expected)?)
            }
            judged => Ok(judged?),
        }
    }

    /// What a token of this profile must contain.
    fn expected_claims<'e>(&'e self, tokens: &'e TokenResponse, grant: TokenGrant<'e>) -> ExpectedClaims<'e> {
        ExpectedClaims {
            issuer: self.profile.issuer.as_str(),
            issuer_alias: oidc::find_issuer_alias(self.profile),
            client_id: &self.profile.client_id,
            organization: oidc::find_organization(self.profile),
            grant,
            access_token: tokens.access_token.as_ref(),
            now: self.now(),
            server_date: tokens.server_date,
        }
    }

    /// The application with all that proves it, before anybody is asked for anything in its name.
    fn load_application(&self, records: &RecordFolder) -> Result<Application<'_>, Error> {
        load_application(self.profile, records, self.client_files, self.host)
    }

    /// What requests of the application to its provider need.
    fn provider_session<'s>(
        &'s self,
        application: &'s Application<'_>,
        known: &'s CachedProvider,
    ) -> ProviderSession<'s> {
        ProviderSession { client: self.client, application, metadata: &known.metadata }
    }

    /// What the provider says of itself: remembered, or asked now.
    async fn get_provider(&self, sign_in: &LockedSignIn<'_>) -> Result<CachedProvider, Error> {
        if let Some(known) = sign_in.load_provider(self.now())? {
            return Ok(known);
        }
        log::debug("session", format_args!("asking the provider to describe itself: nothing is remembered"));
        let metadata = oidc::discover_provider(self.client, self.profile).await?;
        let keys = oidc::fetch_keys(self.client, &metadata).await?;
        let known = CachedProvider::new(self.now(), metadata, keys);
        sign_in.store_provider(&known)?;
        Ok(known)
    }

    /// Asks the quota service for approval, then AWS for credentials.
    async fn request_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        token: &VerifiedToken,
    ) -> Result<NewCredentials, Error> {
        let clearance = self.obtain_clearance(stored, token).await?;
        let session_name = identity::derive_session_name(clearance.token(), &self.profile.session_name);
        // Forced, nothing is taken from earlier: an administrator may have raised what the role allows.
        let remembered = stored.longest.filter(|_| !self.purpose.is_forced_login());
        let question = ExchangeRequest {
            session_name: &session_name,
            max_seconds: remembered,
            pool_identity: stored.identity.as_deref(),
            clearance: &clearance,
        };
        let granted = self.aws.exchange_token(&question).await;
        let granted = granted.map_err(|failed| Error::Exchange { failed, token: Box::new(token.clone()) })?;
        let notice = self.take_quota_warning(stored, &clearance);
        Ok(NewCredentials { granted, session_name, notice })
    }

    /// Stores the credentials before anybody gets them.
    fn store_credentials(
        &self,
        stored: &mut OpenCredentials<'_>,
        new: NewCredentials,
        token_count: u64,
    ) -> SessionCredentials {
        let NewCredentials { granted, session_name, notice } = new;
        let GrantedCredentials { credentials, role, max_seconds: longest, pool_identity: identity } = granted;
        log::info("session", format_args!("AWS gave {session_name} credentials until {}", credentials.expiration));
        (stored.credentials, stored.session_name, stored.role) = (Some(credentials), Some(session_name), role);
        (stored.longest, stored.identity) = (longest, identity);
        stored.token_count = token_count;
        stored.destinations = Destinations::from_profile(self.profile, &self.host.environment);
        // Credentials that cannot be stored are still good: the caller gets them, and the log says why the next will wait.
        if let Err(error) = stored.store() {
            let report = (self.describe)(error.into());
            log::warn("session", format_args!("the credentials were not stored: {}", report.message));
        }
        let ready = find_credentials(stored.record(), self.profile, self.now());
        SessionCredentials { notice, ..ready.expect("the credentials were put there a moment ago") }
    }

    /// Puts a verified token into the sign-in.
    fn set_token(&self, sign_in: &mut OpenSignIn<'_>, token: &VerifiedToken) -> Result<(), Error> {
        sign_in.set_token(token, self.now());
        if token.has_groups_overage() {
            log::warn("session", format_args!("the person's groups are too many for the token, which has none"));
        }
        Ok(sign_in.store()?)
    }

    fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}
