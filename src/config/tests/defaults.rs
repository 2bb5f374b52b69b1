//! `[defaults]`: which profiles it applies to, which values override it, and the messages about it.

use std::time::Duration;

use super::{GOOD, Home, TRUSTING, assert_has};
use crate::{
    commands::config::{check_files, format_profile},
    config::{
        Error, Storage, check_all_files, key::SetBy, keys::KEYS, load_all_profiles, render_schema, report_profile,
        toml_value::to_toml,
    },
};

/// Two roles of one application.
const TWO: &str = r#"version = 1
default_profile = "a"
[defaults]
issuer = "https://acme.okta.com"
client_id = "0oa1b2c3d4"
region = "us-east-1"
extra_params = { prompt = "login", domain_hint = "acme.com" }
[defaults.quota]
endpoint = "https://quota.example"
timeout = "9s"
[profiles.a]
role_arn = "arn:aws:iam::111111111111:role/A"
[profiles.b]
role_arn = "arn:aws:iam::222222222222:role/B"
region = "eu-west-1"
extra_params = { prompt = "consent" }
[profiles.b.quota]
timeout = "3s"
"#;

#[test]
fn profiles_share_the_defaults_of_their_file() {
    let home = Home::new().user(TWO);
    let a = home.load().unwrap();
    assert_eq!(
        (a.name.as_str(), a.oidc().unwrap().client_id.as_str(), a.region.as_str()),
        ("a", "0oa1b2c3d4", "us-east-1")
    );
    let b = home.profile("b").load().unwrap();
    assert_eq!(b.final_role().unwrap().name(), "B");
    assert_eq!(
        (&b.oidc().unwrap().issuer, &b.oidc().unwrap().client_id, b.region.as_str()),
        (&a.oidc().unwrap().issuer, &a.oidc().unwrap().client_id, "eu-west-1")
    );
}

#[test]
fn inner_tables_merge_and_values_replace() {
    let home = Home::new().user(TWO);
    let (a, b) = (home.load().unwrap(), home.profile("b").load().unwrap());
    assert_eq!(a.oidc().unwrap().extra_params.len(), 2);
    assert_eq!(
        b.oidc().unwrap().extra_params,
        [("prompt".to_owned(), "consent".to_owned())].into(),
        "a value replaces the other"
    );
    let [a, b] = [a, b].map(|profile| profile.quota.unwrap());
    assert_eq!(b.endpoint, a.endpoint, "a key of a table does not replace the table");
    assert_eq!((a.timeout, b.timeout), (Duration::from_secs(9), Duration::from_secs(3)));
}

#[test]
fn every_profile_key_is_allowed_in_defaults() {
    for key in KEYS {
        let value = key.default_value().map_or_else(|| "\"x\"".to_owned(), |value| to_toml(&value));
        let text = format!("{GOOD}[defaults]\n{} = {value}\n", key.name);
        let own = GOOD.lines().any(|line| line.starts_with(&format!("{} ", key.name)));
        let home = if key.set_by == SetBy::Administrator { Home::new().system(&text) } else { Home::new().user(&text) };
        match home.ask(report_profile) {
            Ok(shown) => {
                let entry = shown.entries.into_iter().find(|entry| entry.key == key).unwrap();
                assert!(own || entry.origin.ends_with(".toml:9 [defaults]"), "{}: {}", key.name, entry.origin);
            }
            // Required keys have no default, so the test uses an illegal value, whose error names the line.
            Err(error) => assert!(own && error.to_string().contains(":9 [defaults]: "), "{}: {error}", key.name),
        }
    }
}

#[test]
fn defaults_alone_define_no_profile() {
    let home = Home::new().user("version = 1\n[defaults]\nregion = \"us-east-1\"\n");
    assert!(matches!(home.load(), Err(Error::NoProfile { .. })), "{:?}", home.load());
    assert_eq!(home.ask(load_all_profiles).unwrap().len(), 0);
}

