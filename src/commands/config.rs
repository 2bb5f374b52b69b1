//! `config show|check|schema|path`: shows the configuration, checks it, and prints where its files are.
//!
//! These commands use no network and change no file. The reports themselves are made by the module `config`.

use std::path::Path;

use super::{CommandContext, write_stderr_line, write_stdout};
use crate::{
    cli::ConfigCommand,
    config::{self, ConfigInputs, Error},
    failure::Failure,
    text,
};

/// Prints the result of one of the `config` commands. A configuration with an error ends it with exit code 3.
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

/// Lists every problem on stderr. The failure that ends the command names only the first one, which is enough for other
/// commands, but a user of `config check` wants to correct all of them at once.
fn print_all_problems(error: &Error) {
    let lines = error.problem_lines();
    if lines.len() > 1 {
        write_stderr_line(&lines.join("\n"));
    }
}

/// The values of the chosen profile, with the origin of each. Fails if the profile is incomplete or has an error.
pub(crate) fn format_profile(inputs: &ConfigInputs<'_>, as_json: bool) -> Result<String, Error> {
    let shown = config::report_profile(inputs)?;
    Ok(if as_json { shown.to_json() } else { shown.to_text() })
}

/// Checks `file`, or all configuration files, and returns one line for each finding that is not an error.
///
/// If there is an error, [`Error::problem_lines`] lists all of them.
pub(crate) fn check_files(inputs: &ConfigInputs<'_>, file: Option<&Path>) -> Result<String, Error> {
    let findings = match file {
        Some(file) => config::check_file(file, inputs)?,
        None => config::check_all_files(inputs)?,
    };
    Ok(findings.into_iter().map(|finding| format!("{finding}\n")).collect())
}

/// The paths of the configuration files, one a line. Values in a later file override those in an earlier one.
pub(crate) fn list_config_files(inputs: &ConfigInputs<'_>) -> String {
    let line = |location: config::FileLocation| {
        let presence = if location.is_there { "present" } else { "absent" };
        format!("{}  ({presence})\n", text::display_path(&location.file))
    };
    config::list_file_locations(inputs).map(line).concat()
}
