//! What the administrator's file enforces, key by key: the values that a profile may hold.
//!
//! It judges values; which file is the administrator's is for `layers`.

use super::{
    error::{Fault, Place, Problem},
    key::{Default as KeyDefault, KEYS},
    setting::{Setting, Settings},
    value::written,
};

/// Enforced keys, by their places in the table, with the values that they may hold: more than one only for a profile that
/// the administrator's file does not name.
#[derive(Debug, Default)]
pub(super) struct Enforced<'a>(pub Vec<(usize, Vec<Setting<'a>>)>);

impl<'a> Enforced<'a> {
    pub(super) fn binds(&self, key: usize) -> bool {
        self.0.iter().any(|(enforced, _)| *enforced == key)
    }

    /// Says why a key cannot hold this value, if it cannot.
    pub(super) fn refusal(&self, key: usize, over: Setting<'_>) -> Option<Fault> {
        let (_, allowed) = self.0.iter().find(|(enforced, _)| *enforced == key)?;
        let is_allowed = allowed.iter().any(|setting| is_same(*setting, over));
        if is_allowed { None } else { fault(key, allowed) }
    }

    /// Marks the enforced keys, and gives them the administrator's value where there is only one.
    pub(super) fn fix(&self, settings: &mut Settings<'a>) {
        for (key, allowed) in &self.0 {
            let Some(slot) = settings.get_mut(*key) else { continue };
            let only = match allowed.as_slice() {
                [only] => Some(*only),
                _ => *slot,
            };
            *slot = only.map(|setting| Setting { is_fixed: true, ..setting });
        }
    }

    /// Keys that still hold their default, although they may not.
    pub(super) fn left_open(&self, settings: &Settings<'_>, place: impl Fn() -> Place) -> Vec<Problem> {
        let problem = |(key, allowed): &(usize, Vec<Setting<'_>>)| {
            let held = settings.get(*key).copied().flatten()?;
            let is_allowed = allowed.iter().any(|setting| is_same(*setting, held));
            let fault = if is_allowed { None } else { fault(*key, allowed) }?;
            Some(Problem { place: place(), fault })
        };
        // A value that a layer gave was judged when it was laid.
        let is_default = |key: usize| {
            let held = settings.get(key).copied().flatten();
            held.is_some_and(|setting| setting.is_default())
        };
        self.0.iter().filter(|(key, _)| is_default(*key)).filter_map(problem).collect()
    }
}

fn fault(key: usize, allowed: &[Setting<'_>]) -> Option<Fault> {
    let key = KEYS.get(key)?;
    let values: Vec<String> = allowed.iter().map(|setting| written(setting.value)).collect();
    let by =
        allowed.first().map_or_else(|| "not set".to_owned(), |setting| setting.origin.place().to_string());
    let value = match (values.is_empty(), key.default) {
        (true, KeyDefault::Required) => "not set".to_owned(),
        _ => values.join(" or "),
    };
    Some(Fault::Enforced { key: key.name, value, by })
}

pub(super) fn is_same(one: Setting<'_>, other: Setting<'_>) -> bool {
    written(one.value) == written(other.value)
}
