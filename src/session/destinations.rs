//! Whether a stored sign-in may be sent where the configuration and the provider want it.
//!
//! What counts as a change is for `cache`; accepting one is for `login`.

use super::{DestinationChanged, Error, Ladder};
use crate::{
    cache::{CachedProvider, DestinationChange, Destinations, SecretRecipient, SignInRecord},
    config::Profile,
    host::Environment,
};

/// Fails when the configuration would send the stored sign-in to a host that nobody has accepted.
pub fn check_destinations(
    accepted: &Destinations,
    profile: &Profile,
    environment: &Environment,
) -> Result<(), DestinationChanged> {
    let changes = accepted.find_profile_changes(profile, environment);
    if changes.is_empty() { Ok(()) } else { Err(DestinationChanged { changes }) }
}

/// What a user has to accept before this profile's sign-in is used again: hosts of the configuration, and those of the
/// provider as far as its description is cached.
pub fn find_unaccepted_changes(
    accepted: &Destinations,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) -> Vec<DestinationChange> {
    let provider = known.map(|known| accepted.find_changes(&Destinations::from_provider(&known.metadata)));
    let mut changes = accepted.find_profile_changes(profile, environment);
    changes.extend(provider.unwrap_or_default());
    changes
}

/// The user accepted the hosts that are named now.
pub fn accept_destinations(
    accepted: &mut Destinations,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) {
    accepted.accept_hosts(Destinations::from_profile(profile, environment));
    if let Some(known) = known {
        accepted.replace_provider_hosts(Destinations::from_provider(&known.metadata));
    }
}

impl Ladder<'_> {
    /// The same under the lock; the accepted hosts become part of the sign-in and are stored with its next change.
    pub(super) fn accept_or_reject_hosts(&self, sign_in: &mut SignInRecord) -> Result<(), Error> {
        check_destinations(&sign_in.destinations, self.profile, &self.host.environment)?;
        sign_in.destinations.accept_hosts(Destinations::from_profile(self.profile, &self.host.environment));
        Ok(())
    }

    /// Fails when the refresh token would be sent to another host than the one that it was given by.
    pub(super) fn check_token_endpoint(&self, sign_in: &mut SignInRecord, known: &CachedProvider) -> Result<(), Error> {
        let now = Destinations::from_provider(&known.metadata);
        let mut changes = sign_in.destinations.find_changes(&now);
        if changes.is_empty() {
            sign_in.destinations.replace_provider_hosts(now);
        }
        changes.retain(|change| change.recipient == SecretRecipient::TokenEndpoint);
        if changes.is_empty() { Ok(()) } else { Err(DestinationChanged { changes }.into()) }
    }

    /// The sign-in is made now: it may be sent where the profile and the provider say, and where profiles that share it
    /// were allowed to send it.
    pub(super) fn set_destinations(&self, sign_in: &mut SignInRecord, known: &CachedProvider) {
        accept_destinations(&mut sign_in.destinations, self.profile, &self.host.environment, Some(known));
    }
}
