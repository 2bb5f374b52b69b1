//! What is kept of a sign-in, and what its last call ended in.
//!
//! Nothing is renewed, and nobody is asked to unlock anything.

use super::{Finding, Patient};
use crate::{
    cache::{Freshness, LastFailure, freshness},
    config::Storage,
    failure::{Failure, doctor::Machine},
    session::check_destinations,
    text::line,
    time::spoken,
};

pub(super) fn kept(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    if profile.storage == Storage::None {
        return Finding::Skipped("nothing is kept, so every call signs in anew".to_owned());
    }
    let session = match patient.session(profile) {
        Ok(session) => session,
        Err(_) if patient.keyring().is_err() => {
            return Finding::Skipped("what is kept cannot be opened, see `key`".to_owned());
        }
        Err(failure) => return Finding::Bad(failure.clone()),
    };
    if let Err(failure) = check_destinations(session, profile, &patient.host.environment) {
        return Finding::Warning(failure);
    }
    let now = patient.now();
    let good = session.credentials.as_ref().filter(|kept| freshness(kept, now) != Freshness::Spent);
    let who = session.session_name.as_deref().map_or_else(String::new, |name| format!(" as {}", line(name)));
    let then = if session.refresh_token.is_some() { "renewed silently" } else { "then by signing in again" };
    match good {
        Some(kept) => {
            let left = spoken(kept.expiration.since(now));
            Finding::Fine(format!("signed in{who} until {} ({left} left), {then}", kept.expiration))
        }
        None if session.refresh_token.is_some() => {
            Finding::Fine(format!("signed in{who}; the next request renews the credentials"))
        }
        None => Finding::Warning(Machine::NotSignedIn.into()),
    }
}

pub(super) fn last_error(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let Some(last) = patient.cache(profile).notes().last_failure else {
        return Finding::Fine("none since the last success".to_owned());
    };
    let ago = spoken(patient.now().since(last.at));
    let message = format!("{ago} ago: {} [{}]", last.message, last.slug);
    Finding::Warning(Failure::from(LastFailure { message, ..last }))
}
