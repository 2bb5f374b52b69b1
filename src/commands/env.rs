//! `env`: the credentials as assignments for a shell to read.
//!
//! What is set and what is unset is the same as for `exec`, and is decided here for both.

use super::{CommandContext, SignInScreen, context::ProfileContext, write_stdout};
use crate::{
    config::{CallerKind, Profile},
    credentials::SecretDocument,
    failure::Failure,
    session::SessionCredentials,
    shell::Shell,
};

/// Variables that would win over the ones we set, or lead an SDK back into this program.
pub(super) const CONFLICTING_VARIABLES: [&str; 4] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"];

pub(super) fn run_env(shell: Option<Shell>, context: &CommandContext<'_>) -> Result<(), Failure> {
    let shell = shell.unwrap_or_else(|| Shell::from_environment(&context.host.environment));
    let mut text = String::new();
    for (name, value) in fetch_sdk_variables(context)?.1 {
        text.push_str(&shell.format_set(name, &value)?);
    }
    text.extend(CONFLICTING_VARIABLES.map(|name| shell.format_unset(name)));
    write_stdout(SecretDocument::from_text(text).expose())
}

/// A variable and its value.
pub(super) type VariableAssignment = (&'static str, String);

/// What SDKs read, with the profile that it is for. The last is no SDK's, but what shells and prompts know the end by.
pub(super) fn fetch_sdk_variables(context: &CommandContext<'_>) -> Result<(Profile, [VariableAssignment; 6]), Failure> {
    let work = context.load_profile(CallerKind::MayPrompt)?;
    let (credentials, region) = (fetch_credentials(&work)?.credentials, &work.profile.region);
    let variables = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose().to_owned()),
        ("AWS_SESSION_TOKEN", credentials.session_token.expose().to_owned()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
        ("AWS_CREDENTIAL_EXPIRATION", credentials.expiration.to_string()),
    ];
    Ok((work.profile, variables))
}

/// Credentials for a caller that cannot ask again, after a sign-in where one is needed. The terminal is as it was before.
pub(super) fn fetch_credentials(work: &ProfileContext<'_>) -> Result<SessionCredentials, Failure> {
    let mut screen = SignInScreen::for_automatic(&work.host().environment);
    Ok(work.worker_client().long_lived_credentials(&mut |told, reply| screen.show_event(told, reply))?)
}
