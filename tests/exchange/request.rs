//! The request to STS: it is unsigned, goes to the configured endpoint, and can carry a large token.

use std::fs;

use serde_json::{Value, json};
use testworld::{Endpoint, Knob, ROLE_ARN, World, write_script};

use super::{PROGRAM, desk, fails, role_requests};

#[test]
fn role_request_is_unsigned_despite_aws_variables() {
    let world = World::new();
    let desk = desk(&world);
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/Other"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"),
        ("AWS_REGION", "ap-southeast-2"),
    ] {
        desk.set_variable(name, value);
    }
    desk.credentials();
    desk.run(["login"]).expect_code(0);
    let requests = world.ledger().requests();
    let assume = requests.iter().find(|request| request.endpoint == Endpoint::Assume).unwrap();
    assert!(!assume.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")));
    assert_eq!(role_requests(&world)[0]["RoleArn"], ROLE_ARN);
    assert_eq!(world.count(Endpoint::Identity), 1, "login checks the stored credentials, not those of the environment");
}

#[test]
fn credential_process_of_this_program_does_not_call_itself() {
    let world = World::new();
    let desk = desk(&world);
    let (folder, calls) = (desk.home().join(".aws"), desk.home().join("calls.txt"));
    let entry = desk.home().join("way-in.sh");
    let script = format!("#!/bin/sh\necho called >> '{}'\nexec '{PROGRAM}' \"$@\"\n", calls.display())
        .replace("Zoë Ünal's", "Zoë Ünal'\\''s");
    write_script(&entry, &script);
    fs::create_dir_all(&folder).unwrap();
    let process = format!("credential_process = \"{}\" credentials\nregion = us-east-1\n", entry.display());
    fs::write(folder.join("config"), format!("[default]\n{process}\n[profile claude]\n{process}")).unwrap();
    for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        desk.set_variable(name, "claude");
    }
    desk.set_variable("AWS_SDK_LOAD_CONFIG", "1");

    desk.credentials();
    desk.run(["login"]).expect_code(0);
    desk.run(["login", "--force"]).expect_code(0);
    assert!(!calls.exists(), "no call went through the AWS profile");
    let mut by_hand = std::process::Command::new(&entry);
    by_hand.arg("credentials").env_clear().envs([("HOME", desk.home()), ("PATH", "/usr/bin:/bin".into())]);
    assert_eq!(desk.start_command(by_hand).finish().expect_code(0).document()["Version"], 1);
    assert_eq!(fs::read_to_string(&calls).unwrap(), "called\n", "the AWS profile itself works");
    assert_eq!((world.counts([Endpoint::Assume, Endpoint::Identity]), desk.tabs()), ([2, 1], 2));
}

#[test]
fn sts_endpoint_variable_works_without_a_file() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_STS_ENDPOINT");
    desk.set_variable("AWS_ENDPOINT_URL_STS", world.sts_endpoint());
    desk.credentials();
    assert_eq!(world.count(Endpoint::Assume), 1);
}

/// A proxy that does not exist blocks the real AWS. The hint names the variable that is not used, but not its value.
#[test]
fn sts_endpoint_variable_is_ignored_beside_a_file() {
    for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let world = World::new();
        let desk = desk(&world);
        let setting = format!("sts_endpoint = {}\n", json!(world.sts_endpoint()));
        desk.replace_in_config(&setting, "sts_fallback_regions = []\n");
        desk.set_variable("HTTPS_PROXY", "http://127.0.0.1:9");
        desk.set_variable(variable, format!("{}/planted", world.sts_endpoint()));
        let failed = fails(&desk, 9, "network/proxy_unreachable");
        assert_eq!(world.count(Endpoint::Assume), 0, "{variable}");
        failed.hint_has(&[variable, "~/.config/bedrock-sso/config.toml", "`sts_endpoint`"]);
        assert!(!failed.message.contains("planted") && !failed.hint.contains("planted"), "{failed:?}");
        assert!(desk.log().contains(&format!("{variable} is not used, because ")), "{}", desk.log());
    }
}

#[test]
fn sts_endpoint_of_the_profile_outranks_the_variable() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    desk.credentials();
}

#[test]
fn insecure_sts_endpoint_variable_is_refused_before_a_prompt() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure_by_variables();
    desk.unset_variable("BEDROCK_SSO_STS_ENDPOINT");
    desk.set_variable("AWS_ENDPOINT_URL_STS", "http://sts.example.com");
    let failed = fails(&desk, 3, "config/sts_endpoint");
    failed.message_has(&["AWS_ENDPOINT_URL_STS"]).hint_has(&["AWS_ENDPOINT_URL_STS"]);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
}

/// A list of group names, as a large directory sends them, of about this many bytes.
fn groups(bytes: usize) -> Value {
    let each = "CN=Team-Platform-Production-Readers,OU=Groups,DC=corp";
    json!((0..bytes / (each.len() + 3)).map(|_| each).collect::<Vec<_>>())
}

#[test]
fn id_token_with_hundreds_of_groups_is_cached_and_refreshed() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "groups": groups(14_000) }));
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    assert!(role_requests(&world)[0]["WebIdentityToken"].len() > 18_000);
    let renewed = desk.credentials();
    assert_eq!(desk.credentials(), renewed);
    assert_eq!((world.count(Endpoint::Refresh), desk.tabs()), (1, 1));
}

#[test]
fn id_token_above_the_aws_limit_is_reported() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "groups": groups(20_000) }));
    let failed = fails(&desk(&world), 7, "aws/token_too_large");
    failed.message_has(&["'webIdentityToken'", "20000"]).hint_has(&["20,000"]);
}
