//! Determines the issuer of a profile from one of three sources: the key `issuer`, a short form such as `okta_domain`,
//! or the name of a provider that has only one issuer.
//!
//! Several sources are allowed only if they name the same issuer. Otherwise a layer could redirect a sign-in by adding
//! a second key. `provider` expands the short forms.

use super::{
    ConfigFault, ConfigKey, ConfigProblem, Issuer, Provider,
    error::ValueConflict,
    keys,
    provider::{IssuerShorthand, build_shorthand_issuer},
    setting::{ConfigSetting, ConfigSettings},
    toml_value::to_toml,
};

/// The issuer, and the key that names it.
#[derive(Debug)]
pub(super) struct ResolvedIssuer<'a> {
    pub issuer: Issuer,
    pub key: &'static ConfigKey,
    pub setting: ConfigSetting<'a>,
    /// The kind of provider that the short form belongs to. It also applies to a custom domain.
    pub shorthand_provider: Option<Provider>,
}

/// The issuer of the profile; `None` if no key names one. Fails if two keys name different issuers, or if a short form
/// is not legal.
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

/// Whether any key names the issuer, legal or not.
pub(super) fn has_issuer(settings: &ConfigSettings<'_>) -> bool {
    list_issuer_candidates(settings).next().is_some() || derive_from_provider(settings).is_some()
}

/// Whether this key alone can name the issuer.
pub fn can_name_issuer(key: &ConfigKey) -> bool {
    [&*keys::ISSUER, &keys::PROVIDER].contains(&key) || list_shorthands().any(|(_, form)| **form.key == *key)
}

/// Whether the key affects what the issuer is, or where its sign-in pages and its token endpoint are. Enforcing
/// `issuer` enforces all these keys.
pub(super) fn decides_issuer(key: &ConfigKey) -> bool {
    let is_companion = |form: &IssuerShorthand| form.companion_key.is_some_and(|companion| **companion == *key);
    can_name_issuer(key) || *key == *keys::COGNITO_DOMAIN || list_shorthands().any(|(_, form)| is_companion(form))
}

/// The short forms of the issuer, in the order of the providers.
fn list_shorthands() -> impl Iterator<Item = (Provider, &'static IssuerShorthand)> {
    Provider::all().filter_map(|provider| Some((provider, provider.spec().shorthand.as_ref()?)))
}

/// The alternatives to `issuer` for a hint: the short forms, and the providers that have only one issuer.
pub fn describe_issuer_alternatives() -> String {
    let forms = list_shorthands().map(|(_, form)| form.key.name.to_owned());
    let fixed = Provider::all().filter(|provider| provider.spec().fixed_issuer.is_some());
    let fixed = fixed.map(|provider| format!("or provider = \"{}\"", provider.name()));
    forms.chain(fixed).collect::<Vec<_>>().join(", ")
}

/// Every issuer that `issuer` or a short form names, or the problem with it.
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

/// The issuer of a provider that has only one, such as `provider = "google"`.
fn derive_from_provider<'a>(settings: &ConfigSettings<'a>) -> Option<ResolvedIssuer<'a>> {
    let setting = settings.get(&keys::PROVIDER)?;
    let provider = (keys::PROVIDER.parse)(keys::PROVIDER.name, setting.value).ok()??;
    let issuer = Issuer::parse(provider.spec().fixed_issuer?).ok()?;
    Some(ResolvedIssuer { issuer, key: &keys::PROVIDER, setting, shorthand_provider: None })
}

/// The problem of a value that contradicts another key or the provider.
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
