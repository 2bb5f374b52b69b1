//! Adds our keys to the text of Claude Code's settings, and removes them again.
//!
//! The files are JSON with comments. Order, comments and layout stay, because users edit these files by hand; so the
//! module edits a concrete syntax tree. It works on texts only; which keys are needed is decided by `claude`.

use std::collections::BTreeSet;

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode},
};

use super::{DiffLine, FileEdit, split_byte_order_mark};

/// A key with its value, which is always a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaudeSetting {
    pub key: ClaudeSettingKey,
    pub value: String,
}

/// The place of a setting. It is shown as `NAME` or `env.NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaudeSettingKey {
    /// At the top level.
    Top(&'static str),
    /// In the object `env`: an environment variable.
    Env(String),
}

/// Why the file cannot be edited safely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsEditRefused {
    /// It is not valid JSON with comments. `message` is the parser's.
    Syntax { line: usize, message: String },
    /// The file or its `env` is not an object.
    NotAnObject { part: &'static str },
    /// A key occurs twice. Parsers differ in which of the two they use.
    DuplicateKey { key: String },
}

impl std::fmt::Display for ClaudeSettingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top(name) => f.write_str(name),
            Self::Env(name) => write!(f, "env.{name}"),
        }
    }
}

/// Adds these settings, or changes their values if they exist. An empty text becomes a new file. The result's changes
/// show only our own keys, because other settings may contain secrets.
pub fn add_settings(text: &str, wanted: &[ClaudeSetting]) -> Result<FileEdit, SettingsEditRefused> {
    let file = SettingsFile::parse(text)?;
    let mut diff = Vec::new();
    for ClaudeSetting { key, value } in wanted {
        let parent = file.find_parent(key)?.unwrap_or_else(|| file.object.object_value_or_set("env"));
        let new = CstInputValue::String(value.clone());
        match find_unique_property(&parent, key.name())? {
            Some(found) if decode_text(&found).as_deref() == Some(value) => continue,
            Some(found) => {
                diff.push(DiffLine::Removed(describe_property(key, &found)));
                found.set_value(new);
            }
            None => drop(parent.append(key.name(), new)),
        }
        diff.push(DiffLine::Added(format!("{key} = {}", quote_json(value))));
    }
    Ok(FileEdit { after: file.to_text(), diff })
}

/// Undoes the edit that turned `before` into `wrote`, in a text that may have changed since.
///
/// It removes or restores only values that are still as we wrote them: a value that the user changed later is theirs.
/// An `env` that we created and that is empty now is removed too.
pub fn remove_settings(
    text: &str,
    before: &str,
    wrote: &str,
    keys: &[ClaudeSettingKey],
) -> Result<FileEdit, SettingsEditRefused> {
    let (file, before, wrote) = (SettingsFile::parse(text)?, SettingsFile::parse(before)?, SettingsFile::parse(wrote)?);
    let as_written = |property: &CstObjectProp| property.value().map(|value| value.to_string());
    let mut diff = Vec::new();
    for key in keys {
        let Some(found) = file.find_property(key)? else { continue };
        let (was, ours) = (before.find_property(key)?, wrote.find_property(key)?.as_ref().and_then(as_written));
        if was.as_ref().and_then(as_written) == ours || ours != as_written(&found) {
            continue;
        }
        diff.push(DiffLine::Removed(describe_property(key, &found)));
        match was.and_then(|was| was.value()) {
            Some(was) => {
                found.set_value(to_input_value(&was));
                diff.push(DiffLine::Added(describe_property(key, &found)));
            }
            None => found.remove(),
        }
    }
    if before.env_object()?.is_none() {
        file.remove_env_if_empty()?;
    }
    Ok(FileEdit { after: file.to_text(), diff })
}

/// Reads the value of a key. `None` if the key is missing, if its value is not a string, or if the file is not valid.
pub fn read_setting(text: &str, key: &ClaudeSettingKey) -> Option<String> {
    decode_text(&SettingsFile::parse(text).ok()?.find_property(key).ok()??)
}

/// Lists every key that the file sets, as `NAME` at the top level and as `env.NAME` in `env`. Keys that occur twice are
/// accepted here.
pub fn list_key_names(text: &str) -> Result<BTreeSet<String>, SettingsEditRefused> {
    let name = |property: &CstObjectProp| property.decoded_name();
    let mut names = BTreeSet::new();
    for property in SettingsFile::parse(text)?.object.properties() {
        let Some(top) = name(&property) else { continue };
        if top == "env" {
            let within = property.object_value().map(|env| env.properties()).unwrap_or_default();
            names.extend(within.iter().filter_map(name).map(|name| format!("env.{name}")));
        }
        names.insert(top);
    }
    Ok(names)
}

