//! `config show`: the profile that holds, key by key, and where each value came from.
//!
//! As lines for people and as JSON for programs; nothing is decided here.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Inputs, Profile, Seen, issuer, key::KEYS, layers::Layers, setting::Settings, value};
use crate::text;

/// A resolved profile with its origins.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub profile: String,
    /// The files that took part, the administrator's first.
    pub files: Vec<String>,
    pub entries: Vec<Entry>,
    /// The environment variables that are set, and what becomes of them.
    pub variables: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: &'static str,
    pub value: Value,
    /// The value in TOML's syntax.
    pub written: String,
    /// `default`, `FILE:LINE`, the variable or the flag.
    pub origin: String,
    /// What a value such as "auto" came to, or what shortens it.
    pub resolved: Option<String>,
}

impl Shown {
    pub(super) fn new(
        profile: &Profile,
        settings: &Settings<'_>,
        layers: &Layers<'_>,
        inputs: &Inputs<'_>,
    ) -> Self {
        let entry = |(key, setting): (&'static super::key::Key, &Option<super::setting::Setting<'_>>)| {
            let Some(setting) = *setting else {
                return (key.name == "issuer").then(|| told(profile, settings));
            };
            let written = value::written(setting.value);
            Some(Entry {
                key: key.name,
                value: value::json(setting.value),
                origin: setting.origin.place().to_string(),
                resolved: came_to(key.name, profile).filter(|came_to| *came_to != written.trim_matches('"')),
                written,
            })
        };
        Self {
            profile: profile.name.clone(),
            files: layers.files.iter().map(|file| file.source.path.display().to_string()).collect(),
            variables: profile.variables(inputs.environment, inputs.paths),
            entries: KEYS.iter().zip(settings).filter_map(entry).collect(),
        }
    }

    /// A line a key, in the order of the table: `key = value  # origin`.
    pub fn text(&self) -> String {
        let width = |of: fn(&Entry) -> usize| self.entries.iter().map(of).filter(|w| *w <= 40).max();
        let keys = width(|entry| entry.key.len()).unwrap_or(0);
        let values = width(|entry| entry.written.len()).unwrap_or(0);
        let mut text = format!("[profiles.{}]\n", self.profile);
        for Entry { key, written, origin, resolved, .. } in &self.entries {
            let resolved = resolved.as_ref().map(|word| format!(": {word}")).unwrap_or_default();
            let value = text::line(written);
            writeln!(text, "{key:keys$} = {value:values$}  # {origin}{resolved}")
                .expect("a String takes any text");
        }
        for Seen { name, not_used } in &self.variables {
            let said = match not_used {
                None => format!("# {name} has an effect\n"),
                Some(why) => format!("# {name} is not used, because {why}\n"),
            };
            text.push_str(&said);
        }
        text
    }

    pub fn json(&self) -> String {
        let keys: Map<String, Value> =
            self.entries.iter().map(|entry| (entry.key.to_owned(), entry.json())).collect();
        let shown = json!({ "version": 1, "profile": self.profile, "files": self.files, "keys": keys,
            "variables": self.variables });
        text::escape_json(format!("{shown:#}\n"))
    }
}

/// The issuer that another key stands for.
fn told(profile: &Profile, settings: &Settings<'_>) -> Entry {
    let issuer = profile.issuer.as_str();
    let by = issuer::told(settings).ok().flatten();
    Entry {
        key: "issuer",
        value: issuer.into(),
        written: format!("\"{issuer}\""),
        origin: by.as_ref().map_or_else(String::new, |by| by.place().to_string()),
        resolved: by.map(|by| by.key.to_owned()),
    }
}

/// What a value came to that leaves something open, in TOML's syntax but for quotation marks.
fn came_to(key: &str, profile: &Profile) -> Option<String> {
    match key {
        "provider" => Some(profile.provider.word().to_owned()),
        "client_auth" => Some(profile.client_auth.word().to_owned()),
        "redirect_host" => Some(profile.redirect.host.word().to_owned()),
        "session_duration" => profile.hour_limit().map(str::to_owned),
        "sts_fallback_regions" => Some(format!("{:?}", profile.sts_fallback_regions)),
        "redirect_ports" => Some(format!("{:?}", profile.redirect.ports)),
        _ => None,
    }
}

impl Entry {
    fn json(&self) -> Value {
        let mut json = json!({ "value": self.value, "origin": self.origin });
        if let (Some(resolved), Value::Object(fields)) = (&self.resolved, &mut json) {
            fields.insert("resolved".to_owned(), Value::from(resolved.as_str()));
        }
        json
    }
}
