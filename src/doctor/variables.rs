//! Checks the environment variables of this program: which of them have an effect, and which are set in vain.
//!
//! A file of the user or the administrator takes precedence over many variables, and a user who sets such a variable
//! sees no effect and no error. `config` decides which variables count and gives the reason.

use super::{CheckOutcome, DoctorContext, Finding, Profile};
use crate::{
    config::{self, VariableStatus},
    failure::doctor,
};

/// Reports the first variable that has no effect with its reason, and the names of the others.
pub(super) fn check_variables(context: &DoctorContext<'_>, profile: &Profile) -> CheckOutcome {
    let variables = profile.list_variables(&context.host.environment, &context.host.paths);
    let (unused, used): (Vec<VariableStatus>, Vec<VariableStatus>) =
        variables.into_iter().partition(|it| it.not_used.is_some());
    if let Some((VariableStatus { name, not_used }, more)) = unused.split_first() {
        let others: Vec<String> = more.iter().map(|it| it.name.clone()).collect();
        let why = not_used.as_deref().unwrap_or_default();
        let key = config::find_variable_key(name);
        return Ok(Finding::Warn(doctor::describe_unused_variable(name, key, why, &others)));
    }
    let names: Vec<String> = used.into_iter().map(|it| it.name).collect();
    Ok(Finding::Ok(match names.is_empty() {
        true => "no variable that this program reads is set".to_owned(),
        false => format!("these variables have an effect: {}", names.join(", ")),
    }))
}
