//! From a TOML value to what a key means: the one place where values are judged.
//!
//! It sees a single value. What values mean together is for `resolve`.

use std::{borrow::Cow, collections::BTreeMap, path::Path, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    Issuer, PoolId, RoleArn, Template, chain, endpoints,
    error::Fault,
    headers,
    key::{Default, Key, Kind, PROTOCOL_PARAMS, nearest},
    partition::is_region,
    raw::is_profile_name,
    value::written,
    version,
};
use crate::{
    http::ProxyChoice,
    url::{Refusal, SecureUrl},
};

/// Says whether a value may stand behind its key.
pub(super) fn check(key: &Key, value: &DeValue<'_>) -> Result<(), Fault> {
    match key.kind {
        Kind::Issuer => issuer(key, value).map(drop),
        Kind::Address => address(key, value).map(drop),
        Kind::BedrockAddress => endpoints::bedrock(key, value).map(drop),
        Kind::Text => text(key, value).map(drop),
        Kind::Role => role(key, value).map(drop),
        Kind::Region => region(key, value).map(drop),
        Kind::Word(_) => word(key, value).map(drop),
        Kind::Path => path(key, value).map(drop),
        Kind::File => file(key, value).map(drop),
        Kind::Span(..) => span(key, value).map(drop),
        Kind::Switch => switch(key, value).map(drop),
        Kind::Ports => ports(key, value).map(drop),
        Kind::Argv => argv(key, value).map(drop),
        Kind::Addresses => addresses(key, value).map(drop),
        Kind::Proxy => proxy(key, value).map(drop),
        Kind::Version => version::read(key, value).map(drop),
        Kind::Words => words(key, value).map(drop),
        Kind::Claims => claims(key, value).map(drop),
        Kind::Regions => regions(key, value).map(drop),
        Kind::Pool => pool(key, value).map(drop),
        Kind::Name => name(key, value).map(drop),
        Kind::Roles => chain::links(key, value, Duration::ZERO).map(drop),
        Kind::Params => params(key, value).map(drop),
        Kind::ClaimTable => headers::claims_by_header(key, value).map(drop),
        Kind::Table => strings(key, value).map(drop),
        Kind::Named(names) => named(key, names, value),
    }
}

pub(super) fn issuer(key: &Key, value: &DeValue<'_>) -> Result<Issuer, Fault> {
    let text = string(key, value)?;
    let issuer = Issuer::parse(text).map_err(|refusal| insecure(key, text, refusal))?;
    let url = issuer.url().as_url();
    // OpenID Connect Discovery 1.0 §3: an issuer has no query and no fragment.
    if url.query().is_some() || url.fragment().is_some() {
        return Err(illegal(key, value, "an issuer has no query and no fragment"));
    }
    Ok(issuer)
}

/// `None` when left empty.
pub(super) fn address(key: &Key, value: &DeValue<'_>) -> Result<Option<SecureUrl>, Fault> {
    match string(key, value)? {
        "" => Ok(None),
        text => SecureUrl::parse(text).map(Some).map_err(|refusal| insecure(key, text, refusal)),
    }
}

/// Each of them as it stands.
pub(super) fn addresses(key: &Key, value: &DeValue<'_>) -> Result<Vec<SecureUrl>, Fault> {
    let parsed = |text: String| SecureUrl::parse(&text).map_err(|refusal| insecure(key, &text, refusal));
    list(key, value)?.into_iter().map(parsed).collect()
}

/// What the profile says of a proxy. A password is no configuration, and is not repeated.
pub(super) fn proxy(key: &Key, value: &DeValue<'_>) -> Result<ProxyChoice, Fault> {
    match string(key, value)? {
        "" => Ok(ProxyChoice::Variables),
        "none" => Ok(ProxyChoice::Direct),
        text if text.contains('@') => {
            let rule = "must not hold a user name or password: give them in HTTPS_PROXY".into();
            Err(Fault::Illegal { key: key.name.to_owned(), value: None, rule, nearest: None })
        }
        text => ProxyChoice::at(text).ok_or_else(|| {
            illegal(key, value, "not the address of a proxy, such as http://proxy.acme.example:3128")
        }),
    }
}

fn insecure(key: &Key, text: &str, refusal: Refusal) -> Fault {
    // The address is not repeated when there is a password in it.
    let value = (refusal != Refusal::Credentials).then(|| written(&DeValue::String(Cow::Borrowed(text))));
    Fault::Illegal { key: key.name.to_owned(), value, rule: refusal.to_string().into(), nearest: None }
}

pub(super) fn text(key: &Key, value: &DeValue<'_>) -> Result<String, Fault> {
    let text = string(key, value)?;
    if text.chars().any(char::is_control) {
        return Err(illegal(key, value, "must be one line without control characters"));
    }
    if text.trim().is_empty() && matches!(key.default, Default::Required) {
        return Err(illegal(key, value, "must not be empty"));
    }
    Ok(text.to_owned())
}

