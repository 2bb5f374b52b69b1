//! `status`: it reports stored records as text or JSON, without the network and without a prompt.

use serde_json::{Value, json};
use testworld::{Desk, Fault, Knob, Outcome, ROLE_ARN, World};

use super::{FILE, desk, signed_in, signed_in_with_expired_credentials};
use crate::{SPENT, to_local_text};

/// The JSON of `status`, which sends no request.
#[track_caller]
fn report(world: &World, desk: &Desk<'_>) -> Value {
    let requests = world.ledger().total();
    let outcome = desk.run(["status", "--json"]).expect_code(0);
    assert_eq!((outcome.stderr.as_str(), world.ledger().total()), ("", requests));
    assert_eq!(outcome.stdout.matches('\n').count(), 1, "one line: {}", outcome.stdout);
    let mut document = outcome.document();
    if document["sign_in"]["id_token_expires_at"].is_string() {
        document["sign_in"]["id_token_expires_at"] = json!("later");
    }
    document
}

/// The text of `status`, which sends no request.
#[track_caller]
fn screen(world: &World, desk: &Desk<'_>) -> Outcome {
    let requests = world.ledger().total();
    let outcome = desk.run(["status"]).expect_code(0);
    assert_eq!((outcome.stderr.as_str(), world.ledger().total()), ("", requests));
    outcome
}

/// The report before any sign-in, with these members replaced.
fn expected_report(desk: &Desk<'_>, other: &Value) -> Value {
    let mut all = json!({
        "version": 1, "profile": "claude", "signed_in": false, "identity": null, "role_arn": ROLE_ARN,
        "account": "123456789012", "credentials": null, "sign_in": null, "can_renew": false, "storage": "file",
        "config": [desk.config_file()], "last_error": null,
        "variables": [
            { "name": "BEDROCK_SSO_LOG", "not_used": null }, { "name": "BEDROCK_SSO_LOG_FILE", "not_used": null },
        ],
    });
    if other["identity"].is_object() {
        all["sign_in"] = json!({ "id_token_expires_at": "later", "shared_with": [] });
    }
    for (name, value) in other.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

fn identity() -> Value {
    json!({
        "session_name": "demo@example.com", "named_by_subject": false, "email": "demo@example.com", "subject": "00u-demo-1", "tags": {},
        "source_identity": null,
    })
}

#[test]
fn status_before_the_first_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    world.stop_sts();
    assert_eq!(report(&world, &desk), expected_report(&desk, &json!({})));
    screen(&world, &desk).prints("status: not signed in");
    assert!(!desk.data().exists(), "status writes nothing");
}

#[test]
fn status_while_signed_in() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_variable("TZ", "EST+5");
    let until = desk.run(["credentials"]).document()["Expiration"].as_str().unwrap().to_owned();
    world.stop_provider();
    world.stop_sts();
    let mut document = report(&world, &desk);
    let left = document["credentials"]["seconds_left"].as_u64().unwrap();
    assert!((43_100..=43_200).contains(&left), "{left}");
    document["credentials"]["seconds_left"] = json!(0);
    let expected = json!({
        "signed_in": true, "identity": identity(), "credentials": {"expires_at": until, "seconds_left": 0},
        "can_renew": true,
    });
    assert_eq!(document, expected_report(&desk, &expected));
    let screen = screen(&world, &desk);
    screen.prints("status: signed in");
    assert!(screen.stdout.contains(&to_local_text(&until, -5)), "{screen:?}");
}

#[test]
fn status_with_expired_credentials_and_a_refresh_token() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    world.stop_provider();
    let expected = json!({"identity": identity(), "can_renew": true});
    assert_eq!(report(&world, &desk), expected_report(&desk, &expected));
    screen(&world, &desk).prints("status: expired credentials and a refresh token");
}

/// The refresh token stays, but `status` and `doctor` no longer promise a silent renewal.
#[test]
fn status_after_a_refused_refresh_names_login() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    world.next(1, Knob::RefreshFault, json!(Fault::Status(400)));
    desk.run(["credentials", "--no-login"]).expect_code(4);
    let document = desk.run(["status", "--json"]).document();
    assert_eq!(
        (&document["can_renew"], &document["last_error"]["slug"]),
        (&json!(false), &json!("sign-in/refresh_refused"))
    );
    screen(&world, &desk).prints("status: the provider refused a refresh");
    assert_eq!(
        check_session(&desk),
        (json!("warn"), json!("you are not signed in, because the last refresh was refused"))
    );
    desk.run(["credentials", "--no-login"]).expect_code(0);
    assert_eq!(desk.run(["status", "--json"]).document()["can_renew"], json!(true));
}

