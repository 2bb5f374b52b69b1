//! `config schema`: the table of keys as JSON Schema 2020-12, for editors.
//!
//! What a schema cannot say (partitions, forbidden parameters by layer) is left to `config check`.

use serde_json::{Map, Value, json};

use super::key::{KEYS, Key, Kind, PROTOCOL_PARAMS, SECTIONS, TOP, VERSION};

const SPAN: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
const SECURE: &str = "^(https://|http://(localhost|127\\.|\\[::1\\]))";
const VERSIONS: &str = "^([0-9]+(\\.[0-9]+){0,2})?$";
const ROLE: &str = "^arn:aws(-[a-z0-9-]+)?:iam::[0-9]{12}:role/.+$";

/// The schema of a configuration file.
pub fn schema() -> String {
    let mut properties = Map::new();
    for key in &TOP {
        let mut schema = top(key.name);
        describe(&mut schema, key.sentence);
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

fn top(name: &str) -> Value {
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
            "additionalProperties": profile(),
        }),
        _ => json!({ "type": "string" }),
    }
}

/// No key is required: the administrator's file may give what the user's lacks.
fn profile() -> Value {
    let mut properties = keys("");
    for (name, sentence) in SECTIONS {
        let mut section =
            json!({ "type": "object", "additionalProperties": false, "properties": keys(name) });
        describe(&mut section, sentence);
        properties.insert(name.to_owned(), section);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn keys(section: &str) -> Map<String, Value> {
    let here = KEYS.iter().filter(|key| key.section() == section);
    here.map(|key| (key.own_name().to_owned(), of_key(key))).collect()
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_kind(key.kind);
    describe(&mut schema, key.sentence);
    if let (Some(default), Value::Object(fields)) = (key.default_value(), &mut schema) {
        fields.insert("default".to_owned(), super::value::json(&default));
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let word = || text("^\\S+$");
    match kind {
        Kind::Issuer => text(SECURE),
        Kind::Address | Kind::BedrockAddress => text(&format!("^$|{SECURE}")),
        Kind::Text => json!({ "type": "string" }),
        Kind::Role => text(ROLE),
        Kind::Region => text("^[a-z]+(-[a-z]+)+-[0-9]{1,2}$"),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Path => text("^/(?!/)[^?#\\s]*$"),
        Kind::File => json!({ "type": "string" }),
        Kind::Span(..) => text(SPAN),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Ports => json!({
            "type": "array", "uniqueItems": true,
            "items": { "type": "integer", "minimum": 1, "maximum": 65535 },
        }),
        Kind::Argv => list(json!({ "type": "string" })),
        Kind::Addresses => list(text(SECURE)),
        Kind::Proxy => text("^$|^none$|^(http|https|socks4|socks4a|socks5|socks5h)://[^@/]+/?$"),
        Kind::Version => text(VERSIONS),
        Kind::Words => list(word()),
        Kind::Claims => {
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } })
        }
        Kind::Regions => list(text("^(auto|[a-z]+(-[a-z]+)+-[0-9]{1,2})$")),
        Kind::Name => text("^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"),
        Kind::Pool => text("^$|^[a-z]+(-[a-z]+)+-[0-9]{1,2}:[0-9a-f-]+$"),
        Kind::Roles => list(json!({ "anyOf": [text(ROLE), link()] })),
        Kind::Params => json!({
            "type": "object",
            "propertyNames": { "not": { "enum": PROTOCOL_PARAMS } },
            "additionalProperties": { "type": "string" },
        }),
        Kind::ClaimTable => json!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            },
        }),
        Kind::Table => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Named(names) => json!({
            "type": "object",
            "propertyNames": { "enum": names },
            "additionalProperties": { "type": "string" },
        }),
    }
}

/// A link of the role chain that is more than an ARN.
fn link() -> Value {
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

fn describe(schema: &mut Value, sentence: &str) {
    if let Value::Object(fields) = schema {
        fields.insert("description".to_owned(), Value::from(sentence));
    }
}
