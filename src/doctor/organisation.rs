//! What the organisation has set up besides: the quota service and the collector of telemetry.
//!
//! Both are asked without anything that proves who asks, and an answer that wants it is a good one.

use ::http::{Method, StatusCode};

use super::{Finding, Patient};
use crate::{
    config::{OnError, Profile},
    failure::{Exit, Failure, doctor::Remote},
    text::line,
    url::{Refusal, SecureUrl},
};

pub(super) async fn quota(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let Some(service) = &profile.quota else { return Finding::Skipped("none is configured".to_owned()) };
    let heard = patient.heard(profile, &service.endpoint, Method::GET, "").await;
    let failure = match heard {
        Ok(heard) if is_at_home(heard.answer.status) => {
            return Finding::Fine(format!("{} answers", heard.host));
        }
        Ok(heard) => Remote::Quota { host: heard.host, status: heard.answer.status.as_u16() }.into(),
        Err(failure) => failure,
    };
    match service.on_error {
        OnError::Deny => Finding::Bad(Failure { exit: Exit::OverQuota, ..failure }),
        OnError::Allow => Finding::Warning(failure),
    }
}

/// Without a token it refuses; some of them say so with a no.
fn is_at_home(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

pub(super) async fn collector(patient: &Patient<'_>) -> Finding {
    let Ok((profile, claude)) = patient.profile_and_claude() else { return Finding::no_profile() };
    let mut hosts = Vec::new();
    for address in claude.collectors() {
        match reached(patient, profile, address).await {
            Ok(host) => hosts.push(host),
            Err(finding) => return finding,
        }
    }
    hosts.dedup();
    match hosts.is_empty() {
        true => Finding::Skipped("none is configured".to_owned()),
        false => Finding::Fine(format!("{} answers", hosts.join(", "))),
    }
}

async fn reached(patient: &Patient<'_>, profile: &Profile, address: &str) -> Result<String, Finding> {
    let shown = line(address);
    let url = SecureUrl::parse(address).map_err(|refusal| match refusal {
        Refusal::NotSecure => Finding::Warning(Remote::OpenCollector { address: shown }.into()),
        refusal => Finding::Bad(Remote::BadCollector { address: shown, why: refusal.to_string() }.into()),
    })?;
    match patient.heard(profile, &url, Method::GET, "").await {
        // One that speaks gRPC alone hangs up.
        Err(failure) if failure.slug != "network/interrupted" => Err(Finding::Warning(failure)),
        _ => Ok(url.authority().to_owned()),
    }
}
