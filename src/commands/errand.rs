//! `errand`: the cold work, called by this program alone.
//!
//! What is done, and how it is told to the caller, is for `errand` itself.

use super::Desk;
use crate::{
    cli::{Credentials, Errand, Global, Purpose as Words},
    errand::{ToCaller, work},
    failure::Failure,
    secret,
    session::Purpose,
};

pub(super) fn run(Errand { terminal, purpose }: &Errand, global: &Global) -> Result<(), Failure> {
    let desk = Desk::with_log(global, || Box::new(ToCaller))?;
    let flags = match purpose {
        Words::Login(login) => login.flags(),
        _ => &[],
    };
    let purpose = meant(purpose);
    let on = desk.work_as_told(purpose.caller(), flags)?;
    let done = work(&desk.host, &on.profile, &on.cache, purpose, *terminal);
    secret::sweep::<{ secret::COLD }>();
    done
}

fn meant(words: &Words) -> Purpose {
    match words {
        Words::Credentials(Credentials { no_login }) => Purpose::Credentials { may_ask: !no_login },
        Words::Login(login) => Purpose::Login { force: login.force, wish: login.wish() },
        Words::Renewal => Purpose::Renewal,
        Words::Token { ahead } => Purpose::Token { ahead: *ahead },
    }
}
