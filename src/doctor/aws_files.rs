//! The files of AWS's tools: whether a profile there leads here, and whether anything stands before it.
//!
//! They are read as AWS's tools read them; what they should say is for `setup`.

use super::{
    DoctorContext, Finding,
    call::{self, CommandRunner, ExpectedCommand},
    claude,
};
use crate::{
    failure::{Failure, doctor::ToolConfigFinding},
    setup::{self, ParsedCommand, aws},
};

/// The AWS profile that asks this program for credentials of ours, with its line.
pub(super) fn find_aws_profile(text: &str, ours: &str) -> Option<(String, ParsedCommand)> {
    let read = |(name, line): (String, String)| Some((name, ParsedCommand::parse(&line)?));
    let lines: Vec<_> = aws::list_processes(text).into_iter().filter_map(read).collect();
    let asks =
        |called: &ParsedCommand| call::is_our_command(called) && called.profile.as_deref() == Some(ours);
    let found = lines.iter().find(|(_, called)| asks(called));
    // One of the same name was meant to, whatever it runs.
    found.or_else(|| lines.iter().find(|(name, _)| name == ours)).cloned()
}

/// Its name; ours, where there is none.
pub(super) fn find_aws_profile_name(context: &DoctorContext<'_>, ours: &str) -> String {
    let text = context.read_text(&context.tool_config.aws_config).ok().flatten().unwrap_or_default();
    find_aws_profile(&text, ours).map_or_else(|| ours.to_owned(), |(name, _)| name)
}

pub(super) fn check_aws_profile(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let path = &context.tool_config.aws_config;
    let text = match context.read_text(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(failure) => return Finding::Bad(failure),
    };
    let file = context.display_path(path);
    let found = find_aws_profile(&text, &profile.name);
    let name = found.as_ref().map_or(profile.name.as_str(), |(name, _)| name);
    if let Some(refusal) = aws::find_edit_obstacle(&text, name) {
        return Finding::Bad(Failure::from(setup::Error::Aws { path: path.clone(), refusal }));
    }
    let Some((name, called)) = &found else {
        if claude::has_managed_export(context) {
            return Finding::Skipped(
                "none is needed: the managed settings of Claude Code bring credentials".to_owned(),
            );
        }
        return Finding::Bad(ToolConfigFinding::NoAwsProfile { file, profile: profile.name.clone() }.into());
    };
    let wanted =
        ExpectedCommand { command: "credentials", profile: &profile.name, runner: CommandRunner::AwsTools };
    let place = format!("[profile {name}] in {file}");
    call::check_command(context, called, wanted, place.clone())
        .unwrap_or_else(|| Finding::Ok(format!("{place} leads here")))
}

pub(super) fn check_fixed_keys(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    let path = &context.tool_config.aws_credentials;
    let text = match context.read_text(path) {
        Ok(text) => text.unwrap_or_default(),
        Err(failure) => return Finding::Bad(failure),
    };
    let (name, file) = (find_aws_profile_name(context, &profile.name), context.display_path(path));
    match aws::has_fixed_keys(&text, &name) {
        true => Finding::Bad(ToolConfigFinding::FixedKeys { file, profile: name }.into()),
        false => Finding::Ok(format!("{file} holds none for [{name}]")),
    }
}
