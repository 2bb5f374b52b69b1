//! `exec`: a command with the credentials in its environment, in this program's place.
//!
//! From there on its output, its signals and its exit code are its own.

use super::{
    Desk,
    credentials::tell,
    env::{SHADOWING, variables},
};
use crate::{
    cli::{Exec, Global},
    failure::{Failure, NotRun},
    host,
};

/// Set for the command, so that a second `exec` inside of it is noticed.
const INSIDE: &str = "BEDROCK_SSO_EXEC";

pub(super) fn run(Exec { command }: &Exec, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    if let Some(profile) = desk.host.environment.text(INSIDE) {
        return Err(NotRun::Nested { profile, variable: INSIDE }.into());
    }
    let work = desk.work()?;
    let ready = work.errand().lasting(true, &mut tell)?;
    let mut set = variables(&ready.credentials, &work.profile).to_vec();
    set.push((INSIDE, work.profile.name.clone()));
    let error = host::replace_with(command, &set, &SHADOWING);
    Err(NotRun::of(command, &error).into())
}
