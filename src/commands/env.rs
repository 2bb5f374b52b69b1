//! `env`: the credentials as assignments for a shell to read.
//!
//! What is set and what is unset is the same as for `exec`, and is decided here for both.

use super::{Desk, Screen, print};
use crate::{
    cli::{Env, Global},
    config::{Caller, Profile},
    credentials::{Credentials, Document},
    failure::Failure,
    shell::Shell,
};

/// Variables that would win over the ones we set, or lead an SDK back into this program.
pub(super) const SHADOWING: [&str; 4] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"];

pub(super) fn run(Env { shell }: &Env, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let shell = shell.unwrap_or_else(|| Shell::of(&desk.host.environment));
    let work = desk.work(Caller::Asking)?;
    let mut screen = Screen::automatic(&desk.host.environment);
    let ready = work.errand().lasting(&mut |told, reply| screen.tell(told, reply))?;
    let mut text = String::new();
    for (name, value) in variables(&ready.credentials, &work.profile) {
        text.push_str(&shell.set(name, &value)?);
    }
    text.extend(SHADOWING.map(|name| shell.unset(name)));
    print(Document::of_text(text).expose())
}

/// What SDKs read. The last is no SDK's, but what shells and prompts know the end by.
pub(super) fn variables(credentials: &Credentials, profile: &Profile) -> [(&'static str, String); 6] {
    [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose().to_owned()),
        ("AWS_SESSION_TOKEN", credentials.session_token.expose().to_owned()),
        ("AWS_REGION", profile.region.clone()),
        ("AWS_DEFAULT_REGION", profile.region.clone()),
        ("AWS_CREDENTIAL_EXPIRATION", credentials.expiration.to_string()),
    ]
}
