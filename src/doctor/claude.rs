//! Claude Code's settings, a person's and the organisation's: whether they are read, agree with the profile, and run
//! this program.
//!
//! What they should say is for `setup`, and what outranks a sign-in for `shadows`.

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

/// Without it nothing renews a session that has ended.
const REFRESH: ClaudeSettingKey = ClaudeSettingKey::Top("awsAuthRefresh");

/// Whether the organisation's settings bring credentials, so that no AWS profile is needed.
pub(super) fn has_managed_export(context: &DoctorContext<'_>) -> bool {
    let text = context.read_text_or_empty(&context.tool_config.claude_managed);
    let hook = settings::read_setting(&text, &ClaudeSettingKey::Top("awsCredentialExport"));
    hook.and_then(|hook| ParsedCommand::parse(&hook)).is_some_and(|called| command_check::is_our_command(&called))
}

pub(super) fn check_user_settings(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let path = &context.tool_config.claude_settings;
    let text = read_settings(context, path)?;
    let managed = has_managed_export(context);
    let wanted = build_expected_settings(
        context,
        &ClaudeCredentialSource::AwsProfile(command_check::find_aws_profile_name(context, &profile.name)),
    );
    let says = |setting: &ClaudeSetting| settings::read_setting(text.as_deref().unwrap_or_default(), &setting.key);
    if !wanted.iter().any(|setting| says(setting).is_some()) {
        return Ok(report_missing_settings(context, managed, &context.display_path(path)));
    }
    Ok(compare_settings(context, path, text.as_deref().unwrap_or_default(), &wanted, managed))
}

/// Settings that say nothing of Bedrock.
fn report_missing_settings(context: &DoctorContext<'_>, managed: bool, file: &str) -> Finding {
    if managed {
        return Finding::Skipped("none are needed beside the organisation's".to_owned());
    }
    match host::find_on_path(&context.host.environment, "claude").is_empty() {
        true => Finding::Skipped("Claude Code is not on PATH, and nothing leads it here".to_owned()),
        false => Finding::Warn(doctor::describe_missing_settings(file)),
    }
}

pub(super) fn check_managed_settings(context: &DoctorContext<'_>, _: &Profile) -> CheckOutcome {
    let path = &context.tool_config.claude_managed;
    Ok(match read_settings(context, path)? {
        None => Finding::Skipped("there are none on this machine".to_owned()),
        Some(text) => compare_settings(context, path, &text, &build_managed_settings(context), true),
    })
}

pub(super) fn check_hooks(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let (mut faults, mut hooks) = (Vec::new(), Vec::new());
    let both = [&context.tool_config.claude_settings, &context.tool_config.claude_managed];
    for path in both {
        let Ok(Some(text)) = read_settings(context, path) else { continue };
        for (name, verb) in claude::HOOKS {
            let Some(hook) = settings::read_setting(&text, &ClaudeSettingKey::Top(name)) else { continue };
            hooks.push(name);
            let place = format!("{name} in {}", context.display_path(path));
            faults.extend(check_hook(context, profile, &hook, verb, &place));
        }
    }
    faults.sort_by_key(|fault| matches!(fault, Finding::Warn(_)));
    Ok(match (faults.into_iter().next(), hooks.is_empty()) {
        (Some(fault), _) => fault,
        (None, true) => Finding::Skipped("Claude Code has none".to_owned()),
        (None, false) if !hooks.contains(&"awsAuthRefresh") => report_missing_refresh(context),
        (None, false) => Finding::Ok(format!("lead here: {}", hooks.join(", "))),
    })
}

fn check_hook(
    context: &DoctorContext<'_>,
    profile: &Profile,
    hook: &str,
    verb: &'static str,
    place: &str,
) -> Option<Finding> {
    let called = ParsedCommand::parse(hook)?;
    let wanted = ExpectedCommand { command: verb, profile: &profile.name, runner: CommandRunner::Shell };
    // Somebody's own way of telling who sends telemetry is theirs.
    let is_own =
        verb == "otel-headers" && !command_check::is_our_command(&called) && called.program_name() != "otel-helper";
    if is_own { None } else { command_check::check_command(context, &called, wanted, place) }
}

fn report_missing_refresh(context: &DoctorContext<'_>) -> Finding {
    let wanted = build_expected_settings(context, &ClaudeCredentialSource::Export);
    let setting = wanted.into_iter().find(|setting| setting.key == REFRESH);
    let file = context.display_path(&context.tool_config.claude_settings);
    let wanted = setting.map(|setting| setting.value).unwrap_or_default();
    Finding::Warn(doctor::describe_differing_setting(&file, &REFRESH.to_string(), None, &wanted, 0))
}

/// The text of a file that Claude Code reads; `None` if the file does not exist.
fn read_settings(context: &DoctorContext<'_>, path: &Path) -> Result<Option<String>, Finding> {
    let text = context.read_text(path)?;
    settings::add_settings(text.as_deref().unwrap_or_default(), &[])
        .map_err(|refusal| setup::Error::Settings { path: path.to_owned(), refusal })?;
    Ok(text)
}

/// What `setup` would have the file say.
fn build_expected_settings(context: &DoctorContext<'_>, source: &ClaudeCredentialSource) -> Vec<ClaudeSetting> {
    let program = host::find_stable_program_path(&context.host.environment).ok();
    let config = context.inputs.file.as_ref().and_then(|file| std::path::absolute(file).ok());
    let call = program.and_then(|program| CommandTemplate::new(&program, config.as_deref()).ok());
    match (context.profile(), call) {
        (Ok(profile), Some(call)) => claude::build_settings(profile, source, &call),
        _ => Vec::new(),
    }
}

/// Without the pinned variables, whose values an administrator may choose.
fn build_managed_settings(context: &DoctorContext<'_>) -> Vec<ClaudeSetting> {
    let mut wanted = build_expected_settings(context, &ClaudeCredentialSource::Export);
    wanted.retain(|setting| !matches!(&setting.key, ClaudeSettingKey::Env(name) if claude::is_pinned(name)));
    wanted
}

/// Reports the first variable that differs; one that is not set counts only where nothing else sets it.
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
        return Finding::Ok(format!("{file} agrees with the profile"));
    };
    let (actual, expected) = (actual.map(|actual| sanitize_line(&actual)), sanitize_line(expected));
    let (key, more) = (key.to_string(), differing.count());
    Finding::Warn(doctor::describe_differing_setting(&file, &key, actual.as_deref(), &expected, more))
}
