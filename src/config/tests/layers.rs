//! Which layer wins, and what the administrator can enforce.

use std::time::Duration;

use super::{GOOD, Home, TRUSTING, assert_has};
use crate::{
    config::{AwsEndpoints, Error, LoginMode, Provider, RedirectHost, Storage, keys::find_key},
    url::SecureUrl,
};

#[test]
fn four_required_values_make_a_profile() {
    let profile = Home::new().user(GOOD).load().unwrap();
    assert_eq!(profile.name, "claude");
    assert_eq!(profile.oidc().unwrap().issuer.as_str(), "https://acme.okta.com");
    assert_eq!((profile.oidc().unwrap().client_id.as_str(), profile.region.as_str()), ("0oa1b2c3d4", "us-east-1"));
    assert_eq!(profile.final_role().unwrap().name(), "BedrockUser");
    assert_eq!(profile.oidc().unwrap().provider, Provider::Okta);
    assert!(
        profile.oidc().unwrap().scopes.is_empty()
            && profile.oidc().unwrap().extra_params.is_empty()
            && profile.browser.is_empty()
    );
    assert_eq!(profile.redirect_uri.uri_for_port(80), "http://127.0.0.1:80/callback");
    assert_eq!(profile.redirect_uri.ports, [8400, 8401], "Okta takes registered ports only");
    assert_eq!((profile.login, profile.storage), (LoginMode::Auto, Storage::Keyring));
    assert_eq!(profile.login_timeout, Duration::from_secs(165));
    assert_eq!(profile.session_duration, Duration::from_secs(43_200));
    assert_eq!(profile.session_name, ["email", "preferred_username", "upn", "sub"]);
    assert_eq!((profile.aws_endpoints, profile.ca_bundle), (AwsEndpoints::default(), None));
}

#[test]
fn every_key_can_be_set() {
    let home = Home::new().user(format!(
        r#"{GOOD}
        provider = "generic"
        scopes = ["openid", "groups"]
        extra_params = {{ prompt = "login" }}
        redirect_ports = [8400, 0x20D1]
        redirect_host = "localhost"
        redirect_path = "/sso/back"
        flow = "browser"
        browser = ["firefox", "-P", "work", "{{url}}"]
        login = "explicit"
        login_timeout = "2m30s"
        session_duration = "90m"
        session_name = ["sub"]
        storage = "none"
        sts_endpoint = "https://sts.example"
        cognito_endpoint = "https://cognito.example"
        bedrock_endpoint = "https://{{service}}.example/{{service}}"
        console_endpoint = "https://console.example/federation"
        ca_bundle = "~/roots.pem"
        "#
    ));
    let profile = home.load().unwrap();
    assert_eq!(profile.oidc().unwrap().provider, Provider::Generic);
    assert_eq!(profile.oidc().unwrap().scopes, ["openid", "groups"]);
    assert_eq!(profile.oidc().unwrap().extra_params, [("prompt".to_owned(), "login".to_owned())].into());
    assert_eq!((profile.redirect_uri.host, profile.redirect_uri.path.as_str()), (RedirectHost::Localhost, "/sso/back"));
    assert_eq!(profile.redirect_uri.ports, [8400, 8401]);
    assert_eq!(profile.browser, ["firefox", "-P", "work", "{url}"]);
    assert_eq!((profile.login, profile.storage), (LoginMode::Explicit, Storage::None));
    assert_eq!(profile.login_timeout, Duration::from_secs(150));
    assert_eq!(profile.session_duration, Duration::from_secs(5400));
    assert_eq!(profile.session_name, ["sub"]);
    let url = |text: &str| SecureUrl::parse(text).unwrap();
    let AwsEndpoints { sts, cognito, bedrock, console, identity_center: _ } = profile.aws_endpoints;
    assert_eq!((sts, cognito), (Some(url("https://sts.example")), Some(url("https://cognito.example"))));
    assert_eq!(console, Some(url("https://console.example/federation")));
    let bedrock = bedrock.unwrap();
    assert_eq!(bedrock.control, url("https://bedrock.example/bedrock"));
    assert_eq!(bedrock.runtime, url("https://bedrock-runtime.example/bedrock-runtime"));
    assert_eq!(profile.ca_bundle.unwrap(), home.at("roots.pem"));
}

