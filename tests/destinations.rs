//! Tokens and credentials go only to the hosts for which the sign-in was made, until the user accepts another host.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and remove files")]

use std::fs;

use serde_json::json;
use testworld::{Desk, Endpoint, Knob, Streams, World};

use crate::PROGRAM;

const SLUG: &str = "sign-in/destination_changed";

/// A home whose user has signed in, with a quota service.
fn signed_in(world: &World) -> Desk<'_> {
    let desk = Desk::new(world, PROGRAM);
    desk.set_key("quota.endpoint", &json!(world.quota_endpoint()).to_string());
    desk.run(["credentials"]).expect_code(0);
    desk
}

/// Asserts that every automatic caller fails and that the stranger gets no request.
fn expect_refused(desk: &Desk<'_>, stranger: &World) {
    desk.run(["credentials"]).fails(4, SLUG);
    desk.run(["credentials", "--no-login"]).fails(4, SLUG);
    desk.run(["export"]).fails(4, SLUG);
    desk.run(["env"]).fails(4, SLUG);
    desk.run(["exec", "--", "true"]).fails(4, SLUG);
    desk.run(["token"]).fails(4, SLUG);
    desk.run(["bearer"]).fails(4, SLUG);
    desk.run(["login"]).fails(4, SLUG);
    desk.settle();
    assert_eq!(stranger.ledger().total(), 0);
    assert_eq!(desk.tabs(), 1, "no call prompts the user");
}

#[test]
fn changed_quota_endpoint_gets_nothing_before_consent() {
    let (world, stranger) = (World::new(), World::new());
    let desk = signed_in(&world);
    desk.set_key("quota.endpoint", &json!(stranger.quota_endpoint()).to_string());
    expect_refused(&desk, &stranger);
    let status = desk.run(["status", "--json"]).expect_code(0).document();
    assert_eq!(
        status["destination_changes"],
        json!([{ "recipient": "quota", "stored": world.quota_endpoint(), "now": stranger.quota_endpoint() }])
    );
    desk.set_key("quota.endpoint", &json!(world.quota_endpoint()).to_string());
    desk.run(["credentials"]).expect_code(0);
}

#[test]
fn login_shows_old_and_new_host_and_requests_consent() {
    let (world, other) = (World::new(), World::new());
    let desk = signed_in(&world);
    desk.set_key("quota.endpoint", &json!(other.quota_endpoint()).to_string());
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let shown = terminal.shows("[y/N]: ");
    for host in [other.quota_endpoint(), world.quota_endpoint()] {
        assert!(shown.contains(&host), "{host}: {shown}");
    }
    terminal.types("\n");
    assert_eq!(terminal.finish().code, Some(4));
    assert_eq!(other.ledger().total(), 0);

    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.shows("[y/N]: ");
    terminal.types("y\n");
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    desk.run(["credentials"]).expect_code(0);
    assert_eq!((other.count(Endpoint::Quota), desk.tabs()), (1, 1));
}

#[test]
fn changed_sts_endpoint_gets_nothing() {
    let (world, stranger) = (World::new(), World::new());
    let desk = signed_in(&world);
    desk.set_key("sts_endpoint", &json!(stranger.sts_endpoint()).to_string());
    expect_refused(&desk, &stranger);
}

#[test]
fn config_flag_cannot_redirect_an_existing_sign_in() {
    let (world, stranger) = (World::new(), World::new());
    let desk = signed_in(&world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let planted = text.replace(&world.sts_endpoint(), &stranger.sts_endpoint());
    fs::write(desk.home().join("planted.toml"), planted).unwrap();
    let planted = desk.home().join("planted.toml");
    desk.run(["credentials", "--config", planted.to_str().unwrap()]).fails(4, SLUG);
    assert_eq!(stranger.ledger().total(), 0);
    desk.run(["credentials"]).expect_code(0);
}

/// Deletes the cached discovery document, which the program fetches again once a day anyway.
fn delete_cached_discovery(desk: &Desk<'_>) {
    let names = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|end| end == "provider")).for_each(|path| {
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn changed_token_endpoint_gets_no_refresh_token() {
    let (world, stranger) = (World::new(), World::new());
    // The credentials expire at once, so the next call refreshes them.
    world.set(Knob::CredentialLifetime, 10);
    let desk = signed_in(&world);
    delete_cached_discovery(&desk);
    let moved = format!("{}/token", stranger.issuer());
    world.set(Knob::DiscoveryDocument, json!({ "token_endpoint": moved, "revocation_endpoint": moved }));
    desk.run(["credentials"]).fails(4, SLUG);
    desk.run(["login"]).fails(4, SLUG);
    let signed_out = desk.run(["logout"]).expect_code(0);
    assert!(signed_out.stderr.contains(&stranger.issuer()), "{}", signed_out.stderr);
    assert_eq!((stranger.ledger().total(), desk.tabs()), (0, 1));
}

#[test]
fn changed_user_info_endpoint_gets_nothing_before_consent() {
    let (world, stranger) = (World::new(), World::new());
    world.set(Knob::Claims, json!({ "email": null, "preferred_username": null }));
    world.set(Knob::UserInfo, json!({}));
    world.set(Knob::CredentialLifetime, 10);
    let desk = Desk::with(&world, PROGRAM, "session_name = [\"userinfo:email\"]");
    desk.run(["credentials"]).expect_code(0);
    delete_cached_discovery(&desk);
    world.set(Knob::DiscoveryDocument, json!({ "userinfo_endpoint": format!("{}/userinfo", stranger.issuer()) }));
    // A refresh sends nothing there, so it continues.
    desk.run(["credentials"]).expect_code(0);
    desk.run(["login", "--force"]).fails(4, SLUG).message_has(&[&stranger.issuer()]);
    assert_eq!((stranger.ledger().total(), world.count(Endpoint::UserInfo), desk.tabs()), (0, 1, 1));
}
