//! The requests of a sign-in to the provider, and the secrecy of their parameters.

use std::{collections::BTreeSet, fs};

use serde_json::json;
use testworld::{CLIENT_ID, Endpoint, Fault, Knob, World, address_in};

use super::{authorization_requests, desk, desk_with, final_page, wait_for};

#[test]
fn first_sign_in_sends_exactly_the_expected_requests() {
    let world = World::new();
    let desk = desk(&world);
    let document = desk.credentials();
    let members: Vec<_> = document.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version"]);
    let requests: Vec<_> = world.ledger().requests().iter().map(|request| request.endpoint).collect();
    use Endpoint::{Assume, Authorize, Code, Discovery, Keys, Login};
    assert_eq!(requests, [Discovery, Keys, Authorize, Login, Code, Assume], "these requests and no others");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn pkce_s256_is_used_even_if_not_advertised() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "code_challenge_methods_supported": null }));
    desk(&world).credentials();
    let [request] = authorization_requests(&world).try_into().unwrap();
    assert_eq!(request["code_challenge_method"], "S256");
    assert_eq!(request["code_challenge"].len(), 43);
    let requests = world.ledger().requests();
    let exchange = requests.iter().find(|request| request.endpoint == Endpoint::Code).unwrap();
    assert!(
        exchange.body.contains("code_verifier="),
        "the code exchange sends the verifier, which the provider compares with the challenge"
    );
}

#[test]
fn state_nonce_and_challenge_are_new_for_each_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    for _ in 0..3 {
        desk.run(["login", "--force"]).expect_code(0);
    }
    let all = authorization_requests(&world);
    assert_eq!(all.len(), 3);
    let values: BTreeSet<_> =
        all.iter().flat_map(|request| ["state", "nonce", "code_challenge"].map(|name| request[name].clone())).collect();
    assert_eq!(values.len(), 9, "no value is used twice");
    assert!(values.iter().all(|value| value.len() == 43), "256 bits each");
}

#[test]
fn process_list_shows_no_secret_of_a_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    let seen_file = desk.home().join("sight.bin");
    desk.set_variable("PERSON_SIGHT", &seen_file);
    desk.credentials();
    final_page(&desk);
    let seen = fs::read(&seen_file).unwrap();
    let seen = String::from_utf8_lossy(&seen);
    let address = seen.split('\0').find(|word| word.starts_with("http://127.0.0.1:")).unwrap();
    assert!(address.len() <= "http://127.0.0.1:65535/12345678".len(), "{address}");
    for word in ["/authorize", "code_challenge", CLIENT_ID] {
        assert!(!seen.contains(word), "{word} is in a process list");
    }
    let kinds: BTreeSet<_> = world.ledger().secrets().iter().map(|secret| secret.kind).collect();
    for kind in ["state", "nonce", "PKCE verifier", "authorization code", "ID token", "refresh token"] {
        assert!(kinds.contains(kind), "the search covers {kind}");
    }
    let leaks: Vec<_> = desk.leaks().iter().map(ToString::to_string).collect();
    assert_eq!(leaks, [""; 0], "in arguments, page, log, stderr, files");
}

#[test]
fn configured_scopes_and_parameters_reach_the_provider() {
    let world = World::new();
    let more = "scopes = [\"groups\", \"email\"]\n\
                extra_params = { login_hint = \"zoë+x@example.com&prompt=none\", audience = \"https://api.example/\" }";
    desk_with(&world, more).credentials();
    let [request] = authorization_requests(&world).try_into().unwrap();
    assert_eq!(request["scope"], "openid groups email");
    assert_eq!(request["login_hint"], "zoë+x@example.com&prompt=none");
    assert_eq!(request["audience"], "https://api.example/");
    assert!(!request.contains_key("prompt"), "a value cannot add a parameter");
}

#[test]
fn provider_that_needs_consent_issues_a_refresh_token() {
    let world = World::new();
    world.set(Knob::Offline, "consent");
    let desk = desk(&world);
    let outcome = desk.run(["login"]).expect_code(0);
    assert_eq!((outcome.stderr.as_str(), world.live_grants()), ("", 1));
    assert_eq!(authorization_requests(&world)[0]["prompt"], "consent");
}

#[test]
fn missing_refresh_token_is_reported_once_at_login() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let desk = desk(&world);
    let outcome = desk.run(["login"]).expect_code(0);
    desk.expect_wording("output", "login without a refresh token", &outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains("no refresh token") && outcome.stderr.contains("offline_access"), "{outcome:?}");
    assert!(desk.log().contains("no refresh token"), "{}", desk.log());
    assert_eq!(desk.run(["login"]).expect_code(0).stderr, "", "no sign-in, no warning");
    world.set(Knob::CredentialLifetime, 10);
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
}