/// A parsed file. Changes to `object` change `root`, which gives the text.
struct SettingsFile<'t> {
    /// The byte order mark, or an empty string. The parser does not accept it.
    bom: &'t str,
    root: CstRootNode,
    /// The object at the top level.
    object: CstObject,
}

impl<'t> SettingsFile<'t> {
    /// Parses a text. One that is empty or only white space counts as an empty object, as for Claude Code.
    fn parse(text: &'t str) -> Result<Self, SettingsEditRefused> {
        let (bom, text) = split_byte_order_mark(text);
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| SettingsEditRefused::Syntax {
            line: error.line_display(),
            message: error.kind().to_string(),
        })?;
        let object = root.object_value().ok_or(SettingsEditRefused::NotAnObject { part: "the file" })?;
        Ok(Self { bom, root, object })
    }

    fn to_text(&self) -> String {
        format!("{}{}", self.bom, self.root)
    }

    /// The object `env`, if the file has one.
    fn env_object(&self) -> Result<Option<CstObject>, SettingsEditRefused> {
        let env = find_unique_property(&self.object, "env")?;
        env.map(|env| env.object_value().ok_or(SettingsEditRefused::NotAnObject { part: "env" })).transpose()
    }

    /// The object that contains the key. `None` if the key belongs to an `env` that does not exist.
    fn find_parent(&self, key: &ClaudeSettingKey) -> Result<Option<CstObject>, SettingsEditRefused> {
        match key {
            ClaudeSettingKey::Top(_) => Ok(Some(self.object.clone())),
            ClaudeSettingKey::Env(_) => self.env_object(),
        }
    }

    fn find_property(&self, key: &ClaudeSettingKey) -> Result<Option<CstObjectProp>, SettingsEditRefused> {
        let parent = self.find_parent(key)?;
        parent.map_or(Ok(None), |parent| find_unique_property(&parent, key.name()))
    }

    /// Removes `env` if it has no properties and no comments.
    fn remove_env_if_empty(&self) -> Result<(), SettingsEditRefused> {
        let is_empty = self.env_object()?.is_some_and(|env| env.children().iter().all(is_blank_node));
        if let Some(found) = find_unique_property(&self.object, "env")?.filter(|_| is_empty) {
            found.remove();
        }
        Ok(())
    }
}

/// Whether a node is a bracket, a comma or white space. A comment is not: it belongs to the user.
fn is_blank_node(node: &CstNode) -> bool {
    node.is_token() || (node.is_trivia() && !node.is_comment())
}

impl ClaudeSettingKey {
    fn name(&self) -> &str {
        match self {
            Self::Top(name) => name,
            Self::Env(name) => name,
        }
    }
}

/// The property of this name. Fails if there are two. Names are compared after their escapes are decoded.
fn find_unique_property(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, SettingsEditRefused> {
    let mut named = object.properties();
    named.retain(|one| one.decoded_name().as_deref() == Some(name));
    match named.len() {
        0 | 1 => Ok(named.pop()),
        _ => Err(SettingsEditRefused::DuplicateKey { key: name.to_owned() }),
    }
}

/// The value of a property, if it is a string.
fn decode_text(found: &CstObjectProp) -> Option<String> {
    found.value()?.as_string_lit()?.decoded_value().ok()
}

/// A property in the form in which changes show it. A value that is not a string is shown as it is written.
fn describe_property(key: &ClaudeSettingKey, found: &CstObjectProp) -> String {
    let as_written = || found.value().map_or_else(String::new, |value| value.to_string());
    format!("{key} = {}", decode_text(found).map_or_else(as_written, |text| quote_json(&text)))
}

fn quote_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Converts a value of one file so that it can be inserted into another. Comments inside the value are lost.
fn to_input_value(value: &CstNode) -> CstInputValue {
    let text = value.as_string_lit().and_then(|text| text.decoded_value().ok()).map(CstInputValue::String);
    let truth = || Some(CstInputValue::Bool(value.as_boolean_lit()?.value()));
    let number = || Some(CstInputValue::Number(value.as_number_lit()?.to_string()));
    let list = || Some(CstInputValue::Array(value.as_array()?.elements().iter().map(to_input_value).collect()));
    let object = || {
        let properties = value.as_object()?.properties();
        let entry = |one: &CstObjectProp| Some((one.decoded_name()?, to_input_value(&one.value()?)));
        Some(CstInputValue::Object(properties.iter().filter_map(entry).collect()))
    };
    text.or_else(truth).or_else(number).or_else(list).or_else(object).unwrap_or(CstInputValue::Null)
}

#[cfg(test)]
pub(crate) mod tests;
