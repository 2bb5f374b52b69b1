//! Renders TOML values as one line of TOML, and as JSON.
//!
//! Equal values have equal text, whatever their spelling in the file. Messages and `config show` print this text, and
//! the check of enforced values compares it.

use toml::de::DeValue;

/// The value in TOML's own syntax.
pub(super) fn to_toml(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quote_text(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| to_toml(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(table) if table.is_empty() => "{}".to_owned(),
        DeValue::Table(table) => {
            let entries = table.iter();
            let entries =
                entries.map(|(name, value)| format!("{} = {}", format_key(name.get_ref()), to_toml(value.get_ref())));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The name of a table's entry, in quotes if TOML requires them.
fn format_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_bare { name.to_owned() } else { quote_text(name) }
}

/// The text as a string in TOML's syntax.
pub(super) fn quote_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for part in text.chars() {
        match part {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            part if part.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(part))),
            part => out.push(part),
        }
    }
    out.push('"');
    out
}

/// The value as JSON. A number that JSON could not represent exactly becomes a string.
pub(super) fn to_json(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value;
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.to_string()),
        },
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Boolean(on) => Value::from(*on),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(name, value)| (name.get_ref().to_string(), to_json(value.get_ref()))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered_toml_value_parses_to_the_same_value() {
        for text in [
            "\"a \\\"b\\\" \\\\ \\n \\u0001\"",
            "[1, 2]",
            "{ \"a b\" = \"c\", d = [\"e\"] }",
            "{}",
            "[]",
            "true",
            "0x1F",
        ] {
            assert_eq!(to_toml(DeValue::parse(text).unwrap().get_ref()), text);
        }
    }
}
