//! The ladder: from what is kept to credentials, climbing only as far as it must.
//!
//! It runs in the one process that holds the profile's lock. Each rung is a call into the module that knows how; the
//! order, and what is kept when, is decided here and nowhere else.

mod application;
mod ask;
mod asking;
mod clearance;
mod destinations;
mod leave;
mod purpose;
mod ready;
mod token;

use std::{future::Future, pin::Pin, time::Instant};

use crate::{
    aws::{self, Aws, Granted, Question, Standing},
    cache::{Cache, Known, SPENT, Session, freshness},
    config::Profile,
    failure::{ExchangeError, Exit, Failure, UNBELIEVED},
    host::{Host, Surroundings},
    http::Client,
    identity,
    lock::Held,
    log,
    oidc::{self, Application, ClientFiles, Expected, Tokens, Unverified, VerifiedToken},
    quota::Clearance,
    secret::Secret,
    time::Moment,
};

use application::application;
pub use ask::{WayIn, foreseen};
pub use asking::{Asking, Person, Said, Way};
pub use destinations::{accept_destinations, changes_to_accept, check_destinations};
pub use leave::{Kept, SignedOut, Told, sign_out};
pub use purpose::{Purpose, Wish};
pub use ready::{Brought, Ready, ready};
use token::kept_token;
pub use token::{is_due_for_renewal, token_for};

/// A token that nobody had to be asked for.
enum Silent {
    /// From the refresh token, just now.
    Renewed(VerifiedToken),
    /// Verified earlier and still valid. AWS may have changed its mind about it since.
    Kept(VerifiedToken),
}

/// Resolves when the person at the terminal has given up.
pub type Cancelled<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Everything a climb needs. Whoever has one holds the lock.
pub struct Ladder<'a> {
    pub purpose: Purpose,
    pub profile: &'a Profile,
    pub host: &'a Host,
    pub cache: &'a Cache,
    pub held: &'a Held,
    pub client: &'a Client,
    pub client_files: &'a ClientFiles,
    pub aws: &'a Aws,
    pub around: &'a Surroundings,
    pub tell: &'a dyn Fn(Said),
    /// When the errand began: a person's time is counted from here, for hosts count so as well.
    pub began: Instant,
}

impl std::fmt::Debug for Ladder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ladder({:?} for {})", self.purpose, self.profile.name)
    }
}

