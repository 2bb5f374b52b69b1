//! Environment variables cannot send a secret to a host that no configuration file names.
//!
//! Every command is called with every stored state. A second world stands for the stranger, and must see no request.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and copy files")]

use std::{fs, path::Path};

use serde_json::{Value, json};
use testworld::{Desk, Knob, Port, World, write_script};

use crate::{PROGRAM, SPENT};

/// Every command that reads stored records or calls a server.
const COMMANDS: [&[&str]; 13] = [
    &["credentials"],
    &["credentials", "--no-login"],
    &["login"],
    &["login", "--force"],
    &["export"],
    &["otel-headers"],
    &["token"],
    &["bearer"],
    &["exec", "--", "true"],
    &["env"],
    &["status"],
    &["doctor", "--live"],
    &["logout"],
];

/// The stored credentials when a command is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Warm,
    /// They expire within five minutes.
    Expiring,
    /// They have too little time left to be served.
    Expired,
    Nothing,
}

/// A user with a configuration file, and a backup of the stored records.
struct User<'w> {
    desk: Desk<'w>,
}

impl<'w> User<'w> {
    fn new(world: &'w World, stored: Stored) -> Self {
        let desk = Desk::new(world, PROGRAM);
        desk.set_key("quota.endpoint", &json!(world.quota_endpoint()).to_string());
        desk.set_key("telemetry.send_token", "true");
        desk.set_key("telemetry.collectors", "[\"https://otel.example.com\"]");
        let bedrock = world.bedrock_endpoints()[0].1.replace("/control", "/{service}");
        desk.set_key("bedrock_endpoint", &json!(bedrock).to_string());
        let lifetime = match stored {
            Stored::Warm => 3600,
            Stored::Expiring => 200,
            Stored::Expired | Stored::Nothing => SPENT,
        };
        if stored != Stored::Nothing {
            world.next(1, Knob::CredentialLifetime, lifetime);
            desk.run(["credentials"]).expect_code(0);
            desk.settle();
        }
        copy_files(&desk.data(), &desk.home().join("backup"));
        Self { desk }
    }

