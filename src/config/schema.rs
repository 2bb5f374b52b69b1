//! Renders the table of keys as JSON Schema 2020-12 for editors (`config schema`).
//!
//! A file that satisfies the schema can still be wrong, because a schema cannot express every rule, such as AWS
//! partitions. `config check` is the complete check.

use serde_json::{Map, Value, json};

use super::{
    ConfigKey,
    keys::{self, KEYS, SECTIONS, TOP_LEVEL_KEYS, TopLevelKey, VERSION},
    toml_value::to_json,
};

/// The schema of a configuration file.
pub fn render_schema() -> String {
    let mut properties = Map::new();
    for (key, name, doc) in TOP_LEVEL_KEYS {
        let mut schema = describe_top_level_key(key);
        set_field(&mut schema, "description", doc);
        properties.insert(name.to_owned(), schema);
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

/// The schema of a top-level key, without its description.
fn describe_top_level_key(key: TopLevelKey) -> Value {
    match key {
        TopLevelKey::Version => json!({ "const": VERSION }),
        TopLevelKey::DefaultProfile => json!({ "type": "string" }),
        TopLevelKey::Enforce => {
            let names = KEYS.iter().map(|key| key.name).chain(SECTIONS.iter().map(|(name, _)| *name));
            json!({ "type": "array", "items": { "enum": names.collect::<Vec<_>>() } })
        }
        TopLevelKey::MinVersion => (keys::MIN_VERSION.schema)(),
        TopLevelKey::TrustEnvironment => json!({ "type": "boolean", "default": false }),
        TopLevelKey::Defaults => describe_profile(),
        TopLevelKey::Profiles => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
            "additionalProperties": describe_profile(),
        }),
    }
}

/// The schema of a profile, which is also that of `[defaults]`. No key is required, because another file can set it.
fn describe_profile() -> Value {
    let mut properties = describe_section("");
    for (name, sentence) in SECTIONS {
        let mut section =
            json!({ "type": "object", "additionalProperties": false, "properties": describe_section(name) });
        set_field(&mut section, "description", sentence);
        properties.insert(name.to_owned(), section);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// The keys of an inner table, or of the profile itself if `section` is empty.
fn describe_section(section: &str) -> Map<String, Value> {
    let here = KEYS.iter().filter(|key| key.section() == section);
    here.map(|key| (key.own_name().to_owned(), describe_key(key))).collect()
}

fn describe_key(key: &ConfigKey) -> Value {
    let mut schema = (key.schema)();
    set_field(&mut schema, "description", key.doc);
    if let Some(default) = key.default_value() {
        set_field(&mut schema, "default", to_json(&default));
    }
    schema
}

/// Adds a field to a schema. Every schema in this file is an object, so nothing is lost.
fn set_field(schema: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = schema {
        fields.insert(name.to_owned(), value.into());
    }
}
