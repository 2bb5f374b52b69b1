//! Every documented exit code, reached, with all that is said on the way out.
//!
//! 8 comes with quotas, which this version does not have; 11 and 130 need two processes and a terminal, and are met in
//! `crowd` and among the real parts.

use std::{fs, process::Stdio};

use serde_json::json;
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, World};

use super::{FILE, ROLE, SYSTEM_FILE, desk, failure, line_of, reword, signed_in, signed_in_and_spent, told};

const COMMANDS: &str = "`bedrock-sso --help` lists the commands, and `--help` after one what it takes";

/// The issuer without its scheme.
fn host(world: &World) -> String {
    world.issuer().trim_start_matches("http://").to_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn code_1_for_a_stdout_that_cannot_be_written() {
    let world = World::new();
    let desk = signed_in(&world);
    for verb in ["credentials", "status", "config path"] {
        let outcome = desk.start_command(super::shell(&desk, &format!("\"$0\" {verb} >/dev/full"))).finish();
        let full = "stdout cannot be written: No space left on device";
        told(&outcome, 1, &failure(full, "internal/stdout", "check where the output is sent"));
    }
}

#[test]
fn code_2_for_words_that_mean_nothing() {
    let world = World::new();
    let desk = desk(&world);
    let refused = |outcome, what: &str, slug: &str, hint: &str| told(&outcome, 2, &failure(what, slug, hint));
    let unknown = "usage/unknown_command";
    refused(desk.run(["sign-me-in"]), "unrecognized subcommand 'sign-me-in'", unknown, COMMANDS);
    refused(desk.run(["logn"]), "unrecognized subcommand 'logn'", unknown, "did you mean `login`?");
    refused(desk.run(["config", "frob"]), "unrecognized subcommand 'frob'", unknown, COMMANDS);
    let unknown = "usage/unknown_argument";
    refused(desk.run(["credentials", "claude"]), "unexpected argument 'claude' found", unknown, COMMANDS);
    refused(
        desk.run(["status", "--jsn"]),
        "unexpected argument '--jsn' found",
        unknown,
        "did you mean `--json`?",
    );
    let wrong = "usage/wrong_value";
    let lacking = "a value is required for '--profile <NAME>' but none was supplied";
    refused(desk.run(["credentials", "--profile"]), lacking, wrong, COMMANDS);
    let missing = "the following required arguments were not provided";
    refused(desk.run(["exec"]), &format!("{missing}: <CMD>..."), wrong, COMMANDS);
    refused(desk.run(["completions"]), &format!("{missing}: <SHELL>"), wrong, COMMANDS);
    let unknown = "invalid value 'bsh' for '<SHELL>'";
    refused(desk.run(["completions", "bsh"]), unknown, wrong, "did you mean `bash`?");
    let twice = "the argument '--config <FILE>' cannot be used multiple times";
    refused(desk.run(["status", "--config", "a", "--config", "b"]), twice, wrong, COMMANDS);
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
}

#[test]
fn what_was_typed_cannot_command_the_terminal() {
    let world = World::new();
    let outcome = desk(&world).run(["\u{1b}[2J\nlogin"]).expect_code(2);
    assert!(!outcome.stderr.contains('\u{1b}'), "{:?}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 2, "{:?}", outcome.stderr);
}

#[test]
fn code_3_without_a_configuration() {
    let world = World::new();
    let desk = desk(&world);
    fs::remove_file(desk.config_file()).unwrap();
    let what = format!("no configuration: neither {FILE} nor {SYSTEM_FILE}");
    let hint = "run `bedrock-sso setup`, which writes one, or ask your administrator for theirs";
    for verb in ["credentials", "login", "status"] {
        told(&desk.run([verb]), 3, &failure(&what, "config/no_file", hint));
    }
}

#[test]
fn code_3_names_the_line_the_key_and_the_nearest_known_one() {
    let world = World::new();
    let desk = desk(&world);
    reword(&desk, "client_id", "clientid");
    let what = format!(
        "{FILE}:{}: unknown key \"clientid\" in [profiles.claude]; did you mean \"client_id\"?",
        line_of(&desk, "clientid")
    );
    let hint = "correct or remove it; config.example.toml lists every key";
    told(&desk.run(["credentials"]), 3, &failure(&what, "config/unknown_key", hint));
}

#[test]
fn code_3_for_a_secret_in_the_configuration_says_where_it_belongs() {
    let world = World::new();
    let desk = Desk::with(&world, super::PROGRAM, "client_secret = \"hush\"");
    let (what, hint) = desk.run(["credentials"]).refused(3, "config/unknown_key");
    assert!(what.contains("\"client_secret\"") && !what.contains("hush"), "{what}");
    let belongs =
        "take it out, for a secret is no configuration: `bedrock-sso login --client-secret-stdin` stores it";
    assert_eq!(hint, belongs);
}

#[test]
fn code_3_for_a_key_that_is_missing_or_means_nothing() {
    let world = World::new();
    let desk = desk(&world);
    reword(&desk, "region = \"us-east-1\"\n", "");
    let what = format!("{FILE}:{}: [profiles.claude] lacks \"region\"", line_of(&desk, "[profiles"));
    let hint = "add it; config.example.toml shows each key with a sentence";
    told(&desk.run(["login"]), 3, &failure(&what, "config/missing_key", hint));
    reword(
        &desk,
        "issuer = \"http://127.0.0.1",
        "region = \"us-east-1\"\nissuer = \"http://acme.example.com",
    );
    let outcome = desk.run(["login"]).expect_code(3);
    let place = format!("bedrock-sso: {FILE}:{}: \"issuer\" holds ", line_of(&desk, "issuer"));
    let rule = "not https; plain http is accepted for this machine only [config/illegal]\n  \
                hint: correct it; `bedrock-sso config check` lists every problem\n";
    assert!(outcome.stderr.starts_with(&place) && outcome.stderr.ends_with(rule), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn code_3_for_an_issuer_that_the_provider_does_not_own() {
    let world = World::new();
    let desk = desk(&world);
    world.set(Knob::DiscoveryDocument, json!({"issuer": "https://id.example.com/"}));
    let what = format!(
        "the provider calls itself https://id.example.com/, the configuration says {}",
        world.issuer()
    );
    let hint =
        "set `issuer` to the provider's own spelling, trailing slash included, and register the same in IAM";
    told(&desk.run(["credentials"]), 3, &failure(&what, "config/issuer", hint));
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn code_4_where_nobody_may_be_asked() {
    let world = World::new();
    let expected = failure(
        "you need to sign in, and this command may not ask you to",
        "sign-in/not_allowed",
        "run `bedrock-sso login`",
    );
    let (unasking, explicit) = (desk(&world), Desk::with(&world, super::PROGRAM, "login = \"explicit\""));
    told(&unasking.run(["credentials", "--no-login"]), 4, &expected);
    told(&explicit.run(["credentials"]), 4, &expected);
    assert_eq!((unasking.tabs(), explicit.tabs(), world.ledger().total()), (0, 0, 0));
    explicit.run(["login"]).expect_code(0);
    explicit.run(["credentials"]).expect_code(0);
}

#[test]
fn a_hint_leads_to_the_profile_and_the_file_of_the_command_that_gave_it() {
    let world = World::new();
    let desk = desk(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let second = text.replace("version = 1", "").replace("[profiles.claude]", "[profiles.second]");
    let both = format!("{text}{second}");
    desk.configure(&both);
    let hint = |words: &[&str]| {
        let mut command = desk.command();
        command.args(words);
        desk.start_command(command).finish().refused(4, "sign-in/not_allowed").1
    };
    let credentials = ["--profile", "second", "credentials", "--no-login"];
    assert_eq!(hint(&credentials), "run `bedrock-sso login --profile second`");
    let status = desk.run(["status", "--profile", "second"]).expect_code(0).stdout;
    assert_eq!(status.matches("run `bedrock-sso login --profile second`\n").count(), 2, "{status}");
    let doctor = desk.run(["doctor", "--json", "--profile", "second"]).document();
    let session =
        doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "session").unwrap();
    assert_eq!(session["remedy"], "run `bedrock-sso login --profile second`");
    desk.configure(&both.replace("version = 1", "version = 1\ndefault_profile = \"second\""));
    assert_eq!(hint(&credentials), "run `bedrock-sso login`", "which it would choose by itself");
    fs::rename(desk.config_file(), desk.home().join("my own.toml")).unwrap();
    let elsewhere = ["--config", "my own.toml", "--profile", "claude", "export"];
    assert_eq!(hint(&elsewhere), "run `bedrock-sso login --profile claude --config 'my own.toml'`");
}

#[test]
fn code_4_for_a_browser_that_does_not_start() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    let what = "you need to sign in, and the browser could not be started: /no/such/browser: No such file or directory";
    let hint = "run `bedrock-sso login --no-browser`, or set `browser` in the profile";
    told(&desk.run(["credentials"]), 4, &failure(what, "sign-in/no_browser", hint));
}

#[test]
fn code_5_when_the_person_or_the_provider_says_no() {
    let world = World::new();
    let desk = desk(&world);
    world.next(
        1,
        Knob::AuthorizeError,
        json!({"error": "access_denied", "description": "user is not\u{1b} assigned"}),
    );
    let outcome = desk.run(["credentials"]).expect_code(5);
    let what = "bedrock-sso: the provider refused the sign-in: access_denied (user is not\\u{1b} assigned) [sign-in/access_denied]\n  hint: ";
    assert!(outcome.stderr.starts_with(what), "{}", outcome.stderr);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.lines().count()), ("", 2));
}

#[test]
fn code_6_for_a_token_meant_for_somebody_else() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::IdTokenClaims, json!({"aud": "somebody-else"}));
    let what = format!("the ID token was rejected: it is meant for somebody-else, not {CLIENT_ID}");
    told(&desk.run(["credentials"]), 6, &failure(&what, "token/audience", "check `client_id`"));
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn code_7_when_aws_says_no() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::AssumeFault, Fault::aws(403, "AccessDenied", "Not authorized to perform that"));
    let hint = format!(
        "check that {ROLE} exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for http://{} \
         with audience {CLIENT_ID}",
        host(&world)
    );
    let what = "AWS refused: AccessDenied: Not authorized to perform that";
    told(&desk.run(["credentials"]), 7, &failure(what, "aws/access_denied", &hint));
}

