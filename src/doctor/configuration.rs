//! Whether the configuration is right, every profile of every file.
//!
//! What is wrong with it, and where, is for `config` to say.

use super::{DoctorContext, Finding};
use crate::{
    config,
    failure::{Failure, doctor::LocalFinding},
};

pub(super) fn check_configuration(patient: &DoctorContext<'_>) -> Finding {
    let said = match config::check_all_files(&patient.inputs) {
        Ok(said) => said,
        Err(error) => return Finding::Bad(Failure::from(error)),
    };
    let mut warnings = said.iter().filter_map(|line| line.strip_prefix("warning: "));
    if let Some(first) = warnings.next() {
        return Finding::Warn(
            LocalFinding::ConfigWarnings { first: first.to_owned(), more: warnings.count() }.into(),
        );
    }
    // Files that are right may still leave open which of their profiles is meant.
    match patient.profile() {
        Ok(_) => Finding::Ok(
            said.iter().map(|line| line.trim_start_matches("ok: ")).collect::<Vec<_>>().join("; "),
        ),
        Err(failure) => Finding::Bad(failure.clone()),
    }
}
