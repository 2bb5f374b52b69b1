//! Enforced keys: for each key that the administrator's file lists in `enforce`, the values that a profile may have.
//!
//! `layers` collects them from the administrator's file and calls this module for each value of a higher layer.

use super::{
    ConfigFault, ConfigKey, ConfigProblem, ValueLocation,
    key::KeyDefault,
    setting::{ConfigSetting, ConfigSettings},
    toml_value::to_toml,
};

/// Enforced keys with their allowed values. A key has several allowed values only for a profile that the
/// administrator's file does not define, because such a profile may use the value of any profile in that file.
#[derive(Debug, Default)]
pub(super) struct EnforcedKeys<'a>(pub Vec<(&'static ConfigKey, Vec<ConfigSetting<'a>>)>);

impl<'a> EnforcedKeys<'a> {
    fn enforces_key(&self, key: &ConfigKey) -> bool {
        self.0.iter().any(|(enforced, _)| *enforced == key)
    }

    /// The fault of a value that is not allowed; `None` for an allowed value or a key that is not enforced.
    fn find_violation(&self, key: &ConfigKey, over: ConfigSetting<'_>) -> Option<ConfigFault> {
        let (key, allowed) = self.0.iter().find(|(enforced, _)| *enforced == key)?;
        let is_allowed = allowed.iter().any(|setting| has_same_value(*setting, over));
        (!is_allowed).then(|| reject_enforced_value(key, allowed))
    }

    /// Applies a value of one layer on top of the lower layers, or reports that it violates an enforced key. A value
    /// that repeats the enforced one changes nothing, so that `config show` still names the administrator's file as
    /// its origin.
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

    /// Marks the enforced keys, and sets those that have a single allowed value. A key with several allowed values
    /// must be set by the user.
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

    /// A problem for each key that still has its built-in default although that is not an allowed value. Values that a
    /// layer set need no check here: [`EnforcedKeys::apply_setting`] has checked them.
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
    let by = allowed.first().map(|setting| setting.origin.location().to_string());
    // Only an issuer that the administrator's file names by another key has no allowed value.
    let by = by.unwrap_or_else(|| "another key names the issuer".to_owned());
    let is_unset = values.is_empty() && matches!(key.default, KeyDefault::Required);
    let value = if is_unset { "unset".to_owned() } else { values.join(" or ") };
    ConfigFault::Enforced { key: key.name, value, by }
}

/// Whether two values are equal. Spelling does not matter: `"a"` equals `'a'`.
pub(super) fn has_same_value(one: ConfigSetting<'_>, other: ConfigSetting<'_>) -> bool {
    to_toml(one.value) == to_toml(other.value)
}
