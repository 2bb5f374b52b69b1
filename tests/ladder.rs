//! The ladder: cache, refresh, role request, prompt.
//!
//! Each test puts the cache, the provider and AWS into one state, and asserts which requests the program sends, whether
//! it prompts, and which credentials and tokens survive a failure.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a test may damage files")]

use std::time::Duration;

use serde_json::json;
use testworld::{CLOCK_LAG, Desk, Endpoint, Failed, Fault, Knob, World};

use crate::{SPENT, counts, desk};

/// A home whose user has signed in, with credentials that expire after this many seconds.
fn signed_in_for(world: &World, seconds: u32) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, seconds);
    let desk = desk(world);
    desk.credentials();
    desk
}

/// Asserts that `credentials` fails with this exit code and slug.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

const HOUR: u32 = 3600;
/// Credentials that expire this soon are refreshed in the background.
const SOON: u32 = 15 * 60;
/// Credentials that expire this soon are refreshed before they are served.
const NOW: u32 = 4 * 60;

#[test]
fn first_call_prompts_and_second_call_uses_the_cache() {
    let world = World::new();
    let desk = desk(&world);
    let first = desk.credentials();
    let requests = world.ledger().total();
    assert_eq!(desk.credentials(), first);
    assert_eq!(world.ledger().total(), requests, "the second call sends no request");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn valid_credentials_are_served_without_provider_and_aws() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    world.stop_provider();
    world.stop_sts();
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn cached_call_writes_no_file() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    desk.settle();
    desk.unset_variable("BEDROCK_SSO_LOG");
    let listing = || {
        let mut files: Vec<_> = std::fs::read_dir(desk.home().join(".local/share/bedrock-sso"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = listing();
    desk.credentials();
    assert_eq!(listing(), before);
}

#[test]
fn refresh_needs_two_requests_and_no_browser() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    let requests = world.ledger().total();
    desk.credentials();
    assert_eq!(world.ledger().total() - requests, 2, "one to the token endpoint, one to STS");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn rotated_refresh_tokens_work_in_every_later_refresh() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    for _ in 0..5 {
        desk.credentials();
    }
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 4, 5], 1));
    assert_eq!(world.live_grants(), 1, "a reused token would have revoked the grant");
}

#[test]
fn refresh_token_is_reused_when_the_provider_does_not_rotate() {
    let world = World::new();
    world.set(Knob::WithoutRotation, true);
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    for _ in 0..3 {
        desk.credentials();
    }
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 2, 3], 1));
}

#[test]
fn rotated_refresh_token_is_stored_before_token_verification() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::IdTokenClaims, json!({"aud": "somebody-else"}));
    fails(&desk, 6, "token/audience");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 2, 2], 1), "the second refresh uses the rotated token");
}

#[test]
fn refresh_token_survives_a_refusal_by_aws() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    fails(&desk, 7, "aws/access_denied");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 3], 1));
}

#[test]
fn refreshed_id_token_is_reused_after_aws_failed() {
    let world = World::new();
    world.age_next_id_token();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.next(1, Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    fails(&desk, 7, "aws/access_denied");
    world.stop_provider();
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 3], 1));
}

#[test]
fn revoked_refresh_token_leads_to_one_new_prompt() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.revoke_grants();
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

/// Asserts that this fault of the token endpoint opens no browser and loses no refresh token. The cached ID token is
/// valid, and is used unless the provider refuses the application.
fn assert_refresh_token_survives(fault: &serde_json::Value, code: i32) {
    let world = World::new();
    world.next(2, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    desk.credentials();
    world.next(1, Knob::RefreshFault, fault.clone());
    assert_eq!((desk.run(["credentials"]).code, desk.tabs()), (Some(code), 1), "{fault}");
    desk.credentials();
    assert_eq!((counts(&world)[2], desk.tabs()), (2, 1), "{fault}: the refresh token still works");
}

#[test]
fn temporary_refresh_failures_open_no_browser() {
    for fault in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(403),
        Fault::Status(407),
        Fault::Portal,
        Fault::Close,
        Fault::Flood,
        Fault::Redirect("https://portal.invalid/".into()),
        oauth_error(429, "too_many_requests"),
    ] {
        assert_refresh_token_survives(&json!(fault), 0);
    }
}

