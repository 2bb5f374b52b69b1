//! Whether a line of another program's file runs this program, and with the right words.
//!
//! It judges the line; where such lines stand is known elsewhere.

use std::path::Path;

use super::{DoctorContext, Finding};
use crate::{
    config,
    failure::doctor,
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
    place: &str,
) -> Option<Finding> {
    let bad = |fault: &str| Some(Finding::Bad(doctor::describe_wrong_call(place, fault)));
    let warn = |fault: &str| Some(Finding::Warn(doctor::describe_wrong_call(place, fault)));
    let written = match wanted.runner {
        CommandRunner::AwsTools => called.program.clone(),
        CommandRunner::Shell => expand_home(&called.program, &context.home),
    };
    let program = context.display_path(&written);
    if SAMPLE.contains(&called.program_name()) {
        return bad(&format!("still runs AWS's guidance sample: {program}"));
    }
    let Some(found) = host::find_program(&context.host.environment, &written) else {
        return bad(&format!("names {program}, which does not exist"));
    };
    if !is_our_command(called) {
        return bad(&format!("runs another program: {program}"));
    }
    match called.command.as_deref() {
        Some(command) if command == wanted.command => {}
        Some(command) => return bad(&format!("runs `{}`, and not `{}`", sanitize_line(command), wanted.command)),
        None => return bad(&format!("does not name the command `{}`", wanted.command)),
    }
    if let Some(named) = called.profile.as_ref().filter(|named| *named != wanted.profile) {
        return bad(&format!("is for the profile '{}', and not for '{}'", sanitize_line(named), wanted.profile));
    }
    if let Some(named) = &called.config {
        let named = match wanted.runner {
            CommandRunner::AwsTools => named.clone(),
            CommandRunner::Shell => expand_home(named, &context.home),
        };
        if !config::list_file_locations(&context.inputs).iter().any(|place| is_same_file(&place.file, &named)) {
            return bad(&format!("uses another configuration file: {}", context.display_path(&named)));
        }
    }
    if !written.is_absolute() && wanted.runner == CommandRunner::AwsTools {
        let fault = format!("names {program} without its whole path, which AWS's tools look for where they stand");
        return warn(&fault);
    }
    if host::is_this_program(&found) { None } else { warn(&format!("runs another copy of this program: {program}")) }
}

/// Whether two paths lead to the same file, by whatever links.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
