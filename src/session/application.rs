//! Builds the application (the OAuth client) of a profile for the ladder and for sign-out.
//!
//! It combines the profile's settings with the stored client secret. `oidc` decides how to present them to the
//! provider.

use super::Error;
use crate::{
    cache::RecordFolder,
    config::{ClientAuth, Profile},
    host::Host,
    oidc::{Application, ClientFiles, StoredClientCredentials},
};

/// The profile's application. The store is read only if the profile's client authentication needs a stored value: a
/// public client must not make the keyring prompt for a secret that it does not have.
pub(super) fn load_application<'p>(
    profile: &'p Profile,
    records: &RecordFolder,
    files: &ClientFiles,
    host: &Host,
) -> Result<Application<'p>, Error> {
    let stored = match &profile.oidc.client_auth {
        ClientAuth::None => StoredClientCredentials::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => {
            records.load_client_credentials(&profile.application_fingerprint())?
        }
    };
    Ok(Application::from_settings(&profile.oidc, stored, files, host)?)
}
