//! Adding profiles to the text of a file. The existing text and the meaning of its profiles must not change.

use super::{GOOD, Home};
use crate::config::{
    KeyValue, ProfileDraft, add_profiles, find_default_profile, keys::find_key, render_empty_file, set_default_profile,
};

fn facts(facts: &[(&str, &str)]) -> Vec<KeyValue> {
    facts.iter().map(|(key, value)| (find_key(key).unwrap(), (*value).to_owned())).collect()
}

fn draft(name: &str) -> ProfileDraft {
    let role = format!("arn:aws:iam::111111111111:role/{name}");
    ProfileDraft { name: name.to_owned(), values: facts(&[("role_arn", &role)]) }
}

/// The text that `add_profiles` appends.
fn added(text: &str, drafts: &[ProfileDraft], shared: &[(&str, &str)]) -> String {
    let home = Home::new();
    let after = home.ask(|inputs| add_profiles(inputs, &home.at("user.toml"), text, drafts, &facts(shared)).unwrap());
    after.strip_prefix(text).unwrap_or_else(|| panic!("{after}")).to_owned()
}

fn with_default(text: &str, name: &str) -> String {
    let home = Home::new();
    home.ask(|inputs| set_default_profile(inputs, &home.at("user.toml"), text, name).unwrap())
}

#[test]
fn shared_values_of_new_profiles_go_into_defaults() {
    let text =
        added(&render_empty_file(), &[draft("A"), draft("B.c")], &[("region", "us-east-1"), ("quota.timeout", "9s")]);
    let expected = "\n[defaults]\nregion = \"us-east-1\"\n\n[defaults.quota]\ntimeout = \"9s\"\n\n[profiles.A]\n\
                    role_arn = \"arn:aws:iam::111111111111:role/A\"\n\n[profiles.\"B.c\"]\n\
                    role_arn = \"arn:aws:iam::111111111111:role/B.c\"\n";
    assert_eq!(text, expected);
}

#[test]
fn shared_value_stays_out_of_defaults_if_it_changes_a_profile() {
    let shared = [("client_id", "other"), ("storage", "file")];
    let text = added(GOOD, &[draft("A"), draft("B")], &shared);
    assert_eq!(text.matches("[defaults]\nclient_id = \"other\"\n").count(), 1, "{text}");
    assert_eq!(text.matches("storage = \"file\"\n").count(), 2, "{text}");
    let before = Home::new().user(GOOD).load().unwrap();
    let after = Home::new().user(format!("{GOOD}{text}")).profile("claude").load().unwrap();
    assert_eq!((&after.oidc().unwrap().client_id, after.storage), (&before.oidc().unwrap().client_id, before.storage));
}

#[test]
fn existing_defaults_stay_and_are_not_repeated() {
    for defaults in ["[defaults]\nregion = \"us-east-1\"\n", "[defaults.quota]\ntimeout = \"9s\"\n", "[defaults]\n"] {
        let text = format!("version = 1\n{defaults}");
        let added = added(&text, &[draft("A")], &[("region", "us-east-1"), ("quota.timeout", "8s")]);
        assert!(!added.contains("[defaults"), "{added}");
        assert_eq!(added.contains("region = "), !defaults.contains("region"), "{added}");
        assert!(added.contains("[profiles.A.quota]\ntimeout = \"8s\"\n"), "{added}");
    }
}

#[test]
fn adding_no_profiles_changes_nothing() {
    assert_eq!(added(GOOD, &[], &[("region", "us-east-1")]), "");
}

#[test]
fn broken_file_gets_no_profiles() {
    let home = Home::new();
    let add = |text| home.ask(|inputs| add_profiles(inputs, &home.at("user.toml"), text, &[draft("A")], &[]));
    for text in ["version = 1\n[defaults\n", "version = 1\nregion = \"x\"\n", "profiles = {}\n"] {
        assert!(add(text).is_err(), "{text}");
    }
    let hostile = facts(&[("redirect_ports", "[1]\n[profiles.other]")]);
    assert!(home.ask(|inputs| add_profiles(inputs, &home.at("user.toml"), GOOD, &[draft("A")], &hostile)).is_err());
}

#[test]
fn default_profile_is_inserted_or_replaced_in_its_line() {
    for (before, after) in [
        ("version = 1\n[profiles.a]\n", "version = 1\ndefault_profile = \"b\"\n[profiles.a]\n"),
        ("# x\r\nversion = 1 # y\r\n\r\n", "# x\r\nversion = 1 # y\r\ndefault_profile = \"b\"\r\n\r\n"),
        ("version = 1", "version = 1\ndefault_profile = \"b\"\n"),
        ("version = 1\ndefault_profile = 'a' # mine\n", "version = 1\ndefault_profile = \"b\" # mine\n"),
        ("default_profile=\"a\"\nversion=1\n", "default_profile=\"b\"\nversion=1\n"),
        ("\u{feff}version = 1\n", "\u{feff}version = 1\ndefault_profile = \"b\"\n"),
    ] {
        assert_eq!(with_default(before, "b"), after, "{before:?}");
    }
}

#[test]
fn default_profile_of_a_text_ignores_flag_and_variable() {
    let find =
        |home: &Home, text: &str| home.ask(|inputs| find_default_profile(inputs, &home.at("user.toml"), text).unwrap());
    let home = Home::new().profile("x").variable("BEDROCK_SSO_PROFILE", "y");
    assert_eq!(find(&home, GOOD).as_deref(), Some("claude"), "the only one");
    let two = format!("{GOOD}[profiles.b]\n");
    assert_eq!(find(&home, &two), None);
    assert_eq!(find(&home, &format!("default_profile = \"b\"{two}")).as_deref(), Some("b"));
    assert_eq!(find(&home, &format!("default_profile = \"c\"{two}")), None);
    let home = home.system(format!("default_profile = \"claude\"{GOOD}"));
    assert_eq!(find(&home, "version = 1\n[profiles.b]\n").as_deref(), Some("claude"), "the administrator's");
}
