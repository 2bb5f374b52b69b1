//! `login`: signs in and says who, which role, until when; never a credential.
//!
//! Hosts show its output as it comes, so the address to open is its first line.

use super::{Desk, Screen, print, proof, setup};
use crate::{
    cli::{Global, Login},
    config::{Caller, Flag},
    errand::Tell,
    failure::Failure,
    session::Wish,
    text::line,
    time::spoken,
};

pub(super) fn run(login: &Login, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work_as_told(Caller::SignIn, login.flags())?;
    if login.client_secret_stdin {
        proof::keep_secret(&work)?;
    }
    if login.client_key_passphrase_stdin {
        proof::keep_passphrase(&work)?;
    }
    let mut screen = Screen::of_login(&desk.host.environment, global);
    let tell: Tell<'_> = &mut |told, reply| screen.tell(told, reply);
    let ready = work.errand().login(login.force, login.wish(), tell)?;
    drop(screen);
    let until = ready.credentials.expiration;
    let role = match ready.role(&work.profile) {
        Some(role) => format!("role {} in account {}", role.name(), role.account()),
        None => "the identity pool's role".to_owned(),
    };
    let said = format!(
        "Signed in as {}: {role}, until {until} ({} left)\n",
        line(&ready.session_name),
        spoken(until.since(work.now()))
    );
    print(said.as_bytes())?;
    ready.notice.map_or(Ok(()), |notice| print(format!("{notice}\n").as_bytes()))?;
    setup::give_aws_profile(&desk, &work.profile)
}

/// A way in of its own. `--no-browser` is none: the address that it shows is the one that is shown otherwise.
const DEVICE: [Flag; 1] = [Flag { key: "flow", value: "device", name: "--device" }];

impl Login {
    /// What is said over the profile, which an administrator may forbid.
    pub(super) fn flags(&self) -> &'static [Flag] {
        if self.device { &DEVICE } else { &[] }
    }

    pub(super) fn wish(&self) -> Wish {
        match (self.device, self.no_browser) {
            (true, _) => Wish::Device,
            (false, true) => Wish::NoBrowser,
            (false, false) => Wish::Any,
        }
    }
}
