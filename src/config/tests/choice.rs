//! Which profile a call uses, and the settings that depend on the provider.

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
fn only_profile_is_used_without_a_name() {
    assert_eq!(name(&Home::new().user(GOOD)), "claude");
}

#[test]
fn profile_flag_wins_over_variable_and_default() {
    let home = || Home::new().user(format!("default_profile = \"claude\"\n{TWO}"));
    assert_eq!(name(&home()), "claude");
    assert_eq!(name(&home().variable("BEDROCK_SSO_PROFILE", "research")), "research");
    assert_eq!(name(&home().variable("BEDROCK_SSO_PROFILE", "research").profile("claude")), "claude");
}

#[test]
fn users_default_profile_wins_over_the_administrators() {
    let home = Home::new()
        .system(format!("default_profile = \"claude\"\n{TWO}"))
        .user("version = 1\ndefault_profile = \"research\"\n");
    assert_eq!(name(&home), "research");
}

#[test]
fn several_profiles_without_default_are_listed() {
    testworld::expect_wording("config", "several profiles without a default", &Home::new().user(TWO).line());
}

#[test]
fn misspelled_profile_name_gets_a_suggestion() {
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
fn files_without_profiles_are_reported() {
    let home = Home::new().system("version = 1\n").user("version = 1\n");
    testworld::expect_wording("config", "files without profiles", &home.line());
}

fn all(home: &Home) -> Vec<String> {
    let found = home.ask(super::super::load_all_profiles).unwrap();
    found.into_iter().map(|(name, built)| format!("{name} {}", built.is_ok())).collect()
}

#[test]
fn load_all_profiles_includes_broken_profiles() {
    let home = Home::new().system("version = 1\n[profiles.team]\nregion = \"us-east-1\"\n").user(TWO);
    assert_eq!(all(&home), ["claude true", "research true", "team false"]);
    assert_eq!(all(&home.variable("BEDROCK_SSO_PROFILE", "nobody").profile("claude")).len(), 3);
}

#[test]
fn load_all_profiles_without_files_uses_the_environment() {
    assert_eq!(all(&Home::new()), Vec::<String>::new());
    assert_eq!(all(&Home::new().user("version = 1\n")), Vec::<String>::new());
    let home = Home::new().variable("BEDROCK_SSO_ISSUER", "https://a.example").variable("BEDROCK_SSO_CLIENT_ID", "a");
    let home = home.variable("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/A");
    assert_eq!(all(&home.variable("BEDROCK_SSO_REGION", "us-east-1")), ["default true"]);
}

#[test]
fn google_profile_uses_a_client_secret_by_default() {
    use crate::config::ClientAuth;
    let google = GOOD.replace("https://acme.okta.com", "https://accounts.google.com");
    let auth =
        |more: &str| Home::new().user(format!("{google}{more}")).load().unwrap().oidc().unwrap().client_auth.clone();
    assert_eq!(auth(""), ClientAuth::Secret);
    assert_eq!(auth("provider = \"generic\""), ClientAuth::None);
    assert_eq!(auth("client_auth = \"none\""), ClientAuth::None);
    assert_eq!(Home::new().user(GOOD).load().unwrap().oidc().unwrap().client_auth, ClientAuth::None);
    let shown = Home::new().user(google).ask(crate::config::report_profile).unwrap();
    let entry = shown.entries.into_iter().find(|entry| entry.key.name == "client_auth").unwrap();
    assert_eq!((entry.toml.as_str(), entry.resolved.as_deref()), ("\"none\"", Some("secret")));
}

#[test]
fn private_key_settings_require_private_key_jwt() {
    use crate::config::{AssertionAudience, ClientAuth, ClientKey, KeyAlgorithm};
    let auth =
        |more: &str| Home::new().user(format!("{GOOD}{more}")).load().map(|it| it.oidc().unwrap().client_auth.clone());
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
