//! The documented exit codes, each with its slug and the facts in its message.
//!
//! `quota` tests exit code 8, `crowd` tests 11 and 130.

use std::{fs, process::Stdio};

use serde_json::json;
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, Outcome, ROLE_ARN, World};

use super::{FILE, desk, line_of, signed_in, signed_in_with_expired_credentials};

#[cfg(target_os = "linux")]
#[test]
fn exit_1_when_stdout_cannot_be_written() {
    let world = World::new();
    let desk = signed_in(&world);
    for verb in ["credentials", "status", "config path"] {
        let outcome = desk.start_command(super::shell(&desk, &format!("\"$0\" {verb} >/dev/full"))).finish();
        outcome.fails(1, "internal/stdout");
    }
}

#[test]
fn exit_2_for_unknown_commands_and_arguments() {
    let world = World::new();
    let desk = desk(&world);
    let fails = |outcome: Outcome, slug: &str, message: &str, hint: &str| {
        outcome.fails(2, slug).message_has(&[message]).hint_has(&[hint]);
    };
    let unknown = "usage/unknown_command";
    fails(desk.run(["sign-me-in"]), unknown, "'sign-me-in'", "`bedrock-sso --help`");
    fails(desk.run(["logn"]), unknown, "'logn'", "`login`");
    fails(desk.run(["config", "frob"]), unknown, "'frob'", "`bedrock-sso --help`");
    let unknown = "usage/unknown_argument";
    fails(desk.run(["credentials", "claude"]), unknown, "'claude'", "`bedrock-sso --help`");
    fails(desk.run(["status", "--jsn"]), unknown, "'--jsn'", "`--json`");
    let wrong = "usage/wrong_value";
    fails(desk.run(["credentials", "--profile"]), wrong, "'--profile <NAME>'", "`bedrock-sso --help`");
    fails(desk.run(["exec"]), wrong, "<CMD>...", "`bedrock-sso --help`");
    fails(desk.run(["completions"]), wrong, "<SHELL>", "`bedrock-sso --help`");
    fails(desk.run(["completions", "bsh"]), wrong, "'bsh'", "`bash`");
    let twice = desk.run(["status", "--config", "a", "--config", "b"]);
    fails(twice, wrong, "'--config <FILE>'", "`bedrock-sso --help`");
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
}

#[test]
fn control_characters_in_arguments_are_escaped() {
    let world = World::new();
    let outcome = desk(&world).run(["\u{1b}[2J\nlogin"]).expect_code(2);
    assert!(!outcome.stderr.contains('\u{1b}'), "{:?}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 2, "{:?}", outcome.stderr);
}

#[test]
fn exit_3_without_a_configuration() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    for verb in ["credentials", "login", "status"] {
        let failed = desk.run([verb]).fails(3, "config/no_file");
        failed.message_has(&[FILE, "/config.toml"]).hint_has(&["`bedrock-sso setup`"]);
    }
}

#[test]
fn exit_3_names_line_key_and_nearest_key() {
    let world = World::new();
    let desk = desk(&world);
    desk.replace_in_config("client_id", "clientid");
    let place = format!("{FILE}:{}:", line_of(&desk, "clientid"));
    let failed = desk.run(["credentials"]).fails(3, "config/unknown_key");
    failed.message_has(&[&place, "\"clientid\"", "[profiles.claude]", "\"client_id\""]);
}

#[test]
fn exit_3_for_a_client_secret_in_the_configuration() {
    let world = World::new();
    let desk = Desk::with(&world, super::PROGRAM, "client_secret = \"hush\"");
    let failed = desk.run(["credentials"]).fails(3, "config/unknown_key");
    failed.message_has(&["\"client_secret\""]).hint_has(&["`bedrock-sso login --client-secret-stdin`"]);
    assert!(!failed.message.contains("hush"), "{failed:?}");
}

#[test]
fn exit_3_for_a_missing_or_invalid_key() {
    let world = World::new();
    let desk = desk(&world);
    desk.replace_in_config("region = \"us-east-1\"\n", "");
    let place = format!("{FILE}:{}:", line_of(&desk, "[profiles"));
    desk.run(["login"]).fails(3, "config/missing_key").message_has(&[&place, "[profiles.claude]", "\"region\""]);
    let issuer = format!("issuer = {}", json!(world.issuer()));
    desk.replace_in_config(&issuer, "region = \"us-east-1\"\nissuer = \"http://acme.example.com\"");
    let place = format!("{FILE}:{}:", line_of(&desk, "issuer"));
    let failed = desk.run(["login"]).fails(3, "config/illegal");
    failed.message_has(&[&place, "\"issuer\"", "http://acme.example.com"]).hint_has(&["`bedrock-sso config check`"]);
}

