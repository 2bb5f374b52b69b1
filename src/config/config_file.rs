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
    issuer::decides_issuer,
    key::{ConfigKey, SetBy},
    keys::{self, KEYS, SECTIONS, TOP_LEVEL_KEYS, TopLevelKey, VERSION},
    min_version::check_own_version,
    parsers::{reject_text, reject_type, reject_value},
    setting::{ConfigSetting, ValueOrigin},
    source_file::{FileOwner, SourceFile},
    syntax::{find_nearest_name, is_profile_name},
    toml_value::quote_text,
};

/// What a file says.
#[derive(Debug)]
pub(super) struct ConfigFile<'a> {
    pub source: &'a SourceFile,
    pub default_profile: Option<(&'a str, usize)>,
    /// The keys that `enforce` names, and where the list stands.
    pub enforced_keys: Vec<&'static ConfigKey>,
    pub enforce_offset: usize,
    pub profiles: Vec<FileProfile<'a>>,
}

#[derive(Debug)]
pub(super) struct FileProfile<'a> {
    pub name: &'a str,
    pub offset: usize,
    pub settings: Vec<FileSetting<'a>>,
}

/// A key, its value, and where it stands.
#[derive(Debug)]
pub(super) struct FileSetting<'a> {
    pub key: &'static ConfigKey,
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
        let location = source.location_at(refused.span().map_or(0, |span| span.start));
        let key = refused.span().and_then(|span| source.text.get(span));
        let what = match (refused.message(), key) {
            (twice @ "duplicate key", Some(key)) => format!("{twice} {key}"),
            (message, _) => message.to_owned(),
        };
        vec![ConfigProblem { location, fault: ConfigFault::Syntax { what } }]
    })
}

/// Whether the file says that variables may set every key, though it defines profiles.
pub(super) fn trusts_environment(table: &DeTable<'_>) -> bool {
    table.get(TRUST_ENVIRONMENT).and_then(|value| value.get_ref().as_bool()) == Some(true)
}

pub(super) fn has_profiles(table: &DeTable<'_>) -> bool {
    table.get("profiles").and_then(|value| value.get_ref().as_table()).is_some_and(|profiles| !profiles.is_empty())
}

