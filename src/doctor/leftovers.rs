//! What AWS's guidance sample leaves behind: its programs, and tokens that lie open.
//!
//! It removes nothing: other machines of the same home may still use it.

use std::path::{Path, PathBuf};

use super::{Finding, Patient};
use crate::{failure::doctor::Neighbour, files};

/// Its programs and its configuration.
const PROGRAMS: &str = "claude-code-with-bedrock";
/// Refresh tokens and ID tokens in plain files.
const TOKENS: &str = ".claude-code-session";

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    let found: Vec<PathBuf> =
        [PROGRAMS, TOKENS].iter().map(|name| patient.home.join(name)).filter(|path| path.is_dir()).collect();
    if found.is_empty() {
        return Finding::Fine("nothing of AWS's guidance sample is left".to_owned());
    }
    let tokens = found.iter().any(|path| path.ends_with(TOKENS) && has_files(path));
    let paths = found.iter().map(|path| patient.shown(path)).collect();
    Finding::Warning(Neighbour::Leftovers { paths, tokens }.into())
}

fn has_files(folder: &Path) -> bool {
    files::names(folder).is_ok_and(|names| !names.is_empty())
}
