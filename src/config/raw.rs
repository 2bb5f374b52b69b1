//! A file as written: every key known, every value of its kind; or all that is wrong with it.
//!
//! One file by itself. What files mean together is for `layers`.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{Fault, Problem},
    issuer,
    key::{self, KEYS, SECTIONS, TOP, VERSION},
    read::{self, type_name},
    setting::{Origin, Setting},
    source::{Rank, Source},
    value::written,
    version,
};

/// What a file says.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    pub source: &'a Source,
    pub default_profile: Option<(&'a str, usize)>,
    /// Places in the table of keys, and where the list stands.
    pub enforce: Vec<usize>,
    pub enforce_at: usize,
    pub profiles: Vec<RawProfile<'a>>,
}

#[derive(Debug)]
pub(super) struct RawProfile<'a> {
    pub name: &'a str,
    pub at: usize,
    pub settings: Vec<RawSetting<'a>>,
}

/// A key (by its place in the table), its value, and where it stands.
#[derive(Debug)]
pub(super) struct RawSetting<'a> {
    pub key: usize,
    pub value: &'a DeValue<'a>,
    pub at: usize,
}

impl<'a> Raw<'a> {
    /// A value of this file, as a layer.
    pub(super) fn setting(&self, setting: &RawSetting<'a>) -> Setting<'a> {
        let origin = Origin::File(self.source, setting.at);
        Setting { value: setting.value, origin, is_fixed: false }
    }
}

pub(super) fn parse(source: &Source) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
    DeTable::parse(&source.text).map_err(|refused| {
        let place = source.place(refused.span().map_or(0, |span| span.start));
        let key = refused.span().and_then(|span| source.text.get(span));
        let what = match (refused.message(), key) {
            (twice @ "duplicate key", Some(key)) => format!("{twice} {key}"),
            (message, _) => message.to_owned(),
        };
        vec![Problem { place, fault: Fault::Syntax { what } }]
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
pub(super) fn survey<'a>(source: &'a Source, table: &'a DeTable<'a>) -> (Raw<'a>, Vec<Problem>) {
    let mut survey = Survey { source, faults: Vec::new() };
    let raw = survey.file(table);
    survey.faults.sort_by_key(|(at, _)| *at);
    let problem = |(at, fault)| Problem { place: source.place(at), fault };
    (raw, survey.faults.into_iter().map(problem).collect())
}

struct Survey<'a> {
    source: &'a Source,
    faults: Vec<(usize, Fault)>,
}

type Entry<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

impl<'a> Survey<'a> {
    fn file(&mut self, table: &'a DeTable<'a>) -> Raw<'a> {
        let mut raw = Raw {
            source: self.source,
            default_profile: None,
            enforce: Vec::new(),
            enforce_at: 0,
            profiles: Vec::new(),
        };
        // The version is judged first: a newer file may hold keys that this program does not know.
        let too_old = version::too_old(table).filter(|_| self.source.rank == Rank::Administrator);
        if let Some(fault) = too_old {
            self.faults.push(fault);
        } else if self.is_of_this_version(table) {
            for entry in table {
                self.top(entry, &mut raw);
            }
        }
        raw
    }

