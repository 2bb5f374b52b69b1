//! The application as the ladder and the way down present it.
//!
//! What is kept meets what the profile says; how either is presented is for `oidc`.

use crate::{
    cache::Cache,
    config::{ClientAuth, Profile},
    failure::{Failure, UnprovenError},
    host::Host,
    oidc::{Application, ClientFiles, Keepsakes},
};

/// The profile's application; what proves it is read only where something is needed.
pub(super) fn application<'p>(
    profile: &'p Profile,
    cache: &Cache,
    files: &ClientFiles,
    host: &Host,
) -> Result<Application<'p>, Failure> {
    let kept = match &profile.client_auth {
        ClientAuth::None => Keepsakes::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => cache.keepsakes(&profile.application())?,
    };
    Application::of(profile, kept, files, host).map_err(|unproven| UnprovenError { unproven, profile }.into())
}
