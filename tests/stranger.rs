//! A stranger's servers, named by every variable that a repository could set: no command sends them anything.
//!
//! The stranger is a world of its own, whose ledger must stay empty.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a test may write files")]

use std::fs;

use serde_json::json;
use testworld::{Desk, Knob, World};

/// Commands, with what each needs from the session.
const COMMANDS: [&[&str]; 12] = [
    &["credentials"],
    &["credentials", "--no-login"],
    &["export"],
    &["otel-headers"],
    &["token"],
    &["bearer"],
    &["env"],
    &["exec", "--", "true"],
    &["status"],
    &["login"],
    &["doctor"],
    &["doctor", "--live"],
];

fn desk(world: &World) -> Desk<'_> {
    let more = format!(
        "bedrock_endpoint = {}\ncognito_endpoint = {}\nquota.endpoint = {}\n",
        json!(world.bedrock_endpoint()),
        json!(world.cognito_endpoint()),
        json!(world.quota_endpoint())
    );
    Desk::with(world, env!("CARGO_BIN_EXE_bedrock-sso"), &more)
}

/// Variables that would send something to the stranger, refused or not used.
fn planted(stranger: &World) -> Vec<(&'static str, String)> {
    vec![
        ("BEDROCK_SSO_QUOTA_ENDPOINT", stranger.quota_endpoint()),
        ("BEDROCK_SSO_STS_ENDPOINT", stranger.sts_endpoint()),
        ("BEDROCK_SSO_COGNITO_ENDPOINT", stranger.cognito_endpoint()),
        ("BEDROCK_SSO_BEDROCK_ENDPOINT", stranger.bedrock_endpoint()),
        ("BEDROCK_SSO_ISSUER", stranger.issuer()),
        ("BEDROCK_SSO_TELEMETRY_COLLECTORS", json!([stranger.issuer()]).to_string()),
        ("AWS_ENDPOINT_URL_STS", stranger.sts_endpoint()),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY", stranger.cognito_endpoint()),
        ("AWS_ENDPOINT_URL_BEDROCK", stranger.bedrock_endpoint().replace("{service}", "bedrock")),
        (
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            stranger.bedrock_endpoint().replace("{service}", "bedrock-runtime"),
        ),
        ("AWS_ENDPOINT_URL", stranger.sts_endpoint()),
    ]
}

/// Runs every command, and asserts that nothing reached the stranger and that no message repeats what was planted.
fn run_all(desk: &Desk<'_>, stranger: &World, variable: &str, value: &str) {
    for words in COMMANDS {
        let mut command = desk.command();
        command.args(words);
        let outcome = desk.start_command(command).finish();
        desk.settle();
        assert_eq!(stranger.ledger().total(), 0, "{variable}: {words:?}");
        assert!(!outcome.stderr.contains(value), "{variable}: {words:?}: {}", outcome.stderr);
        let is_refused = variable.starts_with("BEDROCK_SSO_");
        if is_refused && !matches!(words, ["otel-headers"] | ["doctor", ..]) {
            assert_eq!(outcome.code, Some(3), "{variable}: {words:?}: {outcome:?}");
            assert!(outcome.stderr.contains("[config/variable_refused]"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains(variable), "{}", outcome.stderr);
        }
    }
}

#[test]
fn no_variable_sends_anything_of_a_warm_session_to_a_stranger() {
    let (world, stranger) = (World::new(), World::new());
    let desk = desk(&world);
    desk.run(["credentials"]).expect_code(0);
    for (variable, value) in planted(&stranger) {
        desk.set_variable(variable, &value);
        run_all(&desk, &stranger, variable, &value);
        desk.unset_variable(variable);
    }
}

#[test]
fn no_variable_sends_anything_of_a_spent_session_to_a_stranger() {
    let (world, stranger) = (World::new(), World::new());
    world.set(Knob::CredentialLifetime, 5);
    let desk = desk(&world);
    desk.run(["credentials"]).expect_code(0);
    for (variable, value) in planted(&stranger) {
        desk.set_variable(variable, &value);
        run_all(&desk, &stranger, variable, &value);
        desk.unset_variable(variable);
    }
}

/// The stranger's file knows the same public facts as the person's own.
#[test]
fn config_variable_sends_nothing_to_a_stranger() {
    let (world, stranger) = (World::new(), World::new());
    let desk = desk(&world);
    desk.run(["credentials"]).expect_code(0);
    let own = fs::read_to_string(desk.config_file()).unwrap();
    let planted = own.replace(&world.sts_endpoint(), &stranger.sts_endpoint());
    let planted = planted.replace(&world.quota_endpoint(), &stranger.quota_endpoint());
    let file = desk.home().join("x.toml");
    fs::write(&file, planted).unwrap();
    let path = file.to_str().unwrap().to_owned();
    desk.set_variable("BEDROCK_SSO_CONFIG", &path);
    run_all(&desk, &stranger, "BEDROCK_SSO_CONFIG", &path);
}
