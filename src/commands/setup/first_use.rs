//! The AWS profile that an administrator gives to each person: added at a sign-in, once.
//!
//! Whatever keeps it from being added is told in one line, and keeps nobody from their credentials.

use std::path::{Path, PathBuf};

use super::{CommandContext, SetupArgs, SetupContext, SetupPlan, aws, write_stderr, write_stdout};
use crate::{config::Profile, failure::Failure, files, text::display_path};

/// The names of the profiles that were given, one a line: whoever removes one shall not find it again.
const GIVEN_PROFILES_FILE: &str = "given-aws-profiles";

pub(in crate::commands) fn provision_aws_profile(
    context: &CommandContext<'_>,
    profile: &Profile,
) -> Result<(), Failure> {
    let Some(name) = &profile.aws_profile else { return Ok(()) };
    match add_aws_profile(context, profile, name) {
        Ok(None) => Ok(()),
        Ok(Some(file)) => {
            write_stdout(format!("Added the AWS profile '{name}' to {}\n", display_path(&file)).as_bytes())
        }
        Err(failure) => {
            write_stderr(&format!("The AWS profile '{name}' is not added: {}\n", failure.what()));
            Ok(())
        }
    }
}

/// Forgets which profiles were given, as the last thing that is kept.
pub(in crate::commands) fn forget_provisioned_profiles(folder: &Path) -> Result<(), Failure> {
    Ok(files::remove_file(&folder.join(GIVEN_PROFILES_FILE))?)
}

/// The file that it was added to.
fn add_aws_profile(
    context: &CommandContext<'_>,
    profile: &Profile,
    name: &str,
) -> Result<Option<PathBuf>, Failure> {
    let arguments = SetupArgs::default();
    let place = SetupContext::new(context, &arguments)?;
    let file = &place.neighbours.aws_config;
    if aws::has_profile(&SetupPlan::read_text(file)?.unwrap_or_default(), name) {
        return Ok(None);
    }
    let memory = context.host.paths.data.join(GIVEN_PROFILES_FILE);
    let given = SetupPlan::read_text(&memory)?.unwrap_or_default();
    if given.lines().any(|known| known == name) {
        return Ok(None);
    }
    let mut plan = SetupPlan::new(&place.record_path(), place.file_access())?;
    place.plan_aws(&mut plan, profile, &place.build_call()?, name)?;
    plan.apply()?;
    files::write_atomically(&memory, format!("{given}{name}\n").as_bytes())?;
    Ok(Some(file.clone()))
}
