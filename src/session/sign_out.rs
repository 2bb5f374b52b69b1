//! Sign-out: deletes the local session first, then revokes the refresh token at the provider.
//!
//! The order matters. Deleting always works, also offline; a provider that refuses or does not answer cannot prevent
//! it. If the process is killed between the two steps, nothing is left on this machine, and the refresh token at the
//! provider expires by the provider's own rules.

use std::{cell::Cell, time::Duration};

use tokio::time::timeout;

use super::{DestinationChanged, Error, load_application};
use crate::{
    aws::{self, ClientRegistration, IdentityCenterClient, IdentityCenterError, PortalRefusal},
    cache::{
        CachedProvider, Destinations, LockedSignIn, MIN_REMAINING, PortalRegistrations, PortalSession, SecretRecipient,
        SignInRecord,
    },
    config::{IdentityCenterSettings, OidcSettings, Profile, SignInSettings},
    host::Host,
    http::{self, Client},
    log,
    oidc::{self, Application, ClientFiles, ProviderSession},
    secret::Secret,
    store,
    time::Timestamp,
};

/// The user waits for the provider at most this long. The local session is already deleted by then.
const REVOCATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of a sign-out: what was stored, and whether it was deleted.
#[derive(Debug)]
pub struct SignOutReport {
    pub removed: StoredRecords,
    /// An error if a part could not be deleted. The other parts were deleted nevertheless.
    pub removal: Result<(), store::Error>,
}

/// What was stored for a profile before the sign-out.
#[derive(Debug)]
pub enum StoredRecords {
    Nothing,
    /// No session, only notes about failed sign-ins or the provider's cached metadata.
    Notes,
    /// A sign-in or credentials.
    Session {
        provider: RevocationOutcome,
        /// The latest expiry of the credentials. AWS cannot revoke credentials that a program has copied, so they work
        /// until then.
        credentials_valid_until: Option<Timestamp>,
    },
}

/// What the provider did with the refresh token.
#[derive(Debug)]
pub enum RevocationOutcome {
    Revoked,
    /// The provider does not offer revocation of refresh tokens (RFC 7009).
    NotOffered {
        sign_out_page: SignOutPageSupport,
    },
    /// No refresh token was stored, so nothing is valid for longer than the credentials. At an Identity Center: the
    /// stored session has ended already.
    NothingToRevoke,
    /// The sign-in record could not be opened, so the program does not know the refresh token.
    Unreadable,
    Failed {
        error: Box<Error>,
        sign_out_page: SignOutPageSupport,
    },
}

/// Whether the provider has a page that ends the session in the browser, and that a user can open instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOutPageSupport {
    Offered,
    /// It has none, or the program does not know.
    Unknown,
}

impl RevocationOutcome {
    /// Whether a page of the provider can end the session that was not revoked.
    pub fn sign_out_page(&self) -> SignOutPageSupport {
        match self {
            Self::NotOffered { sign_out_page } | Self::Failed { sign_out_page, .. } => *sign_out_page,
            Self::Revoked | Self::NothingToRevoke | Self::Unreadable => SignOutPageSupport::Unknown,
        }
    }

    /// A failure before the provider described itself.
    fn from_error(error: Error) -> Self {
        Self::Failed { error: Box::new(error), sign_out_page: SignOutPageSupport::Unknown }
    }
}

