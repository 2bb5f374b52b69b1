//! Whether a line of another program's file runs this program, and with the right words.
//!
//! It judges the line; where such lines stand is known elsewhere.

use std::path::Path;

use super::{DoctorContext, Finding};
use crate::{
    config,
    failure::doctor::{CallFault, ToolConfigFinding},
    host,
    setup::{ParsedCommand, aws, expand_home},
    text::sanitize_line,
};

/// What runs the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandRunner {
    /// AWS's tools, some of which know no shell.
    AwsTools,
    Shell,
}

/// What the line should be for.
#[derive(Clone, Copy)]
pub(super) struct ExpectedCommand<'w> {
    pub(super) command: &'static str,
    pub(super) profile: &'w str,
    pub(super) runner: CommandRunner,
}

/// The programs of AWS's guidance sample.
const SAMPLE: [&str; 2] = ["credential-process", "otel-helper"];

/// Whether the line is meant for this program, right or wrong.
pub(super) fn is_our_command(called: &ParsedCommand) -> bool {
    called.program_name() == "bedrock-sso"
}

/// The AWS profile that asks this program for credentials of ours, with its line.
pub(super) fn find_aws_profile(text: &str, ours: &str) -> Option<(String, ParsedCommand)> {
    let read = |(name, line): (String, String)| Some((name, ParsedCommand::parse(&line)?));
    let lines: Vec<_> = aws::list_processes(text).into_iter().filter_map(read).collect();
    let asks = |called: &ParsedCommand| is_our_command(called) && called.profile.as_deref() == Some(ours);
    let found = lines.iter().find(|(_, called)| asks(called));
    // Fall back to the profile with the same name, whatever command it runs.
    found.or_else(|| lines.iter().find(|(name, _)| name == ours)).cloned()
}

/// The name of the AWS profile that runs this program, or the name of our profile if there is no such AWS profile.
pub(super) fn find_aws_profile_name(context: &DoctorContext<'_>, ours: &str) -> String {
    let text = context.read_text_or_empty(&context.tool_config.aws_config);
    find_aws_profile(&text, ours).map_or_else(|| ours.to_owned(), |(name, _)| name)
}

/// What is wrong with it, said of `place`; nothing when all is well.
pub(super) fn check_command(
    context: &DoctorContext<'_>,
    called: &ParsedCommand,
    wanted: ExpectedCommand<'_>,
    place: String,
) -> Option<Finding> {
    let fault = find_command_fault(context, called, wanted)?;
    let works = matches!(fault, CallFault::NotAbsolute { .. } | CallFault::OtherCopy { .. });
    let failure = ToolConfigFinding::WrongCall { place, fault }.into();
    Some(if works { Finding::Warn(failure) } else { Finding::Bad(failure) })
}

fn find_command_fault(
    context: &DoctorContext<'_>,
    called: &ParsedCommand,
    wanted: ExpectedCommand<'_>,
) -> Option<CallFault> {
    let written = match wanted.runner {
        CommandRunner::AwsTools => called.program.clone(),
        CommandRunner::Shell => expand_home(&called.program, &context.home),
    };
    let program = context.display_path(&written);
    if SAMPLE.contains(&called.program_name()) {
        return Some(CallFault::GuidanceSample { program });
    }
    let Some(found) = host::find_program(&context.host.environment, &written) else {
        return Some(CallFault::Missing { program });
    };
    if !is_our_command(called) {
        return Some(CallFault::OtherProgram { program });
    }
    if called.command.as_deref() != Some(wanted.command) {
        let command = called.command.as_deref().map(sanitize_line);
        return Some(CallFault::OtherCommand { command, expected: wanted.command });
    }
    if let Some(named) = called.profile.as_ref().filter(|named| *named != wanted.profile) {
        let (named, ours) = (sanitize_line(named), wanted.profile.to_owned());
        return Some(CallFault::OtherProfile { actual: named, expected: ours });
    }
    if let Some(named) = &called.config {
        let named = match wanted.runner {
            CommandRunner::AwsTools => named.clone(),
            CommandRunner::Shell => expand_home(named, &context.home),
        };
        if !config::list_file_locations(&context.inputs).iter().any(|place| is_same_file(&place.file, &named)) {
            return Some(CallFault::OtherConfiguration { file: context.display_path(&named) });
        }
    }
    if !written.is_absolute() && wanted.runner == CommandRunner::AwsTools {
        return Some(CallFault::NotAbsolute { program });
    }
    (!host::is_this_program(&found)).then_some(CallFault::OtherCopy { program })
}

/// Whether two paths lead to the same file, by whatever links.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
