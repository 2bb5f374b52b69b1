//! The sign-in by code: what is shown, how the provider is asked on, and how it ends.

use std::time::Duration;

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Running, World, enter_code, field};

use super::{credentials, desk_with};

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
    let (address, code) = line
        .strip_prefix("To sign in, go to ")
        .and_then(|rest| rest.split_once(" in any browser and enter the code "))
        .unwrap_or_else(|| panic!("{line}"));
    let (address, code) = (address.to_owned(), code.to_owned());
    Shown { call, address, code }
}

#[track_caller]
fn assert_sends_elsewhere(line: &str) {
    let said = line
        .strip_prefix("A sign-in is waiting for you already: finish it where it was shown, or end process ");
    assert!(said.is_some_and(|rest| rest.trim_end().ends_with(" and sign in again")), "{line}");
}

impl Shown {
    fn answer(&self, denies: bool) {
        assert_eq!(enter_code(&self.address, &self.code, denies).unwrap().status, 200);
    }

    /// The two lines of the failure that it ends in.
    #[track_caller]
    fn refused(self, code: i32, slug: &str) -> String {
        let outcome = self.call.finish().expect_code(code);
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
        assert!(outcome.stderr.contains(&format!(" [{slug}]\n  hint: ")), "{outcome:?}");
        outcome.stderr
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
    assert!(
        outcome.stdout.lines().last().unwrap().starts_with("Signed in as demo@example.com"),
        "{outcome:?}"
    );
    assert_eq!((outcome.stderr.as_str(), desk.tabs()), ("", 0));
    let requests = world.ledger().requests();
    let asked: Vec<_> = requests.iter().map(|request| request.endpoint).collect();
    use Endpoint::{Assume, DeviceCode, DevicePage, Discovery, Keys, Poll};
    assert_eq!(
        asked,
        [Discovery, Keys, DeviceCode, DevicePage, DevicePage, Poll, Assume],
        "and nothing else"
    );
    assert!(!desk.log().contains(&code), "a code is for the person alone");
    credentials(&desk);
}

#[test]
fn the_flag_asks_for_a_code_whatever_the_profile_says() {
    let world = world();
    let desk = desk_with(&world, "flow = \"browser\"");
    let mut call = desk.start(["login", "--device"]);
    assert!(call.lines(1).concat().contains(" and enter the code "));
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
    credentials(&desk);
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
    let told = shown(&desk(&world)).refused(9, "network/status");
    assert!(told.contains("answered with HTTP status 503"), "{told}");
}

#[test]
fn a_code_that_nobody_enters_ends_with_its_time_and_closes_the_door() {
    let world = world();
    world.set(Knob::DeviceCodes, json!({ "expires_in": 2 }));
    let desk = desk(&world);
    let told = shown(&desk).refused(4, "sign-in/expired_code");
    assert!(told.contains("nobody entered the code within 2 s"), "{told}");
    desk.run(["credentials"]).refused(4, "sign-in/paused");
}

#[test]
fn a_code_that_the_provider_calls_expired_is_told_so() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::oauth("expired_token", "too late")));
    let told = shown(&desk(&world)).refused(4, "sign-in/expired_code");
    assert!(told.contains("hint: run `bedrock-sso login` for a new one"), "{told}");
}

#[test]
fn who_says_no_on_the_providers_page_is_believed() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(true);
    let told = shown.refused(5, "sign-in/access_denied");
    assert!(told.contains("the person said no"), "{told}");
}

#[test]
fn a_token_for_somebody_else_is_rejected_here_too() {
    let world = world();
    world.next(1, Knob::IdTokenClaims, json!({ "aud": "somebody-else" }));
    let desk = desk(&world);
    let shown = shown(&desk);
    shown.answer(false);
    shown.refused(6, "token/audience");
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn a_provider_without_codes_is_said_to_have_none_with_the_way_out() {
    let world = World::new();
    let desk = desk_with(&world, "");
    let (what, hint) = desk.run(["login", "--device"]).refused(5, "provider/no_device_codes");
    assert!(what.starts_with("the provider at 127.0.0.1:"), "{what}");
    assert!(hint.contains("without --device"), "{hint}");
    assert_eq!(world.ledger().total(), 2, "discovery and keys");
}

#[test]
fn a_refusal_to_give_a_code_is_told_in_the_providers_words() {
    let world = world();
    world.next(1, Knob::DeviceCodeFault, json!(Fault::oauth("unauthorized_client", "no device grant")));
    let (what, _) = desk(&world).run(["login"]).refused(5, "sign-in/unauthorized_client");
    assert!(what.contains("no device grant"), "{what}");
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
    assert_eq!(
        (form["scope"].as_str(), form["audience"].as_str()),
        ("openid groups", "https://api.example/")
    );
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
    let (what, hint) = desk.run(["credentials", "--no-login"]).refused(4, "sign-in/waiting");
    assert!(what.starts_with("you need to sign in; a sign-in is waiting for you in process "), "{what}");
    assert_eq!(hint, "finish it where it was shown, or end that process");
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
    credentials(&desk);
    assert_eq!((world.count(Endpoint::DeviceCode), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn ctrl_c_ends_the_waiting_for_a_code() {
    let world = world();
    let desk = desk(&world);
    let shown = shown(&desk);
    testworld::interrupt(shown.call.pid().cast_signed());
    shown.refused(130, "interrupted");
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
    first.refused(130, "interrupted");
    let lines = call.lines(2);
    let line = lines.last().unwrap();
    let (_, next) = line.rsplit_once(' ').unwrap();
    assert_ne!(next, code, "a new code at the same address: {line}");
    assert_eq!(enter_code(&address, next, false).unwrap().status, 200);
    call.finish().expect_code(0);
}
