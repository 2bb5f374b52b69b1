//! `export`: the credentials as Claude Code's `awsCredentialExport` reads them.
//!
//! The host shows nothing of it to anybody, so nobody is ever asked here.

use super::{CommandContext, write_stdout};
use crate::{config::CallerKind, failure::Failure};

pub(super) fn run_export(context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let ready = work.worker_client().credentials(&mut |_, _| {})?;
    write_stdout(ready.credentials.export_document().expose())
}
