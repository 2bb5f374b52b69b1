//! Finds files that AWS's guidance sample has left: its programs, and its tokens in plain text.
//!
//! The check deletes nothing. Another machine with the same home folder may still use the sample.

use std::path::{Path, PathBuf};

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{failure::doctor, files};

/// The folder with the sample's programs and its configuration.
const SAMPLE_FOLDER: &str = "claude-code-with-bedrock";
/// The folder with its refresh tokens and ID tokens, which are not encrypted.
const TOKEN_FOLDER: &str = ".claude-code-session";

/// Whether one of the two folders exists. An empty token folder is named too, but without the warning about tokens.
pub(super) fn check_leftovers(context: &DoctorContext<'_>) -> CheckOutcome {
    let found: Vec<PathBuf> =
        [SAMPLE_FOLDER, TOKEN_FOLDER].iter().map(|name| context.home.join(name)).filter(|path| path.is_dir()).collect();
    if found.is_empty() {
        return Ok(Finding::Ok("no files of AWS's guidance sample are left".to_owned()));
    }
    let tokens = found.iter().any(|path| path.ends_with(TOKEN_FOLDER) && has_files(path));
    let paths: Vec<String> = found.iter().map(|path| context.display_path(path)).collect();
    Ok(Finding::Warn(doctor::describe_leftovers(&paths, tokens)))
}

fn has_files(folder: &Path) -> bool {
    files::list_files(folder).is_ok_and(|names| !names.is_empty())
}