    /// A file of a later version is not judged by this one's keys.
    fn is_of_this_version(&mut self, table: &DeTable<'_>) -> bool {
        let Some(value) = table.get("version") else {
            self.faults.push((0, Fault::NoVersion));
            return true;
        };
        let at = value.span().start;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(at, "version", "a number", value.get_ref());
            return true;
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(VERSION) => true,
            Ok(version) if version > VERSION => {
                self.faults.push((at, Fault::Newer { version, known: VERSION }));
                false
            }
            _ => {
                self.illegal(at, "version", value.get_ref(), "must be 1");
                true
            }
        }
    }

    fn top(&mut self, (name, value): Entry<'a>, raw: &mut Raw<'a>) {
        let at = name.span().start;
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("version", _) => {}
            ("default_profile", DeValue::String(text)) => raw.default_profile = Some((text, at)),
            ("default_profile", other) => self.wrong_type(at, "default_profile", "a string", other),
            ("enforce", value) => (raw.enforce, raw.enforce_at) = (self.enforce(at, value), at),
            (version::KEY, _) if self.source.rank == Rank::User => {
                self.faults.push((at, Fault::ByUser { key: version::KEY }));
            }
            (version::KEY, value) => {
                let judged = key::find_full(version::KEY)
                    .and_then(|key| KEYS.get(key))
                    .map(|key| read::check(key, value));
                self.faults.extend(judged.and_then(Result::err).map(|fault| (at, fault)));
            }
            (TRUST, DeValue::Boolean(true)) if self.source.is_named => {
                self.faults.push((at, Fault::ByNamedFile { key: TRUST }));
            }
            (TRUST, DeValue::Boolean(_)) => {}
            (TRUST, other) => self.wrong_type(at, TRUST, "true or false", other),
            ("profiles", DeValue::Table(profiles)) => {
                raw.profiles = profiles.iter().filter_map(|entry| self.profile(entry)).collect();
            }
            ("profiles", other) => self.wrong_type(at, "profiles", "a table of profiles", other),
            (unknown, _) => self.unknown_top(at, unknown),
        }
    }

    fn enforce(&mut self, at: usize, value: &DeValue<'_>) -> Vec<usize> {
        let DeValue::Array(items) = value else {
            self.wrong_type(at, "enforce", "a list of keys", value);
            return Vec::new();
        };
        if self.source.rank == Rank::User {
            self.faults.push((at, Fault::ByUser { key: "enforce" }));
            return Vec::new();
        }
        let mut keys = Vec::new();
        for item in items {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::String(name) => keys.extend(self.enforced(at, name)),
                other => self.wrong_type(at, "enforce", "a list of keys", other),
            }
        }
        keys
    }

    /// A key's name, or an inner table's for all that is in it.
    fn enforced(&mut self, at: usize, name: &str) -> Vec<usize> {
        // Who fixes the issuer fixes it however it may be written.
        let is_issuer = |key: &key::Key| name == "issuer" && issuer::keys().any(|one| one == key.name);
        let keys: Vec<usize> = (0..)
            .zip(&KEYS)
            .filter(|(_, key)| key.name == name || key.section() == name || is_issuer(key))
            .map(|(index, _)| index)
            .collect();
        if keys.is_empty() || name.is_empty() {
            let nearest = key::nearest(name, KEYS.iter().map(|key| key.name)).map(str::to_owned);
            let value = Some(written(&DeValue::String(Cow::Borrowed(name))));
            let rule = Cow::Borrowed("not a key of a profile");
            self.faults.push((at, Fault::Illegal { key: "enforce".to_owned(), value, rule, nearest }));
            return Vec::new();
        }
        keys
    }

    fn profile(&mut self, (name, value): Entry<'a>) -> Option<RawProfile<'a>> {
        let at = name.span().start;
        let name = name.get_ref().as_ref();
        if !is_profile_name(name) {
            let rule = "a profile's name is made of up to 64 letters, digits, \"-\", \"_\" and \".\", beginning with a letter or a digit";
            self.illegal(at, "profiles", &DeValue::String(Cow::Borrowed(name)), rule);
            return None;
        }
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(at, &format!("profiles.{name}"), "a table", value.get_ref());
            return None;
        };
        let mut settings = Vec::with_capacity(table.len());
        self.keys(name, "", table, &mut settings);
        Some(RawProfile { name, at, settings })
    }

    fn keys(
        &mut self,
        profile: &str,
        section: &str,
        table: &'a DeTable<'a>,
        settings: &mut Vec<RawSetting<'a>>,
    ) {
        for (name, value) in table {
            let at = name.span().start;
            let name = name.get_ref().as_ref();
            let is_section = section.is_empty() && SECTIONS.iter().any(|(section, _)| *section == name);
            match (key::find(section, name), value.get_ref()) {
                (_, DeValue::Table(inner)) if is_section => self.keys(profile, name, inner, settings),
                (_, other) if is_section => self.wrong_type(at, name, "a table", other),
                (Some(key), value) => {
                    settings.push(RawSetting { key, value, at });
                    if let Err(fault) = KEYS.get(key).map_or(Ok(()), |key| self.judge(key, value)) {
                        self.faults.push((at, fault));
                    }
                }
                (None, _) => self.unknown(at, profile, section, name),
            }
        }
    }

    fn judge(&self, key: &key::Key, value: &DeValue<'_>) -> Result<(), Fault> {
        if key.is_administrators() && self.source.rank == Rank::User {
            return Err(Fault::ByUser { key: key.name });
        }
        read::check(key, value)
    }

    fn unknown(&mut self, at: usize, profile: &str, section: &str, name: &str) {
        let dot = if section.is_empty() { "" } else { "." };
        let (key, table) = (name.to_owned(), format!("profiles.{profile}{dot}{section}"));
        let here = KEYS.iter().filter(|key| key.section() == section).map(key::Key::own_name);
        let sections = SECTIONS.iter().map(|(name, _)| *name).filter(|_| section.is_empty());
        let fault = match belongs_in(profile, name) {
            Some(belongs_in) => Fault::Misplaced { key, table, belongs_in },
            None => {
                let nearest = key::nearest(name, here.chain(sections)).map(str::to_owned);
                Fault::UnknownKey { key, table, nearest }
            }
        };
        self.faults.push((at, fault));
    }

    fn unknown_top(&mut self, at: usize, name: &str) {
        let fault = match belongs_in("NAME", name) {
            Some(belongs_in) => Fault::Misplaced { key: name.to_owned(), table: String::new(), belongs_in },
            None => Fault::UnknownKey {
                key: name.to_owned(),
                table: String::new(),
                nearest: key::nearest(name, TOP.iter().map(|key| key.name)).map(str::to_owned),
            },
        };
        self.faults.push((at, fault));
    }

    fn wrong_type(&mut self, at: usize, key: &str, expected: &'static str, found: &DeValue<'_>) {
        let fault = Fault::WrongType { key: key.to_owned(), expected, found: type_name(found) };
        self.faults.push((at, fault));
    }

    fn illegal(&mut self, at: usize, key: &str, value: &DeValue<'_>, rule: &'static str) {
        let (key, value) = (key.to_owned(), Some(written(value)));
        self.faults.push((at, Fault::Illegal { key, value, rule: rule.into(), nearest: None }));
    }
}

/// The table in which a key of that name would be at home.
fn belongs_in(profile: &str, name: &str) -> Option<String> {
    if TOP.iter().any(|key| key.name == name) {
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
