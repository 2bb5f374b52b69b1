//! The first two live checks: exchange the stored ID token for AWS credentials, and let AWS say to which role they
//! belong.
//!
//! The exchange takes the steps of a sign-in from the quota check on. It needs no lock, because it stores nothing: the
//! new credentials exist only for the checks that follow. An expired ID token is refreshed first, as for any caller
//! that never prompts.

use std::collections::BTreeMap;

use super::{DoctorContext, Finding, LiveOutcome};
use crate::{
    aws::{Aws, ExchangeRequest, GrantedCredentials},
    config::{CallerKind, Federation, OidcSettings, Profile, RoleArn, SignInSettings},
    credentials::AwsCredentials,
    failure::{Failure, doctor},
    hint::{Hint, NextCommand},
    host::format_local_time,
    identity,
    oidc::VerifiedToken,
    quota, session,
    text::sanitize_line,
    worker::WorkerClient,
};

/// What the live checks start from.
pub(super) enum ExchangeInput {
    /// A valid ID token. The exchange can be tested.
    Token(Box<VerifiedToken>),
    /// Credentials of the last exchange. Either the ID token has expired and could not be refreshed, or Identity Center
    /// issued them. The exchange cannot be tested, but the checks after it can.
    Credentials(Box<AwsCredentials>),
}

/// Finds the ID token or the credentials for the live checks, without a prompt. It may start a worker process and wait
/// for it, so the caller must not be inside the async runtime.
pub(super) fn prepare_exchange(context: &DoctorContext<'_>, profile: &Profile) -> Result<ExchangeInput, Finding> {
    if !profile.storage.stores_anything() {
        let why = "the profile stores no sign-in to test with (storage = \"none\")";
        return Err(Finding::Skipped(why.to_owned()));
    }
    let cache = context.cache(profile);
    let config = context.inputs.file.as_deref();
    let client = WorkerClient::new(context.host, profile, &cache, CallerKind::NonInteractive, config, 0);
    if profile.oidc().is_none() {
        let ready = client.credentials(&mut |_, _| {})?;
        return Ok(ExchangeInput::Credentials(Box::new(ready.credentials)));
    }
    let error = match client.token().and_then(|_| Ok(cache.load_sign_in()?.recall_token())) {
        Ok(Some(token)) => return Ok(ExchangeInput::Token(Box::new(token))),
        Ok(None) => return Err(Finding::Skipped("the stored ID token cannot be read".to_owned())),
        Err(error) if error.kind().is_sign_in_needed() => error,
        Err(error) => return Err(error.into()),
    };
    let ready = client.credentials(&mut |_, _| {}).map_err(|_| {
        let why = Hint::from(format!("{}: run ", Failure::from(error).what()))
            .command(NextCommand::Login)
            .text(", then run this command again");
        Finding::Skipped(why.render(&context.invocation))
    })?;
    Ok(ExchangeInput::Credentials(Box::new(ready.credentials)))
}

/// The session tags of the credentials that the exchange returns: those of the ID token. `None` if another step can change
/// them, or if the token is not known.
pub(super) fn find_session_tags(profile: &Profile, input: &ExchangeInput) -> Option<BTreeMap<String, String>> {
    let sends_token = |oidc: &OidcSettings| matches!(oidc.federation, Federation::Sts { .. });
    let is_direct = profile.role_chain.is_empty() && profile.oidc().is_some_and(sends_token);
    match input {
        ExchangeInput::Token(token) if is_direct => Some(identity::read_session_tags(token)),
        ExchangeInput::Token(_) | ExchangeInput::Credentials(_) => None,
    }
}

/// The check `exchange`. Returns its finding, and the credentials for the checks that follow.
pub(super) async fn check_exchange(
    context: &DoctorContext<'_>,
    profile: &Profile,
    input: ExchangeInput,
) -> LiveOutcome<AwsCredentials> {
    let token = match input {
        ExchangeInput::Token(token) => token,
        ExchangeInput::Credentials(credentials) => {
            let why = match &profile.sign_in {
                SignInSettings::Oidc(_) => {
                    "the stored ID token has expired, so the next checks use the stored credentials"
                }
                SignInSettings::IdentityCenter(_) => {
                    "Identity Center needs no exchange; the next checks use the stored credentials"
                }
            };
            return Ok((Finding::Skipped(why.to_owned()), *credentials));
        }
    };
    let GrantedCredentials { credentials, role, .. } = request_credentials(context, profile, &token).await?;
    let role = role.as_ref().map_or("a role that AWS does not name", RoleArn::as_str);
    let until = format_local_time(credentials.expiration, &context.host.environment);
    let message = format!("AWS issued credentials for {} until {until} (they are not stored)", sanitize_line(role));
    Ok((Finding::Ok(message), credentials))
}

/// The quota check, the exchange and the role chain, exactly as in a sign-in. The remembered session duration and pool
/// identity are used too, so that the result is that of the next real call.
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
    let name = identity::derive_session_name(token, &profile.session_name).name;
    let request = ExchangeRequest {
        session_name: &name,
        max_seconds: stored.longest,
        pool_identity: stored.identity.as_deref(),
        clearance: &clearance,
    };
    aws.exchange_token(&request).await.map_err(|failed| {
        let token = Box::new(token.clone());
        Failure::from_session_error(session::Error::Exchange { failed, token }, profile)
    })
}

/// The check `identity`: calls GetCallerIdentity and compares account and role with the profile. Returns the finding,
/// and the role for the messages of the checks that follow.
pub(super) async fn check_identity(
    context: &DoctorContext<'_>,
    profile: &Profile,
    credentials: &AwsCredentials,
) -> LiveOutcome<String> {
    let found = build_aws_client(context, profile)?.get_session_arn(credentials).await?;
    let role = RoleArn::from_session_arn(&found);
    // AWS answers with the ARN of the session, which lacks the path of the role: account and name must be equal.
    let is_same = |wanted: &RoleArn| {
        role.as_ref().is_some_and(|role| role.account() == wanted.account() && role.name() == wanted.name())
    };
    let shown = match profile.final_role() {
        Some(wanted) if !is_same(wanted) => {
            return Err(doctor::describe_other_role(wanted.as_str(), &found).into());
        }
        Some(wanted) => wanted.as_str(),
        None => role.as_ref().map_or("the role", RoleArn::as_str),
    };
    Ok((Finding::Ok(format!("the credentials belong to {}", sanitize_line(&found))), shown.to_owned()))
}

fn build_aws_client(context: &DoctorContext<'_>, profile: &Profile) -> Result<Aws, Failure> {
    let host = context.host;
    let client = context.live_client(profile)?;
    Ok(Aws::new(client, profile, &host.environment, host.now)?)
}
