//! Checks the organisation's services: the quota service and the telemetry collector.
//!
//! The requests contain no token, so a service that demands one works as it should: the check asks only whether the
//! service is there.

use ::http::StatusCode;

use super::{CheckOutcome, DoctorContext, Finding, context::ProbeRequest};
use crate::{
    config::{Profile, QuotaErrorPolicy},
    failure::{Exit, Failure, doctor},
    text::sanitize_line,
    url::{SecureUrl, SecureUrlError},
};

/// Whether the quota service answers. A service that does not answer is bad only if the profile then denies access
/// (`on_error = "deny"`); otherwise every command works without it.
pub(super) async fn check_quota(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(service) = &profile.quota else {
        return Ok(Finding::Skipped("no quota service is configured".to_owned()));
    };
    let probe = async || Ok(context.send_probe(context.client(profile)?, &service.endpoint, ProbeRequest::Get).await?);
    let failure: Failure = match probe().await {
        Ok(response) if is_service_status(response.answer.status) => {
            return Ok(Finding::Ok(format!("the quota service at {} answers", response.host)));
        }
        Ok(response) => doctor::describe_broken_quota_service(&response.host, response.answer.status.as_u16()),
        Err(failure) => failure,
    };
    Ok(match service.on_error {
        QuotaErrorPolicy::Deny => Finding::Bad(failure.with_exit(Exit::OverQuota)),
        QuotaErrorPolicy::Allow => Finding::Warn(failure),
    })
}

/// Whether a working quota service may answer so to a request without a token: 401, 403, or a document that denies
/// access.
fn is_service_status(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Whether each telemetry collector of the profile answers. An unreachable collector is only a warning: telemetry is
/// lost, but sign-ins work.
pub(super) async fn check_collectors(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let mut hosts = Vec::new();
    for address in profile.claude_code.collectors() {
        hosts.push(probe_collector(context, profile, address).await?);
    }
    hosts.dedup();
    Ok(match hosts.as_slice() {
        [] => Finding::Skipped("no telemetry collector is configured".to_owned()),
        [host] => Finding::Ok(format!("the telemetry collector at {host} answers")),
        hosts => Finding::Ok(format!("the telemetry collectors at {} answer", hosts.join(", "))),
    })
}

/// The host of a collector that answers. Several variables may name one host, so the caller removes repetitions.
async fn probe_collector(context: &DoctorContext<'_>, profile: &Profile, address: &str) -> Result<String, Finding> {
    let shown = sanitize_line(address);
    let url = SecureUrl::parse(address).map_err(|refusal| match refusal {
        SecureUrlError::NotSecure => Finding::Warn(doctor::describe_insecure_collector(&shown)),
        SecureUrlError::Malformed | SecureUrlError::HasCredentials => {
            Finding::Bad(doctor::describe_bad_collector(&shown, &refusal.to_string()))
        }
    })?;
    let client = context.client(profile).map_err(Finding::Warn)?;
    match context.send_probe(client, &url, ProbeRequest::Get).await {
        // A collector that only supports gRPC closes the connection, which shows that it is there.
        Err(error) if error.is_interrupted() => Ok(url.authority().to_owned()),
        Err(error) => Err(Finding::Warn(error.into())),
        Ok(_) => Ok(url.authority().to_owned()),
    }
}
