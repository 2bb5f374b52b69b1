//! Interprets one configuration file: finds its tables and keys, and checks each value against the type of its key.
//!
//! It reports every problem of the file, not only the first, in the order of the file. It interprets a single file; how
//! several files combine into a profile is decided in `layers`.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigFault, ConfigKey, ConfigProblem,
    error::ParseResult,
    issuer::decides_issuer,
    key::SetBy,
    keys::{self, KEYS, SECTIONS, TOP_LEVEL_KEYS, TopLevelKey, VERSION},
    min_version::check_own_version,
    parsers::{expect_list, expect_string, expect_table, parse_bool, reject_text, reject_type, reject_value},
    setting::{ConfigSetting, ValueOrigin},
    source_file::{FileOwner, SourceFile},
    syntax::{PROFILE_NAME_RULE, is_profile_name},
};

/// The content of a file. Values that failed their check are in it as well; the caller must check the problems first.
#[derive(Debug)]
pub(super) struct ConfigFile<'a> {
    pub source: &'a SourceFile,
    pub default_profile: Option<(&'a str, usize)>,
    /// The keys that `enforce` names. Empty in a user's file, which must not enforce anything.
    pub enforced_keys: Vec<&'static ConfigKey>,
    /// The byte offset of `enforce`, for messages.
    pub enforce_offset: usize,
    /// The values of `[defaults]`, which apply to all profiles of this file and to no other file's.
    pub defaults: FileSettings<'a>,
    pub profiles: Vec<FileProfile<'a>>,
}

/// The keys of a table with their values, in the order of the file.
pub(super) type FileSettings<'a> = Vec<(&'static ConfigKey, ConfigSetting<'a>)>;

/// A table `[profiles.NAME]`, without the values of `[defaults]`.
#[derive(Debug)]
pub(super) struct FileProfile<'a> {
    pub name: &'a str,
    pub offset: usize,
    pub settings: FileSettings<'a>,
}

/// One of the two tables that can contain every key of a profile.
#[derive(Clone, Copy, Debug)]
enum KeyTable<'a> {
    Defaults,
    Profile(&'a str),
}

impl<'a> ConfigFile<'a> {
    pub(super) fn find_profile(&self, name: &str) -> Option<&FileProfile<'a>> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The values of one of this file's profiles, each key once. The profile's table wins over `[defaults]`.
    pub(super) fn settings_of<'f>(
        &'f self,
        profile: &'f FileProfile<'a>,
    ) -> impl Iterator<Item = &'f (&'static ConfigKey, ConfigSetting<'a>)> {
        let is_own = |key: &ConfigKey| profile.settings.iter().any(|(own, _)| *own == key);
        self.defaults.iter().filter(move |(key, _)| !is_own(key)).chain(&profile.settings)
    }
}

impl KeyTable<'_> {
    /// The name of the table, or of the table `section` inside it.
    fn name_of(self, section: &str) -> String {
        let table = match self {
            Self::Defaults => DEFAULTS.to_owned(),
            Self::Profile(name) => format!("profiles.{name}"),
        };
        if section.is_empty() { table } else { format!("{table}.{section}") }
    }
}

/// Parses the text as TOML. The parser stops at the first syntax error, so a failure is always a single problem.
pub(super) fn parse_toml(source: &SourceFile) -> Result<Spanned<DeTable<'_>>, Vec<ConfigProblem>> {
    DeTable::parse(&source.text).map_err(|refused| {
        let location = source.location_at(refused.span().map_or(0, |span| span.start));
        let key = refused.span().and_then(|span| source.text.get(span));
        // The parser's message does not name the key that occurs twice; its span does.
        let what = match (refused.message(), key) {
            (twice @ "duplicate key", Some(key)) => format!("{twice} {key}"),
            (message, _) => message.to_owned(),
        };
        vec![ConfigFault::Syntax { what }.at(location)]
    })
}

/// Whether the file sets `trust_environment = true`. Reads the raw table, because the program must decide about
/// variables before the file is interpreted.
pub(super) fn trusts_environment(table: &DeTable<'_>) -> bool {
    table.get(TRUST_ENVIRONMENT).and_then(|value| value.get_ref().as_bool()) == Some(true)
}

/// Whether the file defines at least one profile.
pub(super) fn has_profiles(table: &DeTable<'_>) -> bool {
    table.get("profiles").and_then(|value| value.get_ref().as_table()).is_some_and(|profiles| !profiles.is_empty())
}

const TRUST_ENVIRONMENT: &str = "trust_environment";
const DEFAULTS: &str = "defaults";

/// Interprets a parsed file. Returns its content and all its problems, sorted by line.
pub(super) fn interpret_file<'a>(
    source: &'a SourceFile,
    table: &'a DeTable<'a>,
) -> (ConfigFile<'a>, Vec<ConfigProblem>) {
    let file = ConfigFile {
        source,
        default_profile: None,
        enforced_keys: Vec::new(),
        enforce_offset: 0,
        defaults: Vec::new(),
        profiles: Vec::new(),
    };
    let mut interpreter = FileInterpreter { file, faults: Vec::new() };
    interpreter.interpret(table);
    let FileInterpreter { file, mut faults } = interpreter;
    faults.sort_by_key(|(at, ..)| *at);
    (file, faults.into_iter().map(|(_, origin, fault)| fault.at(origin.location())).collect())
}

