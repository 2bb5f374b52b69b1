//! The session that AWS gives: its duration and its name.

use serde_json::{Value, json};
use testworld::{Desk, Knob, World};

use super::{PROGRAM, desk, role_requests};

fn requested_durations(world: &World) -> Vec<String> {
    role_requests(world).into_iter().map(|form| form["DurationSeconds"].clone()).collect()
}

// Duration

#[test]
fn expiration_is_the_one_aws_returned() {
    let world = World::new();
    let before = world.now();
    let document = desk(&world).credentials();
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    assert!((before + 43_200..=world.now() + 43_200).contains(&end.timestamp()), "{document}");
    assert!(document["Expiration"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn session_duration_steps_down_to_the_role_maximum() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    assert_eq!(requested_durations(&world), ["43200", "28800", "14400", "7200", "3600"]);
    desk.credentials();
    assert_eq!(requested_durations(&world)[5..], ["3600"], "a refresh sends one request");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn forced_login_tries_the_full_duration_again() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    let desk = desk(&world);
    desk.credentials();
    world.clear(Knob::RoleMaximum);
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(requested_durations(&world)[5..], ["43200"]);
}

#[test]
fn requested_duration_never_exceeds_the_profile() {
    let world = World::new();
    world.set(Knob::RoleMaximum, 3600);
    Desk::with(&world, PROGRAM, "session_duration = \"2h\"").credentials();
    assert_eq!(requested_durations(&world), ["7200", "3600"]);
}

// Name

/// The session name that a user with these claims gets. The test STS rejects the same names as the real one.
fn session_name(claims: Value) -> String {
    let world = World::new();
    world.set(Knob::Claims, claims);
    let desk = desk(&world);
    let shown = desk.run(["login"]).expect_code(0).stdout;
    let again = desk.run(["login", "--force"]).expect_code(0).stdout;
    let names: Vec<_> = role_requests(&world).into_iter().map(|form| form["RoleSessionName"].clone()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1], "the same user gets the same name");
    for shown in [shown, again] {
        assert!(shown.contains(&names[0]), "{shown}");
    }
    names[0].clone()
}

#[test]
fn session_name_uses_the_first_nonempty_claim() {
    assert_eq!(session_name(json!({})), "demo@example.com");
    assert_eq!(session_name(json!({ "email": null })), "demo");
    assert_eq!(session_name(json!({ "email": "", "preferred_username": " " })), "00u-demo-1");
    assert_eq!(
        session_name(json!({ "email": null, "preferred_username": null, "upn": "d@corp.example" })),
        "d@corp.example"
    );
}

#[test]
fn session_name_is_made_valid_and_stays_unique() {
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
        "different users get different names"
    );
}

#[test]
fn session_name_claims_come_from_the_profile() {
    let world = World::new();
    Desk::with(&world, PROGRAM, "session_name = [\"employee\", \"sub\"]").credentials();
    assert_eq!(role_requests(&world)[0]["RoleSessionName"], "00u-demo-1");
}

#[test]
fn session_name_template_needs_all_of_its_claims() {
    for (department, name) in [(json!("ml"), "demo@example.com+ml"), (json!(null), "demo@example.com")] {
        let world = World::new();
        world.set(Knob::Claims, json!({ "department": department }));
        let names = r#"session_name = ["{email}+{department}", "email"]"#;
        Desk::with(&world, PROGRAM, names).credentials();
        assert_eq!(role_requests(&world)[0]["RoleSessionName"], name);
    }
}