pub(super) fn role(key: &Key, value: &DeValue<'_>) -> Result<RoleArn, Fault> {
    RoleArn::parse(string(key, value)?).ok_or_else(|| illegal(key, value, ROLE_RULE))
}

const ROLE_RULE: &str = "not the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser";

pub(super) fn region(key: &Key, value: &DeValue<'_>) -> Result<String, Fault> {
    let text = string(key, value)?;
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err(illegal(key, value, "not an AWS region, such as us-east-1"))
    }
}

/// Regions, "auto" being the neighbour of the profile's.
pub(super) fn regions(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let regions = list(key, value)?;
    match regions.iter().all(|text| text == "auto" || is_region(text)) {
        true => Ok(regions),
        false => Err(illegal(key, value, "must be AWS regions, such as us-west-2, or \"auto\"")),
    }
}

/// `None` when left empty.
pub(super) fn name(key: &Key, value: &DeValue<'_>) -> Result<Option<String>, Fault> {
    match string(key, value)? {
        "" => Ok(None),
        text if is_profile_name(text) => Ok(Some(text.to_owned())),
        _ => Err(illegal(key, value, "must be letters, digits, and - _ . between them")),
    }
}

/// `None` when left empty.
pub(super) fn pool(key: &Key, value: &DeValue<'_>) -> Result<Option<PoolId>, Fault> {
    let rule = "not the id of an identity pool, such as us-east-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427";
    match string(key, value)? {
        "" => Ok(None),
        text => PoolId::parse(text).map(Some).ok_or_else(|| illegal(key, value, rule)),
    }
}

/// One of the words that the key allows.
pub(super) fn word<'v>(key: &Key, value: &'v DeValue<'_>) -> Result<&'v str, Fault> {
    let Kind::Word(words) = key.kind else { return string(key, value) };
    let text = string(key, value)?;
    one_of(key, words, text).map(|()| text)
}

fn one_of(key: &Key, words: &[&str], text: &str) -> Result<(), Fault> {
    if words.contains(&text) {
        return Ok(());
    }
    Err(Fault::Illegal {
        key: key.name.to_owned(),
        value: Some(written(&DeValue::String(Cow::Borrowed(text)))),
        rule: format!("must be one of {}", words.join(", ")).into(),
        nearest: nearest(text, words.iter().copied()).map(str::to_owned),
    })
}

pub(super) fn path(key: &Key, value: &DeValue<'_>) -> Result<String, Fault> {
    let text = string(key, value)?;
    if !text.starts_with('/') || text.starts_with("//") {
        return Err(illegal(key, value, "must begin with one slash"));
    }
    if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#\\\"<>".contains(&byte)) {
        return Err(illegal(key, value, "must be a plain path without query, fragment or spaces"));
    }
    match as_browsers_send(text) {
        sent if sent != text => {
            Err(illegal(key, value, format!("must be written as a browser sends it: \"{sent}\"")))
        }
        sent => Ok(sent),
    }
}

/// Browsers resolve `..`, and escape some characters; the path that comes back is compared with the one written here.
fn as_browsers_send(path: &str) -> String {
    let address = SecureUrl::parse(&format!("http://127.0.0.1{path}"));
    address.map_or_else(|_| path.to_owned(), |address| address.as_url().path().to_owned())
}

/// `None` when left empty. A leading `~/` is still there.
pub(super) fn file<'v>(key: &Key, value: &'v DeValue<'_>) -> Result<Option<&'v str>, Fault> {
    match string(key, value)? {
        "" => Ok(None),
        text if text.starts_with("~/") || Path::new(text).is_absolute() => Ok(Some(text)),
        // Callers start this program in any directory.
        _ => Err(illegal(key, value, "must be an absolute path or begin with ~/")),
    }
}

pub(super) fn span(key: &Key, value: &DeValue<'_>) -> Result<Duration, Fault> {
    let seconds = parse_span(string(key, value)?)
        .ok_or_else(|| illegal(key, value, "not a duration, such as 90s, 15m, 12h or 1h30m"))?;
    let Kind::Span(least, most) = key.kind else { return Ok(Duration::from_secs(seconds)) };
    if (least..=most).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    let rule = format!("must be from {} to {}", spelt_span(least), spelt_span(most));
    Err(illegal(key, value, rule))
}

