//! `bearer`: a short-term Amazon Bedrock API key, for programs that know no other way to prove themselves.
//!
//! It lives as long as the credentials that signed it, so those are the newest that can be had without asking anybody.

use serde::Serialize;

use super::{CommandContext, write_stdout};
use crate::{aws, config::CallerKind, credentials::SecretDocument, failure::Failure};

pub(super) fn run_bearer(as_json: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    /// What Claude Desktop reads.
    #[derive(Serialize)]
    struct BearerAnswer<'a> {
        token: &'a str,
        headers: serde_json::Map<String, serde_json::Value>,
    }
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let ready = work.worker_client().long_lived_credentials(&mut |_, _| {})?;
    let key = aws::create_api_key(&ready.credentials, &work.profile.region, work.now());
    let document = match as_json {
        true => SecretDocument::from_json(&BearerAnswer { token: key.expose(), headers: serde_json::Map::new() }),
        false => SecretDocument::from_text(format!("{}\n", key.expose())),
    };
    write_stdout(document.expose())
}
