//! What AWS's guidance sample leaves behind: its programs, and tokens that lie open.
//!
//! It removes nothing: other machines of the same home may still use it.

use std::path::{Path, PathBuf};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, files};

/// Its programs and its configuration.
const SAMPLE_FOLDER: &str = "claude-code-with-bedrock";
/// Refresh tokens and ID tokens in plain files.
const TOKEN_FOLDER: &str = ".claude-code-session";

pub(super) fn check_leftovers(context: &DoctorContext<'_>) -> CheckOutcome {
    let found: Vec<PathBuf> =
        [SAMPLE_FOLDER, TOKEN_FOLDER].iter().map(|name| context.home.join(name)).filter(|path| path.is_dir()).collect();
    if found.is_empty() {
        return Ok(Finding::Ok("nothing of AWS's guidance sample is left".to_owned()));
    }
    let tokens = found.iter().any(|path| path.ends_with(TOKEN_FOLDER) && has_files(path));
    let paths: Vec<String> = found.iter().map(|path| context.display_path(path)).collect();
    Ok(Finding::Warn(doctor::describe_leftovers(&paths, tokens)))
}

fn has_files(folder: &Path) -> bool {
    files::list_files(folder).is_ok_and(|names| !names.is_empty())
}
