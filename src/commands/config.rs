//! `config show|check|schema|path`: what the configuration is, whether it is right, and where it lies.
//!
//! Nothing here needs a network, and nothing changes a file.

use std::path::Path;

use super::{Desk, print, say_line};
use crate::{
    cli::{Config, Global},
    config::{self, Error, Inputs},
    failure::Failure,
    text,
};

pub(super) fn run(what: &Config, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let inputs = desk.inputs();
    let text = match what {
        Config::Show { json } => show(&inputs, *json)?,
        Config::Check { file } => check(&inputs, file.as_deref()).inspect_err(every_problem)?,
        Config::Schema => config::schema(),
        Config::Path => path(&inputs),
    };
    print(text.as_bytes())
}

/// Whoever asks for a check wants all of it; the failure that follows repeats the first.
fn every_problem(error: &Error) {
    let lines = error.lines();
    if lines.len() > 1 {
        say_line(&lines.join("\n"));
    }
}

/// The resolved profile and where each value came from.
pub(crate) fn show(inputs: &Inputs<'_>, as_json: bool) -> Result<String, Error> {
    let shown = config::show(inputs)?;
    Ok(if as_json { shown.json() } else { shown.text() })
}

/// A line for each file when all is well; [`Error::lines`] has every problem otherwise.
pub(crate) fn check(inputs: &Inputs<'_>, file: Option<&Path>) -> Result<String, Error> {
    let lines = match file {
        Some(file) => config::check_file(file, inputs)?,
        None => config::check(inputs)?,
    };
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// The files that are read, later ones over earlier ones.
pub(crate) fn path(inputs: &Inputs<'_>) -> String {
    let line = |location: config::Location| {
        let presence = if location.is_there { "present" } else { "absent" };
        format!("{}  ({presence})\n", text::path(&location.file))
    };
    config::locations(inputs).map(line).concat()
}
