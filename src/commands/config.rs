//! `config show|check|schema|path`: what the configuration is, whether it is right, and where it lies.
//!
//! Text for stdout or a typed error; it prints nothing itself.

use std::path::Path;

use crate::config::{self, Error, Inputs};

/// The resolved profile and where each value came from.
pub fn show(inputs: &Inputs<'_>, as_json: bool) -> Result<String, Error> {
    let shown = config::show(inputs)?;
    Ok(if as_json { shown.json() } else { shown.text() })
}

/// A line for each file when all is well; [`Error::lines`] has every problem otherwise.
pub fn check(inputs: &Inputs<'_>, file: Option<&Path>) -> Result<String, Error> {
    let lines = match file {
        Some(file) => config::check_file(file, inputs)?,
        None => config::check(inputs)?,
    };
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// The JSON Schema of the file.
pub fn schema() -> String {
    config::schema()
}

/// The files that are read, later ones over earlier ones.
pub fn path(inputs: &Inputs<'_>) -> String {
    let line = |location: config::Location| {
        let presence = if location.is_there { "present" } else { "absent" };
        format!("{}  ({presence})\n", location.file.display())
    };
    config::locations(inputs).map(line).concat()
}
