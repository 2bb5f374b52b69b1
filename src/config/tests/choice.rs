//! Which profile is meant.

use super::{GOOD, Home, KEY_FILE, assert_has};

const TWO: &str = r#"version = 1
[profiles.claude]
issuer = "https://a.example"
client_id = "a"
role_arn = "arn:aws:iam::123456789012:role/A"
region = "us-east-1"
[profiles.research]
issuer = "https://b.example"
client_id = "b"
role_arn = "arn:aws:iam::123456789012:role/B"
region = "us-east-1"
"#;

fn name(home: &Home) -> String {
    home.load().unwrap().name
}

#[test]
fn the_only_profile_is_meant_when_none_is_named() {
    assert_eq!(name(&Home::new().user(GOOD)), "claude");
}

#[test]
fn a_name_given_now_wins_over_the_variable_and_that_over_the_default() {
    let home = || Home::new().user(format!("default_profile = \"claude\"\n{TWO}"));
    assert_eq!(name(&home()), "claude");
    assert_eq!(name(&home().variable("BEDROCK_SSO_PROFILE", "research")), "research");
    assert_eq!(name(&home().variable("BEDROCK_SSO_PROFILE", "research").profile("claude")), "claude");
}

#[test]
fn the_users_default_profile_wins_over_the_administrators() {
    let home = Home::new()
        .system(format!("default_profile = \"claude\"\n{TWO}"))
        .user("version = 1\ndefault_profile = \"research\"\n");
    assert_eq!(name(&home), "research");
}

#[test]
fn several_profiles_without_a_default_are_listed() {
    testworld::expect_wording("config", "several profiles without a default are listed", &Home::new().user(TWO).line());
}

#[test]
fn a_misspelt_profile_is_answered_with_the_names_and_the_nearest() {
    assert_has(&Home::new().user(TWO).profile("reserch").line(), &["--profile:", "\"reserch\"", "\"research\""]);
    assert_has(
        &Home::new().user(TWO).variable("BEDROCK_SSO_PROFILE", "zzz").line(),
        &["BEDROCK_SSO_PROFILE:", "\"zzz\""],
    );
    assert_has(
        &Home::new().user(format!("default_profile = \"cloude\"\n{TWO}")).line(),
        &["~/user.toml:1:", "\"cloude\"", "\"claude\""],
    );
}

#[test]
fn a_file_without_profiles_is_said_to_have_none() {
    let home = Home::new().system("version = 1\n").user("version = 1\n");
    testworld::expect_wording("config", "a file without profiles is said to have none", &home.line());
}

fn all(home: &Home) -> Vec<String> {
    let found = home.ask(super::super::load_all_profiles).unwrap();
    found.into_iter().map(|(name, built)| format!("{name} {}", built.is_ok())).collect()
}

#[test]
fn all_profiles_are_found_whichever_is_the_default_and_whatever_is_wrong_with_one() {
    let home = Home::new().system("version = 1\n[profiles.team]\nregion = \"us-east-1\"\n").user(TWO);
    assert_eq!(all(&home), ["claude true", "research true", "team false"]);
    assert_eq!(all(&home.variable("BEDROCK_SSO_PROFILE", "nobody").profile("claude")).len(), 3);
}

#[test]
fn where_nothing_is_configured_there_is_no_profile_and_the_environment_alone_makes_one() {
    assert_eq!(all(&Home::new()), Vec::<String>::new());
    assert_eq!(all(&Home::new().user("version = 1\n")), Vec::<String>::new());
    let home = Home::new().variable("BEDROCK_SSO_ISSUER", "https://a.example").variable("BEDROCK_SSO_CLIENT_ID", "a");
    let home = home.variable("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/A");
    assert_eq!(all(&home.variable("BEDROCK_SSO_REGION", "us-east-1")), ["default true"]);
}

#[test]
fn a_provider_that_gives_every_application_a_secret_is_believed_to_have_given_one() {
    use crate::config::ClientAuth;
    let google = GOOD.replace("https://acme.okta.com", "https://accounts.google.com");
    let auth = |more: &str| Home::new().user(format!("{google}{more}")).load().unwrap().client_auth;
    assert_eq!(auth(""), ClientAuth::Secret);
    assert_eq!(auth("provider = \"generic\""), ClientAuth::None);
    assert_eq!(auth("client_auth = \"none\""), ClientAuth::None);
    assert_eq!(Home::new().user(GOOD).load().unwrap().client_auth, ClientAuth::None);
    let shown = Home::new().user(google).ask(crate::config::report_profile).unwrap();
    let entry = shown.entries.into_iter().find(|entry| entry.key.name == "client_auth").unwrap();
    assert_eq!((entry.toml.as_str(), entry.resolved.as_deref()), ("\"none\"", Some("secret")));
}

#[test]
fn a_private_key_comes_with_its_file_and_what_is_of_keys_with_a_private_key() {
    use crate::config::{AssertionAudience, ClientAuth, ClientKey, KeyAlgorithm};
    let auth = |more: &str| Home::new().user(format!("{GOOD}{more}")).load().map(|it| it.client_auth);
    let whole = &format!("client_auth = \"private_key_jwt\"\nclient_key = \"{KEY_FILE}\"\n");
    let key = ClientKey { file: KEY_FILE.into(), certificate: None, id: None, algorithm: None, audience: None };
    assert_eq!(auth(whole).unwrap(), ClientAuth::PrivateKey(key.clone()));
    let more = format!(
        "client_certificate = \"{KEY_FILE}\"\nclient_key_id = \"k1\"\nclient_algorithm = \"PS256\"\nclient_audience = \"endpoint\"\n"
    );
    let said = ClientKey {
        certificate: Some(KEY_FILE.into()),
        id: Some("k1".into()),
        algorithm: Some(KeyAlgorithm::Ps256),
        audience: Some(AssertionAudience::Endpoint),
        ..key
    };
    assert_eq!(auth(&format!("{whole}{more}")).unwrap(), ClientAuth::PrivateKey(said));
    let wrong = |more: &str| auth(more).unwrap_err().problem_lines().concat();
    let needs = wrong("client_auth = \"private_key_jwt\"\n");
    assert!(needs.ends_with(": client_auth = \"private_key_jwt\" requires client_key"), "{needs}");
    let key_alone = format!("client_key = \"{KEY_FILE}\"");
    for alone in [&key_alone, "client_key_id = \"k\"", "client_algorithm = \"ES256\""] {
        let needs = wrong(alone);
        assert!(needs.ends_with(" requires client_auth = \"private_key_jwt\""), "{needs}");
    }
}
