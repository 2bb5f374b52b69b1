//! The ladder: from what is kept to credentials, climbing only as far as it must.
//!
//! It runs in the one process that holds the profile's lock. Each rung is a call into the module that knows how; the
//! order, and what is kept when, is decided here and nowhere else.

mod application;
mod sign_in;
mod prompt;
mod quota_check;
mod destinations;
mod error;
mod sign_out;
mod purpose;
mod session_credentials;
mod id_token;

use std::{future::Future, pin::Pin, time::Instant};

use crate::{
    aws::{self, Aws, CredentialStatus, ExchangeRequest, GrantedCredentials},
    cache::{CachedProvider, FailureReport, LockedCache, MIN_REMAINING, Session, assess_credentials},
    config::Profile,
    hint::Invocation,
    host::{ExecutionContext, Host},
    http::Client,
    identity, log,
    oidc::{
        self, Application, ClientFiles, ExpectedClaims, ProviderSession, TokenGrant, TokenResponse, UnverifiedToken,
        VerifiedToken,
    },
    quota::Clearance,
    secret::Secret,
    time::Timestamp,
};

use application::load_application;
pub use destinations::{accept_destinations, check_destinations, find_unaccepted_changes};
pub(crate) use error::impl_from;
pub use error::{DestinationChanged, Error, NoSignInMethod, SignInNeeded};
pub use id_token::{find_token_for, is_due_for_refresh};
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

