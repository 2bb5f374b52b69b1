//! What the commands say to a user of an Identity Center: no message speaks of an OpenID provider or of an ID token.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::{fs, time::Duration};

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World};

use super::{SANDBOX, desk};
use crate::{PROGRAM, SPENT};

const ROLE: &str = "arn:aws:iam::123456789012:role/AWSReservedSSO_BedrockUser_0123456789abcdef";

/// A home with a second profile that shares the sign-in.
fn desk_with_two_profiles(world: &World) -> Desk<'_> {
    let second = world.identity_center_profile("prod", "210987654321", "BedrockUser", "");
    let desk = Desk::with_identity_center(world, PROGRAM, &format!("\n{second}"));
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("default_profile = \"claude\"\n{text}"));
    desk
}

/// A home whose user has signed in, with expired credentials.
fn signed_in_with_expired_credentials(world: &World) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = desk(world);
    desk.run(["credentials"]).expect_code(0);
    desk
}

/// The JSON of `status`, which sends no request.
#[track_caller]
fn report(world: &World, desk: &Desk<'_>) -> Value {
    let requests = world.ledger().total();
    let document = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(world.ledger().total(), requests);
    document
}

#[track_caller]
fn check(desk: &Desk<'_>, name: &str) -> (Value, String) {
    let document = desk.run(["doctor", "--json"]).document();
    let check = document["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    let lines =
        format!("{}\n  hint: {}", check["message"].as_str().unwrap(), check["remedy"].as_str().unwrap_or("none"));
    (check["result"].clone(), lines)
}

#[test]
fn status_before_the_first_sign_in_names_the_assignment() {
    let world = World::new();
    let desk = desk(&world);
    let document = report(&world, &desk);
    assert_eq!((&document["role_arn"], &document["account"]), (&Value::Null, &json!(SANDBOX)));
    assert_eq!((&document["identity"], &document["sign_in"]), (&Value::Null, &Value::Null));
    desk.run(["status"]).prints("status: Identity Center, not signed in");
}

#[test]
fn status_names_the_user_and_the_session_of_the_portal() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    desk.credentials();
    let mut document = report(&world, &desk);
    assert!(document["sign_in"]["identity_center"]["access_token_expires_at"].is_string(), "{document}");
    document["sign_in"]["identity_center"]["access_token_expires_at"] = json!("later");
    let portal = json!({ "start_url": world.start_url(), "region": "us-east-1", "access_token_expires_at": "later" });
    assert_eq!(
        document["sign_in"],
        json!({ "id_token_expires_at": null, "identity_center": portal, "shared_with": ["prod"] })
    );
    let user = json!({
        "session_name": "jane@example.com", "named_by_subject": false, "email": null, "subject": null, "tags": {},
        "source_identity": null,
    });
    assert_eq!(document["identity"], user);
    assert_eq!((&document["role_arn"], &document["can_renew"]), (&json!(ROLE), &json!(true)));
    desk.run(["status"]).prints("status: Identity Center, signed in");

    desk.run(["logout", "--role-only"]).expect_code(0);
    let document = report(&world, &desk);
    assert_eq!((&document["identity"], &document["role_arn"]), (&Value::Null, &Value::Null));
}

#[test]
fn logout_reports_that_identity_center_ended_the_session() {
    let world = World::new();
    let desk = desk_with_two_profiles(&world);
    desk.credentials();
    assert_eq!(world.live_portal_sessions(), 1);
    desk.run(["logout"]).prints("logout: Identity Center");
    assert_eq!((world.live_portal_sessions(), world.count(Endpoint::PortalLogout)), (0, 1));
    desk.run(["logout"]).prints("logout: Identity Center, not signed in");
}

#[test]
fn logout_ends_a_session_whose_access_token_has_expired() {
    let world = World::new();
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = signed_in_with_expired_credentials(&world);
    world.set(Knob::Clock, 11);
    desk.run(["logout"]).prints("logout: Identity Center, expired credentials");
    assert_eq!(world.live_portal_sessions(), 0);
}

