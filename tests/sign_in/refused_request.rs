//! A request that the provider refuses with an error page, which stays in the browser: the program asks the provider the
//! same question without the browser, and says so.

use std::time::Duration;

use serde_json::json;
use testworld::{Desk, Endpoint, Failed, Fault, Knob, Outcome, World};

use super::{Pending, authorization_requests, desk, desk_with, pending, wait_for};

/// The failure at the end of stderr. The report stands before it.
#[track_caller]
fn final_failure(outcome: &Outcome, code: i32, slug: &str) -> Failed {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let [_, _, message, hint] = lines[..] else { panic!("the report and the failure: {outcome:?}") };
    let mut end = outcome.clone();
    end.stderr = format!("{message}\n{hint}\n");
    end.ends_with_failure(code, slug)
}

/// A sign-in whose user closes the tab, with the shortest time limit.
fn abandoned(world: &World) -> Desk<'_> {
    let desk = desk_with(world, "login_timeout = \"10s\"");
    desk.person("closes-the-tab");
    desk
}

/// Waits until the program has reported the refusal.
fn await_report(desk: &Desk<'_>) {
    wait_for("the report", || desk.log().contains("answers the sign-in request with").then_some(()));
}

#[test]
fn error_page_is_reported_at_once_and_is_the_reason() {
    let world = World::new();
    world.set(Knob::RedirectUris, json!(["http://127.0.0.1:8400/other"]));
    let desk = abandoned(&world);
    let call = desk.start(["login"]);
    await_report(&desk);
    assert!(desk.processes().contains(&call.pid().cast_signed()), "the sign-in goes on");
    let outcome = call.finish();
    let uri = authorization_requests(&world)[0]["redirect_uri"].clone();
    let failed = final_failure(&outcome, 4, "sign-in/request_refused");
    failed.message_has(&["HTTP status 400"]).hint_has(&[&uri, "`client_id`", "`bedrock-sso doctor`"]);
    let said = outcome.stderr.matches("answers the sign-in request with an error page (HTTP status 400)").count();
    assert_eq!(said, 2, "at once and at the end: {outcome:?}");
    assert_eq!((outcome.stdout.lines().count(), world.count(Endpoint::Authorize)), (1, 1), "{outcome:?}");
    let paused = desk.run(["credentials"]).fails(4, "sign-in/paused");
    paused.hint_has(&[&uri, "`bedrock-sso doctor`", "to try again now, run `bedrock-sso login`"]);
}

#[test]
fn redirect_to_an_error_page_is_reported_with_its_code() {
    for (to, words) in [
        ("/error?error=invalid_redirect", "invalid_redirect"),
        ("http://127.0.0.1:1/callback?error=invalid_request&error_description=DPoP+proof+is+missing", "DPoP proof"),
    ] {
        let world = World::new();
        world.set(Knob::AuthorizeFault, json!(Fault::Redirect(to.into())));
        let outcome = abandoned(&world).run(["credentials"]);
        final_failure(&outcome, 4, "sign-in/request_refused").message_has(&[words]);
        assert_eq!(world.count(Endpoint::Authorize), 1);
    }
}

#[test]
fn refused_probe_does_not_end_the_sign_in() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Status(400)));
    let desk = desk(&world);
    let Pending { call, start } = pending(&desk);
    await_report(&desk);
    assert_eq!(testworld::visit(&start, false).unwrap().status, 200);
    let outcome = call.finish().expect_code(0);
    assert!(outcome.stderr.contains("answers the sign-in request with"), "{outcome:?}");
    let [probe, request] = authorization_requests(&world).try_into().unwrap();
    assert_eq!(probe["redirect_uri"], request["redirect_uri"]);
    assert_eq!(probe["scope"], request["scope"]);
    for secret in ["state", "nonce", "code_challenge"] {
        assert_ne!(probe[secret], request[secret], "{secret}");
    }
}

#[test]
fn silent_probe_does_not_delay_the_sign_in() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hang));
    let desk = desk(&world);
    let Pending { call, start } = pending(&desk);
    assert!(world.ledger().wait_for(Endpoint::Authorize, 1, Duration::from_secs(20)));
    assert_eq!(testworld::visit(&start, false).unwrap().status, 200);
    let outcome = call.finish().expect_code(0);
    assert!(outcome.took < Duration::from_secs(8), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn accepted_request_is_probed_once_and_then_unanswered() {
    let world = World::new();
    let desk = abandoned(&world);
    let failed = desk.run(["login"]).ends_with_failure(4, "sign-in/unanswered");
    let requests = authorization_requests(&world);
    failed.hint_has(&[&requests[0]["redirect_uri"], "`bedrock-sso login`", "`bedrock-sso doctor`"]);
    assert_eq!(requests.len(), 1);
}

#[test]
fn immediate_sign_in_sends_no_probe() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    assert_eq!(world.count(Endpoint::Authorize), 1);
}