/// Signs out of every profile that shares the sign-in.
///
/// The sign-in's lock is held until the provider has answered. Some providers revoke all grants of the user to the
/// application; without the lock, a sign-in that starts meanwhile could be revoked as well.
pub fn sign_out(host: &Host, profile: &Profile, sign_in: &LockedSignIn<'_>) -> Result<SignOutReport, Error> {
    let (is_empty, has_sign_in) = (sign_in.is_empty()?, sign_in.has_sign_in()?);
    // Everything that revocation needs is read before the deletion.
    let record = sign_in.load_sign_in();
    let valid_until = sign_in.find_latest_expiry((host.now)())?;
    let service = match &profile.sign_in {
        SignInSettings::Oidc(oidc) => {
            let files = ClientFiles::read_for_settings(oidc);
            let application = load_application(oidc, sign_in.folder(), &files, host);
            // If the cached metadata cannot be read, `send_revocation` fetches it again.
            let known = sign_in.load_provider((host.now)()).ok().flatten();
            SignedOutService::Provider { oidc, application: Box::new(application), known: known.map(Box::new) }
        }
        SignInSettings::IdentityCenter(center) => {
            // Without its registration the refresh token is worthless. Then the sign-out ends only a session with a
            // valid access token.
            let PortalRegistrations { browser, device } = sign_in.load_registrations().unwrap_or_default();
            let is_current = |known: &ClientRegistration| known.expires_at > (host.now)();
            let registrations = [browser, device].map(|known| known.filter(is_current));
            SignedOutService::Portal { center, registrations }
        }
    };
    let removal = sign_in.remove_sign_in_and_credentials();
    let removed = match record {
        _ if is_empty => StoredRecords::Nothing,
        _ if !has_sign_in && valid_until.is_none() => StoredRecords::Notes,
        Ok(record) if has_sign_in && record != SignInRecord::default() => {
            let provider = match service {
                SignedOutService::Provider { oidc, application, known } => match &record.refresh_token {
                    Some(token) => Revocation { host, profile, oidc, known, destinations: &record.destinations, token }
                        .announce_and_revoke(*application, sign_in),
                    None => RevocationOutcome::NothingToRevoke,
                },
                SignedOutService::Portal { center, registrations } => match &record.portal {
                    Some(portal) => {
                        let registration =
                            registrations.into_iter().flatten().find(|it| it.client_id == portal.client_id);
                        let refresh = registration.zip(record.refresh_token.clone());
                        let destinations = &record.destinations;
                        PortalSignOut { host, profile, center, portal, refresh, destinations }.announce_and_end(sign_in)
                    }
                    None => RevocationOutcome::NothingToRevoke,
                },
            };
            StoredRecords::Session { provider, credentials_valid_until: valid_until }
        }
        _ => StoredRecords::Session { provider: RevocationOutcome::Unreadable, credentials_valid_until: valid_until },
    };
    log::info("session", format_args!("signed out; deletion: {removal:?}, stored before: {removed:?}"));
    Ok(SignOutReport { removed, removal })
}

/// The service whose session ends, with what is needed for that.
enum SignedOutService<'a> {
    Provider {
        oidc: &'a OidcSettings,
        application: Box<Result<Application<'a>, Error>>,
        known: Option<Box<CachedProvider>>,
    },
    Portal {
        center: &'a IdentityCenterSettings,
        registrations: [Option<ClientRegistration>; 2],
    },
}

/// The session to end at the access portal, and what that needs of the deleted sign-in.
struct PortalSignOut<'a> {
    host: &'a Host,
    profile: &'a Profile,
    center: &'a IdentityCenterSettings,
    portal: &'a PortalSession,
    refresh: Option<(ClientRegistration, Secret)>,
    destinations: &'a Destinations,
}

impl PortalSignOut<'_> {
    /// Ends the session for every program that uses it. As with a revocation, every error becomes part of the outcome, and
    /// the hosts that receive a token must be accepted ones.
    fn announce_and_end(self, sign_in: &LockedSignIn<'_>) -> RevocationOutcome {
        announce(self.host, sign_in);
        self.end_session().unwrap_or_else(RevocationOutcome::from_error)
    }

    fn end_session(self) -> Result<RevocationOutcome, Error> {
        let Self { host, profile, center, portal, refresh, destinations } = self;
        let now = (host.now)();
        // The portal ends a session only for a valid access token. The session itself lasts longer, and a copy of the
        // refresh token would still work.
        let refresh = refresh.filter(|_| !portal.is_valid(now.saturating_add(MIN_REMAINING)));
        if refresh.is_none() && !portal.is_valid(now) {
            return Ok(RevocationOutcome::NothingToRevoke);
        }
        let mut changes = destinations.find_profile_changes(profile, &host.environment);
        changes.retain(|change| match change.recipient {
            SecretRecipient::IdentityCenterPortal => true,
            SecretRecipient::IdentityCenterSignIn => refresh.is_some(),
            _ => false,
        });
        if !changes.is_empty() {
            return Err(DestinationChanged { changes }.into());
        }
        let client = Client::new(profile.network_settings(&host.environment))?;
        let endpoints = aws::resolve_identity_center(profile, &center.region, &host.environment)?;
        let client = IdentityCenterClient::new(&client.with_total_timeout(REVOCATION_TIMEOUT), endpoints.clone());
        // The service that is asked at the moment, for the error after the timeout.
        let asked = Cell::new(&endpoints.portal);
        let end = async || {
            let access_token = match refresh {
                Some((registration, token)) => {
                    asked.set(&endpoints.sign_in);
                    match client.refresh(&registration, &token, now).await {
                        Err(error) if error.is_refused_for(PortalRefusal::InvalidGrant) => {
                            return Ok(RevocationOutcome::NothingToRevoke);
                        }
                        refreshed => refreshed?.access_token,
                    }
                }
                None => portal.access_token.clone(),
            };
            asked.set(&endpoints.portal);
            client.sign_out(&access_token).await.map(|()| RevocationOutcome::Revoked)
        };
        let answer = http::block_on(async {
            timeout(REVOCATION_TIMEOUT, end()).await.unwrap_or_else(|_| {
                let host = asked.get().authority().to_owned();
                Err(IdentityCenterError::Network(http::Error::Timeout { host, after: REVOCATION_TIMEOUT }))
            })
        });
        Ok(answer.map_err(Error::Runtime)??)
    }
}

