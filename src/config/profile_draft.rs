//! A profile before it is written: the text that facts make, and what would hold with it in a file.
//!
//! It writes nothing; where the text goes is for `setup`.

use std::{collections::BTreeMap, path::Path};

use toml::de::DeValue;

use super::{
    ConfigInputs, Error, Profile, build_profile,
    config_file::{FileSetting, is_profile_name},
    error::{ConfigFault, ConfigProblem, ValueLocation},
    keys::{self, ConfigKey, KEYS, SECTIONS},
    layers::{LayerTexts, Layers},
    parsers,
    setting::ConfigSettings,
    source_file::{FileOwner, SourceFile},
    toml_value::to_toml,
};

/// What `setup` writes into Claude Code's settings, besides the profile's own facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaudeCodeConfig {
    /// Empty: the profile's.
    pub region: String,
    /// By rank.
    pub models: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
}

impl ClaudeCodeConfig {
    pub fn region<'r>(&'r self, profile: &'r Profile) -> &'r str {
        if self.region.is_empty() { &profile.region } else { &self.region }
    }

    /// Where it sends telemetry.
    pub fn collectors(&self) -> impl Iterator<Item = &str> {
        self.env.iter().filter(|(name, _)| is_collector_variable(name)).map(|(_, address)| address.as_str())
    }
}

/// Whether a variable of OpenTelemetry's holds the address of a collector.
pub(super) fn is_collector_variable(variable: &str) -> bool {
    variable.starts_with("OTEL_EXPORTER_OTLP_") && variable.ends_with("ENDPOINT")
}

/// A key by its full name, and its value: text as it is for keys that hold one, TOML's syntax for the others.
pub type KeyValue = (String, String);

/// Whether a flag's value can name a profile in a file.
pub fn check_profile_name(flag: &'static str, name: &str) -> Result<(), Error> {
    if is_profile_name(name) {
        return Ok(());
    }
    let value = Some(to_toml(&DeValue::String(name.into())));
    let rule = "letters, digits, and - _ . between them".into();
    let fault = ConfigFault::IllegalValue { key: flag.to_owned(), value, rule, nearest: None };
    Err(Error::Invalid(vec![ConfigProblem { location: ValueLocation::Flag(flag), fault }]))
}

/// A value that is not text, as it is written into a file. It is parsed first: its text alone could be more than a value.
fn normalize_toml(key: &ConfigKey, text: &str) -> Result<String, Error> {
    let value = DeValue::parse(text).map_err(|refused| {
        reject_set_flag(ConfigFault::Syntax {
            what: format!("{} in the value of {}", refused.message(), key.name),
        })
    })?;
    Ok(to_toml(value.get_ref()))
}

/// The profile as a table that can stand at the end of any file.
pub fn render_profile_table(name: &str, facts: &[KeyValue]) -> Result<String, Error> {
    check_profile_name("--profile", name)?;
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for (key, value) in facts {
        let key = require_known_key(key)?;
        let value = if key.is_plain_text() {
            to_toml(&DeValue::String(value.into()))
        } else {
            normalize_toml(key, value)?
        };
        let line = format!("{} = {value}\n", key.own_name());
        sections.entry(key.section()).or_default().push_str(&line);
    }
    let mut text =
        format!("[profiles.{}]\n{}", quote_profile_name(name), sections.remove("").unwrap_or_default());
    for (section, lines) in sections {
        text.push_str(&format!("\n[profiles.{}.{section}]\n{lines}", quote_profile_name(name)));
    }
    Ok(text)
}

