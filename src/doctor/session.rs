//! What is kept of a sign-in, and what its last call ended in.
//!
//! Nothing is renewed, and nobody is asked to unlock anything.

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    cache::{FailureReport, Freshness, assess_credentials},
    failure::{Failure, doctor},
    host::format_local_time,
    session::check_destinations,
    text::sanitize_line,
    time::format_duration,
};

pub(super) fn check_session(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    if !profile.storage.stores_anything() {
        return Ok(Finding::Skipped("nothing is kept, so every call signs in anew".to_owned()));
    }
    let (sign_in, stored) = match context.records(profile) {
        Ok(records) => records,
        Err(_) if context.try_keyring().is_err() => {
            return Ok(Finding::Skipped("what is kept cannot be opened, see `key`".to_owned()));
        }
        Err(failure) => return Err(failure.into()),
    };
    check_destinations(&sign_in.destinations, profile, &context.host.environment)
        .map_err(|changed| Finding::Warn(changed.into()))?;
    let now = context.now();
    let good = stored.credentials.as_ref().filter(|kept| assess_credentials(kept, now) != Freshness::Spent);
    let who = stored.session_name.as_deref().map_or_else(String::new, |name| format!(" as {}", sanitize_line(name)));
    let then = if sign_in.refresh_token.is_some() { "renewed silently" } else { "then by signing in again" };
    Ok(match good {
        Some(kept) => {
            let left = format_duration(kept.expiration.duration_since(now));
            let until = format_local_time(kept.expiration, &context.host.environment);
            Finding::Ok(format!("signed in{who} until {until} ({left} left), {then}"))
        }
        None if sign_in.refresh_token.is_some() => {
            Finding::Ok(format!("signed in{who}; the next request renews the credentials"))
        }
        None => Finding::Warn(doctor::describe_missing_session()),
    })
}

pub(super) fn check_last_error(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(last) = context.cache(profile).load_last_failure() else {
        return Ok(Finding::Ok("none since the last success".to_owned()));
    };
    let ago = format_duration(context.now().duration_since(last.at));
    let report = last.report;
    let message = format!("{ago} ago: {} [{}]", report.message, report.slug);
    Ok(Finding::Warn(Failure::from(FailureReport { message, ..report })))
}