#[test]
fn defaults_apply_to_profiles_of_their_file_only() {
    let of_the_user = "version = 1\n[defaults]\nregion = \"eu-west-1\"\n";
    assert_eq!(Home::new().system(GOOD).user(of_the_user).load().unwrap().region, "us-east-1");
    let of_the_administrator = "version = 1\n[defaults]\nstorage = \"file\"\n";
    assert_eq!(Home::new().system(of_the_administrator).user(GOOD).load().unwrap().storage, Storage::Keyring);
}

#[test]
fn users_defaults_win_over_the_administrators_profile() {
    let of_the_user = "version = 1\n[defaults]\nregion = \"eu-west-1\"\n[profiles.claude]\n";
    assert_eq!(Home::new().system(GOOD).user(of_the_user).load().unwrap().region, "eu-west-1");
    let of_the_administrator = GOOD.replace("[profiles", "[defaults]\nstorage = \"file\"\n[profiles");
    let home = Home::new().system(of_the_administrator);
    assert_eq!(home.load().unwrap().storage, Storage::File);
    let of_the_user = "version = 1\n[profiles.claude]\nstorage = \"none\"\n";
    assert_eq!(home.user(of_the_user).load().unwrap().storage, Storage::None);
}

#[test]
fn position_of_the_defaults_table_does_not_matter() {
    let shared = "[defaults]\nissuer = \"https://acme.okta.com\"\nclient_id = \"0oa1b2c3d4\"\nregion = \"us-east-1\"\n";
    let own = "[profiles.claude]\nrole_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"\n";
    let expected = Home::new().user(GOOD).load().unwrap();
    for text in [format!("version = 1\n{shared}{own}"), format!("version = 1\n{own}{shared}")] {
        assert_eq!(Home::new().user(text).load().unwrap(), expected);
    }
}

#[test]
fn administrators_defaults_count_as_administrators_values() {
    let home = Home::new().system(TWO);
    let profile = home.load().unwrap();
    for key in ["issuer", "client_id", "quota.endpoint", "role_arn"] {
        assert!(profile.set_by_administrator.contains(key), "{key}");
    }
    let own = Home::new().user(TWO).load().unwrap();
    assert!(own.set_by_administrator.is_empty(), "{:?}", own.set_by_administrator);
}

#[test]
fn enforced_keys_can_have_values_from_defaults() {
    let enforcing = |text: &str| text.replace("version = 1", "version = 1\nenforce = [\"client_id\", \"region\"]");
    let home = || Home::new().system(enforcing(TWO));
    let line = home().user("version = 1\n[profiles.a]\nclient_id = \"other\"\n").line();
    assert_has(&line, &["~/user.toml:3: \"client_id\"", "\"0oa1b2c3d4\"", "~/system.toml:6 [defaults]"]);
    // The user's `[defaults]` cannot change it either.
    let line = home().user("version = 1\n[defaults]\nclient_id = \"other\"\n[profiles.a]\n").line();
    assert_has(&line, &["~/user.toml:3 [defaults]: \"client_id\"", "~/system.toml:6 [defaults]"]);
    // The profile's table overrides a wrong value of `[defaults]`, so the result is legal.
    let shadowed = "version = 1\n[defaults]\nclient_id = \"other\"\n[profiles.a]\nclient_id = \"0oa1b2c3d4\"\n";
    assert!(home().user(shadowed).load().is_ok());
    // A profile with another name cannot escape them.
    let own = "version = 1\n[profiles.mine]\nissuer = \"https://acme.okta.com\"\nclient_id = \"other\"\n\
               role_arn = \"arn:aws:iam::123456789012:role/A\"\nregion = \"eu-west-1\"\n";
    let line = home().user(own).profile("mine").line();
    assert_has(&line, &["~/user.toml:4: \"client_id\"", "\"0oa1b2c3d4\""]);
}

