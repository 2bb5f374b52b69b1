//! `status`: from what is kept and without network, for people and for scripts.

use serde_json::{Value, json};
use testworld::{Desk, Fault, Knob, Outcome, ROLE_ARN, World};

use super::{FILE, desk, signed_in, signed_in_and_spent};
use crate::to_local_text;

/// `status --json`, which asks nobody.
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

/// `status` for people, which prompts nobody either.
#[track_caller]
fn screen(world: &World, desk: &Desk<'_>) -> Outcome {
    let requests = world.ledger().total();
    let outcome = desk.run(["status"]).expect_code(0);
    assert_eq!((outcome.stderr.as_str(), world.ledger().total()), ("", requests));
    outcome
}

/// The members that are the same for everybody, with others laid over them.
fn like_nobody(desk: &Desk<'_>, other: &Value) -> Value {
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

fn person() -> Value {
    json!({
        "session_name": "demo@example.com", "email": "demo@example.com", "subject": "00u-demo-1", "tags": {},
        "source_identity": null,
    })
}

#[test]
fn before_anybody_has_signed_in() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    world.stop_sts();
    assert_eq!(report(&world, &desk), like_nobody(&desk, &json!({})));
    screen(&world, &desk).prints("status: not signed in");
    assert!(!desk.data().exists(), "nothing is written by looking");
}

#[test]
fn while_signed_in() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_variable("TZ", "EST+5");
    let until = desk.run(["credentials"]).document()["Expiration"].as_str().unwrap().to_owned();
    world.stop_provider();
    world.stop_sts();
    let mut told = report(&world, &desk);
    let left = told["credentials"]["seconds_left"].as_u64().unwrap();
    assert!((43_100..=43_200).contains(&left), "{left}");
    told["credentials"]["seconds_left"] = json!(0);
    let expected = json!({
        "signed_in": true, "identity": person(), "credentials": {"expires_at": until, "seconds_left": 0},
        "can_renew": true,
    });
    assert_eq!(told, like_nobody(&desk, &expected));
    let screen = screen(&world, &desk);
    screen.prints("status: signed in");
    assert!(screen.stdout.contains(&to_local_text(&until, -5)), "{screen:?}");
}

#[test]
fn with_spent_credentials_that_can_be_renewed() {
    let world = World::new();
    let desk = signed_in_and_spent(&world);
    world.stop_provider();
    let expected = json!({"identity": person(), "can_renew": true});
    assert_eq!(report(&world, &desk), like_nobody(&desk, &expected));
    screen(&world, &desk).prints("status: expired credentials and a refresh token");
}

#[test]
fn with_spent_credentials_and_nothing_to_renew_them_with() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_and_spent(&world);
    assert_eq!(report(&world, &desk), like_nobody(&desk, &json!({"identity": person()})));
    screen(&world, &desk).prints("status: expired credentials and no refresh token");
}

#[test]
fn after_a_failure_it_tells_what_callers_hid_and_a_success_forgets_it() {
    let world = World::new();
    let desk = desk(&world);
    world.next(1, Knob::AssumeFault, Fault::aws(403, "AccessDenied", "Not\u{202e} authorized"));
    let failed = desk.run(["credentials"]).fails(7, "aws/access_denied");
    let kept = report(&world, &desk)["last_error"].clone();
    let text = |name: &str| kept[name].as_str().unwrap();
    assert_eq!(text("slug"), "aws/access_denied");
    assert_eq!((text("message"), text("hint")), (failed.message.as_str(), failed.hint.as_str()));
    assert!(chrono::DateTime::parse_from_rfc3339(text("at")).is_ok() && text("at").ends_with('Z'), "{kept}");
    let screen = screen(&world, &desk);
    screen.prints("status: a failure");
    for part in ["message", "slug", "hint"] {
        assert!(screen.stdout.contains(text(part)) && !screen.stdout.contains('\u{202e}'), "{screen:?}");
    }
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(report(&world, &desk)["last_error"], Value::Null);
}

