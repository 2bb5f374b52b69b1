//! The application as the ladder and the way down present it.
//!
//! What is kept meets what the profile says; how either is presented is for `oidc`.

use crate::{
    cache::Cache,
    config::{ClientAuth, Profile},
    failure::{ClientAuthError, Failure},
    host::Host,
    oidc::{Application, ClientFiles, StoredClientCredentials},
};

/// The profile's application; what proves it is read only where something is needed.
pub(super) fn load_application<'p>(
    profile: &'p Profile,
    cache: &Cache,
    files: &ClientFiles,
    host: &Host,
) -> Result<Application<'p>, Failure> {
    let kept = match &profile.client_auth {
        ClientAuth::None => StoredClientCredentials::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => {
            cache.load_client_credentials(&profile.application_fingerprint())?
        }
    };
    Application::from_profile(profile, kept, files, host)
        .map_err(|unproven| ClientAuthError { unproven, profile }.into())
}
