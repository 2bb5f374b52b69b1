//! What proves the application, taken from stdin and kept for all of its profiles.
//!
//! It asks where stdin is a terminal; arguments and variables are read by other programs, so it never looks there.

use super::{context::ProfileContext, write_stderr};
use crate::{
    config::ClientAuth,
    failure::{ClientAuthError, Failure, InputError, SystemError, UserInterrupted},
    host::{HiddenInput, read_hidden_input},
    oidc::{Application, ClientFiles, StoredClientCredentials},
    secret::Secret,
    text::sanitize_line,
};

/// Longer than what any provider gives out.
const MAX_SECRET_BYTES: usize = 4096;

pub(super) fn store_client_secret(work: &ProfileContext<'_>) -> Result<(), Failure> {
    if work.profile.client_auth != ClientAuth::Secret {
        return Err(InputError::SecretNotUsed { profile: &work.profile }.into());
    }
    let secret = read_secret_line(&format!("The secret of the application, for {}", work.profile.name))?;
    update_credentials(work, |kept| kept.secret = Some(secret))
}

/// One that does not open the key is not kept in place of one that may.
pub(super) fn store_key_passphrase(work: &ProfileContext<'_>) -> Result<(), Failure> {
    let profile = &work.profile;
    if !matches!(profile.client_auth, ClientAuth::PrivateKey(_)) {
        return Err(InputError::PassphraseNotUsed { profile }.into());
    }
    if !profile.storage.stores_anything() {
        return Err(InputError::StorageDisabled { profile }.into());
    }
    let passphrase =
        read_secret_line(&format!("The passphrase of the application's private key, for {}", profile.name))?;
    let keepsakes =
        StoredClientCredentials { passphrase: Some(passphrase.clone()), ..StoredClientCredentials::default() };
    Application::from_profile(profile, keepsakes, &ClientFiles::read_for_profile(profile), work.host())
        .map_err(|unproven| Failure::from(ClientAuthError { unproven, profile }))?;
    update_credentials(work, |kept| kept.passphrase = Some(passphrase))
}

/// Asks for one line, and believes nothing that could not be meant.
fn read_secret_line(what: &str) -> Result<Secret, Failure> {
    let ask = || write_stderr(&format!("{} (nothing is shown as you type): ", sanitize_line(what)));
    let mut has_asked = false;
    let read = read_hidden_input(
        || {
            has_asked = true;
            ask();
        },
        MAX_SECRET_BYTES,
    );
    if has_asked {
        write_stderr("\n");
    }
    match read.map_err(SystemError::Stdin)? {
        HiddenInput::Interrupted => Err(UserInterrupted.into()),
        HiddenInput::TooLong => Err(InputError::TooLong { limit: MAX_SECRET_BYTES }.into()),
        HiddenInput::Line(bytes) => parse_secret(&bytes).map_err(Failure::from),
    }
}

fn parse_secret(bytes: &[u8]) -> Result<Secret, InputError<'static>> {
    let text = std::str::from_utf8(bytes).map_err(|_| InputError::NotText)?;
    match text {
        _ if text.trim().is_empty() => Err(InputError::Empty),
        _ if text.chars().any(char::is_control) => Err(InputError::NotOneLine),
        _ => Ok(Secret::new(text)),
    }
}

fn update_credentials(
    work: &ProfileContext<'_>,
    change: impl FnOnce(&mut StoredClientCredentials),
) -> Result<(), Failure> {
    let (cache, application) = (&work.cache, work.profile.application_fingerprint());
    cache.create_folder()?;
    let locked = work.lock_application(&application.short_hex())?;
    let mut kept = cache.load_client_credentials(&application)?;
    change(&mut kept);
    Ok(locked.store_credentials(&kept)?)
}
