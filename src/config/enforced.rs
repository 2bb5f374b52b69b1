//! What the administrator's file enforces, key by key: the values that a profile may hold.
//!
//! It judges values; which file is the administrator's is for `layers`.

use super::{
    ConfigFault, ConfigKey, ConfigProblem, ValueLocation,
    key::KeyDefault,
    setting::{ConfigSetting, ConfigSettings},
    toml_value::to_toml,
};

/// Enforced keys with the values that they may hold: more than one only for a profile that the administrator's file does
/// not name.
#[derive(Debug, Default)]
pub(super) struct EnforcedKeys<'a>(pub Vec<(&'static ConfigKey, Vec<ConfigSetting<'a>>)>);

impl<'a> EnforcedKeys<'a> {
    fn enforces_key(&self, key: &ConfigKey) -> bool {
        self.0.iter().any(|(enforced, _)| *enforced == key)
    }

    /// Why a key cannot have this value; `None` if it can.
    fn find_violation(&self, key: &ConfigKey, over: ConfigSetting<'_>) -> Option<ConfigFault> {
        let (key, allowed) = self.0.iter().find(|(enforced, _)| *enforced == key)?;
        let is_allowed = allowed.iter().any(|setting| has_same_value(*setting, over));
        (!is_allowed).then(|| reject_enforced_value(key, allowed))
    }

    /// Lays a value of a layer over those below, or reports that it may not be.
    pub(super) fn apply_setting(
        &self,
        settings: &mut ConfigSettings<'a>,
        key: &'static ConfigKey,
        over: ConfigSetting<'a>,
    ) -> Option<ConfigProblem> {
        if let Some(fault) = self.find_violation(key, over).filter(|_| !over.is_from_administrator()) {
            return Some(over.problem(fault));
        }
        if !settings.get(key).is_some_and(|held| held.is_enforced && has_same_value(held, over)) {
            settings.set(key, ConfigSetting { is_enforced: self.enforces_key(key), ..over });
        }
        None
    }

    /// Marks the enforced keys, and gives them the administrator's value where there is only one.
    pub(super) fn apply_to_settings(&self, settings: &mut ConfigSettings<'a>) {
        for (key, allowed) in &self.0 {
            let only = match allowed.as_slice() {
                [only] => Some(*only),
                _ => settings.get(key),
            };
            if let Some(setting) = only {
                settings.set(key, ConfigSetting { is_enforced: true, ..setting });
            }
        }
    }

    /// Keys that still have their default, although they may not. A value that a layer gave was checked when it was merged.
    pub(super) fn check_defaults(
        &self,
        settings: &ConfigSettings<'_>,
        location: impl Fn() -> ValueLocation,
    ) -> Vec<ConfigProblem> {
        let problem = |(key, _): &(&ConfigKey, Vec<ConfigSetting<'_>>)| {
            let setting = settings.get(key).filter(|setting| setting.is_default())?;
            Some(self.find_violation(key, setting)?.at(location()))
        };
        self.0.iter().filter_map(problem).collect()
    }
}

fn reject_enforced_value(key: &ConfigKey, allowed: &[ConfigSetting<'_>]) -> ConfigFault {
    let values: Vec<String> = allowed.iter().map(|setting| to_toml(setting.value)).collect();
    let by = allowed.first().map_or_else(|| "not set".to_owned(), |setting| setting.origin.location().to_string());
    let is_unset = values.is_empty() && matches!(key.default, KeyDefault::Required);
    let value = if is_unset { "unset".to_owned() } else { values.join(" or ") };
    ConfigFault::Enforced { key: key.name, value, by }
}

pub(super) fn has_same_value(one: ConfigSetting<'_>, other: ConfigSetting<'_>) -> bool {
    to_toml(one.value) == to_toml(other.value)
}
