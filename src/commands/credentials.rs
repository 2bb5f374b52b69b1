//! `credentials`: the `credential_process` document on stdout.
//!
//! Nothing else is ever written there; what a person must see goes to the terminal.

use super::{Desk, Screen, print, say_line};
use crate::{
    cli::{Credentials, Global},
    config::Caller,
    failure::Failure,
};

pub(super) fn run(Credentials { no_login }: &Credentials, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work(if *no_login { Caller::Silent } else { Caller::Asking })?;
    let mut screen = Screen::automatic(&desk.host.environment);
    let ready = work.errand().credentials(&mut |told, reply| screen.tell(told, reply))?;
    if let Some(notice) = &ready.notice {
        // Whoever swallows it swallows a courtesy.
        say_line(&format!("bedrock-sso: {notice}"));
    }
    print(ready.credentials.document().expose())
}