#[test]
fn enforced_defaults_without_profiles_apply_to_all() {
    let system = "version = 1\nenforce = [\"storage\"]\n[defaults]\nstorage = \"file\"\n";
    let profile = Home::new().system(system).user(GOOD).load().unwrap();
    assert_eq!(profile.storage, Storage::File);
    assert!(profile.set_by_administrator.contains("storage"));
    let line = Home::new().system(system).user(format!("{GOOD}storage = \"keyring\"\n")).line();
    assert_has(&line, &["~/user.toml:8: \"storage\"", "\"file\"", "~/system.toml:4 [defaults]"]);
}

#[test]
fn variable_cannot_override_defaults_of_a_file() {
    let home = Home::new().user(TWO).variable("BEDROCK_SSO_CLIENT_ID", "planted");
    let line = home.line();
    assert_has(&line, &["BEDROCK_SSO_CLIENT_ID:", "\"client_id\"", "~/user.toml"]);
    assert!(!line.contains("planted"), "{line}");
    let chosen = Home::new().user(TWO).variable("BEDROCK_SSO_REGION", "us-west-2");
    assert_eq!(chosen.load().unwrap().region, "us-west-2");
    // A file that the call names defines its profiles, too.
    let home = Home::new().with("mine.toml", TWO).variable("BEDROCK_SSO_CONFIG", "~/mine.toml");
    assert_has(&home.variable("BEDROCK_SSO_QUOTA_ENDPOINT", "planted").line(), &["BEDROCK_SSO_QUOTA_ENDPOINT:"]);
}

#[test]
fn collectors_in_named_file_defaults_get_no_id_token() {
    let defaults = "[defaults.telemetry]\nsend_token = true\ncollectors = [\"https://otel.example\"]\n";
    let text = format!("{GOOD}{defaults}");
    assert!(Home::new().user(&text).load().unwrap().telemetry.send_token);
    let line = Home::new().with("mine.toml", &text).file("mine.toml").line();
    assert_has(&line, &["~/mine.toml:9 [defaults]: \"telemetry.send_token\""]);
}

#[test]
fn fault_in_defaults_names_the_table() {
    let said = |defaults: &str| Home::new().user(format!("version = 1\n{defaults}\n[profiles.a]\n")).line();
    assert_has(&said("[defaults]\nisuer = \"x\""), &["~/user.toml:3: ", "\"isuer\"", "[defaults]", "\"issuer\""]);
    assert_has(&said("[defaults]\nstorage = \"disk\""), &["~/user.toml:3 [defaults]: \"storage\"", "\"disk\""]);
    assert_has(&said("[defaults]\nregion = 1"), &["~/user.toml:3 [defaults]: \"region\""]);
    assert_has(&said("[defaults.quota]\nendpont = \"\""), &["~/user.toml:3: ", "[defaults.quota]", "\"endpoint\""]);
    assert_has(&said("[defaults]\nsend_token = true"), &["~/user.toml:3: ", "[defaults.telemetry]"]);
    assert_has(&said("[defaults]\ndefault_profile = \"a\""), &["~/user.toml:3: \"default_profile\"", "[defaults]"]);
    assert_has(&said("[defaults]\naws_profile = \"a\""), &["~/user.toml:3 [defaults]: \"aws_profile\""]);
    assert_has(&said("defaults = 1"), &["~/user.toml:2: \"defaults\""]);
    assert_has(&said("[defaults.profiles.b]"), &["~/user.toml:2: \"profiles\"", "[defaults]"]);
}

#[test]
fn fault_in_defaults_is_reported_once() {
    let text = TWO.replace("client_id = \"0oa1b2c3d4\"\n", "client_id = \"0oa1b2c3d4\"\nprovider = \"entra\"\n");
    let said = Home::new().user(text).ask(check_all_files).unwrap_err().problem_lines();
    assert_eq!(said.len(), 2, "both keys once, and not once for each profile: {said:?}");
    said.iter().for_each(|line| assert_has(line, &["user.toml:", "[defaults]: "]));
}

