//! Checks where telemetry goes: the collectors of the organisation, its relay, and the relay on this computer.
//!
//! The requests contain no token, so a collector that demands one works as it should: the check asks only whether it is
//! there. The relay on this computer has to prove itself.

use super::{CheckOutcome, DoctorContext, Finding, context::ProbeRequest};
use crate::{
    config::{Profile, TelemetryRelay},
    failure::doctor,
    oidc::callback::PortHolder,
    relay::{self, ProbeOutcome, is_relay_running, probe_relay},
    setup::claude::find_variable_against_relay,
    text::sanitize_line,
    url::{SecureUrl, SecureUrlError},
};

/// Whether each telemetry collector of the profile answers. An unreachable collector is only a warning: telemetry is
/// lost, but sign-ins work.
pub(super) async fn check_collectors(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let mut hosts = Vec::new();
    let relay = match &profile.telemetry.relay {
        TelemetryRelay::Remote(address) => Some(address.as_str()),
        // The check `relay` asks it.
        TelemetryRelay::Laptop(_) => return Ok(Finding::Skipped("telemetry goes to your own relay".to_owned())),
        TelemetryRelay::None => None,
    };
    for address in profile.claude_code.collectors().chain(relay) {
        hosts.push(probe_collector(context, profile, address).await?);
    }
    hosts.sort();
    hosts.dedup();
    Ok(match hosts.as_slice() {
        [] => Finding::Skipped("no telemetry collector is configured".to_owned()),
        [host] => Finding::Ok(format!("the telemetry collector at {host} answers")),
        hosts => Finding::Ok(format!("the telemetry collectors at {} answer", hosts.join(", "))),
    })
}

/// Whether the relay on this computer can run, and gets what Claude Code sends. A relay that does not run is no problem:
/// it starts with Claude Code.
pub(super) fn check_relay(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let relay = match &profile.telemetry.relay {
        TelemetryRelay::Laptop(relay) => relay,
        TelemetryRelay::Remote(_) => return Ok(Finding::Skipped("your organization runs the relay".to_owned())),
        TelemetryRelay::None => return Ok(Finding::Skipped("no telemetry relay is configured".to_owned())),
    };
    let address = relay.address();
    let found = match probe_relay(context.host, relay.port)? {
        ProbeOutcome::Ours(instance) => {
            format!("your relay at {address} answers (version {})", sanitize_line(&instance.version))
        }
        ProbeOutcome::Absent => format!("your relay at {address} starts when Claude Code does"),
        ProbeOutcome::Silent if is_relay_running(context.host, relay.port) => {
            return Err(relay::Error::Silent { port: relay.port }.into());
        }
        ProbeOutcome::Foreign | ProbeOutcome::Silent => {
            let holder = PortHolder::find_by_port(relay.port);
            return Err(relay::Error::PortTaken { port: relay.port, holder }.into());
        }
    };
    Ok(match find_variable_against_relay(&profile.claude_code.env, relay) {
        Some((name, value)) => Finding::Warn(doctor::describe_relay_variable(name, &sanitize_line(value), &address)),
        None => Finding::Ok(found),
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
    let collectors = &profile.telemetry.collectors;
    if !collectors.is_empty() && !collectors.iter().any(|listed| listed.as_url().origin() == url.as_url().origin()) {
        return Err(Finding::Warn(doctor::describe_unlisted_collector(&shown)));
    }
    let client = context.client(profile).map_err(Finding::Warn)?;
    match context.send_probe(client, &url, ProbeRequest::Get).await {
        // A collector that only supports gRPC closes the connection, which shows that it is there.
        Err(error) if error.is_interrupted() => Ok(url.authority().to_owned()),
        Err(error) => Err(Finding::Warn(error.into())),
        Ok(_) => Ok(url.authority().to_owned()),
    }
}
