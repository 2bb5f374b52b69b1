//! `credentials`: the `credential_process` document on stdout.

use std::io::{self, IsTerminal as _, Write as _};

use super::{Desk, print};
use crate::{
    cli::{Credentials, Global},
    failure::Failure,
    session::Asking,
};

pub(super) fn run(Credentials { no_login }: &Credentials, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work()?;
    let ready = work.errand().credentials(!no_login, &mut tell)?;
    print(ready.credentials.document().expose())
}

/// SDKs hide stderr or show it as an error, so only a person at a terminal is told.
pub(super) fn tell(asking: &Asking) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        // A terminal that is gone needs no telling.
        let _ = writeln!(stderr, "{asking}");
    }
}
