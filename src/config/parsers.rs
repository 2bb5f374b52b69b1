//! Parses a single TOML value into the type of its key. All rules for single values are here, so that a value from a
//! file, a variable and a flag is checked in the same way.
//!
//! Every function receives the name of the key for its message, and returns a [`ConfigFault`] that states the rule.
//! `profile_builder` checks several values together.

use std::{borrow::Cow, collections::BTreeMap, path::Path, time::Duration};

use toml::de::{DeArray, DeTable, DeValue};

use super::{
    BedrockEndpoints, ClaimTemplate, ConfigFault, Issuer, MODEL_VARIABLES, RelayChoice, RoleArn, TelemetryEndpoints,
    choice::NamedChoice,
    claim_template::is_claim_name,
    error::ParseResult,
    partition::is_region,
    syntax::is_token,
    toml_value::{quote_text, to_toml},
};
use crate::{
    config::IdentityCenterEndpoints,
    http::ProxyChoice,
    url::{SecureUrl, SecureUrlError},
};

/// The parameters that `extra_params` must not contain: the program sets them itself, and a configured value would
/// weaken the protection by `state`, `nonce` and PKCE. A client secret must never be part of a URL.
pub(super) const PROTOCOL_PARAMETERS: [&str; 9] = [
    "client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type",
    "scope", "state",
];

pub(super) fn parse_issuer(key: &str, value: &DeValue<'_>) -> ParseResult<Issuer> {
    let text = expect_string(key, value)?;
    let issuer = Issuer::parse(text).map_err(|refusal| reject_insecure_url(key, text, refusal))?;
    let url = issuer.url().as_url();
    // OpenID Connect Discovery 1.0 §3: an issuer has no query and no fragment.
    let is_plain = url.query().is_none() && url.fragment().is_none();
    require(is_plain, key, value, "an issuer must not have a query or a fragment")?;
    Ok(issuer)
}

/// A secure URL; `None` if the text is empty.
pub(super) fn parse_url(key: &str, value: &DeValue<'_>) -> ParseResult<Option<SecureUrl>> {
    match expect_string(key, value)? {
        "" => Ok(None),
        text => SecureUrl::parse(text).map(Some).map_err(|refusal| reject_insecure_url(key, text, refusal)),
    }
}