/// The state of [`interpret_file`]: the content so far and the faults so far.
struct FileInterpreter<'a> {
    file: ConfigFile<'a>,
    /// Each fault with its byte offset, by which the faults are sorted, and its origin, which messages print.
    faults: Vec<(usize, ValueOrigin<'a>, ConfigFault)>,
}

type TableEntry<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl<'a> FileInterpreter<'a> {
    /// Checks the versions first, because a newer file may contain keys that this program does not know. Without this
    /// order the user would read about unknown keys instead of the outdated program.
    fn interpret(&mut self, table: &'a DeTable<'a>) {
        let too_old = check_min_version(table).filter(|_| self.file.source.owner == FileOwner::Administrator);
        if let Some((at, fault)) = too_old {
            self.report(at, fault);
        } else if self.check_version(table) {
            table.iter().for_each(|entry| self.read_top_level_key(entry));
        }
    }

    fn report(&mut self, at: usize, fault: ConfigFault) {
        self.faults.push((at, ValueOrigin::File(self.file.source, at), fault));
    }

    /// Returns the parsed value, or reports the fault and returns `None`.
    fn accept<T>(&mut self, at: usize, result: ParseResult<T>) -> Option<T> {
        result.map_err(|fault| self.report(at, fault)).ok()
    }

    /// Checks `version`. Returns whether the rest of the file can be interpreted: not if it has a later version.
    fn check_version(&mut self, table: &DeTable<'_>) -> bool {
        let (at, value) = match table.get("version") {
            Some(value) => (value.span().start, value.get_ref()),
            None => {
                self.report(0, ConfigFault::NoVersion);
                return true;
            }
        };
        let number = value.as_integer().map(|number| u64::from_str_radix(number.as_str(), number.radix()));
        let (fault, is_known) = match number {
            Some(Ok(VERSION)) => return true,
            Some(Ok(version)) if version > VERSION => (ConfigFault::NewerVersion { version, known: VERSION }, false),
            Some(_) => (reject_value("version", value, "it must be 1"), true),
            None => (reject_type("version", "a number", value), true),
        };
        self.report(at, fault);
        is_known
    }

    fn read_top_level_key(&mut self, (name, value): TableEntry<'a>) {
        let (at, name, value) = (name.span().start, name.get_ref().as_ref(), value.get_ref());
        let known_names = TOP_LEVEL_KEYS.iter().map(|(_, name, _)| *name);
        let Some((key, ..)) = TOP_LEVEL_KEYS.iter().find(|(_, known, _)| *known == name) else {
            return self.report(at, reject_unknown_key(name, "", KeyTable::Profile("NAME"), known_names));
        };
        match key {
            // `check_version` has checked it.
            TopLevelKey::Version => {}
            TopLevelKey::DefaultProfile => {
                self.file.default_profile = self.accept(at, expect_string(name, value)).map(|profile| (profile, at));
            }
            TopLevelKey::Enforce => {
                (self.file.enforced_keys, self.file.enforce_offset) = (self.read_enforce_list(at, value), at);
            }
            TopLevelKey::MinVersion => {
                self.check_key(at, ValueOrigin::File(self.file.source, at), &keys::MIN_VERSION, value);
            }
            TopLevelKey::TrustEnvironment => {
                if self.accept(at, parse_bool(name, value)) == Some(true) && self.file.source.is_named {
                    self.report(at, ConfigFault::DefaultLocationOnly { key: TRUST_ENVIRONMENT });
                }
            }
            TopLevelKey::Defaults => {
                if let Some(table) = self.accept(at, expect_table(DEFAULTS, value, "a table")) {
                    self.file.defaults = self.read_keys(KeyTable::Defaults, table);
                }
            }
            TopLevelKey::Profiles => {
                let profiles = self.accept(at, expect_table(name, value, "a table of profiles"));
                let profiles = profiles.into_iter().flatten();
                self.file.profiles = profiles.filter_map(|entry| self.read_profile(entry)).collect();
            }
        }
    }

    fn read_enforce_list(&mut self, at: usize, value: &DeValue<'_>) -> Vec<&'static ConfigKey> {
        const EXPECTED: &str = "a list of keys";
        let Some(items) = self.accept(at, expect_list("enforce", value, EXPECTED)) else { return Vec::new() };
        if self.file.source.owner == FileOwner::User {
            self.report(at, ConfigFault::AdministratorOnly { key: "enforce" });
            return Vec::new();
        }
        let mut keys = Vec::new();
        for item in items {
            let name = item.get_ref().as_str().ok_or_else(|| reject_type("enforce", EXPECTED, item.get_ref()));
            keys.extend(self.accept(item.span().start, name.and_then(resolve_enforced_name)).unwrap_or_default());
        }
        keys
    }

    fn read_profile(&mut self, (name, value): TableEntry<'a>) -> Option<FileProfile<'a>> {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        let table = match is_profile_name(name) {
            true => expect_table(&format!("profiles.{name}"), value.get_ref(), "a table"),
            false => Err(reject_text("profiles", name, PROFILE_NAME_RULE)),
        };
        let table = self.accept(at, table)?;
        Some(FileProfile { name, offset: at, settings: self.read_keys(KeyTable::Profile(name), table) })
    }

    fn read_keys(&mut self, holder: KeyTable<'_>, table: &'a DeTable<'a>) -> FileSettings<'a> {
        let mut settings = Vec::with_capacity(table.len());
        self.read_section("", table, holder, &mut settings);
        settings
    }

    /// Reads the keys of one table. `section` is the name of the inner table; it is empty for the outer table, which
    /// may contain the inner ones.
    fn read_section(
        &mut self,
        section: &str,
        table: &'a DeTable<'a>,
        holder: KeyTable<'_>,
        settings: &mut FileSettings<'a>,
    ) {
        for (name, value) in table {
            let (at, name, value) = (name.span().start, name.get_ref().as_ref(), value.get_ref());
            if section.is_empty() && SECTIONS.iter().any(|(section, _)| *section == name) {
                if let Some(inner) = self.accept(at, expect_table(name, value, "a table")) {
                    self.read_section(name, inner, holder, settings);
                }
            } else if let Some(key) = keys::find_in_section(section, name) {
                let origin = match holder {
                    KeyTable::Defaults => ValueOrigin::FileDefaults(self.file.source, at),
                    KeyTable::Profile(_) => ValueOrigin::File(self.file.source, at),
                };
                settings.push((key, ConfigSetting { value, origin, is_enforced: false }));
                self.check_key(at, origin, key, value);
            } else {
                let here = KEYS.iter().filter(|key| key.section() == section).map(|key| key.own_name());
                let sections = SECTIONS.iter().map(|(name, _)| *name).filter(|_| section.is_empty());
                let known = here.chain(sections);
                self.report(at, reject_unknown_key(name, &holder.name_of(section), holder, known));
            }
        }
    }

    fn check_key(&mut self, at: usize, origin: ValueOrigin<'a>, key: &'static ConfigKey, value: &DeValue<'_>) {
        let is_misplaced = key.set_by == SetBy::Administrator && self.file.source.owner == FileOwner::User;
        let fault = is_misplaced.then_some(ConfigFault::AdministratorOnly { key: key.name });
        let fault = fault.or_else(|| key.check_value(value).err());
        self.faults.extend(fault.map(|fault| (at, origin, fault)));
    }
}

/// The keys that an entry of `enforce` stands for: a key, all keys of an inner table, or for `issuer` every key that
/// can name the issuer. Otherwise a user could get around an enforced issuer with a short form such as `okta_domain`.
fn resolve_enforced_name(name: &str) -> ParseResult<Vec<&'static ConfigKey>> {
    let is_part = |key: &&ConfigKey| {
        key.name == name || key.section() == name || name == keys::ISSUER.name && decides_issuer(key)
    };
    let keys: Vec<_> = KEYS.into_iter().filter(is_part).collect();
    if keys.is_empty() || name.is_empty() {
        let names = KEYS.iter().map(|key| key.name);
        return Err(ConfigFault::illegal_name("enforce", name, "no profile key has this name", names));
    }
    Ok(keys)
}

/// Rejects a key that does not exist in `table`. If another table has a key of this name, the message names that table;
/// otherwise it suggests the most similar name in `known`.
fn reject_unknown_key(
    name: &str,
    table: &str,
    holder: KeyTable<'_>,
    known: impl Iterator<Item = &'static str>,
) -> ConfigFault {
    match find_proper_table(holder, name) {
        Some(belongs) => ConfigFault::Misplaced { key: name.to_owned(), table: table.to_owned(), belongs },
        None => ConfigFault::unknown_key(name, table, known),
    }
}

/// The right place for a key of this name, with its preposition; `None` if no table has a key of this name.
fn find_proper_table(holder: KeyTable<'_>, name: &str) -> Option<String> {
    if TOP_LEVEL_KEYS.iter().any(|(_, known, _)| *known == name) {
        return Some("at the top of the file, before the first table".to_owned());
    }
    if SECTIONS.iter().any(|(section, _)| *section == name) {
        return Some(format!("in [{}]", holder.name_of("")));
    }
    let key = KEYS.iter().find(|key| key.own_name() == name)?;
    Some(format!("in [{}]", holder.name_of(key.section())))
}

/// The first `min_version` that this program does not meet: at the top of the file, in `[defaults]` or in a profile.
fn check_min_version(table: &DeTable<'_>) -> Option<(usize, ConfigFault)> {
    let profiles = table.get("profiles").and_then(|profiles| profiles.get_ref().as_table());
    let profiles = profiles.into_iter().flat_map(|profiles| profiles.values());
    let tables = table.get(DEFAULTS).into_iter().chain(profiles).filter_map(|table| table.get_ref().as_table());
    let mut required = std::iter::once(table).chain(tables).filter_map(|table| table.get(keys::MIN_VERSION.name));
    required.find_map(|value| Some((value.span().start, check_own_version(value.get_ref().as_str()?)?)))
}
