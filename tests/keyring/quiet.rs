//! Commands that may not prompt leave a locked keyring locked, even on a desktop, and commands that may prompt unlock
//! it.
//!
//! A monitor on the bus records the calls that unlock the keyring: these open its window.

use std::{process::Command, time::Duration};

use testworld::{Desk, Knob, World};

use super::{SPENT, desk, forget_copy, refused, session::Session};

/// A display makes the keyring show its prompt in a window.
fn set_display(desk: &Desk<'_>) {
    desk.set_variable("DISPLAY", ":4242");
}

/// A desk with a recent sign-in, and the keyring locked since.
fn locked<'w>(world: &'w World, session: &Session, seconds: Option<u32>) -> Desk<'w> {
    if let Some(seconds) = seconds {
        world.next(1, Knob::CredentialLifetime, seconds);
    }
    let desk = desk(world, session);
    desk.credentials();
    desk.settle();
    session.lock();
    forget_copy();
    set_display(&desk);
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
fn silent_commands_never_unlock_the_keyring() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let (requests, monitor) = (world.ledger().total(), session.monitor());
    for words in SILENT.into_iter().chain([&["logout"][..]]) {
        let outcome = desk.start_command(call(&desk, words)).finish();
        refused(&outcome, "keyring_locked");
        assert!(outcome.stderr.contains("`bedrock-sso login`"), "{words:?}: {outcome:?}");
        assert!(outcome.took < Duration::from_secs(3), "{words:?}: {outcome:?}");
    }
    assert_eq!(world.ledger().total(), requests, "no request was sent");
    let doctor = desk.run(["doctor", "--json"]).expect_code(10).document();
    let check = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "key");
    assert_eq!(check.map(|check| &check["result"]), Some(&"bad".into()), "{doctor}");
    assert_eq!(session.recorded_calls(monitor), Vec::<String>::new(), "the keyring was asked to unlock");
}

#[test]
#[ignore = "tests/keyring/run"]
fn otel_headers_are_empty_while_the_keyring_is_locked() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let monitor = session.monitor();
    let outcome = desk.run(["otel-headers"]).expect_code(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("{}\n", ""));
    assert!(outcome.took < Duration::from_secs(3), "{outcome:?}");
    assert_eq!(session.recorded_calls(monitor), Vec::<String>::new());
}

#[test]
#[ignore = "tests/keyring/run"]
fn prompting_commands_ask_the_keyring_to_unlock() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, None);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    for (login, unlocks) in [("auto", &ASKING[..]), ("explicit", &[&["login"]])] {
        desk.configure(&format!("{text}login = \"{login}\"\n"));
        for words in ASKING {
            let monitor = session.monitor();
            let outcome = desk.start_command(call(&desk, words)).finish();
            assert_eq!(
                (outcome.code, outcome.stdout.as_str()),
                (Some(10), ""),
                "the prompt is not answered: {outcome:?}"
            );
            let calls = session.recorded_calls(monitor);
            assert_eq!(!calls.is_empty(), unlocks.contains(&words), "{login}, {words:?}: {calls:?}");
        }
    }
}

#[test]
#[ignore = "tests/keyring/run"]
fn silent_renewal_leaves_the_keyring_locked() {
    let (world, session) = (World::new(), Session::unlocked());
    let desk = locked(&world, &session, Some(SPENT));
    let (requests, monitor) = (world.ledger().total(), session.monitor());
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
    assert_eq!(session.recorded_calls(monitor), Vec::<String>::new());
    assert_eq!(world.ledger().total(), requests, "no refresh token was used");
}