#[test]
fn each_layer_overrides_the_earlier_ones() {
    let region = |home: Home| home.load().unwrap().region;
    let user = "version = 1\n[profiles.claude]\nregion = \"us-west-1\"\n";
    assert_eq!(region(Home::new().system(GOOD)), "us-east-1");
    assert_eq!(region(Home::new().system(GOOD).user(user)), "us-west-1");
    let with_variable = || Home::new().system(GOOD).user(user).variable("BEDROCK_SSO_REGION", "us-west-2");
    assert_eq!(region(with_variable()), "us-west-2");
    assert_eq!(region(with_variable().flag("region", "eu-west-1", "--region")), "eu-west-1");
}

#[test]
fn profiles_with_the_same_name_merge_key_by_key() {
    let home = Home::new()
        .system("version = 1\n[profiles.a]\nissuer = \"https://a.example\"\nlogin = \"explicit\"\nrole_arn = \"arn:aws:iam::123456789012:role/A\"\n[profiles.a.quota]\ninterval = \"1m\"\n")
        .user("version = 1\n[profiles.a]\nclient_id = \"me\"\nregion = \"eu-west-1\"\nlogin = \"auto\"\n[profiles.a.quota]\ntimeout = \"9s\"\n");
    let profile = home.load().unwrap();
    assert_eq!((profile.oidc().unwrap().client_id.as_str(), profile.login), ("me", LoginMode::Auto));
    let shown = home.ask(crate::config::report_profile).unwrap().to_text();
    let origin = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_once("# ").unwrap().1.replace("~\\", "~/")
    };
    assert_eq!(origin("quota.interval"), "~/system.toml:7");
    assert_eq!(origin("quota.timeout"), "~/user.toml:7");
}

#[test]
fn variable_is_plain_text_or_toml_by_the_type_of_its_key() {
    let profile = Home::new()
        .user(format!("{TRUSTING}telemetry.collectors = [\"https://otel.example\"]\n"))
        .variable("BEDROCK_SSO_CLIENT_ID", "\"quoted\"")
        .variable("BEDROCK_SSO_BROWSER", r#"["firefox", "{url}"]"#)
        .variable("BEDROCK_SSO_REDIRECT_PORTS", "[8400]")
        .variable("BEDROCK_SSO_EXTRA_PARAMS", r#"{ prompt = "login" }"#)
        .variable("BEDROCK_SSO_TELEMETRY_SEND_TOKEN", "true")
        .load()
        .unwrap();
    assert_eq!(profile.oidc().unwrap().client_id, "\"quoted\"");
    assert_eq!(profile.browser, ["firefox", "{url}"]);
    assert_eq!(profile.redirect_uri.ports, [8400]);
    assert_eq!(profile.oidc().unwrap().extra_params.len(), 1);
}

#[test]
fn config_check_warns_about_unknown_variables() {
    let home = Home::new()
        .user(GOOD)
        .variable("BEDROCK_SSO_REGOIN", "eu-west-1")
        .variable("BEDROCK_SSO_ZZZ", "1")
        .variable("BEDROCK_SSO_LOG", "debug")
        .variable("BEDROCK_SSO_LOGIN_TIMEOUT", "60s")
        .variable("BEDROCK_SSO_ROLE_ARM", "");
    let findings = home.ask(crate::config::check_all_files).unwrap();
    let warnings: Vec<_> = findings.iter().filter(|finding| finding.is_warning()).map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "warning: BEDROCK_SSO_REGOIN: bedrock-sso reads no variable of this name; did you mean BEDROCK_SSO_REGION?",
            "warning: BEDROCK_SSO_ZZZ: bedrock-sso reads no variable of this name",
        ]
    );
}

#[test]
fn illegal_variable_value_names_the_variable() {
    for (name, key, value) in [
        ("BROWSER", "browser", "firefox"),
        ("REDIRECT_PORTS", "redirect_ports", "8400,8401"),
        ("EXTRA_PARAMS", "extra_params", "a=b"),
        ("TELEMETRY_SEND_TOKEN", "telemetry.send_token", "yes"),
        ("REDIRECT_PORTS", "redirect_ports", "8400"),
        ("STORAGE", "storage", "disk"),
        ("QUOTA_TIMEOUT", "quota.timeout", "1h"),
    ] {
        let name = format!("BEDROCK_SSO_{name}");
        let line = Home::new().user(TRUSTING).variable(&name, value).line();
        assert!(line.starts_with(&format!("{name}: \"{key}\" ")), "{line}");
    }
}

#[test]
fn illegal_flag_value_names_the_flag() {
    assert_has(
        &Home::new().user(GOOD).flag("region", "nowhere", "--region").line(),
        &["--region:", "\"region\"", "\"nowhere\""],
    );
}