#[test]
fn a_refused_application_opens_no_browser() {
    for code in ["invalid_client", "unauthorized_client"] {
        assert_refresh_token_survives(&json!(Fault::oauth(code, "who?")), 5);
    }
}

fn oauth_error(status: u16, code: &str) -> Fault {
    let body = json!({ "error": code, "error_description": "no" }).to_string();
    Fault::Body { status, content_type: "application/json".into(), body }
}

/// How real providers refuse an expired or revoked refresh token without saying `invalid_grant`.
fn list_refusals() -> Vec<Fault> {
    let page = |status, body: &str| Fault::Body { status, content_type: "text/html".into(), body: body.into() };
    vec![
        // LemonLDAP::NG, Glewlwyd, Entra.
        Fault::oauth("invalid_request", ""),
        page(400, ""),
        Fault::oauth("interaction_required", "AADSTS50079"),
        page(400, "<h1>invalid_grant</h1>"),
        page(401, ""),
        page(404, "{}"),
        oauth_error(403, "access_denied"),
        oauth_error(410, "session_gone"),
        Fault::Body { status: 200, content_type: "application/json".into(), body: "{}".into() },
    ]
}

#[test]
fn a_refused_refresh_prompts_and_does_not_drop_the_token() {
    for fault in list_refusals().into_iter().map(|fault| json!(fault)) {
        let world = World::new();
        world.next(2, Knob::CredentialLifetime, SPENT);
        let desk = desk(&world);
        desk.credentials();
        world.next(1, Knob::RefreshFault, fault.clone());
        let failed = desk.run(["credentials", "--no-login"]).fails(4, "sign-in/refresh_refused");
        failed.hint_has(&["bedrock-sso login --force"]);
        desk.run(["credentials", "--no-login"]).expect_code(0);
        assert_eq!((counts(&world)[2], desk.tabs()), (2, 1), "{fault}: the token survives");
        world.set(Knob::RefreshFault, fault.clone());
        desk.credentials();
        assert_eq!((counts(&world), desk.tabs()), ([2, 2, 3, 3], 2), "{fault}");
    }
}

/// Without the description of the provider, the answer may come from something else on the network.
#[test]
fn a_refusal_page_of_a_vanished_provider_opens_no_browser() {
    let world = World::new();
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.next(1, Knob::RefreshFault, json!(Fault::Status(404)));
    world.set(Knob::DiscoveryFault, json!(Fault::Close));
    fails(&desk, 9, "network/interrupted");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 1], 1));
}

#[test]
fn login_reaches_the_browser_whatever_a_refresh_returns() {
    let others = [
        Fault::Status(500),
        Fault::Status(403),
        Fault::Portal,
        Fault::Close,
        Fault::Flood,
        Fault::Redirect("https://portal.invalid/".into()),
        oauth_error(429, "too_many_requests"),
        oauth_error(400, "invalid_client"),
        oauth_error(400, "unauthorized_client"),
        oauth_error(400, "invalid_grant"),
    ];
    for fault in list_refusals().into_iter().chain(others).map(|fault| json!(fault)) {
        let world = World::new();
        world.age_id_tokens();
        let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
        world.set(Knob::RefreshFault, fault.clone());
        desk.run(["login"]).expect_code(0);
        assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2), "{fault}");
    }
}

#[test]
fn login_opens_no_browser_if_the_provider_is_gone() {
    let world = World::new();
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.stop_provider();
    desk.run(["login"]).fails(9, "network/connect");
    assert_eq!(desk.tabs(), 1);
    world.start_provider();
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1), "nothing was lost");
}

#[test]
fn failed_refresh_with_an_expired_id_token_is_reported() {
    for (fault, code, slug) in [
        (json!(Fault::Status(500)), 9, "network/status"),
        (json!(Fault::Portal), 9, "network/not_json"),
        (json!(Fault::Close), 9, "network/interrupted"),
        (json!(Fault::Flood), 9, "network/too_large"),
        (json!(Fault::oauth("unauthorized_client", "")), 5, "sign-in/unauthorized_client"),
    ] {
        let world = World::new();
        world.age_id_tokens();
        let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
        world.next(1, Knob::RefreshFault, fault.clone());
        fails(&desk, code, slug);
        assert_eq!(desk.tabs(), 1, "{fault}");
        desk.credentials();
        assert_eq!((counts(&world), desk.tabs()), ([1, 1, 2, 2], 1), "{fault}: the refresh token still works");
    }
}

