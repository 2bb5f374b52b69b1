//! `bearer`: prints a short-term Amazon Bedrock API key, for programs that accept a key but no AWS credentials.
//!
//! The key is a request that is signed with the AWS credentials. It expires together with them, so this command
//! refreshes credentials that expire soon before it signs. It never prompts.

use serde::Serialize;

use super::{CommandContext, write_secret};
use crate::{aws, config::CallerKind, credentials::to_json_line, failure::Failure, secret::Secret};

/// Prints the key as one line of text, or as the JSON document that Claude Desktop reads from its credential helper.
///
/// Fails with exit code 4 if the user has to sign in first, because a program and not a terminal reads the output.
pub(super) fn run_bearer(as_json: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    /// The format that Claude Desktop reads from its credential helper. `headers` would be further request headers, and
    /// Amazon Bedrock needs only the key.
    #[derive(Serialize)]
    struct BearerAnswer<'a> {
        token: &'a str,
        headers: serde_json::Map<String, serde_json::Value>,
    }
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let ready = work.worker_client().long_lived_credentials(&mut |_, _| {})?;
    let key = aws::create_api_key(&ready.credentials, &work.profile.region, work.now());
    let document = match as_json {
        true => to_json_line(&BearerAnswer { token: key.expose(), headers: serde_json::Map::new() }),
        false => Secret::new(format!("{}\n", key.expose())),
    };
    write_secret(&document)
}