#[test]
fn exit_3_for_an_issuer_that_differs_from_discovery() {
    let world = World::new();
    let desk = desk(&world);
    world.set(Knob::DiscoveryDocument, json!({"issuer": "https://id.example.com/"}));
    let failed = desk.run(["credentials"]).fails(3, "config/issuer");
    failed.message_has(&["https://id.example.com/", &world.issuer()]).hint_has(&["`issuer`"]);
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn exit_4_when_prompting_is_not_allowed() {
    let world = World::new();
    let (unasking, explicit) = (desk(&world), Desk::with(&world, super::PROGRAM, "login = \"explicit\""));
    unasking.run(["credentials", "--no-login"]).fails(4, "sign-in/not_allowed");
    explicit.run(["credentials"]).fails(4, "sign-in/not_allowed");
    assert_eq!((unasking.tabs(), explicit.tabs(), world.ledger().total()), (0, 0, 0));
    explicit.run(["login"]).expect_code(0);
    explicit.run(["credentials"]).expect_code(0);
}

#[test]
fn exit_4_when_the_browser_does_not_start() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    let failed = desk.run(["credentials"]).fails(4, "sign-in/no_browser");
    failed.message_has(&["/no/such/browser"]).hint_has(&["`bedrock-sso login --no-browser`", "`browser`"]);
}

#[test]
fn exit_5_when_the_provider_denies_access() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::AuthorizeError, json!({"error": "access_denied", "description": "user is not\u{1b} assigned"}));
    let failed = desk.run(["credentials"]).fails(5, "sign-in/access_denied");
    failed.message_has(&["access_denied (user is not\\u{1b} assigned)"]);
}

#[test]
fn exit_6_for_a_token_with_another_audience() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::IdTokenClaims, json!({"aud": "somebody-else"}));
    let failed = desk.run(["credentials"]).fails(6, "token/audience");
    failed.message_has(&["somebody-else", CLIENT_ID]).hint_has(&["`client_id`"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn exit_7_when_aws_denies_the_role() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::AssumeFault, Fault::aws(403, "AccessDenied", "Not authorized to perform that"));
    let failed = desk.run(["credentials"]).fails(7, "aws/access_denied");
    failed.message_has(&["AccessDenied: Not authorized to perform that"]);
    failed.hint_has(&[ROLE_ARN, "sts:AssumeRoleWithWebIdentity", &world.issuer(), CLIENT_ID]);
}

#[test]
fn exit_9_when_the_provider_is_unreachable() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    for verb in ["credentials", "login"] {
        let failed = desk.run([verb]).fails(9, "network/connect");
        failed.message_has(&[world.issuer().trim_start_matches("http://")]).hint_has(&["HTTPS_PROXY"]);
    }
    assert_eq!(desk.tabs(), 0);
}

/// Asserts that `credentials` fails because of this file in the data folder, without a prompt.
#[track_caller]
fn storage_fails(desk: &Desk<'_>, file: &str) {
    let failed = desk.run(["credentials"]).fails(10, "storage/files");
    failed.message_has(&[&desk.data().display().to_string(), file]);
    // The worker may end a moment after its caller.
    desk.settle();
    assert_eq!((desk.tabs(), desk.processes().len()), (0, 0));
}

#[test]
#[cfg(target_os = "linux")]
fn exit_10_without_a_keyring_before_any_prompt() {
    let world = World::new();
    let desk = desk(&world);
    for sign in ["SSH_CONNECTION", "container"] {
        desk.set_variable(sign, "10.0.0.1 50000 10.0.0.2 22");
        for storage in ["storage = \"keyring\"\n", ""] {
            desk.configure(&world.configuration("").replace("storage = \"file\"\n", storage));
            for verb in ["credentials", "login"] {
                let failed = desk.run([verb]).fails(10, "storage/keyring_absent");
                desk.expect_wording("places without a keyring", sign, &format!("{}\n{}", failed.message, failed.hint));
            }
        }
        desk.unset_variable(sign);
    }
    assert_eq!((world.ledger().total(), desk.tabs()), (0, 0));
}

#[test]
fn exit_10_when_a_file_blocks_the_data_folder() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.data();
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "a file").unwrap();
    storage_fails(&desk, ".credentials");
}

#[test]
fn exit_10_for_an_unreadable_sealing_key() {
    let world = World::new();
    let desk = desk(&world);
    fs::create_dir_all(desk.data().join("key")).unwrap();
    storage_fails(&desk, "/key");
}

#[test]
fn unreadable_record_ends_with_exit_10_and_costs_no_prompt() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    let sealed = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
    let record = sealed.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "credentials")).unwrap();
    let aside = record.with_extension("aside");
    fs::rename(&record, &aside).unwrap();
    fs::create_dir(&record).unwrap();
    let failed = desk.run(["credentials"]).fails(10, "storage/files");
    failed.message_has(&[&record.display().to_string()]);
    fs::remove_dir(&record).unwrap();
    fs::rename(&aside, &record).unwrap();
    desk.run(["credentials"]).expect_code(0);
    assert_eq!((desk.tabs(), world.count(Endpoint::Refresh)), (1, 1));
}

#[test]
fn exit_0_without_a_terminal() {
    let world = World::new();
    let desk = signed_in(&world);
    let output = desk.command().arg("credentials").stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert!(output.stdout.ends_with(b"\n") || output.stdout.ends_with(b"}"));
}
