//! The kinds of values that keys can have. Each kind consists of a parser, a JSON Schema, and the syntax in variables.
//!
//! The parser is the authority. A schema only helps an editor, and cannot express every rule (AWS partitions, several
//! keys together); `config check` reports those faults.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    BedrockEndpoints, ChainedRole, IdentityPoolId, Issuer, MODEL_VARIABLES, RelayChoice, RoleArn, SignInRequirements,
    TelemetryEndpoints,
    choice::NamedChoice,
    key::ValueKind,
    min_version::parse_version,
    parsers::{self, PROTOCOL_PARAMETERS, is_complete_path, parse_optional},
    partition::is_region,
    require_table, role_chain,
    syntax::{PROFILE_NAME_RULE, is_profile_name, is_token},
    telemetry_headers,
};
use crate::{config::IdentityCenterEndpoints, http::ProxyChoice, url::SecureUrl};

const LIST_RULE: &str = "it must be a list, such as [\"one\", \"two\"]";
const TABLE_RULE: &str = "it must be a table, such as { name = \"value\" }";

const DURATION_PATTERN: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
const SECURE_PATTERN: &str = "^(https://|http://(localhost|127\\.|\\[::1\\]))";
const ROLE_PATTERN: &str = "^arn:aws(-[a-z0-9-]+)?:iam::[0-9]{12}:role/.+$";

/// An issuer identifier.
pub(super) const ISSUER: ValueKind<Issuer> = ValueKind::plain(parsers::parse_issuer, || text_like(SECURE_PATTERN));
/// A secure URL; may be empty.
pub(super) const URL: ValueKind<Option<SecureUrl>> = ValueKind::plain(parsers::parse_url, optional_url);
/// A secure URL for both services of Bedrock, in which `{service}` stands for the name of the service; may be empty.
pub(super) const BEDROCK_URL: ValueKind<Option<BedrockEndpoints>> =
    ValueKind::plain(parsers::parse_bedrock_endpoints, optional_url);
/// A secure URL for both services of Identity Center, in which `{service}` stands for the name of the service; may be
/// empty.
pub(super) const IDENTITY_CENTER_URL: ValueKind<Option<IdentityCenterEndpoints>> =
    ValueKind::plain(parsers::parse_identity_center_endpoints, optional_url);
/// One line of text; may be empty.
pub(super) const TEXT: ValueKind<String> = ValueKind::plain(parsers::parse_text, text);
/// One line of text that is not empty.
pub(super) const REQUIRED_TEXT: ValueKind<String> = ValueKind::plain(parsers::parse_required_text, text);
pub(super) const ROLE: ValueKind<RoleArn> = ValueKind::plain(parsers::parse_role_arn, || text_like(ROLE_PATTERN));
pub(super) const REGION: ValueKind<String> =
    ValueKind::plain(parsers::parse_region, || text_like("^[a-z]+(-[a-z]+)+-[0-9]{1,2}$"));
/// A region; may be empty.
pub(super) const OPTIONAL_REGION: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let rule = "it must be an AWS region, such as us-west-2";
        parse_optional(key, value, |text| is_region(text).then(|| text.to_owned()), rule)
    },
    || text_like("^([a-z]+(-[a-z]+)+-[0-9]{1,2})?$"),
);
/// The number of an AWS account; may be empty.
pub(super) const ACCOUNT_ID: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let rule = "it must be the 12 digits of an AWS account in quotes, such as \"123456789012\"";
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        parse_optional(key, value, |text| is_account(text).then(|| text.to_owned()), rule)
    },
    || text_like("^([0-9]{12})?$"),
);
/// The name of a permission set; may be empty.
pub(super) const PERMISSION_SET: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let rule = "it must be the name of a permission set: at most 32 letters, digits and characters of +=,.@-_";
        let is_legal = |text: &str| {
            text.len() <= 32 && text.chars().all(|it| it.is_ascii_alphanumeric() || "+=,.@-_".contains(it))
        };
        parse_optional(key, value, |text| is_legal(text).then(|| text.to_owned()), rule)
    },
    || text_like("^[A-Za-z0-9+=,.@_-]{0,32}$"),
);
/// A list of regions, each of which can also be "auto".
pub(super) const REGIONS: ValueKind<Vec<String>> = ValueKind::toml(
    LIST_RULE,
    |key, value| {
        let rule = "it must list AWS regions, such as us-west-2, or \"auto\"";
        parsers::parse_texts(key, value, |text| text == "auto" || is_region(text), rule)
    },
    || list_of(&text_like("^(auto|[a-z]+(-[a-z]+)+-[0-9]{1,2})$")),
);
/// The ID of an identity pool; may be empty.
pub(super) const IDENTITY_POOL_ID: ValueKind<Option<IdentityPoolId>> = ValueKind::plain(
    |key, value| {
        let rule = "it must be the ID of an identity pool, such as us-east-1:1b4e28ba-2fa1-11d2-883f-0016d3cca427";
        parse_optional(key, value, IdentityPoolId::parse, rule)
    },
    || text_like("^$|^[a-z]+(-[a-z]+)+-[0-9]{1,2}:[0-9a-f-]+$"),
);
/// A choice of the telemetry relay: "none", "laptop" or a secure URL.
pub(super) const RELAY: ValueKind<RelayChoice> =
    ValueKind::plain(parsers::parse_relay, || text_like(&format!("^none$|^laptop$|{SECURE_PATTERN}")));
