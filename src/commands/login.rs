//! `login`: signs in and says who, which role, until when; never a credential.
//!
//! Hosts show its output as it comes, so the address to open is its first line.

use super::{Desk, Screen, desk::Work, print, proof, say_line, setup};
use crate::{
    cli::{Global, Login},
    config::{Caller, Flag},
    errand::Tell,
    failure::{DestinationChanged, Failure, describe_change},
    session::{Wish, accept_destinations, changes_to_accept},
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
    review_destinations(&work)?;
    let ready = match work.errand().login(login.force, login.wish(), tell) {
        // The provider may have named a new host meanwhile.
        Err(failure) => match review_destinations(&work)? {
            Reviewed::Accepted => work.errand().login(login.force, login.wish(), tell)?,
            Reviewed::NothingNew => return Err(failure),
        },
        ready => ready?,
    };
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

/// Whether the user was shown hosts that the stored sign-in was not made for.
enum Reviewed {
    NothingNew,
    Accepted,
}

/// Shows the hosts that the stored sign-in would newly be sent to, and stores them once the user accepts them.
fn review_destinations(work: &Work<'_>) -> Result<Reviewed, Failure> {
    let (cache, profile, environment) = (&work.cache, &work.profile, &work.host().environment);
    let (session, known) = (cache.session()?, cache.provider(work.now())?);
    let changes = changes_to_accept(&session, profile, environment, known.as_ref());
    if changes.is_empty() {
        return Ok(Reviewed::NothingNew);
    }
    if !setup::can_ask() {
        return Err(DestinationChanged { changes }.into());
    }
    say_line("Your sign-in would be sent to hosts that it was not made for:");
    changes.iter().for_each(|change| say_line(&format!("  {}", describe_change(change))));
    if !setup::agreed("Accept them?", false)? {
        return Err(DestinationChanged { changes }.into());
    }
    let held = work.held(&cache.lock_path())?;
    let mut session = cache.session()?;
    accept_destinations(&mut session, profile, environment, known.as_ref());
    cache.keep_session(&held, &session)?;
    Ok(Reviewed::Accepted)
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
