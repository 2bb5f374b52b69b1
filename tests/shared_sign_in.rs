//! Profiles of one application share the sign-in.
//!
//! All of them together cost one prompt and one refresh, have one prompt backoff, and each sends its own role request.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fmt::Write as _, fs, time::Duration};

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, Running, World, wait_until};

use crate::{counts, desk};

const PROFILES: [&str; 5] = ["claude", "alpha", "beta", "gamma", "delta"];

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{name}")
}

/// A home with five profiles for each application; the profiles of one application differ only in their roles.
fn desk_with_profiles<'w>(world: &'w World, applications: &[&str]) -> Desk<'w> {
    world.set(Knob::FurtherRoles, json!(PROFILES.map(role_arn)));
    let desk = desk(world);
    let text = fs::read_to_string(desk.config_file()).unwrap();
    let (head, body) = text.split_once("[profiles.claude]").unwrap();
    let mut all = head.to_owned();
    for application in applications {
        for name in PROFILES {
            let body = body.replace(":role/BedrockUser", &format!(":role/{name}"));
            assert_ne!(body, *text, "the role is replaced");
            writeln!(all, "[profiles.{name}{application}]{body}").unwrap();
            if !application.is_empty() {
                writeln!(all, "extra_params = {{ login_hint = \"{application}\" }}").unwrap();
            }
        }
    }
    desk.configure(&format!("default_profile = \"claude\"\n{all}"));
    desk
}

fn start_callers(desk: &Desk<'_>, profiles: &[String], each: usize) -> Vec<(String, Running)> {
    let names = (0..each).flat_map(|_| profiles.iter());
    names.map(|name| (name.clone(), desk.start(["credentials", "--profile", name]))).collect()
}

/// The document of each profile. All callers of one profile must have got the same.
fn finish_callers(callers: Vec<(String, Running)>) -> Vec<(String, Value)> {
    let mut documents: Vec<(String, Value)> = Vec::new();
    for (name, caller) in callers {
        let document = caller.finish().expect_code(0).document();
        match documents.iter().find(|(known, _)| *known == name) {
            Some((_, first)) => assert_eq!(*first, document, "{name}"),
            None => documents.push((name, document)),
        }
    }
    documents
}

fn names(application: &str) -> Vec<String> {
    PROFILES.iter().map(|name| format!("{name}{application}")).collect()
}

fn run(desk: &Desk<'_>, command: &str, profile: &str) -> Outcome {
    desk.run([command, "--profile", profile])
}

#[test]
fn fifty_first_callers_of_five_profiles_share_one_prompt() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    let documents = finish_callers(start_callers(&desk, &names(""), 10));
    assert_eq!(documents.len(), 5);
    assert_eq!((counts(&world), desk.tabs(), world.live_grants()), ([1, 1, 0, 5], 1, 1));
}

#[test]
fn fifty_callers_of_five_profiles_share_one_refresh() {
    let world = World::new();
    world.next(5, Knob::CredentialLifetime, 10);
    let desk = desk_with_profiles(&world, &[""]);
    for name in names("") {
        run(&desk, "credentials", &name).expect_code(0);
    }
    let before = counts(&world);
    finish_callers(start_callers(&desk, &names(""), 10));
    let after = counts(&world);
    let spent: Vec<usize> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!((spent.as_slice(), desk.tabs(), world.live_grants()), (&[0, 0, 1, 5][..], 1, 1));
}