#[test]
fn flag_alone_defines_no_profile() {
    let home = Home::new().flag("flow", "device", "--device");
    assert!(matches!(home.load(), Err(Error::NoFile { .. })), "{}", home.line());
    let home = home.user("version = 1\n");
    assert!(matches!(home.load(), Err(Error::NoProfile { .. })), "{}", home.line());
}

#[test]
fn environment_alone_defines_a_profile() {
    let home = || {
        Home::new()
            .variable("BEDROCK_SSO_ISSUER", "https://a.example")
            .variable("BEDROCK_SSO_CLIENT_ID", "me")
            .variable("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/A")
    };
    let profile = home().variable("BEDROCK_SSO_REGION", "eu-west-1").load().unwrap();
    assert_eq!((profile.name.as_str(), profile.region.as_str()), ("default", "eu-west-1"));
    let named = home().variable("BEDROCK_SSO_REGION", "eu-west-1").variable("BEDROCK_SSO_PROFILE", "ci");
    assert_eq!(named.load().unwrap().name, "ci");
    assert_has(&home().line(), &["environment:", "\"region\"", "[profiles.default]"]);
}

/// The file trusts the environment, but enforced keys still limit it.
fn enforcing(keys: &str) -> Home {
    Home::new().system(TRUSTING.replace("version = 1", &format!("version = 1\nenforce = {keys}")))
}

#[test]
fn enforced_key_cannot_be_changed_by_later_layers() {
    let user = "version = 1\n[profiles.claude]\nissuer = \"https://evil.example\"\n";
    let issuer = ["\"issuer\"", "\"https://acme.okta.com\"", "~/system.toml:5"];
    let line = enforcing("[\"issuer\"]").user(user).line();
    assert!(line.starts_with("~/user.toml:3: "), "{line}");
    assert_has(&line, &issuer);
    let line = enforcing("[\"issuer\"]").variable("BEDROCK_SSO_ISSUER", "https://evil.example").line();
    assert!(line.starts_with("BEDROCK_SSO_ISSUER: "), "{line}");
    assert_has(&line, &issuer);
    let line = enforcing("[\"region\"]").flag("region", "eu-west-1", "--region").line();
    assert!(line.starts_with("--region: "), "{line}");
    assert_has(&line, &["\"region\"", "\"us-east-1\"", "~/system.toml:8"]);
}

#[test]
fn enforced_value_can_be_repeated_by_the_user() {
    let user = "version = 1\n[profiles.claude]\nissuer = 'https://acme.okta.com'\nregion = \"eu-west-1\"\n";
    assert_eq!(enforcing("[\"issuer\"]").user(user).load().unwrap().region, "eu-west-1");
}

#[test]
fn enforced_unset_key_has_its_default() {
    assert_has(
        &enforcing("[\"sts_endpoint\"]").variable("BEDROCK_SSO_STS_ENDPOINT", "https://sts.example").line(),
        &["BEDROCK_SSO_STS_ENDPOINT:", "\"sts_endpoint\""],
    );
}

#[test]
fn one_enforced_endpoint_disables_all_endpoint_variables() {
    for key in ["sts_endpoint", "cognito_endpoint", "bedrock_endpoint"] {
        let profile = enforcing(&format!("[\"{key}\"]")).load().unwrap();
        assert!(profile.is_enforced(find_key(key).unwrap()) && !profile.uses_endpoint_variables(), "{key}");
    }
    assert!(enforcing("[\"region\"]").load().unwrap().uses_endpoint_variables());
}

#[test]
fn enforced_table_covers_all_its_keys() {
    assert_has(
        &enforcing("[\"quota\"]").variable("BEDROCK_SSO_QUOTA_TIMEOUT", "9s").line(),
        &["BEDROCK_SSO_QUOTA_TIMEOUT:", "\"quota.timeout\"", "\"5s\""],
    );
}

#[test]
fn enforced_required_key_without_value_is_an_error() {
    let system = "version = 1\nenforce = [\"issuer\"]\n[profiles.claude]\nregion = \"us-east-1\"\n";
    assert_has(&Home::new().system(system).user(GOOD).line(), &["~/system.toml:2:", "\"issuer\"", "[profiles.claude]"]);
}