/// A secure URL for both services of CloudWatch that take telemetry, in which `{service}` stands for the name of the
/// service; may be empty.
pub(super) const TELEMETRY_URL: ValueKind<Option<TelemetryEndpoints>> =
    ValueKind::plain(parsers::parse_telemetry_endpoints, optional_url);
/// The name of a log group of CloudWatch; may be empty.
pub(super) const LOG_GROUP: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let rule = "it must be the name of a log group: at most 512 letters, digits and characters of ._-/#";
        let is_legal =
            |text: &str| text.len() <= 512 && text.chars().all(|it| it.is_ascii_alphanumeric() || "._-/#".contains(it));
        parse_optional(key, value, |text| is_legal(text).then(|| text.to_owned()), rule)
    },
    || text_like("^[A-Za-z0-9._/#-]{0,512}$"),
);
/// The name of a log stream of CloudWatch. It becomes a header, so only visible ASCII characters are allowed.
pub(super) const LOG_STREAM: ValueKind<String> = ValueKind::plain(
    |key, value| {
        let rule = "it must be the name of a log stream: at most 512 visible ASCII characters except : and *";
        let is_legal =
            |text: &str| text.len() <= 512 && text.chars().all(|it| it.is_ascii_graphic() && it != ':' && it != '*');
        let name = parse_optional(key, value, |text| is_legal(text).then(|| text.to_owned()), rule)?;
        name.ok_or_else(|| parsers::reject_value(key, value, rule))
    },
    || text_like("^[!-)+-9;-~]{1,512}$"),
);
/// The name of a profile in the files of the AWS tools; may be empty.
pub(super) const AWS_PROFILE_NAME: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let parse = |text: &str| is_profile_name(text).then(|| text.to_owned());
        parse_optional(key, value, parse, PROFILE_NAME_RULE)
    },
    || text_like("^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"),
);
/// The path of a URL.
pub(super) const URL_PATH: ValueKind<String> =
    ValueKind::plain(parsers::parse_url_path, || text_like("^/(?!/)[^?#\\s]*$"));
/// The path of a file; may be empty.
pub(super) const FILE_PATH: ValueKind<Option<String>> = ValueKind::plain(
    |key, value| {
        let parse = |text: &str| is_complete_path(text).then(|| text.to_owned());
        parse_optional(key, value, parse, "it must be an absolute path or begin with ~/")
    },
    text,
);
/// The URL of a proxy, or "none"; may be empty.
pub(super) const PROXY: ValueKind<ProxyChoice> = ValueKind::plain(parsers::parse_proxy, || {
    text_like("^$|^none$|^(http|https|socks4|socks4a|socks5|socks5h)://[^@/]+/?$")
});
/// A version of this program; may be empty.
pub(super) const VERSION: ValueKind<Option<[u64; 3]>> = ValueKind::plain(
    |key, value| parse_optional(key, value, parse_version, "it must be a version, such as 1.4.0"),
    || text_like("^([0-9]+(\\.[0-9]+){0,2})?$"),
);
pub(super) const BOOL: ValueKind<bool> =
    ValueKind::toml("it must be true or false", parsers::parse_bool, || json!({ "type": "boolean" }));
/// A list of TCP ports.
pub(super) const PORTS: ValueKind<Vec<u16>> =
    ValueKind::toml("it must be a list, such as [8400, 8401]", parsers::parse_ports, || {
        json!({
            "type": "array", "uniqueItems": true,
            "items": { "type": "integer", "minimum": 1, "maximum": 65535 },
        })
    });
/// One TCP port.
pub(super) const PORT: ValueKind<u16> = ValueKind::toml(
    "it must be a number, such as 48318",
    parsers::parse_port,
    || json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
);
/// A program and its arguments. The program starts without a shell, so this is a list and not one text.
pub(super) const COMMAND: ValueKind<Vec<String>> =
    ValueKind::toml(LIST_RULE, parsers::parse_browser_command, || list_of(&text()));
/// A list of secure URLs.
pub(super) const URLS: ValueKind<Vec<SecureUrl>> =
    ValueKind::toml(LIST_RULE, parsers::parse_urls, || list_of(&text_like(SECURE_PATTERN)));