#[test]
fn a_refresh_without_id_token_is_remembered() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    world.set(Knob::RefreshWithoutIdToken, true);
    world.next(1, Knob::CredentialLifetime, SPENT);
    desk.credentials();
    let document = desk.run(["status", "--json"]).document();
    assert_eq!(document["can_renew"], json!(false));
    assert!(document["sign_in"]["id_token_expires_at"].is_string(), "{document}");
    screen(&world, &desk).prints("status: a refresh returns no ID token");
    assert!(desk.log().contains("has no ID token; the stored one is used until"), "{}", desk.log());
    let (result, message) = check_session(&desk);
    assert!(
        result == "ok"
            && message
                .as_str()
                .unwrap()
                .ends_with("because a refresh returns no ID token; the next call gets credentials"),
        "{message}"
    );
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(desk.run(["status", "--json"]).document()["can_renew"], json!(false), "it is a setting of the provider");
    let (_, message) = check_session(&desk);
    assert!(
        message.as_str().unwrap().ends_with("then you must sign in again, because a refresh returns no ID token"),
        "{message}"
    );
}

/// The result and the message of `doctor` about the stored session.
fn check_session(desk: &Desk<'_>) -> (Value, Value) {
    let document: Value = serde_json::from_str(&desk.run(["doctor", "--json"]).stdout).unwrap();
    let checks = document["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "session").unwrap();
    (check["result"].clone(), check["message"].clone())
}

#[test]
fn status_with_expired_credentials_and_no_refresh_token() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_with_expired_credentials(&world);
    assert_eq!(report(&world, &desk), expected_report(&desk, &json!({"identity": identity()})));
    screen(&world, &desk).prints("status: expired credentials and no refresh token");
}

#[test]
fn status_shows_the_last_failure_until_a_success() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::AssumeFault, Fault::aws(403, "AccessDenied", "Not\u{202e} authorized"));
    let failed = desk.run(["credentials"]).fails(7, "aws/access_denied");
    let stored = report(&world, &desk)["last_error"].clone();
    let text = |name: &str| stored[name].as_str().unwrap();
    assert_eq!(text("slug"), "aws/access_denied");
    assert_eq!((text("message"), text("hint")), (failed.message.as_str(), failed.hint.as_str()));
    assert!(chrono::DateTime::parse_from_rfc3339(text("at")).is_ok() && text("at").ends_with('Z'), "{stored}");
    let screen = screen(&world, &desk);
    screen.prints("status: a failure");
    for part in ["message", "slug", "hint"] {
        assert!(screen.stdout.contains(text(part)) && !screen.stdout.contains('\u{202e}'), "{screen:?}");
    }
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(report(&world, &desk)["last_error"], Value::Null);
}

#[test]
fn prompt_backoff_shows_the_original_failure() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    let why = desk.run(["credentials"]).fails(5, "sign-in/access_denied").message;
    for _ in 0..2 {
        desk.run(["credentials"]).fails(4, "sign-in/paused").message_has(&[&why]);
    }
    let stored = report(&world, &desk)["last_error"]["message"].as_str().unwrap().to_owned();
    assert!(stored.contains(&why), "{stored}");
}

#[test]
fn status_shows_tags_in_both_claim_formats() {
    let nested = json!({"https://aws.amazon.com/tags": {
        "principal_tags": {"team": ["ml"], "cost": ["42"]}, "transitive_tag_keys": ["team"]
    }});
    let flat = json!({
        "https://aws.amazon.com/tags/principal_tags/team": "ml",
        "https://aws.amazon.com/tags/principal_tags/cost": "42",
        "https://aws.amazon.com/tags/transitive_tag_keys": ["team"],
    });
    for claims in [nested, flat] {
        let world = World::new();
        world.set(Knob::Claims, claims);
        let desk = signed_in(&world);
        assert_eq!(report(&world, &desk)["identity"]["tags"], json!({"team": "ml", "cost": "42"}));
        assert!(screen(&world, &desk).stdout.contains("cost=42, team=ml\n"));
    }
}

#[test]
fn status_shows_the_source_identity() {
    let world = World::new();
    world.set(Knob::Claims, json!({"https://aws.amazon.com/source_identity": "d.person\u{1b}[31m"}));
    let desk = signed_in(&world);
    assert_eq!(report(&world, &desk)["identity"]["source_identity"], "d.person\u{1b}[31m");
    let shown = screen(&world, &desk).stdout;
    assert!(shown.contains("d.person") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn status_shows_another_claim_without_an_email() {
    let world = World::new();
    world.set(Knob::Claims, json!({"email": null, "preferred_username": null, "upn": "Zoë Ünal"}));
    let desk = signed_in(&world);
    let identity = report(&world, &desk)["identity"].clone();
    assert_eq!((&identity["email"], &identity["subject"]), (&Value::Null, &json!("00u-demo-1")));
    let name = identity["session_name"].as_str().unwrap();
    assert!(screen(&world, &desk).stdout.contains(name));
}

#[test]
fn status_with_storage_none_is_never_signed_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.replace_in_config("storage = \"file\"", "storage = \"none\"");
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(report(&world, &desk), expected_report(&desk, &json!({"storage": "none"})));
}

#[test]
fn status_with_damaged_records_is_signed_out() {
    let world = World::new();
    let desk = signed_in(&world);
    for entry in std::fs::read_dir(desk.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some() {
            std::fs::write(path, "torn").unwrap();
        }
    }
    assert_eq!(report(&world, &desk), expected_report(&desk, &json!({})));
}

#[test]
fn status_json_without_a_profile_exits_3() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure("version = 1\n");
    desk.run(["status", "--json"]).fails(3, "config/no_profile").message_has(&[FILE]);
}

