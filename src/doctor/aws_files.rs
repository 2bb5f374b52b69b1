//! Checks the files of AWS's tools: does an AWS profile run this program, and do long-term keys take precedence over
//! it?
//!
//! The parser of `setup` reads the files as AWS's tools do, so that `doctor` judges what those tools see.

use super::{
    CheckOutcome, DoctorContext, Finding, Profile, claude,
    command_check::{self, CommandRunner, ExpectedCommand},
};
use crate::{
    failure::doctor,
    setup::{self, aws},
};

/// Whether `~/.aws/config` has an AWS profile that runs this program with the right command and profile. Claude Code
/// does not need one if its managed settings export credentials.
pub(super) fn check_aws_profile(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.aws_config;
    let text = context.read_text(path)?.unwrap_or_default();
    let file = context.display_path(path);
    let found = command_check::find_aws_profile(&text, &profile.name);
    let name = found.as_ref().map_or(profile.name.as_str(), |(name, _)| name);
    // AWS's tools ignore or refuse such a profile, and `setup` does not edit it, so this obstacle comes first.
    if let Some(refusal) = aws::find_edit_obstacle(&text, name) {
        return Err(setup::Error::Aws { path: path.clone(), refusal }.into());
    }
    let Some((name, called)) = &found else {
        if claude::has_managed_export(context) {
            let why = "not needed: Claude Code's managed settings export credentials";
            return Ok(Finding::Skipped(why.to_owned()));
        }
        return Err(doctor::describe_missing_aws_profile(&file, &profile.name).into());
    };
    let wanted = ExpectedCommand { command: "credentials", profile: &profile.name, runner: CommandRunner::AwsTools };
    let place = format!("[profile {name}] in {file}");
    Ok(command_check::check_command(context, called, wanted, &place)
        .unwrap_or_else(|| Finding::Ok(format!("{place} runs this program"))))
}

/// Whether `~/.aws/credentials` has keys under the name of the same AWS profile. AWS's tools prefer them to any
/// `credential_process`, so they would silently replace the sign-in.
pub(super) fn check_fixed_keys(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.aws_credentials;
    let text = context.read_text(path)?.unwrap_or_default();
    let (name, file) = (command_check::find_aws_profile_name(context, &profile.name), context.display_path(path));
    match aws::has_fixed_keys(&text, &name) {
        true => Err(doctor::describe_fixed_keys(&file, &name).into()),
        false => Ok(Finding::Ok(format!("{file} has no long-term keys for [{name}]"))),
    }
}
