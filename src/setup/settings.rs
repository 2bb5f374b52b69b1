//! Claude Code's settings with our keys in them, and without; order, comments and everything else stay.
//!
//! Text to text; which keys there are to be is decided by `claude`.

use std::collections::BTreeSet;

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode},
};

use super::{DiffLine, FileEdit};

/// A key at the top or inside `env`, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaudeSetting {
    pub key: ClaudeSettingKey,
    pub value: String,
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaudeSettingKey {
    Top(&'static str),
    Env(String),
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsEditRefused {
    /// It is no JSON; where, and the parser's word.
    Syntax { line: usize, message: String },
    /// The whole, or `env`, is something else than an object.
    NotAnObject { part: &'static str },
    /// A key stands twice, and readers would differ on which holds.
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

/// The file with these settings in it.
pub fn add_settings(text: &str, wanted: &[ClaudeSetting]) -> Result<FileEdit, SettingsEditRefused> {
    let file = SettingsFile::parse(text)?;
    let mut marks = Vec::new();
    for ClaudeSetting { key, value } in wanted {
        let object =
            file.parent_object(key, MissingEnv::Create)?.ok_or(SettingsEditRefused::NotAnObject { part: "env" })?;
        let new = || CstInputValue::String(value.clone());
        match find_unique_property(&object, key.name())? {
            Some(found) if decode_text(&found).as_deref() == Some(value) => continue,
            Some(found) => {
                marks.push(describe_removal(key, &found));
                found.set_value(new());
            }
            None => {
                object.append(key.name(), new());
            }
        }
        marks.push(DiffLine::Added(format!("{key} = {}", quote_json(value))));
    }
    Ok(FileEdit { after: file.to_text(), diff: marks })
}

/// The file as it would be had we never written `wrote` where `before` was: only what is still as we wrote it goes.
pub fn remove_settings(
    text: &str,
    before: &str,
    wrote: &str,
    keys: &[ClaudeSettingKey],
) -> Result<FileEdit, SettingsEditRefused> {
    let (file, before, wrote) = (SettingsFile::parse(text)?, SettingsFile::parse(before)?, SettingsFile::parse(wrote)?);
    let mut marks = Vec::new();
    for key in keys {
        let Some(object) = file.parent_object(key, MissingEnv::Absent)? else { continue };
        let Some(found) = find_unique_property(&object, key.name())? else { continue };
        let (was, ours) = (before.find_value(key)?, wrote.find_value(key)?);
        let (written, ours) = (was.as_ref().map(CstNode::to_string), ours.map(|ours| ours.to_string()));
        if written == ours || ours != found.value().map(|value| value.to_string()) {
            continue;
        }
        marks.push(describe_removal(key, &found));
        match was {
            Some(was) => {
                found.set_value(to_input_value(&was));
                marks.push(DiffLine::Added(format!("{key} = {}", format_value(&found))));
            }
            None => found.remove(),
        }
    }
    if before.env_object()?.is_none() {
        file.remove_env_if_empty()?;
    }
    Ok(FileEdit { after: file.to_text(), diff: marks })
}

/// The text behind a key, if there is one.
pub fn read_setting(text: &str, key: &ClaudeSettingKey) -> Option<String> {
    let file = SettingsFile::parse(text).ok()?;
    let object = file.parent_object(key, MissingEnv::Absent).ok()??;
    decode_text(&find_unique_property(&object, key.name()).ok()??)
}

/// Every key that the file sets, as `NAME` at the top and as `env.NAME` inside `env`: also one that stands twice, of
/// which each reader takes another.
pub fn list_key_names(text: &str) -> Result<BTreeSet<String>, SettingsEditRefused> {
    let name = |property: &CstObjectProp| property.decoded_name();
    let mut names = BTreeSet::new();
    for property in SettingsFile::parse(text)?.root_object()?.properties() {
        let Some(top) = name(&property) else { continue };
        if top == "env" {
            let within = property.object_value().map(|env| env.properties()).unwrap_or_default();
            names.extend(within.iter().filter_map(name).map(|name| format!("env.{name}")));
        }
        names.insert(top);
    }
    Ok(names)
}

/// What to do about an `env` that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MissingEnv {
    Create,
    Absent,
}

struct SettingsFile {
    bom: &'static str,
    root: CstRootNode,
}

impl SettingsFile {
    fn parse(text: &str) -> Result<Self, SettingsEditRefused> {
        let (bom, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| SettingsEditRefused::Syntax {
            line: error.line_display(),
            message: error.kind().to_string(),
        })?;
        let file = Self { bom, root };
        file.root_object()?;
        Ok(file)
    }

    fn to_text(&self) -> String {
        format!("{}{}", self.bom, self.root)
    }

    fn root_object(&self) -> Result<CstObject, SettingsEditRefused> {
        self.root.object_value().ok_or(SettingsEditRefused::NotAnObject { part: "the file" })
    }

    fn env_object(&self) -> Result<Option<CstObject>, SettingsEditRefused> {
        match find_unique_property(&self.root_object()?, "env")? {
            None => Ok(None),
            Some(found) => found.object_value().map(Some).ok_or(SettingsEditRefused::NotAnObject { part: "env" }),
        }
    }

    fn parent_object(
        &self,
        key: &ClaudeSettingKey,
        missing: MissingEnv,
    ) -> Result<Option<CstObject>, SettingsEditRefused> {
        match (key, self.env_object()) {
            (ClaudeSettingKey::Top(_), _) => self.root_object().map(Some),
            (ClaudeSettingKey::Env(_), Ok(None)) if missing == MissingEnv::Create => {
                Ok(Some(self.root_object()?.object_value_or_set("env")))
            }
            (ClaudeSettingKey::Env(_), env) => env,
        }
    }

    fn find_value(&self, key: &ClaudeSettingKey) -> Result<Option<CstNode>, SettingsEditRefused> {
        let Some(object) = self.parent_object(key, MissingEnv::Absent)? else { return Ok(None) };
        Ok(find_unique_property(&object, key.name())?.and_then(|found| found.value()))
    }

    fn remove_env_if_empty(&self) -> Result<(), SettingsEditRefused> {
        let Some(env) = self.env_object()?.filter(|env| env.children().iter().all(is_blank_node)) else {
            return Ok(());
        };
        drop(env);
        if let Some(found) = find_unique_property(&self.root_object()?, "env")? {
            found.remove();
        }
        Ok(())
    }
}

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

/// The one property of this name.
fn find_unique_property(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, SettingsEditRefused> {
    let mut named = object.properties();
    named.retain(|one| one.decoded_name().as_deref() == Some(name));
    match named.len() {
        0 | 1 => Ok(named.pop()),
        _ => Err(SettingsEditRefused::DuplicateKey { key: name.to_owned() }),
    }
}

fn decode_text(found: &CstObjectProp) -> Option<String> {
    found.value()?.as_string_lit()?.decoded_value().ok()
}

fn describe_removal(key: &ClaudeSettingKey, found: &CstObjectProp) -> DiffLine {
    DiffLine::Removed(format!("{key} = {}", format_value(found)))
}

fn format_value(found: &CstObjectProp) -> String {
    decode_text(found)
        .map_or_else(|| found.value().map_or_else(String::new, |value| value.to_string()), |text| quote_json(&text))
}

fn quote_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value taken from one file to be put into another.
fn to_input_value(value: &CstNode) -> CstInputValue {
    if let Some(text) = value.as_string_lit().and_then(|text| text.decoded_value().ok()) {
        return CstInputValue::String(text);
    }
    if let Some(truth) = value.as_boolean_lit() {
        return CstInputValue::Bool(truth.value());
    }
    if let Some(number) = value.as_number_lit() {
        return CstInputValue::Number(number.to_string());
    }
    if let Some(list) = value.as_array() {
        return CstInputValue::Array(list.elements().iter().map(to_input_value).collect());
    }
    match value.as_object() {
        Some(object) => CstInputValue::Object(
            object
                .properties()
                .iter()
                .filter_map(|one| Some((one.decoded_name()?, to_input_value(&one.value()?))))
                .collect(),
        ),
        None => CstInputValue::Null,
    }
}

#[cfg(test)]
pub(crate) mod tests;
