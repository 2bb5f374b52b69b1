//! Values from outside the files: a variable for each key, and flags.
//!
//! It finds and reads them; what they lie over is for `layers`.

use toml::de::DeValue;

use super::{
    ConfigInputs, FlagOverride,
    error::{ConfigFault, ConfigProblem, ValueLocation},
    keys::{self, ConfigKey, KEYS, ValueKind, VariablePolicy},
    parsers,
};
use crate::{host::Environment, text::sanitize_line};

/// A value from the environment or a flag.
#[derive(Debug)]
pub(super) struct ValueOverride {
    /// Its place in the table of keys.
    pub key: usize,
    text: String,
    pub location: ValueLocation,
}

/// The variables that set a key of the profile, as they are named.
pub(super) fn list_key_variables(environment: &Environment) -> Vec<String> {
    let names = KEYS.iter().map(ConfigKey::variable_name);
    names.filter(|name| environment.var_os(name).is_some()).collect()
}

/// Set by `exec` for its command, as are the credentials that then lie in the environment.
pub const INSIDE_OF_EXEC: &str = "BEDROCK_SSO_EXEC";

/// Names the user's file.
pub(super) const CONFIG_VARIABLE: &str = "BEDROCK_SSO_CONFIG";

/// Variables of the program that set no key of a profile.
const NON_KEY_VARIABLES: [&str; 5] =
    ["BEDROCK_SSO_PROFILE", CONFIG_VARIABLE, "BEDROCK_SSO_LOG", "BEDROCK_SSO_LOG_FILE", INSIDE_OF_EXEC];

/// A warning for each variable that looks like one of ours and is read by nobody.
pub(super) fn warn_unknown_variables(environment: &Environment) -> Vec<String> {
    let mut known: Vec<String> = KEYS.iter().map(ConfigKey::variable_name).collect();
    known.extend(NON_KEY_VARIABLES.map(str::to_owned));
    let own = |name: &str| name.trim_start_matches(VARIABLE_PREFIX).to_ascii_lowercase();
    let keys: Vec<String> = known.iter().map(|name| own(name)).collect();
    let mut names = environment.var_names();
    names.retain(|name| {
        name.starts_with(VARIABLE_PREFIX) && !known.contains(name) && environment.var_os(name).is_some()
    });
    let warning = |name: String| {
        let nearest = keys::find_nearest_name(&own(&name), keys.iter().map(String::as_str));
        let meant =
            nearest.map(|key| format!("; did you mean {VARIABLE_PREFIX}{}?", key.to_ascii_uppercase()));
        format!(
            "warning: {}: no variable of this name is read{}",
            sanitize_line(&name),
            meant.unwrap_or_default()
        )
    };
    names.into_iter().map(warning).collect()
}

/// What the names of all our variables begin with.
const VARIABLE_PREFIX: &str = "BEDROCK_SSO_";

/// All that are set, a flag after a variable. What is no key or no text is a problem.
pub(super) fn collect_overrides(inputs: &ConfigInputs<'_>) -> Result<Vec<ValueOverride>, Vec<ConfigProblem>> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    if !inputs.with_user_layers {
        return Ok(found);
    }
    for (index, key) in (0..).zip(&KEYS) {
        let name = key.variable_name();
        let Some(value) = inputs.environment.var_os(&name) else { continue };
        let place = ValueLocation::Variable(name);
        match value.into_string() {
            Ok(_) if key.variable == VariablePolicy::Never => {
                problems.push(ConfigProblem { location: place, fault: reject_variable(key) });
            }
            Ok(text) => found.push(ValueOverride { key: index, text, location: place }),
            Err(_) => {
                problems.push(ConfigProblem {
                    location: place,
                    fault: ConfigFault::NotUnicode { key: key.name.to_owned() },
                });
            }
        }
    }
    for FlagOverride { key, value, name } in inputs.flags {
        let place = ValueLocation::Flag(name);
        match keys::find_key(key) {
            Some(key) => found.push(ValueOverride { key, text: (*value).to_owned(), location: place }),
            None => {
                let (key, table) = ((*key).to_owned(), String::new());
                problems.push(ConfigProblem {
                    location: place,
                    fault: ConfigFault::UnknownKey { key, table, nearest: None },
                });
            }
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn reject_variable(key: &ConfigKey) -> ConfigFault {
    match key.is_administrator_only() {
        true => ConfigFault::AdministratorOnly { key: key.name },
        false => ConfigFault::FileOnly { key: key.name },
    }
}

impl ValueOverride {
    /// Whether it counts only where no file defines the profile, or where one trusts the environment.
    pub(super) fn needs_trust(&self) -> bool {
        let is_variable = matches!(self.location, ValueLocation::Variable(_));
        is_variable && KEYS.get(self.key).is_some_and(|key| key.variable != VariablePolicy::Always)
    }

    /// Refuses it where a file decides. Its value is neither parsed nor repeated: an attacker may have planted it.
    pub(super) fn check_allowed(&self, decided_by: Option<&str>) -> Result<(), ConfigFault> {
        match (decided_by, KEYS.get(self.key), &self.location) {
            (Some(file), Some(key), ValueLocation::Variable(variable)) if self.needs_trust() => {
                let (variable, file) = (variable.clone(), file.to_owned());
                Err(ConfigFault::VariableNotAllowed { variable, key: key.name, file })
            }
            _ => Ok(()),
        }
    }

    /// The value, judged like one in a file.
    pub(super) fn parse_value(&self) -> Result<DeValue<'_>, ConfigFault> {
        let Some(key) = KEYS.get(self.key) else { return Ok(DeValue::Boolean(false)) };
        let value = if key.is_plain_text() {
            DeValue::String(self.text.as_str().into())
        } else {
            DeValue::parse(&self.text).map_err(|_| self.reject_toml_syntax(key))?.into_inner()
        };
        parsers::check_value(key, &value).map(|()| value)
    }

    fn reject_toml_syntax(&self, key: &ConfigKey) -> ConfigFault {
        let rule = match key.kind {
            ValueKind::Bool => "must be true or false",
            ValueKind::Ports => "must be a list such as [8400, 8401]",
            ValueKind::RequestParams
            | ValueKind::ClaimTable
            | ValueKind::Table
            | ValueKind::NamedStrings(_) => "must be a table such as { name = \"value\" }",
            _ => "must be a list such as [\"one\", \"two\"]",
        };
        parsers::reject_value(key, &DeValue::String(self.text.as_str().into()), rule)
    }
}