/// What a profile of another configuration file says, as facts: the one that is named, or the only one. What the file
/// enforces is no profile's, and cannot come along.
pub fn read_key_values(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
) -> Result<(String, Vec<KeyValue>), Error> {
    let rank = if inputs.with_user_layers { FileOwner::User } else { FileOwner::Administrator };
    let source = SourceFile::from_text(file, rank, text, inputs.environment);
    let texts = LayerTexts::from_file(source);
    let parsed = texts.parse()?;
    let layers = parsed.interpret()?;
    if let Some(enforcing) = layers.files.iter().find(|file| !file.enforced_keys.is_empty()) {
        let place = enforcing.source.location_at(enforcing.enforce_offset);
        return Err(Error::Invalid(vec![ConfigProblem {
            location: place,
            fault: ConfigFault::AdministratorOnly { key: "enforce" },
        }]));
    }
    let name = layers.choose_profile_name(inputs)?;
    let profile = layers.files.iter().flat_map(|file| &file.profiles).find(|profile| profile.name == name);
    let settings = profile.map(|profile| profile.settings.as_slice()).unwrap_or_default();
    let fact = |setting: &FileSetting<'_>| {
        let key = KEYS.get(setting.key)?;
        let text = setting.value.as_str().filter(|_| key.is_plain_text()).map(str::to_owned);
        Some((key.name.to_owned(), text.unwrap_or_else(|| to_toml(setting.value))))
    };
    Ok((name, settings.iter().filter_map(fact).collect()))
}

/// What would hold were this the text of `file`, the administrator's or the user's.
pub fn preview_file(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
) -> Result<(Profile, ClaudeCodeConfig), Error> {
    resolve_with_claude_code(&LayerTexts::load_with_text(inputs, file, text)?, inputs)
}

/// What would hold on a machine where this text is the administrator's file, and there is no other.
pub fn preview_administrator_file(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
) -> Result<(Profile, ClaudeCodeConfig), Error> {
    let source = SourceFile::from_text(file, FileOwner::Administrator, text, inputs.environment);
    resolve_with_claude_code(&LayerTexts::from_file(source), inputs)
}

/// The profile that holds, with what it says about Claude Code.
pub fn load_with_claude_code(inputs: &ConfigInputs<'_>) -> Result<(Profile, ClaudeCodeConfig), Error> {
    resolve_with_claude_code(&LayerTexts::load_all(inputs)?, inputs)
}

