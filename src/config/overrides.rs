//! Values from outside the files: a variable for each key, and flags.
//!
//! It finds and reads them; what they lie over is for `layers`.

use toml::de::DeValue;

use super::{
    Flag, Inputs,
    error::{Fault, Place, Problem},
    key::{self, KEYS, Key, Kind, Variable},
    read,
};
use crate::{host::Environment, text::line};

/// A value from the environment or a flag.
#[derive(Debug)]
pub(super) struct Override {
    /// Its place in the table of keys.
    pub key: usize,
    text: String,
    pub place: Place,
}

/// The variables that set a key of the profile, as they are named.
pub(super) fn variables(environment: &Environment) -> Vec<String> {
    let names = KEYS.iter().map(Key::variable_name);
    names.filter(|name| environment.os(name).is_some()).collect()
}

/// Set by `exec` for its command, as are the credentials that then lie in the environment.
pub const INSIDE_OF_EXEC: &str = "BEDROCK_SSO_EXEC";

/// Names the user's file.
pub(super) const CONFIG: &str = "BEDROCK_SSO_CONFIG";

/// Variables of the program that set no key of a profile.
const OTHERS: [&str; 5] =
    ["BEDROCK_SSO_PROFILE", CONFIG, "BEDROCK_SSO_LOG", "BEDROCK_SSO_LOG_FILE", INSIDE_OF_EXEC];

/// A warning for each variable that looks like one of ours and is read by nobody.
pub(super) fn strangers(environment: &Environment) -> Vec<String> {
    let mut known: Vec<String> = KEYS.iter().map(Key::variable_name).collect();
    known.extend(OTHERS.map(str::to_owned));
    let own = |name: &str| name.trim_start_matches(BEGINNING).to_ascii_lowercase();
    let keys: Vec<String> = known.iter().map(|name| own(name)).collect();
    let mut names = environment.names();
    names.retain(|name| {
        name.starts_with(BEGINNING) && !known.contains(name) && environment.os(name).is_some()
    });
    let warning = |name: String| {
        let nearest = key::nearest(&own(&name), keys.iter().map(String::as_str));
        let meant = nearest.map(|key| format!("; did you mean {BEGINNING}{}?", key.to_ascii_uppercase()));
        format!("warning: {}: no variable of this name is read{}", line(&name), meant.unwrap_or_default())
    };
    names.into_iter().map(warning).collect()
}

/// What the names of all our variables begin with.
const BEGINNING: &str = "BEDROCK_SSO_";

/// All that are set, a flag after a variable. What is no key or no text is a problem.
pub(super) fn overrides(inputs: &Inputs<'_>) -> Result<Vec<Override>, Vec<Problem>> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    if !inputs.personal {
        return Ok(found);
    }
    for (index, key) in (0..).zip(&KEYS) {
        let name = key.variable_name();
        let Some(value) = inputs.environment.os(&name) else { continue };
        let place = Place::Variable(name);
        match value.into_string() {
            Ok(_) if key.variable == Variable::Never => {
                problems.push(Problem { place, fault: only_in_a_file(key) });
            }
            Ok(text) => found.push(Override { key: index, text, place }),
            Err(_) => {
                problems.push(Problem { place, fault: Fault::NotUnicode { key: key.name.to_owned() } });
            }
        }
    }
    for Flag { key, value, name } in inputs.flags {
        let place = Place::Flag(name);
        match key::find_full(key) {
            Some(key) => found.push(Override { key, text: (*value).to_owned(), place }),
            None => {
                let (key, table) = ((*key).to_owned(), String::new());
                problems.push(Problem { place, fault: Fault::UnknownKey { key, table, nearest: None } });
            }
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn only_in_a_file(key: &Key) -> Fault {
    match key.is_administrators() {
        true => Fault::ByUser { key: key.name },
        false => Fault::ByVariable { key: key.name },
    }
}

impl Override {
    /// Whether it counts only where no file defines the profile, or where one trusts the environment.
    pub(super) fn needs_trust(&self) -> bool {
        let is_variable = matches!(self.place, Place::Variable(_));
        is_variable && KEYS.get(self.key).is_some_and(|key| key.variable != Variable::Always)
    }

    /// Refuses it where a file decides. Its value is neither parsed nor repeated: an attacker may have planted it.
    pub(super) fn admitted(&self, decided_by: Option<&str>) -> Result<(), Fault> {
        match (decided_by, KEYS.get(self.key), &self.place) {
            (Some(file), Some(key), Place::Variable(variable)) if self.needs_trust() => {
                let (variable, file) = (variable.clone(), file.to_owned());
                Err(Fault::VariableRefused { variable, key: key.name, file })
            }
            _ => Ok(()),
        }
    }

    /// The value, judged like one in a file.
    pub(super) fn parse(&self) -> Result<DeValue<'_>, Fault> {
        let Some(key) = KEYS.get(self.key) else { return Ok(DeValue::Boolean(false)) };
        let value = if key.is_text() {
            DeValue::String(self.text.as_str().into())
        } else {
            DeValue::parse(&self.text).map_err(|_| self.not_written_as_in_a_file(key))?.into_inner()
        };
        read::check(key, &value).map(|()| value)
    }

    fn not_written_as_in_a_file(&self, key: &Key) -> Fault {
        let rule = match key.kind {
            Kind::Switch => "must be true or false",
            Kind::Ports => "must be a list such as [8400, 8401]",
            Kind::Params | Kind::ClaimTable | Kind::Table | Kind::Named(_) => {
                "must be a table such as { name = \"value\" }"
            }
            _ => "must be a list such as [\"one\", \"two\"]",
        };
        read::illegal(key, &DeValue::String(self.text.as_str().into()), rule)
    }
}