/// Writes the note by which waiting processes see this one as the holder.
fn announce(host: &Host, sign_in: &LockedSignIn<'_>) {
    if let Err(error) = sign_in.announce((host.now)()) {
        log::warn("session", format_args!("could not write the lock holder's note: {error}"));
    }
}

/// The refresh token to revoke, and what that needs of the deleted sign-in.
struct Revocation<'a> {
    host: &'a Host,
    profile: &'a Profile,
    oidc: &'a OidcSettings,
    known: Option<Box<CachedProvider>>,
    destinations: &'a Destinations,
    token: &'a Secret,
}

impl Revocation<'_> {
    /// Revokes the refresh token. Waiting processes see this one as the holder meanwhile. Every error becomes part of the
    /// outcome, because the local session is already deleted.
    fn announce_and_revoke(
        self,
        application: Result<Application<'_>, Error>,
        sign_in: &LockedSignIn<'_>,
    ) -> RevocationOutcome {
        announce(self.host, sign_in);
        application
            .and_then(|application| self.revoke_with_timeout(&application))
            .unwrap_or_else(RevocationOutcome::from_error)
    }

    fn revoke_with_timeout(self, application: &Application<'_>) -> Result<RevocationOutcome, Error> {
        let client = Client::new(self.profile.network_settings(&self.host.environment))?;
        let issuer_host = self.oidc.issuer.url().authority().to_owned();
        let answer = http::block_on(async {
            timeout(REVOCATION_TIMEOUT, self.send_revocation(&client, application))
                .await
                .unwrap_or_else(|_| Err(http::Error::Timeout { host: issuer_host, after: REVOCATION_TIMEOUT }.into()))
        });
        answer.map_err(Error::Runtime)?.map_err(Error::NotRevoked)
    }

    /// Sends the refresh token to the provider's revocation endpoint, unless the endpoint's host is not an accepted one:
    /// a sign-out must not give the token to an attacker who has changed the metadata.
    async fn send_revocation(
        self,
        client: &Client,
        application: &Application<'_>,
    ) -> Result<RevocationOutcome, oidc::Error> {
        let Self { profile, oidc: settings, known, destinations, token, host: _ } = self;
        let metadata = match known {
            Some(known) => known.metadata,
            None => oidc::discover_provider(client, settings).await?,
        };
        let mut changes = destinations.find_changes(&Destinations::from_provider(&metadata, profile));
        changes.retain(|change| change.recipient == SecretRecipient::RevocationEndpoint);
        if !changes.is_empty() {
            return Ok(RevocationOutcome::from_error(DestinationChanged { changes }.into()));
        }
        let sign_out_page = match oidc::find_sign_out_page(settings, Some(&metadata)) {
            Ok(_) => SignOutPageSupport::Offered,
            Err(_) => SignOutPageSupport::Unknown,
        };
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Ok(RevocationOutcome::NotOffered { sign_out_page });
        };
        let provider = ProviderSession { client, application, metadata: &metadata };
        Ok(match provider.revoke_refresh_token(endpoint, token).await {
            Ok(()) => RevocationOutcome::Revoked,
            Err(error) if error.is_unsupported_token_type() => RevocationOutcome::NotOffered { sign_out_page },
            Err(error) => RevocationOutcome::Failed { error: Box::new(Error::NotRevoked(error)), sign_out_page },
        })
    }
}
