//! What is kept of a sign-in.

use super::{Finding, Patient};
use crate::{
    cache::{Freshness, freshness},
    time::spoken,
};

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let session = match patient.session(profile) {
        Ok(session) => session,
        Err(failure) => return Finding::Bad(failure.clone()),
    };
    let now = (patient.host.now)();
    let kept = session.credentials.as_ref().filter(|kept| freshness(kept, now) != Freshness::Spent);
    Finding::Fine(match kept {
        Some(kept) => {
            format!("signed in until {} ({} left)", kept.expiration, spoken(kept.expiration.since(now)))
        }
        None if session.refresh_token.is_some() => "the next request renews the credentials".to_owned(),
        None => "not signed in".to_owned(),
    })
}