    /// Calls the command, and restores the stored records afterwards if the command could have changed them.
    fn call(&self, command: &[&str]) -> testworld::Outcome {
        let mut called = self.desk.command();
        called.args(command);
        let outcome = self.desk.start_command(called).finish();
        if outcome.code != Some(3) {
            self.desk.settle();
            drop(fs::remove_dir_all(self.desk.data()));
            copy_files(&self.desk.home().join("backup"), &self.desk.data());
        }
        outcome
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A world in which refresh tokens do not rotate, so that the backup stays usable.
fn world_without_rotation() -> World {
    let world = World::new();
    world.set(Knob::WithoutRotation, true);
    world
}

/// A value that a malicious repository could set for a key: an address of the stranger, a script, and so on.
fn planted_value(key: &str, stranger: &World, folder: &Path) -> String {
    let script = folder.join("planted.sh").display().to_string();
    let address = match key {
        "issuer" => stranger.issuer(),
        "quota.endpoint" => stranger.quota_endpoint(),
        "cognito_endpoint" => stranger.cognito_endpoint(),
        _ => stranger.sts_endpoint(),
    };
    match key {
        "browser" => json!([script, "{url}"]).to_string(),
        "client_id" | "client_key_id" => "planted-client".into(),
        "role_arn" => "arn:aws:iam::666666666666:role/Planted".into(),
        "role_chain" => "[\"arn:aws:iam::666666666666:role/Planted\"]".into(),
        "federation" => "identity-pool".into(),
        "identity_pool_id" => testworld::POOL_ID.into(),
        "storage" => "none".into(),
        "scopes" | "session_name" => "[\"openid\"]".into(),
        "extra_params" => format!("{{ redirect = {} }}", json!(stranger.issuer())),
        "telemetry.collectors" => json!([stranger.quota_endpoint()]).to_string(),
        "telemetry.send_token" => "true".into(),
        "telemetry.headers" => "{ x-planted = \"email\" }".into(),
        "claude_code.env" => {
            format!("{{ OTEL_EXPORTER_OTLP_ENDPOINT = {} }}", json!(stranger.quota_endpoint()))
        }
        "okta_domain" | "auth0_domain" | "cognito_domain" => "evil.example".into(),
        "ca_bundle" | "client_key" | "client_certificate" => script,
        _ => address,
    }
}

fn variable_name(key: &str) -> String {
    format!("BEDROCK_SSO_{}", key.replace('.', "_").to_uppercase())
}

/// Keys that only choose among destinations of the file, so that a variable may set them.
const CHOOSERS: [&str; 7] =
    ["region", "flow", "login", "login_timeout", "session_duration", "sts_fallback_regions", "proxy"];

#[test]
fn own_variables_cannot_redirect_valid_credentials() {
    refuse_each_variable(Stored::Warm);
}

#[test]
fn own_variables_cannot_redirect_expired_credentials() {
    refuse_each_variable(Stored::Expired);
}

fn refuse_each_variable(stored: Stored) {
    let (world, stranger) = (world_without_rotation(), World::new());
    let user = User::new(&world, stored);
    let shown = user.desk.run(["config", "show", "--json"]).document();
    let keys: Vec<&String> = shown.pointer("/keys").unwrap().as_object().unwrap().keys().collect();
    assert!(keys.len() > 45, "{keys:?}");
    let home = user.desk.home();
    let marker = home.join("ran");
    let script = format!("#!/bin/sh\ntouch '{}'\n", marker.display().to_string().replace('\'', "'\\''"));
    write_script(&home.join("planted.sh"), &script);
    for key in keys.iter().filter(|key| !CHOOSERS.contains(&key.as_str())) {
        let (name, value) = (variable_name(key), planted_value(key, &stranger, &home));
        user.desk.set_variable(&name, &value);
        for command in COMMANDS {
            let outcome = user.call(command);
            let at = format!("{name} {command:?}: {outcome:?}");
            match command {
                ["otel-headers"] => {
                    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"), "{at}");
                }
                ["doctor", ..] => assert_eq!(outcome.code, Some(3), "{at}"),
                _ => {
                    assert_eq!(outcome.code, Some(3), "{at}");
                    assert!(outcome.stderr.contains("[config/") && outcome.stderr.contains(&name), "{at}");
                }
            }
            assert!(!outcome.stderr.contains(&value), "the message does not repeat the value: {at}");
            assert_eq!(stranger.ledger().total(), 0, "{at}");
            assert!(!marker.exists(), "{at}");
        }
        user.desk.unset_variable(&name);
    }
}

/// Variables of other programs, each with a value that a repository could set.
type Planted = Vec<(&'static str, String)>;

fn with_value(names: &[&'static str], value: &str) -> Planted {
    names.iter().map(|name| (*name, value.to_owned())).collect()
}

fn endpoints(stranger: &World) -> Planted {
    const NAMES: [&str; 5] = [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY",
        "AWS_ENDPOINT_URL_BEDROCK",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    ];
    with_value(&NAMES, &stranger.sts_endpoint())
}

fn authorities(stranger: &World) -> Planted {
    let file = stranger.ca_bundle().map(|path| path.display().to_string()).unwrap_or_default();
    with_value(&["AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR"], &file)
}

fn proxies(stranger: &World) -> Planted {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
    with_value(&names, &stranger.quota_endpoint())
}

fn other_variables(stranger: &World, home: &Path) -> Planted {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", stranger.quota_endpoint()),
        ("BROWSER", "./planted.sh".to_owned()),
        ("XDG_CONFIG_HOME", home.join("planted-config").display().to_string()),
        ("BEDROCK_SSO_LOG_FILE", home.join(".bashrc").display().to_string()),
    ]
}

#[test]
fn foreign_variables_cannot_redirect_valid_credentials() {
    ignore_variables_of_other_programs(Stored::Warm);
}

#[test]
fn foreign_variables_cannot_redirect_expiring_credentials() {
    ignore_variables_of_other_programs(Stored::Expiring);
}

#[test]
fn foreign_variables_cannot_redirect_expired_credentials() {
    ignore_variables_of_other_programs(Stored::Expired);
}

#[test]
fn foreign_variables_cannot_redirect_a_first_sign_in() {
    ignore_variables_of_other_programs(Stored::Nothing);
}

fn ignore_variables_of_other_programs(stored: Stored) {
    let (world, stranger) = (world_without_rotation(), World::over_tls());
    let user = User::new(&world, stored);
    let home = user.desk.home();
    fs::create_dir_all(home.join("planted-config/bedrock-sso")).unwrap();
    let text = fs::read_to_string(user.desk.config_file()).unwrap();
    let planted = text.replace(&world.sts_endpoint(), &stranger.sts_endpoint());
    fs::write(home.join("planted-config/bedrock-sso/config.toml"), planted).unwrap();
    fs::write(home.join(".bashrc"), "alias ll='ls -l'\n").unwrap();
    let interception = [proxies(&stranger), authorities(&stranger)].concat();
    for group in [endpoints(&stranger), authorities(&stranger), interception, other_variables(&stranger, &home)] {
        for (name, value) in &group {
            user.desk.set_variable(name, value);
        }
        for command in COMMANDS {
            let outcome = user.call(command);
            let at = format!("{group:?} {command:?}: {outcome:?}");
            assert_eq!(stranger.ledger().total(), 0, "{at}");
            if command == ["credentials"] {
                assert_eq!(outcome.code, Some(0), "the call succeeds: {at}");
            }
        }
        for (name, _) in &group {
            user.desk.unset_variable(name);
        }
    }
    assert_eq!(fs::read_to_string(home.join(".bashrc")).unwrap(), "alias ll='ls -l'\n");
    ignore_endpoints_where_the_file_names_none(&user.desk, &World::new());
    ignore_endpoints_where_the_file_names_none(&user.desk, &stranger);
}

/// Here the file names no AWS endpoint. A proxy that does not exist prevents requests to the real AWS.
/// The variables also name the certificate authority of a stranger that uses TLS.
fn ignore_endpoints_where_the_file_names_none(desk: &Desk<'_>, stranger: &World) {
    let nowhere = Port::reserve();
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let is_endpoint = |line: &&str| !line.starts_with("sts_endpoint") && !line.starts_with("bedrock_endpoint");
    desk.configure(&(text.lines().filter(is_endpoint).collect::<Vec<_>>().join("\n") + "\n"));
    desk.set_key("proxy", &format!("\"http://127.0.0.1:{nowhere}\""));
    for (name, value) in endpoints(stranger).into_iter().chain(authorities(stranger)) {
        desk.set_variable(name, &value);
    }
    for command in [&["login"][..], &["login", "--force"], &["credentials"], &["bearer"], &["doctor", "--live"]] {
        let mut called = desk.command();
        called.args(command);
        let outcome = desk.start_command(called).finish();
        desk.settle();
        assert_eq!(stranger.ledger().total(), 0, "{command:?}: {outcome:?}");
    }
}

#[test]
fn config_variable_is_refused_beside_a_user_file() {
    let (world, stranger) = (world_without_rotation(), World::new());
    for stored in [Stored::Warm, Stored::Expired, Stored::Nothing] {
        let user = User::new(&world, stored);
        let planted = user.desk.home().join("planted.toml");
        let text = fs::read_to_string(user.desk.config_file()).unwrap();
        fs::write(&planted, text.replace(&world.sts_endpoint(), &stranger.sts_endpoint())).unwrap();
        user.desk.set_variable("BEDROCK_SSO_CONFIG", &planted);
        for command in COMMANDS {
            let outcome = user.call(command);
            let at = format!("{command:?} {stored:?}: {outcome:?}");
            let wanted = if command == ["otel-headers"] { Some(0) } else { Some(3) };
            assert_eq!((outcome.code, stranger.ledger().total()), (wanted, 0), "{at}");
        }
    }
}

/// A container without a file is configured by variables alone, and a changed variable needs no consent.
#[test]
fn variables_alone_configure_a_container() {
    let world = world_without_rotation();
    let desk = Desk::new(&world, PROGRAM);
    desk.configure_by_variables();
    let document: Value = desk.run(["credentials"]).expect_code(0).document();
    assert_eq!(document["Version"], 1);
    desk.set_variable("BEDROCK_SSO_QUOTA_ENDPOINT", world.quota_endpoint());
    desk.run(["logout"]).expect_code(0);
    desk.run(["credentials"]).expect_code(0);
}
