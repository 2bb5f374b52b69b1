//! A real exchange: the kept ID token for AWS's credentials, which are not kept; and whose AWS says they are.
//!
//! The rungs of the ladder that need no lock, for nothing is written. A token is renewed as any silent caller would.

use super::{DoctorContext, Finding, LiveOutcome};
use crate::{
    aws::{Aws, ExchangeRequest, GrantedCredentials},
    config::{CallerKind, Profile, RoleArn},
    credentials::AwsCredentials,
    failure::{Failure, doctor},
    hint::{Hint, NextCommand},
    host::format_local_time,
    identity,
    oidc::VerifiedToken,
    quota,
    text::sanitize_line,
    worker::WorkerClient,
};

/// What there is to show to AWS.
pub(super) enum ExchangeInput {
    Token(Box<VerifiedToken>),
    /// The provider gave no new ID token, and the kept one has ended; what AWS gave for it still counts.
    Credentials(Box<AwsCredentials>),
}

/// Without asking anybody. It waits for a process of its own, so no network call may be under way here.
pub(super) fn prepare_exchange(context: &DoctorContext<'_>, profile: &Profile) -> Result<ExchangeInput, Finding> {
    if !profile.storage.stores_anything() {
        let why = "nothing is kept with storage = \"none\", so there is no sign-in to try AWS with";
        return Err(Finding::Skipped(why.to_owned()));
    }
    let cache = context.cache(profile);
    let config = context.inputs.file.as_deref();
    let client = WorkerClient::new(context.host, profile, &cache, CallerKind::NonInteractive, config, 0);
    let error = match client.token().and_then(|_| Ok(cache.load_sign_in()?.recall_token())) {
        Ok(Some(token)) => return Ok(ExchangeInput::Token(Box::new(token))),
        Ok(None) => return Err(Finding::Skipped("the kept ID token cannot be read".to_owned())),
        Err(error) if error.kind().is_sign_in_needed() => error,
        Err(error) => return Err(error.into()),
    };
    let ready = client.credentials(&mut |_, _| {}).map_err(|_| {
        let why = Hint::from(format!("nobody is signed in ({}): run ", Failure::from(error).what()))
            .command(NextCommand::Login)
            .text(", then this again");
        Finding::Skipped(why.render(&context.invocation))
    })?;
    Ok(ExchangeInput::Credentials(Box::new(ready.credentials)))
}

/// What came of it, and with which credentials to go on.
pub(super) async fn check_exchange(
    context: &DoctorContext<'_>,
    profile: &Profile,
    proof: ExchangeInput,
) -> LiveOutcome<AwsCredentials> {
    let token = match proof {
        ExchangeInput::Token(token) => token,
        ExchangeInput::Credentials(credentials) => {
            let why = "the kept ID token has ended and the provider renews none, so the kept credentials serve in what follows";
            return Ok((Finding::Skipped(why.to_owned()), *credentials));
        }
    };
    let GrantedCredentials { credentials, role, .. } = request_credentials(context, profile, &token).await?;
    let role = role.as_ref().map_or("a role that AWS does not name", RoleArn::as_str);
    let until = format_local_time(credentials.expiration, &context.host.environment);
    let told = format!("AWS gives credentials of {} until {until}; these are not kept", sanitize_line(role));
    Ok((Finding::Ok(told), credentials))
}

async fn request_credentials(
    context: &DoctorContext<'_>,
    profile: &Profile,
    token: &VerifiedToken,
) -> Result<GrantedCredentials, Failure> {
    let host = context.host;
    let client = context.live_client(profile)?;
    let (_, stored) = context.records(profile)?;
    let cleared = quota::request_clearance(client, profile.quota.as_ref(), token, (host.now)()).await;
    let clearance = cleared.map_err(|denied| Failure::from_quota_error(denied, (host.now)()))?;
    let aws = build_aws_client(context, profile)?;
    let name = identity::derive_session_name(token, &profile.session_name);
    let question = ExchangeRequest {
        session_name: &name,
        max_seconds: stored.longest,
        pool_identity: stored.identity.as_deref(),
        clearance: &clearance,
    };
    let granted = aws.exchange_token(&question).await;
    granted.map_err(|failed| Failure::from_exchange_error(failed, profile, token))
}

/// GetCallerIdentity with the credentials, against what the profile wants; and the role, as people are told of it.
pub(super) async fn check_identity(
    context: &DoctorContext<'_>,
    profile: &Profile,
    credentials: &AwsCredentials,
) -> LiveOutcome<String> {
    let found = build_aws_client(context, profile)?.get_session_arn(credentials).await?;
    let role = RoleArn::from_session_arn(&found);
    let is_it = |wanted: &RoleArn| {
        role.as_ref().is_some_and(|role| role.account() == wanted.account() && role.name() == wanted.name())
    };
    let shown = match profile.final_role() {
        Some(wanted) if !is_it(wanted) => {
            return Err(doctor::describe_other_role(wanted.as_str(), &found).into());
        }
        Some(wanted) => wanted.as_str(),
        None => role.as_ref().map_or("the role", RoleArn::as_str),
    };
    Ok((Finding::Ok(format!("AWS knows them as {}", sanitize_line(&found))), shown.to_owned()))
}

fn build_aws_client(context: &DoctorContext<'_>, profile: &Profile) -> Result<Aws, Failure> {
    let host = context.host;
    let client = context.live_client(profile)?;
    Ok(Aws::new(client, profile, &host.environment, host.now)?)
}
