//! Adds several profiles that share most of their values to the text of a configuration file.
//!
//! The existing text does not change: its comments and its formatting stay, and no existing profile gets another value.
//! These functions return the new text; `setup` writes it.

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

/// A profile to add, with the values that it does not share with the other new profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDraft {
    pub name: String,
    pub values: Vec<KeyValue>,
}

/// The text of a configuration file without any profile.
pub fn render_empty_file() -> String {
    format!("version = {}\n", keys::VERSION)
}

/// The text with the new profiles at its end. A shared value goes into `[defaults]` if the file has no such table and
/// no existing profile would change; otherwise it goes into the table of each new profile.
pub fn add_profiles(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
    drafts: &[ProfileDraft],
    shared: &[KeyValue],
) -> Result<String, Error> {
    if drafts.is_empty() {
        return Ok(text.to_owned());
    }
    let places = interpret_text(inputs, file, text, |held, table| {
        shared.iter().map(|fact| choose_place(held, table, fact)).collect::<Result<Vec<_>, Error>>()
    })?;
    let placed_at = |wanted: SharedPlace| -> Vec<KeyValue> {
        let placed = shared.iter().zip(&places).filter(|(_, place)| **place == wanted);
        placed.map(|(fact, _)| fact.clone()).collect()
    };
    let (in_defaults, in_each) = (placed_at(SharedPlace::Defaults), placed_at(SharedPlace::EachProfile));
    let mut text = text.to_owned();
    if !in_defaults.is_empty() {
        append_table(&mut text, &render_table("defaults", &in_defaults)?);
    }
    for ProfileDraft { name, values } in drafts {
        let title = format!("profiles.{}", quote_profile_name(name));
        append_table(&mut text, &render_table(&title, &[values.as_slice(), &in_each].concat())?);
    }
    Ok(text)
}

/// The text with `default_profile` set to this name: in its present line, or in a new line after `version`.
pub fn set_default_profile(inputs: &ConfigInputs<'_>, file: &Path, text: &str, name: &str) -> Result<String, Error> {
    let [named, version] = interpret_text(inputs, file, text, |_, table| {
        Ok(["default_profile", "version"].map(|key| table.get(key).map(toml::Spanned::span)))
    })?;
    let mut text = text.to_owned();
    if let Some(value) = named {
        text.replace_range(value, &quote_text(name));
        return Ok(text);
    }
    let after_version = version.map_or(0, |version| version.end);
    let rest = text.get(after_version..).unwrap_or_default();
    let line_end = rest.find('\n').map_or(text.len(), |length| after_version + length + 1);
    let lines = text.get(..line_end).unwrap_or_default();
    let ending = if lines.ends_with("\r\n") { "\r\n" } else { "\n" };
    let opening = if lines.ends_with('\n') { "" } else { ending };
    text.insert_str(line_end, &format!("{opening}default_profile = {}{ending}", quote_text(name)));
    Ok(text)
}

/// Interprets the text and passes it to `read`. Fails if it has any problem, so that a broken file is never extended.
fn interpret_text<T>(
    inputs: &ConfigInputs<'_>,
    file: &Path,
    text: &str,
    read: impl FnOnce(&ConfigFile<'_>, &DeTable<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let source = SourceFile::from_text(file, FileOwner::of_written_file(inputs), text, inputs.environment);
    let table = config_file::parse_toml(&source).map_err(Error::Invalid)?;
    match config_file::interpret_file(&source, table.get_ref()) {
        (held, problems) if problems.is_empty() => read(&held, table.get_ref()),
        (_, problems) => Err(Error::Invalid(problems)),
    }
}

/// Appends a table after a blank line.
fn append_table(text: &mut String, table: &str) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push('\n');
    text.push_str(table);
}

/// The table for a value that the new profiles share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SharedPlace {
    /// No table, because the file's `[defaults]` contain the same value.
    Nowhere,
    /// A new table `[defaults]`.
    Defaults,
    /// The table of each new profile.
    EachProfile,
}

/// Chooses the table for a shared value. A new `[defaults]` is possible only if every existing profile sets the key
/// itself.
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

/// The profile that commands would use without a flag and without a variable if `file` had this text.
pub fn find_default_profile(inputs: &ConfigInputs<'_>, file: &Path, text: &str) -> Result<Option<String>, Error> {
    let find = |layers: &Layers<'_>| Ok(layers.find_default_profile().map(str::to_owned));
    LayerTexts::load_with_text(inputs, file, text)?.with_layers(find)
}
