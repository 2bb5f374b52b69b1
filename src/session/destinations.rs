//! Whether a stored sign-in may be sent where the configuration and the provider want it.
//!
//! What counts as a change is for `cache`; accepting one is for `login`.

use super::{DestinationChanged, Error, Ladder};
use crate::{
    cache::{CachedProvider, DestinationChange, Destinations, SecretRecipient, Session},
    config::Profile,
    host::Environment,
};

/// Fails when the configuration would send the stored sign-in to a host that nobody has accepted.
pub fn check_destinations(
    session: &Session,
    profile: &Profile,
    environment: &Environment,
) -> Result<(), DestinationChanged> {
    let changes = session.find_destination_changes(profile, environment);
    if changes.is_empty() { Ok(()) } else { Err(DestinationChanged { changes }) }
}

/// What a user has to accept before this profile's sign-in is used again: hosts of the configuration, and those of the
/// provider as far as its description is cached.
pub fn find_unaccepted_changes(
    session: &Session,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) -> Vec<DestinationChange> {
    let provider = known.map(|known| session.destinations.find_changes(&Destinations::from_provider(&known.metadata)));
    let mut changes = session.find_destination_changes(profile, environment);
    changes.extend(provider.unwrap_or_default());
    changes
}

/// The user accepted the hosts that are named now. What came from the earlier ones is asked for again.
pub fn accept_destinations(
    session: &mut Session,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) {
    (session.credentials, session.cleared_until) = (None, None);
    session.destinations.accept_hosts(Destinations::from_profile(profile, environment));
    session
        .destinations
        .accept_hosts(known.map(|known| Destinations::from_provider(&known.metadata)).unwrap_or_default());
}

impl Ladder<'_> {
    /// The same under the lock; the accepted hosts become part of the session and are stored with its next change.
    pub(super) fn accept_or_reject_hosts(&self, session: &mut Session) -> Result<(), Error> {
        check_destinations(session, self.profile, &self.host.environment)?;
        session.destinations.accept_hosts(Destinations::from_profile(self.profile, &self.host.environment));
        Ok(())
    }

    /// Fails when the refresh token would be sent to another host than the one that it was given by.
    pub(super) fn check_token_endpoint(&self, session: &mut Session, known: &CachedProvider) -> Result<(), Error> {
        let now = Destinations::from_provider(&known.metadata);
        let mut changes = session.destinations.find_changes(&now);
        changes.retain(|change| change.recipient == SecretRecipient::TokenEndpoint);
        if !changes.is_empty() {
            return Err(DestinationChanged { changes }.into());
        }
        if session.destinations.find_changes(&now).is_empty() {
            session.destinations.accept_hosts(now);
        }
        Ok(())
    }

    /// Where a sign-in that is made now may be sent.
    pub(super) fn current_destinations(&self, known: &CachedProvider) -> Destinations {
        let mut destinations = Destinations::from_profile(self.profile, &self.host.environment);
        destinations.accept_hosts(Destinations::from_provider(&known.metadata));
        destinations
    }
}
