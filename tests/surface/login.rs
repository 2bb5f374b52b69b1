//! `login`: what a person, or a host on their behalf, is told, and what it costs.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, World, address_in};

use super::{desk, signed_in, signed_in_and_spent};

/// Identity questions, authorizations, refreshes, exchanges.
fn costs(world: &World) -> [usize; 4] {
    world.counts([Endpoint::Identity, Endpoint::Authorize, Endpoint::Refresh, Endpoint::Assume])
}

/// Who, which role, which account, until when and how long that is.
#[track_caller]
fn names_the_session(line: &str) {
    for fact in ["demo@example.com", "BedrockUser", "123456789012"] {
        assert!(line.contains(fact), "{fact}: {line}");
    }
    let until = line.split_once(" until ").map_or("", |(_, rest)| rest);
    assert!(chrono::NaiveDateTime::parse_and_remainder(until, "%Y-%m-%d %H:%M").is_ok(), "{line}");
}

/// A sign-in that succeeded in silence on stderr: the line that shows the address, if the person was asked.
#[track_caller]
fn signed(outcome: &Outcome) -> Option<String> {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.strip_suffix('\n').unwrap().split('\n').collect();
    let (last, before) = lines.split_last().unwrap();
    names_the_session(last);
    assert!(before.len() <= 1, "{lines:?}");
    before.first().map(|line| (*line).to_owned())
}

/// A sign-in that shows its address and waits until the person goes there by hand; how long the address took.
#[track_caller]
fn by_hand<const N: usize>(desk: &Desk<'_>, world: &World, arguments: [&str; N]) -> Duration {
    let mut command = desk.command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut stdout, mut told) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    stdout.read_line(&mut told).unwrap();
    let took = began.elapsed();
    let address = address_in(&told);
    assert_eq!(testworld::visit(address, false).unwrap().status, 200);
    stdout.read_to_string(&mut told).unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str(), desk.tabs()), (Some(0), "", 0));
    assert_eq!(told.lines().count(), 2, "{told}");
    names_the_session(told.lines().last().unwrap());
    let leaks = world.ledger().leaks("stdout of login", told.as_bytes());
    assert!(leaks.is_empty(), "{leaks:?}");
    took
}

#[test]
fn the_first_line_is_the_address_and_the_last_the_session() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["login"]);
    outcome.prints("login: in a browser");
    let first = signed(&outcome).expect("the person was asked");
    assert!(address_in(&first).starts_with("http://127.0.0.1:"), "{first}");
    assert_eq!((costs(&world), desk.tabs()), ([0, 1, 0, 1], 1));
    let page = desk.page().unwrap();
    assert!(page.contains("123456789012") && page.contains("BedrockUser"), "{page}");
}

#[test]
fn without_a_browser_the_address_is_shown_within_a_second_and_before_anybody_has_acted() {
    let times = [(); 3].map(|()| {
        let world = World::new();
        let desk = desk(&world);
        let start = desk.run(["--version"]).took;
        (by_hand(&desk, &world, ["login", "--no-browser"]), start)
    });
    // On a busy machine each start of a process, of which there are two, takes long.
    let is_quick = |(took, start): &(Duration, Duration)| *took < Duration::from_secs(1) + *start * 10;
    assert!(times.iter().any(is_quick), "the address and a bare start came after {times:?}");
}

#[test]
fn a_browser_that_does_not_start_leaves_the_address() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    by_hand(&desk, &world, ["login"]);
}

#[test]
fn a_failed_sign_in_shows_the_address_and_then_the_failure() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    let outcome = desk.run(["login"]);
    assert!(address_in(&outcome.stdout).starts_with("http://127.0.0.1:"), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    outcome.ends_with_failure(5, "sign-in/access_denied");
}

#[test]
fn good_credentials_cost_one_question_to_aws_and_nobody_is_asked() {
    let world = World::new();
    let desk = signed_in(&world);
    let outcome = desk.run(["login"]);
    outcome.prints("login: signed in already");
    assert_eq!(signed(&outcome), None);
    assert_eq!((costs(&world), desk.tabs()), ([1, 1, 0, 1], 1));
    assert_eq!(world.ledger().total(), 7, "discovery, keys, three for the sign-in, STS, and the question");
}

#[test]
fn force_signs_in_anew_although_the_credentials_are_good() {
    let world = World::new();
    let desk = signed_in(&world);
    let old = desk.run(["credentials"]).document();
    assert!(signed(&desk.run(["login", "--force"])).is_some());
    assert_eq!((costs(&world), desk.tabs()), ([0, 2, 0, 2], 2));
    assert_ne!(desk.run(["credentials"]).document(), old);
}

#[test]
fn spent_credentials_are_renewed_without_asking() {
    let world = World::new();
    let desk = signed_in_and_spent(&world);
    assert_eq!(signed(&desk.run(["login"])), None);
    assert_eq!((costs(&world), desk.tabs()), ([0, 1, 1, 2], 1));
}

#[test]
fn credentials_that_aws_calls_invalid_or_expired_are_dropped_and_renewed() {
    for verdict in ["InvalidClientTokenId", "ExpiredToken"] {
        let world = World::new();
        let desk = signed_in(&world);
        world.set(Knob::RevokedAs, verdict);
        world.revoke_credentials();
        let old = desk.run(["credentials"]).expect_code(0).document();
        assert_eq!(signed(&desk.run(["login"])), None, "{verdict}");
        assert_eq!((costs(&world), desk.tabs()), ([1, 1, 1, 2], 1), "{verdict}");
        assert_ne!(desk.run(["credentials"]).document(), old, "{verdict}");
    }
}

#[test]
fn credentials_that_aws_refused_are_gone_even_if_no_new_ones_can_be_had() {
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
fn no_answer_from_aws_counts_as_good() {
    for fault in [json!(Fault::Status(500)), json!(Fault::Portal), json!(Fault::Close), json!(Fault::Hang)] {
        let world = World::new();
        let desk = signed_in(&world);
        world.set(Knob::IdentityFault, fault.clone());
        let outcome = desk.run(["login"]);
        assert_eq!(signed(&outcome), None, "{fault}");
        assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1), "{fault}");
        assert!(
            outcome.took < Duration::from_secs(15),
            "{fault}: {:?}, of which AWS may take two, and any other request thirty",
            outcome.took
        );
    }
}

#[test]
fn an_unreachable_aws_counts_as_good() {
    let world = World::new();
    let desk = signed_in(&world);
    world.stop_sts();
    world.stop_provider();
    assert_eq!(signed(&desk.run(["login"])), None);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn login_opens_the_door_that_an_unanswered_sign_in_closed() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["credentials"]).fails(4, "sign-in/paused").hint_has(&["`bedrock-sso login`"]);
    desk.person("signs-in");
    assert!(signed(&desk.run(["login"])).is_some());
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn login_knows_no_further_words() {
    let world = World::new();
    desk(&world).run(["login", "claude"]).fails(2, "usage/unknown_argument").message_has(&["'claude'"]);
}
