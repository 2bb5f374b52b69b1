//! The AWS profile that an administrator gives to each user: added at a sign-in, once.
//!
//! If it cannot be added, one line says why, and the sign-in succeeds nevertheless.

use std::path::{Path, PathBuf};

use super::{CommandContext, SetupArgs, SetupContext, SetupPlan, aws, build_aws_entry, write_stderr, write_stdout};
use crate::{
    commands::context::LOCK_TIMEOUT,
    config::Profile,
    failure::{Failure, LockWaitTimeout},
    files, lock,
    text::display_path,
};

/// The names of the profiles that were added, one a line: a profile that the user removes is not added again.
const GIVEN_PROFILES_FILE: &str = "given-aws-profiles";

/// A profile that was added, and whether that was recorded.
struct AddedAwsProfile {
    file: PathBuf,
    recorded: Result<(), files::Error>,
}

pub(in crate::commands) fn provision_aws_profile(
    context: &CommandContext<'_>,
    profile: &Profile,
) -> Result<(), Failure> {
    let Some(name) = &profile.aws_profile else { return Ok(()) };
    match add_aws_profile(context, profile, name) {
        Ok(None) => {}
        Ok(Some(AddedAwsProfile { file, recorded })) => {
            write_stdout(format!("Added the AWS profile '{name}' to {}\n", display_path(&file)).as_bytes())?;
            if let Err(failure) = recorded.map_err(Failure::from) {
                write_stderr(&format!(
                    "warning: the AWS profile '{name}' was added, but if you remove it, the next sign-in adds it again: {}\n",
                    failure.what()
                ));
            }
        }
        Err(failure) => {
            write_stderr(&format!("The AWS profile '{name}' is not added: {}\n", failure.what()));
        }
    }
    Ok(())
}

/// Forgets which profiles were added.
pub(in crate::commands) fn forget_provisioned_profiles(folder: &Path) -> Result<(), Failure> {
    files::remove_file(&folder.join(GIVEN_PROFILES_FILE))?;
    lock::remove_if_free(&lock_path(folder));
    Ok(())
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join(GIVEN_PROFILES_FILE).with_added_extension("lock")
}

/// Adds the profile to the AWS configuration and records it; `None` if it exists, or was added before.
fn add_aws_profile(
    context: &CommandContext<'_>,
    profile: &Profile,
    name: &str,
) -> Result<Option<AddedAwsProfile>, Failure> {
    let arguments = SetupArgs::default();
    let place = SetupContext::new(context, &arguments)?;
    let file = &place.neighbours.aws_config;
    if aws::has_profile(&SetupPlan::read_text(file)?.unwrap_or_default(), name) {
        return Ok(None);
    }
    let folder = &context.host.paths.data;
    files::ensure_private_folder(folder)?;
    // Held until the record is written: of two sign-ins at once, one would lose the other's line.
    let timeout = || LockWaitTimeout { holder: None, address: None, now: context.now() };
    let _lock = lock::acquire_within(&lock_path(folder), LOCK_TIMEOUT)?.ok_or_else(timeout)?;
    let record = folder.join(GIVEN_PROFILES_FILE);
    let given = SetupPlan::read_text(&record)?.unwrap_or_default();
    if given.lines().any(|known| known == name) {
        return Ok(None);
    }
    let mut plan = SetupPlan::new(&place.record_path(), place.file_access())?;
    plan.add_aws_profiles(file, &[build_aws_entry(profile, name, &place.build_call()?)])?;
    plan.apply()?;
    let recorded = files::write_atomically(&record, format!("{given}{name}\n").as_bytes());
    Ok(Some(AddedAwsProfile { file: file.clone(), recorded }))
}
