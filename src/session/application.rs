//! Builds the application (the OAuth client) of a profile for the ladder and for sign-out.
//!
//! It combines the profile's settings with the stored client secret. `oidc` decides how to present them to the
//! provider.

use super::Error;
use crate::{
    cache::RecordFolder,
    config::{ClientAuth, OidcSettings},
    host::Host,
    oidc::{Application, ClientFiles, StoredClientCredentials},
};

/// The profile's application. The store is read only if the profile's client authentication needs a stored value: a
/// public client must not make the keyring prompt for a secret that it does not have.
pub(super) fn load_application<'p>(
    settings: &'p OidcSettings,
    records: &RecordFolder,
    files: &ClientFiles,
    host: &Host,
) -> Result<Application<'p>, Error> {
    let stored = match &settings.client_auth {
        ClientAuth::None => StoredClientCredentials::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => {
            records.load_client_credentials(&settings.application_fingerprint())?
        }
    };
    Ok(Application::from_settings(settings, stored, files, host)?)
}