/// The names of the profiles that a text has; none where it is no configuration.
pub fn list_profile_names(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Vec<String> {
    let Ok(texts) = LayerTexts::load_with_text(inputs, file, text) else { return Vec::new() };
    let Ok(parsed) = texts.parse() else { return Vec::new() };
    parsed
        .interpret()
        .map(|layers| layers.profile_names().into_iter().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Whether the profile of this name says in `text` what the facts say, and perhaps more.
pub fn file_matches_values(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
    name: &str,
    facts: &[KeyValue],
) -> Result<bool, Error> {
    let drafted = format!("version = {}\n{}", keys::VERSION, render_profile_table(name, facts)?);
    let [texts, drafted] = [text, &drafted].map(|text| LayerTexts::load_with_text(inputs, file, text));
    let (texts, drafted) = (texts?, drafted?);
    let (texts, drafted) = (texts.parse()?, drafted.parse()?);
    let (texts, drafted) = (texts.interpret()?, drafted.interpret()?);
    let holds = texts.merge_for_profile(name).map_err(Error::Invalid)?;
    let wanted = drafted.merge_for_profile(name).map_err(Error::Invalid)?;
    let mut given = facts.iter().filter_map(|(key, _)| keys::find_key(key));
    let value = |settings: &ConfigSettings<'_>, index: usize| {
        settings.get(index).copied().flatten().map(|setting| to_toml(setting.value))
    };
    Ok(given.all(|index| value(&holds, index) == value(&wanted, index)))
}

fn resolve_with_claude_code(
    texts: &LayerTexts,
    inputs: &ConfigInputs<'_>,
) -> Result<(Profile, ClaudeCodeConfig), Error> {
    let parsed = texts.parse()?;
    let layers = parsed.interpret()?;
    let name = layers.choose_profile_name(inputs)?;
    let profile = build_profile(&layers, &name, inputs).map_err(Error::Invalid)?;
    Ok((profile, read_claude_code(&layers, &name).map_err(Error::Invalid)?))
}

fn read_claude_code(layers: &Layers<'_>, name: &str) -> Result<ClaudeCodeConfig, Vec<ConfigProblem>> {
    let settings = layers.merge_for_profile(name)?;
    Ok(ClaudeCodeConfig {
        region: read_validated(&settings, "claude_code.region", parsers::parse_text),
        models: read_validated(&settings, "claude_code.models", parsers::parse_string_table),
        env: read_validated(&settings, "claude_code.env", parsers::parse_string_table),
    })
}

/// A value that the survey has judged already.
fn read_validated<T: Default>(
    settings: &ConfigSettings<'_>,
    name: &str,
    read: impl Fn(&ConfigKey, &DeValue<'_>) -> Result<T, ConfigFault>,
) -> T {
    let index = keys::find_key(name);
    let found = index.and_then(|index| Some((KEYS.get(index)?, (*settings.get(index)?)?)));
    found.and_then(|(key, setting)| read(key, setting.value).ok()).unwrap_or_default()
}

fn require_known_key(name: &str) -> Result<&'static ConfigKey, Error> {
    let found = keys::find_key(name).and_then(|index| KEYS.get(index));
    found.ok_or_else(|| {
        let nearest = keys::find_nearest_name(name, KEYS.iter().map(|key| key.name)).map(str::to_owned);
        let table = name.split_once('.').map_or("", |(table, _)| table);
        let table = SECTIONS.iter().find(|(known, _)| *known == table).map_or("", |(known, _)| known);
        reject_set_flag(ConfigFault::UnknownKey { key: name.to_owned(), table: table.to_owned(), nearest })
    })
}

fn reject_set_flag(fault: ConfigFault) -> Error {
    Error::Invalid(vec![ConfigProblem { location: ValueLocation::Flag("--set"), fault }])
}

/// A dot inside a name would begin another table.
fn quote_profile_name(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::check_file,
        files,
        host::{Environment, HostPaths},
    };

    fn facts(facts: &[(&str, &str)]) -> Vec<KeyValue> {
        facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn complete() -> Vec<KeyValue> {
        facts(&[
            ("issuer", "https://acme.okta.com"),
            ("client_id", "say \"hi\""),
            ("role_arn", "arn:aws:iam::123456789012:role/BedrockUser"),
            ("region", "us-east-1"),
            ("redirect_ports", "[8400, 8401]"),
            ("claude_code.models", "{ opus = \"o\" }"),
            ("telemetry.send_token", "true"),
            ("telemetry.collectors", "[\"https://otel.example\"]"),
            ("claude_code.env", "{ OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example\" }"),
        ])
    }

    #[test]
    fn facts_make_a_profile_that_the_checker_accepts() {
        let folder = tempfile::tempdir().unwrap();
        let (file, environment) = (folder.path().join("config.toml"), Environment::fixed([]));
        let text = format!("version = 1\n\n{}", render_profile_table("a.b", &complete()).unwrap());
        files::write_atomically(&file, text.as_bytes()).unwrap();
        let at = |name| folder.path().join(name);
        let paths = HostPaths {
            user_config: at("user"),
            system_config: at("system"),
            data: at("data"),
            home_data: at("data"),
        };
        let inputs = ConfigInputs {
            environment: &environment,
            paths: &paths,
            file: None,
            profile: None,
            flags: &[],
            with_user_layers: true,
        };
        check_file(&file, &inputs).unwrap();
        let (profile, claude) = preview_file(&inputs, &paths.user_config, &text).unwrap();
        assert_eq!((profile.name.as_str(), profile.client_id.as_str()), ("a.b", "say \"hi\""));
        assert_eq!(claude.models.get("opus").map(String::as_str), Some("o"));
        assert_eq!(list_profile_names(&inputs, &paths.user_config, &text), ["a.b"]);
    }

    #[test]
    fn a_misspelt_key_and_an_odd_name_are_refused() {
        let refused = render_profile_table("a", &facts(&[("isuer", "x")])).unwrap_err().to_string();
        assert!(refused.contains("isuer") && refused.contains("issuer"), "{refused}");
        assert!(render_profile_table("a b", &[]).unwrap_err().to_string().contains("letters"));
    }
}
