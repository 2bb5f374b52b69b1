//! The way down: what is kept is read once more and forgotten, and only then is the provider told.
//!
//! Nothing that the provider says, or does not say, keeps anything here.

use std::time::Duration;

use tokio::time::timeout;

use super::{DestinationChanged, Error, load_application};
use crate::{
    cache::{CachedProvider, Destinations, LockedSignIn, SecretRecipient, SignInRecord},
    config::Profile,
    host::Host,
    http::{self, Client},
    log,
    oidc::{self, Application, ClientFiles, ProviderSession},
    secret::Secret,
    store,
    time::Timestamp,
};

/// A person waits, and what matters to this machine is done by then.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(10);

/// What signing out came to.
#[derive(Debug)]
pub struct SignOutReport {
    pub removed: StoredRecords,
    /// Whether all of it is forgotten.
    pub removal: Result<(), store::Error>,
}

/// What was kept of a profile.
#[derive(Debug)]
pub enum StoredRecords {
    Nothing,
    /// Of sign-ins that led nowhere, or of what the provider says of itself.
    Notes,
    Session {
        provider: RevocationOutcome,
        /// Credentials that were handed out serve until then, whatever is forgotten here.
        credentials_valid_until: Option<Timestamp>,
    },
}

/// How the provider's part of the session ended.
#[derive(Debug)]
pub enum RevocationOutcome {
    Revoked,
    /// It offers no revocation of refresh tokens.
    NotOffered,
    /// There was no refresh token, so nothing outlives the credentials.
    NothingToRevoke,
    /// What was kept could not be opened.
    Unreadable,
    Failed(Box<Error>),
}

/// Signs out of every profile that shares the sign-in. Its lock is held to the end: some providers revoke all of a person's
/// grants to the application, and one that is only just being given must not be among them.
pub fn sign_out(host: &Host, profile: &Profile, sign_in: &LockedSignIn<'_>) -> Result<SignOutReport, Error> {
    let (is_empty, has_sign_in) = (sign_in.is_empty()?, sign_in.has_sign_in()?);
    let record = sign_in.load_sign_in();
    let valid_until = sign_in.find_latest_expiry((host.now)())?;
    let application = load_application(profile, sign_in.folder(), &ClientFiles::read_for_profile(profile), host);
    // A description that cannot be read is asked for again.
    let known = sign_in.load_provider((host.now)()).ok().flatten();
    let removal = sign_in.remove_sign_in_and_credentials();
    let removed = match record {
        _ if is_empty => StoredRecords::Nothing,
        _ if !has_sign_in && valid_until.is_none() => StoredRecords::Notes,
        Ok(record) if has_sign_in && record != SignInRecord::default() => {
            let provider = match &record.refresh_token {
                Some(token) => announce_and_revoke(host, application, sign_in, known, &record.destinations, token),
                None => RevocationOutcome::NothingToRevoke,
            };
            StoredRecords::Session { provider, credentials_valid_until: valid_until }
        }
        _ => StoredRecords::Session { provider: RevocationOutcome::Unreadable, credentials_valid_until: valid_until },
    };
    log::info("session", format_args!("forgotten: {removal:?}; stored was: {removed:?}"));
    Ok(SignOutReport { removed, removal })
}

fn announce_and_revoke(
    host: &Host,
    application: Result<Application<'_>, Error>,
    sign_in: &LockedSignIn<'_>,
    known: Option<CachedProvider>,
    destinations: &Destinations,
    token: &Secret,
) -> RevocationOutcome {
    if let Err(error) = sign_in.announce((host.now)()) {
        log::warn("session", format_args!("{error}"));
    }
    application
        .and_then(|application| revoke_with_timeout(host, &application, known, destinations, token))
        .unwrap_or_else(|error| RevocationOutcome::Failed(Box::new(error)))
}

fn revoke_with_timeout(
    host: &Host,
    application: &Application<'_>,
    known: Option<CachedProvider>,
    destinations: &Destinations,
    token: &Secret,
) -> Result<RevocationOutcome, Error> {
    let profile = application.profile;
    let client = Client::new(profile.network_settings(&host.environment))?;
    let answer = http::block_on(async {
        timeout(REVOCATION_TIMEOUT, send_revocation(&client, application, known, destinations, token))
            .await
            .unwrap_or_else(|_| {
                let host = profile.issuer.url().authority().to_owned();
                Err(http::Error::Timeout { host, after: REVOCATION_TIMEOUT }.into())
            })
    });
    match answer.map_err(Error::Runtime)? {
        Ok(told) => Ok(told),
        Err(error) if error.is_unsupported_token_type() => Ok(RevocationOutcome::NotOffered),
        Err(error) => Err(Error::NotRevoked(error)),
    }
}

async fn send_revocation(
    client: &Client,
    application: &Application<'_>,
    known: Option<CachedProvider>,
    destinations: &Destinations,
    token: &Secret,
) -> Result<RevocationOutcome, oidc::Error> {
    let metadata = match known {
        Some(known) => known.metadata,
        None => oidc::discover_provider(client, application.profile).await?,
    };
    let mut changes = destinations.find_changes(&Destinations::from_provider(&metadata));
    changes.retain(|change| change.recipient == SecretRecipient::RevocationEndpoint);
    if !changes.is_empty() {
        return Ok(RevocationOutcome::Failed(Box::new(DestinationChanged { changes }.into())));
    }
    match &metadata.revocation_endpoint {
        Some(endpoint) => ProviderSession { client, application, metadata: &metadata }
            .revoke_refresh_token(endpoint, token)
            .await
            .map(|()| RevocationOutcome::Revoked),
        None => Ok(RevocationOutcome::NotOffered),
    }
}
