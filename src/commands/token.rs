//! `token`: prints the ID token, for servers that trust the same identity provider.
//!
//! It refreshes a token that expires soon. It never prompts, since programs run it and read its stdout.

use std::collections::BTreeMap;

use super::{CommandContext, write_secret};
use crate::{config::CallerKind, credentials::to_json_line, failure::Failure, secret::Secret};

/// Prints the `Authorization` header as a JSON object, or only the token if `is_raw`.
///
/// Fails with exit code 4 if the user has to sign in first, and with exit code 3 if the profile has no ID token.
pub(super) fn run_token(is_raw: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    if work.profile.oidc().is_none() {
        return Err(Failure::from_missing_id_token(&work.profile));
    }
    let token = work.worker_client().token()?;
    let document = match is_raw {
        true => Secret::new(format!("{}\n", token.expose())),
        false => {
            let header = ("Authorization", format!("Bearer {}", token.expose()));
            to_json_line(&BTreeMap::from([header]))
        }
    };
    write_secret(&document)
}