#[test]
fn min_version_in_defaults_is_reported_first() {
    let text = "version = 1\nnew_key = 1\n[defaults]\nmin_version = \"999\"\n[profiles.a]\n";
    let line = Home::new().system(text).line();
    assert!(line.starts_with("~/system.toml:4: ") && line.contains("999"), "{line}");
}

#[test]
fn missing_key_names_the_profile_not_its_defaults() {
    let line = Home::new().user(TWO.replace("region = \"us-east-1\"\n", "")).line();
    assert_has(&line, &["~/user.toml:10: [profiles.a]", "\"region\""]);
}

#[test]
fn config_show_names_defaults_as_the_origin() {
    let home = Home::new().user(TWO);
    let text = home.ask(|inputs| format_profile(inputs, true)).unwrap().replace(r"~\\", "~/");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    let origin = |key: &str| shown["keys"][key]["origin"].as_str().unwrap().to_owned();
    assert_eq!(origin("client_id"), "~/user.toml:5 [defaults]");
    assert_eq!(origin("quota.timeout"), "~/user.toml:10 [defaults]");
    assert_eq!(origin("role_arn"), "~/user.toml:12");
}

#[test]
fn config_check_warns_about_unused_defaults() {
    let home = Home::new().system(GOOD).user("version = 1\n[defaults]\nregion = \"eu-west-1\"\n");
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap().replace("~\\", "~/");
    testworld::expect_wording("config", "unused defaults", &said);
    assert_has(&said, &["warning: ~/user.toml: [defaults]"]);
    let enforcing = "version = 1\nenforce = [\"storage\"]\n[defaults]\nstorage = \"file\"\n";
    let said = Home::new().system(enforcing).user(GOOD).ask(|inputs| check_files(inputs, None)).unwrap();
    assert!(!said.contains("warning"), "{said}");
    let said = Home::new().user(TWO).ask(|inputs| check_files(inputs, None)).unwrap();
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn suspicious_value_in_defaults_gets_one_warning() {
    let text = TWO.replace("version = 1", "version = 1\nenforce = [\"quota\"]");
    let said = Home::new().system(text).ask(|inputs| check_files(inputs, None)).unwrap();
    let about: Vec<&str> = said.lines().filter(|line| line.contains("on_error")).collect();
    assert_eq!(about.len(), 2, "the default of on_error is no value of [defaults]: {said}");
    let text = TWO.replace("timeout = \"9s\"", "timeout = \"9s\"\non_error = \"allow\"");
    let text = text.replace("version = 1", "version = 1\nenforce = [\"quota\"]");
    let said = Home::new().system(text).ask(|inputs| check_files(inputs, None)).unwrap();
    let about: Vec<&str> = said.lines().filter(|line| line.contains("on_error")).collect();
    assert_eq!(about.len(), 1, "{said}");
    assert_has(about[0], &["[defaults]"]);
}

#[test]
fn schema_of_defaults_equals_schema_of_a_profile() {
    let schema: serde_json::Value = serde_json::from_str(&render_schema()).unwrap();
    let top = &schema["properties"];
    let (defaults, profile) = (&top["defaults"], &top["profiles"]["additionalProperties"]);
    assert_eq!(defaults["properties"], profile["properties"]);
    assert_eq!(defaults["additionalProperties"], false);
    assert!(defaults["description"].is_string());
}

#[test]
fn trust_environment_lets_variables_override_defaults() {
    let text = format!("{TRUSTING}[defaults]\nstorage = \"file\"\n");
    let home = Home::new().user(text);
    assert_eq!(home.load().unwrap().storage, Storage::File);
    assert_eq!(home.variable("BEDROCK_SSO_STORAGE", "none").load().unwrap().storage, Storage::None);
}
