//! The files of AWS's tools: whether a profile there leads here, and whether anything stands before it.
//!
//! They are read as AWS's tools read them; what they should say is for `setup`.

use super::{
    CheckOutcome, DoctorContext, Finding, Profile, claude,
    command_check::{self, CommandRunner, ExpectedCommand},
};
use crate::{
    failure::doctor,
    setup::{self, aws},
};

pub(super) fn check_aws_profile(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.aws_config;
    let text = context.read_text(path)?.unwrap_or_default();
    let file = context.display_path(path);
    let found = command_check::find_aws_profile(&text, &profile.name);
    let name = found.as_ref().map_or(profile.name.as_str(), |(name, _)| name);
    if let Some(refusal) = aws::find_edit_obstacle(&text, name) {
        return Err(setup::Error::Aws { path: path.clone(), refusal }.into());
    }
    let Some((name, called)) = &found else {
        if claude::has_managed_export(context) {
            return Ok(Finding::Skipped(
                "none is needed: the managed settings of Claude Code bring credentials".to_owned(),
            ));
        }
        return Err(doctor::describe_missing_aws_profile(&file, &profile.name).into());
    };
    let wanted = ExpectedCommand { command: "credentials", profile: &profile.name, runner: CommandRunner::AwsTools };
    let place = format!("[profile {name}] in {file}");
    Ok(command_check::check_command(context, called, wanted, &place)
        .unwrap_or_else(|| Finding::Ok(format!("{place} leads here"))))
}

pub(super) fn check_fixed_keys(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.aws_credentials;
    let text = context.read_text(path)?.unwrap_or_default();
    let (name, file) = (command_check::find_aws_profile_name(context, &profile.name), context.display_path(path));
    match aws::has_fixed_keys(&text, &name) {
        true => Err(doctor::describe_fixed_keys(&file, &name).into()),
        false => Ok(Finding::Ok(format!("{file} holds none for [{name}]"))),
    }
}
