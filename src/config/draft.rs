//! A profile before it is written: the text that facts make, and what would hold with it in a file.
//!
//! It writes nothing; where the text goes is for `setup`.

use std::{collections::BTreeMap, path::Path};

use toml::de::DeValue;

use super::{
    Error, Inputs, Profile, build,
    error::{Fault, Place, Problem},
    key::{self, KEYS, Key, SECTIONS},
    layers::{Layers, Texts},
    raw::{RawSetting, is_profile_name},
    read,
    setting::Settings,
    source::{Rank, Source},
    value::written,
};

/// What `setup` writes into Claude Code's settings, besides the profile's own facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaudeCode {
    /// Empty: the profile's.
    pub region: String,
    /// By rank.
    pub models: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
}

impl ClaudeCode {
    pub fn region<'r>(&'r self, profile: &'r Profile) -> &'r str {
        if self.region.is_empty() { &profile.region } else { &self.region }
    }

    /// Where it sends telemetry.
    pub fn collectors(&self) -> impl Iterator<Item = &str> {
        self.env.iter().filter(|(name, _)| names_collector(name)).map(|(_, address)| address.as_str())
    }
}

/// Whether a variable of OpenTelemetry's holds the address of a collector.
pub(super) fn names_collector(variable: &str) -> bool {
    variable.starts_with("OTEL_EXPORTER_OTLP_") && variable.ends_with("ENDPOINT")
}

/// A key by its full name, and its value: text as it is for keys that hold one, TOML's syntax for the others.
pub type Fact = (String, String);

/// Whether a flag's value can name a profile in a file.
pub fn check_name(flag: &'static str, name: &str) -> Result<(), Error> {
    if is_profile_name(name) {
        return Ok(());
    }
    let value = Some(written(&DeValue::String(name.into())));
    let rule = "letters, digits, and - _ . between them".into();
    let fault = Fault::Illegal { key: flag.to_owned(), value, rule, nearest: None };
    Err(Error::Invalid(vec![Problem { place: Place::Flag(flag), fault }]))
}

/// A value that is not text, as it is written into a file. It is parsed first: its text alone could be more than a value.
fn parsed(key: &Key, text: &str) -> Result<String, Error> {
    let value = DeValue::parse(text).map_err(|refused| {
        invalid(Fault::Syntax { what: format!("{} in the value of {}", refused.message(), key.name) })
    })?;
    Ok(written(value.get_ref()))
}

/// The profile as a table that can stand at the end of any file.
pub fn draft(name: &str, facts: &[Fact]) -> Result<String, Error> {
    check_name("--profile", name)?;
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for (key, value) in facts {
        let key = known(key)?;
        let value = if key.is_text() { written(&DeValue::String(value.into())) } else { parsed(key, value)? };
        let line = format!("{} = {value}\n", key.own_name());
        sections.entry(key.section()).or_default().push_str(&line);
    }
    let mut text = format!("[profiles.{}]\n{}", quoted(name), sections.remove("").unwrap_or_default());
    for (section, lines) in sections {
        text.push_str(&format!("\n[profiles.{}.{section}]\n{lines}", quoted(name)));
    }
    Ok(text)
}

/// What a profile of another configuration file says, as facts: the one that is named, or the only one. What the file
/// enforces is no profile's, and cannot come along.
pub fn facts_of(inputs: &Inputs<'_>, file: &Path, text: &str) -> Result<(String, Vec<Fact>), Error> {
    let rank = if inputs.personal { Rank::User } else { Rank::Administrator };
    let source = Source::of_text(file, rank, text, inputs.environment);
    let texts = Texts::of_file(source);
    let parsed = texts.parse()?;
    let layers = parsed.survey()?;
    if let Some(enforcing) = layers.files.iter().find(|file| !file.enforce.is_empty()) {
        let place = enforcing.source.place(enforcing.enforce_at);
        return Err(Error::Invalid(vec![Problem { place, fault: Fault::ByUser { key: "enforce" } }]));
    }
    let name = layers.choose(inputs)?;
    let profile = layers.files.iter().flat_map(|file| &file.profiles).find(|profile| profile.name == name);
    let settings = profile.map(|profile| profile.settings.as_slice()).unwrap_or_default();
    let fact = |setting: &RawSetting<'_>| {
        let key = KEYS.get(setting.key)?;
        let text = setting.value.as_str().filter(|_| key.is_text()).map(str::to_owned);
        Some((key.name.to_owned(), text.unwrap_or_else(|| written(setting.value))))
    };
    Ok((name, settings.iter().filter_map(fact).collect()))
}

/// What would hold were this the text of `file`, the administrator's or the user's.
pub fn preview(inputs: &Inputs<'_>, file: &Path, text: &str) -> Result<(Profile, ClaudeCode), Error> {
    settled(&Texts::with(inputs, file, text)?, inputs)
}

/// What would hold on a machine where this text is the administrator's file, and there is no other.
pub fn alone(inputs: &Inputs<'_>, file: &Path, text: &str) -> Result<(Profile, ClaudeCode), Error> {
    let source = Source::of_text(file, Rank::Administrator, text, inputs.environment);
    settled(&Texts::of_file(source), inputs)
}