#[test]
fn code_9_when_nobody_can_be_reached() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    let hint = "check the network or the VPN; behind a proxy, set HTTPS_PROXY";
    let expected = failure(&format!("{} could not be reached", host(&world)), "network/connect", hint);
    told(&desk.run(["credentials"]), 9, &expected);
    told(&desk.run(["login"]), 9, &expected);
    assert_eq!(desk.tabs(), 0);
}

/// The data folder's failure, told; nothing was begun.
#[track_caller]
fn storage_fails(desk: &Desk<'_>, file: &str, why: &str, hint: &str) {
    let outcome = desk.run(["credentials"]).expect_code(10);
    let place = format!("bedrock-sso: cannot read {}/", desk.data().display());
    let rest = format!("{file}: {why} [storage/files]\n  hint: {hint}\n");
    assert!(outcome.stderr.starts_with(&place) && outcome.stderr.ends_with(&rest), "{}", outcome.stderr);
    // Whoever told it may still be on the way out.
    desk.settle();
    assert_eq!((outcome.stdout.as_str(), desk.tabs(), desk.processes().len()), ("", 0, 0));
}

#[test]
#[cfg(target_os = "linux")]
fn code_10_where_there_is_no_keyring_before_anybody_is_asked() {
    let world = World::new();
    let desk = desk(&world);
    let places = [
        (
            "SSH_CONNECTION",
            "a session over SSH",
            "run this in a desktop session with GNOME Keyring or KWallet",
        ),
        ("container", "a container", "run this outside of the container"),
    ];
    for (sign, place, way) in places {
        desk.set_variable(sign, "10.0.0.1 50000 10.0.0.2 22");
        let what = format!("there is no keyring here: {place} comes without one");
        let hint = format!(
            "set `storage = \"file\"` in the profile, which keeps the key in a private file, or {way}"
        );
        for storage in ["storage = \"keyring\"\n", ""] {
            desk.configure(&world.configuration("").replace("storage = \"file\"\n", storage));
            for verb in ["credentials", "login"] {
                told(&desk.run([verb]), 10, &failure(&what, "storage/keyring_absent", &hint));
            }
        }
        desk.unset_variable(sign);
    }
    assert_eq!((world.ledger().total(), desk.tabs()), (0, 0));
}

