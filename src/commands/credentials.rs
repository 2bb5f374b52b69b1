//! `credentials`: the `credential_process` document on stdout.
//!
//! Nothing else is ever written there; what a person must see goes to the terminal.

use super::{CommandContext, SignInScreen, write_stderr_line, write_stdout};
use crate::{config::CallerKind, failure::Failure};

pub(super) fn run_credentials(caller: CallerKind, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(caller)?;
    let mut screen = SignInScreen::for_automatic(&context.host.environment);
    let ready = work.worker_client().credentials(&mut |told, reply| screen.show_event(told, reply))?;
    if let Some(notice) = &ready.notice {
        // Whoever swallows it swallows a courtesy.
        write_stderr_line(&format!("bedrock-sso: {notice}"));
    }
    write_stdout(ready.credentials.process_document().expose())
}
