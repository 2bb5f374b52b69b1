//! `credentials`: the `credential_process` document on stdout.

use super::{Desk, Screen, print};
use crate::{
    cli::{Credentials, Global},
    failure::Failure,
};

pub(super) fn run(Credentials { no_login }: &Credentials, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work()?;
    let mut screen = Screen::automatic(&desk.host.environment);
    let ready = work.errand().credentials(!no_login, &mut |told, reply| screen.tell(told, reply))?;
    print(ready.credentials.document().expose())
}
