//! Whether the secrets of a stored sign-in may be sent to the hosts that the configuration and the provider name now.
//!
//! Every use of a stored sign-in passes one of these checks first. A host that the user has not accepted is an error,
//! and receives nothing. `cache` decides which hosts are new. The user accepts them at `login`, or by a new sign-in.

use super::{DestinationChanged, Error, Ladder, provider_steps::ProviderSteps};
use crate::{
    cache::{CachedProvider, DestinationChange, Destinations, SecretRecipient, SignInRecord},
    config::Profile,
    host::Environment,
};

/// Fails if the configuration names a host that the user has not accepted for the stored sign-in.
pub fn check_destinations(
    accepted: &Destinations,
    profile: &Profile,
    environment: &Environment,
) -> Result<(), DestinationChanged> {
    let changes = accepted.find_profile_changes(profile, environment);
    if changes.is_empty() { Ok(()) } else { Err(DestinationChanged { changes }) }
}

/// The hosts that the user has to accept before this profile's sign-in is used again: those of the configuration, and
/// those of the provider if its metadata is cached (`known`).
pub fn find_unaccepted_changes(
    accepted: &Destinations,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) -> Vec<DestinationChange> {
    let provider = known.map(|known| accepted.find_changes(&Destinations::from_provider(&known.metadata, profile)));
    let mut changes = accepted.find_profile_changes(profile, environment);
    changes.extend(provider.unwrap_or_default());
    changes
}

/// Accepts all hosts that the configuration and the provider name now. Call it only after the user has consented, or
/// for a sign-in that the user makes at this moment.
pub fn accept_destinations(
    accepted: &mut Destinations,
    profile: &Profile,
    environment: &Environment,
    known: Option<&CachedProvider>,
) {
    accepted.accept_hosts(Destinations::from_profile(profile, environment));
    if let Some(known) = known {
        accepted.replace_provider_hosts(Destinations::from_provider(&known.metadata, profile));
    }
}

impl Ladder<'_> {
    /// [`check_destinations`] under the lock. Hosts that need no consent become accepted ones; they are stored with the
    /// next change of the sign-in.
    pub(super) fn accept_or_reject_hosts(&self, sign_in: &mut SignInRecord) -> Result<(), Error> {
        check_destinations(&sign_in.destinations, self.profile, &self.host.environment)?;
        sign_in.destinations.accept_hosts(Destinations::from_profile(self.profile, &self.host.environment));
        Ok(())
    }
}

impl ProviderSteps<'_, '_> {
    /// Fails if the provider's metadata now names another host for the token endpoint than when the refresh token was
    /// issued. An attacker who can change the metadata must not receive the token.
    pub(super) fn check_token_endpoint(&self, sign_in: &mut SignInRecord, known: &CachedProvider) -> Result<(), Error> {
        let now = Destinations::from_provider(&known.metadata, self.profile);
        let mut changes = sign_in.destinations.find_changes(&now);
        if changes.is_empty() {
            sign_in.destinations.replace_provider_hosts(now);
        }
        changes.retain(|change| change.recipient == SecretRecipient::TokenEndpoint);
        if changes.is_empty() { Ok(()) } else { Err(DestinationChanged { changes }.into()) }
    }
}
