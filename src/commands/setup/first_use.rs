//! The AWS profile that an administrator gives to each person: added at a sign-in, once.
//!
//! Whatever keeps it from being added is told in one line, and keeps nobody from their credentials.

use std::path::{Path, PathBuf};

use super::{Desk, Place, Plan, Setup, aws, print, say};
use crate::{config::Profile, failure::Failure, files, text::path};

/// The names of the profiles that were given, one a line: whoever removes one shall not find it again.
const GIVEN: &str = "given-aws-profiles";

pub(in crate::commands) fn give(desk: &Desk<'_>, profile: &Profile) -> Result<(), Failure> {
    let Some(name) = &profile.aws_profile else { return Ok(()) };
    match add(desk, profile, name) {
        Ok(None) => Ok(()),
        Ok(Some(file)) => print(format!("Added the AWS profile '{name}' to {}\n", path(&file)).as_bytes()),
        Err(Failure { what, .. }) => {
            say(&format!("The AWS profile '{name}' is not added: {what}\n"));
            Ok(())
        }
    }
}

/// Forgets which profiles were given, as the last thing that is kept.
pub(in crate::commands) fn forget(folder: &Path) -> Result<(), Failure> {
    Ok(files::remove(&folder.join(GIVEN))?)
}

/// The file that it was added to.
fn add(desk: &Desk<'_>, profile: &Profile, name: &str) -> Result<Option<PathBuf>, Failure> {
    let arguments = Setup::default();
    let place = Place::new(desk, &arguments)?;
    let file = &place.neighbours.aws_config;
    if aws::has_profile(&Plan::text_of(file)?.unwrap_or_default(), name) {
        return Ok(None);
    }
    let memory = desk.host.paths.data.join(GIVEN);
    let given = Plan::text_of(&memory)?.unwrap_or_default();
    if given.lines().any(|known| known == name) {
        return Ok(None);
    }
    let mut plan = Plan::new(&place.record(), place.access())?;
    place.plan_aws(&mut plan, profile, &place.call()?, name)?;
    plan.apply()?;
    files::replace(&memory, format!("{given}{name}\n").as_bytes())?;
    Ok(Some(file.clone()))
}
