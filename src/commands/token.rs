//! `token`: the ID token, for servers that know the provider.
//!
//! The refresh token may be used for it; a person is never asked.

use std::collections::BTreeMap;

use super::{CommandContext, write_stdout};
use crate::{config::CallerKind, credentials::SecretDocument, failure::Failure};

pub(super) fn run_token(is_raw: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    let token = context.load_profile(CallerKind::NonInteractive)?.worker_client().token()?;
    let document = match is_raw {
        true => SecretDocument::from_text(format!("{}\n", token.expose())),
        false => {
            let header = ("Authorization", format!("Bearer {}", token.expose()));
            SecretDocument::from_json(&BTreeMap::from([header]))
        }
    };
    write_stdout(document.expose())
}
