//! The output of `config show`, `config check`, `config schema` and `config path`.

use super::{GOOD, Home, TRUSTING, assert_has};
use crate::{
    commands::config::{check_files, format_profile, list_config_files},
    config::{render_schema, report_profile as shown},
};

#[test]
fn config_show_prints_each_value_with_its_origin() {
    let home = Home::new()
        .system("version = 1\n[profiles.claude]\nlogin = \"explicit\"\n")
        .user(TRUSTING)
        .variable("BEDROCK_SSO_REDIRECT_PORTS", "[8400]")
        .flag("region", "eu-west-1", "--region");
    let text = home.ask(|inputs| format_profile(inputs, false)).unwrap().replace("~\\", "~/");
    testworld::expect_file("src/config/tests/shown.txt", &text);
}

#[test]
fn config_show_json_has_values_and_origins() {
    let home = Home::new().user(TRUSTING).variable("BEDROCK_SSO_REDIRECT_PORTS", "[8400]");
    let text = home.ask(|inputs| format_profile(inputs, true)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["profile"], "claude");
    assert_eq!(json["files"], serde_json::json!([home.at("user.toml")]));
    let key = |name: &str| json["keys"][name].clone();
    assert_eq!(key("redirect_ports"), serde_json::json!({ "value": [8400], "origin": "BEDROCK_SSO_REDIRECT_PORTS" }));
    assert_eq!(key("storage"), serde_json::json!({ "value": "keyring", "origin": "default" }));
    assert_eq!(key("provider"), serde_json::json!({ "value": "auto", "origin": "default", "resolved": "okta" }));
    assert_eq!(json["keys"].as_object().unwrap().len(), crate::config::keys::COUNT);
}

#[test]
fn config_show_lists_every_key_once() {
    let entries = Home::new().user(GOOD).ask(shown).unwrap().entries;
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.name).collect();
    assert_eq!(names, crate::config::keys::KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
}

#[test]
fn config_check_counts_the_profiles_of_each_file() {
    let home = Home::new().system("version = 1\n").user(GOOD);
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap().replace("~\\", "~/");
    assert_eq!(said, "ok: ~/system.toml: 0 profiles\nok: ~/user.toml: 1 profile\n");
}

#[test]
fn config_check_reports_a_missing_default_profile() {
    let home = Home::new().user(format!("default_profile = \"cloude\"{GOOD}"));
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap_err().to_string();
    assert_has(&said.replace("~\\", "~/"), &["~/user.toml:1: \"default_profile\"", "\"cloude\"", "\"claude\""]);
}

#[test]
fn config_check_covers_the_environment_without_files() {
    let home = Home::new().variable("BEDROCK_SSO_ISSUER", "https://a.example");
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap_err().to_string();
    assert_has(&said, &["environment: [profiles.default]", "\"client_id\"", "2 more"]);
    let home = home
        .variable("BEDROCK_SSO_CLIENT_ID", "me")
        .variable("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/A")
        .variable("BEDROCK_SSO_REGION", "eu-west-1");
    assert_eq!(home.ask(|inputs| check_files(inputs, None)).unwrap(), "ok: environment: 1 profile\n");
}

#[test]
fn config_check_covers_profiles_that_are_not_chosen() {
    let home = Home::new().user(format!("{GOOD}[profiles.b]\nregion = \"cn-north-1\"\n"));
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap_err().problem_lines();
    assert_eq!(said.len(), 3, "{said:?}");
    for (line, key) in said.iter().zip(["\"issuer\"", "\"client_id\"", "\"role_arn\""]) {
        assert_has(&line.replace("~\\", "~/"), &["~/user.toml:8: [profiles.b]", key]);
    }
}

#[test]
fn config_check_reports_every_problem_once() {
    let home = Home::new()
        .system("version = 1\nenforce = [\"scops\"]\n[profiles.a]\nregion = \"Mars\"\nflow = 1\n")
        .user("version = 1\ndefault_profile = \"c\"\n[profiles.a]\nissuer = \"http://acme.okta.com\"\nclient_idd = \"x\"\n[profiles.b]\n");
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap_err().problem_lines();
    let expected = [
        ["~/system.toml:2: \"enforce\"", "\"scopes\""],
        ["~/system.toml:4: \"region\"", "\"Mars\""],
        ["~/system.toml:5: \"flow\"", "number"],
        ["~/user.toml:4: \"issuer\"", "\"http://acme.okta.com\""],
        ["~/user.toml:5: ", "\"client_idd\""],
        ["~/user.toml:2: \"default_profile\"", "\"c\""],
        ["~/user.toml:3: [profiles.a]", "\"client_id\""],
        ["~/user.toml:3: [profiles.a]", "\"role_arn\""],
        ["~/user.toml:6: [profiles.b]", "\"issuer\""],
        ["~/user.toml:6: [profiles.b]", "\"client_id\""],
        ["~/user.toml:6: [profiles.b]", "\"role_arn\""],
        ["~/user.toml:6: [profiles.b]", "\"region\""],
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (line, facts) in said.iter().zip(expected) {
        let line = line.replace("~\\", "~/");
        assert_has(&line, &facts);
        testworld::expect_wording("config", "problems", &line);
    }
}

/// A broken file may contain the keys that seem to be missing.
#[test]
fn config_check_reports_no_false_problems_of_broken_files() {
    for system in ["version = 1\n[profiles.a\n", "version = 2\n"] {
        let home = Home::new().system(system).user("version = 1\n[profiles.a]\nregion = \"Mars\"\n");
        let said = home.ask(|inputs| check_files(inputs, None)).unwrap_err().problem_lines();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("Mars"), "{said:?}");
    }
}

#[test]
fn config_check_of_one_file_ignores_the_others() {
    let home = Home::new().user("broken").with("new.toml", format!("enforce = [\"issuer\"]{GOOD}"));
    let file = home.at("new.toml");
    let said = home.ask(|inputs| check_files(inputs, Some(&file))).unwrap().replace("~\\", "~/");
    assert_eq!(said, "ok: ~/new.toml: 1 profile\n");
    let absent = home.at("absent.toml");
    let said = home.ask(|inputs| check_files(inputs, Some(&absent))).unwrap_err().to_string();
    assert_has(&said.replace("~\\", "~/"), &["~/absent.toml: "]);
}

#[test]
fn config_path_lists_files_in_reading_order() {
    let home = Home::new().user(GOOD);
    let (system, user) = (home.at("system.toml"), home.at("user.toml"));
    assert_eq!(home.ask(list_config_files), format!("{}  (absent)\n{}  (present)\n", system.display(), user.display()));
}

#[test]
fn schema_contains_exactly_the_known_keys() {
    let schema: serde_json::Value = serde_json::from_str(&render_schema()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let profile = &schema["properties"]["profiles"]["additionalProperties"];
    assert_eq!(profile["additionalProperties"], false);
    for key in crate::config::keys::KEYS {
        let place = match key.section() {
            "" => &profile["properties"],
            section => &profile["properties"][section]["properties"],
        };
        assert_eq!(place[key.own_name()]["description"], key.doc, "{}", key.name);
    }
    assert_eq!(profile["properties"]["storage"]["enum"], serde_json::json!(["keyring", "file", "none"]));
    assert_eq!(profile["properties"]["storage"]["default"], "keyring");
    assert_eq!(profile["properties"]["quota"]["properties"]["timeout"]["default"], "5s");
}