#[test]
fn logout_reports_a_session_that_has_ended_already() {
    let world = World::new();
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = signed_in_with_expired_credentials(&world);
    world.end_portal_sessions();
    desk.run(["logout"]).prints("logout: Identity Center has ended the session");
    // An earlier call has noticed it, so the sign-out sends nothing.
    let desk = signed_in_with_expired_credentials(&world);
    world.end_portal_sessions();
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/not_allowed");
    let requests = world.ledger().total();
    desk.run(["logout"]).prints("logout: Identity Center has ended the session");
    assert_eq!((world.ledger().total(), world.count(Endpoint::PortalLogout)), (requests, 0));
}

#[test]
fn logout_does_not_wait_long_for_a_silent_portal() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    world.set(Knob::PortalFault, Fault::Hang);
    let started = std::time::Instant::now();
    desk.run(["logout"]).prints("logout: Identity Center does not answer in time");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Neither the refresh token nor the access token goes to a host that the user has not accepted.
#[test]
fn logout_sends_no_refresh_token_to_a_new_sign_in_host() {
    let (world, stranger) = (World::new(), World::new());
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = signed_in_with_expired_credentials(&world);
    desk.set_key("identity_center_endpoint", &json!(stranger.identity_center_endpoint()).to_string());
    let outcome = desk.run(["logout"]).expect_code(0);
    assert!(outcome.stderr.contains("did not confirm the sign-out"), "{outcome:?}");
    assert_eq!((stranger.ledger().total(), world.live_portal_sessions()), (0, 1));
}

#[test]
fn logout_without_an_answer_names_identity_center() {
    let world = World::new();
    let desk = signed_in_with_expired_credentials(&world);
    world.stop_identity_center();
    desk.run(["logout"]).prints("logout: Identity Center does not answer");
}

#[test]
fn logout_of_the_browser_names_the_access_portal() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["logout", "--browser"]);
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    desk.expect_wording("output", "logout --browser: Identity Center", &outcome.stderr);
}

#[test]
fn login_and_otel_headers_name_the_user() {
    let world = World::new();
    let desk = Desk::with_identity_center(&world, PROGRAM, "telemetry.static = { \"x-department\" = \"research\" }");
    desk.run(["otel-headers"]).prints("otel-headers: Identity Center, not signed in");
    desk.run(["login"]).prints("login: Identity Center");
    desk.run(["otel-headers"]).prints("otel-headers: Identity Center");
    desk.run(["token"]).fails(3, "config/no_id_token");
}

#[test]
fn denied_sign_in_names_identity_center() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).fails(5, "sign-in/access_denied").message_has(&["IAM Identity Center"]);
}

#[test]
fn refused_refresh_names_identity_center() {
    let world = World::new();
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = signed_in_with_expired_credentials(&world);
    world.set(Knob::PortalRefreshFault, Fault::sso_oidc("InvalidScopeException", "The scope is not allowed."));
    desk.run(["credentials", "--no-login"])
        .fails(4, "sign-in/refresh_refused")
        .message_has(&["IAM Identity Center", "InvalidScopeException"]);
}

#[test]
fn unanswered_sign_in_names_no_redirect_address() {
    let world = World::new();
    let desk = Desk::with_identity_center(&world, PROGRAM, "login_timeout = \"10s\"");
    desk.person("closes-the-tab");
    desk.run(["credentials"]).fails(4, "sign-in/unanswered").hint_has(&["AWS administrator"]);
}

#[test]
fn unassigned_permission_set_is_named() {
    let world = World::new();
    let desk = desk(&world);
    world.set(Knob::Assignments, json!([]));
    desk.run(["credentials"]).fails(7, "aws/no_assignment").hint_has(&["BedrockUser", SANDBOX]);
}

#[test]
fn doctor_asks_both_services_of_identity_center() {
    let world = World::new();
    let desk = desk(&world);
    let (result, lines) = check(&desk, "aws");
    assert_eq!(result, "ok", "{lines}");
    desk.expect_wording("doctor", "aws: Identity Center", &lines);
    for name in ["discovery", "algorithms", "keys", "client", "require"] {
        assert_eq!(check(&desk, name).0, "skipped", "{name}");
    }
    world.set(Knob::PortalFault, Fault::Portal);
    let (result, lines) = check(&desk, "aws");
    assert_eq!(result, "bad", "{lines}");
    desk.expect_wording("doctor", "aws: Identity Center", &lines);
    world.stop_identity_center();
    for name in ["aws", "clock", "certificates"] {
        desk.expect_wording("doctor", &format!("{name}: Identity Center"), &check(&desk, name).1);
    }
}