#[test]
fn aws_profile_is_accepted_in_the_administrators_file_only() {
    let given = "[profiles.claude]\naws_profile = \"work\"\n";
    let home = Home::new().system(format!("version = 1\n{given}")).user(GOOD);
    assert_eq!(home.load().unwrap().aws_profile.as_deref(), Some("work"));
    assert_has(
        &Home::new().user(format!("{GOOD}aws_profile = \"work\"\n")).line(),
        &["~/user.toml:8:", "\"aws_profile\""],
    );
    assert_has(
        &Home::new().system(GOOD).variable("BEDROCK_SSO_AWS_PROFILE", "work").line(),
        &["BEDROCK_SSO_AWS_PROFILE:", "\"aws_profile\""],
    );
    assert_has(
        &Home::new().system(format!("{GOOD}aws_profile = \"a b\"\n")).line(),
        &["~/system.toml:8:", "\"aws_profile\"", "\"a b\""],
    );
}

#[test]
fn enforce_in_the_users_file_is_rejected() {
    assert_has(&Home::new().user(format!("enforce = [\"issuer\"]{GOOD}")).line(), &["~/user.toml:1:", "\"enforce\""]);
}

const TWO: &str = "version = 1
enforce = [\"quota\", \"region\", \"issuer\", \"storage\"]
[profiles.a]
issuer = \"https://a.example\"
region = \"us-east-1\"
quota.endpoint = \"https://quota.example\"
quota.on_error = \"deny\"
[profiles.b]
okta_domain = \"acme.okta.com\"
region = \"us-west-2\"
quota.endpoint = \"https://quota.example\"
";

/// A profile that the administrator's file does not define.
fn unnamed(more: &str) -> Home {
    let own = "client_id = \"me\"\nrole_arn = \"arn:aws:iam::123456789012:role/A\"\n";
    Home::new().system(TWO).user(format!("version = 1\n[profiles.mine]\n{own}{more}")).profile("mine")
}

#[test]
fn enforced_keys_apply_to_other_profile_names() {
    let good = "issuer = \"https://a.example\"\nregion = \"us-west-2\"\n";
    let profile = unnamed(good).load().unwrap();
    assert_eq!(profile.quota.unwrap().endpoint.as_str(), "https://quota.example/check", "both say so");
    assert!(profile.enforced_keys.contains("quota.endpoint") && profile.enforced_keys.contains("storage"));
    for (more, key, value) in [
        ("quota.endpoint = \"\"\n", "\"quota.endpoint\"", "\"https://quota.example\""),
        ("quota.interval = \"24h\"\n", "\"quota.interval\"", "\"30m\""),
        ("storage = \"file\"\n", "\"storage\"", "\"keyring\""),
    ] {
        assert_has(&unnamed(&format!("{good}{more}")).line(), &["~/user.toml:7: ", key, value]);
    }
    assert!(
        unnamed(&format!("{good}quota.on_error = \"deny\"\n")).load().is_ok(),
        "a profile of the administrator has this value"
    );
    assert_has(&unnamed(&good.replace("a.example", "evil.example")).line(), &["\"issuer\"", "\"https://a.example\""]);
    let line = unnamed(&good.replace("us-west-2", "eu-west-1")).line();
    assert_has(&line, &["\"region\"", "\"us-east-1\"", "\"us-west-2\""]);
}

#[test]
fn user_must_choose_among_several_enforced_values() {
    let line = unnamed("issuer = \"https://a.example\"\n").line();
    assert_has(&line, &["~/user.toml:2:", "\"region\"", "[profiles.mine]"]);
    let system = "version = 1\nenforce = [\"quota.endpoint\"]\n[profiles.a.quota]\nendpoint = \"https://a.example\"\n\
                  [profiles.b.quota]\nendpoint = \"https://b.example\"\n";
    let line = Home::new().system(system).user(GOOD).profile("claude").line();
    assert_has(&line, &["~/user.toml:3: \"quota.endpoint\"", "\"https://a.example\"", "\"https://b.example\""]);
}

#[test]
fn enforced_key_without_any_profile_has_its_default() {
    let system = "version = 1\nenforce = [\"storage\"]\n";
    assert_eq!(Home::new().system(system).user(GOOD).load().unwrap().storage, Storage::Keyring);
    let line = Home::new().system(system).user(format!("{GOOD}storage = \"file\"\n")).line();
    assert_has(&line, &["\"storage\"", "\"keyring\""]);
}

#[test]
fn enforced_issuer_covers_the_login_domain() {
    let pool =
        "version = 1\nenforce = [\"issuer\"]\n[profiles.claude]\ncognito_user_pool_id = \"eu-west-1_AbCd12345\"\n";
    let user = GOOD.replace("issuer = \"https://acme.okta.com\"\n", "cognito_domain = \"evil.example\"\n");
    let line = Home::new().system(pool).user(user).line();
    assert_has(&line, &["~/user.toml:4:", "\"cognito_domain\""]);
}
