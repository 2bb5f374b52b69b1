//! `login --client-secret-stdin` and `--client-key-passphrase-stdin`: read a secret of the application and store it.
//!
//! The secret belongs to the application at the provider, so all profiles with the same issuer and client ID use it. It
//! comes from a pipe, or from a hidden prompt if stdin is a terminal. It is never an argument or an environment
//! variable, because other programs of the same user can read those.

use super::{context::ProfileContext, write_stderr};
use crate::{
    config::{ClientAuth, OidcSettings},
    failure::Failure,
    host::{HiddenInput, read_hidden_input},
    oidc::{Application, ClientFiles, StoredClientCredentials},
    secret::Secret,
    text::sanitize_line,
};

/// An upper limit for the input, so that a wrong pipe cannot fill the memory. No provider issues a longer secret.
const MAX_SECRET_BYTES: usize = 4096;

/// Reads the client secret and stores it.
///
/// Fails if the profile does not use one: a stored secret that is never sent would give a false sense of security.
pub(super) fn store_client_secret(work: &ProfileContext<'_>) -> Result<(), Failure> {
    let has_secret = |oidc: &&OidcSettings| oidc.client_auth == ClientAuth::Secret;
    let oidc = work.profile.oidc().filter(has_secret).ok_or_else(|| Failure::from_unused_secret(&work.profile))?;
    let secret = read_secret_line(&format!("Client secret of the application for profile {}", work.profile.name))?;
    update_credentials(work, oidc, |stored| stored.secret = Some(secret))
}

/// Reads the passphrase of the application's private key and stores it.
///
/// The passphrase must decrypt the key first. A typing error therefore does not replace a stored passphrase that works.
pub(super) fn store_key_passphrase(work: &ProfileContext<'_>) -> Result<(), Failure> {
    let profile = &work.profile;
    let has_key = |oidc: &&OidcSettings| matches!(oidc.client_auth, ClientAuth::PrivateKey(_));
    let oidc = profile.oidc().filter(has_key).ok_or_else(|| Failure::from_unused_passphrase(profile))?;
    if !profile.storage.stores_anything() {
        return Err(Failure::from_disabled_storage(profile));
    }
    let passphrase =
        read_secret_line(&format!("Passphrase of the application's private key for profile {}", profile.name))?;
    let candidate =
        StoredClientCredentials { passphrase: Some(passphrase.clone()), ..StoredClientCredentials::default() };
    Application::from_settings(oidc, candidate, &ClientFiles::read_for_settings(oidc), work.host())
        .map_err(|unproven| Failure::from_client_error(&unproven, profile))?;
    update_credentials(work, oidc, |stored| stored.passphrase = Some(passphrase))
}

/// Reads one line from stdin. In a terminal it first prints a prompt that begins with `label`.
///
/// The prompt goes to stderr, because stdout belongs to the result of the command.
fn read_secret_line(label: &str) -> Result<Secret, Failure> {
    let mut has_prompted = false;
    let prompt = || {
        has_prompted = true;
        write_stderr(&format!("{} (input is hidden): ", sanitize_line(label)));
    };
    let read = read_hidden_input(prompt, MAX_SECRET_BYTES);
    // The terminal does not show the Enter key either, so the next output would continue the line of the prompt.
    if has_prompted {
        write_stderr("\n");
    }
    match read.map_err(Failure::from_stdin_error)? {
        HiddenInput::Interrupted => Err(Failure::from_interruption()),
        HiddenInput::TooLong => {
            Err(Failure::from_bad_secret(format!("the input on stdin is longer than {MAX_SECRET_BYTES} bytes")))
        }
        HiddenInput::Line(bytes) => parse_secret(&bytes).map_err(Failure::from_bad_secret),
    }
}

/// Rejects input that cannot be a secret, such as a whole file or a binary key. The provider's answer to it would only
/// be `invalid_client`, which does not help the user.
fn parse_secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the input on stdin is not valid UTF-8")?;
    match text {
        _ if text.trim().is_empty() => Err("the input on stdin is empty"),
        _ if text.chars().any(char::is_control) => Err("the input on stdin has several lines or control characters"),
        _ => Ok(Secret::new(text)),
    }
}

/// Changes one part of what is stored for the application, and leaves the other part as it was.
///
/// The lock covers both the read and the write. Otherwise another `login` that stores at the same moment could lose its
/// change.
fn update_credentials(
    work: &ProfileContext<'_>,
    oidc: &OidcSettings,
    change: impl FnOnce(&mut StoredClientCredentials),
) -> Result<(), Failure> {
    let (cache, application) = (&work.cache, oidc.application_fingerprint());
    cache.create_folder()?;
    let locked = work.lock_application(&application.short_hex())?;
    let mut stored = cache.folder().load_client_credentials(&application)?;
    change(&mut stored);
    Ok(locked.store_credentials(&stored)?)
}
