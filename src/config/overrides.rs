//! Values that do not come from a file: the environment variable of each key, and flags.
//!
//! This file finds them and checks whether they are allowed; `layers` merges them with the files. A variable can come
//! from an untrusted repository, so a message never repeats the value of a rejected variable.

use toml::de::DeValue;

use super::{
    ConfigFault, ConfigInputs, ConfigKey, ConfigProblem, FlagOverride, ValueLocation,
    finding::ConfigFinding,
    key::{SetBy, VariablePolicy},
    keys::KEYS,
    parsers::reject_text,
    syntax::find_nearest_name,
};
use crate::host::Environment;

/// A value from the environment or a flag.
#[derive(Debug)]
pub(super) struct ValueOverride {
    pub key: &'static ConfigKey,
    text: String,
    pub location: ValueLocation,
}

/// The names of the variables that are set and belong to a key.
pub(super) fn list_key_variables(environment: &Environment) -> Vec<String> {
    let set = KEYS.iter().filter(|key| environment.var_os(key.variable).is_some());
    set.map(|key| key.variable.to_owned()).collect()
}

/// The variable that `exec` sets for its command. It shows that the AWS credentials in the environment come from this
/// program.
pub const INSIDE_OF_EXEC: &str = "BEDROCK_SSO_EXEC";

/// The variable that names the profile, like `--profile`.
pub(super) const PROFILE_VARIABLE: &str = "BEDROCK_SSO_PROFILE";

/// The variable that names the user's file, like `--config`.
pub(super) const CONFIG_VARIABLE: &str = "BEDROCK_SSO_CONFIG";

/// The variables of this program that do not belong to a key.
const NON_KEY_VARIABLES: [&str; 5] =
    [PROFILE_VARIABLE, CONFIG_VARIABLE, "BEDROCK_SSO_LOG", "BEDROCK_SSO_LOG_FILE", INSIDE_OF_EXEC];

/// A warning for each variable with our prefix that this program does not read, usually a misspelled one.
pub(super) fn warn_unknown_variables(environment: &Environment) -> Vec<ConfigFinding> {
    let known: Vec<&str> = KEYS.iter().map(|key| key.variable).chain(NON_KEY_VARIABLES).collect();
    let own = |name: &str| name.trim_start_matches(VARIABLE_PREFIX).to_ascii_lowercase();
    let keys: Vec<String> = known.iter().map(|name| own(name)).collect();
    let mut names = environment.var_names();
    names.retain(|name| {
        name.starts_with(VARIABLE_PREFIX) && !known.contains(&name.as_str()) && environment.var_os(name).is_some()
    });
    let warning = |name: String| {
        let nearest = find_nearest_name(&own(&name), keys.iter().map(String::as_str));
        let nearest = nearest.map(|key| format!("{VARIABLE_PREFIX}{}", key.to_ascii_uppercase()));
        ConfigFinding::UnknownVariable { name, nearest }
    };
    names.into_iter().map(warning).collect()
}

/// The prefix of all variables of this program.
const VARIABLE_PREFIX: &str = "BEDROCK_SSO_";

/// Collects the values of all variables and flags, flags last, so that they win. A variable that is not Unicode text
/// is a problem, and so is one whose key no variable may set.
pub(super) fn collect_overrides(inputs: &ConfigInputs<'_>) -> Result<Vec<ValueOverride>, Vec<ConfigProblem>> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    if !inputs.with_user_layers {
        return Ok(found);
    }
    for key in KEYS {
        let Some(value) = inputs.environment.var_os(key.variable) else { continue };
        let location = ValueLocation::Variable(key.variable.to_owned());
        let fault = match (value.into_string(), key.set_by) {
            (Ok(_), SetBy::Administrator) => ConfigFault::AdministratorOnly { key: key.name },
            (Ok(_), SetBy::File) => ConfigFault::FileOnly { key: key.name },
            (Ok(text), SetBy::Variable(_)) => {
                found.push(ValueOverride { key, text, location });
                continue;
            }
            (Err(_), _) => ConfigFault::NotUnicode { key: key.name.to_owned() },
        };
        problems.push(fault.at(location));
    }
    found.extend(inputs.flags.iter().map(|FlagOverride { key, value, name }| ValueOverride {
        key,
        text: (*value).to_owned(),
        location: ValueLocation::Flag(name),
    }));
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

impl ValueOverride {
    /// Whether a variable gave it, and not a flag.
    pub(super) fn is_variable(&self) -> bool {
        matches!(self.location, ValueLocation::Variable(_))
    }

    /// Whether the value counts only if no file defines the profile, or if a file trusts the environment.
    pub(super) fn needs_trust(&self) -> bool {
        self.is_variable() && self.key.set_by != SetBy::Variable(VariablePolicy::Always)
    }

    /// Rejects a variable that `deciding_file` rules out. The value is neither parsed nor repeated, because an
    /// attacker may have chosen it.
    pub(super) fn check_allowed(&self, deciding_file: Option<&str>) -> Result<(), ConfigFault> {
        match deciding_file.filter(|_| self.needs_trust()) {
            None => Ok(()),
            Some(file) => Err(ConfigFault::VariableNotAllowed {
                variable: self.location.to_string(),
                key: self.key.name,
                file: file.to_owned(),
            }),
        }
    }

    /// Parses the value and checks it like a value in a file.
    pub(super) fn parse_value(&self) -> Result<DeValue<'_>, ConfigFault> {
        let value = self.key.value_from_text(&self.text);
        let rule = self.key.toml_rule.unwrap_or_default();
        let value = value.map_err(|_| reject_text(self.key.name, &self.text, rule))?;
        self.key.check_value(&value).map(|()| value)
    }
}
