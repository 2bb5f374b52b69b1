//! From a TOML value to what a key means: the one place where values are judged.
//!
//! It sees a single value. What values mean together is for `resolve`.

use std::{borrow::Cow, collections::BTreeMap, path::Path, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    ClaimTemplate, IdentityPoolId, Issuer, RoleArn,
    config_file::is_profile_name,
    endpoints,
    error::ConfigFault,
    keys::{ConfigKey, KeyDefault, PROTOCOL_PARAMS, ValueKind, find_nearest_name},
    min_version,
    partition::is_region,
    role_chain, telemetry_headers,
    toml_value::to_toml,
};
use crate::{
    http::ProxyChoice,
    url::{SecureUrl, SecureUrlError},
};

/// Says whether a value may stand behind its key.
pub(super) fn check_value(key: &ConfigKey, value: &DeValue<'_>) -> Result<(), ConfigFault> {
    match key.kind {
        ValueKind::Issuer => parse_issuer(key, value).map(drop),
        ValueKind::Address => parse_url(key, value).map(drop),
        ValueKind::BedrockAddress => endpoints::parse_bedrock_endpoints(key, value).map(drop),
        ValueKind::Text => parse_text(key, value).map(drop),
        ValueKind::Role => parse_role_arn(key, value).map(drop),
        ValueKind::Region => parse_region(key, value).map(drop),
        ValueKind::Choice(_) => parse_choice(key, value).map(drop),
        ValueKind::UrlPath => parse_url_path(key, value).map(drop),
        ValueKind::FilePath => parse_file_path(key, value).map(drop),
        ValueKind::DurationRange(..) => parse_duration(key, value).map(drop),
        ValueKind::Bool => parse_bool(key, value).map(drop),
        ValueKind::Ports => parse_ports(key, value).map(drop),
        ValueKind::Argv => parse_argv(key, value).map(drop),
        ValueKind::Addresses => parse_urls(key, value).map(drop),
        ValueKind::Proxy => parse_proxy(key, value).map(drop),
        ValueKind::Version => min_version::parse_min_version(key, value).map(drop),
        ValueKind::Tokens => parse_tokens(key, value).map(drop),
        ValueKind::Claims => parse_claims(key, value).map(drop),
        ValueKind::Regions => parse_regions(key, value).map(drop),
        ValueKind::IdentityPoolId => parse_identity_pool_id(key, value).map(drop),
        ValueKind::AwsProfileName => parse_aws_profile_name(key, value).map(drop),
        ValueKind::RoleChain => role_chain::parse_role_chain(key, value, Duration::ZERO).map(drop),
        ValueKind::RequestParams => parse_request_params(key, value).map(drop),
        ValueKind::ClaimTable => telemetry_headers::parse_header_claims(key, value).map(drop),
        ValueKind::Table => parse_string_table(key, value).map(drop),
        ValueKind::NamedStrings(names) => check_named_strings(key, names, value),
    }
}

pub(super) fn parse_issuer(key: &ConfigKey, value: &DeValue<'_>) -> Result<Issuer, ConfigFault> {
    let text = expect_string(key, value)?;
    let issuer = Issuer::parse(text).map_err(|refusal| reject_insecure_url(key, text, refusal))?;
    let url = issuer.url().as_url();
    // OpenID Connect Discovery 1.0 §3: an issuer has no query and no fragment.
    if url.query().is_some() || url.fragment().is_some() {
        return Err(reject_value(key, value, "an issuer has no query and no fragment"));
    }
    Ok(issuer)
}

/// `None` when left empty.
pub(super) fn parse_url(key: &ConfigKey, value: &DeValue<'_>) -> Result<Option<SecureUrl>, ConfigFault> {
    match expect_string(key, value)? {
        "" => Ok(None),
        text => SecureUrl::parse(text).map(Some).map_err(|refusal| reject_insecure_url(key, text, refusal)),
    }
}

