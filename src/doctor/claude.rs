//! Checks Claude Code's settings, both the user's and the organisation's managed ones: can they be read, do they match
//! the profile, and do their hooks run this program?
//!
//! The expected values come from `setup`, so that `doctor` never complains about settings that `setup` has just
//! written. Variables in these files that override a sign-in are the subject of the check `shadows`.

use std::path::Path;

use super::{
    CheckOutcome, DoctorContext, Finding,
    command_check::{self, CommandRunner, ExpectedCommand},
};
use crate::{
    config::Profile,
    failure::doctor,
    host,
    setup::{
        self, CommandTemplate, ParsedCommand,
        claude::{self, ClaudeCredentialSource},
        settings::{self, ClaudeSetting, ClaudeSettingKey},
    },
    text::sanitize_line,
};

/// The hook that Claude Code runs when AWS refuses its credentials. Without it the user must sign in by hand.
const REFRESH: ClaudeSettingKey = ClaudeSettingKey::Top("awsAuthRefresh");

/// Whether the managed settings run this program to export credentials. Claude Code then needs no AWS profile.
pub(super) fn has_managed_export(context: &DoctorContext<'_>) -> bool {
    let text = context.read_text_or_empty(&context.tool_config.claude_managed);
    let hook = settings::read_setting(&text, &ClaudeSettingKey::Top("awsCredentialExport"));
    hook.and_then(|hook| ParsedCommand::parse(&hook)).is_some_and(|called| command_check::is_our_command(&called))
}

/// Whether the user's settings match the profile. Settings that mention none of the expected keys are reported as one
/// finding instead of key by key.
pub(super) fn check_user_settings(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.claude_settings;
    let text = read_settings(context, path)?;
    let managed = has_managed_export(context);
    let wanted = build_expected_settings(
        context,
        &ClaudeCredentialSource::AwsProfile(command_check::find_aws_profile_name(context, &profile.name)),
    );
    let read = |setting: &ClaudeSetting| settings::read_setting(text.as_deref().unwrap_or_default(), &setting.key);
    if !wanted.iter().any(|setting| read(setting).is_some()) {
        return Ok(report_missing_settings(context, managed, &context.display_path(path)));
    }
    Ok(compare_settings(context, path, text.as_deref().unwrap_or_default(), &wanted, managed))
}

/// The finding for user settings that set none of the expected keys. It is a warning only where Claude Code is
/// installed and nothing else configures it.
fn report_missing_settings(context: &DoctorContext<'_>, managed: bool, file: &str) -> Finding {
    if managed {
        return Finding::Skipped("not needed: the managed settings configure Claude Code".to_owned());
    }
    match host::find_on_path(&context.host.environment, "claude").is_empty() {
        true => Finding::Skipped("Claude Code is not on PATH, and its settings do not use Bedrock".to_owned()),
        false => Finding::Warn(doctor::describe_missing_settings(file)),
    }
}

/// Whether the managed settings, if there are any, match the profile. A key that they do not set is left to the user.
pub(super) fn check_managed_settings(context: &DoctorContext<'_>, _: &Profile) -> CheckOutcome {
    let path = &context.tool_config.claude_managed;
    Ok(match read_settings(context, path)? {
        None => Finding::Skipped("this machine has no managed settings".to_owned()),
        Some(text) => compare_settings(context, path, &text, &build_managed_settings(context), true),
    })
}

/// Whether each hook of both files runs this program correctly. The report shows the worst problem; a missing refresh
/// hook counts only if other hooks show that Claude Code should use this program.
pub(super) fn check_hooks(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let (mut faults, mut hooks) = (Vec::new(), Vec::new());
    let both = [&context.tool_config.claude_settings, &context.tool_config.claude_managed];
    for path in both {
        let Ok(Some(text)) = read_settings(context, path) else { continue };
        for (name, verb) in claude::HOOKS {
            let Some(hook) = settings::read_setting(&text, &ClaudeSettingKey::Top(name)) else { continue };
            let Some(called) = ParsedCommand::parse(&hook) else { continue };
            if is_foreign_telemetry(verb, &called) {
                continue;
            }
            // A hook may stand in both files.
            if !hooks.contains(&name) {
                hooks.push(name);
            }
            let place = format!("{name} in {}", context.display_path(path));
            let wanted = ExpectedCommand { command: verb, profile: &profile.name, runner: CommandRunner::Shell };
            faults.extend(command_check::check_command(context, &called, wanted, &place));
        }
    }
    // A stable sort: of several problems of the same severity, the first one in the files is reported.
    faults.sort_by_key(|fault| matches!(fault, Finding::Warn(_)));
    Ok(match (faults.into_iter().next(), hooks.is_empty()) {
        (Some(fault), _) => fault,
        (None, true) => Finding::Skipped("Claude Code's settings have no hook for credentials or telemetry".to_owned()),
        (None, false) if !hooks.contains(&"awsAuthRefresh") => report_missing_refresh(context),
        (None, false) => Finding::Ok(format!("these hooks run this program: {}", hooks.join(", "))),
    })
}