/// A list of words without white space, such as scopes.
pub(super) const TOKENS: ValueKind<Vec<String>> = ValueKind::toml(
    LIST_RULE,
    |key, value| parsers::parse_texts(key, value, is_token, "each item must be one word without spaces"),
    || list_of(&text_like("^\\S+$")),
);
/// A list of claim names, at least one.
pub(super) const CLAIMS: ValueKind<Vec<String>> = ValueKind::toml(
    LIST_RULE,
    parsers::parse_claims,
    || json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } }),
);
/// A list of roles. The duration of the last one depends on `session_duration`, which a kind does not know; so this
/// parser only checks the list, and `profile_builder` parses it again with the right duration.
pub(super) const ROLE_CHAIN: ValueKind<Vec<ChainedRole>> = ValueKind::toml(
    LIST_RULE,
    |key, value| role_chain::parse_role_chain(key, value, Duration::ZERO),
    || list_of(&json!({ "anyOf": [text_like(ROLE_PATTERN), describe_chained_role()] })),
);
/// Parameters of the authorization request. The parameters that the program sets itself are not allowed.
pub(super) const REQUEST_PARAMETERS: ValueKind<BTreeMap<String, String>> =
    ValueKind::toml(TABLE_RULE, parsers::parse_request_parameters, || {
        json!({
            "type": "object",
            "propertyNames": { "not": { "enum": PROTOCOL_PARAMETERS } },
            "additionalProperties": { "type": "string" },
        })
    });
/// What the provider must prove about a sign-in.
pub(super) const REQUIREMENTS: ValueKind<SignInRequirements> =
    ValueKind::toml(TABLE_RULE, require_table::parse_requirements, || {
        let words = json!({ "type": "array", "minItems": 1, "items": text_like("^\\S+$") });
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "acr": words,
                "amr": words,
                "max_age": text_like(DURATION_PATTERN),
                "email_domain": { "type": "array", "minItems": 1, "items": text_like("^[^@*\\s]+\\.[^@*\\s]+$") },
            },
        })
    });
/// HTTP headers. Each takes its value from the first of its claims that the token has.
pub(super) const HEADER_CLAIMS: ValueKind<BTreeMap<String, Vec<String>>> =
    ValueKind::toml(TABLE_RULE, telemetry_headers::parse_header_claims, || {
        json!({
            "type": "object",
            "additionalProperties": { "anyOf": [text(), list_of(&text())] },
        })
    });
pub(super) const STATIC_HEADERS: ValueKind<BTreeMap<String, String>> = ValueKind::toml(
    TABLE_RULE,
    telemetry_headers::parse_static_headers,
    || json!({ "type": "object", "additionalProperties": { "type": "string" } }),
);
pub(super) const STRING_TABLE: ValueKind<BTreeMap<String, String>> = ValueKind::toml(
    TABLE_RULE,
    parsers::parse_string_table,
    || json!({ "type": "object", "additionalProperties": { "type": "string" } }),
);
/// Model IDs by the ranks that Claude Code knows.
pub(super) const MODELS: ValueKind<BTreeMap<String, String>> =
    ValueKind::toml(TABLE_RULE, parsers::parse_models, || {
        json!({
            "type": "object",
            "propertyNames": { "enum": MODEL_VARIABLES.map(|(rank, _)| rank) },
            "additionalProperties": { "type": "string" },
        })
    });

/// One of the names of an enum's values.
pub(super) const fn choice<T: NamedChoice>() -> ValueKind<T> {
    ValueKind::plain(parsers::parse_choice::<T>, || {
        let names: Vec<&str> = T::CHOICES.iter().map(|(name, _)| *name).collect();
        json!({ "enum": names })
    })
}

/// A duration of at least `MIN` and at most `MAX` seconds.
pub(super) const fn duration<const MIN: u64, const MAX: u64>() -> ValueKind<Duration> {
    ValueKind::plain(parsers::parse_duration::<MIN, MAX>, || text_like(DURATION_PATTERN))
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_like(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn optional_url() -> Value {
    text_like(&format!("^$|{SECURE_PATTERN}"))
}

fn list_of(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// The schema of a role in `role_chain` that is written as a table.
fn describe_chained_role() -> Value {
    let non_empty = || json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "required": ["role_arn"],
        "additionalProperties": false,
        "properties": {
            "role_arn": text_like(ROLE_PATTERN),
            "external_id": text_like("^[A-Za-z0-9_+=,.@:/-]{2,1224}$"),
            "duration": text_like(DURATION_PATTERN),
            "session_name": non_empty(),
            "source_identity": non_empty(),
            "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "transitive": list_of(&non_empty()),
        },
    })
}
