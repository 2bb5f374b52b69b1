//! Adds the AWS profile that the configuration key `aws_profile` names to the user's AWS configuration, at a sign-in.
//!
//! An administrator sets the key for users who never run `setup`. Each profile is added once: the program remembers its
//! name, so a profile that the user deletes does not come back. A sign-in succeeds even if the profile cannot be added.

use std::path::{Path, PathBuf};

use super::{CommandContext, SetupArgs, SetupContext, SetupPlan, aws, build_aws_entry, write_stderr, write_stdout};
use crate::{
    commands::context::LOCK_TIMEOUT,
    config::Profile,
    failure::{Failure, LockWaitTimeout},
    files, lock,
    text::display_path,
};

/// The file that lists the AWS profiles which were added, one name per line.
const GIVEN_PROFILES_FILE: &str = "given-aws-profiles";

/// An AWS profile that was added.
struct AddedAwsProfile {
    /// The AWS configuration file that contains it now.
    file: PathBuf,
    /// Whether its name was stored. If not, the next sign-in adds the profile again after the user deletes it.
    recorded: Result<(), files::Error>,
}

/// Adds the profile's AWS profile, if it has one that was never added before, and reports the result.
///
/// It fails only if stdout cannot be written. Any other problem becomes one line on stderr, because the sign-in itself
/// has succeeded.
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
                    "warning: could not record that the AWS profile '{name}' was added: {}. \
                     If you delete the profile, the next sign-in adds it again.\n",
                    failure.what()
                ));
            }
        }
        Err(failure) => {
            write_stderr(&format!("Could not add the AWS profile '{name}': {}\n", failure.what()));
        }
    }
    Ok(())
}

/// Deletes the list of profiles that were added, for `logout --all`. A later sign-in adds them again.
pub(in crate::commands) fn forget_provisioned_profiles(folder: &Path) -> Result<(), Failure> {
    files::remove_file(&folder.join(GIVEN_PROFILES_FILE))?;
    lock::remove_if_free(&lock_path(folder));
    Ok(())
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join(GIVEN_PROFILES_FILE).with_added_extension("lock")
}

/// Adds the profile to the AWS configuration and stores its name. Returns `None` if the profile exists already, or was
/// added earlier and then deleted by the user.
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
    // Held until the list is written: otherwise one of two concurrent sign-ins would lose the other's line.
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