/// Whether a telemetry hook runs a program of the user's company. A company may identify its users in another way, so
/// that is no mistake; the guidance sample's `otel-helper` is one, because `setup` replaces it.
fn is_foreign_telemetry(verb: &str, called: &ParsedCommand) -> bool {
    verb == "otel-headers" && !command_check::is_our_command(called) && called.program_name() != "otel-helper"
}

/// The finding for hooks that export credentials or identify the user, but cannot start a sign-in.
fn report_missing_refresh(context: &DoctorContext<'_>) -> Finding {
    let wanted = build_expected_settings(context, &ClaudeCredentialSource::Export);
    let setting = wanted.into_iter().find(|setting| setting.key == REFRESH);
    let file = context.display_path(&context.tool_config.claude_settings);
    let wanted = setting.map(|setting| setting.value).unwrap_or_default();
    Finding::Warn(doctor::describe_differing_setting(&file, &REFRESH.to_string(), None, &wanted, 0))
}

/// The text of a settings file, or `None` if the file does not exist. Fails if the text is not a JSON
/// object, because no setting can then be read or added.
fn read_settings(context: &DoctorContext<'_>, path: &Path) -> Result<Option<String>, Finding> {
    let text = context.read_text(path)?;
    settings::add_settings(text.as_deref().unwrap_or_default(), &[])
        .map_err(|refusal| setup::Error::Settings { path: path.to_owned(), refusal })?;
    Ok(text)
}

/// The settings that `setup` would write for the profile. Empty if the path of this program cannot be written as a
/// command; the checks then find nothing to compare.
fn build_expected_settings(context: &DoctorContext<'_>, source: &ClaudeCredentialSource) -> Vec<ClaudeSetting> {
    let program = host::find_stable_program_path(&context.host.environment).ok();
    let config = context.inputs.file.as_ref().and_then(|file| std::path::absolute(file).ok());
    let call = program.and_then(|program| CommandTemplate::new(&program, config.as_deref()).ok());
    match (context.profile(), call) {
        (Ok(profile), Some(call)) => claude::build_settings(profile, source, &call),
        _ => Vec::new(),
    }
}

/// The same for managed settings, without the variables that only pin a value against repositories: any value of the
/// administrator does that.
fn build_managed_settings(context: &DoctorContext<'_>) -> Vec<ClaudeSetting> {
    let mut wanted = build_expected_settings(context, &ClaudeCredentialSource::Export);
    wanted.retain(|setting| !matches!(&setting.key, ClaudeSettingKey::Env(name) if claude::is_pinned(name)));
    wanted
}

/// Compares the variables of a settings file with the expected ones. Reports the first that differs and counts the
/// others. A variable that is not set is no difference if `may_be_silent`: then another file may set it.
fn compare_settings(
    context: &DoctorContext<'_>,
    path: &Path,
    text: &str,
    wanted: &[ClaudeSetting],
    may_be_silent: bool,
) -> Finding {
    let variables = wanted.iter().filter(|setting| matches!(setting.key, ClaudeSettingKey::Env(_)));
    let mut differing = variables.filter_map(|ClaudeSetting { key, value }| {
        let actual = settings::read_setting(text, key);
        let differs = actual.as_ref().map_or(!may_be_silent, |actual| actual != value);
        differs.then_some((key, actual, value))
    });
    let file = context.display_path(path);
    let Some((key, actual, expected)) = differing.next() else {
        return Finding::Ok(format!("{file} matches the profile"));
    };
    let (actual, expected) = (actual.map(|actual| sanitize_line(&actual)), sanitize_line(expected));
    let (key, more) = (key.to_string(), differing.count());
    Finding::Warn(doctor::describe_differing_setting(&file, &key, actual.as_deref(), &expected, more))
}
