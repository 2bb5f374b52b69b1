//! What can be wrong with a configuration, as facts with their place.
//!
//! It states; what a person may do about it is said in `failure`.

use std::{borrow::Cow, fmt};

use super::{syntax::find_nearest_name, toml_value::quote_text};
use crate::{host::UntrustedWriter, text};

/// Why there is no usable profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No file, and nothing in the environment either.
    NoFile { looked_for: Vec<String> },
    /// A file is there, or was asked for, and cannot be read.
    Unreadable { file: String, why: UnreadableReason },
    /// What is written is wrong; at least one problem.
    Invalid(Vec<ConfigProblem>),
    /// There are files, and no profile in them.
    NoProfile { files: Vec<String> },
    /// Several profiles, and none was named.
    Ambiguous { names: Vec<String> },
    /// A profile was named that is not there.
    NoSuchProfile { name: String, named_by: ValueLocation, names: Vec<String>, nearest: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableReason {
    /// There is no such file.
    Missing,
    /// It is a folder.
    Directory,
    /// It is too large to be a configuration.
    TooLarge { limit: u64 },
    /// This line is not UTF-8.
    NotUtf8 { line: usize },
    /// It is UTF-16, as some editors and shells on Windows write it.
    Utf16,
    /// The user may not read it.
    Denied,
    /// Somebody else than an administrator could have written it.
    Untrusted { who: UntrustedWriter },
    /// What the system said.
    Other(String),
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    pub location: ValueLocation,
    pub fault: ConfigFault,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLocation {
    /// Built in.
    Default,
    /// The environment as a whole, where there is no file.
    Environment,
    /// A line of a file.
    File { file: String, line: usize },
    /// A line of a file's table `[defaults]`, or of a table inside it.
    FileDefaults { file: String, line: usize },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line, as it was typed.
    Flag(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// Not TOML.
    Syntax { what: String },
    /// `version` is absent.
    NoVersion,
    /// Written for a later version of this program.
    NewerVersion { version: u64, known: u64 },
    /// The administrator's file wants a later version of this program.
    ProgramTooOld { required: String, own: &'static str },
    /// `table` is empty at the top of the file.
    UnknownKey { key: String, table: String, nearest: Option<String> },
    /// A known key in the wrong table.
    Misplaced { key: String, table: String, belongs_in: String },
    /// The value has another type than the key.
    WrongType { key: String, expected: &'static str, found: &'static str },
    /// The value has the right type, and the key cannot have it. `value` is absent where it might hold a secret.
    IllegalValue { key: String, value: Option<String>, rule: Cow<'static, str>, nearest: Option<String> },
    /// A variable that is no text.
    NotUnicode { key: String },
    /// A key without a default is not set anywhere.
    MissingKey { key: &'static str, profile: String },
    /// Two keys tell the issuer, and not the same.
    TwoIssuers { key: &'static str, issuer: String, other: &'static str, other_issuer: String, other_place: String },
    /// The provider cannot take the value; `remedy` is what to do.
    Conflict { key: &'static str, value: String, rule: String, remedy: String },
    /// The region and something else are of different partitions, which share nothing.
    OtherPartition { region: String, expected: &'static str, other: String, found: String },
    /// It needs something that is stored, and nothing is.
    NeedsStorage { key: &'static str, value: &'static str, storage: &'static str },
    /// It means nothing without another key.
    NeedsKey { key: &'static str, needs: &'static str },
    /// The administrator's file keeps users from changing this.
    Enforced { key: &'static str, value: String, by: String },
    /// `enforce` names a key to which the administrator's profile gives no value.
    EnforcedWithoutValue { key: &'static str, profile: String },
    /// What only the administrator's file may say, elsewhere.
    AdministratorOnly { key: &'static str },
    /// A variable sets a key that only a file can set.
    FileOnly { key: &'static str },
    /// A variable sets a key, and this file decides instead.
    VariableNotAllowed { variable: String, key: &'static str, file: String },
    /// A variable names another file than this one, which decides.
    ConfigFileNotAllowed { file: String },
    /// A variable holds a path that depends on the folder of the call.
    RelativePath,
    /// What only a file in a default place may say, in a file that the call named.
    DefaultLocationOnly { key: &'static str },
}

/// Why a value cannot stand, and what to do: most often, which line to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ValueConflict {
    pub rule: String,
    pub remedy: String,
}

impl ValueConflict {
    pub(super) fn new(rule: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { rule: rule.into(), remedy: remedy.into() }
    }

    pub(super) fn suggest_issuer(rule: &str, issuer: &str) -> Self {
        Self::new(rule, format!("write `issuer = \"{issuer}\"`"))
    }
}

impl Error {
    /// One problem and no other.
    pub(super) fn invalid(location: ValueLocation, fault: ConfigFault) -> Self {
        Self::Invalid(vec![fault.at(location)])
    }

    /// Every problem for itself, a line each.
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
            Self::Missing => f.write_str("this file does not exist"),
            Self::Directory => f.write_str("this is a directory, not a file"),
            Self::TooLarge { limit } => {
                write!(f, "this file is larger than {} KiB, too large for a configuration", limit / 1024)
            }
            Self::NotUtf8 { line } => write!(f, "line {line} is not valid UTF-8"),
            Self::Utf16 => f.write_str("this file is UTF-16 text, but must be UTF-8"),
            Self::Denied => f.write_str("you have no permission to read this file"),
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

/// The value of a key, or what is wrong with it.
pub(super) type ParseResult<T> = Result<T, ConfigFault>;

impl ConfigFault {
    /// A value that its key cannot have. `value` is `None` where it might hold a secret.
    pub(super) fn illegal_value(key: &str, value: Option<String>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self::IllegalValue { key: key.to_owned(), value, rule: rule.into(), nearest: None }
    }

    /// A text that is not one of the key's allowed names.
    pub(super) fn illegal_name<'n>(
        key: &str,
        name: &str,
        rule: impl Into<Cow<'static, str>>,
        known: impl Iterator<Item = &'n str>,
    ) -> Self {
        let (value, nearest) = (Some(quote_text(name)), find_nearest_name(name, known));
        Self::IllegalValue { key: key.to_owned(), value, rule: rule.into(), nearest }
    }

    /// A key that the table does not allow.
    pub(super) fn unknown_key<'n>(key: &str, table: &str, known: impl Iterator<Item = &'n str>) -> Self {
        // No key takes the secret's place, so a similar name would mislead.
        let nearest = if key == "client_secret" { None } else { find_nearest_name(key, known) };
        Self::UnknownKey { key: key.to_owned(), table: table.to_owned(), nearest }
    }

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
            Self::Misplaced { key, table, belongs_in } => {
                write!(f, "{} belongs {belongs_in}, not{}", quote_name(key), describe_table_or_top(table))
            }
            Self::WrongType { key, expected, found } => {
                write!(f, "{} must be {expected}, not {found}", quote_name(key))
            }
            Self::IllegalValue { key, value, rule, nearest } => {
                match value {
                    Some(value) => {
                        write!(f, "{} holds {}: {rule}", quote_name(key), text::sanitize_line(value))?;
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
                write!(f, "{} holds {}: {}", quote_name(key), text::sanitize_line(value), text::sanitize_line(rule))
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
                write!(f, "environment variables cannot select another file, because {file} exists")
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

fn describe_table(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!(" in [{}]", text::sanitize_line(table)) }
}

fn describe_table_or_top(table: &str) -> String {
    if table.is_empty() { " at the top of the file".to_owned() } else { describe_table(table) }
}

fn fmt_suggestion(nearest: Option<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean {}?", quote_name(nearest)))
}
