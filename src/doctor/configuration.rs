//! Whether the configuration is right, every profile of every file.
//!
//! What is wrong with it, and where, is for `config` to say.

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    config::{self, ConfigFinding},
    failure::doctor,
};

pub(super) fn check_configuration(context: &DoctorContext<'_>) -> CheckOutcome {
    let findings = config::check_all_files(&context.inputs)?;
    let mut warnings = findings.iter().filter(|finding| finding.is_warning());
    if let Some(first) = warnings.next() {
        return Ok(Finding::Warn(doctor::describe_config_warnings(&first.message(), warnings.count())));
    }
    // Files that are right may still leave open which of their profiles is meant.
    context.check_profile()?;
    Ok(Finding::Ok(findings.iter().map(ConfigFinding::message).collect::<Vec<_>>().join("; ")))
}
