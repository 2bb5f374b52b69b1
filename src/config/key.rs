//! What a configuration key is: its name, its values, who may set it, and what it is for.
//!
//! The keys themselves are declared in `keys`.

use std::{borrow::Cow, ops::Deref};

use toml::{Spanned, de::DeValue};

use super::{Profile, error::ParseResult};

/// A key of a profile. Everything but the type of its values; see [`TypedKey`].
#[derive(Debug)]
pub struct ConfigKey {
    /// The position in `KEYS`, and in the values that hold for a profile.
    pub(super) index: usize,
    /// Keys of a table inside the profile are written `table.key`.
    pub name: &'static str,
    /// The environment variable that sets the key where `set_by` lets one.
    pub(super) variable: &'static str,
    /// Parses a value of the key with this name, for what is wrong with it alone.
    pub(super) check: fn(&str, &DeValue<'_>) -> ParseResult<()>,
    pub(super) schema: fn() -> serde_json::Value,
    /// What the text of a variable or a flag must be, where the key needs TOML's syntax; `None`: the text is the value.
    pub(super) toml_rule: Option<&'static str>,
    pub(super) default: KeyDefault,
    pub(super) set_by: SetBy,
    /// What a support bundle may show of a value.
    pub disclosure: Disclosure,
    /// What a value such as "auto" stands for in a profile, in TOML's syntax but for quotation marks.
    pub(super) effective: Option<fn(&Profile) -> Option<String>>,
    pub(super) doc: &'static str,
}

/// A key together with the parser of its values. It can be used wherever a [`ConfigKey`] can.
#[derive(Debug)]
pub struct TypedKey<T> {
    pub(super) key: ConfigKey,
    pub(super) parse: ParseValue<T>,
}

/// Parses the value of the key of this name. The name is for messages.
pub(super) type ParseValue<T> = fn(&str, &DeValue<'_>) -> ParseResult<T>;

/// What may stand behind a key: how it is parsed, its JSON Schema, and how a variable or a flag gives it.
#[derive(Debug)]
pub(super) struct ValueKind<T> {
    pub parse: ParseValue<T>,
    pub schema: fn() -> serde_json::Value,
    pub toml_rule: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum KeyDefault {
    Required,
    Text(&'static str),
    List(&'static [&'static str]),
    Table,
    Bool(bool),
}

/// Who may set a key. Hosts pass the environment of an untrusted repository to this program, so a file decides where
/// secrets go and whom to trust (docs/variables.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetBy {
    /// The administrator's file. Set elsewhere the key would have no effect, or do harm.
    Administrator,
    /// Any file, but no variable.
    File,
    /// Any file, and a variable as far as the policy lets it.
    Variable(VariablePolicy),
}

/// When an environment variable counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VariablePolicy {
    /// Only where no file defines the profile, or where a file in a default place says `trust_environment = true`.
    WithoutFile,
    /// Beside a file too: it chooses, and sends no secret to another host.
    Always,
}

/// What a support bundle may show of the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// All of it.
    Value,
    /// A table whose values the user makes up: its names.
    NamesOnly,
    /// A list whose items may hold something secret: how many there are of what.
    CountOnly { noun: &'static str },
}

impl<T> TypedKey<T> {
    /// The key without the type of its value, where it cannot be dereferenced: in a constant.
    pub const fn untyped(&self) -> &ConfigKey {
        &self.key
    }
}

impl<T> Deref for TypedKey<T> {
    type Target = ConfigKey;

    fn deref(&self) -> &ConfigKey {
        &self.key
    }
}

/// Keys are declared once each, so that their positions tell them apart.
impl PartialEq for ConfigKey {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for ConfigKey {}

impl<T> ValueKind<T> {
    pub(super) const fn plain(parse: ParseValue<T>, schema: fn() -> serde_json::Value) -> Self {
        Self { parse, schema, toml_rule: None }
    }

    pub(super) const fn toml(rule: &'static str, parse: ParseValue<T>, schema: fn() -> serde_json::Value) -> Self {
        Self { parse, schema, toml_rule: Some(rule) }
    }
}

impl ConfigKey {
    /// What holds for most keys, and what a row of the table need not say.
    pub(super) const MOST: Self = Self {
        index: 0,
        name: "",
        variable: "",
        check: |_, _| Ok(()),
        schema: || serde_json::Value::Null,
        toml_rule: None,
        default: KeyDefault::Required,
        set_by: SetBy::File,
        disclosure: Disclosure::Value,
        effective: None,
        doc: "",
    };

    /// The table inside the profile that holds the key; empty for the profile itself.
    pub(super) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name inside that table.
    pub(super) fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, own)| own)
    }

    /// Whether the key is `name` in the table `section` (see [`ConfigKey::section`]).
    pub(super) fn is_named(&self, section: &str, name: &str) -> bool {
        match section {
            "" => self.name == name,
            section => self.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) == Some(name),
        }
    }

    /// Parses a value and drops the result, for what is wrong with it.
    pub(super) fn check_value(&self, value: &DeValue<'_>) -> ParseResult<()> {
        (self.check)(self.name, value)
    }

    /// The value that a variable or a flag gives by this text. It is not checked.
    pub(super) fn value_from_text<'t>(&self, text: &'t str) -> Result<DeValue<'t>, toml::de::Error> {
        match self.toml_rule {
            None => Ok(DeValue::String(text.into())),
            Some(_) => DeValue::parse(text).map(Spanned::into_inner),
        }
    }

    pub(super) fn default_value(&self) -> Option<DeValue<'static>> {
        let text = |text: &'static str| DeValue::String(Cow::Borrowed(text));
        match self.default {
            KeyDefault::Required => None,
            KeyDefault::Text(word) => Some(text(word)),
            KeyDefault::List(words) => {
                Some(DeValue::Array(words.iter().map(|word| Spanned::new(0..0, text(word))).collect()))
            }
            KeyDefault::Table => Some(DeValue::Table(toml::de::DeTable::new())),
            KeyDefault::Bool(on) => Some(DeValue::Boolean(on)),
        }
    }
}
