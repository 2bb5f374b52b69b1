//! `token`: the ID token, for servers that know the provider.
//!
//! The refresh token may be used for it; a person is never asked.

use serde::Serialize;

use super::{CommandContext, write_stdout};
use crate::{config::CallerKind, credentials::SecretDocument, failure::Failure};

pub(super) fn run_token(is_raw: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct AuthorizationHeader {
        authorization: String,
    }
    let token = context.load_profile(CallerKind::NonInteractive)?.worker_client().token()?;
    let document = match is_raw {
        true => SecretDocument::from_text(format!("{}\n", token.expose())),
        false => {
            SecretDocument::from_json(&AuthorizationHeader { authorization: format!("Bearer {}", token.expose()) })
        }
    };
    write_stdout(document.expose())
}
