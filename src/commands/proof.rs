//! What proves the application, taken from stdin and kept for all of its profiles.
//!
//! It asks where stdin is a terminal; arguments and variables are read by other programs, so it never looks there.

use super::{desk::Work, say};
use crate::{
    config::{ClientAuth, Storage},
    failure::{Denied, Failure, Interrupted, Unfit, UnprovenError},
    host::{Unseen, read_unseen},
    oidc::{Application, ClientFiles, Keepsakes},
    secret::Secret,
    text::line,
};

/// Longer than what any provider gives out.
const LIMIT: usize = 4096;

pub(super) fn keep_secret(work: &Work<'_>) -> Result<(), Failure> {
    if work.profile.client_auth != ClientAuth::Secret {
        return Err(Unfit::NotUsed { profile: &work.profile }.into());
    }
    let secret = read(&format!("The secret of the application, for {}", work.profile.name))?;
    keep(work, |kept| kept.secret = Some(secret))
}

/// One that does not open the key is not kept in place of one that may.
pub(super) fn keep_passphrase(work: &Work<'_>) -> Result<(), Failure> {
    let profile = &work.profile;
    if !matches!(profile.client_auth, ClientAuth::PrivateKey(_)) {
        return Err(Unfit::NoKey { profile }.into());
    }
    if profile.storage == Storage::None {
        return Err(Unfit::NotKept { profile }.into());
    }
    let passphrase = read(&format!("The passphrase of the application's private key, for {}", profile.name))?;
    let keepsakes = Keepsakes { passphrase: Some(passphrase.clone()), ..Keepsakes::default() };
    Application::of(profile, keepsakes, &ClientFiles::read(profile), work.host())
        .map_err(|unproven| Failure::from(UnprovenError { unproven, profile }))?;
    keep(work, |kept| kept.passphrase = Some(passphrase))
}

/// Asks for one line, and believes nothing that could not be meant.
fn read(what: &str) -> Result<Secret, Failure> {
    let ask = || say(&format!("{} (nothing is shown as you type): ", line(what)));
    let mut has_asked = false;
    let read = read_unseen(
        || {
            has_asked = true;
            ask();
        },
        LIMIT,
    );
    if has_asked {
        say("\n");
    }
    match read.map_err(Denied::Stdin)? {
        Unseen::Interrupted => Err(Interrupted.into()),
        Unseen::TooLong => Err(Unfit::TooLong { limit: LIMIT }.into()),
        Unseen::Line(bytes) => judged(&bytes).map_err(Failure::from),
    }
}

fn judged(bytes: &[u8]) -> Result<Secret, Unfit<'static>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unfit::NotText)?;
    match text {
        _ if text.trim().is_empty() => Err(Unfit::Empty),
        _ if text.chars().any(char::is_control) => Err(Unfit::NotOneLine),
        _ => Ok(Secret::new(text)),
    }
}

fn keep(work: &Work<'_>, change: impl FnOnce(&mut Keepsakes)) -> Result<(), Failure> {
    let (cache, application) = (&work.cache, work.profile.application());
    cache.prepare()?;
    let held = work.held(&cache.application_lock_path(&application.name()))?;
    let mut kept = cache.keepsakes(&application)?;
    change(&mut kept);
    Ok(cache.keep_keepsakes(&held, &application, &kept)?)
}
