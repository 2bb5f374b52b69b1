//! Checks the stored session and the last failure.
//!
//! The checks only read. They refresh nothing, and they do not ask the keyring again if it is locked, because that
//! could open a dialog.

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    cache::{FailureReport, Freshness, RenewalOutlook, assess_credentials},
    failure::{Failure, describe_refresh_obstacle, doctor},
    host::format_local_time,
    session::{SignInNeeded, check_destinations, find_unmet_requirement, predict_renewal},
    text::sanitize_line,
    time::format_duration,
};

/// Who is signed in and until when. A refresh token or a valid ID token counts as signed in, even if the credentials
/// have expired: the next call gets new ones without a prompt.
pub(super) fn check_session(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    if !profile.storage.stores_anything() {
        return Ok(Finding::Skipped(
            "the profile stores no session (storage = \"none\"), so every call signs in".to_owned(),
        ));
    }
    let (sign_in, stored) = match context.records(profile) {
        Ok(records) => records,
        Err(_) if context.try_keyring().is_err() => {
            return Ok(Finding::Skipped("the stored session cannot be opened, see `key`".to_owned()));
        }
        Err(failure) => return Err(failure.into()),
    };
    // A changed destination blocks every automatic caller, whatever else is stored.
    check_destinations(&sign_in.destinations, profile, &context.host.environment)
        .map_err(|changed| Finding::Warn(changed.into()))?;
    let now = context.now();
    let is_valid = |cached: &&_| assess_credentials(cached, now) != Freshness::Spent;
    let valid = stored.credentials.as_ref().filter(is_valid);
    let who = stored.session_name.as_deref().map_or_else(String::new, |name| format!(" as {}", sanitize_line(name)));
    let local = |time| format_local_time(time, &context.host.environment);
    Ok(match (valid, predict_renewal(sign_in, profile, now)) {
        (Some(cached), outlook) => {
            let then = match outlook {
                RenewalOutlook::Automatic => "then refreshed automatically".to_owned(),
                RenewalOutlook::Until(end, obstacle) if end > cached.expiration => {
                    format!("then refreshed until {}{}", local(end), describe_refresh_obstacle(obstacle))
                }
                RenewalOutlook::Until(_, obstacle) | RenewalOutlook::SignInNeeded(obstacle) => {
                    format!("then you must sign in again{}", describe_refresh_obstacle(obstacle))
                }
            };
            let left = format_duration(cached.expiration.duration_since(now));
            Finding::Ok(format!("signed in{who} until {} ({left} left), {then}", local(cached.expiration)))
        }
        (None, RenewalOutlook::Automatic) => {
            Finding::Ok(format!("signed in{who}; the next call refreshes the credentials"))
        }
        (None, RenewalOutlook::Until(end, obstacle)) => {
            let because = describe_refresh_obstacle(obstacle);
            Finding::Ok(format!("signed in{who} until {}{because}; the next call gets credentials", local(end)))
        }
        (None, RenewalOutlook::SignInNeeded(obstacle)) => {
            Finding::Warn(match find_unmet_requirement(sign_in, profile, now) {
                Some(unmet) => SignInNeeded::RequirementUnmet(unmet).into(),
                None => doctor::describe_missing_session(obstacle),
            })
        }
    })
}

/// Under which name AWS records the user.
pub(super) fn check_session_name(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    if !profile.names_aws_session() {
        return Ok(Finding::Skipped("an identity pool names its sessions itself".to_owned()));
    }
    let stored = context.records(profile).ok().map(|(_, stored)| stored);
    Ok(match stored.as_ref().and_then(|stored| Some((stored, stored.session_name.as_deref()?))) {
        None => Finding::Skipped("no AWS session is stored".to_owned()),
        Some((stored, _)) if stored.is_named_by_subject => Finding::Warn(doctor::describe_opaque_session_name(profile)),
        Some((_, name)) => Finding::Ok(format!("AWS records you as {}", sanitize_line(name))),
    })
}

/// Repeats the last failure with its own hint, because hosts and SDKs often hide what a command prints.
pub(super) fn check_last_error(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(last) = context.cache(profile).load_last_failure() else {
        return Ok(Finding::Ok("no call has failed since the last success".to_owned()));
    };
    let ago = format_duration(context.now().duration_since(last.at));
    let report = last.report;
    let message = format!("the last call failed {ago} ago: {} [{}]", report.message, report.slug);
    Ok(Finding::Warn(Failure::from(FailureReport { message, ..report })))
}
