//! `export`: prints the JSON document that Claude Code expects from its `awsCredentialExport` command.
//!
//! Claude Code hides the output of this command, so the user could not see a prompt. The command therefore never
//! prompts.

use super::{CommandContext, write_secret};
use crate::{config::CallerKind, failure::Failure};

/// Prints credentials from the cache, or refreshed ones. Fails with exit code 4 if the user has to sign in first.
pub(super) fn run_export(context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let ready = work.worker_client().credentials(&mut |_, _| {})?;
    write_secret(&ready.credentials.export_document())
}