const TRUST_ENVIRONMENT: &str = "trust_environment";

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
        let too_old = check_min_version(table).filter(|_| self.source.owner == FileOwner::Administrator);
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
        let (at, value) = (value.span().start, value.get_ref());
        let DeValue::Integer(number) = value else {
            self.faults.push((at, reject_type("version", "a number", value)));
            return true;
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(VERSION) => true,
            Ok(version) if version > VERSION => {
                self.faults.push((at, ConfigFault::NewerVersion { version, known: VERSION }));
                false
            }
            Ok(_) | Err(_) => {
                self.faults.push((at, reject_value("version", value, "must be 1")));
                true
            }
        }
    }

    fn read_top_level_key(&mut self, (name, value): TableEntry<'a>, raw: &mut ConfigFile<'a>) {
        let (at, name, value) = (name.span().start, name.get_ref().as_ref(), value.get_ref());
        let Some((key, ..)) = TOP_LEVEL_KEYS.iter().find(|(_, known, _)| *known == name) else {
            return self.report_unknown_top_key(at, name);
        };
        match key {
            // Checked already.
            TopLevelKey::Version => {}
            TopLevelKey::DefaultProfile => match value.as_str() {
                Some(profile) => raw.default_profile = Some((profile, at)),
                None => self.faults.push((at, reject_type(name, "a string", value))),
            },
            TopLevelKey::Enforce => {
                (raw.enforced_keys, raw.enforce_offset) = (self.read_enforce_list(at, value), at);
            }
            TopLevelKey::MinVersion => self.check_key(at, &keys::MIN_VERSION, value),
            TopLevelKey::TrustEnvironment => match value.as_bool() {
                Some(true) if self.source.is_named => {
                    self.faults.push((at, ConfigFault::DefaultLocationOnly { key: TRUST_ENVIRONMENT }));
                }
                Some(_) => {}
                None => self.faults.push((at, reject_type(name, "true or false", value))),
            },
            TopLevelKey::Profiles => match value.as_table() {
                Some(profiles) => {
                    raw.profiles = profiles.iter().filter_map(|entry| self.read_profile(entry)).collect();
                }
                None => self.faults.push((at, reject_type(name, "a table of profiles", value))),
            },
        }
    }

    fn read_enforce_list(&mut self, at: usize, value: &DeValue<'_>) -> Vec<&'static ConfigKey> {
        let Some(items) = value.as_array() else {
            self.faults.push((at, reject_type("enforce", "a list of keys", value)));
            return Vec::new();
        };
        if self.source.owner == FileOwner::User {
            self.faults.push((at, ConfigFault::AdministratorOnly { key: "enforce" }));
            return Vec::new();
        }
        let mut keys = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref().as_str() {
                Some(name) => keys.extend(self.resolve_enforced_name(at, name)),
                None => self.faults.push((at, reject_type("enforce", "a list of keys", item.get_ref()))),
            }
        }
        keys
    }

    /// The key of that name, or all keys of a table. The issuer stands for every key that decides about it.
    fn resolve_enforced_name(&mut self, at: usize, name: &str) -> Vec<&'static ConfigKey> {
        let is_part = |key: &&ConfigKey| {
            key.name == name || key.section() == name || name == keys::ISSUER.name && decides_issuer(key)
        };
        let keys: Vec<_> = KEYS.into_iter().filter(is_part).collect();
        if keys.is_empty() || name.is_empty() {
            let nearest = find_nearest_name(name, KEYS.iter().map(|key| key.name)).map(str::to_owned);
            let (value, rule) = (Some(quote_text(name)), "not a key of a profile".into());
            self.faults.push((at, ConfigFault::IllegalValue { key: "enforce".to_owned(), value, rule, nearest }));
            return Vec::new();
        }
        keys
    }

    fn read_profile(&mut self, (name, value): TableEntry<'a>) -> Option<FileProfile<'a>> {
        let at = name.span().start;
        let name = name.get_ref().as_ref();
        if !is_profile_name(name) {
            let rule = "a profile's name is made of up to 64 letters, digits, \"-\", \"_\" and \".\", beginning with a letter or a digit";
            self.faults.push((at, reject_text("profiles", name, rule)));
            return None;
        }
        let Some(table) = value.get_ref().as_table() else {
            self.faults.push((at, reject_type(&format!("profiles.{name}"), "a table", value.get_ref())));
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
            let (name, value) = (name.get_ref().as_ref(), value.get_ref());
            let is_section = section.is_empty() && SECTIONS.iter().any(|(section, _)| *section == name);
            match (is_section, value.as_table(), keys::find_in_section(section, name)) {
                (true, Some(inner), _) => self.read_profile_keys(profile, name, inner, settings),
                (true, None, _) => self.faults.push((at, reject_type(name, "a table", value))),
                (false, _, Some(key)) => {
                    settings.push(FileSetting { key, value, offset: at });
                    self.check_key(at, key, value);
                }
                (false, _, None) => self.report_unknown_key(at, profile, section, name),
            }
        }
    }

    fn check_key(&mut self, at: usize, key: &'static ConfigKey, value: &DeValue<'_>) {
        if key.set_by == SetBy::Administrator && self.source.owner == FileOwner::User {
            self.faults.push((at, ConfigFault::AdministratorOnly { key: key.name }));
        } else if let Err(fault) = key.check_value(value) {
            self.faults.push((at, fault));
        }
    }

    fn report_unknown_key(&mut self, at: usize, profile: &str, section: &str, name: &str) {
        let dot = if section.is_empty() { "" } else { "." };
        let (key, table) = (name.to_owned(), format!("profiles.{profile}{dot}{section}"));
        let here = KEYS.iter().filter(|key| key.section() == section).map(|key| key.own_name());
        let sections = SECTIONS.iter().map(|(name, _)| *name).filter(|_| section.is_empty());
        let fault = match find_proper_table(profile, name) {
            Some(belongs_in) => ConfigFault::Misplaced { key, table, belongs_in },
            None => {
                let nearest = find_nearest_name(name, here.chain(sections)).map(str::to_owned);
                ConfigFault::UnknownKey { key, table, nearest }
            }
        };
        self.faults.push((at, fault));
    }

    fn report_unknown_top_key(&mut self, at: usize, name: &str) {
        let fault = match find_proper_table("NAME", name) {
            Some(belongs_in) => ConfigFault::Misplaced { key: name.to_owned(), table: String::new(), belongs_in },
            None => ConfigFault::UnknownKey {
                key: name.to_owned(),
                table: String::new(),
                nearest: find_nearest_name(name, TOP_LEVEL_KEYS.iter().map(|(_, name, _)| *name)).map(str::to_owned),
            },
        };
        self.faults.push((at, fault));
    }
}

/// The table in which a key of that name would be at home.
fn find_proper_table(profile: &str, name: &str) -> Option<String> {
    if TOP_LEVEL_KEYS.iter().any(|(_, known, _)| *known == name) {
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

/// Where the file requires a newer version of this program, at its top or in a profile.
fn check_min_version(table: &DeTable<'_>) -> Option<(usize, ConfigFault)> {
    let profiles = table.get("profiles").and_then(|profiles| profiles.get_ref().as_table());
    let profiles = profiles.into_iter().flat_map(|profiles| profiles.values());
    let tables = profiles.filter_map(|profile| profile.get_ref().as_table());
    let mut required = std::iter::once(table).chain(tables).filter_map(|table| table.get(keys::MIN_VERSION.name));
    required.find_map(|value| Some((value.span().start, check_own_version(value.get_ref().as_str()?)?)))
}
