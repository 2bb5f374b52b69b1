//! What proves the application, taken from stdin and kept for all of its profiles.
//!
//! It asks where stdin is a terminal; arguments and variables are read by other programs, so it never looks there.

use super::{context::ProfileContext, write_stderr};
use crate::{
    config::ClientAuth,
    failure::Failure,
    host::{HiddenInput, read_hidden_input},
    oidc::{Application, ClientFiles, StoredClientCredentials},
    secret::Secret,
    text::sanitize_line,
};

/// Longer than what any provider gives out.
const MAX_SECRET_BYTES: usize = 4096;

pub(super) fn store_client_secret(work: &ProfileContext<'_>) -> Result<(), Failure> {
    if work.profile.client_auth != ClientAuth::Secret {
        return Err(Failure::from_unused_secret(&work.profile));
    }
    let secret = read_secret_line(&format!("The secret of the application, for {}", work.profile.name))?;
    update_credentials(work, |kept| kept.secret = Some(secret))
}

/// One that does not open the key is not kept in place of one that may.
pub(super) fn store_key_passphrase(work: &ProfileContext<'_>) -> Result<(), Failure> {
    let profile = &work.profile;
    if !matches!(profile.client_auth, ClientAuth::PrivateKey(_)) {
        return Err(Failure::from_unused_passphrase(profile));
    }
    if !profile.storage.stores_anything() {
        return Err(Failure::from_disabled_storage(profile));
    }
    let passphrase =
        read_secret_line(&format!("The passphrase of the application's private key, for {}", profile.name))?;
    let keepsakes =
        StoredClientCredentials { passphrase: Some(passphrase.clone()), ..StoredClientCredentials::default() };
    Application::from_profile(profile, keepsakes, &ClientFiles::read_for_profile(profile), work.host())
        .map_err(|unproven| Failure::from_client_error(&unproven, profile))?;
    update_credentials(work, |kept| kept.passphrase = Some(passphrase))
}

/// Asks for one line, and believes nothing that could not be meant.
fn read_secret_line(what: &str) -> Result<Secret, Failure> {
    let mut has_asked = false;
    let ask = || {
        has_asked = true;
        write_stderr(&format!("{} (nothing is shown as you type): ", sanitize_line(what)));
    };
    let read = read_hidden_input(ask, MAX_SECRET_BYTES);
    if has_asked {
        write_stderr("\n");
    }
    match read.map_err(Failure::from_stdin_error)? {
        HiddenInput::Interrupted => Err(Failure::from_interruption()),
        HiddenInput::TooLong => {
            Err(Failure::from_bad_secret(format!("what came on stdin is longer than {MAX_SECRET_BYTES} bytes")))
        }
        HiddenInput::Line(bytes) => parse_secret(&bytes).map_err(Failure::from_bad_secret),
    }
}

fn parse_secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "what came on stdin is not text in UTF-8")?;
    match text {
        _ if text.trim().is_empty() => Err("no secret came on stdin"),
        _ if text.chars().any(char::is_control) => Err("what came on stdin is more than one line of plain text"),
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
    let mut kept = cache.folder().load_client_credentials(&application)?;
    change(&mut kept);
    Ok(locked.store_credentials(&kept)?)
}