impl Ladder<'_> {
    /// Climbs. What was learnt on the way is kept at each rung, so a fall costs nothing that was reached.
    pub async fn climb(&self, mut person: Person<'_>) -> Result<Ready, Failure> {
        let mut session = self.cache.session()?;
        self.check_destinations(&mut session)?;
        if let Some(ready) = self.good_already(&mut session).await? {
            return Ok(ready);
        }
        match self.token_without_asking(&mut session).await? {
            Some(Silent::Renewed(token)) => {
                let exchanged = self.exchanged(&mut session, &token).await;
                if exchanged.is_err() {
                    self.keep(&session)?;
                }
                exchanged
            }
            Some(Silent::Kept(token)) => match self.exchange(&mut session, &token).await? {
                Err(error) if error.refuses_the_token() => {
                    self.forget_token(&mut session)?;
                    self.ask(&mut session, &mut person).await
                }
                done => done.map_err(|error| self.told(error, &token)),
            },
            None => self.ask(&mut session, &mut person).await,
        }
    }

    /// Rung one, looked at again under the lock: another process may have done the work.
    async fn good_already(&self, session: &mut Session) -> Result<Option<Ready>, Failure> {
        let Some(credentials) = &session.credentials else { return Ok(None) };
        let fresh = freshness(credentials, self.now());
        let mut good = self.is_good(fresh) && self.still_cleared(session).await?;
        if good && matches!(self.purpose, Purpose::Login { .. }) {
            good = self.aws_believes(session).await?;
        }
        log::debug("session", format_args!("kept credentials are {fresh:?}, good enough: {good}"));
        Ok(ready(session, self.profile, self.now()).filter(|_| good))
    }

    /// Hosts run `login` because AWS refused what they hold, so AWS is asked; only its clear refusal counts.
    async fn aws_believes(&self, session: &mut Session) -> Result<bool, Failure> {
        let Some(credentials) = &session.credentials else { return Ok(false) };
        if self.aws.who_am_i(credentials).await != Standing::Refused {
            return Ok(true);
        }
        log::info("session", format_args!("AWS no longer accepts the kept credentials, so they are dropped"));
        session.credentials = None;
        self.keep(session)?;
        Ok(false)
    }

    /// Rung three: a token from the refresh token, else the one still valid. `None` means that a person is needed.
    async fn token_without_asking(&self, session: &mut Session) -> Result<Option<Silent>, Failure> {
        if matches!(self.purpose, Purpose::Login { force: true, .. }) {
            return Ok(None);
        }
        let Some(refresh_token) = session.refresh_token.clone() else {
            return Ok(self.kept_token(session).map(Silent::Kept));
        };
        match self.refresh(session, &refresh_token).await {
            Ok(token) => Ok(token),
            Err(failure) => self.without_refresh(session, failure),
        }
    }

    /// What to do when the refresh failed: in bad weather the kept token serves. A refusal, or a token that cannot be
    /// believed, must be seen; but a person who signs in needs nothing of the earlier session.
    fn without_refresh(&self, session: &Session, failure: Failure) -> Result<Option<Silent>, Failure> {
        let decided = |what: &str| {
            log::info("session", format_args!("the refresh failed ({}), {what}", failure.slug));
        };
        match (failure.exit, self.purpose, self.kept_token(session)) {
            (Exit::Network, _, Some(token)) => {
                decided("the kept token still serves");
                Ok(Some(Silent::Kept(token)))
            }
            // Whatever the person did, the provider would not believe the application that they came with.
            (Exit::Refused, ..) if failure.slug == UNBELIEVED => Err(failure),
            (Exit::Refused | Exit::TokenRejected, Purpose::Login { .. }, _) => {
                decided("the person signs in anew");
                Ok(None)
            }
            _ => Err(failure),
        }
    }

    /// Presents the refresh token. Only `invalid_grant` loses it.
    async fn refresh(
        &self,
        session: &mut Session,
        refresh_token: &Secret,
    ) -> Result<Option<Silent>, Failure> {
        let application = self.application()?;
        let mut known = self.known().await?;
        self.check_token_endpoint(session, &known)?;
        log::debug("session", format_args!("renewing with the refresh token"));
        match oidc::refresh(self.client, &application, &known.metadata, refresh_token).await {
            Ok(tokens) => self.refreshed(session, &mut known, tokens).await,
            Err(error) if error.is_invalid_grant() => {
                log::info(
                    "session",
                    format_args!("the provider has ended the session: the refresh token is spent"),
                );
                *session = Session { refresh_token: None, id_token_is_spent: true, ..session.clone() };
                self.keep(session)?;
                Ok(None)
            }
            Err(error) if error.wants_the_person() => {
                log::info(
                    "session",
                    format_args!("the provider wants to see the person, not a refresh token"),
                );
                Ok(None)
            }
            Err(error) => {
                if error.doubts_the_metadata() {
                    self.cache.forget_provider(self.held)?;
                }
                Err(error.into())
            }
        }
    }

    /// A rotated refresh token is kept before anything else can fail: the one before it is worth nothing now. A provider
    /// may leave out the ID token while the one it gave earlier is valid (OIDC Core §12.2).
    async fn refreshed(
        &self,
        session: &mut Session,
        known: &mut Known,
        mut tokens: Tokens,
    ) -> Result<Option<Silent>, Failure> {
        if tokens.refresh_token.is_some() {
            session.refresh_token.clone_from(&tokens.refresh_token);
            self.keep(session)?;
        }
        let Some(token) = tokens.id_token.take() else {
            return Ok(self.kept_token(session).map(Silent::Kept));
        };
        let token = self
            .verified(
                known,
                token,
                &Expected { previous_subject: session.subject.as_deref(), ..self.expected(&tokens) },
            )
            .await?;
        self.take_token(session, &token);
        Ok(Some(Silent::Renewed(token)))
    }

    /// The kept token, while it is valid long enough to reach AWS.
    fn kept_token(&self, session: &Session) -> Option<VerifiedToken> {
        kept_token(session, self.now().plus(SPENT))
    }

    /// Rung five. A key that is unknown may be a new one: the provider's keys are fetched again, once.
    async fn verified(
        &self,
        known: &mut Known,
        token: Unverified,
        expected: &Expected<'_>,
    ) -> Result<VerifiedToken, Failure> {
        match oidc::verify(token.clone(), &known.keys, &known.metadata, expected) {
            Err(rejection) if rejection.wants_fresh_keys() => {
                log::info("session", format_args!("no known key fits the token: fetching the keys again"));
                let keys = oidc::fetch_keys(self.client, &known.metadata).await?;
                *known = Known::new(self.now(), known.metadata.clone(), keys);
                self.cache.keep_provider(self.held, known)?;
                Ok(oidc::verify(token, &known.keys, &known.metadata, expected)?)
            }
            judged => Ok(judged?),
        }
    }

    /// What a token must say, whoever signed in.
    fn expected<'e>(&'e self, tokens: &'e Tokens) -> Expected<'e> {
        Expected {
            issuer: self.profile.issuer.as_str(),
            issuer_alias: oidc::issuer_alias(self.profile),
            client_id: &self.profile.client_id,
            organization: oidc::organization(self.profile),
            nonce: None,
            access_token: tokens.access_token.as_ref(),
            previous_subject: None,
            now: self.now(),
            server_date: tokens.server_date,
        }
    }

    /// The application with all that proves it, before anybody is asked for anything in its name.
    fn application(&self) -> Result<Application<'_>, Failure> {
        application(self.profile, self.cache, self.client_files, self.host)
    }

    /// What the provider says of itself: remembered, or asked now.
    async fn known(&self) -> Result<Known, Failure> {
        if let Some(known) = self.cache.provider(self.now())? {
            return Ok(known);
        }
        log::debug("session", format_args!("asking the provider to describe itself: nothing is remembered"));
        let metadata = oidc::discover(self.client, self.profile).await?;
        let keys = oidc::fetch_keys(self.client, &metadata).await?;
        let known = Known::new(self.now(), metadata, keys);
        self.cache.keep_provider(self.held, &known)?;
        Ok(known)
    }

    /// The exchange, its failure told with what was asked.
    async fn exchanged(&self, session: &mut Session, token: &VerifiedToken) -> Result<Ready, Failure> {
        self.exchange(session, token).await?.map_err(|error| self.told(error, token))
    }

    fn told(&self, failed: aws::Failed, token: &VerifiedToken) -> Failure {
        ExchangeError { failed, profile: self.profile, token }.into()
    }

    /// Rungs six to eight: who may spend gets AWS's credentials for the token, kept before anybody hears of them. What
    /// AWS refuses is told apart from everything else, for it may be the token's fault.
    async fn exchange(
        &self,
        session: &mut Session,
        token: &VerifiedToken,
    ) -> Result<Result<Ready, aws::Failed>, Failure> {
        let clearance = self.cleared(session, token).await?;
        let given = self.given(session, token, &clearance).await;
        Ok(given.map(|ready| Ready { notice: self.warning(&clearance), ..ready }))
    }

    async fn given(
        &self,
        session: &mut Session,
        token: &VerifiedToken,
        clearance: &Clearance,
    ) -> Result<Ready, aws::Failed> {
        let name = identity::session_name(token, &self.profile.session_name);
        // Forced, nothing is taken from earlier: an administrator may have raised what the role allows.
        let remembered =
            session.longest.filter(|_| !matches!(self.purpose, Purpose::Login { force: true, .. }));
        let question = Question {
            token,
            session_name: &name,
            longest: remembered,
            identity: session.identity.as_deref(),
            clearance,
        };
        let Granted { credentials, role, longest, identity } = self.aws.exchange(&question).await?;
        log::info("session", format_args!("AWS gave {} credentials until {}", name, credentials.expiration));
        *session = Session {
            credentials: Some(credentials),
            session_name: Some(name.clone()),
            role,
            longest,
            identity,
            ..session.clone()
        };
        // Credentials that cannot be kept are still good: the caller gets them, and the log says why the next will wait.
        if let Err(failure) = self.keep(session) {
            log::warn("session", format_args!("the credentials could not be kept: {}", failure.what));
        }
        Ok(ready(session, self.profile, self.now()).expect("the credentials were put there a moment ago"))
    }

    fn keep_token(&self, session: &mut Session, token: &VerifiedToken) -> Result<(), Failure> {
        self.take_token(session, token);
        self.keep(session)
    }

    /// The token becomes part of the session, and is kept with whatever comes next: a disk takes its time for each write.
    fn take_token(&self, session: &mut Session, token: &VerifiedToken) {
        session.id_token = Some(token.raw().clone());
        session.id_token_is_spent = false;
        session.subject = Some(token.subject().to_owned());
        if token.leaves_groups_out() {
            log::warn(
                "session",
                format_args!("the person's groups are too many for the token, which has none"),
            );
        }
    }

    fn forget_token(&self, session: &mut Session) -> Result<(), Failure> {
        log::info("session", format_args!("AWS does not accept the kept token any more"));
        session.id_token_is_spent = true;
        self.keep(session)
    }

    fn keep(&self, session: &Session) -> Result<(), Failure> {
        Ok(self.cache.keep_session(self.held, session)?)
    }

    fn now(&self) -> Moment {
        (self.host.now)()
    }
}
