//! `config.example.toml` must document every key as the table of keys declares it.

use toml::de::DeTable;

use super::{GOOD, Home, KEY_FILE, TRUSTING};
use crate::config::{
    Profile,
    key::ConfigKey,
    keys::{COUNT, KEYS, SECTIONS, TOP_LEVEL_KEYS},
    toml_value::to_toml,
};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The example with every default uncommented: `#key = …` becomes `key = …`.
fn uncommented() -> String {
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_lowercase()) => rest,
        _ => line,
    };
    EXAMPLE.lines().map(|text| line(text).to_owned() + "\n").collect()
}

/// The lines of the comment above a line.
fn comment_above(text: &str, line: usize) -> Vec<&str> {
    let above: Vec<&str> = text.lines().take(line - 1).collect();
    above.into_iter().rev().map_while(|line| line.strip_prefix("# ")).collect()
}

#[test]
fn example_file_with_all_defaults_gives_the_same_profile() {
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
fn example_file_documents_every_key() {
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

/// The names among which a key chooses; empty for keys of another kind.
fn choices(key: &ConfigKey) -> Vec<String> {
    let names = (key.schema)()["enum"].as_array().cloned().unwrap_or_default();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_default_is_legal_for_its_key() {
    for key in KEYS {
        if let Some(default) = key.default_value() {
            assert_eq!(key.check_value(&default), Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn every_choice_of_every_key_is_accepted() {
    for key in KEYS {
        for word in &choices(key) {
            // An issuer on loopback can belong to any provider, so no value of `provider` contradicts it.
            let home = Home::new().user(TRUSTING).variable("BEDROCK_SSO_ISSUER", "http://127.0.0.1:9");
            // Some values require another key.
            let home = match key.name {
                "client_auth" => home.variable("BEDROCK_SSO_CLIENT_KEY", keyed(word, "private_key_jwt", KEY_FILE)),
                "client_algorithm" | "client_audience" => home
                    .variable("BEDROCK_SSO_CLIENT_AUTH", "private_key_jwt")
                    .variable("BEDROCK_SSO_CLIENT_KEY", KEY_FILE),
                _ => home,
            };
            let home = home.variable(key.variable, word);
            // "identity-pool" requires `identity_pool_id`.
            let is_pool = word == "identity-pool";
            let home = if is_pool { home.variable("BEDROCK_SSO_IDENTITY_POOL_ID", "us-east-1:1b4e") } else { home };
            // "identity-center" excludes an issuer, so `identity_center` has tests of its own.
            if word == "identity-center" {
                continue;
            }
            assert!(home.load().is_ok(), "{} = {word}", key.name);
        }
    }
}

#[test]
fn every_key_has_a_unique_variable() {
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
