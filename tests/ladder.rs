//! The ladder, rung by rung, with the whole program: what is served, renewed, asked and kept, whatever the weather.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a test may spoil files")]

use serde_json::json;
use testworld::{CLOCK_LAG, Desk, Endpoint, Failed, Fault, Knob, World};

use crate::{SPENT, counts, desk};

/// A desk where somebody has signed in, to credentials that end after so many seconds.
fn signed_in_for(world: &World, seconds: u32) -> Desk<'_> {
    world.next(1, Knob::CredentialLifetime, seconds);
    let desk = desk(world);
    desk.credentials();
    desk
}

/// The failure of a call for credentials.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

const HOUR: u32 = 3600;
/// Inside the span in which credentials are renewed behind the scenes.
const SOON: u32 = 15 * 60;
/// Inside the span in which they are renewed before they are served.
const NOW: u32 = 4 * 60;

#[test]
fn the_first_call_signs_in_and_the_second_asks_nobody() {
    let world = World::new();
    let desk = desk(&world);
    let first = desk.credentials();
    let requests = world.ledger().total();
    assert_eq!(desk.credentials(), first);
    assert_eq!(world.ledger().total(), requests, "no request at all");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn valid_credentials_are_served_with_the_provider_and_aws_gone() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    world.stop_provider();
    world.stop_sts();
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn the_warm_call_writes_nothing() {
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
fn a_renewal_costs_two_requests_and_no_browser() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    let requests = world.ledger().total();
    desk.credentials();
    assert_eq!(world.ledger().total() - requests, 2, "token and STS");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn a_rotated_refresh_token_serves_again_and_again() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    for _ in 0..5 {
        desk.credentials();
    }
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 4, 5], 1));
    assert_eq!(world.live_grants(), 1, "no reuse was seen");
}

#[test]
fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
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
fn a_rotated_refresh_token_is_kept_before_anything_else_can_fail() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::IdTokenClaims, json!({"aud": "somebody-else"}));
    fails(&desk, 6, "token/audience");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 2, 2], 1), "the rotated one was there to be used");
}

#[test]
fn aws_refusing_after_a_refresh_costs_no_refresh_token() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    fails(&desk, 7, "aws/access_denied");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 3], 1));
}

#[test]
fn a_token_renewed_just_before_aws_failed_serves_when_the_provider_is_gone() {
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
fn only_invalid_grant_spends_a_refresh_token_and_then_the_person_is_asked() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.revoke_grants();
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

/// Weather: none of it may open a browser or lose the refresh token.
fn passes_by(fault: &serde_json::Value) {
    let world = World::new();
    world.next(2, Knob::CredentialLifetime, SPENT);
    let desk = desk(&world);
    desk.credentials();
    world.next(1, Knob::RefreshFault, fault.clone());
    let stormy = desk.run(["credentials"]).code;
    // The kept token, still valid, weathers a storm; a refusal is reported.
    let refusal = fault.get("oauth").is_some();
    assert_eq!((stormy, desk.tabs()), (Some(if refusal { 5 } else { 0 }), 1), "{fault}");
    desk.credentials();
    assert_eq!((counts(&world)[2], desk.tabs()), (2, 1), "{fault}: nothing was lost");
}

#[test]
fn bad_weather_at_the_token_endpoint_never_opens_a_browser_and_never_loses_anything() {
    for fault in [
        json!(Fault::Status(500)),
        json!(Fault::Status(503)),
        json!(Fault::Portal),
        json!(Fault::Close),
        json!(Fault::Flood),
        json!(Fault::Redirect("https://portal.invalid/".into())),
        json!(Fault::oauth("temporarily_unavailable", "later")),
        json!(Fault::oauth("invalid_client", "who?")),
        json!(Fault::Body { status: 400, content_type: "text/html".into(), body: "<h1>invalid_grant</h1>".into() }),
    ] {
        passes_by(&fault);
    }
}

#[test]
fn a_refresh_that_fails_while_the_id_token_is_over_is_reported_and_asks_nobody() {
    for (fault, code, slug) in [
        (json!(Fault::Status(500)), 9, "network/status"),
        (json!(Fault::Portal), 9, "network/not_json"),
        (json!(Fault::Close), 9, "network/interrupted"),
        (json!(Fault::Flood), 9, "network/too_large"),
        (json!(Fault::oauth("temporarily_unavailable", "later")), 5, "sign-in/temporarily_unavailable"),
    ] {
        let world = World::new();
        world.age_id_tokens();
        let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
        world.next(1, Knob::RefreshFault, fault.clone());
        fails(&desk, code, slug);
        assert_eq!(desk.tabs(), 1, "{fault}");
        desk.credentials();
        assert_eq!((counts(&world), desk.tabs()), ([1, 1, 2, 2], 1), "{fault}: the refresh token was kept");
    }
}

#[test]
fn a_provider_that_wants_to_see_the_person_is_obeyed_and_nothing_is_spent() {
    for error in ["consent_required", "interaction_required", "login_required"] {
        let world = World::new();
        world.next(2, Knob::CredentialLifetime, SPENT);
        let desk = desk(&world);
        desk.credentials();
        world.next(2, Knob::RefreshFault, json!(Fault::oauth(error, "AADSTS50079")));
        desk.run(["credentials", "--no-login"]).expect_code(4);
        desk.credentials();
        assert_eq!((counts(&world), desk.tabs()), ([2, 2, 2, 2], 2), "{error}");
    }
}

#[test]
fn a_login_asks_the_person_when_the_earlier_session_cannot_be_renewed() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::RefreshFault, json!(Fault::oauth("unauthorized_client", "not any more")));
    desk.run(["login"]).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

