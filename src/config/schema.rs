//! `config schema`: the table of keys as JSON Schema 2020-12, for editors.
//!
//! What a schema cannot say (partitions, forbidden parameters by layer) is left to `config check`.

use serde_json::{Map, Value, json};

use super::keys::{ConfigKey, KEYS, PROTOCOL_PARAMS, SECTIONS, TOP_LEVEL_KEYS, VERSION, ValueKind};

const SPAN: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
const SECURE: &str = "^(https://|http://(localhost|127\\.|\\[::1\\]))";
const VERSIONS: &str = "^([0-9]+(\\.[0-9]+){0,2})?$";
const ROLE: &str = "^arn:aws(-[a-z0-9-]+)?:iam::[0-9]{12}:role/.+$";

/// The schema of a configuration file.
pub fn render_schema() -> String {
    let mut properties = Map::new();
    for key in &TOP_LEVEL_KEYS {
        let mut schema = describe_top_level_key(key.name);
        add_description(&mut schema, key.doc);
        properties.insert(key.name.to_owned(), schema);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bedrock-sso configuration",
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn describe_top_level_key(name: &str) -> Value {
    let names: Vec<&str> =
        KEYS.iter().map(|key| key.name).chain(SECTIONS.iter().map(|section| section.0)).collect();
    match name {
        "version" => json!({ "const": VERSION }),
        "min_version" => json!({ "type": "string", "pattern": VERSIONS }),
        "trust_environment" => json!({ "type": "boolean", "default": false }),
        "enforce" => json!({ "type": "array", "items": { "enum": names } }),
        "profiles" => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
            "additionalProperties": describe_profile(),
        }),
        _ => json!({ "type": "string" }),
    }
}

/// No key is required: the administrator's file may give what the user's lacks.
fn describe_profile() -> Value {
    let mut properties = describe_section("");
    for (name, sentence) in SECTIONS {
        let mut section =
            json!({ "type": "object", "additionalProperties": false, "properties": describe_section(name) });
        add_description(&mut section, sentence);
        properties.insert(name.to_owned(), section);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn describe_section(section: &str) -> Map<String, Value> {
    let here = KEYS.iter().filter(|key| key.section() == section);
    here.map(|key| (key.own_name().to_owned(), describe_key(key))).collect()
}

fn describe_key(key: &ConfigKey) -> Value {
    let mut schema = describe_kind(key.kind);
    add_description(&mut schema, key.doc);
    if let (Some(default), Value::Object(fields)) = (key.default_value(), &mut schema) {
        fields.insert("default".to_owned(), super::toml_value::to_json(&default));
    }
    schema
}

fn describe_kind(kind: ValueKind) -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let word = || text("^\\S+$");
    match kind {
        ValueKind::Issuer => text(SECURE),
        ValueKind::Address | ValueKind::BedrockAddress => text(&format!("^$|{SECURE}")),
        ValueKind::Text => json!({ "type": "string" }),
        ValueKind::Role => text(ROLE),
        ValueKind::Region => text("^[a-z]+(-[a-z]+)+-[0-9]{1,2}$"),
        ValueKind::Choice(words) => json!({ "enum": words }),
        ValueKind::UrlPath => text("^/(?!/)[^?#\\s]*$"),
        ValueKind::FilePath => json!({ "type": "string" }),
        ValueKind::DurationRange(..) => text(SPAN),
        ValueKind::Bool => json!({ "type": "boolean" }),
        ValueKind::Ports => json!({
            "type": "array", "uniqueItems": true,
            "items": { "type": "integer", "minimum": 1, "maximum": 65535 },
        }),
        ValueKind::Argv => list(json!({ "type": "string" })),
        ValueKind::Addresses => list(text(SECURE)),
        ValueKind::Proxy => text("^$|^none$|^(http|https|socks4|socks4a|socks5|socks5h)://[^@/]+/?$"),
        ValueKind::Version => text(VERSIONS),
        ValueKind::Tokens => list(word()),
        ValueKind::Claims => {
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } })
        }
        ValueKind::Regions => list(text("^(auto|[a-z]+(-[a-z]+)+-[0-9]{1,2})$")),
        ValueKind::AwsProfileName => text("^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"),
        ValueKind::IdentityPoolId => text("^$|^[a-z]+(-[a-z]+)+-[0-9]{1,2}:[0-9a-f-]+$"),
        ValueKind::RoleChain => list(json!({ "anyOf": [text(ROLE), describe_chained_role()] })),
        ValueKind::RequestParams => json!({
            "type": "object",
            "propertyNames": { "not": { "enum": PROTOCOL_PARAMS } },
            "additionalProperties": { "type": "string" },
        }),
        ValueKind::ClaimTable => json!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            },
        }),
        ValueKind::Table => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        ValueKind::NamedStrings(names) => json!({
            "type": "object",
            "propertyNames": { "enum": names },
            "additionalProperties": { "type": "string" },
        }),
    }
}

/// A link of the role chain that is more than an ARN.
fn describe_chained_role() -> Value {
    let text = || json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "required": ["role_arn"],
        "additionalProperties": false,
        "properties": {
            "role_arn": { "type": "string", "pattern": ROLE },
            "external_id": { "type": "string", "pattern": "^[A-Za-z0-9_+=,.@:/-]{2,1224}$" },
            "duration": { "type": "string", "pattern": SPAN },
            "session_name": text(),
            "source_identity": text(),
            "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "transitive": { "type": "array", "items": text() },
        },
    })
}

fn add_description(schema: &mut Value, sentence: &str) {
    if let Value::Object(fields) = schema {
        fields.insert("description".to_owned(), Value::from(sentence));
    }
}
