//! Which issuer holds: the one that is written, or the one that a short form or the provider's name stands for.
//!
//! Exactly one, or several that agree; how a short form is spelt out is for `provider`.

use toml::de::DeValue;

use super::{
    Issuer, Provider,
    error::{Fault, Place, Problem},
    key,
    provider::{SHORT, Short, Wrong},
    read,
    setting::{Origin, Setting, Settings},
    value::written,
};

/// The issuer, and what it was told by.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub issuer: Issuer,
    pub key: &'static str,
    pub origin: Origin<'a>,
    /// The kind that a short form stands for.
    pub short: Option<Provider>,
}

impl Told<'_> {
    pub(super) fn place(&self) -> Place {
        self.origin.place()
    }
}

/// `None` when nothing tells it.
pub(super) fn told<'a>(settings: &Settings<'a>) -> Result<Option<Told<'a>>, Vec<Problem>> {
    let mut found: Option<Told<'a>> = None;
    for told in tellers(settings) {
        let told = told?;
        match &mut found {
            Some(first) if first.issuer != told.issuer => return Err(vec![disagree(first, &told)]),
            Some(first) => first.short = first.short.or(told.short),
            None => found = Some(told),
        }
    }
    if found.is_none() {
        found = by_name(settings);
    }
    Ok(found)
}

/// Whether any key tells the issuer.
pub(super) fn is_told(settings: &Settings<'_>) -> bool {
    tellers(settings).next().is_some() || by_name(settings).is_some()
}

/// The keys that decide about the issuer, and where its sign-in pages and its token endpoint are.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    let short = SHORT.iter().flat_map(|short| [short.key, short.beside]).filter(|key| !key.is_empty());
    ["issuer", "provider", "cognito_domain"].into_iter().chain(short)
}

fn tellers<'s, 'a>(settings: &'s Settings<'a>) -> impl Iterator<Item = Result<Told<'a>, Vec<Problem>>> + 's {
    let written = setting(settings, "issuer").map(|setting| {
        let (_, key) = keyed("issuer").expect("the table has it");
        read::issuer(key, setting.value)
            .map(|issuer| Told { issuer, key: "issuer", origin: setting.origin, short: None })
            .map_err(|fault| vec![Problem { place: setting.origin.place(), fault }])
    });
    let short = SHORT.iter().filter_map(|short| {
        let beside = setting(settings, short.beside).filter(|setting| !text(*setting).is_empty());
        let Some(setting) = setting(settings, short.key).filter(|setting| !text(*setting).is_empty()) else {
            return beside.map(|alone| Err(vec![without(short, alone)]));
        };
        Some(match short.issuer(text(setting), beside.map_or("", text)) {
            Ok(issuer) => {
                Ok(Told { issuer, key: short.key, origin: setting.origin, short: Some(short.provider) })
            }
            Err(wrong) => Err(vec![contradiction(short.key, setting, wrong)]),
        })
    });
    written.into_iter().chain(short)
}

/// `provider = "google"` says it all.
fn by_name<'a>(settings: &Settings<'a>) -> Option<Told<'a>> {
    let setting = setting(settings, "provider")?;
    let issuer = Issuer::parse(Provider::of_word(text(setting))?.only_issuer()?).ok()?;
    Some(Told { issuer, key: "provider", origin: setting.origin, short: None })
}

fn without(short: &'static Short, beside: Setting<'_>) -> Problem {
    let (rule, instead) =
        (format!("it says nothing without `{}`", short.key), format!("add `{}`", short.key));
    contradiction(short.beside, beside, Wrong { rule, instead })
}

pub(super) fn contradiction(key: &'static str, setting: Setting<'_>, wrong: Wrong) -> Problem {
    let Wrong { rule, instead } = wrong;
    let value = written(setting.value);
    Problem { place: setting.origin.place(), fault: Fault::Contradiction { key, value, rule, instead } }
}

fn disagree(first: &Told<'_>, second: &Told<'_>) -> Problem {
    let fault = Fault::TwoIssuers {
        key: second.key,
        issuer: second.issuer.as_str().to_owned(),
        other: first.key,
        other_issuer: first.issuer.as_str().to_owned(),
        other_place: first.place().to_string(),
    };
    Problem { place: second.place(), fault }
}

fn keyed(name: &str) -> Option<(usize, &'static key::Key)> {
    let index = key::find_full(name)?;
    Some((index, key::KEYS.get(index)?))
}

fn setting<'a>(settings: &Settings<'a>, name: &str) -> Option<Setting<'a>> {
    let (index, _) = keyed(name)?;
    *settings.get(index)?
}

/// Keys of another kind are judged by `read`.
fn text<'a>(setting: Setting<'a>) -> &'a str {
    match setting.value {
        DeValue::String(text) => text,
        _ => "",
    }
}
