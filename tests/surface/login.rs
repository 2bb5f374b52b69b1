//! `login`: its output for users and hosts, and the requests that it sends.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, World, address_in};

use super::{desk, signed_in, signed_in_with_expired_credentials};

/// How many identity checks, authorizations, refreshes and role requests the world has seen.
fn request_counts(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Identity, Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume])
}

/// Asserts that the line has the user, the role, the account and the expiration.
#[track_caller]
fn assert_names_the_session(line: &str) {
    for fact in ["demo@example.com", "BedrockUser", "123456789012"] {
        assert!(line.contains(fact), "{fact}: {line}");
    }
    let until = line.split_once(" until ").map_or("", |(_, rest)| rest);
    assert!(chrono::NaiveDateTime::parse_and_remainder(until, "%Y-%m-%d %H:%M").is_ok(), "{line}");
}

/// Asserts a success with the session in the last line and nothing on stderr; returns the line with the address, if
/// there was a prompt.
#[track_caller]
fn assert_signed_in(outcome: &Outcome) -> Option<String> {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.strip_suffix('\n').unwrap().split('\n').collect();
    let (last, before) = lines.split_last().unwrap();
    assert_names_the_session(last);
    assert!(before.len() <= 1, "{lines:?}");
    before.first().map(|line| (*line).to_owned())
}

/// A sign-in whose address the user opens by hand; returns how long it took until the address was shown.
#[track_caller]
fn login_by_hand<const N: usize>(desk: &Desk<'_>, world: &World, arguments: [&str; N]) -> Duration {
    let mut command = desk.command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut output) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    stdout.read_line(&mut output).unwrap();
    let took = began.elapsed();
    let address = address_in(&output);
    assert_eq!(testworld::visit(address, false).unwrap().status, 200);
    stdout.read_to_string(&mut output).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str(), desk.tabs()), (Some(0), "", 0));
    assert_eq!(output.lines().count(), 2, "{output}");
    assert_names_the_session(output.lines().last().unwrap());
    let leaks = world.ledger().leaks("stdout of login", output.as_bytes());
    assert!(leaks.is_empty(), "{leaks:?}");
    took
}

#[test]
fn login_first_line_is_the_address_last_is_the_session() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["login"]);
    outcome.prints("login: in a browser");
    let first = assert_signed_in(&outcome).expect("the user is prompted");
    assert!(address_in(&first).starts_with("http://127.0.0.1:"), "{first}");
    assert_eq!((request_counts(&world), desk.tabs()), ([0, 1, 0, 1], 1));
    let page = desk.page().unwrap();
    assert!(page.contains("123456789012") && page.contains("BedrockUser"), "{page}");
}

#[test]
fn login_no_browser_shows_the_address_within_a_second() {
    let times = [(); 3].map(|()| {
        let world = World::new();
        let desk = desk(&world);
        let start = desk.run(["--version"]).took;
        (login_by_hand(&desk, &world, ["login", "--no-browser"]), start)
    });
    // The call starts two processes, and on a busy machine each start is slow.
    let is_quick = |(took, start): &(Duration, Duration)| *took < Duration::from_secs(1) + *start * 10;
    assert!(times.iter().any(is_quick), "the address and a bare start took {times:?}");
}

#[test]
fn login_shows_the_address_when_no_browser_starts() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    login_by_hand(&desk, &world, ["login"]);
}

#[test]
fn failed_login_shows_the_address_and_then_the_failure() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    let outcome = desk.run(["login"]);
    assert!(address_in(&outcome.stdout).starts_with("http://127.0.0.1:"), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    outcome.ends_with_failure(5, "sign-in/access_denied");
}

#[test]
fn login_with_valid_credentials_only_calls_aws_once() {
    let world = World::new();
    let desk = signed_in(&world);
    let outcome = desk.run(["login"]);
    outcome.prints("login: signed in already");
    assert_eq!(assert_signed_in(&outcome), None);
    assert_eq!((request_counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
    assert_eq!(world.ledger().total(), 7, "discovery, keys, three for the sign-in, one to STS, and the identity check");
}

#[test]
fn login_force_prompts_despite_valid_credentials() {
    let world = World::new();
    let desk = signed_in(&world);
    let old = desk.run(["credentials"]).document();
    assert!(assert_signed_in(&desk.run(["login", "--force"])).is_some());
    assert_eq!((request_counts(&world), desk.tabs()), ([0, 2, 0, 2], 2));
    assert_ne!(desk.run(["credentials"]).document(), old);
}

#[test]
fn login_refreshes_expired_credentials_without_a_prompt() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    assert_eq!(assert_signed_in(&desk.run(["login"])), None);
    assert_eq!((request_counts(&world), desk.tabs()), ([0, 1, 1, 2], 1));
}

#[test]
fn login_replaces_credentials_that_aws_rejects() {
    for verdict in ["InvalidClientTokenId", "ExpiredToken"] {
        let world = World::new();
        let desk = signed_in(&world);
        world.set(Knob::RevokedAs, verdict);
        world.revoke_credentials();
        let old = desk.run(["credentials"]).expect_code(0).document();
        assert_eq!(assert_signed_in(&desk.run(["login"])), None, "{verdict}");
        assert_eq!((request_counts(&world), desk.tabs()), ([1, 1, 1, 2], 1), "{verdict}");
        assert_ne!(desk.run(["credentials"]).document(), old, "{verdict}");
    }
}

#[test]
fn login_deletes_rejected_credentials_even_without_new_ones() {
    let world = World::new();
    let desk = signed_in(&world);
    world.revoke_credentials();
    world.stop_provider();
    world.next(1, Knob::AssumeFault, Fault::Status(400));
    desk.run(["login"]);
    let outcome = desk.run(["status", "--json"]);
    assert_eq!(outcome.document()["credentials"], json!(null), "{outcome:?}");
}

#[test]
fn login_accepts_credentials_when_aws_does_not_answer() {
    for fault in [json!(Fault::Status(500)), json!(Fault::Portal), json!(Fault::Close), json!(Fault::Hang)] {
        let world = World::new();
        let desk = signed_in(&world);
        world.set(Knob::IdentityFault, fault.clone());
        let outcome = desk.run(["login"]);
        assert_eq!(assert_signed_in(&outcome), None, "{fault}");
        assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1), "{fault}");
        assert!(
            outcome.took < Duration::from_secs(15),
            "{fault}: {:?}, but the identity check has a deadline of 2 s",
            outcome.took
        );
    }
}

#[test]
fn login_accepts_credentials_when_aws_is_unreachable() {
    let world = World::new();
    let desk = signed_in(&world);
    world.stop_sts();
    world.stop_provider();
    assert_eq!(assert_signed_in(&desk.run(["login"])), None);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn login_ends_the_prompt_backoff() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["credentials"]).fails(4, "sign-in/paused").hint_has(&["`bedrock-sso login`"]);
    desk.person("signs-in");
    assert!(assert_signed_in(&desk.run(["login"])).is_some());
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn login_rejects_extra_arguments() {
    let world = World::new();
    desk(&world).run(["login", "claude"]).fails(2, "usage/unknown_argument").message_has(&["'claude'"]);
}
