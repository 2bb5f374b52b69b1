//! Claude Code's settings with our keys in them, and without; order, comments and everything else stay.
//!
//! Text to text; which keys there are to be is decided by `claude`.

use std::collections::BTreeSet;

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode},
};

use super::{Edit, Mark};

/// A key at the top or inside `env`, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: Key,
    pub value: String,
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Top(&'static str),
    Env(String),
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no JSON; where, and the parser's word.
    Syntax { line: usize, what: String },
    /// The whole, or `env`, is something else than an object.
    NoObject { what: &'static str },
    /// A key stands twice, and readers would differ on which holds.
    Twice { key: String },
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top(name) => f.write_str(name),
            Self::Env(name) => write!(f, "env.{name}"),
        }
    }
}

/// The file with these settings in it.
pub fn with(text: &str, wanted: &[Setting]) -> Result<Edit, Refusal> {
    let file = File::read(text)?;
    let mut marks = Vec::new();
    for Setting { key, value } in wanted {
        let object = file.object(key, true)?.ok_or(Refusal::NoObject { what: "env" })?;
        let new = || CstInputValue::String(value.clone());
        match property(&object, key.name())? {
            Some(found) if text_of(&found).as_deref() == Some(value) => continue,
            Some(found) => {
                marks.push(removed(key, &found));
                found.set_value(new());
            }
            None => {
                object.append(key.name(), new());
            }
        }
        marks.push(Mark::Added(format!("{key} = {}", quoted(value))));
    }
    Ok(Edit { after: file.text(), marks })
}

/// The file as it would be had we never written `wrote` where `before` was: only what is still as we wrote it goes.
pub fn without(text: &str, before: &str, wrote: &str, keys: &[Key]) -> Result<Edit, Refusal> {
    let (file, before, wrote) = (File::read(text)?, File::read(before)?, File::read(wrote)?);
    let mut marks = Vec::new();
    for key in keys {
        let Some(object) = file.object(key, false)? else { continue };
        let Some(found) = property(&object, key.name())? else { continue };
        let (was, ours) = (before.value(key)?, wrote.value(key)?);
        if was == ours || ours != found.value().map(|value| value.to_string()) {
            continue;
        }
        marks.push(removed(key, &found));
        match before.input(key)? {
            Some(was) => {
                found.set_value(was);
                marks.push(Mark::Added(format!("{key} = {}", shown(&found))));
            }
            None => found.remove(),
        }
    }
    if before.env()?.is_none() {
        file.remove_env_if_empty()?;
    }
    Ok(Edit { after: file.text(), marks })
}

/// The text behind a key, if there is one.
pub fn value_of(text: &str, key: &Key) -> Option<String> {
    let file = File::read(text).ok()?;
    let object = file.object(key, false).ok()??;
    text_of(&property(&object, key.name()).ok()??)
}

/// Every key that the file sets, as `NAME` at the top and as `env.NAME` inside `env`: also one that stands twice, of
/// which each reader takes another.
pub fn names(text: &str) -> Result<BTreeSet<String>, Refusal> {
    let name = |property: &CstObjectProp| property.decoded_name();
    let mut names = BTreeSet::new();
    for property in File::read(text)?.top()?.properties() {
        let Some(top) = name(&property) else { continue };
        if top == "env" {
            let within = property.object_value().map(|env| env.properties()).unwrap_or_default();
            names.extend(within.iter().filter_map(name).map(|name| format!("env.{name}")));
        }
        names.insert(top);
    }
    Ok(names)
}

struct File {
    bom: &'static str,
    root: CstRootNode,
}

impl File {
    fn read(text: &str) -> Result<Self, Refusal> {
        let (bom, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| Refusal::Syntax {
            line: error.line_display(),
            what: error.kind().to_string(),
        })?;
        let file = Self { bom, root };
        file.top()?;
        Ok(file)
    }

    fn text(&self) -> String {
        format!("{}{}", self.bom, self.root)
    }

    fn top(&self) -> Result<CstObject, Refusal> {
        self.root.object_value().ok_or(Refusal::NoObject { what: "the file" })
    }

    fn env(&self) -> Result<Option<CstObject>, Refusal> {
        match property(&self.top()?, "env")? {
            None => Ok(None),
            Some(found) => found.object_value().map(Some).ok_or(Refusal::NoObject { what: "env" }),
        }
    }

    fn object(&self, key: &Key, make: bool) -> Result<Option<CstObject>, Refusal> {
        match (key, self.env()) {
            (Key::Top(_), _) => self.top().map(Some),
            (Key::Env(_), Ok(None)) if make => Ok(Some(self.top()?.object_value_or_set("env"))),
            (Key::Env(_), env) => env,
        }
    }

    fn property(&self, key: &Key) -> Result<Option<CstObjectProp>, Refusal> {
        match self.object(key, false)? {
            Some(object) => property(&object, key.name()),
            None => Ok(None),
        }
    }

    /// The value as it is written.
    fn value(&self, key: &Key) -> Result<Option<String>, Refusal> {
        Ok(self.property(key)?.and_then(|found| found.value()).map(|value| value.to_string()))
    }

    fn input(&self, key: &Key) -> Result<Option<CstInputValue>, Refusal> {
        Ok(self.property(key)?.and_then(|found| found.value()).as_ref().map(input))
    }

    fn remove_env_if_empty(&self) -> Result<(), Refusal> {
        let Some(env) = self.env()?.filter(|env| env.children().iter().all(is_nothing)) else {
            return Ok(());
        };
        drop(env);
        if let Some(found) = property(&self.top()?, "env")? {
            found.remove();
        }
        Ok(())
    }
}

fn is_nothing(node: &CstNode) -> bool {
    node.is_token() || (node.is_trivia() && !node.is_comment())
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Self::Top(name) => name,
            Self::Env(name) => name,
        }
    }
}

/// The one property of this name.
fn property(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, Refusal> {
    let mut named = object.properties();
    named.retain(|one| one.decoded_name().as_deref() == Some(name));
    match named.len() {
        0 | 1 => Ok(named.pop()),
        _ => Err(Refusal::Twice { key: name.to_owned() }),
    }
}

fn text_of(found: &CstObjectProp) -> Option<String> {
    found.value()?.as_string_lit()?.decoded_value().ok()
}

fn removed(key: &Key, found: &CstObjectProp) -> Mark {
    Mark::Removed(format!("{key} = {}", shown(found)))
}

fn shown(found: &CstObjectProp) -> String {
    text_of(found).map_or_else(
        || found.value().map_or_else(String::new, |value| value.to_string()),
        |text| quoted(&text),
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value taken from one file to be put into another.
fn input(value: &CstNode) -> CstInputValue {
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
        return CstInputValue::Array(list.elements().iter().map(input).collect());
    }
    match value.as_object() {
        Some(object) => CstInputValue::Object(
            object
                .properties()
                .iter()
                .filter_map(|one| Some((one.decoded_name()?, input(&one.value()?))))
                .collect(),
        ),
        None => CstInputValue::Null,
    }
}

#[cfg(test)]
pub(crate) mod tests;
