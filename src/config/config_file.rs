//! A file as written: every key known, every value of its kind; or all that is wrong with it.
//!
//! One file by itself. What files mean together is for `layers`.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{ConfigFault, ConfigProblem},
    issuer,
    keys::{self, KEYS, SECTIONS, TOP_LEVEL_KEYS, VERSION},
    min_version,
    parsers::{self, type_name},
    setting::{ConfigSetting, ValueOrigin},
    source_file::{FileOwner, SourceFile},
    toml_value::to_toml,
};

/// What a file says.
#[derive(Debug)]
pub(super) struct ConfigFile<'a> {
    pub source: &'a SourceFile,
    pub default_profile: Option<(&'a str, usize)>,
    /// Places in the table of keys, and where the list stands.
    pub enforced_keys: Vec<usize>,
    pub enforce_offset: usize,
    pub profiles: Vec<FileProfile<'a>>,
}

#[derive(Debug)]
pub(super) struct FileProfile<'a> {
    pub name: &'a str,
    pub offset: usize,
    pub settings: Vec<FileSetting<'a>>,
}

/// A key (by its place in the table), its value, and where it stands.
#[derive(Debug)]
pub(super) struct FileSetting<'a> {
    pub key: usize,
    pub value: &'a DeValue<'a>,
    pub offset: usize,
}

impl<'a> ConfigFile<'a> {
    /// A value of this file, as a layer.
    pub(super) fn layer_setting(&self, setting: &FileSetting<'a>) -> ConfigSetting<'a> {
        let origin = ValueOrigin::File(self.source, setting.offset);
        ConfigSetting { value: setting.value, origin, is_enforced: false }
    }
}

pub(super) fn parse_toml(source: &SourceFile) -> Result<Spanned<DeTable<'_>>, Vec<ConfigProblem>> {
    DeTable::parse(&source.text).map_err(|refused| {
        let place = source.location_at(refused.span().map_or(0, |span| span.start));
        let key = refused.span().and_then(|span| source.text.get(span));
        let what = match (refused.message(), key) {
            (twice @ "duplicate key", Some(key)) => format!("{twice} {key}"),
            (message, _) => message.to_owned(),
        };
        vec![ConfigProblem { location: place, fault: ConfigFault::Syntax { what } }]
    })
}

/// Whether the file says that variables may set every key, though it defines profiles.
pub(super) fn trusts_environment(table: &DeTable<'_>) -> bool {
    matches!(table.get(TRUST).map(Spanned::get_ref), Some(DeValue::Boolean(true)))
}

pub(super) fn has_profiles(table: &DeTable<'_>) -> bool {
    matches!(table.get("profiles").map(Spanned::get_ref), Some(DeValue::Table(profiles)) if !profiles.is_empty())
}

const TRUST: &str = "trust_environment";

/// Takes the file apart, with all that is wrong in it.
pub(super) fn interpret_file<'a>(
    source: &'a SourceFile,
    table: &'a DeTable<'a>,
) -> (ConfigFile<'a>, Vec<ConfigProblem>) {
    let mut survey = FileInterpreter { source, faults: Vec::new() };
    let raw = survey.interpret(table);
    survey.faults.sort_by_key(|(at, _)| *at);
    let problem = |(at, fault)| ConfigProblem { location: source.location_at(at), fault };
    (raw, survey.faults.into_iter().map(problem).collect())
}

struct FileInterpreter<'a> {
    source: &'a SourceFile,
    faults: Vec<(usize, ConfigFault)>,
}

