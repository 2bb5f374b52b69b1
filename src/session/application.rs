//! The application as the ladder and the way down present it.
//!
//! What is kept meets what the profile says; how either is presented is for `oidc`.

use super::Error;
use crate::{
    cache::RecordFolder,
    config::{ClientAuth, Profile},
    host::Host,
    oidc::{Application, ClientFiles, StoredClientCredentials},
};

/// The profile's application; what proves it is read only where something is needed.
pub(super) fn load_application<'p>(
    profile: &'p Profile,
    records: &RecordFolder,
    files: &ClientFiles,
    host: &Host,
) -> Result<Application<'p>, Error> {
    let kept = match &profile.client_auth {
        ClientAuth::None => StoredClientCredentials::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => {
            records.load_client_credentials(&profile.application_fingerprint())?
        }
    };
    Ok(Application::from_profile(profile, kept, files, host)?)
}
