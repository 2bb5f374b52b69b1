//! The type of a configuration key: its name, its parser, its default, who may set it, and its documentation.
//!
//! The keys themselves are declared in `keys`. Everything that handles keys in general (the parser of files, variables,
//! the schema, `config show`) works with this type, so that a new key needs no code there.

use std::{borrow::Cow, ops::Deref};

use toml::{Spanned, de::DeValue};

use super::{Profile, error::ParseResult};

/// A key of a profile, without the type of its values; [`TypedKey`] adds the type.
#[derive(Debug)]
pub struct ConfigKey {
    /// The position in `KEYS` and in `ConfigSettings`.
    pub(super) index: usize,
    /// The full name. A key of a table inside the profile is written `table.key`.
    pub name: &'static str,
    /// The environment variable of the key. `set_by` decides whether it may set the key.
    pub(super) variable: &'static str,
    /// Parses a value and discards the result: it only reports the fault. The text is the name for the message.
    pub(super) check: fn(&str, &DeValue<'_>) -> ParseResult<()>,
    /// The JSON Schema of the values.
    pub(super) schema: fn() -> serde_json::Value,
    /// What a message says if a variable or a flag must contain TOML for this key, and does not. `None` if its text is
    /// the value as it stands.
    pub(super) toml_rule: Option<&'static str>,
    pub(super) default: KeyDefault,
    pub(super) set_by: SetBy,
    /// How much of a value a support bundle may show.
    pub disclosure: Disclosure,
    /// What a value such as "auto" means in this profile, for `config show`. In TOML's syntax, but text has no quotes.
    pub(super) effective: Option<fn(&Profile) -> Option<String>>,
    /// One or two sentences for the example, the schema and the reference.
    pub(super) doc: &'static str,
}

/// A key with the parser of its values. It dereferences to [`ConfigKey`].
#[derive(Debug)]
pub struct TypedKey<T> {
    pub(super) key: ConfigKey,
    pub(super) parse: ParseValue<T>,
}

/// Parses a value. The `&str` is the name of the key, which messages quote.
pub(super) type ParseValue<T> = fn(&str, &DeValue<'_>) -> ParseResult<T>;

/// A kind of values: its parser, its JSON Schema, and its syntax in a variable or a flag. Many keys share a kind.
#[derive(Debug)]
pub(super) struct ValueKind<T> {
    pub parse: ParseValue<T>,
    pub schema: fn() -> serde_json::Value,
    pub toml_rule: Option<&'static str>,
}

/// The built-in default of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyDefault {
    /// The key has no default. The profile builder reports it if a profile needs it and no layer sets it.
    Required,
    Text(&'static str),
    List(&'static [&'static str]),
    /// An empty table.
    Table,
    Bool(bool),
    Number(&'static str),
}

/// Who may set a key. Programs such as Claude Code pass the environment of an untrusted repository to this program. So
/// only files decide where secrets go and which servers to trust (docs/variables.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetBy {
    /// Only the administrator's file. In another layer the key would have no effect, or would do harm.
    Administrator,
    /// Any file, but no variable.
    File,
    /// Any file, and a variable if the policy allows it.
    Variable(VariablePolicy),
}

/// When an environment variable may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VariablePolicy {
    /// Only if no file defines the profile, or if a file in a default place sets `trust_environment = true`.
    WithoutFile,
    /// Also if a file defines the profile. Only for keys that cannot send a secret to another host.
    Always,
}

/// How much of a value a support bundle may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// The whole value.
    Value,
    /// The names of a table, but not its values, which the user chooses freely.
    NamesOnly,
    /// The number of items in a list, because the items may be confidential. `noun` names them.
    CountOnly { noun: &'static str },
}

impl<T> TypedKey<T> {
    /// The key without the type of its values, for constants, in which `Deref` is not allowed.
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

/// Each key is declared once, so its position identifies it.
impl PartialEq for ConfigKey {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl Eq for ConfigKey {}

impl<T> ValueKind<T> {
    /// A kind whose text in a variable is the value itself.
    pub(super) const fn plain(parse: ParseValue<T>, schema: fn() -> serde_json::Value) -> Self {
        Self { parse, schema, toml_rule: None }
    }

    /// A kind whose text in a variable must be TOML. `rule` is the message if it is not.
    pub(super) const fn toml(rule: &'static str, parse: ParseValue<T>, schema: fn() -> serde_json::Value) -> Self {
        Self { parse, schema, toml_rule: Some(rule) }
    }
}

impl ConfigKey {
    /// The fields that most keys share, so that a row of the table can omit them.
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

    /// The name of the key inside that table.
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

    /// Reports the fault of a value, if it has one.
    pub(super) fn check_value(&self, value: &DeValue<'_>) -> ParseResult<()> {
        (self.check)(self.name, value)
    }

    /// Converts the text of a variable or a flag into a value. The value is not checked yet.
    pub(super) fn value_from_text<'t>(&self, text: &'t str) -> Result<DeValue<'t>, toml::de::Error> {
        match self.toml_rule {
            None => Ok(DeValue::String(text.into())),
            Some(_) => DeValue::parse(text).map(Spanned::into_inner),
        }
    }

    /// The built-in default as a value; `None` for a required key.
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
            KeyDefault::Number(digits) => DeValue::parse(digits).ok().map(Spanned::into_inner),
        }
    }
}