/// Hours, minutes and seconds, each at most once and in this order.
fn parse_span(text: &str) -> Option<u64> {
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

fn spelt_span(seconds: u64) -> String {
    match seconds {
        _ if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

pub(super) fn switch(key: &Key, value: &DeValue<'_>) -> Result<bool, Fault> {
    match value {
        DeValue::Boolean(on) => Ok(*on),
        other => Err(wrong_type(key, "true or false", other)),
    }
}

pub(super) fn ports(key: &Key, value: &DeValue<'_>) -> Result<Vec<u16>, Fault> {
    const EXPECTED: &str = "a list of port numbers";
    let DeValue::Array(items) = value else { return Err(wrong_type(key, EXPECTED, value)) };
    let mut ports = Vec::with_capacity(items.len().min(64));
    for item in items.iter().map(|item| item.get_ref()) {
        let DeValue::Integer(number) = item else { return Err(wrong_type(key, EXPECTED, item)) };
        let port = u16::from_str_radix(number.as_str(), number.radix()).unwrap_or(0);
        if port == 0 {
            return Err(illegal(key, item, "not a port from 1 to 65535"));
        }
        if ports.contains(&port) {
            return Err(illegal(key, item, "a port that is listed twice"));
        }
        ports.push(port);
    }
    Ok(ports)
}

pub(super) fn argv(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let argv = list(key, value)?;
    let Some(program) = argv.first() else { return Ok(argv) };
    if program.trim().is_empty() {
        return Err(illegal(key, value, "must begin with a program"));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(illegal(key, value, "must not contain a NUL character"));
    }
    // Nothing is started, so there is no place for the address.
    if argv == ["none"] {
        return Ok(argv);
    }
    if !argv.iter().skip(1).any(|word| word.contains("{url}")) {
        return Err(illegal(key, value, "must have \"{url}\" among its arguments, where the address goes"));
    }
    Ok(argv)
}

pub(super) fn words(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let words = list(key, value)?;
    if words.iter().any(|word| !is_token(word)) {
        return Err(illegal(key, value, "must be words without spaces"));
    }
    Ok(words)
}

pub(super) fn claims(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let claims = list(key, value)?;
    if claims.is_empty() || claims.iter().any(|claim| claim.trim().is_empty()) {
        return Err(illegal(key, value, "must name at least one claim, and none that is empty"));
    }
    if claims.iter().any(|claim| Template::parse(claim).is_none()) {
        return Err(illegal(key, value, TEMPLATE_RULE));
    }
    Ok(claims)
}

/// What braces in a text are for.
pub(super) const TEMPLATE_RULE: &str = "a brace must hold the name of a claim, such as {email}";

pub(super) fn params(key: &Key, value: &DeValue<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let params = strings(key, value)?;
    if let Some(name) = params.keys().find(|name| !is_token(name)) {
        return Err(illegal(key, &DeValue::String(Cow::Borrowed(name)), "not the name of a parameter"));
    }
    match params.keys().find(|name| PROTOCOL_PARAMS.contains(&name.as_str())) {
        None => Ok(params),
        Some(name) => {
            let rule = "a parameter that the sign-in sets itself, or a secret";
            Err(illegal(key, &DeValue::String(Cow::Borrowed(name)), rule))
        }
    }
}

pub(super) fn strings(key: &Key, value: &DeValue<'_>) -> Result<BTreeMap<String, String>, Fault> {
    const EXPECTED: &str = "a table of strings";
    let mut strings = BTreeMap::new();
    for (name, item) in table(key, value, EXPECTED)? {
        let DeValue::String(text) = item.get_ref() else {
            return Err(wrong_type(key, EXPECTED, item.get_ref()));
        };
        strings.insert(name.get_ref().to_string(), text.to_string());
    }
    Ok(strings)
}

/// A table of strings under no other names than these.
fn named(key: &Key, names: &[&str], value: &DeValue<'_>) -> Result<(), Fault> {
    strings(key, value)?.keys().try_for_each(|name| one_of(key, names, name))
}

fn string<'v>(key: &Key, value: &'v DeValue<'_>) -> Result<&'v str, Fault> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(wrong_type(key, "a string", other)),
    }
}

pub(super) fn list(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    const EXPECTED: &str = "a list of strings";
    let DeValue::Array(items) = value else { return Err(wrong_type(key, EXPECTED, value)) };
    items
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            other => Err(wrong_type(key, EXPECTED, other)),
        })
        .collect()
}

pub(super) fn table<'v, 't>(
    key: &Key,
    value: &'v DeValue<'t>,
    expected: &'static str,
) -> Result<&'v DeTable<'t>, Fault> {
    match value {
        DeValue::Table(table) => Ok(table),
        other => Err(wrong_type(key, expected, other)),
    }
}

/// Fit to stand in a list divided by spaces (RFC 6749 §3.3) or as a name.
fn is_token(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(|part| part.is_whitespace() || part.is_control())
}

pub(super) fn wrong_type(key: &Key, expected: &'static str, found: &DeValue<'_>) -> Fault {
    Fault::WrongType { key: key.name.to_owned(), expected, found: type_name(found) }
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

pub(super) fn illegal(key: &Key, value: &DeValue<'_>, rule: impl Into<Cow<'static, str>>) -> Fault {
    Fault::Illegal { key: key.name.to_owned(), value: Some(written(value)), rule: rule.into(), nearest: None }
}