#[test]
fn unreachable_provider_opens_no_browser() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    fails(&desk, 9, "network/connect");
    assert_eq!(desk.tabs(), 0);
    world.start_provider();
    desk.credentials();
}

const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider, please reference \
                      AssumeRoleWithWebIdentity documentation for requirements";

/// AWS says the same for a key that is gone and for a provider that it does not reach.
#[test]
fn a_refusal_by_aws_while_the_provider_is_down_spends_nothing() {
    for refusal in [
        Fault::aws(400, "InvalidIdentityToken", NO_KEY),
        Fault::aws(400, "IDPCommunicationError", "Error: communication with the IDP failed"),
    ] {
        let world = World::new();
        let desk = signed_in_for(&world, SPENT);
        world.stop_provider();
        world.set(Knob::AssumeFault, json!(refusal));
        fails(&desk, 9, "network/connect");
        desk.run(["login"]).fails(9, "network/connect");
        assert_eq!(desk.tabs(), 1, "no browser opens for a provider that is down");
        world.clear(Knob::AssumeFault);
        desk.credentials();
        world.start_provider();
        assert_eq!((counts(&world)[..3].to_vec(), desk.tabs()), (vec![1, 1, 0], 1), "the ID token was not spent");
    }
}

/// The provider answers `login`, although its token endpoint is broken.
#[test]
fn login_prompts_when_neither_refresh_nor_id_token_works() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.set(Knob::RefreshFault, json!(Fault::Status(503)));
    world.next(1, Knob::AssumeFault, json!(Fault::aws(400, "InvalidIdentityToken", NO_KEY)));
    desk.run(["login"]).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 3], 2));
}

/// The description of the provider is cached, so only a new request shows that the provider is down.
#[test]
fn a_provider_that_is_down_never_opens_a_browser() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.stop_provider();
    fails(&desk, 9, "network/connect");
    desk.run(["login"]).fails(9, "network/connect");
    desk.run(["login", "--force"]).fails(9, "network/connect");
    assert_eq!(desk.tabs(), 1);
    world.start_provider();
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

/// A provider that accepts connections and never answers. Claude Code gives the whole chain 60 seconds, the Rust SDK
/// 21.6 seconds.
#[test]
fn a_silent_provider_costs_at_most_25_seconds() {
    let world = World::new();
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.set(Knob::RefreshFault, json!(Fault::Hang));
    world.set(Knob::DiscoveryFault, json!(Fault::Hang));
    for arguments in [["credentials"], ["login"]] {
        let outcome = desk.run(arguments);
        outcome.ends_with_failure(9, "network/timeout");
        assert!(outcome.took < Duration::from_secs(25), "{outcome:?}");
    }
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_silent_discovery_costs_at_most_25_seconds() {
    let world = World::new();
    world.set(Knob::DiscoveryFault, json!(Fault::Hang));
    let desk = desk(&world);
    let outcome = desk.run(["credentials"]);
    outcome.fails(9, "network/timeout");
    assert!(outcome.took < Duration::from_secs(21), "{outcome:?}");
    assert_eq!(desk.tabs(), 0);
}

#[test]
fn refresh_without_id_token_uses_the_cached_valid_one() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.set(Knob::RefreshWithoutIdToken, true);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn refresh_without_id_token_prompts_if_the_cached_one_expired() {
    let world = World::new();
    world.age_next_id_token();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.set(Knob::RefreshWithoutIdToken, true);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

#[test]
fn cached_id_token_is_exchanged_again_without_refresh_token() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_for(&world, SPENT);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 2], 1));
}

#[test]
fn cached_id_token_refused_by_aws_leads_to_a_prompt() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::AssumeFault, json!(Fault::aws(400, "ExpiredTokenException", "Token expired")));
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 3], 2));
}

#[test]
fn forced_login_refused_by_aws_preserves_valid_credentials() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    let before = desk.credentials();
    world.next(1, Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    desk.run(["login", "--force"]).expect_code(7);
    assert_eq!(desk.credentials(), before);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 2], 2));
}

#[test]
fn expiring_credentials_are_served_and_refreshed_in_background() {
    let world = World::new();
    let desk = signed_in_for(&world, SOON);
    let old = desk.credentials();
    desk.settle();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
    let new = desk.credentials();
    assert_ne!(old, new);
    desk.settle();
    assert_eq!(counts(&world), [1, 1, 1, 2], "fresh credentials are not refreshed");
}

