//! The ladder at an Identity Center: cache, access token, refresh, prompt.

use std::time::Duration;

use serde_json::json;
use testworld::{Desk, Endpoint, Failed, Fault, Knob, World, address_in, code_in, enter_code};

use super::{counts, desk};
use crate::SPENT;

/// A home whose user has signed in. The credentials have expired. If `token` is set, so has the access token.
fn spent_desk(world: &World, token: bool) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    if token {
        world.next(1, Knob::PortalTokenLifetime, SPENT);
    }
    let desk = desk(world);
    desk.credentials();
    desk
}

#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

#[test]
fn first_call_prompts_and_second_call_uses_the_cache() {
    let world = World::new();
    let desk = desk(&world);
    let first = desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 1], 1));
    world.stop_identity_center();
    world.stop_sts();
    assert_eq!(desk.credentials(), first);
    assert_eq!((counts(&world), desk.leaks().len()), ([1, 1, 1, 0, 1], 0));
}

#[test]
fn valid_access_token_needs_no_refresh() {
    let world = World::new();
    let desk = spent_desk(&world, false);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 2], 1));
}

#[test]
fn expired_access_token_is_refreshed_with_the_rotated_token() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SPENT);
    world.set(Knob::PortalTokenLifetime, SPENT);
    let desk = desk(&world);
    for _ in 0..5 {
        desk.credentials();
    }
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 4, 5], 1));
    assert_eq!(world.live_portal_sessions(), 1, "a reused token would have ended the session");
}

#[test]
fn refresh_token_stays_if_it_is_not_rotated() {
    let world = World::new();
    world.set(Knob::WithoutRotation, true);
    world.set(Knob::CredentialLifetime, SPENT);
    world.set(Knob::PortalTokenLifetime, SPENT);
    let desk = desk(&world);
    for _ in 0..3 {
        desk.credentials();
    }
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2, 3], 1));
}

#[test]
fn ended_session_leads_to_one_prompt_and_no_registration() {
    let world = World::new();
    let desk = spent_desk(&world, false);
    world.end_portal_sessions();
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
    assert_eq!(world.count(Endpoint::RegisterClient), 1);
    world.next(1, Knob::CredentialLifetime, SPENT);
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!((desk.tabs(), world.count(Endpoint::RegisterClient)), (3, 1));
}

#[test]
fn ended_session_is_reported_to_a_caller_that_must_not_prompt() {
    let world = World::new();
    let desk = spent_desk(&world, false);
    world.end_portal_sessions();
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/not_allowed");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn expired_or_forgotten_registration_is_replaced() {
    let world = World::new();
    world.set(Knob::RegistrationLifetime, SPENT);
    let desk = spent_desk(&world, true);
    world.clear(Knob::RegistrationLifetime);
    desk.credentials();
    assert_eq!((world.count(Endpoint::RegisterClient), desk.tabs()), (2, 2), "it had expired");
    world.forget_registrations();
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!((world.count(Endpoint::RegisterClient), desk.tabs()), (3, 3), "AWS had forgotten it");
}

/// Asserts that a refresh that ends with this fault costs neither the refresh token nor a prompt.
#[track_caller]
fn assert_session_survives(fault: &Fault, slug: &str) {
    let world = World::new();
    let desk = spent_desk(&world, true);
    world.set(Knob::PortalRefreshFault, json!(fault));
    fails(&desk, 9, slug);
    world.clear(Knob::PortalRefreshFault);
    desk.credentials();
    assert_eq!(desk.tabs(), 1, "{fault:?}");
}

#[test]
fn temporary_refresh_failures_open_no_browser() {
    assert_session_survives(&Fault::Close, "network/interrupted");
    assert_session_survives(&Fault::Portal, "network/not_aws");
}

#[test]
fn throttled_refresh_opens_no_browser() {
    for fault in [Fault::Status(503), Fault::sso_oidc("InternalServerException", "")] {
        let world = World::new();
        let desk = spent_desk(&world, true);
        world.set(Knob::PortalRefreshFault, json!(fault));
        let refused = desk.run(["credentials"]);
        assert!([Some(7), Some(9)].contains(&refused.code), "{refused:?}");
        world.clear(Knob::PortalRefreshFault);
        desk.credentials();
        assert_eq!(desk.tabs(), 1, "{fault:?}");
    }
}

/// An error of the sign-in service that no document lists.
fn unknown_error() -> Fault {
    let body = json!({ "error": "something_new", "error_description": "AWS's words" }).to_string();
    Fault::Body { status: 400, content_type: "application/json".into(), body }
}

#[test]
fn login_reaches_the_browser_whatever_a_refresh_returns() {
    for fault in [
        Fault::Status(503),
        Fault::Status(404),
        Fault::Portal,
        Fault::sso_oidc("InvalidGrantException", "Invalid refresh token provided"),
        Fault::sso_oidc("InvalidClientException", "Client is unknown"),
        Fault::sso_oidc("InvalidRequestException", "Invalid request"),
        Fault::sso_oidc("UnauthorizedClientException", "Client is not authorized"),
        unknown_error(),
    ] {
        let world = World::new();
        let desk = spent_desk(&world, true);
        world.set(Knob::PortalRefreshFault, json!(fault));
        desk.run(["login"]).expect_code(0);
        assert_eq!(desk.tabs(), 2, "{fault:?}");
    }
}

#[test]
fn refused_refresh_is_remembered_and_costs_no_token() {
    let world = World::new();
    let desk = spent_desk(&world, true);
    let refusal = Fault::sso_oidc("InvalidScopeException", "The scope is not allowed.");
    world.next(1, Knob::PortalRefreshFault, json!(refusal));
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/refresh_refused");
    let status = || desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(status()["can_renew"], false);
    desk.run(["credentials", "--no-login"]).expect_code(0);
    assert_eq!((&status()["can_renew"], desk.tabs()), (&json!(true), 1));
}

