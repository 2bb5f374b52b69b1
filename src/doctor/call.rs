//! Whether a line of another program's file runs this program, and with the right words.
//!
//! It judges the line; where such lines stand is known elsewhere.

use std::path::Path;

use super::{DoctorContext, Finding};
use crate::{
    failure::doctor::{CallFault, ToolConfigFinding},
    host,
    setup::ParsedCommand,
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
        CommandRunner::Shell => crate::setup::expand_home(&called.program, &context.home),
    };
    let program = context.display_path(&written);
    if SAMPLE.contains(&called.program_name()) {
        return Some(CallFault::GuidanceSample { program });
    }
    let is_bare = written.parent().is_some_and(|folder| folder.as_os_str().is_empty());
    let on_path = || host::find_on_path(&context.host.environment, &written.to_string_lossy());
    let found =
        if is_bare { on_path().into_iter().next() } else { written.exists().then(|| written.clone()) };
    let Some(found) = found else { return Some(CallFault::Missing { program }) };
    if !is_our_command(called) {
        return Some(CallFault::OtherProgram { program });
    }
    if let Some(verb) = called.command.clone().filter(|verb| verb != wanted.command) {
        return Some(CallFault::OtherCommand {
            command: crate::text::sanitize_line(&verb),
            expected: wanted.command,
        });
    }
    if let Some(named) = called.profile.as_ref().filter(|named| *named != wanted.profile) {
        let (named, ours) = (crate::text::sanitize_line(named), wanted.profile.to_owned());
        return Some(CallFault::OtherProfile { actual: named, expected: ours });
    }
    if !written.is_absolute() && wanted.runner == CommandRunner::AwsTools {
        return Some(CallFault::NotAbsolute { program });
    }
    (!is_this_program(&found)).then_some(CallFault::OtherCopy { program })
}

/// By whatever links and names it is reached.
fn is_this_program(path: &Path) -> bool {
    let itself = std::env::current_exe().and_then(|itself| itself.canonicalize());
    itself.is_ok_and(|itself| path.canonicalize().is_ok_and(|path| path == itself))
}