#[test]
fn an_unreachable_provider_is_no_reason_to_open_a_browser() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_provider();
    fails(&desk, 9, "network/connect");
    assert_eq!(desk.tabs(), 0);
    world.start_provider();
    desk.credentials();
}

#[test]
fn a_refresh_without_an_id_token_uses_the_one_still_valid() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.set(Knob::RefreshWithoutIdToken, true);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn a_refresh_without_an_id_token_asks_once_the_old_one_is_over() {
    let world = World::new();
    world.age_next_id_token();
    let desk = signed_in_for(&world, CLOCK_LAG + SPENT);
    world.set(Knob::RefreshWithoutIdToken, true);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

#[test]
fn without_a_refresh_token_the_valid_id_token_is_exchanged_again() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_for(&world, SPENT);
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 2], 1));
}

#[test]
fn a_kept_token_that_aws_no_longer_accepts_leads_to_a_sign_in() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = signed_in_for(&world, SPENT);
    world.next(1, Knob::AssumeFault, json!(Fault::aws(400, "ExpiredTokenException", "Token expired")));
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 3], 2));
}

#[test]
fn a_forced_login_that_aws_refuses_keeps_valid_credentials() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    let before = desk.credentials();
    world.next(1, Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    desk.run(["login", "--force"]).expect_code(7);
    assert_eq!(desk.credentials(), before);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 0, 2], 2));
}

#[test]
fn credentials_near_their_end_are_served_at_once_and_renewed_behind_the_scenes() {
    let world = World::new();
    let desk = signed_in_for(&world, SOON);
    let old = desk.credentials();
    desk.settle();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
    let new = desk.credentials();
    assert_ne!(old, new);
    desk.settle();
    assert_eq!(counts(&world), [1, 1, 1, 2], "fresh ones are not renewed");
}

#[test]
fn a_renewal_behind_the_scenes_is_tried_once_a_minute_however_many_ask() {
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
fn a_renewal_behind_the_scenes_never_asks_the_person() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + SOON);
    desk.credentials();
    desk.settle();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn credentials_about_to_end_are_renewed_before_they_are_served() {
    let world = World::new();
    let desk = signed_in_for(&world, NOW);
    let kept = desk.run(["status", "--json"]).stdout;
    let served = desk.credentials();
    assert!(!kept.contains(served["Expiration"].as_str().unwrap()));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 2], 1));
}

#[test]
fn credentials_still_valid_are_served_whatever_fails() {
    let world = World::new();
    let first = {
        let desk = signed_in_for(&world, NOW);
        world.stop_provider();
        world.stop_sts();
        let served = desk.credentials();
        assert_eq!(desk.credentials(), served, "and again");
        assert_eq!(desk.tabs(), 1);
        served
    };
    assert_eq!(first["Version"], 1);
}

#[test]
fn credentials_still_valid_are_served_while_the_person_has_not_answered() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_id_tokens();
    let desk = signed_in_for(&world, CLOCK_LAG + NOW);
    desk.person("closes-the-tab");
    desk.credentials();
    assert_eq!(desk.tabs(), 2, "the person was asked");
    desk.credentials();
    assert_eq!(desk.tabs(), 2, "and is not asked twice");
    desk.kill_all();
}

#[test]
fn spent_credentials_are_never_served() {
    let world = World::new();
    let desk = signed_in_for(&world, SPENT);
    world.stop_provider();
    world.set(Knob::AssumeFault, json!(Fault::Status(500)));
    let outcome = desk.run(["credentials"]);
    assert_ne!(outcome.code, Some(0));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_torn_foreign_or_older_record_costs_a_sign_in_and_never_a_crash() {
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
        assert_eq!(desk.tabs(), tabs, "the sign-in still serves");
        std::fs::write(&sign_in, torn).unwrap();
        desk.credentials();
        assert_eq!(desk.tabs(), tabs, "the credentials still serve");
        std::fs::write(&credentials, torn).unwrap();
        desk.credentials();
        tabs += 1;
        assert_eq!(desk.tabs(), tabs);
    }
}

#[test]
fn a_lost_key_costs_a_sign_in() {
    let world = World::new();
    let desk = signed_in_for(&world, HOUR);
    std::fs::remove_file(desk.home().join(".local/share/bedrock-sso/key")).unwrap();
    desk.credentials();
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn with_storage_none_nothing_is_left_behind() {
    let world = World::new();
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    let kept = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&kept.replace("storage = \"file\"", "storage = \"none\""));
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
fn a_profile_of_another_application_is_another_sign_in() {
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
