//! `config show|check|schema|path`: what the configuration is, whether it is right, and where it lies.
//!
//! Nothing here needs a network, and nothing changes a file.

use std::path::Path;

use super::{CommandContext, write_stderr_line, write_stdout};
use crate::{
    cli::ConfigCommand,
    config::{self, ConfigInputs, Error},
    failure::Failure,
    text,
};

pub(super) fn run_config(what: &ConfigCommand, context: &CommandContext<'_>) -> Result<(), Failure> {
    let inputs = context.inputs();
    let text = match what {
        ConfigCommand::Show { json } => format_profile(&inputs, *json)?,
        ConfigCommand::Check { file } => check_files(&inputs, file.as_deref()).inspect_err(print_all_problems)?,
        ConfigCommand::Schema => config::render_schema(),
        ConfigCommand::Path => list_config_files(&inputs),
    };
    write_stdout(text.as_bytes())
}

/// Whoever asks for a check wants all of it; the failure that follows repeats the first.
fn print_all_problems(error: &Error) {
    let lines = error.problem_lines();
    if lines.len() > 1 {
        write_stderr_line(&lines.join("\n"));
    }
}

/// The resolved profile and where each value came from.
pub(crate) fn format_profile(inputs: &ConfigInputs<'_>, as_json: bool) -> Result<String, Error> {
    let shown = config::report_profile(inputs)?;
    Ok(if as_json { shown.to_json() } else { shown.to_text() })
}

/// A line for each file when all is well; [`Error::problem_lines`] has every problem otherwise.
pub(crate) fn check_files(inputs: &ConfigInputs<'_>, file: Option<&Path>) -> Result<String, Error> {
    let findings = match file {
        Some(file) => config::check_file(file, inputs)?,
        None => config::check_all_files(inputs)?,
    };
    Ok(findings.into_iter().map(|finding| format!("{finding}\n")).collect())
}

/// The files that are read, later ones over earlier ones.
pub(crate) fn list_config_files(inputs: &ConfigInputs<'_>) -> String {
    let line = |location: config::FileLocation| {
        let presence = if location.is_there { "present" } else { "absent" };
        format!("{}  ({presence})\n", text::display_path(&location.file))
    };
    config::list_file_locations(inputs).map(line).concat()
}