#[test]
fn sign_in_without_offline_access_expects_no_refresh_token() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let outcome = desk_with(&world, "scopes = [\"openid\", \"email\"]").run(["login"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn offline_access_is_omitted_if_unsupported() {
    let world = World::new();
    desk(&world).credentials();
    world.set(Knob::DiscoveryDocument, json!({ "scopes_supported": ["openid", "email", "profile"] }));
    desk(&world).credentials();
    let scopes: Vec<_> = authorization_requests(&world).into_iter().map(|request| request["scope"].clone()).collect();
    assert_eq!(scopes, ["openid profile email offline_access", "openid profile email"]);
    let prompts: Vec<_> = authorization_requests(&world).iter().map(|request| request.get("prompt").cloned()).collect();
    assert_eq!(prompts, [Some("consent".to_owned()), None]);
}

#[test]
fn omitted_offline_access_is_logged() {
    let world = World::new();
    let desk = desk(&world);
    desk.credentials();
    assert!(!desk.log().contains("not requesting offline_access"), "{}", desk.log());
    world.set(Knob::DiscoveryDocument, json!({ "scopes_supported": ["openid", "email", "profile"] }));
    let desk = self::desk(&world);
    desk.credentials();
    assert!(desk.log().contains("not requesting offline_access"), "{}", desk.log());
}

#[test]
fn sign_in_works_with_a_login_page() {
    let world = World::new();
    world.set(Knob::Login, "page");
    let desk = desk(&world);
    desk.credentials();
    assert_eq!(world.count(Endpoint::Login), 2, "the page and the click");
}

#[test]
fn second_tab_with_the_same_callback_changes_nothing() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("visits-twice");
    let page = desk.home().join("page.html");
    desk.set_variable("PERSON_PAGE", &page);
    desk.credentials();
    assert_eq!((world.count(Endpoint::Code), world.count(Endpoint::Assume)), (1, 1));
    let tabs = [page.clone(), page.with_extension("second.html")]
        .map(|file| wait_for("both tabs", || fs::read_to_string(&file).ok().filter(|page| page.contains("</html>"))));
    assert!(tabs.iter().any(|page| page.contains("123456789012")), "one of them shows the result: {tabs:?}");
    assert!(tabs.iter().all(|page| page.contains("Completing the sign-in") || page.contains("123456789012")));
}

/// A world whose provider has this fault at the first discovery request.
fn world_with_discovery_fault(fault: &Fault) -> World {
    let world = World::new();
    world.next(1, Knob::DiscoveryFault, json!(fault));
    world
}

#[test]
fn address_is_shown_before_a_slow_provider_answers() {
    let world = world_with_discovery_fault(&Fault::Hold);
    let desk = desk(&world);
    let mut call = desk.start(["login", "--no-browser"]);
    let line = call.lines(1).concat();
    world.release();
    let address = address_in(&line);
    let page = testworld::visit(address, false).unwrap();
    assert!(page.text().contains("Signed in"), "{}", page.text());
    let outcome = call.finish().expect_code(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome:?}");
}

#[test]
fn browser_is_not_opened_before_the_provider_answers() {
    let world = world_with_discovery_fault(&Fault::Hold);
    let desk = desk(&world);
    let mut call = desk.start(["login"]);
    assert!(address_in(&call.lines(1).concat()).starts_with("http://127.0.0.1:"));
    assert_eq!(desk.tabs(), 0);
    world.release();
    let outcome = call.finish().expect_code(0);
    assert_eq!((outcome.stdout.lines().count(), desk.tabs()), (2, 1), "{outcome:?}");
}

#[test]
fn early_visitor_sees_that_the_provider_failed() {
    for fault in [Fault::Status(503), Fault::Close, Fault::Portal] {
        let world = world_with_discovery_fault(&Fault::Hold);
        world.set(Knob::KeysFault, json!(fault));
        let desk = desk(&world);
        let mut call = desk.start(["login", "--no-browser"]);
        let line = call.lines(1).concat();
        let address = address_in(&line);
        let tab = super::address::send_request(std::net::Ipv4Addr::LOCALHOST.into(), address);
        world.release();
        let page = super::address::read_answer(tab);
        assert!(page.contains("Sign-in failed"), "{page}");
        let outcome = call.finish().expect_code(9);
        let slug = outcome.stderr.split_once('[').unwrap().1.split(']').next().unwrap();
        assert!(page.contains(slug), "{slug}: {page}");
        assert_eq!(desk.tabs(), 0);
        // The failure has started no backoff.
        desk.run(["credentials"]).expect_code(9);
    }
}

#[test]
fn ctrl_c_ends_a_sign_in_with_a_hanging_provider() {
    let world = world_with_discovery_fault(&Fault::Hang);
    let desk = desk(&world);
    let mut call = desk.start(["login"]);
    call.lines(1);
    testworld::interrupt(call.pid().cast_signed());
    call.finish().expect_code(130);
    desk.settle();
}
