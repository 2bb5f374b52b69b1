//! `env`: the credentials as assignments for a shell to read.
//!
//! What is set and what is unset is the same as for `exec`, and is decided here for both.

use super::{CommandContext, SignInScreen, write_stdout};
use crate::{
    cli::EnvArgs,
    config::{CallerKind, Profile},
    credentials::{AwsCredentials, SecretDocument},
    failure::Failure,
    shell::Shell,
};

/// Variables that would win over the ones we set, or lead an SDK back into this program.
pub(super) const CONFLICTING_VARIABLES: [&str; 4] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"];

pub(super) fn run_env(EnvArgs { shell }: &EnvArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let shell = shell.unwrap_or_else(|| Shell::from_environment(&context.host.environment));
    let work = context.load_profile(CallerKind::MayPrompt)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().long_lived_credentials(&mut |told, reply| screen.show_event(told, reply))?;
    let mut text = String::new();
    for (name, value) in list_sdk_variables(&ready.credentials, &work.profile) {
        text.push_str(&shell.format_set(name, &value)?);
    }
    text.extend(CONFLICTING_VARIABLES.map(|name| shell.format_unset(name)));
    write_stdout(SecretDocument::from_text(text).expose())
}

/// What SDKs read. The last is no SDK's, but what shells and prompts know the end by.
pub(super) fn list_sdk_variables(credentials: &AwsCredentials, profile: &Profile) -> [(&'static str, String); 6] {
    [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose().to_owned()),
        ("AWS_SESSION_TOKEN", credentials.session_token.expose().to_owned()),
        ("AWS_REGION", profile.region.clone()),
        ("AWS_DEFAULT_REGION", profile.region.clone()),
        ("AWS_CREDENTIAL_EXPIRATION", credentials.expiration.to_string()),
    ]
}