#[test]
fn service_that_is_down_never_opens_a_browser() {
    let world = World::new();
    let desk = spent_desk(&world, true);
    world.stop_identity_center();
    for command in ["credentials", "login"] {
        desk.run([command]).fails(9, "network/connect");
    }
    let world = World::new();
    world.stop_identity_center();
    let first = super::desk(&world);
    fails(&first, 9, "network/connect");
    assert_eq!((desk.tabs(), first.tabs()), (1, 0));
}

#[test]
fn captive_portal_opens_no_browser() {
    let world = World::new();
    world.set(Knob::SsoOidcFault, json!(Fault::Portal));
    let desk = desk(&world);
    fails(&desk, 9, "network/not_aws");
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn silent_service_costs_at_most_25_seconds() {
    let world = World::new();
    let desk = spent_desk(&world, true);
    world.set(Knob::SsoOidcFault, json!(Fault::Hang));
    let started = std::time::Instant::now();
    fails(&desk, 9, "network/timeout");
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn denied_sign_in_pauses_automatic_callers() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    fails(&desk, 5, "sign-in/access_denied");
    fails(&desk, 4, "sign-in/paused");
    assert_eq!(desk.tabs(), 1);
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
    desk.credentials();
    assert_eq!((desk.tabs(), world.count(Endpoint::RegisterClient)), (2, 1));
}

#[test]
fn missing_assignment_is_named_and_costs_no_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    world.set(Knob::Assignments, json!([]));
    let refused = fails(&desk, 7, "aws/no_assignment");
    refused.hint_has(&["BedrockUser", "123456789012"]);
    world.clear(Knob::Assignments);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 2], 1));
}

#[test]
fn refused_access_token_is_refreshed_once() {
    let world = World::new();
    let desk = spent_desk(&world, false);
    let refusal = Fault::access_portal(401, "UnauthorizedException", "Session token not found or invalid");
    world.next(1, Knob::RoleCredentialsFault, json!(refusal));
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 1, 3], 1));
}

#[test]
fn failing_portal_costs_neither_session_nor_credentials() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 4 * 60);
    let desk = desk(&world);
    let first = desk.credentials();
    world.set(Knob::PortalFault, json!(Fault::Status(503)));
    assert_eq!(desk.credentials(), first, "they are still valid");
    world.clear(Knob::PortalFault);
    assert_eq!(desk.credentials(), first, "programs leave the portal alone for a minute");
    desk.run(["login"]).expect_code(0);
    assert_ne!(desk.credentials(), first);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn another_user_gets_no_credentials_of_the_first() {
    let world = World::new();
    let desk = desk(&world);
    let more = world.identity_center_profile("other", "210987654321", "BedrockUser", "");
    let own = std::fs::read_to_string(desk.config_file()).unwrap();
    let browser = own.lines().find(|line| line.starts_with("browser")).unwrap();
    desk.configure(&format!(
        "default_profile = \"claude\"\n{own}\n{}",
        more.replacen("storage", &format!("{browser}\nstorage"), 1)
    ));
    let first = desk.credentials();
    let other = desk.run(["credentials", "--profile", "other"]).expect_code(0).document();
    world.next(1, Knob::PortalUser, "bob@example.com");
    desk.run(["login", "--force"]).expect_code(0);
    assert_ne!(desk.credentials(), first);
    assert_ne!(desk.run(["credentials", "--profile", "other"]).expect_code(0).document(), other);
    assert_eq!(desk.tabs(), 2);
}

/// Runs `login`, whose user enters the code that it shows.
#[track_caller]
fn sign_in_with_code<const N: usize>(desk: &Desk<'_>, login: [&str; N]) {
    let mut login = desk.start(login);
    let shown = login.lines(1).concat();
    assert_eq!(enter_code(address_in(&shown), code_in(&shown), false).unwrap().status, 200);
    login.finish().expect_code(0);
}

#[test]
fn device_code_is_used_where_no_browser_works() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    world.next(1, Knob::PortalTokenLifetime, SPENT);
    let desk = desk(&world);
    sign_in_with_code(&desk, ["login", "--device"]);
    assert_eq!((world.count(Endpoint::PortalAuthorize), desk.tabs()), (0, 0));
    desk.credentials();
    assert_eq!((counts(&world), world.count(Endpoint::PortalPoll) > 0), ([1, 0, 0, 1, 2], true));
    // The browser has a registration of its own, and the first one serves the next code.
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!((world.count(Endpoint::RegisterClient), desk.tabs()), (2, 1));
}

#[test]
fn forgotten_device_registration_is_replaced() {
    let world = World::new();
    let desk = desk(&world);
    sign_in_with_code(&desk, ["login", "--device"]);
    world.forget_registrations();
    sign_in_with_code(&desk, ["login", "--device", "--force"]);
    sign_in_with_code(&desk, ["login", "--device", "--force"]);
    assert_eq!(world.count(Endpoint::RegisterClient), 2);
}

#[test]
fn registration_that_fails_at_the_end_is_not_used_again() {
    for code in ["InvalidClientException", "UnauthorizedClientException"] {
        let world = World::new();
        let desk = desk(&world);
        world.next(1, Knob::PortalCodeFault, json!(Fault::sso_oidc(code, "Client is unknown")));
        fails(&desk, 5, "sign-in/registration");
        desk.run(["login"]).expect_code(0);
        assert_eq!((world.count(Endpoint::RegisterClient), desk.tabs()), (2, 2), "{code}");
    }
}
