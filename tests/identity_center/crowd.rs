//! Many callers of one Identity Center, and processes that are killed.

use std::fs;

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, Running, World, wait_until};

use super::{counts, desk};

const PROFILES: [&str; 5] = ["claude", "alpha", "beta", "gamma", "delta"];

/// A home with five profiles that differ in their permission sets.
fn desk_with_profiles(world: &World) -> Desk<'_> {
    let roles = json!([{ "account_id": "123456789012", "name": "Acme", "email": "a@acme.example", "roles": PROFILES }]);
    world.set(Knob::Assignments, roles);
    let desk = desk(world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let browser = text.lines().find(|line| line.starts_with("browser")).unwrap();
    let tables =
        PROFILES.map(|name| world.identity_center_profile(name, "123456789012", name, &format!("{browser}\n")));
    desk.configure(&format!("version = 1\ndefault_profile = \"claude\"\n\n{}", tables.join("\n")));
    desk
}

fn start_callers(desk: &Desk<'_>, each: usize) -> Vec<(&'static str, Running)> {
    let names = (0..each).flat_map(|_| PROFILES);
    names.map(|name| (name, desk.start(["credentials", "--profile", name]))).collect()
}

/// Asserts that all callers of one profile got the same document, and returns how many documents there are.
fn finish_callers(callers: Vec<(&'static str, Running)>) -> usize {
    let mut documents: Vec<(&str, Value)> = Vec::new();
    for (name, caller) in callers {
        let document = caller.finish().expect_code(0).document();
        match documents.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => assert_eq!(*first, document, "{name}"),
            None => documents.push((name, document)),
        }
    }
    documents.len()
}

#[test]
fn fifty_first_callers_share_one_prompt() {
    let world = World::new();
    let desk = desk(&world);
    let callers: Vec<Running> = (0..50).map(|_| desk.start(["credentials"])).collect();
    let documents: Vec<Value> = callers.into_iter().map(|caller| caller.finish().expect_code(0).document()).collect();
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 1], 1));
}

#[test]
fn fifty_callers_of_five_profiles_share_one_refresh() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = desk_with_profiles(&world);
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(finish_callers(start_callers(&desk, 10)), 5);
    assert_eq!((counts(&world)[..4].to_vec(), desk.tabs(), world.live_portal_sessions()), (vec![1, 1, 1, 1], 1, 1));
}

#[test]
fn five_profiles_need_one_sign_in_and_five_role_requests() {
    let world = World::new();
    let desk = desk_with_profiles(&world);
    assert_eq!(finish_callers(start_callers(&desk, 10)), 5);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 1, 0, 5], 1));
}

#[test]
fn kill_at_any_request_blocks_no_later_caller() {
    for (knob, endpoint, tabs) in [
        (Knob::RegisterClientFault, Endpoint::RegisterClient, 1),
        (Knob::PortalDeviceCodeFault, Endpoint::PortalDeviceCode, 1),
        (Knob::PortalAuthorizeFault, Endpoint::PortalAuthorize, 2),
        (Knob::PortalCodeFault, Endpoint::PortalCode, 2),
        (Knob::RoleCredentialsFault, Endpoint::RoleCredentials, 1),
    ] {
        let world = World::new();
        world.next(1, knob, json!(Fault::Hang));
        let desk = desk(&world);
        let caller = desk.start(["credentials"]);
        wait_until("the request is under way", || world.count(endpoint) == 1);
        desk.kill_all();
        caller.kill();
        desk.credentials();
        assert_eq!((desk.tabs(), world.live_portal_sessions()), (tabs, 1), "{knob:?}");
        // The registration was stored before the prompt.
        let registrations = if endpoint == Endpoint::RegisterClient { 2 } else { 1 };
        assert_eq!(world.count(Endpoint::RegisterClient), registrations, "{knob:?}");
    }
}

#[test]
fn kill_before_a_refresh_is_answered_costs_no_prompt() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    world.next(1, Knob::PortalTokenLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    desk.settle();
    world.next(1, Knob::PortalRefreshFault, json!(Fault::Hang));
    let caller = desk.start(["credentials"]);
    wait_until("the refresh is under way", || world.count(Endpoint::PortalRefresh) == 1);
    desk.kill_all();
    caller.kill();
    desk.credentials();
    assert_eq!((desk.tabs(), world.live_portal_sessions()), (1, 1));
}
