//! What would be used in place of a sign-in, whoever set it: variables, here and in Claude Code's settings.
//!
//! Which of them outrank a sign-in is a table of `setup`.

use super::{CheckOutcome, DoctorContext, Finding, Profile, command_check};
use crate::{
    config::INSIDE_OF_EXEC,
    failure::doctor,
    setup::{
        claude::CONFLICTING_VARIABLES,
        settings::{self, ClaudeSettingKey},
    },
    text::sanitize_line,
};

pub(super) fn check_conflicting_env(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    for path in [&context.tool_config.claude_managed, &context.tool_config.claude_settings] {
        let text = context.read_text_or_empty(path);
        let names = find_set(|name| settings::read_setting(&text, &ClaudeSettingKey::Env(name.to_owned())).is_some());
        if !names.is_empty() {
            let file = context.display_path(path);
            return Err(doctor::describe_conflicting_variables(&names, Some(&file)).into());
        }
    }
    let environment = &context.host.environment;
    if environment.var_os(INSIDE_OF_EXEC).is_some() {
        return Ok(Finding::Ok("inside of `exec`, whose credentials are ours".to_owned()));
    }
    let names = find_set(|name| environment.var_os(name).is_some());
    if !names.is_empty() {
        return Ok(Finding::Warn(doctor::describe_conflicting_variables(&names, None)));
    }
    let ours = command_check::find_aws_profile_name(context, &profile.name);
    Ok(match environment.var_text("AWS_PROFILE").filter(|named| *named != ours) {
        Some(named) => Finding::Warn(doctor::describe_other_aws_profile(&sanitize_line(&named), &ours)),
        None => Finding::Ok("nothing stands before your sign-in".to_owned()),
    })
}

/// The variables that outrank a sign-in and are set.
fn find_set(is_set: impl Fn(&str) -> bool) -> Vec<String> {
    CONFLICTING_VARIABLES.iter().filter(|name| is_set(name)).map(|name| (*name).to_owned()).collect()
}
