//! `config.example.toml` against the table of keys.

use toml::de::DeTable;

use super::{GOOD, Home, KEY_FILE, TRUSTING};
use crate::config::{
    Profile,
    key::ConfigKey,
    keys::{COUNT, KEYS, SECTIONS, TOP_LEVEL_KEYS},
    toml_value::to_toml,
};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The example with every default in force: `#key = …` becomes `key = …`.
fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase()) => rest,
        _ => line,
    };
    EXAMPLE.lines().map(|text| line(text).to_owned() + "\n").collect()
}

/// The comment above a line, a string a line.
fn comment_above(text: &str, line: usize) -> Vec<&str> {
    let above: Vec<&str> = text.lines().take(line - 1).collect();
    above.into_iter().rev().map_while(|line| line.strip_prefix("# ")).collect()
}

#[test]
fn the_example_is_a_good_configuration_as_it_stands_and_with_all_defaults_spelt_out() {
    let as_it_stands = Home::new().user(EXAMPLE).load().unwrap();
    assert_eq!(Home::new().user(GOOD).load().unwrap(), as_it_stands);
    let spelt_out = Home::new().system(uncommented()).load().unwrap();
    let as_it_came = Profile {
        deciding_file: as_it_stands.deciding_file.clone(),
        set_by_administrator: as_it_stands.set_by_administrator.clone(),
        ..spelt_out
    };
    assert_eq!(as_it_came, as_it_stands);
}

#[test]
fn the_example_holds_each_key_with_its_default_its_sentence_and_its_words() {
    let text = uncommented();
    let table = DeTable::parse(&text).unwrap();
    let profile = table.get_ref()["profiles"].get_ref().as_table().unwrap()["claude"].get_ref().clone();
    for key in KEYS {
        let holder = if key.section().is_empty() { &profile } else { profile[key.section()].get_ref() };
        let value = holder.get(key.own_name()).unwrap_or_else(|| panic!("the example lacks {}", key.name));
        if let Some(default) = key.default_value() {
            assert_eq!(to_toml(value.get_ref()), to_toml(&default), "{}", key.name);
        }
        let line = 1 + text[..value.span().start].matches('\n').count();
        let comment = comment_above(&text, line);
        for expected in expected_comment(key) {
            assert!(comment.contains(&expected.as_str()), "{}: {expected:?} is not in {comment:?}", key.name);
        }
    }
    for sentence in TOP_LEVEL_KEYS.iter().map(|(_, _, doc)| *doc).chain(SECTIONS.iter().map(|section| section.1)) {
        assert!(EXAMPLE.contains(&format!("# {sentence}\n")), "{sentence}");
    }
}

fn expected_comment(key: &ConfigKey) -> Vec<String> {
    let mut lines = vec![key.doc.to_owned()];
    let names = choices(key);
    if !names.is_empty() {
        lines.push(format!("One of: {}.", names.join(", ")));
    }
    lines
}

/// The names that a key chooses among; none for another kind of key.
fn choices(key: &ConfigKey) -> Vec<String> {
    let names = (key.schema)()["enum"].as_array().cloned().unwrap_or_default();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_default_is_legal_for_its_key() {
    for key in KEYS {
        if let Some(default) = key.default_value() {
            assert_eq!(key.check_value(&default), Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn each_word_of_the_table_is_understood() {
    for key in KEYS {
        for word in &choices(key) {
            // At an issuer of nobody's own, or most providers would contradict it.
            let home = Home::new().user(TRUSTING).variable("BEDROCK_SSO_ISSUER", "http://127.0.0.1:9");
            // Some words mean something beside others only.
            let home = match key.name {
                "client_auth" => home.variable("BEDROCK_SSO_CLIENT_KEY", keyed(word, "private_key_jwt", KEY_FILE)),
                "client_algorithm" | "client_audience" => home
                    .variable("BEDROCK_SSO_CLIENT_AUTH", "private_key_jwt")
                    .variable("BEDROCK_SSO_CLIENT_KEY", KEY_FILE),
                _ => home,
            };
            let home = home.variable(key.variable, word);
            // The one word that needs another key beside it.
            let is_pool = word == "identity-pool";
            let home = if is_pool { home.variable("BEDROCK_SSO_IDENTITY_POOL_ID", "us-east-1:1b4e") } else { home };
            assert!(home.load().is_ok(), "{} = {word}", key.name);
        }
    }
}

#[test]
fn keys_have_names_of_their_own() {
    let names: std::collections::BTreeSet<&str> = KEYS.iter().map(|key| key.variable).collect();
    assert_eq!(names.len(), COUNT);
    for key in KEYS {
        let expected = format!("BEDROCK_SSO_{}", key.name.replace('.', "_").to_uppercase());
        assert_eq!(key.variable, expected, "the static is named as the key is");
    }
    for own in ["CONFIG", "PROFILE", "LOG", "LOG_FILE"] {
        assert!(!names.contains(format!("BEDROCK_SSO_{own}").as_str()), "{own}");
    }
    assert!(KEYS.iter().all(|key| key.section().is_empty() || SECTIONS.iter().any(|it| it.0 == key.section())));
}

fn keyed(word: &str, wants: &str, companion: &'static str) -> &'static str {
    if word == wants { companion } else { "" }
}
