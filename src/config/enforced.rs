//! What the administrator's file enforces, key by key: the values that a profile may hold.
//!
//! It judges values; which file is the administrator's is for `layers`.

use super::{
    error::{ConfigFault, ConfigProblem, ValueLocation},
    keys::{KEYS, KeyDefault},
    setting::{ConfigSetting, ConfigSettings},
    toml_value::to_toml,
};

/// Enforced keys, by their places in the table, with the values that they may hold: more than one only for a profile that
/// the administrator's file does not name.
#[derive(Debug, Default)]
pub(super) struct EnforcedKeys<'a>(pub Vec<(usize, Vec<ConfigSetting<'a>>)>);

impl<'a> EnforcedKeys<'a> {
    pub(super) fn enforces_key(&self, key: usize) -> bool {
        self.0.iter().any(|(enforced, _)| *enforced == key)
    }

    /// Says why a key cannot hold this value, if it cannot.
    pub(super) fn find_violation(&self, key: usize, over: ConfigSetting<'_>) -> Option<ConfigFault> {
        let (_, allowed) = self.0.iter().find(|(enforced, _)| *enforced == key)?;
        let is_allowed = allowed.iter().any(|setting| has_same_value(*setting, over));
        if is_allowed { None } else { reject_enforced_value(key, allowed) }
    }

    /// Marks the enforced keys, and gives them the administrator's value where there is only one.
    pub(super) fn apply_to_settings(&self, settings: &mut ConfigSettings<'a>) {
        for (key, allowed) in &self.0 {
            let Some(slot) = settings.get_mut(*key) else { continue };
            let only = match allowed.as_slice() {
                [only] => Some(*only),
                _ => *slot,
            };
            *slot = only.map(|setting| ConfigSetting { is_enforced: true, ..setting });
        }
    }

    /// Keys that still hold their default, although they may not.
    pub(super) fn check_defaults(
        &self,
        settings: &ConfigSettings<'_>,
        place: impl Fn() -> ValueLocation,
    ) -> Vec<ConfigProblem> {
        let problem = |(key, allowed): &(usize, Vec<ConfigSetting<'_>>)| {
            let held = settings.get(*key).copied().flatten()?;
            let is_allowed = allowed.iter().any(|setting| has_same_value(*setting, held));
            let fault = if is_allowed { None } else { reject_enforced_value(*key, allowed) }?;
            Some(ConfigProblem { location: place(), fault })
        };
        // A value that a layer gave was judged when it was laid.
        let is_default = |key: usize| {
            let held = settings.get(key).copied().flatten();
            held.is_some_and(|setting| setting.is_default())
        };
        self.0.iter().filter(|(key, _)| is_default(*key)).filter_map(problem).collect()
    }
}

fn reject_enforced_value(key: usize, allowed: &[ConfigSetting<'_>]) -> Option<ConfigFault> {
    let key = KEYS.get(key)?;
    let values: Vec<String> = allowed.iter().map(|setting| to_toml(setting.value)).collect();
    let by =
        allowed.first().map_or_else(|| "not set".to_owned(), |setting| setting.origin.location().to_string());
    let value = match (values.is_empty(), key.default) {
        (true, KeyDefault::Required) => "not set".to_owned(),
        _ => values.join(" or "),
    };
    Some(ConfigFault::Enforced { key: key.name, value, by })
}

pub(super) fn has_same_value(one: ConfigSetting<'_>, other: ConfigSetting<'_>) -> bool {
    to_toml(one.value) == to_toml(other.value)
}
