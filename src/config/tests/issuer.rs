//! The issuer in every form, and the settings that a provider rejects.

use super::{GOOD, Home, assert_has};
use crate::{
    commands::config::{check_files, format_profile},
    config::{Provider, RedirectHost},
    failure::Failure,
    hint::Invocation,
};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// A profile without an issuer to which these lines are added from line 7 on.
fn home_with(lines: &str) -> Home {
    let rest: Vec<&str> = GOOD.lines().filter(|line| !line.starts_with("issuer")).collect();
    Home::new().user(format!("{}\n{lines}\n", rest.join("\n")))
}

/// The problem and its hint.
fn wrong(lines: &str) -> (String, String) {
    let error = home_with(lines).load().expect_err("this configuration is wrong");
    let failure = Failure::from(error);
    (failure.what().replace("~\\", "~/"), failure.hint(&Invocation::default()))
}

#[test]
fn shorthand_and_full_issuer_give_the_same_profile() {
    for (short, plain, kind) in [
        ("okta_domain = 'acme.okta.com'".to_owned(), "https://acme.okta.com".to_owned(), Provider::Okta),
        (
            "okta_domain = 'acme.okta.com'\nokta_auth_server = 'default'".to_owned(),
            "https://acme.okta.com/oauth2/default".to_owned(),
            Provider::Okta,
        ),
        (
            format!("entra_tenant = '{TENANT}'"),
            format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            Provider::Entra,
        ),
        ("auth0_domain = 'acme.eu.auth0.com'".into(), "https://acme.eu.auth0.com/".into(), Provider::Auth0),
        (
            "cognito_user_pool_id = 'eu-west-1_AbC'".into(),
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC".into(),
            Provider::Cognito,
        ),
        ("provider = 'google'".into(), "https://accounts.google.com".into(), Provider::Google),
    ] {
        let short = home_with(&short).load().unwrap();
        let plain = home_with(&format!("issuer = '{plain}'")).load().unwrap();
        assert_eq!(short.oidc().unwrap().provider, kind);
        assert_eq!(short, plain);
        assert_eq!(short.fingerprints(), plain.fingerprints());
    }
}

#[test]
fn shorthand_determines_the_provider_of_a_custom_domain() {
    let okta = home_with("okta_domain = 'login.acme.example'").load().unwrap();
    assert_eq!((okta.oidc().unwrap().provider, okta.redirect_uri.ports), (Provider::Okta, vec![8400, 8401]));
    let auth0 = home_with("auth0_domain = 'login.acme.example'").load().unwrap();
    assert_eq!(
        (auth0.oidc().unwrap().provider, auth0.oidc().unwrap().issuer.as_str()),
        (Provider::Auth0, "https://login.acme.example/")
    );
    let both = home_with("auth0_domain = 'login.acme.example'\nissuer = 'https://login.acme.example/'").load();
    assert_eq!(both.unwrap().oidc().unwrap().provider, Provider::Auth0);
}

#[test]
fn unset_redirect_uri_depends_on_the_provider() {
    let entra = home_with(&format!("entra_tenant = '{TENANT}'")).load().unwrap().redirect_uri;
    assert_eq!((entra.uri_for_port(5), entra.ports), ("http://localhost:5/callback".into(), vec![]));
    let pool = home_with("cognito_user_pool_id = 'eu-west-1_AbC'").load().unwrap().redirect_uri;
    assert_eq!((pool.host, pool.ports), (RedirectHost::Localhost, vec![8400, 8401]));
    let spelt = home_with("cognito_user_pool_id = 'eu-west-1_AbC'\nredirect_ports = []").load().unwrap().redirect_uri;
    assert_eq!(spelt.ports, [8400, 8401], "the same as the default");
    let written = "redirect_host = '127.0.0.1'\nredirect_ports = [9000]";
    let entra = home_with(&format!("entra_tenant = '{TENANT}'\n{written}")).load().unwrap().redirect_uri;
    assert_eq!((entra.host, entra.ports), (RedirectHost::LoopbackIp, vec![9000]));
}

#[test]
fn profile_without_issuer_reports_the_missing_key() {
    for lines in ["", "provider = 'okta'", "okta_domain = ''", "provider = 'auto'"] {
        assert_has(&home_with(lines).line(), &["~/user.toml:3:", "\"issuer\"", "[profiles.claude]"]);
    }
}

#[test]
fn two_different_issuers_are_both_reported() {
    let (what, hint) = wrong("issuer = 'https://acme.okta.com'\nauth0_domain = 'acme.auth0.com'");
    let facts = ["~/user.toml:8: ", "\"auth0_domain\"", "https://acme.auth0.com/", "\"issuer\"", "~/user.toml:7"];
    assert_has(&what, &facts);
    testworld::expect_wording("config", "issuer", &format!("{what}\n  hint: {hint}"));
    assert!(home_with("issuer = 'https://acme.okta.com'\nokta_domain = 'acme.okta.com'").load().is_ok());
}

#[test]
fn okta_auth_server_without_domain_is_an_error() {
    let (what, hint) = wrong("issuer = 'https://acme.okta.com'\nokta_auth_server = 'default'");
    assert_has(&what, &["~/user.toml:8: \"okta_auth_server\"", "\"default\"", "`okta_domain`"]);
    assert_has(&hint, &["`okta_domain`"]);
    testworld::expect_wording("config", "issuer", &format!("{what}\n  hint: {hint}"));
}

