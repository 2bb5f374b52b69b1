//! `exec`: a command with the credentials in its environment, in this program's place.
//!
//! From there on its output, its signals and its exit code are its own.

use super::{
    Desk, Screen,
    env::{SHADOWING, variables},
};
use crate::{
    cli::{Exec, Global},
    config::{Caller, INSIDE_OF_EXEC},
    failure::{Failure, NotRun},
    host,
};

pub(super) fn run(Exec { command }: &Exec, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    if let Some(profile) = desk.host.environment.text(INSIDE_OF_EXEC) {
        return Err(NotRun::Nested { profile, variable: INSIDE_OF_EXEC }.into());
    }
    let work = desk.work(Caller::Asking)?;
    let mut screen = Screen::automatic(&desk.host.environment);
    let ready = work.errand().lasting(&mut |told, reply| screen.tell(told, reply))?;
    // The terminal must be as it was before the command has it.
    drop(screen);
    let mut set = variables(&ready.credentials, &work.profile).to_vec();
    set.push((INSIDE_OF_EXEC, work.profile.name.clone()));
    let error = host::replace_with(command, &set, &SHADOWING);
    Err(NotRun::of(command, &error).into())
}