#[test]
fn status_shows_the_prompt_backoff() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    screen(&world, &desk).prints("status: paused after a failed sign-in");
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
    screen(&world, &desk).prints("status: signed in");
}

#[test]
fn status_warns_if_credentials_cannot_be_refreshed() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.next(1, Knob::CredentialLifetime, 600);
    let desk = signed_in(&world);
    screen(&world, &desk).prints("status: credentials that cannot be renewed");
}

#[test]
fn status_lists_variables_in_use() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("BEDROCK_SSO_REGION", "eu-west-1");
    let screen = screen(&world, &desk);
    screen.prints("status: a variable in use");
    assert!(screen.stdout.contains("BEDROCK_SSO_REGION"), "{screen:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn status_colours_obey_no_color_and_term() {
    use testworld::Streams;
    let world = World::new();
    let desk = signed_in(&world);
    let shown = || desk.at_terminal(Streams::Terminal, &["status"]).finish().shown.replace("\r\n", "\n");
    let plain = |text: &str| !text.contains('\u{1b}');
    assert!(plain(&shown()), "without TERM there are no colours");
    desk.set_variable("TERM", "xterm-256color");
    let painted = shown();
    assert!(painted.starts_with("\u{1b}[2mProfile     \u{1b}[0mclaude\n"), "{painted:?}");
    assert!(painted.contains("\u{1b}[32m"), "{painted:?}");
    let bare = ["\u{1b}[2m", "\u{1b}[32m", "\u{1b}[0m"].iter().fold(painted, |text, code| text.replace(code, ""));
    assert!(bare.lines().all(|line| line.chars().count() <= 100), "{bare}");
    let piped = screen(&world, &desk).stdout;
    let without_seconds = |text: &str| text.lines().filter(|line| !line.contains("left)")).collect::<String>();
    assert!(plain(&piped));
    desk.set_variable("NO_COLOR", "1");
    assert!(plain(&shown()));
    desk.unset_variable("NO_COLOR");
    desk.set_variable("TERM", "dumb");
    let dumb = shown();
    assert!(plain(&dumb));
    assert_eq!(
        without_seconds(&dumb.replace("            ", "")).len(),
        without_seconds(&bare.replace("            ", "")).len()
    );
}

/// A program that can write the notes, or choose a file name, must not be able to control the terminal.
#[test]
fn control_characters_in_stored_text_reach_no_output() {
    let world = World::new();
    let desk = signed_in(&world);
    let stored = std::fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
    let notes = stored.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "sign-in")).unwrap();
    let planted = "x\u{1b}[2Jy\u{9b}31mz\u{202e}w";
    let failure = json!({ "at": world.now(), "code": 5, "slug": planted, "message": planted, "hint": planted });
    let door = json!({ "fruitless": 2, "at": world.now(), "ended": true, "why": planted, "hint": planted });
    let record = json!({ "version": 1, "record": { "last_failure": failure, "door": door } });
    std::fs::write(notes.with_extension("json"), record.to_string()).unwrap();
    let config = desk.home().join(format!("{planted}.toml"));
    std::fs::copy(desk.config_file(), &config).unwrap();
    let config = config.to_str().unwrap();
    let bundle = desk.home().join("bundle");
    let named = format!("--config={config}");
    for arguments in [
        ["status", "--config", config, "-v"],
        ["status", "--config", config, "--json"],
        ["doctor", "--config", config, "--json"],
        ["doctor", "--config", config, "--bundle=bundle"],
        ["config", "show", "--config", config],
        ["config", "show", "--json", &named],
        ["credentials", "--no-login", "--config", config],
    ] {
        let outcome = desk.run(arguments);
        let bundle = std::fs::read_to_string(&bundle).unwrap_or_default();
        let all = format!("{}{}{bundle}", outcome.stdout, outcome.stderr);
        let raw = all.chars().find(|part| (part.is_control() && *part != '\n') || *part == '\u{202e}');
        assert_eq!(raw, None, "{arguments:?}: {all:?}");
    }
    assert!(std::fs::exists(&bundle).unwrap());
    let report = desk.run(["status", "--json", "--config", config]).document();
    assert_eq!(report["config"], json!([config]), "JSON has the path unchanged");
    assert_eq!(report["last_error"]["slug"], "x\\u{1b}[2Jy\\u{9b}31mz\\u{202e}w");
}
