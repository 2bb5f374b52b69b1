//! `require`: which requirements each provider can meet, what contradicts them, and who may set them.

use super::{GOOD, Home, assert_has};
use crate::{commands::config::check_files, failure::Failure, hint::Invocation};

const TENANT: &str = "entra_tenant = '11111111-2222-3333-4444-555555555555'";
const ENTRA_V1: &str = "issuer = 'https://sts.windows.net/11111111-2222-3333-4444-555555555555/'";
const OKTA: &str = "okta_domain = 'acme.okta.com'";
const AUTH0: &str = "auth0_domain = 'acme.auth0.com'";
const COGNITO: &str = "cognito_user_pool_id = 'eu-west-1_AbC'";
const GOOGLE: &str = "provider = 'google'";
const GENERIC: &str = "issuer = 'https://sso.acme.example'";

/// A profile of the provider to which these lines are added.
fn home_with(provider: &str, lines: &str) -> Home {
    let rest: Vec<&str> = GOOD.lines().filter(|line| !line.starts_with("issuer")).collect();
    Home::new().user(format!("{}\n{provider}\n{lines}\n", rest.join("\n")))
}

/// Asserts that the configuration is wrong in this key, and compares the message and the hint with the golden list.
#[track_caller]
fn assert_conflict(provider: &str, lines: &str, key: &str) {
    let error = home_with(provider, lines).load().expect_err(lines);
    let failure = Failure::from(error);
    let (what, hint) = (failure.what().replace("~\\", "~/"), failure.hint(&Invocation::default()));
    assert_has(&what, &["~/user.toml:", &format!("\"{key}\"")]);
    testworld::expect_wording("config", "require", &format!("{what}\n  hint: {hint}"));
}

#[test]
fn each_provider_accepts_what_it_can_prove() {
    let mails = "require = { email_domain = ['acme.com'] }";
    let all = "require = { acr = ['c1'], amr = ['mfa'], max_age = '12h', email_domain = ['acme.com'] }";
    for (provider, lines) in [
        (OKTA, all),
        (AUTH0, all),
        (COGNITO, all),
        (GENERIC, all),
        (ENTRA_V1, all),
        (TENANT, "require = { acr = ['c1', 'c99'], max_age = '12h', email_domain = ['acme.com'] }"),
        (GOOGLE, mails),
    ] {
        let profile = home_with(provider, lines).load();
        assert!(profile.is_ok_and(|profile| !profile.oidc().unwrap().require.is_empty()), "{provider}: {lines}");
    }
}

#[test]
fn requirement_that_a_provider_cannot_meet_is_an_error() {
    for (provider, lines) in [
        (GOOGLE, "require = { acr = ['1'] }"),
        (GOOGLE, "require = { amr = ['mfa'] }"),
        (GOOGLE, "require = { max_age = '1h' }"),
        (TENANT, "require = { amr = ['mfa'] }"),
        (TENANT, "require = { acr = ['c0'] }"),
        (TENANT, "require = { acr = ['c1', 'c100'] }"),
        (TENANT, "require = { acr = ['mfa'] }"),
    ] {
        assert_conflict(provider, lines, "require");
    }
}

#[test]
fn parameter_that_contradicts_a_requirement_is_an_error() {
    for (provider, lines) in [
        (OKTA, "require = { acr = ['phr'] }\nextra_params = { acr_values = 'phr phrh' }"),
        (OKTA, "require = { acr = ['phr'] }\nextra_params = { acr_values = '' }"),
        (OKTA, "require = { max_age = '1h' }\nextra_params = { max_age = '3601' }"),
        (OKTA, "require = { max_age = '1h' }\nextra_params = { max_age = 'soon' }"),
        (TENANT, "require = { acr = ['c1'] }\nextra_params = { claims = '{}' }"),
        (TENANT, "require = { max_age = '1h' }\nextra_params = { prompt = 'select_account' }"),
        (GOOGLE, "require = { email_domain = ['acme.com'] }\nextra_params = { hd = 'evil.example' }"),
    ] {
        assert_conflict(provider, lines, "extra_params");
    }
    for (provider, lines) in [
        (OKTA, "require = { acr = ['phr', 'phrh'] }\nextra_params = { acr_values = 'phrh' }"),
        (OKTA, "require = { max_age = '1h' }\nextra_params = { max_age = '60' }"),
        (OKTA, "extra_params = { max_age = '99999', acr_values = 'x' }"),
        (TENANT, "require = { max_age = '1h' }\nextra_params = { prompt = 'login' }"),
        (TENANT, "require = { email_domain = ['acme.com'] }\nextra_params = { claims = '{}' }"),
        (GOOGLE, "require = { email_domain = ['acme.com', 'acme.de'] }\nextra_params = { hd = 'ACME.de' }"),
        (GOOGLE, "require = { email_domain = ['acme.com'] }\nextra_params = { hd = '*' }"),
    ] {
        assert!(home_with(provider, lines).load().is_ok(), "{lines}");
    }
}

#[test]
fn config_check_reports_credentials_that_outlive_max_age() {
    let report = |provider, lines| home_with(provider, lines).ask(|inputs| check_files(inputs, None)).unwrap();
    assert!(report(OKTA, "require = { max_age = '1h' }").contains("`max_age`"));
    assert!(!report(OKTA, "require = { max_age = '1h' }\nsession_duration = '1h'").contains("`max_age`"));
}

#[test]
fn required_domain_restricts_the_accounts_of_google() {
    let report = |lines| home_with(GOOGLE, lines).ask(|inputs| check_files(inputs, None)).unwrap();
    assert!(report("").contains("hd is missing"));
    assert!(!report("require = { email_domain = ['acme.com'] }").contains("hd is missing"));
}

#[test]
fn no_variable_sets_a_requirement() {
    for file in [GOOD.to_owned(), format!("trust_environment = true\n{GOOD}")] {
        let line = Home::new().user(file).variable("BEDROCK_SSO_REQUIRE", "{ max_age = \"1h\" }").line();
        assert_has(&line, &["BEDROCK_SSO_REQUIRE", "require"]);
    }
}

#[test]
fn enforced_requirement_cannot_be_removed_or_weakened() {
    let system = format!("enforce = ['require']\n{GOOD}require = {{ max_age = '1h' }}\n");
    let user = |lines: &str| Home::new().system(&system).user(format!("version = 1\n[profiles.claude]\n{lines}\n"));
    for lines in ["require = {}", "require = { max_age = '2h' }"] {
        assert_has(&user(lines).line(), &["require", "system.toml"]);
    }
    assert!(user("require = { max_age = '1h' }").load().is_ok(), "the same value");
    assert!(user("login = 'explicit'").load().is_ok_and(|profile| profile.oidc().unwrap().require.max_age.is_some()));
}
