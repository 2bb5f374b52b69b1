//! The sign-in by code: what is shown, how the provider is asked on, and how it ends.

use std::time::Duration;

use serde_json::json;
use testworld::{Desk, Endpoint, Failed, Fault, Knob, Running, World, address_in, code_in, enter_code, field};

use super::desk_with;

/// A provider that gives codes, and a desk where nobody opens a browser.
fn world() -> World {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    world
}

fn desk(world: &World) -> Desk<'_> {
    desk_with(world, "flow = \"device\"")
}

/// A sign-in that has shown where to enter what.
struct Shown {
    call: Running,
    address: String,
    code: String,
}

fn shown(desk: &Desk<'_>) -> Shown {
    let mut call = desk.start(["login"]);
    let line = call.lines(1).concat();
    let (address, code) = (address_in(&line).to_owned(), code_in(&line).to_owned());
    Shown { call, address, code }
}

#[track_caller]
fn assert_sends_elsewhere(line: &str) {
    assert!(line.contains(" process ") && !line.contains("http"), "{line}");
}

impl Shown {
    fn answer(&self, denies: bool) {
        assert_eq!(enter_code(&self.address, &self.code, denies).unwrap().status, 200);
    }

    /// The failure that it ends in.
    #[track_caller]
    fn fails(self, code: i32, slug: &str) -> Failed {
        let outcome = self.call.finish();
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
        outcome.ends_with_failure(code, slug)
    }
}

#[test]
fn a_code_entered_elsewhere_signs_in_and_opens_no_browser() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    assert!(shown.address.starts_with(&world.issuer()), "{}", shown.address);
    let code = shown.code.clone();
    shown.answer(false);
    let outcome = shown.call.finish().expect_code(0);
    assert!(outcome.stdout.lines().last().unwrap().contains("demo@example.com"), "{outcome:?}");
    assert_eq!((outcome.stderr.as_str(), desk.tabs()), ("", 0));
    let requests = world.ledger().requests();
    let asked: Vec<_> = requests.iter().map(|request| request.endpoint).collect();
    use Endpoint::{Assume, DeviceCode, DevicePage, Discovery, Keys, Poll};
    assert_eq!(asked, [Discovery, Keys, DeviceCode, DevicePage, DevicePage, Poll, Assume], "and nothing else");
    assert!(!desk.log().contains(&code), "a code is for the person alone");
    desk.credentials();
}

#[test]
fn the_flag_asks_for_a_code_whatever_the_profile_says() {
    let world = world();
    let desk = desk_with(&world, "flow = \"browser\"");
    let mut call = desk.start(["login", "--device"]);
    assert!(address_in(&call.lines(1).concat()).starts_with(&world.issuer()));
    call.kill();
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn a_sign_in_by_code_is_renewed_like_any_other() {
    let world = world();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(false);
    shown.call.finish().expect_code(0);
    desk.credentials();
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::DeviceCode)), (1, 1));
}

#[test]
fn the_provider_is_asked_at_its_own_pace_and_slower_when_it_says_so() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::oauth("slow_down", "")));
    let desk = desk(&world);
    let shown = shown(&desk);
    assert!(world.ledger().wait_for(Endpoint::Poll, 1, Duration::from_secs(20)));
    shown.answer(false);
    shown.call.finish().expect_code(0);
    let mut polls = world.ledger().requests();
    polls.retain(|request| request.endpoint == Endpoint::Poll);
    let [first, second] = &polls[..] else {
        panic!("a poll too soon would have been answered with slow_down: {polls:?}");
    };
    assert!(second.at - first.at >= Duration::from_secs(5), "the pause was {:?}", second.at - first.at);
}

#[test]
fn whoever_has_not_answered_yet_is_waited_for() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    assert!(world.ledger().wait_for(Endpoint::Poll, 2, Duration::from_secs(20)));
    shown.answer(false);
    shown.call.finish().expect_code(0);
    assert!(world.count(Endpoint::Poll) >= 2);
}

#[test]
fn bad_weather_while_the_person_is_away_costs_time_and_nothing_else() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::Status(503)));
    world.next(1, Knob::PollFault, json!(Fault::Close));
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(false);
    shown.call.finish().expect_code(0);
    assert_eq!(world.count(Endpoint::Poll), 3);
}

#[test]
fn weather_that_lasts_is_what_is_told_in_the_end() {
    let world = world();
    world.set(Knob::DeviceCodes, json!({ "expires_in": 3 }));
    world.set(Knob::PollFault, json!(Fault::Status(503)));
    shown(&desk(&world)).fails(9, "network/status").message_has(&["503"]);
}

