//! `setup` with values from flags or from a file: it creates or extends a configuration.

use std::fs;

use serde_json::json;
use testworld::{ROLE_ARN, World};

use super::{browser, desk, snapshot};

#[test]
fn setup_flags_create_a_working_configuration() {
    let world = World::new();
    let desk = desk(&world);
    let browser = browser(&desk);
    fs::remove_file(desk.config_file()).unwrap();
    let (issuer, endpoint) = (world.issuer(), format!("sts_endpoint={}", world.sts_endpoint()));
    let browser = format!("browser={browser}");
    let facts = [
        "setup",
        "--yes",
        "--issuer",
        &issuer,
        "--client-id",
        testworld::CLIENT_ID,
        "--role-arn",
        ROLE_ARN,
        "--region",
        "us-east-1",
        "--set",
        &endpoint,
        "--set",
        &browser,
        "--set",
        "storage=file",
    ];
    let applied = desk.run(facts).expect_code(0);
    desk.expect_wording("output", "setup: applied", &applied.stderr);
    let written = fs::read_to_string(desk.config_file()).unwrap();
    assert!(written.starts_with("version = 1\n\n[profiles.claude]\nissuer = "), "{written}");
    desk.run(["config", "check"]).expect_code(0);
    assert!(desk.run(["login"]).expect_code(0).stdout.contains("demo@example.com"));
    desk.run(facts).prints("setup: nothing to do");
}

#[test]
fn setup_without_values_lists_the_required_flags() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    let before = snapshot(&desk);
    for words in [["setup", "--yes"], ["setup", "--dry-run"]] {
        let failed = desk.run(words).fails(3, "setup/no_facts");
        failed.hint_has(&["--issuer", "--client-id", "--role-arn", "--region", "--from"]);
    }
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_appends_a_profile_and_changes_no_other_line() {
    let world = World::new();
    let desk = desk(&world);
    let before = fs::read_to_string(desk.config_file()).unwrap();
    let facts = [
        "setup", "--yes", "--profile", "second", "--issuer", "https://acme.okta.com", "--client-id", "x", "--role-arn",
        ROLE_ARN, "--region", "eu-west-1",
    ];
    let applied = desk.run(facts).expect_code(0).stderr;
    assert!(applied.contains("`bedrock-sso login --profile second`"), "{applied}");
    desk.expect_wording("output", "setup: applied to a second profile", &applied);
    let after = fs::read_to_string(desk.config_file()).unwrap();
    assert!(after.starts_with(&before) && after.contains("\n[profiles.second]\n"), "{after}");
    assert!(desk.read(".aws/config").contains("[profile second]"));
}

#[test]
fn setup_does_not_overwrite_a_different_profile() {
    let world = World::new();
    let desk = desk(&world);
    let before = snapshot(&desk);
    let refused = desk.run(["setup", "--yes", "--profile", "claude", "--region", "eu-west-1"]);
    refused.fails(3, "setup/differs").message_has(&["'claude'", "region"]).hint_has(&["--profile", "--remove"]);
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_rejects_invalid_values_before_writing() {
    let world = World::new();
    let desk = desk(&world);
    let before = snapshot(&desk);
    for (fact, slug) in
        [("region=Mars", "config/illegal"), ("regoin=x", "config/unknown_key"), ("scopes=[", "config/syntax")]
    {
        let facts = [
            "setup", "--yes", "--profile", "new", "--issuer", "https://acme.okta.com", "--client-id", "x",
            "--role-arn", ROLE_ARN, "--set", fact,
        ];
        desk.run(facts).fails(3, slug);
    }
    desk.run(["setup", "--set", "nonsense"]).fails(2, "usage/wrong_value");
    assert_eq!(snapshot(&desk), before);
}

#[test]
fn setup_imports_the_guidance_sample_configuration() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    desk.write(
        "old/config.json",
        &format!(
            r#"{{"ClaudeCode": {{"provider_domain": "acme.okta.com", "client_id": "0oa", "aws_region": "us-west-2",
            "federated_role_arn": "{ROLE_ARN}", "client_secret": "hidden", "credential_storage": "session"}}}}"#
        ),
    );
    let file = desk.home().join("old/config.json");
    let outcome = desk.run(["setup", "--yes", "--from", file.to_str().unwrap()]).expect_code(0);
    desk.expect_wording("output", "setup: a secret in the configuration that was taken over", &outcome.stderr);
    let written = fs::read_to_string(desk.config_file()).unwrap();
    assert!(written.contains("[profiles.ClaudeCode]") && !written.contains("hidden"), "{written}");
    assert!(desk.read(".aws/config").contains("[profile ClaudeCode]\n"));
    desk.write("old/config.json", "{}");
    desk.run(["setup", "--from", file.to_str().unwrap()]).fails(3, "setup/source");
}

/// An answer of `aws cloudformation describe-stacks`, with one output for each stack.
fn stacks(outputs: &[(&str, &str)]) -> String {
    let stack = |(name, text): &(&str, &str)| {
        json!({
            "StackId": format!("arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/1"),
            "StackName": name,
            "Outputs": [
                { "OutputKey": "RoleArn", "OutputValue": ROLE_ARN },
                { "OutputKey": "BedrockSsoConfig", "OutputValue": text },
            ],
        })
    };
    json!({ "Stacks": outputs.iter().map(stack).collect::<Vec<_>>() }).to_string()
}