/// Each of them as it stands.
pub(super) fn parse_urls(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<SecureUrl>, ConfigFault> {
    let parsed =
        |text: String| SecureUrl::parse(&text).map_err(|refusal| reject_insecure_url(key, &text, refusal));
    parse_string_list(key, value)?.into_iter().map(parsed).collect()
}

/// What the profile says of a proxy. A password is no configuration, and is not repeated.
pub(super) fn parse_proxy(key: &ConfigKey, value: &DeValue<'_>) -> Result<ProxyChoice, ConfigFault> {
    match expect_string(key, value)? {
        "" => Ok(ProxyChoice::Variables),
        "none" => Ok(ProxyChoice::Direct),
        text if text.contains('@') => {
            let rule = "must not hold a user name or password: give them in HTTPS_PROXY".into();
            Err(ConfigFault::IllegalValue { key: key.name.to_owned(), value: None, rule, nearest: None })
        }
        text => ProxyChoice::from_address(text).ok_or_else(|| {
            reject_value(key, value, "not the address of a proxy, such as http://proxy.acme.example:3128")
        }),
    }
}

fn reject_insecure_url(key: &ConfigKey, text: &str, refusal: SecureUrlError) -> ConfigFault {
    // The address is not repeated when there is a password in it.
    let value =
        (refusal != SecureUrlError::HasCredentials).then(|| to_toml(&DeValue::String(Cow::Borrowed(text))));
    ConfigFault::IllegalValue {
        key: key.name.to_owned(),
        value,
        rule: refusal.to_string().into(),
        nearest: None,
    }
}

pub(super) fn parse_text(key: &ConfigKey, value: &DeValue<'_>) -> Result<String, ConfigFault> {
    let text = expect_string(key, value)?;
    if text.chars().any(char::is_control) {
        return Err(reject_value(key, value, "must be one line without control characters"));
    }
    if text.trim().is_empty() && matches!(key.default, KeyDefault::Required) {
        return Err(reject_value(key, value, "must not be empty"));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_role_arn(key: &ConfigKey, value: &DeValue<'_>) -> Result<RoleArn, ConfigFault> {
    RoleArn::parse(expect_string(key, value)?).ok_or_else(|| reject_value(key, value, ROLE_RULE))
}

const ROLE_RULE: &str = "not the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser";

pub(super) fn parse_region(key: &ConfigKey, value: &DeValue<'_>) -> Result<String, ConfigFault> {
    let text = expect_string(key, value)?;
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err(reject_value(key, value, "not an AWS region, such as us-east-1"))
    }
}

/// Regions, "auto" being the neighbour of the profile's.
pub(super) fn parse_regions(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<String>, ConfigFault> {
    let regions = parse_string_list(key, value)?;
    match regions.iter().all(|text| text == "auto" || is_region(text)) {
        true => Ok(regions),
        false => Err(reject_value(key, value, "must be AWS regions, such as us-west-2, or \"auto\"")),
    }
}

/// `None` when left empty.
pub(super) fn parse_aws_profile_name(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<Option<String>, ConfigFault> {
    match expect_string(key, value)? {
        "" => Ok(None),
        text if is_profile_name(text) => Ok(Some(text.to_owned())),
        _ => Err(reject_value(key, value, "must be letters, digits, and - _ . between them")),
    }
}

/// `None` when left empty.
pub(super) fn parse_identity_pool_id(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<Option<IdentityPoolId>, ConfigFault> {
    let rule = "not the id of an identity pool, such as us-east-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427";
    match expect_string(key, value)? {
        "" => Ok(None),
        text => IdentityPoolId::parse(text).map(Some).ok_or_else(|| reject_value(key, value, rule)),
    }
}

/// One of the words that the key allows.
pub(super) fn parse_choice<'v>(key: &ConfigKey, value: &'v DeValue<'_>) -> Result<&'v str, ConfigFault> {
    let ValueKind::Choice(words) = key.kind else { return expect_string(key, value) };
    let text = expect_string(key, value)?;
    check_choice(key, words, text).map(|()| text)
}

fn check_choice(key: &ConfigKey, words: &[&str], text: &str) -> Result<(), ConfigFault> {
    if words.contains(&text) {
        return Ok(());
    }
    Err(ConfigFault::IllegalValue {
        key: key.name.to_owned(),
        value: Some(to_toml(&DeValue::String(Cow::Borrowed(text)))),
        rule: format!("must be one of {}", words.join(", ")).into(),
        nearest: find_nearest_name(text, words.iter().copied()).map(str::to_owned),
    })
}

pub(super) fn parse_url_path(key: &ConfigKey, value: &DeValue<'_>) -> Result<String, ConfigFault> {
    let text = expect_string(key, value)?;
    if !text.starts_with('/') || text.starts_with("//") {
        return Err(reject_value(key, value, "must begin with one slash"));
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#\\\"<>".contains(&byte)) {
        return Err(reject_value(key, value, "must be a plain path without query, fragment or spaces"));
    }
    match normalize_like_browser(text) {
        sent if sent != text => {
            Err(reject_value(key, value, format!("must be written as a browser sends it: \"{sent}\"")))
        }
        sent => Ok(sent),
    }
}

/// Browsers resolve `..`, and escape some characters; the path that comes back is compared with the one written here.
fn normalize_like_browser(path: &str) -> String {
    let address = SecureUrl::parse(&format!("http://127.0.0.1{path}"));
    address.map_or_else(|_| path.to_owned(), |address| address.as_url().path().to_owned())
}

/// `None` when left empty. A leading `~/` is still there.
pub(super) fn parse_file_path<'v>(
    key: &ConfigKey,
    value: &'v DeValue<'_>,
) -> Result<Option<&'v str>, ConfigFault> {
    match expect_string(key, value)? {
        "" => Ok(None),
        text if text.starts_with("~/") || Path::new(text).is_absolute() => Ok(Some(text)),
        // Callers start this program in any directory.
        _ => Err(reject_value(key, value, "must be an absolute path or begin with ~/")),
    }
}

pub(super) fn parse_duration(key: &ConfigKey, value: &DeValue<'_>) -> Result<Duration, ConfigFault> {
    let seconds = parse_seconds(expect_string(key, value)?)
        .ok_or_else(|| reject_value(key, value, "not a duration, such as 90s, 15m, 12h or 1h30m"))?;
    let ValueKind::DurationRange(least, most) = key.kind else { return Ok(Duration::from_secs(seconds)) };
    if (least..=most).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    let rule = format!("must be from {} to {}", format_seconds(least), format_seconds(most));
    Err(reject_value(key, value, rule))
}

/// Hours, minutes and seconds, each at most once and in this order.
fn parse_seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        seconds = number.parse::<u64>().ok()?.checked_mul(worth)?.checked_add(seconds)?;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

fn format_seconds(seconds: u64) -> String {
    match seconds {
        _ if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

pub(super) fn parse_bool(key: &ConfigKey, value: &DeValue<'_>) -> Result<bool, ConfigFault> {
    match value {
        DeValue::Boolean(on) => Ok(*on),
        other => Err(reject_type(key, "true or false", other)),
    }
}

pub(super) fn parse_ports(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<u16>, ConfigFault> {
    const EXPECTED: &str = "a list of port numbers";
    let DeValue::Array(items) = value else { return Err(reject_type(key, EXPECTED, value)) };
    let mut ports = Vec::with_capacity(items.len().min(64));
    for item in items.iter().map(|item| item.get_ref()) {
        let DeValue::Integer(number) = item else { return Err(reject_type(key, EXPECTED, item)) };
        let port = u16::from_str_radix(number.as_str(), number.radix()).unwrap_or(0);
        if port == 0 {
            return Err(reject_value(key, item, "not a port from 1 to 65535"));
        }
        if ports.contains(&port) {
            return Err(reject_value(key, item, "a port that is listed twice"));
        }
        ports.push(port);
    }
    Ok(ports)
}

pub(super) fn parse_argv(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<String>, ConfigFault> {
    let argv = parse_string_list(key, value)?;
    let Some(program) = argv.first() else { return Ok(argv) };
    if program.trim().is_empty() {
        return Err(reject_value(key, value, "must begin with a program"));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(reject_value(key, value, "must not contain a NUL character"));
    }
    // Nothing is started, so there is no place for the address.
    if argv == ["none"] {
        return Ok(argv);
    }
    if !argv.iter().skip(1).any(|word| word.contains("{url}")) {
        return Err(reject_value(
            key,
            value,
            "must have \"{url}\" among its arguments, where the address goes",
        ));
    }
    Ok(argv)
}

pub(super) fn parse_tokens(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<String>, ConfigFault> {
    let words = parse_string_list(key, value)?;
    if words.iter().any(|word| !is_token(word)) {
        return Err(reject_value(key, value, "must be words without spaces"));
    }
    Ok(words)
}

pub(super) fn parse_claims(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<String>, ConfigFault> {
    let claims = parse_string_list(key, value)?;
    if claims.is_empty() || claims.iter().any(|claim| claim.trim().is_empty()) {
        return Err(reject_value(key, value, "must name at least one claim, and none that is empty"));
    }
    if claims.iter().any(|claim| ClaimTemplate::parse(claim).is_none()) {
        return Err(reject_value(key, value, TEMPLATE_RULE));
    }
    Ok(claims)
}

/// What braces in a text are for.
pub(super) const TEMPLATE_RULE: &str = "a brace must hold the name of a claim, such as {email}";

pub(super) fn parse_request_params(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<BTreeMap<String, String>, ConfigFault> {
    let params = parse_string_table(key, value)?;
    if let Some(name) = params.keys().find(|name| !is_token(name)) {
        return Err(reject_value(key, &DeValue::String(Cow::Borrowed(name)), "not the name of a parameter"));
    }
    match params.keys().find(|name| PROTOCOL_PARAMS.contains(&name.as_str())) {
        None => Ok(params),
        Some(name) => {
            let rule = "a parameter that the sign-in sets itself, or a secret";
            Err(reject_value(key, &DeValue::String(Cow::Borrowed(name)), rule))
        }
    }
}

pub(super) fn parse_string_table(
    key: &ConfigKey,
    value: &DeValue<'_>,
) -> Result<BTreeMap<String, String>, ConfigFault> {
    const EXPECTED: &str = "a table of strings";
    let mut strings = BTreeMap::new();
    for (name, item) in expect_table(key, value, EXPECTED)? {
        let DeValue::String(text) = item.get_ref() else {
            return Err(reject_type(key, EXPECTED, item.get_ref()));
        };
        strings.insert(name.get_ref().to_string(), text.to_string());
    }
    Ok(strings)
}

/// A table of strings under no other names than these.
fn check_named_strings(key: &ConfigKey, names: &[&str], value: &DeValue<'_>) -> Result<(), ConfigFault> {
    parse_string_table(key, value)?.keys().try_for_each(|name| check_choice(key, names, name))
}

fn expect_string<'v>(key: &ConfigKey, value: &'v DeValue<'_>) -> Result<&'v str, ConfigFault> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(reject_type(key, "a string", other)),
    }
}

pub(super) fn parse_string_list(key: &ConfigKey, value: &DeValue<'_>) -> Result<Vec<String>, ConfigFault> {
    const EXPECTED: &str = "a list of strings";
    let DeValue::Array(items) = value else { return Err(reject_type(key, EXPECTED, value)) };
    items
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            other => Err(reject_type(key, EXPECTED, other)),
        })
        .collect()
}

pub(super) fn expect_table<'v, 't>(
    key: &ConfigKey,
    value: &'v DeValue<'t>,
    expected: &'static str,
) -> Result<&'v DeTable<'t>, ConfigFault> {
    match value {
        DeValue::Table(table) => Ok(table),
        other => Err(reject_type(key, expected, other)),
    }
}

/// Fit to stand in a list divided by spaces (RFC 6749 §3.3) or as a name.
fn is_token(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|part| part.is_whitespace() || part.is_control())
}

pub(super) fn reject_type(key: &ConfigKey, expected: &'static str, found: &DeValue<'_>) -> ConfigFault {
    ConfigFault::WrongType { key: key.name.to_owned(), expected, found: type_name(found) }
}

/// What kind of value it is, in a message.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn reject_value(
    key: &ConfigKey,
    value: &DeValue<'_>,
    rule: impl Into<Cow<'static, str>>,
) -> ConfigFault {
    ConfigFault::IllegalValue {
        key: key.name.to_owned(),
        value: Some(to_toml(value)),
        rule: rule.into(),
        nearest: None,
    }
}
