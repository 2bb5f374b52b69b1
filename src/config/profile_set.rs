//! Several profiles that share most of their values, as an addition to the text of a configuration file.
//!
//! What is in the file stays as it is, and means what it meant; the file is written by `setup`.

use std::path::Path;

use toml::de::DeTable;

use super::{
    ConfigInputs, ConfigKey, Error, KeyValue,
    config_file::{self, ConfigFile},
    keys,
    layers::{LayerTexts, Layers},
    profile_draft::{quote_profile_name, render_table, render_value},
    source_file::{FileOwner, SourceFile},
    toml_value::{quote_text, to_toml},
};

/// A profile to add: its name, and what it does not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDraft {
    pub name: String,
    pub values: Vec<KeyValue>,
}

/// The text of a configuration file with something added, and the lines that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigAddition {
    pub text: String,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

impl ConfigAddition {
    /// Nothing is added yet, but for what every file needs.
    pub fn to_file(text: &str) -> Self {
        let version = format!("version = {}", keys::VERSION);
        match text {
            "" => Self { text: format!("{version}\n"), removed: Vec::new(), added: vec![version] },
            text => Self { text: text.to_owned(), removed: Vec::new(), added: Vec::new() },
        }
    }

    /// Whether there is more than an empty file would have.
    pub fn changes_file(&self) -> bool {
        !self.removed.is_empty() || self.added.iter().any(|line| !line.starts_with("version = "))
    }

    /// Adds profiles. What they share goes into `[defaults]` where the file has none and no profile of the file would
    /// change by it; else into the table of each.
    pub fn add_profiles(
        &mut self,
        inputs: &ConfigInputs<'_>,
        file: &Path,
        drafts: &[ProfileDraft],
        shared: &[KeyValue],
    ) -> Result<(), Error> {
        if drafts.is_empty() {
            return Ok(());
        }
        let places = self.interpret(inputs, file, |held, table| {
            let place = |fact: &KeyValue| Ok((fact.clone(), choose_place(held, table, fact)?));
            shared.iter().map(place).collect::<Result<Vec<_>, Error>>()
        })?;
        let placed_at = |wanted: SharedPlace| {
            let placed = places.iter().filter(move |(_, place)| *place == wanted);
            placed.map(|(fact, _)| fact.clone()).collect::<Vec<KeyValue>>()
        };
        let (in_defaults, in_each) = (placed_at(SharedPlace::Defaults), placed_at(SharedPlace::EachProfile));
        if !in_defaults.is_empty() {
            self.append_table(&render_table("defaults", &in_defaults)?);
        }
        for ProfileDraft { name, values } in drafts {
            let title = format!("profiles.{}", quote_profile_name(name));
            self.append_table(&render_table(&title, &[values.as_slice(), &in_each].concat())?);
        }
        Ok(())
    }

    /// Names the profile for commands that name none, in the line of `default_profile` or in a new one behind `version`.
    pub fn set_default_profile(&mut self, inputs: &ConfigInputs<'_>, file: &Path, name: &str) -> Result<(), Error> {
        let [named, version] = self.interpret(inputs, file, |_, table| {
            let span = |key| table.get(key).map(toml::Spanned::span);
            Ok([span("default_profile"), span("version")])
        })?;
        let line = format!("default_profile = {}", quote_text(name));
        if let Some(value) = named {
            let before = self.text.get(value.clone()).unwrap_or_default().to_owned();
            self.text.replace_range(value, &quote_text(name));
            self.removed.push(format!("default_profile = {before}"));
        } else {
            let end = version.map_or(0, |version| version.end);
            let rest = self.text.get(end..).unwrap_or_default();
            let line_end = rest.find('\n').map_or(self.text.len(), |length| end + length + 1);
            let ending =
                if self.text.get(..line_end).is_some_and(|text| text.ends_with("\r\n")) { "\r\n" } else { "\n" };
            let is_open = !self.text.get(..line_end).unwrap_or_default().ends_with('\n');
            let opening = if is_open { ending } else { "" };
            self.text.insert_str(line_end, &format!("{opening}{line}{ending}"));
        }
        let position = self.added.iter().position(|line| line.starts_with("version = ")).map_or(0, |at| at + 1);
        self.added.insert(position, line);
        Ok(())
    }

    /// The text taken apart.
    fn interpret<T>(
        &self,
        inputs: &ConfigInputs<'_>,
        file: &Path,
        read: impl FnOnce(&ConfigFile<'_>, &DeTable<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let source = SourceFile::from_text(file, FileOwner::of_written_file(inputs), &self.text, inputs.environment);
        let table = config_file::parse_toml(&source).map_err(Error::Invalid)?;
        match config_file::interpret_file(&source, table.get_ref()) {
            (held, problems) if problems.is_empty() => read(&held, table.get_ref()),
            (_, problems) => Err(Error::Invalid(problems)),
        }
    }

    /// Appends a table, a blank line before it.
    fn append_table(&mut self, table: &str) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push('\n');
        self.text.push_str(table);
        self.added.push(String::new());
        self.added.extend(table.lines().map(str::to_owned));
    }
}

/// Where a value goes that several new profiles share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SharedPlace {
    /// Nowhere: the file's `[defaults]` have it.
    Nowhere,
    Defaults,
    EachProfile,
}

fn choose_place(held: &ConfigFile<'_>, table: &DeTable<'_>, fact: &KeyValue) -> Result<SharedPlace, Error> {
    let (key, _) = fact;
    if table.contains_key("defaults") {
        let known = held.defaults.iter().find(|(known, _)| known == key);
        let is_known = match known {
            Some((_, setting)) => to_toml(setting.value) == render_value(fact)?,
            None => false,
        };
        return Ok(if is_known { SharedPlace::Nowhere } else { SharedPlace::EachProfile });
    }
    let sets_it =
        |settings: &config_file::FileSettings<'_>, key: &ConfigKey| settings.iter().any(|(own, _)| *own == key);
    let changes_nothing = held.profiles.iter().all(|profile| sets_it(&profile.settings, key));
    Ok(if changes_nothing { SharedPlace::Defaults } else { SharedPlace::EachProfile })
}

/// The profile that commands choose without a flag and without a variable, were this the text of `file`.
pub fn find_default_profile(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Result<Option<String>, Error> {
    let find = |layers: &Layers<'_>| Ok(layers.find_default_profile().map(str::to_owned));
    LayerTexts::load_with_text(inputs, file, text)?.with_layers(find)
}
