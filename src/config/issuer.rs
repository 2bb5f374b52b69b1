//! Which issuer holds: the one that is written, or the one that a short form or the provider's name stands for.
//!
//! Exactly one, or several that agree; how a short form is spelt out is for `provider`.

use toml::de::DeValue;

use super::{
    Issuer, Provider,
    error::{ConfigFault, ConfigProblem, ValueLocation},
    keys, parsers,
    provider::{IssuerShorthand, SHORTHANDS, ValueConflict},
    setting::{ConfigSetting, ConfigSettings, ValueOrigin},
    toml_value::to_toml,
};

/// The issuer, and what it was told by.
#[derive(Debug)]
pub(super) struct ResolvedIssuer<'a> {
    pub issuer: Issuer,
    pub key: &'static str,
    pub origin: ValueOrigin<'a>,
    /// The kind that a short form stands for.
    pub shorthand_provider: Option<Provider>,
}

impl ResolvedIssuer<'_> {
    pub(super) fn location(&self) -> ValueLocation {
        self.origin.location()
    }
}

/// `None` when nothing tells it.
pub(super) fn resolve_issuer<'a>(
    settings: &ConfigSettings<'a>,
) -> Result<Option<ResolvedIssuer<'a>>, Vec<ConfigProblem>> {
    let mut found: Option<ResolvedIssuer<'a>> = None;
    for told in list_issuer_candidates(settings) {
        let told = told?;
        match &mut found {
            Some(first) if first.issuer != told.issuer => return Err(vec![report_two_issuers(first, &told)]),
            Some(first) => first.shorthand_provider = first.shorthand_provider.or(told.shorthand_provider),
            None => found = Some(told),
        }
    }
    if found.is_none() {
        found = derive_from_provider(settings);
    }
    Ok(found)
}

/// Whether any key tells the issuer.
pub(super) fn has_issuer(settings: &ConfigSettings<'_>) -> bool {
    list_issuer_candidates(settings).next().is_some() || derive_from_provider(settings).is_some()
}

/// The keys that decide about the issuer, and where its sign-in pages and its token endpoint are.
pub(super) fn list_issuer_keys() -> impl Iterator<Item = &'static str> {
    let short =
        SHORTHANDS.iter().flat_map(|short| [short.key, short.companion_key]).filter(|key| !key.is_empty());
    ["issuer", "provider", "cognito_domain"].into_iter().chain(short)
}

fn list_issuer_candidates<'s, 'a>(
    settings: &'s ConfigSettings<'a>,
) -> impl Iterator<Item = Result<ResolvedIssuer<'a>, Vec<ConfigProblem>>> + 's {
    let written = find_setting(settings, "issuer").map(|setting| {
        let (_, key) = lookup_key("issuer").expect("the table has it");
        parsers::parse_issuer(key, setting.value)
            .map(|issuer| ResolvedIssuer {
                issuer,
                key: "issuer",
                origin: setting.origin,
                shorthand_provider: None,
            })
            .map_err(|fault| vec![ConfigProblem { location: setting.origin.location(), fault }])
    });
    let short = SHORTHANDS.iter().filter_map(|short| {
        let beside = find_setting(settings, short.companion_key)
            .filter(|setting| !read_setting_text(*setting).is_empty());
        let Some(setting) =
            find_setting(settings, short.key).filter(|setting| !read_setting_text(*setting).is_empty())
        else {
            return beside.map(|alone| Err(vec![report_lone_companion(short, alone)]));
        };
        Some(match short.build_issuer(read_setting_text(setting), beside.map_or("", read_setting_text)) {
            Ok(issuer) => Ok(ResolvedIssuer {
                issuer,
                key: short.key,
                origin: setting.origin,
                shorthand_provider: Some(short.provider),
            }),
            Err(wrong) => Err(vec![report_conflict(short.key, setting, wrong)]),
        })
    });
    written.into_iter().chain(short)
}

/// `provider = "google"` says it all.
fn derive_from_provider<'a>(settings: &ConfigSettings<'a>) -> Option<ResolvedIssuer<'a>> {
    let setting = find_setting(settings, "provider")?;
    let issuer = Issuer::parse(Provider::from_name(read_setting_text(setting))?.fixed_issuer()?).ok()?;
    Some(ResolvedIssuer { issuer, key: "provider", origin: setting.origin, shorthand_provider: None })
}

fn report_lone_companion(short: &'static IssuerShorthand, beside: ConfigSetting<'_>) -> ConfigProblem {
    let (rule, instead) =
        (format!("it says nothing without `{}`", short.key), format!("add `{}`", short.key));
    report_conflict(short.companion_key, beside, ValueConflict { rule, remedy: instead })
}

pub(super) fn report_conflict(
    key: &'static str,
    setting: ConfigSetting<'_>,
    wrong: ValueConflict,
) -> ConfigProblem {
    let ValueConflict { rule, remedy: instead } = wrong;
    let value = to_toml(setting.value);
    ConfigProblem {
        location: setting.origin.location(),
        fault: ConfigFault::Conflict { key, value, rule, remedy: instead },
    }
}

fn report_two_issuers(first: &ResolvedIssuer<'_>, second: &ResolvedIssuer<'_>) -> ConfigProblem {
    let fault = ConfigFault::TwoIssuers {
        key: second.key,
        issuer: second.issuer.as_str().to_owned(),
        other: first.key,
        other_issuer: first.issuer.as_str().to_owned(),
        other_place: first.location().to_string(),
    };
    ConfigProblem { location: second.location(), fault }
}

fn lookup_key(name: &str) -> Option<(usize, &'static keys::ConfigKey)> {
    let index = keys::find_key(name)?;
    Some((index, keys::KEYS.get(index)?))
}

fn find_setting<'a>(settings: &ConfigSettings<'a>, name: &str) -> Option<ConfigSetting<'a>> {
    let (index, _) = lookup_key(name)?;
    *settings.get(index)?
}

/// Keys of another kind are judged by `read`.
fn read_setting_text<'a>(setting: ConfigSetting<'a>) -> &'a str {
    match setting.value {
        DeValue::String(text) => text,
        _ => "",
    }
}
