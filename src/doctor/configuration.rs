//! Checks every profile of every configuration file, as `config check` does.
//!
//! It checks more than the profile in use, so that the user learns of a mistake before switching to another profile.

use super::{CheckOutcome, DoctorContext, Finding};
use crate::{
    config::{self, ConfigFinding},
    failure::doctor,
};

/// Reports the first warning and the number of others. An error in a file ends the check with that error.
pub(super) fn check_configuration(context: &DoctorContext<'_>) -> CheckOutcome {
    let findings = config::check_all_files(&context.inputs)?;
    let mut warnings = findings.iter().filter(|finding| finding.is_warning());
    if let Some(first) = warnings.next() {
        return Ok(Finding::Warn(doctor::describe_config_warnings(&first.message(), warnings.count())));
    }
    // Correct files may define several profiles without saying which one to use.
    context.check_profile()?;
    Ok(Finding::Ok(findings.iter().map(ConfigFinding::message).collect::<Vec<_>>().join("; ")))
}
