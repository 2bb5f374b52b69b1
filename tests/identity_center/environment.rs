//! Variables cannot send the tokens of an Identity Center, or the user's sign-in, to another host.

use serde_json::json;
use testworld::{Desk, Knob, Port, World};

use super::desk;
use crate::SPENT;

/// Every command that reads stored records or calls a server.
const COMMANDS: [&[&str]; 11] = [
    &["credentials"],
    &["credentials", "--no-login"],
    &["login"],
    &["login", "--force"],
    &["export"],
    &["otel-headers"],
    &["bearer"],
    &["env"],
    &["status"],
    &["doctor", "--live"],
    &["logout"],
];

/// A home whose user has signed in, and whose credentials and access token have expired.
fn spent_desk(world: &World) -> Desk<'_> {
    world.set(Knob::CredentialLifetime, SPENT);
    world.set(Knob::PortalTokenLifetime, SPENT);
    let desk = desk(world);
    desk.credentials();
    desk
}

/// Runs the command in the home, and waits until its background processes have ended.
fn call(desk: &Desk<'_>, command: &[&str]) -> testworld::Outcome {
    let mut called = desk.command();
    called.args(command);
    let outcome = desk.start_command(called).finish();
    desk.settle();
    outcome
}

#[test]
fn own_variables_cannot_change_the_identity_center() {
    let (world, stranger) = (World::new(), World::new());
    let desk = spent_desk(&world);
    for (name, value) in [
        ("BEDROCK_SSO_IDENTITY_CENTER_START_URL", stranger.start_url()),
        ("BEDROCK_SSO_IDENTITY_CENTER_REGION", "eu-west-1".to_owned()),
        ("BEDROCK_SSO_IDENTITY_CENTER_ACCOUNT_ID", "210987654321".to_owned()),
        ("BEDROCK_SSO_IDENTITY_CENTER_PERMISSION_SET", "Admin".to_owned()),
        ("BEDROCK_SSO_IDENTITY_CENTER_ENDPOINT", stranger.identity_center_endpoint()),
        ("BEDROCK_SSO_STS_ENDPOINT", stranger.sts_endpoint()),
        ("BEDROCK_SSO_FEDERATION", "sts".to_owned()),
        ("BEDROCK_SSO_TELEMETRY_STATIC", "{ x-planted = \"1\" }".to_owned()),
    ] {
        desk.set_variable(name, &value);
        for command in COMMANDS {
            let outcome = call(&desk, command);
            let at = format!("{name} {command:?}: {outcome:?}");
            match command {
                ["otel-headers"] => assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"), "{at}"),
                ["doctor", ..] => assert_eq!(outcome.code, Some(3), "{at}"),
                _ => {
                    assert_eq!(outcome.code, Some(3), "{at}");
                    assert!(outcome.stderr.contains("[config/") && outcome.stderr.contains(name), "{at}");
                }
            }
            assert_eq!(stranger.ledger().total(), 0, "{at}");
        }
        desk.unset_variable(name);
    }
    desk.credentials();
}

#[test]
fn variables_of_aws_tools_cannot_redirect_a_request() {
    let (world, stranger) = (World::new(), World::new());
    let desk = spent_desk(&world);
    for (name, value) in plant_endpoints(&stranger) {
        desk.set_variable(name, &value);
    }
    for command in COMMANDS {
        let outcome = call(&desk, command);
        let at = format!("{command:?}: {outcome:?}");
        assert_eq!(stranger.ledger().total(), 0, "{at}");
        if command == ["credentials"] {
            assert_eq!(outcome.code, Some(0), "{at}");
        }
    }
    // Here the file names no endpoint. A proxy that does not exist prevents requests to the real AWS.
    let nowhere = Port::reserve();
    let text = std::fs::read_to_string(desk.config_file()).expect("the desk has a configuration");
    let is_endpoint = |line: &&str| line.split(' ').next().is_some_and(|key| key.ends_with("_endpoint"));
    let without: Vec<&str> = text.lines().filter(|line| !is_endpoint(line)).collect();
    desk.configure(&(without.join("\n") + "\n"));
    desk.set_key("proxy", &json!(format!("http://127.0.0.1:{}", nowhere.number())).to_string());
    for command in COMMANDS {
        let outcome = call(&desk, command);
        assert_eq!(stranger.ledger().total(), 0, "{command:?}: {outcome:?}");
    }
}

fn plant_endpoints(stranger: &World) -> Vec<(&'static str, String)> {
    let [oidc, portal] =
        ["oidc", "portal.sso"].map(|name| stranger.identity_center_endpoint().replace("{service}", name));
    vec![
        ("AWS_ENDPOINT_URL", stranger.sts_endpoint()),
        ("AWS_ENDPOINT_URL_STS", stranger.sts_endpoint()),
        ("AWS_ENDPOINT_URL_SSO_OIDC", oidc),
        ("AWS_ENDPOINT_URL_SSO", portal),
    ]
}

#[test]
fn changed_endpoint_gets_nothing_before_consent() {
    let (world, stranger) = (World::new(), World::new());
    let desk = spent_desk(&world);
    desk.set_key("identity_center_endpoint", &json!(stranger.identity_center_endpoint()).to_string());
    for command in [&["credentials"][..], &["credentials", "--no-login"], &["export"], &["bearer"], &["login"]] {
        let outcome = call(&desk, command);
        assert_eq!((outcome.code, stranger.ledger().total()), (Some(4), 0), "{command:?}: {outcome:?}");
        assert!(outcome.stderr.contains("[sign-in/destination_changed]"), "{outcome:?}");
    }
    // `logout` deletes the session here, and ends it nowhere.
    call(&desk, &["logout"]);
    assert_eq!(stranger.ledger().total(), 0);
}

#[test]
fn variables_alone_configure_a_container() {
    let world = World::new();
    let desk = desk(&world);
    let browser = std::fs::read_to_string(desk.config_file()).expect("the desk has a configuration");
    let browser = browser.lines().find_map(|line| line.strip_prefix("browser = ")).expect("the desk has a browser");
    std::fs::remove_file(desk.config_file()).expect("the file is there");
    for (key, value) in [
        ("FEDERATION", "identity-center".to_owned()),
        ("REGION", "us-east-1".to_owned()),
        ("STORAGE", "file".to_owned()),
        ("BROWSER", browser.to_owned()),
        ("STS_ENDPOINT", world.sts_endpoint()),
        ("IDENTITY_CENTER_ENDPOINT", world.identity_center_endpoint()),
        ("IDENTITY_CENTER_START_URL", world.start_url()),
        ("IDENTITY_CENTER_ACCOUNT_ID", "123456789012".to_owned()),
        ("IDENTITY_CENTER_PERMISSION_SET", "BedrockUser".to_owned()),
    ] {
        desk.set_variable(&format!("BEDROCK_SSO_{key}"), value);
    }
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
    // Another computer would get the tokens without encryption.
    desk.unset_variable("BEDROCK_SSO_IDENTITY_CENTER_ENDPOINT");
    for name in ["AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_SSO"] {
        desk.set_variable(name, "http://sso.example");
        let failed = desk.run(["credentials"]).fails(3, "config/sts_endpoint");
        failed.message_has(&[name, "IAM Identity Center"]);
        desk.unset_variable(name);
    }
}
