//! The issuer of a profile: the key that tells it is `issuer`, a short form, or the provider's name.
//!
//! Exactly one, or several that agree; how a short form is spelt out is for `provider`.

use super::{
    ConfigFault, ConfigKey, ConfigProblem, Issuer, Provider,
    error::ValueConflict,
    keys,
    provider::{IssuerShorthand, build_shorthand_issuer},
    setting::{ConfigSetting, ConfigSettings},
    toml_value::to_toml,
};

/// The issuer, and the key that told it.
#[derive(Debug)]
pub(super) struct ResolvedIssuer<'a> {
    pub issuer: Issuer,
    pub key: &'static ConfigKey,
    pub setting: ConfigSetting<'a>,
    /// The kind of provider that a short form stands for.
    pub shorthand_provider: Option<Provider>,
}

/// `None` when no key tells it.
pub(super) fn resolve_issuer<'a>(
    settings: &ConfigSettings<'a>,
) -> Result<Option<ResolvedIssuer<'a>>, Box<ConfigProblem>> {
    let mut found: Option<ResolvedIssuer<'a>> = None;
    for candidate in list_issuer_candidates(settings) {
        let candidate = candidate?;
        match &mut found {
            Some(first) if first.issuer != candidate.issuer => {
                return Err(report_two_issuers(first, &candidate));
            }
            Some(first) => {
                first.shorthand_provider = first.shorthand_provider.or(candidate.shorthand_provider);
            }
            None => found = Some(candidate),
        }
    }
    Ok(found.or_else(|| derive_from_provider(settings)))
}

/// Whether any key tells the issuer.
pub(super) fn has_issuer(settings: &ConfigSettings<'_>) -> bool {
    list_issuer_candidates(settings).next().is_some() || derive_from_provider(settings).is_some()
}

/// Whether the key alone can tell the issuer.
pub fn can_name_issuer(key: &ConfigKey) -> bool {
    [&*keys::ISSUER, &keys::PROVIDER].contains(&key) || list_shorthands().any(|(_, form)| **form.key == *key)
}

/// Whether the key has a part in what the issuer is, or where its sign-in pages and its token endpoint are.
pub(super) fn decides_issuer(key: &ConfigKey) -> bool {
    let is_companion = |form: &IssuerShorthand| form.companion_key.is_some_and(|companion| **companion == *key);
    can_name_issuer(key) || *key == *keys::COGNITO_DOMAIN || list_shorthands().any(|(_, form)| is_companion(form))
}

/// The short forms of the issuer, in the order of the providers.
fn list_shorthands() -> impl Iterator<Item = (Provider, &'static IssuerShorthand)> {
    Provider::all().filter_map(|provider| Some((provider, provider.spec().shorthand.as_ref()?)))
}

/// What to write in place of `issuer`: the short forms, and providers that have only one issuer.
pub fn describe_issuer_alternatives() -> String {
    let forms = list_shorthands().map(|(_, form)| form.key.name.to_owned());
    let fixed = Provider::all().filter(|provider| provider.spec().fixed_issuer.is_some());
    let fixed = fixed.map(|provider| format!("or provider = \"{}\"", provider.name()));
    forms.chain(fixed).collect::<Vec<_>>().join(", ")
}

fn list_issuer_candidates<'s, 'a>(
    settings: &'s ConfigSettings<'a>,
) -> impl Iterator<Item = Result<ResolvedIssuer<'a>, Box<ConfigProblem>>> + 's {
    let written = settings.get(&keys::ISSUER).map(|setting| {
        let issuer = (keys::ISSUER.parse)(keys::ISSUER.name, setting.value);
        issuer
            .map(|issuer| ResolvedIssuer { issuer, key: &keys::ISSUER, setting, shorthand_provider: None })
            .map_err(|fault| Box::new(setting.problem(fault)))
    });
    let non_empty = |key: &ConfigKey| {
        let setting = settings.get(key)?;
        Some((setting, setting.value.as_str().filter(|text| !text.is_empty())?))
    };
    let shorthands = list_shorthands().filter_map(move |(provider, form)| {
        let companion = form.companion_key.and_then(|key| Some((key, non_empty(key)?)));
        let Some((setting, text)) = non_empty(form.key) else {
            let (key, (alone, _)) = companion?;
            let rule = format!("it has no effect without `{}`", form.key.name);
            let conflict = ValueConflict { rule, remedy: format!("add `{}`", form.key.name) };
            return Some(Err(Box::new(report_conflict(key, alone, conflict))));
        };
        let issuer = build_shorthand_issuer(provider, form, text, companion.map_or("", |(_, (_, text))| text));
        Some(match issuer {
            Ok(issuer) => Ok(ResolvedIssuer { issuer, key: form.key, setting, shorthand_provider: Some(provider) }),
            Err(conflict) => Err(Box::new(report_conflict(form.key, setting, conflict))),
        })
    });
    written.into_iter().chain(shorthands)
}

/// `provider = "google"` says it all.
fn derive_from_provider<'a>(settings: &ConfigSettings<'a>) -> Option<ResolvedIssuer<'a>> {
    let setting = settings.get(&keys::PROVIDER)?;
    let provider = (keys::PROVIDER.parse)(keys::PROVIDER.name, setting.value).ok()??;
    let issuer = Issuer::parse(provider.spec().fixed_issuer?).ok()?;
    Some(ResolvedIssuer { issuer, key: &keys::PROVIDER, setting, shorthand_provider: None })
}

pub(super) fn report_conflict(
    key: &'static ConfigKey,
    setting: ConfigSetting<'_>,
    ValueConflict { rule, remedy }: ValueConflict,
) -> ConfigProblem {
    setting.problem(ConfigFault::Conflict { key: key.name, value: to_toml(setting.value), rule, remedy })
}

fn report_two_issuers(first: &ResolvedIssuer<'_>, second: &ResolvedIssuer<'_>) -> Box<ConfigProblem> {
    Box::new(second.setting.problem(ConfigFault::TwoIssuers {
        key: second.key.name,
        issuer: second.issuer.as_str().to_owned(),
        other: first.key.name,
        other_issuer: first.issuer.as_str().to_owned(),
        other_place: first.setting.origin.location().to_string(),
    }))
}
