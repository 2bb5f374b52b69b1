//! The way down: what is kept is read once more and forgotten, and only then is the provider told.
//!
//! Nothing that the provider says, or does not say, keeps anything here.

use std::time::Duration;

use tokio::time::timeout;

use super::application;
use crate::{
    cache::{Cache, Destinations, Freshness, Known, Recipient, Session, freshness},
    config::Profile,
    failure::{Denied, DestinationChanged, Failure, NotRevoked},
    host::Host,
    http::{self, Client},
    lock::{Held, LockHolder},
    log,
    oidc::{self, Application, ClientFiles},
    secret::Secret,
    time::Moment,
};

/// A person waits, and what matters to this machine is done by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What signing out came to.
#[derive(Debug)]
pub struct SignedOut {
    pub kept: Kept,
    /// Whether all of it is forgotten.
    pub forgotten: Result<(), Failure>,
}

/// What was kept of a profile.
#[derive(Debug)]
pub enum Kept {
    Nothing,
    /// Of sign-ins that led nowhere, or of what the provider says of itself.
    Notes,
    Session {
        provider: Told,
        /// Credentials that were handed out serve until then, whatever is forgotten here.
        serve_until: Option<Moment>,
    },
}

/// How the provider's part of the session ended.
#[derive(Debug)]
pub enum Told {
    Revoked,
    /// It offers no revocation of refresh tokens.
    NotOffered,
    /// There was no refresh token, so nothing outlives the credentials.
    NothingToRevoke,
    /// What was kept could not be opened.
    Unreadable,
    Untold(Failure),
}

/// Signs out. The lock is held to the end: some providers revoke all of a person's grants to the application, and one
/// that is only just being given must not be among them.
pub fn sign_out(host: &Host, profile: &Profile, cache: &Cache, held: &Held) -> Result<SignedOut, Failure> {
    let (is_empty, has_session) = (cache.is_empty()?, cache.has_session()?);
    let session = cache.session();
    let application = application(profile, cache, &ClientFiles::read(profile), host);
    // A description that cannot be read is asked for again.
    let known = cache.provider((host.now)()).ok().flatten();
    let forgotten = cache.forget(held).map_err(Failure::from);
    let kept = match session {
        _ if is_empty => Kept::Nothing,
        _ if !has_session => Kept::Notes,
        Ok(session) if session != Session::default() => {
            let provider = match &session.refresh_token {
                Some(token) => told(host, application, held, known, &session.destinations, token),
                None => Told::NothingToRevoke,
            };
            Kept::Session { provider, serve_until: serve_until(&session, (host.now)()) }
        }
        _ => Kept::Session { provider: Told::Unreadable, serve_until: None },
    };
    log::info("session", format_args!("forgotten: {forgotten:?}; kept was: {kept:?}"));
    Ok(SignedOut { kept, forgotten })
}

fn serve_until(session: &Session, now: Moment) -> Option<Moment> {
    let credentials = session.credentials.as_ref()?;
    (freshness(credentials, now) != Freshness::Spent).then_some(credentials.expiration)
}

fn told(
    host: &Host,
    application: Result<Application<'_>, Failure>,
    held: &Held,
    known: Option<Known>,
    destinations: &Destinations,
    token: &Secret,
) -> Told {
    if let Err(error) = held.announce(&LockHolder::this_process((host.now)())) {
        log::warn("session", format_args!("{error}"));
    }
    application
        .and_then(|application| revoked(host, &application, known, destinations, token))
        .unwrap_or_else(Told::Untold)
}

fn revoked(
    host: &Host,
    application: &Application<'_>,
    known: Option<Known>,
    destinations: &Destinations,
    token: &Secret,
) -> Result<Told, Failure> {
    let profile = application.profile;
    let client = Client::new(profile.network(&host.environment))?;
    let answer = http::block_on(async {
        timeout(PATIENCE, ask(&client, application, known, destinations, token)).await.unwrap_or_else(|_| {
            let host = profile.issuer.url().authority().to_owned();
            Err(http::Error::Timeout { host, after: PATIENCE }.into())
        })
    });
    match answer.map_err(Denied::Runtime)? {
        Ok(told) => Ok(told),
        Err(error) if error.revokes_no_such_token() => Ok(Told::NotOffered),
        Err(error) => Err(NotRevoked(error).into()),
    }
}

async fn ask(
    client: &Client,
    application: &Application<'_>,
    known: Option<Known>,
    destinations: &Destinations,
    token: &Secret,
) -> Result<Told, oidc::Error> {
    let metadata = match known {
        Some(known) => known.metadata,
        None => oidc::discover(client, application.profile).await?,
    };
    let mut changes = destinations.changes_to(&Destinations::of_provider(&metadata));
    changes.retain(|change| change.recipient == Recipient::RevocationEndpoint);
    if !changes.is_empty() {
        return Ok(Told::Untold(DestinationChanged { changes }.into()));
    }
    match &metadata.revocation_endpoint {
        Some(endpoint) => {
            oidc::revoke(client, application, &metadata, endpoint, token).await.map(|()| Told::Revoked)
        }
        None => Ok(Told::NotOffered),
    }
}