#[test]
fn code_10_when_a_file_stands_where_our_folder_belongs() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.data();
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let hint =
        format!("make sure that you may write to {} and that the disk is not full", desk.data().display());
    storage_fails(&desk, ".session", "Not a directory", &hint);
}

#[test]
fn code_10_for_a_key_that_cannot_be_read() {
    let world = World::new();
    let desk = desk(&world);
    fs::create_dir_all(desk.data().join("key")).unwrap();
    storage_fails(&desk, "key", "it is a folder, not a regular file", "check that file, then try again");
}

#[test]
fn code_10_for_a_record_that_cannot_be_read_costs_no_sign_in() {
    let world = World::new();
    let desk = signed_in_and_spent(&world);
    let sealed = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
    let record =
        sealed.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "session")).unwrap();
    let kept = record.with_extension("kept");
    fs::rename(&record, &kept).unwrap();
    fs::create_dir(&record).unwrap();
    let outcome = desk.run(["credentials"]).expect_code(10);
    let why = "it is a folder, not a regular file [storage/files]\n";
    let what = format!("bedrock-sso: cannot read {}: {why}", record.display());
    assert!(outcome.stdout.is_empty() && outcome.stderr.starts_with(&what), "{outcome:?}");
    fs::remove_dir(&record).unwrap();
    fs::rename(&kept, &record).unwrap();
    desk.run(["credentials"]).expect_code(0);
    assert_eq!((desk.tabs(), world.count(Endpoint::Refresh)), (1, 1));
}

#[test]
fn success_is_0_for_a_process_without_a_person_behind_it() {
    let world = World::new();
    let desk = signed_in(&world);
    let output = desk.command().arg("credentials").stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert!(output.stdout.ends_with(b"\n") || output.stdout.ends_with(b"}"));
}
