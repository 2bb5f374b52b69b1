//! Everything that can be wrong with a configuration: typed facts with the place in the file, and their wording.
//!
//! The hints (what the user can do about a fault) and the slugs are in `failure::config`. Text that comes from a file
//! or from a variable is foreign: the functions below quote and shorten it before they print it.

use std::{borrow::Cow, fmt};

use super::{syntax::find_nearest_name, toml_value::quote_text};
use crate::{host::UntrustedWriter, text};

/// Why no profile can be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No configuration file exists, and no environment variable sets a key.
    NoFile { looked_for: Vec<String> },
    /// A file exists, or the call names it, but it cannot be read.
    Unreadable { file: String, why: UnreadableReason },
    /// The content of a file, a variable or a flag is wrong. The list is never empty.
    Invalid(Vec<ConfigProblem>),
    /// Files exist, but they define no profile.
    NoProfile { files: Vec<String> },
    /// Several profiles exist, and neither the call nor a file says which one to use.
    Ambiguous { names: Vec<String> },
    /// The call or a file names a profile that does not exist.
    NoSuchProfile { name: String, named_by: ValueLocation, names: Vec<String>, nearest: Option<String> },
}

/// Where the path of a configuration file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileNaming {
    /// The flag `--config`.
    Flag,
    /// The variable `BEDROCK_SSO_CONFIG`.
    Variable,
    /// The command itself, as in `config check FILE`.
    Command,
}

/// Why a configuration file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableReason {
    /// The file does not exist.
    Missing { named_by: FileNaming },
    /// The path names a folder.
    Directory,
    /// The file is larger than `limit` bytes, so it is probably some other file.
    TooLarge { limit: u64 },
    /// This line is not UTF-8.
    NotUtf8 { line: usize },
    /// The file is UTF-16 text, which some editors and shells on Windows write.
    Utf16,
    /// The user may not read the file.
    Denied,
    /// A user who is not an administrator could have written the administrator's file.
    Untrusted { who: UntrustedWriter },
    /// Another reason, in the words of the operating system.
    Other(String),
}

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    pub location: ValueLocation,
    pub fault: ConfigFault,
}

/// Where a value comes from. Messages begin with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLocation {
    /// The built-in default.
    Default,
    /// The environment as a whole, if no file exists.
    Environment,
    /// A line of a file.
    File { file: String, line: usize },
    /// A line of a file's table `[defaults]`, or of a table inside it.
    FileDefaults { file: String, line: usize },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, as the user typed it.
    Flag(&'static str),
}

