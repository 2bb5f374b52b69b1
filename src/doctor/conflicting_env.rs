//! Finds environment variables that override a sign-in, in this environment and in Claude Code's settings.
//!
//! AWS's tools and Claude Code prefer these variables to a `credential_process`. The user then works with other
//! credentials than the signed-in ones, and nothing shows it. `setup` has the list of these variables.

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

/// Variables in Claude Code's settings are bad: they affect every session. Variables of this environment are a warning,
/// because `doctor` cannot know whether the environment of Claude Code has them too.
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
    // `exec` sets some of the same variables for its child, with credentials of this program.
    if environment.var_os(INSIDE_OF_EXEC).is_some() {
        return Ok(Finding::Ok("the credentials of this environment come from `exec`".to_owned()));
    }
    let names = find_set(|name| environment.var_os(name).is_some());
    if !names.is_empty() {
        return Ok(Finding::Warn(doctor::describe_conflicting_variables(&names, None)));
    }
    let ours = command_check::find_aws_profile_name(context, &profile.name);
    Ok(match environment.var_text("AWS_PROFILE").filter(|named| *named != ours) {
        Some(named) => Finding::Warn(doctor::describe_other_aws_profile(&sanitize_line(&named), &ours)),
        None => Finding::Ok("no variable overrides your sign-in".to_owned()),
    })
}

/// The names of the overriding variables that are set, in the order of the list.
fn find_set(is_set: impl Fn(&str) -> bool) -> Vec<String> {
    CONFLICTING_VARIABLES.iter().filter(|name| is_set(name)).map(|name| (*name).to_owned()).collect()
}
