//! Who may not ask the person leaves a locked keyring as it is, where a desktop would show its question; and who may, asks.
//!
//! A witness on the bus hears whether the keyring was asked to unlock itself: that is what opens its window.

use std::{process::Command, time::Duration};

use testworld::{Desk, Knob, World};

use super::{SPENT, desk, forget_copy, refused, session::Session};

/// Whoever shows windows has a display.
fn at_a_desktop(desk: &Desk<'_>) {
    desk.set_variable("DISPLAY", ":4242");
}

/// Signed in a moment ago, and the keyring locked since.
fn locked<'w>(world: &'w World, session: &Session, seconds: Option<u32>) -> Desk<'w> {
    if let Some(seconds) = seconds {
        world.next(1, Knob::CredentialLifetime, seconds);
    }
    let desk = desk(world, session);
    desk.credentials();
    desk.settle();
    session.lock();
    forget_copy();
    at_a_desktop(&desk);
    desk
}

fn call(desk: &Desk<'_>, words: &[&str]) -> Command {
    let mut command = desk.command();
    command.args(words);
    command
}

const SILENT: [&[&str]; 7] = [
    &["export"],
    &["token"],
    &["token", "--raw"],
    &["bearer"],
    &["status"],
    &["status", "--json"],
    &["credentials", "--no-login"],
];

const ASKING: [&[&str]; 4] = [&["credentials"], &["login"], &["env"], &["exec", "--", "true"]];

#[test]
#[ignore = "tests/keyring/run"]
fn who_may_not_ask_a_person_leaves_a_locked_keyring_alone_and_says_which_command_does() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let (requests, witness) = (world.ledger().total(), session.witness());
    for words in SILENT.into_iter().chain([&["logout"][..]]) {
        let outcome = desk.start_command(call(&desk, words)).finish();
        refused(&outcome, "keyring_locked");
        assert!(outcome.stderr.contains("`bedrock-sso login`"), "{words:?}: {outcome:?}");
        assert!(outcome.took < Duration::from_secs(3), "{words:?}: {outcome:?}");
    }
    assert_eq!(world.ledger().total(), requests, "nor was anything sent");
    let doctor = desk.run(["doctor", "--json"]).expect_code(10).document();
    let check = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "key");
    assert_eq!(check.map(|check| &check["result"]), Some(&"bad".into()), "{doctor}");
    assert_eq!(session.heard(witness), Vec::<String>::new(), "nobody was asked to unlock anything");
}

#[test]
#[ignore = "tests/keyring/run"]
fn telemetry_is_empty_at_once_while_the_keyring_is_locked() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let witness = session.witness();
    let outcome = desk.run(["otel-headers"]).expect_code(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("{}\n", ""));
    assert!(outcome.took < Duration::from_secs(3), "{outcome:?}");
    assert_eq!(session.heard(witness), Vec::<String>::new());
}

#[test]
#[ignore = "tests/keyring/run"]
fn who_may_ask_a_person_has_the_keyring_ask_too_unless_the_profile_leaves_that_to_login() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    for (login, unlocks) in [("auto", &ASKING[..]), ("explicit", &[&["login"]])] {
        desk.configure(&format!("{text}login = \"{login}\"\n"));
        for words in ASKING {
            let witness = session.witness();
            let outcome = desk.start_command(call(&desk, words)).finish();
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(10), ""), "nobody answers: {outcome:?}");
            let heard = session.heard(witness);
            assert_eq!(!heard.is_empty(), unlocks.contains(&words), "{login}, {words:?}: {heard:?}");
        }
    }
}

#[test]
#[ignore = "tests/keyring/run"]
fn a_silent_renewal_leaves_the_keyring_locked() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, Some(SPENT));
    let (requests, witness) = (world.ledger().total(), session.witness());
    for purpose in [
        r#"{"credentials":"renewal"}"#,
        r#"{"id_token":"now"}"#,
        r#"{"id_token":"next_call"}"#,
        r#"{"credentials":{"automatic":"never"}}"#,
    ] {
        let outcome = desk.start_command(call(&desk, &["worker", purpose])).finish();
        assert_eq!(outcome.code, Some(10), "{outcome:?}");
        assert!(outcome.stdout.contains("keyring_locked"), "{outcome:?}");
    }
    assert_eq!(session.heard(witness), Vec::<String>::new());
    assert_eq!(world.ledger().total(), requests, "and no refresh token was spent");
}
