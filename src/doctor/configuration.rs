//! Whether the configuration is right, every profile of every file.
//!
//! What is wrong with it, and where, is for `config` to say.

use super::{DoctorContext, Finding};
use crate::{
    config::{self, ConfigFinding},
    failure::{Failure, doctor::LocalFinding},
};

pub(super) fn check_configuration(context: &DoctorContext<'_>) -> Finding {
    let findings = match config::check_all_files(&context.inputs) {
        Ok(findings) => findings,
        Err(error) => return Finding::Bad(Failure::from(error)),
    };
    let mut warnings = findings.iter().filter(|finding| finding.is_warning());
    if let Some(first) = warnings.next() {
        return Finding::Warn(
            LocalFinding::ConfigWarnings { first: first.message(), more: warnings.count() }.into(),
        );
    }
    // Files that are right may still leave open which of their profiles is meant.
    match context.profile() {
        Ok(_) => Finding::Ok(findings.iter().map(ConfigFinding::message).collect::<Vec<_>>().join("; ")),
        Err(failure) => Finding::Bad(failure.clone()),
    }
}
