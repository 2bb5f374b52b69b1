//! Judges one command line from a file of another program: does it run this program, with the right command, profile
//! and configuration file?
//!
//! `aws_files` and `claude` find the lines, in AWS's configuration and in Claude Code's hooks.

use std::path::Path;

use super::{DoctorContext, Finding};
use crate::{
    config,
    failure::doctor,
    host,
    setup::{ParsedCommand, aws, expand_home},
    text::sanitize_line,
};

/// The kind of program that runs the command line. It decides whether `~` is expanded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandRunner {
    /// AWS's tools. Some of them start the program without a shell, so `~` and a bare program name may not work.
    AwsTools,
    /// Claude Code, which passes the line to a shell.
    Shell,
}

/// What a correct command line calls.
#[derive(Clone, Copy)]
pub(super) struct ExpectedCommand<'w> {
    pub(super) command: &'static str,
    pub(super) profile: &'w str,
    pub(super) runner: CommandRunner,
}

/// The programs of AWS's guidance sample. They are reported by name, because users migrate from that sample.
const SAMPLE: [&str; 2] = ["credential-process", "otel-helper"];

/// Whether the command line is meant to run this program. It may still name a wrong path, command or profile.
pub(super) fn is_our_command(called: &ParsedCommand) -> bool {
    called.program_name() == "bedrock-sso"
}

/// The AWS profile in `text` that gets the credentials of our profile `ours` from this program, with its command line.
pub(super) fn find_aws_profile(text: &str, ours: &str) -> Option<(String, ParsedCommand)> {
    let read = |(name, line): (String, String)| Some((name, ParsedCommand::parse(&line)?));
    let lines: Vec<_> = aws::list_processes(text).into_iter().filter_map(read).collect();
    let is_for_ours = |called: &ParsedCommand| is_our_command(called) && called.profile.as_deref() == Some(ours);
    let found = lines.iter().find(|(_, called)| is_for_ours(called));
    // Fall back to the profile with the same name, whatever command it runs.
    found.or_else(|| lines.iter().find(|(name, _)| name == ours)).cloned()
}

/// The name of the AWS profile that runs this program, or the name of our profile if there is no such AWS profile.
pub(super) fn find_aws_profile_name(context: &DoctorContext<'_>, ours: &str) -> String {
    let text = context.read_text_or_empty(&context.tool_config.aws_config);
    find_aws_profile(&text, ours).map_or_else(|| ours.to_owned(), |(name, _)| name)
}

/// Compares a command line with the expected one. Returns the first problem in words that begin with `place` ("[profile
/// claude] in ~/.aws/config"), or `None` if the line is correct. The order matters: a wrong program is reported before
/// a wrong command, since the arguments of another program mean nothing here.
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
        return bad(&format!("runs {program}, which does not exist"));
    };
    if !is_our_command(called) {
        return bad(&format!("runs another program: {program}"));
    }
    match called.command.as_deref() {
        Some(command) if command == wanted.command => {}
        Some(command) => {
            return bad(&format!("runs the command `{}` instead of `{}`", sanitize_line(command), wanted.command));
        }
        None => return bad(&format!("runs this program without the command `{}`", wanted.command)),
    }
    if let Some(named) = called.profile.as_ref().filter(|named| *named != wanted.profile) {
        return bad(&format!("uses the profile '{}' instead of '{}'", sanitize_line(named), wanted.profile));
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
        let fault = format!("runs {program} without its full path, so AWS's tools may not find it");
        return warn(&fault);
    }
    if host::is_this_program(&found) { None } else { warn(&format!("runs another copy of this program: {program}")) }
}

/// Whether two paths name the same file, directly or through symlinks.
fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