#[test]
fn what_closed_the_door_is_told_for_as_long_as_it_is_closed() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    let why = desk.run(["credentials"]).fails(5, "sign-in/access_denied").message;
    for _ in 0..2 {
        desk.run(["credentials"]).fails(4, "sign-in/paused").message_has(&[&why]);
    }
    let kept = report(&world, &desk)["last_error"]["message"].as_str().unwrap().to_owned();
    assert!(kept.contains(&why), "{kept}");
}

#[test]
fn tags_are_shown_in_both_shapes_of_the_claim() {
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
fn a_source_identity_is_shown() {
    let world = World::new();
    world.set(Knob::Claims, json!({"https://aws.amazon.com/source_identity": "d.person\u{1b}[31m"}));
    let desk = signed_in(&world);
    assert_eq!(report(&world, &desk)["identity"]["source_identity"], "d.person\u{1b}[31m");
    let shown = screen(&world, &desk).stdout;
    assert!(shown.contains("d.person") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn a_person_without_an_email_is_known_by_another_name() {
    let world = World::new();
    world.set(Knob::Claims, json!({"email": null, "preferred_username": null, "upn": "Zoë Ünal"}));
    let desk = signed_in(&world);
    let identity = report(&world, &desk)["identity"].clone();
    assert_eq!((&identity["email"], &identity["subject"]), (&Value::Null, &json!("00u-demo-1")));
    let name = identity["session_name"].as_str().unwrap();
    assert!(screen(&world, &desk).stdout.contains(name));
}

#[test]
fn with_storage_none_nobody_is_ever_signed_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.replace_in_config("storage = \"file\"", "storage = \"none\"");
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(report(&world, &desk), like_nobody(&desk, &json!({"storage": "none"})));
}

#[test]
fn a_torn_record_is_nobody_signed_in() {
    let world = World::new();
    let desk = signed_in(&world);
    for entry in std::fs::read_dir(desk.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some() {
            std::fs::write(path, "torn").unwrap();
        }
    }
    assert_eq!(report(&world, &desk), like_nobody(&desk, &json!({})));
}

#[test]
fn with_no_configuration_scripts_get_code_3_and_no_json() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure("version = 1\n");
    desk.run(["status", "--json"]).fails(3, "config/no_profile").message_has(&[FILE]);
}

#[test]
fn a_paused_door_is_told_with_how_long_and_what_ends_it() {
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
fn an_end_that_nobody_can_put_off_is_told_ahead() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.next(1, Knob::CredentialLifetime, 600);
    let desk = signed_in(&world);
    screen(&world, &desk).prints("status: credentials that cannot be renewed");
}

#[test]
fn what_the_environment_sets_is_an_origin() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("BEDROCK_SSO_REGION", "eu-west-1");
    let screen = screen(&world, &desk);
    screen.prints("status: a variable in use");
    assert!(screen.stdout.contains("BEDROCK_SSO_REGION"), "{screen:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_unless_its_owner_minds() {
    use testworld::Streams;
    let world = World::new();
    let desk = signed_in(&world);
    let shown = || desk.at_terminal(Streams::Terminal, &["status"]).finish().shown.replace("\r\n", "\n");
    let plain = |text: &str| !text.contains('\u{1b}');
    assert!(plain(&shown()), "a terminal of no kind obeys nothing");
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

/// Whoever can write the notes, or name a file, must not be able to write to a user's terminal.
#[test]
fn control_characters_in_notes_and_paths_reach_no_output() {
    let world = World::new();
    let desk = signed_in(&world);
    let stored = std::fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
    let notes = stored.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "sign-in")).unwrap();
    let planted = "x\u{1b}[2Jy\u{9b}31mz\u{202e}w";
    let failure = json!({ "at": world.now(), "code": 5, "slug": planted, "message": planted, "hint": planted });
    let door = json!({ "fruitless": 2, "at": world.now(), "ended": true, "why": planted });
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
    assert_eq!(report["config"], json!([config]), "a path is still the path");
    assert_eq!(report["last_error"]["slug"], "x\\u{1b}[2Jy\\u{9b}31mz\\u{202e}w");
}
