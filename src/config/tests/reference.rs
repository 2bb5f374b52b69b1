//! The tables of `docs/reference/configuration.md` must match the declarations of the keys. `UPDATE_EXPECT=1` rewrites
//! them.

use serde_json::Value;

use crate::config::{
    key::{ConfigKey, SetBy, VariablePolicy},
    keys::{KEYS, SECTIONS, TOP_LEVEL_KEYS},
    toml_value::to_toml,
};

const PAGE: &str = "docs/reference/configuration.md";

#[track_caller]
fn expect_table(name: &str, header: &str, rows: &[String]) {
    let columns = header.matches('|').count() - 1;
    let table = format!("\n{header}\n{}|\n{}\n", "|---".repeat(columns), rows.join("\n"));
    testworld::expect_part(PAGE, &format!("<!-- table of {name} -->\n"), "\n<!-- end of the table -->", &table);
}

/// Describes the type of a value by its schema.
fn describe_kind(schema: &Value) -> String {
    if let Some(names) = schema["enum"].as_array() {
        return names.iter().map(|name| format!("`{}`", name.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    if schema["anyOf"].is_array() {
        return schema["anyOf"].as_array().unwrap().iter().map(describe_kind).collect::<Vec<_>>().join(" or ");
    }
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match schema["type"].as_str().unwrap() {
        "array" => format!("list of {}", describe_kind(&schema["items"])),
        "object" => "table".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "numbers".to_owned(),
        _ if pattern.starts_with("^(?=.)") => "duration".to_owned(),
        _ if pattern.contains("https://") => "address".to_owned(),
        _ if pattern.contains("arn:aws") => "role ARN".to_owned(),
        _ => "text".to_owned(),
    }
}

fn describe_default(key: &ConfigKey) -> String {
    key.default_value().map_or_else(|| "required".to_owned(), |value| format!("`{}`", to_toml(&value)))
}

/// Whether a variable may set the key.
fn describe_variable(key: &ConfigKey) -> &'static str {
    match key.set_by {
        SetBy::Variable(VariablePolicy::Always) => "yes",
        SetBy::Variable(VariablePolicy::WithoutFile) => "without a file",
        SetBy::File => "no",
        SetBy::Administrator => "no; administrator's file only",
    }
}

fn row(key: &ConfigKey) -> String {
    let kind = describe_kind(&(key.schema)());
    let (default, variable) = (describe_default(key), describe_variable(key));
    let meaning = key.doc.replace('|', "\\|");
    format!("| `{}` | {kind} | {default} | {variable} | {meaning} |", key.own_name())
}

#[test]
fn configuration_page_lists_every_key() {
    let header = "| Key | Values | Default | Variable | Meaning |";
    for section in std::iter::once("").chain(SECTIONS.map(|(name, _)| name)) {
        let rows: Vec<String> = KEYS.into_iter().filter(|key| key.section() == section).map(row).collect();
        let name = if section.is_empty() { "profiles" } else { section };
        expect_table(name, header, &rows);
    }
    let rows: Vec<String> = TOP_LEVEL_KEYS.iter().map(|(_, name, doc)| format!("| `{name}` | {doc} |")).collect();
    expect_table("the top", "| Key | Meaning |", &rows);
}

#[test]
fn example_lists_the_keys_that_variables_may_always_set() {
    let example = include_str!("../../../config.example.toml").replace("\r\n", "\n").replace("\n# ", " ");
    let keys = KEYS.into_iter().filter(|key| key.set_by == SetBy::Variable(VariablePolicy::Always));
    let names: Vec<&str> = keys.map(|key| key.name).collect();
    let (last, others) = names.split_last().unwrap();
    let sentence = format!("only the variables of {} and {last} count.", others.join(", "));
    assert!(example.contains(&sentence), "{sentence}");
}