/// What is wrong with a file, a key or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// The file is not valid TOML.
    Syntax { what: String },
    /// The file does not set `version`.
    NoVersion,
    /// The file has a later format version than this program knows.
    NewerVersion { version: u64, known: u64 },
    /// The administrator's file requires a later version of this program.
    ProgramTooOld { required: String, own: &'static str },
    /// No key of this name exists in the table. `table` is empty at the top of the file.
    UnknownKey { key: String, table: String, nearest: Option<String> },
    /// The key exists, but in another table. `belongs` names the right place, with its preposition.
    Misplaced { key: String, table: String, belongs: String },
    /// The value does not have the type that the key requires.
    WrongType { key: String, expected: &'static str, found: &'static str },
    /// The value has the right type but is not allowed. `value` is `None` if it might contain a secret.
    IllegalValue { key: String, value: Option<String>, rule: Cow<'static, str>, nearest: Option<String> },
    /// A variable whose value is not Unicode text.
    NotUnicode { key: String },
    /// No layer sets a key that has no default.
    MissingKey { key: &'static str, profile: String },
    /// Two keys name different issuers.
    TwoIssuers { key: &'static str, issuer: String, other: &'static str, other_issuer: String, other_place: String },
    /// The value contradicts another key or the provider. `remedy` is the hint.
    Conflict { key: &'static str, value: String, rule: String, remedy: String },
    /// The region and another value belong to different AWS partitions, which share neither roles nor endpoints.
    OtherPartition { region: String, expected: &'static str, other: String, found: String },
    /// The value requires a stored secret, but the profile stores nothing.
    NeedsStorage { key: &'static str, value: &'static str, storage: &'static str },
    /// The key has no meaning without another key.
    NeedsKey { key: &'static str, needs: &'static str },
    /// The administrator's file enforces another value.
    Enforced { key: &'static str, value: String, by: String },
    /// `enforce` names a key that the administrator's profile does not set.
    EnforcedWithoutValue { key: &'static str, profile: String },
    /// A key that only the administrator's file may set, in another layer.
    AdministratorOnly { key: &'static str },
    /// A variable sets a key that only a file may set.
    FileOnly { key: &'static str },
    /// A variable sets a key, but because `file` exists only files may set it.
    VariableNotAllowed { variable: String, key: &'static str, file: String },
    /// A variable names a configuration file, but because `file` exists no variable may do so.
    ConfigFileNotAllowed { file: String },
    /// A variable contains a path that depends on the working directory of the call.
    RelativePath,
    /// A key that only a file in a default place may set, in a file that the call names.
    DefaultLocationOnly { key: &'static str },
}

/// Why a value cannot be used, and the hint for the user: usually the line to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueConflict {
    pub rule: String,
    pub remedy: String,
}

impl ValueConflict {
    pub(super) fn new(rule: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { rule: rule.into(), remedy: remedy.into() }
    }

    /// A conflict whose hint is the correct line for `issuer`.
    pub(super) fn suggest_issuer(rule: &str, issuer: &str) -> Self {
        Self::new(rule, format!("write `issuer = \"{issuer}\"`"))
    }
}

impl Error {
    /// An error that consists of a single problem.
    pub(super) fn invalid(location: ValueLocation, fault: ConfigFault) -> Self {
        Self::Invalid(vec![fault.at(location)])
    }

    /// Every problem in a line of its own. The `Display` form shows the first one and counts the others.
    pub fn problem_lines(&self) -> Vec<String> {
        if let Self::Invalid(problems) = self {
            problems.iter().map(ConfigProblem::to_string).collect()
        } else {
            vec![self.to_string()]
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile { looked_for } => {
                write!(f, "there is no configuration file (looked for {})", looked_for.join(" and "))
            }
            Self::Unreadable { file, why } => write!(f, "{file}: {why}"),
            Self::Invalid(problems) => fmt_problems(problems, f),
            Self::NoProfile { files } => write!(f, "no profile is defined in {}", files.join(" or ")),
            Self::Ambiguous { names } => {
                write!(f, "there are several profiles ({}), and none is the default", names.join(", "))
            }
            Self::NoSuchProfile { name, named_by, names, nearest } => {
                write!(f, "{named_by}: no profile is named {} (available: {})", quote_name(name), names.join(", "))?;
                fmt_suggestion(nearest.as_deref(), f)
            }
        }
    }
}

fn fmt_problems(problems: &[ConfigProblem], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some((first, rest)) = problems.split_first() else {
        return f.write_str("the configuration is not valid");
    };
    match rest.len() {
        0 => write!(f, "{first}"),
        1 => write!(f, "{first} (and 1 more problem)"),
        more => write!(f, "{first} (and {more} more problems)"),
    }
}

impl fmt::Display for UnreadableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { .. } => f.write_str("this file does not exist"),
            Self::Directory => f.write_str("this is a directory, not a file"),
            Self::TooLarge { limit } => {
                write!(f, "this file is larger than {} KiB, too large for a configuration", limit / 1024)
            }
            Self::NotUtf8 { line } => write!(f, "line {line} is not valid UTF-8"),
            Self::Utf16 => f.write_str("this file is UTF-16 text, but must be UTF-8"),
            Self::Denied => f.write_str("you have no permission to read this file"),
            // This file decides where every user of the computer signs in.
            Self::Untrusted { who } => {
                write!(f, "not used, because {who}: this file decides where every user signs in")
            }
            Self::Other(reason) => write!(f, "cannot be read: {}", text::sanitize_line(reason)),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.fault)
    }
}

impl fmt::Display for ValueLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment => f.write_str("environment"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::FileDefaults { file, line } => write!(f, "{file}:{line} [defaults]"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The parsed value of a key, or the fault in it.
pub(super) type ParseResult<T> = Result<T, ConfigFault>;

impl ConfigFault {
    /// A value that its key must not have. Pass `None` as `value` if the value might contain a secret.
    pub(super) fn illegal_value(key: &str, value: Option<String>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::IllegalValue { key: key.to_owned(), value, rule: rule.into(), nearest: None }
    }

    /// A text that is not one of the key's allowed names. The fault suggests the most similar one.
    pub(super) fn illegal_name<'n>(
        key: &str,
        name: &str,
        rule: impl Into<Cow<'static, str>>,
        known: impl Iterator<Item = &'n str>,
    ) -> Self {
        let (value, nearest) = (Some(quote_text(name)), find_nearest_name(name, known));
        Self::IllegalValue { key: key.to_owned(), value, rule: rule.into(), nearest }
    }

    /// A key that does not exist in the table. The fault suggests the most similar name in `known`.
    pub(super) fn unknown_key<'n>(key: &str, table: &str, known: impl Iterator<Item = &'n str>) -> Self {
        // No key takes the secret's place, so a similar name would mislead.
        let nearest = if key == "client_secret" { None } else { find_nearest_name(key, known) };
        Self::UnknownKey { key: key.to_owned(), table: table.to_owned(), nearest }
    }

    /// The fault together with its place.
    pub(super) fn at(self, location: ValueLocation) -> ConfigProblem {
        ConfigProblem { location, fault: self }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { what } => write!(f, "invalid TOML: {}", text::sanitize_line(what)),
            Self::NoVersion => f.write_str("\"version = 1\" is missing"),
            Self::NewerVersion { version, known } => {
                write!(f, "the file has version {version}, but this program supports only version {known}")
            }
            Self::ProgramTooOld { required: wanted, own } => {
                write!(f, "the file requires bedrock-sso {} or later, but this is {own}", text::sanitize_line(wanted))
            }
            Self::UnknownKey { key, table, nearest } => {
                write!(f, "unknown key {}{}", quote_name(key), describe_table(table))?;
                fmt_suggestion(nearest.as_deref(), f)
            }
            Self::Misplaced { key, table, belongs } => {
                write!(f, "{} belongs {belongs}, not{}", quote_name(key), describe_table_or_top(table))
            }
            Self::WrongType { key, expected, found } => {
                write!(f, "{} must be {expected}, not {found}", quote_name(key))
            }
            Self::IllegalValue { key, value, rule, nearest } => {
                match value {
                    Some(value) => {
                        write!(f, "{} is {}: {rule}", quote_name(key), text::sanitize_line(value))?;
                    }
                    None => write!(f, "{}: {rule}", quote_name(key))?,
                }
                fmt_suggestion(nearest.as_deref(), f)
            }
            Self::NotUnicode { key } => write!(f, "the value of {} is not valid Unicode", quote_name(key)),
            Self::MissingKey { key, profile } => write!(f, "[profiles.{profile}] is missing {}", quote_name(key)),
            Self::NeedsStorage { key, value, storage } => {
                write!(f, "{key} = \"{value}\" needs a stored secret, but storage = \"{storage}\" stores nothing")
            }
            Self::TwoIssuers { key, issuer, other, other_issuer, other_place } => write!(
                f,
                "{} means the issuer {}, but {} ({other_place}) means {}",
                quote_name(key),
                text::sanitize_line(issuer),
                quote_name(other),
                text::sanitize_line(other_issuer)
            ),
            Self::Conflict { key, value, rule, remedy: _ } => {
                let (value, rule) = (text::sanitize_line(value), text::sanitize_line(rule));
                write!(f, "{} is {value}: {rule}", quote_name(key))
            }
            Self::OtherPartition { region, expected, other, found } => {
                write!(f, "region {} is in partition {expected}, but {other} is in {found}", quote_name(region))
            }
            Self::NeedsKey { key, needs } => write!(f, "{key} requires {needs}"),
            Self::Enforced { key, value, by } => {
                write!(
                    f,
                    "{} must be {}: the administrator enforces this ({by})",
                    quote_name(key),
                    text::sanitize_line(value)
                )
            }
            Self::EnforcedWithoutValue { key, profile } => {
                write!(f, "enforce lists {}, but [profiles.{profile}] does not set it", quote_name(key))
            }
            Self::AdministratorOnly { key } => {
                write!(f, "{} works only in the administrator's file", quote_name(key))
            }
            Self::FileOnly { key } => write!(f, "only a configuration file can set {}", quote_name(key)),
            Self::VariableNotAllowed { variable: _, key, file } => {
                write!(f, "environment variables cannot set {}, because {file} exists", quote_name(key))
            }
            Self::ConfigFileNotAllowed { file } => {
                write!(f, "an environment variable cannot replace {file}")
            }
            Self::RelativePath => f.write_str("the path must be absolute or begin with ~/"),
            Self::DefaultLocationOnly { key } => {
                write!(f, "{} works only in a configuration file in its default location", quote_name(key))
            }
        }
    }
}

fn quote_name(name: &str) -> String {
    format!("\"{}\"", text::sanitize_line(name))
}

/// ` in [table]` for a message; empty for the top of the file.
fn describe_table(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!(" in [{}]", text::sanitize_line(table)) }
}

fn describe_table_or_top(table: &str) -> String {
    if table.is_empty() { " at the top of the file".to_owned() } else { describe_table(table) }
}

fn fmt_suggestion(nearest: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean {}?", quote_name(nearest)))
}
