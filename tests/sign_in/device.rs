//! The sign-in with a device code: what the user sees, how the program polls the provider, and how it ends.

use std::time::Duration;

use serde_json::json;
use testworld::{Desk, Endpoint, Failed, Fault, Knob, Running, World, address_in, code_in, enter_code, field};

use super::desk_with;

/// A world whose provider issues device codes.
fn world() -> World {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    world
}

fn desk(world: &World) -> Desk<'_> {
    desk_with(world, "flow = \"device\"")
}

/// A sign-in that has shown its address and code.
struct Shown {
    call: Running,
    address: String,
    code: String,
}

fn start_sign_in(desk: &Desk<'_>) -> Shown {
    let mut call = desk.start(["login"]);
    let line = call.lines(1).concat();
    let (address, code) = (address_in(&line).to_owned(), code_in(&line).to_owned());
    Shown { call, address, code }
}

#[track_caller]
fn assert_names_only_the_process(line: &str) {
    assert!(line.contains(" process ") && !line.contains("http"), "{line}");
}

impl Shown {
    fn answer(&self, denies: bool) {
        assert_eq!(enter_code(&self.address, &self.code, denies).unwrap().status, 200);
    }

    /// Asserts that the sign-in ends in this failure.
    #[track_caller]
    fn fails(self, code: i32, slug: &str) -> Failed {
        let outcome = self.call.finish();
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
        outcome.ends_with_failure(code, slug)
    }
}

#[test]
fn device_code_signs_in_without_a_browser() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    assert!(shown.address.starts_with(&world.issuer()), "{}", shown.address);
    let code = shown.code.clone();
    shown.answer(false);
    let outcome = shown.call.finish().expect_code(0);
    assert!(outcome.stdout.lines().last().unwrap().contains("demo@example.com"), "{outcome:?}");
    assert_eq!((outcome.stderr.as_str(), desk.tabs()), ("", 0));
    let requests = world.ledger().requests();
    let asked: Vec<_> = requests.iter().map(|request| request.endpoint).collect();
    use Endpoint::{Assume, DeviceCode, DevicePage, Discovery, Keys, Poll};
    assert_eq!(
        asked,
        [Discovery, Keys, DeviceCode, DevicePage, DevicePage, Poll, Assume],
        "these requests and no others"
    );
    assert!(!desk.log().contains(&code), "the log does not contain the code");
    desk.credentials();
}

#[test]
fn device_flag_overrides_the_flow_of_the_profile() {
    let world = world();
    let desk = desk_with(&world, "flow = \"browser\"");
    let mut call = desk.start(["login", "--device"]);
    assert!(address_in(&call.lines(1).concat()).starts_with(&world.issuer()));
    call.kill();
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn device_sign_in_can_be_refreshed() {
    let world = world();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    shown.answer(false);
    shown.call.finish().expect_code(0);
    desk.credentials();
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::DeviceCode)), (1, 1));
}

#[test]
fn device_polling_obeys_the_interval_and_slow_down() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::oauth("slow_down", "")));
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
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
fn device_polling_continues_until_the_user_answers() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    assert!(world.ledger().wait_for(Endpoint::Poll, 2, Duration::from_secs(20)));
    shown.answer(false);
    shown.call.finish().expect_code(0);
    assert!(world.count(Endpoint::Poll) >= 2);
}

#[test]
fn device_polling_continues_after_temporary_errors() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::Status(503)));
    world.next(1, Knob::PollFault, json!(Fault::Close));
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    shown.answer(false);
    shown.call.finish().expect_code(0);
    assert_eq!(world.count(Endpoint::Poll), 3);
}

#[test]
fn lasting_device_polling_error_is_reported() {
    let world = world();
    world.set(Knob::DeviceCodes, json!({ "expires_in": 3 }));
    world.set(Knob::PollFault, json!(Fault::Status(503)));
    start_sign_in(&desk(&world)).fails(9, "network/status").message_has(&["503"]);
}

#[test]
fn unused_device_code_expires_and_starts_the_backoff() {
    let world = world();
    world.set(Knob::DeviceCodes, json!({ "expires_in": 2 }));
    let desk = desk(&world);
    start_sign_in(&desk).fails(4, "sign-in/expired_code").message_has(&["2 s"]);
    super::fails(&desk, 4, "sign-in/paused");
}

#[test]
fn device_code_expired_at_the_provider_is_reported() {
    let world = world();
    world.next(1, Knob::PollFault, json!(Fault::oauth("expired_token", "too late")));
    start_sign_in(&desk(&world)).fails(4, "sign-in/expired_code").hint_has(&["`bedrock-sso login`"]);
}

