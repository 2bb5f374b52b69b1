//! Checks the quota service: whether it answers, whether it lets the user spend, and how much is left.
//!
//! The plain check asks with the stored sign-in as far as it is valid, and starts nothing. With `--live` the sign-in is
//! refreshed first, as for any caller that never prompts. Without a valid sign-in, the request contains no token, and a
//! service that demands one works as it should.

use ::http::StatusCode;

use super::{CheckOutcome, DoctorContext, Finding, context::ProbeRequest};
use crate::{
    config::{CallerKind, Profile, QuotaErrorPolicy, QuotaSettings},
    failure::{Exit, Failure, doctor},
    http::{self, Client},
    quota::{self, NoQuotaAnswer, QuotaError},
    worker::{QuotaIdentity, WorkerClient, find_stored_identity},
};

/// The check with the stored sign-in.
pub(super) async fn check_quota(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let Some(service) = &profile.quota else { return Ok(skip_unconfigured()) };
    // The checks of the session and of the key report a record that cannot be used.
    let identity = context.records(profile).ok().and_then(|(sign_in, stored)| {
        find_stored_identity(sign_in, stored, profile, &context.host.environment, context.now()).ok()?
    });
    Ok(ask_service(context, context.client(profile)?, profile, service, identity.as_ref()).await)
}

/// The check after a refresh. It may wait for a worker process, so the caller must not be inside the async runtime. Fails
/// only if that runtime cannot start.
pub(super) fn check_quota_live(context: &DoctorContext<'_>) -> Result<Finding, Failure> {
    let prepared = context.profile().and_then(|profile| {
        let service = profile.quota.as_ref().ok_or_else(skip_unconfigured)?;
        let (client, cache) = (context.live_client(profile)?, context.cache(profile));
        let config = context.inputs.file.as_deref();
        let worker = WorkerClient::new(context.host, profile, &cache, CallerKind::NonInteractive, config, 0);
        // Without one, the live check `exchange` reports the reason.
        let identity = profile.storage.stores_anything().then(|| worker.quota_identity(client).ok()).flatten();
        Ok((profile, service, client, identity))
    });
    match prepared {
        Ok((profile, service, client, identity)) => {
            http::block_on(ask_service(context, client, profile, service, identity.as_ref()))
                .map_err(Failure::from_runtime_error)
        }
        Err(finding) => Ok(finding),
    }
}

fn skip_unconfigured() -> Finding {
    Finding::Skipped("no quota service is configured".to_owned())
}

/// A denial is bad, because no command gets credentials. A service that does not answer is bad only if the profile then
/// denies access (`on_error = "deny"`); otherwise every command works without it.
async fn ask_service(
    context: &DoctorContext<'_>,
    client: &Client,
    profile: &Profile,
    service: &QuotaSettings,
    identity: Option<&QuotaIdentity>,
) -> Finding {
    let now = context.now();
    let Some(identity) = identity else { return probe_service(context, client, service).await };
    let silence = match quota::ask_about_user(client, service, identity.as_proof(&profile.region, now)).await {
        Ok(Ok(usage)) => {
            let usage = usage.unwrap_or_default();
            let host = service.endpoint.authority();
            return match (usage.describe_almost_spent(), usage.describe_shares()) {
                (Some(used), _) => Finding::Warn(doctor::describe_almost_spent_limit(&used)),
                (None, Some(shares)) => Finding::Ok(format!("{host} lets you spend; you have used {shares}")),
                (None, None) => Finding::Ok(format!("{host} lets you spend, and reports no limit for you")),
            };
        }
        Ok(Err(denied)) => return Finding::Bad(Failure::from_quota_error(QuotaError::Denied(denied), now)),
        Err(silence) => silence,
    };
    rate_missing_answer(
        service,
        match silence {
            NoQuotaAnswer::Network(error) => error.into(),
            NoQuotaAnswer::Status { host, status } => doctor::describe_broken_quota_service(&host, status.as_u16()),
            silence @ (NoQuotaAnswer::Timeout { .. }
            | NoQuotaAnswer::Unauthorized { .. }
            | NoQuotaAnswer::Malformed { .. }) => Failure::from_missing_overview(silence),
        },
    )
}

/// Asks only whether the service is there.
async fn probe_service(context: &DoctorContext<'_>, client: &Client, service: &QuotaSettings) -> Finding {
    match context.send_probe(client, &service.endpoint, ProbeRequest::Get).await {
        Ok(response) if is_service_status(response.answer.status) => {
            Finding::Ok(format!("the quota service at {} answers", response.host))
        }
        Ok(response) => {
            let status = response.answer.status.as_u16();
            rate_missing_answer(service, doctor::describe_broken_quota_service(&response.host, status))
        }
        Err(error) => rate_missing_answer(service, error.into()),
    }
}

fn rate_missing_answer(service: &QuotaSettings, failure: Failure) -> Finding {
    match service.on_error {
        QuotaErrorPolicy::Deny => Finding::Bad(failure.with_exit(Exit::OverQuota)),
        QuotaErrorPolicy::Allow => Finding::Warn(failure),
    }
}

/// Whether a working quota service may answer so to a request without a token: 401, 403, or a document that denies
/// access.
fn is_service_status(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
