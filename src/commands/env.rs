//! `env`: prints shell commands that set AWS credentials as environment variables, for `eval` in a shell.
//!
//! This file also chooses the variables for `exec`, so that both commands set and unset the same ones.

use super::{CommandContext, SignInScreen, context::ProfileContext, write_secret};
use crate::{
    config::{CallerKind, Profile},
    failure::Failure,
    secret::Secret,
    session::SessionCredentials,
    shell::Shell,
};

/// Variables that both commands unset. An SDK prefers some of them to the variables that we set. The profile variables
/// can also name a profile whose `credential_process` is this program, which would then run again.
pub(super) const CONFLICTING_VARIABLES: [&str; 4] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"];

/// Prints the assignments. `shell` is the value of `--shell`; the default is the user's shell.
///
/// Fails if a value cannot be written in that shell's syntax, instead of printing a line that would run as a command.
pub(super) fn run_env(shell: Option<Shell>, context: &CommandContext<'_>) -> Result<(), Failure> {
    let shell = shell.unwrap_or_else(|| Shell::from_environment(&context.host.environment));
    let mut text = String::new();
    for (name, value) in fetch_sdk_variables(context)?.1 {
        text.push_str(&shell.format_set(name, &value)?);
    }
    text.extend(CONFLICTING_VARIABLES.map(|name| shell.format_unset(name)));
    write_secret(&Secret::new(text))
}

/// The name of an environment variable and its value.
pub(super) type VariableAssignment = (&'static str, String);

/// Fetches credentials and returns the variables that hold them, with the profile that they belong to.
///
/// SDKs read all of them but the last. `AWS_CREDENTIAL_EXPIRATION` is for the prompts and scripts of users who want to
/// see how long the credentials are valid.
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

/// Fetches credentials for a command that cannot refresh them later, and prompts the user to sign in if needed.
///
/// Credentials that expire soon are refreshed first. The screen is closed on return, so the terminal shows what the
/// user types again before `exec` starts its command.
pub(super) fn fetch_credentials(work: &ProfileContext<'_>) -> Result<SessionCredentials, Failure> {
    let mut screen = SignInScreen::for_automatic(&work.host().environment);
    Ok(work.worker_client().long_lived_credentials(&mut |event, reply| screen.show_event(event, reply))?)
}
