//! The application as the ladder and the way down present it.
//!
//! What is kept meets what the profile says; how either is presented is for `oidc`.

use crate::{
    cache::{Cache, Proofs},
    config::{ClientAuth, Profile},
    failure::{Failure, UnprovenError},
    host::Host,
    oidc::{Application, Keepsakes},
};

/// The profile's application; what proves it is read only where something is needed.
pub(super) fn application<'p>(
    profile: &'p Profile,
    cache: &Cache,
    host: &Host,
) -> Result<Application<'p>, Failure> {
    let Proofs { secret, passphrase } = match &profile.client_auth {
        ClientAuth::None => Proofs::default(),
        ClientAuth::Secret | ClientAuth::PrivateKey(_) => cache.proofs(&profile.application())?,
    };
    let kept = Keepsakes { secret, passphrase };
    Application::of(profile, kept, host).map_err(|unproven| UnprovenError { unproven, profile }.into())
}