type TableEntry<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl<'a> FileInterpreter<'a> {
    fn interpret(&mut self, table: &'a DeTable<'a>) -> ConfigFile<'a> {
        let mut raw = ConfigFile {
            source: self.source,
            default_profile: None,
            enforced_keys: Vec::new(),
            enforce_offset: 0,
            profiles: Vec::new(),
        };
        // The version is judged first: a newer file may hold keys that this program does not know.
        let too_old =
            min_version::check_min_version(table).filter(|_| self.source.owner == FileOwner::Administrator);
        if let Some(fault) = too_old {
            self.faults.push(fault);
        } else if self.check_version(table) {
            for entry in table {
                self.read_top_level_key(entry, &mut raw);
            }
        }
        raw
    }

    /// A file of a later version is not judged by this one's keys.
    fn check_version(&mut self, table: &DeTable<'_>) -> bool {
        let Some(value) = table.get("version") else {
            self.faults.push((0, ConfigFault::NoVersion));
            return true;
        };
        let at = value.span().start;
        let DeValue::Integer(number) = value.get_ref() else {
            self.report_wrong_type(at, "version", "a number", value.get_ref());
            return true;
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(VERSION) => true,
            Ok(version) if version > VERSION => {
                self.faults.push((at, ConfigFault::NewerVersion { version, known: VERSION }));
                false
            }
            _ => {
                self.report_illegal_value(at, "version", value.get_ref(), "must be 1");
                true
            }
        }
    }

    fn read_top_level_key(&mut self, (name, value): TableEntry<'a>, raw: &mut ConfigFile<'a>) {
        let at = name.span().start;
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("version", _) => {}
            ("default_profile", DeValue::String(text)) => raw.default_profile = Some((text, at)),
            ("default_profile", other) => self.report_wrong_type(at, "default_profile", "a string", other),
            ("enforce", value) => {
                (raw.enforced_keys, raw.enforce_offset) = (self.read_enforce_list(at, value), at);
            }
            (min_version::MIN_VERSION, _) if self.source.owner == FileOwner::User => {
                self.faults.push((at, ConfigFault::AdministratorOnly { key: min_version::MIN_VERSION }));
            }
            (min_version::MIN_VERSION, value) => {
                let judged = keys::find_key(min_version::MIN_VERSION)
                    .and_then(|key| KEYS.get(key))
                    .map(|key| parsers::check_value(key, value));
                self.faults.extend(judged.and_then(Result::err).map(|fault| (at, fault)));
            }
            (TRUST, DeValue::Boolean(true)) if self.source.is_named => {
                self.faults.push((at, ConfigFault::DefaultLocationOnly { key: TRUST }));
            }
            (TRUST, DeValue::Boolean(_)) => {}
            (TRUST, other) => self.report_wrong_type(at, TRUST, "true or false", other),
            ("profiles", DeValue::Table(profiles)) => {
                raw.profiles = profiles.iter().filter_map(|entry| self.read_profile(entry)).collect();
            }
            ("profiles", other) => self.report_wrong_type(at, "profiles", "a table of profiles", other),
            (unknown, _) => self.report_unknown_top_key(at, unknown),
        }
    }

    fn read_enforce_list(&mut self, at: usize, value: &DeValue<'_>) -> Vec<usize> {
        let DeValue::Array(items) = value else {
            self.report_wrong_type(at, "enforce", "a list of keys", value);
            return Vec::new();
        };
        if self.source.owner == FileOwner::User {
            self.faults.push((at, ConfigFault::AdministratorOnly { key: "enforce" }));
            return Vec::new();
        }
        let mut keys = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(name) => keys.extend(self.resolve_enforced_name(at, name)),
                other => self.report_wrong_type(at, "enforce", "a list of keys", other),
            }
        }
        keys
    }

    /// A key's name, or an inner table's for all that is in it.
    fn resolve_enforced_name(&mut self, at: usize, name: &str) -> Vec<usize> {
        // Who fixes the issuer fixes it however it may be written.
        let is_issuer =
            |key: &keys::ConfigKey| name == "issuer" && issuer::list_issuer_keys().any(|one| one == key.name);
        let keys: Vec<usize> = (0..)
            .zip(&KEYS)
            .filter(|(_, key)| key.name == name || key.section() == name || is_issuer(key))
            .map(|(index, _)| index)
            .collect();
        if keys.is_empty() || name.is_empty() {
            let nearest = keys::find_nearest_name(name, KEYS.iter().map(|key| key.name)).map(str::to_owned);
            let value = Some(to_toml(&DeValue::String(Cow::Borrowed(name))));
            let rule = Cow::Borrowed("not a key of a profile");
            self.faults
                .push((at, ConfigFault::IllegalValue { key: "enforce".to_owned(), value, rule, nearest }));
            return Vec::new();
        }
        keys
    }

    fn read_profile(&mut self, (name, value): TableEntry<'a>) -> Option<FileProfile<'a>> {
        let at = name.span().start;
        let name = name.get_ref().as_ref();
        if !is_profile_name(name) {
            let rule = "a profile's name is made of up to 64 letters, digits, \"-\", \"_\" and \".\", beginning with a letter or a digit";
            self.report_illegal_value(at, "profiles", &DeValue::String(Cow::Borrowed(name)), rule);
            return None;
        }
        let DeValue::Table(table) = value.get_ref() else {
            self.report_wrong_type(at, &format!("profiles.{name}"), "a table", value.get_ref());
            return None;
        };
        let mut settings = Vec::with_capacity(table.len());
        self.read_profile_keys(name, "", table, &mut settings);
        Some(FileProfile { name, offset: at, settings })
    }

    fn read_profile_keys(
        &mut self,
        profile: &str,
        section: &str,
        table: &'a DeTable<'a>,
        settings: &mut Vec<FileSetting<'a>>,
    ) {
        for (name, value) in table {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            let is_section = section.is_empty() && SECTIONS.iter().any(|(section, _)| *section == name);
            match (keys::find_in_section(section, name), value.get_ref()) {
                (_, DeValue::Table(inner)) if is_section => {
                    self.read_profile_keys(profile, name, inner, settings);
                }
                (_, other) if is_section => self.report_wrong_type(at, name, "a table", other),
                (Some(key), value) => {
                    settings.push(FileSetting { key, value, offset: at });
                    if let Err(fault) = KEYS.get(key).map_or(Ok(()), |key| self.check_key(key, value)) {
                        self.faults.push((at, fault));
                    }
                }
                (None, _) => self.report_unknown_key(at, profile, section, name),
            }
        }
    }

    fn check_key(&self, key: &keys::ConfigKey, value: &DeValue<'_>) -> Result<(), ConfigFault> {
        if key.is_administrator_only() && self.source.owner == FileOwner::User {
            return Err(ConfigFault::AdministratorOnly { key: key.name });
        }
        parsers::check_value(key, value)
    }

    fn report_unknown_key(&mut self, at: usize, profile: &str, section: &str, name: &str) {
        let dot = if section.is_empty() { "" } else { "." };
        let (key, table) = (name.to_owned(), format!("profiles.{profile}{dot}{section}"));
        let here = KEYS.iter().filter(|key| key.section() == section).map(keys::ConfigKey::own_name);
        let sections = SECTIONS.iter().map(|(name, _)| *name).filter(|_| section.is_empty());
        let fault = match find_proper_table(profile, name) {
            Some(belongs_in) => ConfigFault::Misplaced { key, table, belongs_in },
            None => {
                let nearest = keys::find_nearest_name(name, here.chain(sections)).map(str::to_owned);
                ConfigFault::UnknownKey { key, table, nearest }
            }
        };
        self.faults.push((at, fault));
    }

    fn report_unknown_top_key(&mut self, at: usize, name: &str) {
        let fault = match find_proper_table("NAME", name) {
            Some(belongs_in) => {
                ConfigFault::Misplaced { key: name.to_owned(), table: String::new(), belongs_in }
            }
            None => ConfigFault::UnknownKey {
                key: name.to_owned(),
                table: String::new(),
                nearest: keys::find_nearest_name(name, TOP_LEVEL_KEYS.iter().map(|key| key.name))
                    .map(str::to_owned),
            },
        };
        self.faults.push((at, fault));
    }

    fn report_wrong_type(&mut self, at: usize, key: &str, expected: &'static str, found: &DeValue<'_>) {
        let fault = ConfigFault::WrongType { key: key.to_owned(), expected, found: type_name(found) };
        self.faults.push((at, fault));
    }

    fn report_illegal_value(&mut self, at: usize, key: &str, value: &DeValue<'_>, rule: &'static str) {
        let (key, value) = (key.to_owned(), Some(to_toml(value)));
        self.faults.push((at, ConfigFault::IllegalValue { key, value, rule: rule.into(), nearest: None }));
    }
}

/// The table in which a key of that name would be at home.
fn find_proper_table(profile: &str, name: &str) -> Option<String> {
    if TOP_LEVEL_KEYS.iter().any(|key| key.name == name) {
        return Some("the top of the file, before the first table".to_owned());
    }
    if SECTIONS.iter().any(|(section, _)| *section == name) {
        return Some(format!("[profiles.{profile}]"));
    }
    let key = KEYS.iter().find(|key| key.own_name() == name)?;
    Some(match key.section() {
        "" => format!("[profiles.{profile}]"),
        section => format!("[profiles.{profile}.{section}]"),
    })
}

/// Fit for a command line, a file's name and a bare TOML key that people type.
pub(super) fn is_profile_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len())
        && name.bytes().all(is_part)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}
