//! The session that AWS gives: how long it holds, and under which name.

use serde_json::{Value, json};
use testworld::{Desk, Knob, World};

use super::{PROGRAM, asked, desk};

fn lengths(world: &World) -> Vec<String> {
    asked(world).into_iter().map(|form| form["DurationSeconds"].clone()).collect()
}

// How long

#[test]
fn the_end_is_the_one_that_aws_names() {
    let world = World::new();
    let before = world.now();
    let document = desk(&world).credentials();
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    assert!((before + 43_200..=world.now() + 43_200).contains(&end.timestamp()), "{document}");
    assert!(document["Expiration"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_length_steps_down_to_what_the_role_allows_and_is_remembered() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    assert_eq!(lengths(&world), ["43200", "28800", "14400", "7200", "3600"]);
    desk.credentials();
    assert_eq!(lengths(&world)[5..], ["3600"], "a renewal costs one question");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_forced_sign_in_finds_out_anew_what_the_role_allows() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    let desk = desk(&world);
    desk.credentials();
    world.clear(Knob::RoleMaximum);
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(lengths(&world)[5..], ["43200"]);
}

#[test]
fn no_longer_is_asked_for_than_the_profile_wants() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    Desk::with(&world, PROGRAM, "session_duration = \"2h\"").credentials();
    assert_eq!(lengths(&world), ["7200", "3600"]);
}

// Under which name

/// The name of the session that this person's sign-in gets. STS here is as strict as the real one.
fn session_name(claims: Value) -> String {
    let world = World::new();
    world.set(Knob::Claims, claims);
    let desk = desk(&world);
    let shown = desk.run(["login"]).expect_code(0).stdout;
    let again = desk.run(["login", "--force"]).expect_code(0).stdout;
    let names: Vec<_> = asked(&world).into_iter().map(|form| form["RoleSessionName"].clone()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1], "one person, one name");
    for shown in [shown, again] {
        assert!(shown.contains(&names[0]), "{shown}");
    }
    names[0].clone()
}

#[test]
fn a_legal_name_is_taken_as_it_is_from_the_first_claim_that_says_something() {
    assert_eq!(session_name(json!({})), "demo@example.com");
    assert_eq!(session_name(json!({ "email": null })), "demo");
    assert_eq!(session_name(json!({ "email": "", "preferred_username": " " })), "00u-demo-1");
    assert_eq!(
        session_name(json!({ "email": null, "preferred_username": null, "upn": "d@corp.example" })),
        "d@corp.example"
    );
}

#[test]
fn a_name_that_sts_would_refuse_is_made_legal_and_stays_one_persons_own() {
    let marked = |name: &str, readable: &str| {
        let digest = name.strip_prefix(readable).and_then(|rest| rest.strip_prefix('='));
        digest.is_some_and(|digest| digest.len() == 20)
    };
    let long = "x".repeat(80);
    for (email, readable) in [
        ("zoë.ünal@example.com", "zo-.-nal@example.com"),
        ("王伟@example.cn", "--@example.cn"),
        ("a", "a"),
        (&long, &long[..43]),
        ("with space@example.com", "with-space@example.com"),
    ] {
        let name = session_name(json!({ "email": email }));
        assert!(marked(&name, readable), "{email}: {name}");
    }
    let nobody = json!({ "email": null, "preferred_username": null, "sub": "auth0|123" });
    assert!(marked(&session_name(nobody), "auth0-123"));
    assert_ne!(
        session_name(json!({ "email": "zoé@example.com" })),
        session_name(json!({ "email": "zoè@example.com" })),
        "two people, two names"
    );
}

#[test]
fn the_profile_says_which_claims_make_the_name() {
    let world = World::new();
    Desk::with(&world, PROGRAM, "session_name = [\"employee\", \"sub\"]").credentials();
    assert_eq!(asked(&world)[0]["RoleSessionName"], "00u-demo-1");
}

#[test]
fn a_text_with_claims_in_it_names_the_session_when_the_token_has_them() {
    for (department, name) in [(json!("ml"), "demo@example.com+ml"), (json!(null), "demo@example.com")] {
        let world = World::new();
        world.set(Knob::Claims, json!({ "department": department }));
        let names = r#"session_name = ["{email}+{department}", "email"]"#;
        Desk::with(&world, PROGRAM, names).credentials();
        assert_eq!(asked(&world)[0]["RoleSessionName"], name);
    }
}