#[test]
fn provider_conflict_has_the_correct_line_as_hint() {
    for (lines, key, line) in [
        ("issuer = 'https://acme-admin.okta.com'", "issuer", "`issuer = \"https://acme.okta.com\"`"),
        ("okta_domain = 'acme-admin.okta.com'", "okta_domain", "`okta_domain = \"acme.okta.com\"`"),
        ("issuer = 'https://acme.auth0.com'", "issuer", "`issuer = \"https://acme.auth0.com/\"`"),
        (
            "provider = 'auth0'\nissuer = 'https://login.acme.example'",
            "issuer",
            "`issuer = \"https://login.acme.example/\"`",
        ),
        ("entra_tenant = 'common'", "entra_tenant", ""),
        ("issuer = 'https://login.microsoftonline.com/organizations/v2.0'", "issuer", "`entra_tenant = "),
        (
            "issuer = 'https://acme.auth.eu-west-1.amazoncognito.com'",
            "issuer",
            "`cognito_domain = \"acme.auth.eu-west-1.amazoncognito.com\"`",
        ),
        (
            "issuer = 'https://cognito-idp.us-east-1.amazonaws.com/eu-west-1_AbC'",
            "issuer",
            "`issuer = \"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC\"`",
        ),
        (
            "cognito_user_pool_id = 'eu-west-1_AbC'\nredirect_host = '127.0.0.1'",
            "redirect_host",
            "`redirect_host = \"localhost\"`",
        ),
        ("provider = 'google'\nscopes = ['openid', 'offline_access']", "scopes", "`scopes = [\"openid\"]`"),
        ("provider = 'google'\nissuer = 'https://acme.okta.com'", "provider", "`provider = \"okta\"`"),
        ("provider = 'okta'\nauth0_domain = 'acme.auth0.com'", "provider", "`provider = \"auth0\"`"),
        ("okta_domain = 'acme.okta.com'\ncognito_domain = 'login.acme.example'", "cognito_domain", ""),
        ("cognito_user_pool_id = 'eu-west-1_AbC'\ncognito_domain = 'acme'", "cognito_domain", ""),
    ] {
        let (what, hint) = wrong(lines);
        assert_has(&what, &[&format!(": \"{key}\" ")]);
        assert_has(&hint, &[line]);
        testworld::expect_wording("config", "issuer", &format!("{what}\n  hint: {hint}"));
    }
}

#[test]
fn enforced_issuer_covers_every_shorthand() {
    let with = |lines: &str| {
        let rest: Vec<&str> = GOOD.lines().filter(|line| !line.starts_with("issuer")).collect();
        let text = rest.join("\n").replace("version = 1", "version = 1\nenforce = [\"issuer\"]");
        Home::new().system(format!("{text}\n{lines}\n"))
    };
    let okta = || with("okta_domain = 'acme.okta.com'");
    assert!(okta().load().is_ok());
    let lay = |home: Home, line: &str| home.user(format!("version = 1\n[profiles.claude]\n{line}\n"));
    assert_has(
        &lay(okta(), "okta_domain = 'evil.okta.com'").line(),
        &["~/user.toml:3:", "\"okta_domain\"", "\"acme.okta.com\""],
    );
    for line in ["issuer = 'https://evil.example'", "auth0_domain = 'evil.auth0.com'"] {
        assert!(lay(okta(), line).load().is_err(), "{line}");
        assert!(lay(with("provider = 'google'"), line).load().is_err(), "{line}");
    }
    assert!(lay(with("provider = 'google'"), "provider = 'okta'").load().is_err());
}

#[test]
fn config_show_names_the_key_behind_the_issuer() {
    let text = home_with("okta_domain = 'acme.okta.com'").ask(|inputs| format_profile(inputs, false)).unwrap();
    let text = text.replace("~\\", "~/");
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().replace("  ", "");
    assert!(line("issuer").ends_with("= \"https://acme.okta.com\"# ~/user.toml:7: okta_domain"), "{text}");
    assert!(line("redirect_ports").ends_with("# default: [8400, 8401]"), "{text}");
    let json = home_with("provider = 'google'").ask(|inputs| format_profile(inputs, true)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["keys"]["issuer"]["value"], "https://accounts.google.com");
    assert_eq!(json["keys"]["issuer"]["resolved"], "provider");
}

#[test]
fn config_check_passes_with_warnings_about_the_issuer() {
    let home = home_with("provider = 'google'\nscopes = ['email']");
    let said = home.ask(|inputs| check_files(inputs, None)).unwrap().replace("~\\", "~/");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.first(), Some(&"ok: ~/user.toml: 1 profile"));
    for (line, word) in [(1, "~/user.toml:8: "), (2, "~/user.toml:4: "), (3, "~/user.toml:3: ")] {
        assert_has(lines[line], &["warning: ", word, "[profiles.claude]"]);
    }
    testworld::expect_wording("config", "warnings about an issuer", &said);
    assert_eq!(lines.len(), 4, "{said}");
    let file = home.at("user.toml");
    assert_eq!(home.ask(|inputs| check_files(inputs, Some(&file))).unwrap().replace("~\\", "~/"), said);
}
