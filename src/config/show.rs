//! Renders a profile key by key with the origin of each value (`config show`), as text and as JSON.
//!
//! The JSON is part of the program's contract: fields may be added, but their meaning must not change.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    ConfigInputs, ConfigKey, Profile, VariableStatus, issuer,
    keys::{self, KEYS},
    layers::Layers,
    setting::ConfigSettings,
    toml_value::{quote_text, to_json, to_toml},
};
use crate::{config::OidcSettings, text};

/// A profile with the origin of each value.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileReport {
    pub profile: String,
    /// The paths of all files that were read, the administrator's first.
    pub files: Vec<String>,
    /// One entry for each key that has a value, in the order of `KEYS`.
    pub entries: Vec<KeyReport>,
    /// The environment variables that are set, and whether they are used.
    pub variables: Vec<VariableStatus>,
}

/// The value of a key, and its origin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyReport {
    #[serde(skip)]
    pub key: &'static ConfigKey,
    pub value: Value,
    /// The value in TOML's syntax.
    #[serde(skip)]
    pub toml: String,
    /// `default`, `FILE:LINE`, the variable or the flag.
    pub origin: String,
    /// What a value such as "auto" means in this profile, or the reason why it is reduced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
}

impl ProfileReport {
    pub(super) fn new(
        profile: &Profile,
        settings: &ConfigSettings<'_>,
        layers: &Layers<'_>,
        inputs: &ConfigInputs<'_>,
    ) -> Self {
        let entry = |key: &'static ConfigKey| {
            let Some(setting) = settings.get(key) else {
                let oidc = profile.oidc().filter(|_| *key == *keys::ISSUER);
                return oidc.map(|oidc| report_derived_issuer(oidc, settings));
            };
            let toml = to_toml(setting.value);
            let effective = key.effective.and_then(|find_effective| find_effective(profile));
            Some(KeyReport {
                key,
                value: to_json(setting.value),
                origin: setting.origin.location().to_string(),
                resolved: effective.filter(|effective| *effective != toml.trim_matches('"')),
                toml,
            })
        };
        Self {
            profile: profile.name.clone(),
            files: layers.files.iter().map(|file| file.source.path.display().to_string()).collect(),
            variables: profile.list_variables(inputs.environment, inputs.paths),
            entries: KEYS.into_iter().filter_map(entry).collect(),
        }
    }

    /// One line for each key: `key = value  # origin`, in columns. Very long values do not widen the columns.
    pub fn to_text(&self) -> String {
        let width = |of: fn(&KeyReport) -> usize| self.entries.iter().map(of).filter(|w| *w <= 40).max();
        let keys = width(|entry| entry.key.name.len()).unwrap_or(0);
        let values = width(|entry| entry.toml.len()).unwrap_or(0);
        let mut text = format!("[profiles.{}]\n", self.profile);
        for KeyReport { key, toml: written, origin, resolved, .. } in &self.entries {
            let resolved = resolved.as_ref().map(|word| format!(": {word}")).unwrap_or_default();
            let (key, value) = (key.name, text::sanitize_line(written));
            writeln!(text, "{key:keys$} = {value:values$}  # {origin}{resolved}").expect("a String takes any text");
        }
        for VariableStatus { name, not_used } in &self.variables {
            let said = match not_used {
                None => format!("# {name} is used\n"),
                Some(why) => format!("# {name} is not used, because {why}\n"),
            };
            text.push_str(&said);
        }
        text
    }

    /// The JSON document of `config show --json`.
    pub fn to_json(&self) -> String {
        let keys: Map<String, Value> =
            self.entries.iter().map(|entry| (entry.key.name.to_owned(), json!(entry))).collect();
        let shown = json!({ "version": 1, "profile": self.profile, "files": self.files, "keys": keys,
            "variables": self.variables });
        text::escape_json(format!("{shown:#}\n"))
    }
}

/// The entry for an issuer that another key names, such as `okta_domain`.
fn report_derived_issuer(oidc: &OidcSettings, settings: &ConfigSettings<'_>) -> KeyReport {
    let issuer = oidc.issuer.as_str();
    let by = issuer::resolve_issuer(settings).ok().flatten();
    KeyReport {
        key: &keys::ISSUER,
        value: issuer.into(),
        toml: quote_text(issuer),
        origin: by.as_ref().map_or_else(String::new, |by| by.setting.origin.location().to_string()),
        resolved: by.map(|by| by.key.name.to_owned()),
    }
}
