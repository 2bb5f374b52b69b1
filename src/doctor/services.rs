//! Checks the telemetry collectors of the organisation.
//!
//! The requests contain no token, so a collector that demands one works as it should: the check asks only whether it is
//! there.

use super::{CheckOutcome, DoctorContext, Finding, context::ProbeRequest};
use crate::{
    config::Profile,
    failure::doctor,
    text::sanitize_line,
    url::{SecureUrl, SecureUrlError},
};

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
