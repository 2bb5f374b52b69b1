//! Which environment variables have an effect, and which are set and not used.
//!
//! Why one is not used is for `config` to say.

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{config::VariableStatus, failure::doctor};

pub(super) fn check_variables(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let seen = profile.list_variables(&context.host.environment, &context.host.paths);
    let (unused, used): (Vec<VariableStatus>, Vec<VariableStatus>) =
        seen.into_iter().partition(|it| it.not_used.is_some());
    if let Some((VariableStatus { name, not_used }, more)) = unused.split_first() {
        let others: Vec<String> = more.iter().map(|it| it.name.clone()).collect();
        let why = not_used.as_deref().unwrap_or_default();
        return Ok(Finding::Warn(doctor::describe_unused_variable(name, why, &others)));
    }
    let names: Vec<String> = used.into_iter().map(|it| it.name).collect();
    Ok(Finding::Ok(match names.is_empty() {
        true => "none that this program reads is set".to_owned(),
        false => format!("these have an effect: {}", names.join(", ")),
    }))
}