#[test]
fn sign_ins_of_two_applications_stay_separate() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &["", "bob"]);
    let all: Vec<String> = names("").into_iter().chain(names("bob")).collect();
    assert_eq!(finish_callers(start_callers(&desk, &all, 3)).len(), 10);
    assert_eq!((counts(&world), desk.tabs(), world.live_grants()), ([2, 2, 0, 10], 2, 2));
    run(&desk, "logout", "claudebob").expect_code(0);
    assert_eq!(world.live_grants(), 1);
    run(&desk, "credentials", "alpha").expect_code(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn kill_after_tokens_are_stored_causes_no_second_prompt() {
    for (knob, endpoint) in [(Knob::AssumeFault, Endpoint::Assume), (Knob::RefreshFault, Endpoint::Refresh)] {
        let world = World::new();
        world.next(2, Knob::CredentialLifetime, 10);
        let desk = desk_with_profiles(&world, &[""]);
        run(&desk, "credentials", "claude").expect_code(0);
        run(&desk, "credentials", "alpha").expect_code(0);
        desk.settle();
        let before = world.count(endpoint);
        world.next(1, knob, json!(Fault::Hang));
        let caller = desk.start(["credentials", "--profile", "claude"]);
        wait_until("the request is under way", || world.count(endpoint) == before + 1);
        desk.kill_all();
        caller.kill();
        for name in names("") {
            run(&desk, "credentials", &name).expect_code(0);
        }
        assert_eq!(desk.tabs(), 1, "{knob:?}");
    }
}

#[test]
fn kill_during_a_first_sign_in_blocks_no_profile() {
    for (knob, endpoint) in [
        (Knob::DiscoveryFault, Endpoint::Discovery),
        (Knob::KeysFault, Endpoint::Keys),
        (Knob::AuthorizeFault, Endpoint::Authorize),
        (Knob::CodeFault, Endpoint::Code),
        (Knob::AssumeFault, Endpoint::Assume),
    ] {
        let world = World::new();
        world.next(1, knob, json!(Fault::Hang));
        let desk = desk_with_profiles(&world, &[""]);
        let callers = start_callers(&desk, &names(""), 2);
        wait_until("the request is under way", || world.count(endpoint) == 1);
        desk.kill_all();
        callers.into_iter().for_each(|(_, caller)| drop(caller.kill()));
        let tabs = desk.tabs();
        assert_eq!(finish_callers(start_callers(&desk, &names(""), 2)).len(), 5, "{knob:?}");
        // Once the tokens are stored, the user is not prompted again.
        let more = if endpoint == Endpoint::Assume { 0 } else { 1 };
        assert_eq!((desk.tabs(), world.live_grants()), (tabs + more, 1), "{knob:?}");
    }
}

#[test]
fn slow_exchange_of_one_role_does_not_delay_another_role() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    run(&desk, "credentials", "claude").expect_code(0);
    world.next(1, Knob::AssumeFault, json!(Fault::Hold));
    let slow = desk.start(["credentials", "--profile", "alpha"]);
    assert!(world.ledger().wait_for(Endpoint::Assume, 2, Duration::from_secs(20)));
    run(&desk, "credentials", "claude").expect_code(0);
    run(&desk, "credentials", "beta").expect_code(0);
    world.release();
    slow.finish().expect_code(0);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn prompt_backoff_is_shared_by_all_profiles() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    desk.person("denies");
    run(&desk, "credentials", "claude").fails(5, "sign-in/access_denied");
    for name in ["alpha", "beta", "claude"] {
        run(&desk, "credentials", name).fails(4, "sign-in/paused");
    }
    assert_eq!(desk.tabs(), 1);
    desk.person("signs-in");
    run(&desk, "login", "beta").expect_code(0);
    run(&desk, "credentials", "alpha").expect_code(0);
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn caller_of_another_profile_waits_for_the_same_tab() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk_with_profiles(&world, &[""]);
    let first = desk.start(["credentials", "--profile", "claude"]);
    wait_until("a tab is open", || desk.tabs() == 1);
    let second = desk.start(["login", "--profile", "alpha"]);
    wait_until("the second caller waits", || desk.log().contains("waiting for another process"));
    run(&desk, "export", "beta").fails(4, "sign-in/waiting");
    world.release();
    first.finish().expect_code(0);
    assert!(second.finish().expect_code(0).stdout.contains("role alpha"));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 2], 1));
}

#[test]
fn revoked_session_prompts_once_for_all_profiles() {
    let world = World::new();
    world.next(5, Knob::CredentialLifetime, 10);
    let desk = desk_with_profiles(&world, &[""]);
    finish_callers(start_callers(&desk, &names(""), 1));
    desk.settle();
    world.revoke_grants();
    finish_callers(start_callers(&desk, &names(""), 2));
    assert_eq!((desk.tabs(), world.live_grants()), (2, 1));
}