/// The profile that holds, with what it says about Claude Code.
pub fn load_with_claude_code(inputs: &Inputs<'_>) -> Result<(Profile, ClaudeCode), Error> {
    settled(&Texts::read(inputs)?, inputs)
}

/// The names of the profiles that a text has; none where it is no configuration.
pub fn profile_names(inputs: &Inputs<'_>, file: &Path, text: &str) -> Vec<String> {
    let Ok(texts) = Texts::with(inputs, file, text) else { return Vec::new() };
    let Ok(parsed) = texts.parse() else { return Vec::new() };
    parsed.survey().map(|layers| layers.names().into_iter().map(str::to_owned).collect()).unwrap_or_default()
}

/// Whether the profile of this name says in `text` what the facts say, and perhaps more.
pub fn agrees(
    inputs: &Inputs<'_>,
    file: &Path,
    text: &str,
    name: &str,
    facts: &[Fact],
) -> Result<bool, Error> {
    let drafted = format!("version = {}\n{}", key::VERSION, draft(name, facts)?);
    let [texts, drafted] = [text, &drafted].map(|text| Texts::with(inputs, file, text));
    let (texts, drafted) = (texts?, drafted?);
    let (texts, drafted) = (texts.parse()?, drafted.parse()?);
    let (texts, drafted) = (texts.survey()?, drafted.survey()?);
    let holds = texts.settle(name).map_err(Error::Invalid)?;
    let wanted = drafted.settle(name).map_err(Error::Invalid)?;
    let mut given = facts.iter().filter_map(|(key, _)| key::find_full(key));
    let value = |settings: &Settings<'_>, index: usize| {
        settings.get(index).copied().flatten().map(|setting| written(setting.value))
    };
    Ok(given.all(|index| value(&holds, index) == value(&wanted, index)))
}

fn settled(texts: &Texts, inputs: &Inputs<'_>) -> Result<(Profile, ClaudeCode), Error> {
    let parsed = texts.parse()?;
    let layers = parsed.survey()?;
    let name = layers.choose(inputs)?;
    let profile = build(&layers, &name, inputs).map_err(Error::Invalid)?;
    Ok((profile, claude_code(&layers, &name).map_err(Error::Invalid)?))
}

fn claude_code(layers: &Layers<'_>, name: &str) -> Result<ClaudeCode, Vec<Problem>> {
    let settings = layers.settle(name)?;
    Ok(ClaudeCode {
        region: taken(&settings, "claude_code.region", read::text),
        models: taken(&settings, "claude_code.models", read::strings),
        env: taken(&settings, "claude_code.env", read::strings),
    })
}

/// A value that the survey has judged already.
fn taken<T: Default>(
    settings: &Settings<'_>,
    name: &str,
    read: impl Fn(&Key, &DeValue<'_>) -> Result<T, Fault>,
) -> T {
    let index = key::find_full(name);
    let found = index.and_then(|index| Some((KEYS.get(index)?, (*settings.get(index)?)?)));
    found.and_then(|(key, setting)| read(key, setting.value).ok()).unwrap_or_default()
}

fn known(name: &str) -> Result<&'static Key, Error> {
    let found = key::find_full(name).and_then(|index| KEYS.get(index));
    found.ok_or_else(|| {
        let nearest = key::nearest(name, KEYS.iter().map(|key| key.name)).map(str::to_owned);
        let table = name.split_once('.').map_or("", |(table, _)| table);
        let table = SECTIONS.iter().find(|(known, _)| *known == table).map_or("", |(known, _)| known);
        invalid(Fault::UnknownKey { key: name.to_owned(), table: table.to_owned(), nearest })
    })
}

fn invalid(fault: Fault) -> Error {
    Error::Invalid(vec![Problem { place: Place::Flag("--set"), fault }])
}

/// A dot inside a name would begin another table.
fn quoted(name: &str) -> String {
    if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::check_file,
        files,
        host::{Environment, Paths},
    };

    fn facts(facts: &[(&str, &str)]) -> Vec<Fact> {
        facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn complete() -> Vec<Fact> {
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
        let text = format!("version = 1\n\n{}", draft("a.b", &complete()).unwrap());
        files::replace(&file, text.as_bytes()).unwrap();
        let at = |name| folder.path().join(name);
        let paths = Paths {
            user_config: at("user"),
            system_config: at("system"),
            data: at("data"),
            home_data: at("data"),
        };
        let inputs = Inputs {
            environment: &environment,
            paths: &paths,
            file: None,
            profile: None,
            flags: &[],
            personal: true,
        };
        check_file(&file, &inputs).unwrap();
        let (profile, claude) = preview(&inputs, &paths.user_config, &text).unwrap();
        assert_eq!((profile.name.as_str(), profile.client_id.as_str()), ("a.b", "say \"hi\""));
        assert_eq!(claude.models.get("opus").map(String::as_str), Some("o"));
        assert_eq!(profile_names(&inputs, &paths.user_config, &text), ["a.b"]);
    }

    #[test]
    fn a_misspelt_key_and_an_odd_name_are_refused() {
        let refused = draft("a", &facts(&[("isuer", "x")])).unwrap_err().to_string();
        assert!(refused.contains("isuer") && refused.contains("issuer"), "{refused}");
        assert!(draft("a b", &[]).unwrap_err().to_string().contains("letters"));
    }
}