#[test]
fn device_sign_in_denied_by_the_user_is_reported() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    shown.answer(true);
    shown.fails(5, "sign-in/access_denied").message_has(&["access_denied"]);
}

#[test]
fn device_sign_in_rejects_a_token_for_another_audience() {
    let world = world();
    world.next(1, Knob::IdTokenClaims, json!({ "aud": "somebody-else" }));
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    shown.answer(false);
    shown.fails(6, "token/audience");
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn provider_without_device_codes_is_reported() {
    let world = World::new();
    let desk = desk_with(&world, "");
    let failed = desk.run(["login", "--device"]).fails(5, "provider/no_device_codes");
    failed.message_has(&["127.0.0.1:"]).hint_has(&["--device"]);
    assert_eq!(world.ledger().total(), 2, "discovery and keys");
}

#[test]
fn refused_device_code_shows_the_provider_text() {
    let world = world();
    world.next(1, Knob::DeviceCodeFault, json!(Fault::oauth("unauthorized_client", "no device grant")));
    let failed = desk(&world).run(["login"]).fails(5, "sign-in/unauthorized_client");
    failed.message_has(&["no device grant"]);
}

#[test]
fn device_request_has_scopes_and_extra_parameters() {
    let world = world();
    let desk = desk_with(
        &world,
        "flow = \"device\"\nscopes = [\"groups\"]\nextra_params = { audience = \"https://api.example/\" }",
    );
    start_sign_in(&desk).call.kill();
    let requests = world.ledger().requests();
    let asked = requests.iter().find(|request| request.endpoint == Endpoint::DeviceCode).unwrap();
    let form = super::query_parameters(&format!("?{}", asked.body));
    assert_eq!((form["scope"].as_str(), form["audience"].as_str()), ("openid groups", "https://api.example/"));
    assert_eq!(form["client_id"], testworld::CLIENT_ID);
    let fields: testworld::Fields = form.into_iter().collect();
    assert_eq!(field(&fields, "client_secret"), None);
}

#[test]
fn second_caller_waits_without_seeing_the_device_code() {
    let world = world();
    let desk = desk(&world);
    let first = start_sign_in(&desk);
    let mut second = desk.start(["login"]);
    assert_names_only_the_process(&second.lines(1).concat());
    first.answer(false);
    first.call.finish().expect_code(0);
    let second = second.finish().expect_code(0);
    assert!(!format!("{second:?}").contains(&first.code), "{second:?}");
    assert_eq!((world.count(Endpoint::DeviceCode), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn no_login_call_names_only_the_process_of_a_device_flow() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    let failed = desk.run(["credentials", "--no-login"]).fails(4, "sign-in/waiting");
    failed.message_has(&["process "]);
    shown.call.kill();
}

#[test]
fn device_sign_in_completes_after_its_caller_is_killed() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    let (address, code) = (shown.address.clone(), shown.code.clone());
    shown.call.kill();
    enter_code(&address, &code, false).unwrap();
    desk.settle();
    desk.credentials();
    assert_eq!((world.count(Endpoint::DeviceCode), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn ctrl_c_ends_a_device_sign_in() {
    let world = world();
    let desk = desk(&world);
    let shown = start_sign_in(&desk);
    testworld::interrupt(shown.call.pid().cast_signed());
    shown.fails(130, "interrupted");
    desk.settle();
}

#[test]
fn waiting_caller_gets_a_new_code_after_the_first_gives_up() {
    let world = world();
    let desk = desk(&world);
    let first = start_sign_in(&desk);
    let mut call = desk.start(["login"]);
    assert_names_only_the_process(&call.lines(1).concat());
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

#[test]
fn a_device_sign_in_must_meet_the_requirements() {
    let world = world();
    let desk = desk_with(&world, "flow = \"device\"\nrequire = { acr = [\"2\"], max_age = \"1h\" }");
    world.next(1, Knob::Claims, json!({ "acr": "1" }));
    let shown = start_sign_in(&desk);
    shown.answer(false);
    shown.fails(6, "token/acr");
    let request =
        world.ledger().requests().into_iter().find(|request| request.endpoint == Endpoint::DeviceCode).unwrap();
    for parameter in ["acr_values=2", "max_age=3600"] {
        assert!(request.body.contains(parameter), "{}", request.body);
    }
    world.next(1, Knob::Claims, json!({ "acr": "2" }));
    let shown = start_sign_in(&desk);
    shown.answer(false);
    shown.call.finish().expect_code(0);
}