#[test]
fn a_code_that_nobody_enters_ends_with_its_time_and_closes_the_door() {
    let world = world();
    world.set(Knob::DeviceCodes, json!({ "expires_in": 2 }));
    let desk = desk(&world);
    shown(&desk).fails(4, "sign-in/expired_code").message_has(&["2 s"]);
    super::fails(&desk, 4, "sign-in/paused");
}

#[test]
fn a_code_that_the_provider_calls_expired_is_told_so() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::oauth("expired_token", "too late")));
    shown(&desk(&world)).fails(4, "sign-in/expired_code").hint_has(&["`bedrock-sso login`"]);
}

#[test]
fn who_says_no_on_the_providers_page_is_believed() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(true);
    shown.fails(5, "sign-in/access_denied").message_has(&["the user denied the request"]);
}

#[test]
fn a_token_for_somebody_else_is_rejected_here_too() {
    let world = world();
    world.next(1, Knob::IdTokenClaims, json!({ "aud": "somebody-else" }));
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(false);
    shown.fails(6, "token/audience");
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn a_provider_without_codes_is_said_to_have_none_with_the_way_out() {
    let world = World::new();
    let desk = desk_with(&world, "");
    let failed = desk.run(["login", "--device"]).fails(5, "provider/no_device_codes");
    failed.message_has(&["127.0.0.1:"]).hint_has(&["--device"]);
    assert_eq!(world.ledger().total(), 2, "discovery and keys");
}

#[test]
fn a_refusal_to_give_a_code_is_told_in_the_providers_words() {
    let world = world();
    world.next(1, Knob::DeviceCodeFault, json!(Fault::oauth("unauthorized_client", "no device grant")));
    let failed = desk(&world).run(["login"]).fails(5, "sign-in/unauthorized_client");
    failed.message_has(&["no device grant"]);
}

#[test]
fn what_the_provider_is_asked_for_are_the_scopes_and_parameters_of_the_profile() {
    let world = world();
    let desk = desk_with(
        &world,
        "flow = \"device\"\nscopes = [\"groups\"]\nextra_params = { audience = \"https://api.example/\" }",
    );
    shown(&desk).call.kill();
    let requests = world.ledger().requests();
    let asked = requests.iter().find(|request| request.endpoint == Endpoint::DeviceCode).unwrap();
    let form = super::query(&format!("?{}", asked.body));
    assert_eq!((form["scope"].as_str(), form["audience"].as_str()), ("openid groups", "https://api.example/"));
    assert_eq!(form["client_id"], testworld::CLIENT_ID);
    let fields: testworld::Fields = form.into_iter().collect();
    assert_eq!(field(&fields, "client_secret"), None);
}

#[test]
fn a_second_caller_waits_without_being_shown_the_code() {
    let world = world();
    let desk = desk(&world);
    let first = shown(&desk);
    let mut second = desk.start(["login"]);
    assert_sends_elsewhere(&second.lines(1).concat());
    first.answer(false);
    first.call.finish().expect_code(0);
    let second = second.finish().expect_code(0);
    assert!(!format!("{second:?}").contains(&first.code), "{second:?}");
    assert_eq!((world.count(Endpoint::DeviceCode), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn a_command_that_may_not_prompt_names_the_process_only() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    let failed = desk.run(["credentials", "--no-login"]).fails(4, "sign-in/waiting");
    failed.message_has(&["process "]);
    shown.call.kill();
}

#[test]
fn a_sign_in_by_code_outlives_its_caller() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    let (address, code) = (shown.address.clone(), shown.code.clone());
    shown.call.kill();
    enter_code(&address, &code, false).unwrap();
    desk.settle();
    desk.credentials();
    assert_eq!((world.count(Endpoint::DeviceCode), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn ctrl_c_ends_the_waiting_for_a_code() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    testworld::interrupt(shown.call.pid().cast_signed());
    shown.fails(130, "interrupted");
    desk.settle();
}

#[test]
fn a_waiting_caller_gets_its_own_code_after_the_first_gives_up() {
    let world = world();
    let desk = desk(&world);
    let first = shown(&desk);
    let mut call = desk.start(["login"]);
    assert_sends_elsewhere(&call.lines(1).concat());
    testworld::interrupt(first.call.pid().cast_signed());
    let (address, code) = (first.address.clone(), first.code.clone());
    first.fails(130, "interrupted");
    let lines = call.lines(2);
    let line = lines.last().unwrap();
    let next = code_in(line);
    assert_ne!(next, code, "a new code at the same address: {line}");
    assert_eq!(enter_code(&address, next, false).unwrap().status, 200);
    call.finish().expect_code(0);
}
