//! Which environment variables have an effect, and which are set and not used.
//!
//! Why one is not used is for `config` to say.

use super::{Finding, Patient};
use crate::{config::Seen, failure::doctor::Machine};

pub(super) fn look(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    let seen = profile.variables(&patient.host.environment, &patient.host.paths);
    let (unused, used): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|it| it.not_used.is_some());
    if let Some((Seen { name, not_used }, more)) = unused.split_first() {
        let (name, why) = (name.clone(), not_used.clone().unwrap_or_default());
        let more = more.iter().map(|it| it.name.clone()).collect();
        return Finding::Warning(Machine::UnusedVariable { name, why, more }.into());
    }
    let names: Vec<String> = used.into_iter().map(|it| it.name).collect();
    Finding::Fine(match names.is_empty() {
        true => "none that this program reads is set".to_owned(),
        false => format!("these have an effect: {}", names.join(", ")),
    })
}