/// Resolves when the person at the terminal has given up.
pub type CancelSignal<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Everything that the ladder needs, the locked cache among it.
pub struct Ladder<'a> {
    pub purpose: LadderPurpose,
    pub profile: &'a Profile,
    pub host: &'a Host,
    pub cache: &'a LockedCache<'a>,
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
    /// Climbs. What was learnt on the way is kept at each rung, so a fall costs nothing that was reached.
    pub async fn get_credentials(&self, mut person: UserInput<'_>) -> Result<SessionCredentials, Error> {
        let mut session = self.cache.load_session()?;
        self.accept_or_reject_hosts(&mut session)?;
        if let Some(ready) = self.reuse_credentials(&mut session).await? {
            return Ok(ready);
        }
        match self.get_token_without_prompt(&mut session).await? {
            Some(NonInteractiveToken::Refreshed(token)) => {
                let exchanged = self.exchange(&mut session, &token).await;
                if exchanged.is_err() {
                    self.store_session(&session)?;
                }
                exchanged
            }
            Some(NonInteractiveToken::Cached(token)) => match self.exchange(&mut session, &token).await {
                Err(Error::Exchange { failed, .. }) if failed.is_token_refused() => {
                    log::info("session", format_args!("AWS does not accept the cached ID token any more"));
                    session.mark_token_spent();
                    self.store_session(&session)?;
                    self.sign_in_interactively(&mut session, &mut person).await
                }
                result => result,
            },
            None => self.sign_in_interactively(&mut session, &mut person).await,
        }
    }

    /// Rung one, looked at again under the lock: another process may have done the work.
    async fn reuse_credentials(&self, session: &mut Session) -> Result<Option<SessionCredentials>, Error> {
        let Some(credentials) = &session.credentials else { return Ok(None) };
        let fresh = assess_credentials(credentials, self.now());
        let mut good = self.is_fresh_enough(fresh) && self.ensure_cleared(session).await?;
        if good && self.purpose.is_login() {
            good = self.is_accepted_by_aws(session).await?;
        }
        log::debug("session", format_args!("kept credentials are {fresh:?}, good enough: {good}"));
        Ok(find_credentials(session, self.profile, self.now()).filter(|_| good))
    }

    /// Hosts run `login` because AWS refused what they hold, so AWS is asked; only its clear refusal counts.
    async fn is_accepted_by_aws(&self, session: &mut Session) -> Result<bool, Error> {
        let Some(credentials) = &session.credentials else { return Ok(false) };
        if self.aws.check_credentials(credentials).await != CredentialStatus::Refused {
            return Ok(true);
        }
        log::info("session", format_args!("AWS no longer accepts the kept credentials, so they are dropped"));
        session.credentials = None;
        self.store_session(session)?;
        Ok(false)
    }

    /// Rung three: a token from the refresh token, else the one still valid. `None` means that a person is needed.
    async fn get_token_without_prompt(&self, session: &mut Session) -> Result<Option<NonInteractiveToken>, Error> {
        if self.purpose.is_forced_login() {
            return Ok(None);
        }
        let Some(refresh_token) = session.refresh_token.clone() else {
            return Ok(self.cached_token(session).map(NonInteractiveToken::Cached));
        };
        match self.try_refresh(session, &refresh_token).await {
            Ok(token) => Ok(token),
            Err(failure) => self.handle_refresh_failure(session, failure),
        }
    }

    /// On a network failure the cached token is used. A refusal, or a token that fails verification, is reported; but a
    /// user who runs `login` signs in again, unless the provider would reject the application itself once more.
    fn handle_refresh_failure(&self, session: &Session, error: Error) -> Result<Option<NonInteractiveToken>, Error> {
        match (error, self.cached_token(session)) {
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
        session: &mut Session,
        refresh_token: &Secret,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        let application = self.load_application()?;
        let mut known = self.get_provider().await?;
        self.check_token_endpoint(session, &known)?;
        log::debug("session", format_args!("renewing with the refresh token"));
        let provider = self.provider_session(&application, &known);
        match provider.refresh_tokens(refresh_token).await {
            Ok(tokens) => self.store_refreshed_tokens(session, &mut known, tokens).await,
            Err(error) if error.is_invalid_grant() => {
                log::info("session", format_args!("the provider has ended the session: the refresh token is spent"));
                session.refresh_token = None;
                session.mark_token_spent();
                self.store_session(session)?;
                Ok(None)
            }
            Err(error) if error.needs_interaction() => {
                log::info("session", format_args!("the provider wants to see the person, not a refresh token"));
                Ok(None)
            }
            Err(error) => {
                if error.suggests_stale_metadata() {
                    self.cache.remove_provider()?;
                }
                Err(error.into())
            }
        }
    }

    /// A rotated refresh token is kept before anything else can fail: the one before it is worth nothing now. A provider
    /// may leave out the ID token while the one it gave earlier is valid (OIDC Core §12.2).
    async fn store_refreshed_tokens(
        &self,
        session: &mut Session,
        known: &mut CachedProvider,
        mut tokens: TokenResponse,
    ) -> Result<Option<NonInteractiveToken>, Error> {
        if tokens.refresh_token.is_some() {
            session.refresh_token.clone_from(&tokens.refresh_token);
            self.store_session(session)?;
        }
        let Some(token) = tokens.id_token.take() else {
            return Ok(self.cached_token(session).map(NonInteractiveToken::Cached));
        };
        let token = self
            .verify_token(
                known,
                token,
                &self.expected_claims(&tokens, TokenGrant::RefreshToken { subject: session.subject.as_deref() }),
            )
            .await?;
        self.set_token(session, &token);
        Ok(Some(NonInteractiveToken::Refreshed(token)))
    }

    /// The kept token, while it is valid long enough to reach AWS.
    fn cached_token(&self, session: &Session) -> Option<VerifiedToken> {
        session.find_valid_token(self.now().saturating_add(MIN_REMAINING))
    }

    /// Rung five. A key that is unknown may be a new one: the provider's keys are fetched again, once.
    async fn verify_token(
        &self,
        known: &mut CachedProvider,
        token: UnverifiedToken,
        expected: &ExpectedClaims<'_>,
    ) -> Result<VerifiedToken, Error> {
        match oidc::verify_token(token.clone(), &known.keys, &known.metadata, expected) {
            Err(rejection) if rejection.needs_fresh_keys() => {
                log::info("session", format_args!("no known key fits the token: fetching the keys again"));
                let keys = oidc::fetch_keys(self.client, &known.metadata).await?;
                *known = CachedProvider::new(self.now(), known.metadata.clone(), keys);
                self.cache.store_provider(known)?;
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
    fn load_application(&self) -> Result<Application<'_>, Error> {
        load_application(self.profile, self.cache, self.client_files, self.host)
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
    async fn get_provider(&self) -> Result<CachedProvider, Error> {
        if let Some(known) = self.cache.load_provider(self.now())? {
            return Ok(known);
        }
        log::debug("session", format_args!("asking the provider to describe itself: nothing is remembered"));
        let metadata = oidc::discover_provider(self.client, self.profile).await?;
        let keys = oidc::fetch_keys(self.client, &metadata).await?;
        let known = CachedProvider::new(self.now(), metadata, keys);
        self.cache.store_provider(&known)?;
        Ok(known)
    }

    /// Asks the quota service for approval, then AWS for credentials, and stores them before anybody gets them.
    async fn exchange(&self, session: &mut Session, token: &VerifiedToken) -> Result<SessionCredentials, Error> {
        let clearance = self.obtain_clearance(session, token).await?;
        let granted = self.request_credentials(session, &clearance).await;
        let ready = granted.map_err(|failed| Error::Exchange { failed, token: Box::new(token.clone()) })?;
        Ok(SessionCredentials { notice: self.take_quota_warning(&clearance), ..ready })
    }

    async fn request_credentials(
        &self,
        session: &mut Session,
        clearance: &Clearance<'_>,
    ) -> Result<SessionCredentials, aws::FailedStep> {
        let name = identity::derive_session_name(clearance.token(), &self.profile.session_name);
        // Forced, nothing is taken from earlier: an administrator may have raised what the role allows.
        let remembered = session.longest.filter(|_| !self.purpose.is_forced_login());
        let question = ExchangeRequest {
            session_name: &name,
            max_seconds: remembered,
            pool_identity: session.identity.as_deref(),
            clearance,
        };
        let GrantedCredentials { credentials, role, max_seconds: longest, pool_identity: identity } =
            self.aws.exchange_token(&question).await?;
        log::info("session", format_args!("AWS gave {} credentials until {}", name, credentials.expiration));
        (session.credentials, session.session_name, session.role) = (Some(credentials), Some(name), role);
        (session.longest, session.identity) = (longest, identity);
        // Credentials that cannot be kept are still good: the caller gets them, and the log says why the next will wait.
        if let Err(error) = self.store_session(session) {
            let report = (self.describe)(error);
            log::warn("session", format_args!("the credentials were not stored: {}", report.message));
        }
        Ok(find_credentials(session, self.profile, self.now()).expect("the credentials were put there a moment ago"))
    }

    /// The token becomes part of the session, and is kept with whatever comes next: a disk takes its time for each write.
    fn set_token(&self, session: &mut Session, token: &VerifiedToken) {
        session.set_token(token);
        if token.has_groups_overage() {
            log::warn("session", format_args!("the person's groups are too many for the token, which has none"));
        }
    }

    fn store_session(&self, session: &Session) -> Result<(), Error> {
        Ok(self.cache.store_session(session)?)
    }

    fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}