const TEAM: &str = "version = 1\n\n[profiles.claude.claude_code]\nmodels = { default = \"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ml\" }\n";

#[test]
fn setup_imports_the_configurations_of_our_stacks() {
    let world = World::new();
    let desk = desk(&world);
    let federation = fs::read_to_string(desk.config_file()).unwrap();
    let from = desk.home().join("outputs.json");
    let from = from.to_str().unwrap();
    for outputs in [
        stacks(&[("acme-team-ml", TEAM), ("acme-federation", &federation)]),
        stacks(&[("acme-federation", &federation)]),
        federation.clone(),
    ] {
        let _ = fs::remove_file(desk.config_file());
        desk.write("outputs.json", &outputs);
        desk.run(["setup", "--yes", "--from", from]).expect_code(0);
        let written = fs::read_to_string(desk.config_file()).unwrap();
        assert!(written.contains("[profiles.claude]\n"), "{written}");
        assert_eq!(written.contains("application-inference-profile/ml"), outputs.contains("team-ml"), "{written}");
        desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    }
    desk.run(["setup", "--yes", "--from", from]).expect_code(0);
    assert!(desk.run(["login"]).expect_code(0).stdout.contains("demo@example.com"));
}

const GUARD_RAILS: &str = "version = 1\n\n[profiles.claude.telemetry]\nrelay = \"laptop\"\nlog_group = \"/acme/telemetry\"\nlog_stream = \"laptops\"\n";

#[test]
fn setup_takes_over_the_relay_of_the_guard_rails() {
    let world = World::new();
    let desk = desk(&world);
    let federation = fs::read_to_string(desk.config_file()).unwrap();
    fs::remove_file(desk.config_file()).unwrap();
    let from = desk.write("outputs.json", &stacks(&[("acme-federation", &federation), ("guardrails", GUARD_RAILS)]));
    desk.run(["setup", "--yes", "--from", from.to_str().unwrap()]).expect_code(0);
    let shown = desk.run(["config", "show", "--json"]).expect_code(0).stdout;
    assert!(shown.contains("/acme/telemetry"), "{shown}");
    let settings: serde_json::Value = serde_json::from_str(&desk.read(".claude/settings.json")).unwrap();
    let env = &settings["env"];
    assert_eq!(env["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://127.0.0.1:48318");
    assert_eq!(
        (&env["OTEL_EXPORTER_OTLP_PROTOCOL"], &env["OTEL_LOGS_EXPORTER"]),
        (&json!("http/json"), &json!("otlp"))
    );
    assert!(settings["otelHeadersHelper"].as_str().unwrap().contains("otel-headers"));
}

#[test]
fn wrong_configuration_in_an_output_names_the_output() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    let from = desk.home().join("outputs.json");
    let run = |outputs: &str| {
        desk.write("outputs.json", outputs);
        desk.run(["setup", "--yes", "--from", from.to_str().unwrap()])
    };
    let wrong = "version = 1\n\n[profiles.claude]\nregoin = \"us-east-1\"\n";
    let failed = run(&stacks(&[("acme-federation", wrong)])).fails(3, "config/unknown_key");
    failed.message_has(&["outputs.json (BedrockSsoConfig of acme-federation):4", "regoin", "region"]);
    run(&stacks(&[("acme-federation", "[profiles.claude]\n")])).fails(3, "config/no_version");
    let failed = run(&stacks(&[("ml", TEAM), ("web", &TEAM.replace("/ml", "/web"))])).fails(3, "setup/source");
    failed.message_has(&["claude_code.models", "BedrockSsoConfig of ml", "BedrockSsoConfig of web"]);
    assert!(!desk.config_file().exists());
}

#[test]
fn setup_imports_a_configuration_file() {
    let world = World::new();
    let desk = desk(&world);
    let file = desk.home().join("acme.toml");
    fs::rename(desk.config_file(), &file).unwrap();
    desk.run(["setup", "--yes", "--from", file.to_str().unwrap()]).expect_code(0);
    assert!(desk.run(["login"]).expect_code(0).stdout.contains("demo@example.com"));
    desk.run(["setup", "--from", "/no/such/file"]).fails(3, "setup/source");
}

#[test]
fn setup_flags_cannot_inject_other_keys() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    let before = snapshot(&desk);
    let facts = ["setup", "--yes", "--issuer", "https://a.example", "--client-id", "x", "--role-arn", ROLE_ARN];
    let hostile = [
        ["--set", "extra_params={}\nstorage = \"none\""],
        ["--set", "redirect_ports=[1]\n[profiles.other]"],
        ["--set", "redirect_ports=8400 # and a comment\nstorage = \"none\""],
        ["--aws-profile", "x\n[default]\ncredential_process=evil"],
        ["--aws-profile", "x]"],
    ];
    for flag in hostile {
        let mut command = desk.command();
        command.args(facts).args(["--region", "us-east-1", "--set", "storage=file"]).args(flag);
        let slug = if flag[0] == "--set" { "config/syntax" } else { "config/illegal" };
        desk.start_command(command).finish().fails(3, slug).message_has(&flag[..1]);
        assert_eq!(snapshot(&desk), before, "{flag:?}");
    }
}