#[test]
fn failed_refresh_preserves_the_shared_sign_in() {
    let world = World::new();
    world.next(5, Knob::CredentialLifetime, 10);
    let desk = desk_with_profiles(&world, &[""]);
    finish_callers(start_callers(&desk, &names(""), 1));
    desk.settle();
    world.next(1, Knob::RefreshFault, json!(Fault::Close));
    // Each call uses the cached ID token, which is still valid.
    run(&desk, "credentials", "alpha").expect_code(0);
    run(&desk, "credentials", "beta").expect_code(0);
    assert_eq!((desk.tabs(), world.live_grants()), (1, 1));
}

#[test]
fn new_user_replaces_credentials_of_every_profile() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    let first = finish_callers(start_callers(&desk, &names(""), 1));
    desk.settle();
    world.set(Knob::Claims, json!({ "sub": "other", "email": "other@example.com" }));
    desk.run(["login", "--force", "--profile", "claude"]).expect_code(0);
    for (name, document) in first {
        let now = run(&desk, "credentials", &name).expect_code(0).document();
        assert_ne!(now, document, "{name}");
    }
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn logout_lists_the_profiles_it_signs_out() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    finish_callers(start_callers(&desk, &names(""), 1));
    run(&desk, "logout", "beta").prints("logout: five profiles");
    assert_eq!(world.live_grants(), 0);
    for name in names("") {
        run(&desk, "export", &name).fails(4, "sign-in/not_allowed");
    }
}

#[test]
fn role_only_logout_leaves_sign_in_and_other_roles() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    let documents = finish_callers(start_callers(&desk, &names(""), 1));
    let (name, document) = &documents[1];
    desk.run(["logout", "--role-only", "--profile", name]).prints("logout --role-only: stored credentials");
    desk.run(["logout", "--role-only", "--profile", name]).prints("logout --role-only: no credentials");
    let status = desk.run(["status", "--json", "--profile", name]).expect_code(0).document();
    assert_eq!((&status["credentials"], &status["can_renew"]), (&Value::Null, &json!(true)));
    for (other, before) in documents.iter().filter(|(other, _)| other != name) {
        assert_eq!(run(&desk, "credentials", other).expect_code(0).document(), *before);
    }
    assert_ne!(run(&desk, "credentials", name).expect_code(0).document(), *document);
    assert_eq!((desk.tabs(), world.live_grants()), (1, 1));
}

#[test]
fn credentials_that_arrive_after_logout_are_not_stored() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    run(&desk, "credentials", "claude").expect_code(0);
    world.next(1, Knob::AssumeFault, json!(Fault::Hold));
    let late = desk.start(["credentials", "--no-login", "--profile", "alpha"]);
    assert!(world.ledger().wait_for(Endpoint::Assume, 2, Duration::from_secs(20)));
    run(&desk, "logout", "claude").expect_code(0);
    world.release();
    late.finish().fails(4, "sign-in/not_allowed");
    run(&desk, "export", "alpha").fails(4, "sign-in/not_allowed");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn quota_of_one_profile_does_not_affect_the_others() {
    let world = World::new();
    let desk = desk_with_profiles(&world, &[""]);
    let quota = json!(world.quota_endpoint());
    let text = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\n[profiles.alpha.quota]\nendpoint = {quota}\n"));
    world.set(
        Knob::Quota,
        json!({ "allowed": false, "reason": "monthly_exceeded", "message": "Monthly limit reached" }),
    );
    run(&desk, "credentials", "alpha").expect_code(8);
    run(&desk, "credentials", "beta").expect_code(0);
    run(&desk, "credentials", "alpha").expect_code(8);
    assert_eq!((desk.tabs(), world.count(Endpoint::Quota)), (1, 2));
    // The sign-in was made without this quota service, so the user has to accept the new host first.
    desk.configure(&format!("{text}\n[profiles.gamma.quota]\nendpoint = \"https://other.example\"\n"));
    run(&desk, "credentials", "gamma").fails(4, "sign-in/destination_changed");
    run(&desk, "credentials", "beta").expect_code(0);
}
