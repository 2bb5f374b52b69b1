//! What would be used in place of a sign-in, whoever set it: variables, here and in Claude Code's settings.
//!
//! Which of them outrank a sign-in is a table of `setup`.

use super::{DoctorContext, Finding, aws_files};
use crate::{
    config::INSIDE_OF_EXEC,
    failure::doctor::ToolConfigFinding,
    setup::{
        claude::CONFLICTING_VARIABLES,
        settings::{self, ClaudeSettingKey},
    },
    text::sanitize_line,
};

pub(super) fn check_conflicting_env(context: &DoctorContext<'_>) -> Finding {
    let Ok(profile) = context.profile() else { return Finding::skip_without_profile() };
    for path in [&context.tool_config.claude_managed, &context.tool_config.claude_settings] {
        let text = context.read_text(path).ok().flatten().unwrap_or_default();
        let is_set =
            |name: &&str| settings::read_setting(&text, &ClaudeSettingKey::Env((*name).to_owned())).is_some();
        let names: Vec<String> =
            CONFLICTING_VARIABLES.iter().copied().filter(is_set).map(str::to_owned).collect();
        if !names.is_empty() {
            return Finding::Bad(
                ToolConfigFinding::ConflictingVariables { names, file: Some(context.display_path(path)) }
                    .into(),
            );
        }
    }
    let environment = &context.host.environment;
    if environment.var_os(INSIDE_OF_EXEC).is_some() {
        return Finding::Ok("inside of `exec`, whose credentials are ours".to_owned());
    }
    let names: Vec<String> = CONFLICTING_VARIABLES
        .iter()
        .copied()
        .filter(|name| environment.var_os(name).is_some())
        .map(str::to_owned)
        .collect();
    if !names.is_empty() {
        return Finding::Warn(ToolConfigFinding::ConflictingVariables { names, file: None }.into());
    }
    let ours = aws_files::find_aws_profile_name(context, &profile.name);
    match environment.var_text("AWS_PROFILE").filter(|named| *named != ours) {
        Some(named) => {
            Finding::Warn(ToolConfigFinding::OtherAwsProfile { named: sanitize_line(&named), ours }.into())
        }
        None => Finding::Ok("nothing stands before your sign-in".to_owned()),
    }
}
