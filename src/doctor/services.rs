//! What the organisation has set up besides: the quota service and the collector of telemetry.
//!
//! Both are asked without anything that proves who asks, and an answer that wants it is a good one.

use ::http::{Method, StatusCode};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    config::{Profile, QuotaErrorPolicy},
    failure::{Exit, Failure, doctor},
    text::sanitize_line,
    url::{SecureUrl, SecureUrlError},
};

pub(super) async fn check_quota(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(service) = &profile.quota else { return Ok(Finding::Skipped("none is configured".to_owned())) };
    let ask = async || Ok(context.send_probe(context.client(profile)?, &service.endpoint, Method::GET, "").await?);
    let failure: Failure = match ask().await {
        Ok(heard) if is_service_status(heard.answer.status) => {
            return Ok(Finding::Ok(format!("{} answers", heard.host)));
        }
        Ok(heard) => doctor::describe_broken_quota_service(&heard.host, heard.answer.status.as_u16()),
        Err(failure) => failure,
    };
    Ok(match service.on_error {
        QuotaErrorPolicy::Deny => Finding::Bad(failure.with_exit(Exit::OverQuota)),
        QuotaErrorPolicy::Allow => Finding::Warn(failure),
    })
}

/// Without a token it refuses; some of them say so with a no.
fn is_service_status(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

pub(super) async fn check_collectors(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let mut hosts = Vec::new();
    for address in profile.claude_code.collectors() {
        hosts.push(probe_collector(context, profile, address).await?);
    }
    hosts.dedup();
    Ok(match hosts.is_empty() {
        true => Finding::Skipped("none is configured".to_owned()),
        false => Finding::Ok(format!("{} answers", hosts.join(", "))),
    })
}

async fn probe_collector(context: &DoctorContext<'_>, profile: &Profile, address: &str) -> Result<String, Finding> {
    let shown = sanitize_line(address);
    let url = SecureUrl::parse(address).map_err(|refusal| match refusal {
        SecureUrlError::NotSecure => Finding::Warn(doctor::describe_insecure_collector(&shown)),
        SecureUrlError::Malformed | SecureUrlError::HasCredentials => {
            Finding::Bad(doctor::describe_bad_collector(&shown, &refusal.to_string()))
        }
    })?;
    let client = context.client(profile).map_err(Finding::Warn)?;
    match context.send_probe(client, &url, Method::GET, "").await {
        // A collector that speaks only gRPC closes the connection.
        Err(error) if error.is_interrupted() => Ok(url.authority().to_owned()),
        Err(error) => Err(Finding::Warn(error.into())),
        Ok(_) => Ok(url.authority().to_owned()),
    }
}
