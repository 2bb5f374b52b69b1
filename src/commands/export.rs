//! `export`: the credentials as Claude Code's `awsCredentialExport` reads them.
//!
//! The host shows nothing of it to anybody, so nobody is ever asked here.

use super::{Desk, print};
use crate::{cli::Global, config::Caller, failure::Failure};

pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work(Caller::Silent)?;
    let ready = work.errand().credentials(&mut |_, _| {})?;
    print(ready.credentials.export().expose())
}