/// A list of secure URLs.
pub(super) fn parse_urls(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<SecureUrl>> {
    let parsed = |text: String| SecureUrl::parse(&text).map_err(|refusal| reject_insecure_url(key, &text, refusal));
    parse_string_list(key, value)?.into_iter().map(parsed).collect()
}

/// The placeholder for the name of the service in an address for two services. AWS serves them at different hosts.
const SERVICE: &str = "{service}";

/// The addresses of both Bedrock services, derived from one text; `None` if it is empty.
pub(super) fn parse_bedrock_endpoints(key: &str, value: &DeValue<'_>) -> ParseResult<Option<BedrockEndpoints>> {
    let services = parse_service_urls(key, value, ["bedrock", "bedrock-runtime"])?;
    Ok(services.map(|[control, runtime]| BedrockEndpoints { control, runtime }))
}

/// The addresses of both services of Identity Center, derived from one text; `None` if it is empty.
pub(super) fn parse_identity_center_endpoints(
    key: &str,
    value: &DeValue<'_>,
) -> ParseResult<Option<IdentityCenterEndpoints>> {
    let services = parse_service_urls(key, value, ["oidc", "portal.sso"])?;
    Ok(services.map(|[sign_in, portal]| IdentityCenterEndpoints { sign_in, portal }))
}

/// The addresses of both services of CloudWatch that take telemetry, derived from one text; `None` if it is empty.
pub(super) fn parse_telemetry_endpoints(key: &str, value: &DeValue<'_>) -> ParseResult<Option<TelemetryEndpoints>> {
    let services = parse_service_urls(key, value, ["monitoring", "logs"])?;
    Ok(services.map(|[metrics, logs]| TelemetryEndpoints { metrics, logs }))
}

/// The choice of the telemetry relay.
pub(super) fn parse_relay(key: &str, value: &DeValue<'_>) -> ParseResult<RelayChoice> {
    match expect_string(key, value)? {
        "none" | "" => Ok(RelayChoice::None),
        "laptop" => Ok(RelayChoice::Laptop),
        text if text.contains("://") => {
            SecureUrl::parse(text).map(RelayChoice::Remote).map_err(|refusal| reject_insecure_url(key, text, refusal))
        }
        text => Err(reject_text(key, text, "it must be \"none\", \"laptop\" or the address of a relay")),
    }
}

fn parse_service_urls(key: &str, value: &DeValue<'_>, names: [&str; 2]) -> ParseResult<Option<[SecureUrl; 2]>> {
    let text = expect_string(key, value)?;
    if text.is_empty() {
        return Ok(None);
    }
    // A message must quote the text that the user wrote, not the address that follows from it.
    let parse = |service: &str| {
        SecureUrl::parse(&text.replace(SERVICE, service)).map_err(|refusal| reject_insecure_url(key, text, refusal))
    };
    let [first, second] = names;
    Ok(Some([parse(first)?, parse(second)?]))
}

/// The choice of a proxy. A password is a secret, so it is not allowed here, and the message does not repeat the value.
pub(super) fn parse_proxy(key: &str, value: &DeValue<'_>) -> ParseResult<ProxyChoice> {
    match expect_string(key, value)? {
        "" => Ok(ProxyChoice::Variables),
        "none" => Ok(ProxyChoice::Direct),
        text if text.contains('@') => {
            let rule = "it must not contain a user name or password; set them in HTTPS_PROXY";
            Err(ConfigFault::illegal_value(key, None, rule))
        }
        text => ProxyChoice::from_address(text).ok_or_else(|| {
            reject_value(key, value, "it must be the address of a proxy, such as http://proxy.acme.example:3128")
        }),
    }
}

fn reject_insecure_url(key: &str, text: &str, refusal: SecureUrlError) -> ConfigFault {
    // A URL with a password must not appear in a message.
    let value = (refusal != SecureUrlError::HasCredentials).then(|| quote_text(text));
    ConfigFault::illegal_value(key, value, refusal.to_string())
}

pub(super) fn parse_text(key: &str, value: &DeValue<'_>) -> ParseResult<String> {
    let text = expect_string(key, value)?;
    require(!text.chars().any(char::is_control), key, value, "it must be one line without control characters")?;
    Ok(text.to_owned())
}

pub(super) fn parse_required_text(key: &str, value: &DeValue<'_>) -> ParseResult<String> {
    let text = parse_text(key, value)?;
    require(!text.trim().is_empty(), key, value, "it must not be empty")?;
    Ok(text)
}

pub(super) fn parse_role_arn(key: &str, value: &DeValue<'_>) -> ParseResult<RoleArn> {
    let rule = "it must be the ARN of a role, such as arn:aws:iam::123456789012:role/BedrockUser";
    RoleArn::parse(expect_string(key, value)?).ok_or_else(|| reject_value(key, value, rule))
}

pub(super) fn parse_region(key: &str, value: &DeValue<'_>) -> ParseResult<String> {
    let text = expect_string(key, value)?;
    require(is_region(text), key, value, "it must be an AWS region, such as us-east-1")?;
    Ok(text.to_owned())
}

/// A list of texts that all satisfy `is_good`.
pub(super) fn parse_texts(
    key: &str,
    value: &DeValue<'_>,
    is_good: impl Fn(&str) -> bool,
    rule: &'static str,
) -> ParseResult<Vec<String>> {
    let texts = parse_string_list(key, value)?;
    require(texts.iter().all(|text| is_good(text)), key, value, rule)?;
    Ok(texts)
}

/// A text that `parse` accepts; `None` if the text is empty.
pub(super) fn parse_optional<T>(
    key: &str,
    value: &DeValue<'_>,
    parse: impl Fn(&str) -> Option<T>,
    rule: &'static str,
) -> ParseResult<Option<T>> {
    match expect_string(key, value)? {
        "" => Ok(None),
        text => parse(text).map(Some).ok_or_else(|| reject_value(key, value, rule)),
    }
}

/// The enum value with this name.
pub(super) fn parse_choice<T: NamedChoice>(key: &str, value: &DeValue<'_>) -> ParseResult<T> {
    let text = expect_string(key, value)?;
    T::from_choice_name(text).ok_or_else(|| reject_choice(key, text, T::CHOICES))
}

/// Rejects a text that is not the name of a choice, and suggests the most similar name.
pub(super) fn reject_choice<T>(key: &str, text: &str, choices: &[(&'static str, T)]) -> ConfigFault {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    ConfigFault::illegal_name(key, text, format!("it must be one of {}", names.join(", ")), names.iter().copied())
}

/// The path of the redirect URI. A path that a browser would change is rejected, because the listener compares the
/// path of the request with this text.
pub(super) fn parse_url_path(key: &str, value: &DeValue<'_>) -> ParseResult<String> {
    let text = expect_string(key, value)?;
    require(text.starts_with('/') && !text.starts_with("//"), key, value, "it must begin with exactly one slash")?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte));
    require(is_plain, key, value, "it must be a plain path without a query, a fragment or spaces")?;
    match normalize_like_browser(text) {
        sent if sent != text => Err(reject_value(key, value, format!("write it as a browser sends it: \"{sent}\""))),
        sent => Ok(sent),
    }
}

/// The path as a browser sends it: browsers resolve `..` and percent-encode some characters.
fn normalize_like_browser(path: &str) -> String {
    let address = SecureUrl::parse(&format!("http://127.0.0.1{path}"));
    address.map_or_else(|_| path.to_owned(), |address| address.as_url().path().to_owned())
}

/// Whether the path is independent of the working directory. Hosts start this program in any directory.
pub(super) fn is_complete_path(text: &str) -> bool {
    text.starts_with("~/") || Path::new(text).is_absolute()
}

/// A duration of at least `MIN` and at most `MAX` seconds.
pub(super) fn parse_duration<const MIN: u64, const MAX: u64>(key: &str, value: &DeValue<'_>) -> ParseResult<Duration> {
    let seconds = parse_seconds(expect_string(key, value)?)
        .ok_or_else(|| reject_value(key, value, "it must be a duration, such as 90s, 15m, 12h or 1h30m"))?;
    if (MIN..=MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    let rule = format!("it must be from {} to {}", format_seconds(MIN), format_seconds(MAX));
    Err(reject_value(key, value, rule))
}

/// Parses hours, minutes and seconds, each at most once and in this order; `None` for every other text.
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

pub(super) fn parse_bool(key: &str, value: &DeValue<'_>) -> ParseResult<bool> {
    value.as_bool().ok_or_else(|| reject_type(key, "true or false", value))
}

pub(super) fn parse_ports(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<u16>> {
    const EXPECTED: &str = "a list of port numbers";
    let items = expect_list(key, value, EXPECTED)?;
    let mut ports = Vec::with_capacity(items.len().min(64));
    for item in items.iter().map(|item| item.get_ref()) {
        let DeValue::Integer(number) = item else { return Err(reject_type(key, EXPECTED, item)) };
        let port = u16::from_str_radix(number.as_str(), number.radix()).unwrap_or(0);
        require(port != 0, key, item, "each port must be from 1 to 65535")?;
        require(!ports.contains(&port), key, item, "each port may be listed only once")?;
        ports.push(port);
    }
    Ok(ports)
}

/// One port number.
pub(super) fn parse_port(key: &str, value: &DeValue<'_>) -> ParseResult<u16> {
    let DeValue::Integer(number) = value else { return Err(reject_type(key, "a port number", value)) };
    let port = u16::from_str_radix(number.as_str(), number.radix()).unwrap_or(0);
    require(port != 0, key, value, "it must be from 1 to 65535")?;
    Ok(port)
}

/// The command that opens the browser; empty for the default browser.
pub(super) fn parse_browser_command(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<String>> {
    let argv = parse_string_list(key, value)?;
    let Some(program) = argv.first() else { return Ok(argv) };
    require(!program.trim().is_empty(), key, value, "its first item must be a program")?;
    require(!argv.iter().any(|word| word.contains('\0')), key, value, "it must not contain a NUL character")?;
    // With "none" the program starts no browser, so no argument needs the address.
    let takes_address = argv == ["none"] || argv.iter().skip(1).any(|word| word.contains("{url}"));
    require(takes_address, key, value, "one argument must contain \"{url}\", where the address goes")?;
    Ok(argv)
}

/// A list of claim names or templates, with at least one item.
pub(super) fn parse_claims(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<String>> {
    let claims = parse_string_list(key, value)?;
    let has_names = !claims.is_empty() && claims.iter().all(|claim| is_claim_name(claim));
    require(has_names, key, value, "it must name at least one claim, and no name may be empty")?;
    require(claims.iter().all(|claim| ClaimTemplate::parse(claim).is_some()), key, value, TEMPLATE_RULE)?;
    Ok(claims)
}

/// The rule of `ClaimTemplate::parse`, for messages.
pub(super) const TEMPLATE_RULE: &str = "braces must enclose the name of a claim, such as {email}";

/// Parameters of the authorization request.
pub(super) fn parse_request_parameters(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, String>> {
    let params = parse_string_table(key, value)?;
    if let Some(name) = params.keys().find(|name| !is_token(name)) {
        return Err(reject_text(key, name, "this is not a valid parameter name"));
    }
    match params.keys().map(String::as_str).find(|name| PROTOCOL_PARAMETERS.contains(name)) {
        None => Ok(params),
        Some(name) => {
            Err(reject_text(key, name, "you cannot set this parameter: the sign-in sets it, or it is a secret"))
        }
    }
}

pub(super) fn parse_string_table(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, String>> {
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

/// Model IDs by rank. A rank that Claude Code does not know is rejected.
pub(super) fn parse_models(key: &str, value: &DeValue<'_>) -> ParseResult<BTreeMap<String, String>> {
    let models = parse_string_table(key, value)?;
    match models.keys().find(|rank| !MODEL_VARIABLES.iter().any(|(known, _)| known == rank)) {
        None => Ok(models),
        Some(unknown) => Err(reject_choice(key, unknown, &MODEL_VARIABLES)),
    }
}

pub(super) fn expect_string<'v>(key: &str, value: &'v DeValue<'_>) -> ParseResult<&'v str> {
    value.as_str().ok_or_else(|| reject_type(key, "a string", value))
}

pub(super) fn parse_string_list(key: &str, value: &DeValue<'_>) -> ParseResult<Vec<String>> {
    const EXPECTED: &str = "a list of strings";
    let texts = expect_list(key, value, EXPECTED)?.iter().map(|item| {
        let text = item.get_ref().as_str().map(str::to_owned);
        text.ok_or_else(|| reject_type(key, EXPECTED, item.get_ref()))
    });
    texts.collect()
}

/// The value as a list. `expected` describes the whole value for the message.
pub(super) fn expect_list<'v, 't>(
    key: &str,
    value: &'v DeValue<'t>,
    expected: &'static str,
) -> ParseResult<&'v DeArray<'t>> {
    value.as_array().ok_or_else(|| reject_type(key, expected, value))
}

/// The value as a table. `expected` describes the whole value for the message.
pub(super) fn expect_table<'v, 't>(
    key: &str,
    value: &'v DeValue<'t>,
    expected: &'static str,
) -> ParseResult<&'v DeTable<'t>> {
    value.as_table().ok_or_else(|| reject_type(key, expected, value))
}

pub(super) fn reject_type(key: &str, expected: &'static str, found: &DeValue<'_>) -> ConfigFault {
    ConfigFault::WrongType { key: key.to_owned(), expected, found: name_type(found) }
}

/// The type of a value, for messages.
fn name_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Rejects the value with this rule unless the condition is met.
pub(super) fn require(
    is_met: bool,
    key: &str,
    value: &DeValue<'_>,
    rule: impl Into<Cow<'static, str>>,
) -> ParseResult<()> {
    if is_met { Ok(()) } else { Err(reject_value(key, value, rule)) }
}

/// Rejects a value, which the message quotes. Not for values that may contain a secret.
pub(super) fn reject_value(key: &str, value: &DeValue<'_>, rule: impl Into<Cow<'static, str>>) -> ConfigFault {
    ConfigFault::illegal_value(key, Some(to_toml(value)), rule)
}

/// Like [`reject_value`], for a value that is a string.
pub(super) fn reject_text(key: &str, text: &str, rule: impl Into<Cow<'static, str>>) -> ConfigFault {
    ConfigFault::illegal_value(key, Some(quote_text(text)), rule)
}
