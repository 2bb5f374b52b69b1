//! `credentials`: prints the JSON document that AWS SDKs expect from a `credential_process`.
//!
//! stdout contains this document and nothing else, because an SDK parses all of it. Prompts go to the terminal. SDKs
//! usually hide stderr, unless the command fails.

use super::{CommandContext, SignInScreen, write_secret, write_stderr_line};
use crate::{config::CallerKind, failure::Failure};

/// Prints credentials from the cache, or new ones. `caller` says whether it may prompt the user to sign in.
pub(super) fn run_credentials(caller: CallerKind, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(caller)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().credentials(&mut |event, reply| screen.show_event(event, reply))?;
    if let Some(notice) = &ready.notice {
        // The quota warning. A host that hides stderr loses only this information, and the credentials still work.
        write_stderr_line(&format!("bedrock-sso: {notice}"));
    }
    write_secret(&ready.credentials.process_document())
}