#[test]
fn background_refresh_is_tried_once_a_minute() {
    let world = World::new();
    let desk = signed_in_for(&world, SOON);
    world.stop_sts();
    for _ in 0..5 {
        desk.credentials();
        desk.settle();
    }
    assert_eq!((world.count(Endpoint::Refresh), desk.tabs()), (1, 1));
}

#[test]
fn background_refresh_never_prompts() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SOON);
    desk.credentials();
    desk.settle();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn credentials_about_to_expire_are_refreshed_first() {
    let world = World::new();
    let desk = signed_in_for(&world, NOW);
    let stored = desk.run(["status", "--json"]).stdout;
    let served = desk.credentials();
    assert!(!stored.contains(served["Expiration"].as_str().unwrap()));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn valid_credentials_are_served_when_the_refresh_fails() {
    let world = World::new();
    let first = {
        let desk = signed_in_for(&world, NOW);
        world.stop_provider();
        world.stop_sts();
        let served = desk.credentials();
        assert_eq!(desk.credentials(), served, "the second call serves the same");
        assert_eq!(desk.tabs(), 1);
        served
    };
    assert_eq!(first["Version"], 1);
}

#[test]
fn valid_credentials_are_served_while_a_prompt_is_open() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + NOW);
    desk.person("closes-the-tab");
    desk.credentials();
    assert_eq!(desk.tabs(), 2, "the user is prompted");
    desk.credentials();
    assert_eq!(desk.tabs(), 2, "the user is not prompted twice");
    desk.kill_all();
}

#[test]
fn expired_credentials_are_never_served() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.stop_provider();
    world.set(Knob::AssumeFault, json!(Fault::Status(500)));
    let outcome = desk.run(["credentials"]);
    assert_ne!(outcome.code, Some(0));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn damaged_record_leads_to_a_prompt_and_no_crash() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    let folder = desk.home().join(".local/share/bedrock-sso");
    let record = |kind: &str| {
        let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        paths.into_iter().find(|path| path.extension().is_some_and(|it| it == kind)).expect("a sealed record")
    };
    let (sign_in, credentials) = (record("sign-in"), record("credentials"));
    let good = std::fs::read(&sign_in).unwrap();
    let mut tabs = 1;
    for torn in [&good[..good.len() / 2], b"", b"{}", &[0xff; 5000]] {
        std::fs::write(&credentials, torn).unwrap();
        desk.credentials();
        assert_eq!(desk.tabs(), tabs, "the stored sign-in is used");
        std::fs::write(&sign_in, torn).unwrap();
        desk.credentials();
        assert_eq!(desk.tabs(), tabs, "the stored credentials are used");
        std::fs::write(&credentials, torn).unwrap();
        desk.credentials();
        tabs += 1;
        assert_eq!(desk.tabs(), tabs);
    }
}

#[test]
fn missing_sealing_key_leads_to_a_prompt() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    std::fs::remove_file(desk.home().join(".local/share/bedrock-sso/key")).unwrap();
    desk.credentials();
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn storage_none_leaves_no_records_on_disk() {
    let world = World::new();
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&text.replace("storage = \"file\"", "storage = \"none\""));
    desk.credentials();
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
    let folder = desk.home().join(".local/share/bedrock-sso");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let sealed = |path: &&std::path::PathBuf| {
        path.extension().is_none_or(|kind| kind == "sign-in" || kind == "credentials" || kind == "provider")
    };
    assert_eq!(names.iter().filter(sealed).count(), 0, "{names:?}");
}

#[test]
fn profiles_with_other_parameters_sign_in_separately() {
    let world = World::new();
    let desk = desk(&world);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    let (head, profile) = text.split_once("[profiles.").unwrap();
    let (name, body) = profile.split_once(']').unwrap();
    desk.configure(&format!(
        "{head}[profiles.{name}]{body}\n[profiles.other]{body}\nextra_params = {{ login_hint = \"bob\" }}\n"
    ));
    let ours = desk.run(["credentials", "--profile", name]).expect_code(0).document();
    let other = desk.run(["credentials", "--profile", "other"]).expect_code(0).document();
    assert_ne!(ours, other);
    assert_eq!(desk.run(["credentials", "--profile", name]).expect_code(0).document(), ours);
    assert_eq!(desk.tabs(), 2);
}
