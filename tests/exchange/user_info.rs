//! The name of a session whose user has no readable name in the ID token, and UserInfo as a source of names.

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World};

use super::{PROGRAM, desk, role_requests};
use crate::SPENT;

/// A world whose ID tokens have no name of the user, and whose UserInfo has one.
fn nameless() -> World {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": null, "preferred_username": null }));
    world.set(Knob::UserInfo, json!({}));
    world
}

fn asking(world: &World) -> Desk<'_> {
    Desk::with(world, PROGRAM, "session_name = [\"email\", \"userinfo:email\", \"sub\"]")
}

fn names(world: &World) -> Vec<String> {
    role_requests(world).into_iter().map(|form| form["RoleSessionName"].clone()).collect()
}

fn named_by_subject(desk: &Desk<'_>) -> Value {
    desk.run(["status", "--json"]).expect_code(0).document()["identity"]["named_by_subject"].clone()
}

fn session_name_check(desk: &Desk<'_>) -> Value {
    let checks = desk.run(["doctor", "--json"]).document()["checks"].clone();
    let is_ours = |check: &&Value| check["name"] == "session-name";
    checks.as_array().unwrap().iter().find(is_ours).unwrap().clone()
}

#[test]
fn opaque_session_name_is_reported_with_a_remedy() {
    let world = nameless();
    let desk = desk(&world);
    assert_eq!(session_name_check(&desk)["result"], "skipped");
    let login = desk.run(["login"]).expect_code(0);
    assert!(login.stdout.contains("Signed in as 00u-demo-1: "), "{login:?}");
    desk.expect_wording("output", "login: an opaque session name", &login.stderr);
    assert_eq!(named_by_subject(&desk), json!(true));
    let shown = desk.run(["status"]).expect_code(0).stdout;
    let check = session_name_check(&desk);
    assert_eq!(check["result"], "warn");
    for text in [check["message"].as_str().unwrap(), check["remedy"].as_str().unwrap()] {
        assert!(shown.contains(text) && login.stderr.contains(text), "{text}: {shown}");
    }
    assert_eq!((names(&world), world.count(Endpoint::UserInfo)), (vec!["00u-demo-1".to_owned()], 0));
    desk.credentials();
}

#[test]
fn subject_that_the_profile_prefers_is_not_reported() {
    let world = nameless();
    let desk = Desk::with(&world, PROGRAM, "session_name = [\"sub\"]");
    assert_eq!(desk.run(["login"]).expect_code(0).stderr, "");
    assert_eq!((named_by_subject(&desk), session_name_check(&desk)["result"].clone()), (json!(false), json!("ok")));
}

#[test]
fn user_info_names_the_session_and_only_sign_ins_fetch_it() {
    let world = nameless();
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = asking(&world);
    assert_eq!(desk.run(["login"]).expect_code(0).stderr, "");
    world.set(Knob::UserInfoFault, Fault::Status(500));
    desk.credentials();
    desk.credentials();
    assert_eq!(names(&world), ["demo@example.com"; 3]);
    assert_eq!((world.count(Endpoint::UserInfo), world.count(Endpoint::Refresh), desk.tabs()), (1, 2, 1));
    assert_eq!((named_by_subject(&desk), session_name_check(&desk)["result"].clone()), (json!(false), json!("ok")));
    let email = desk.run(["status", "--json"]).expect_code(0).document()["identity"]["email"].clone();
    assert_eq!(email, "demo@example.com");
    let headers = desk.run(["otel-headers"]).expect_code(0).document();
    assert_eq!(headers["x-user-email"], "demo@example.com");
}

#[test]
fn user_info_is_not_fetched_without_need() {
    let world = World::new();
    world.set(Knob::UserInfo, json!({ "email": "other@example.com" }));
    for settings in
        ["", "session_name = [\"email\", \"userinfo:email\"]", "session_name = [\"sub\", \"userinfo:email\"]"]
    {
        Desk::with(&world, PROGRAM, settings).credentials();
    }
    assert_eq!(names(&world), ["demo@example.com", "demo@example.com", "00u-demo-1"]);
    assert_eq!(world.count(Endpoint::UserInfo), 0);
}

/// The sign-in goes on, and says why there is no name.
#[test]
fn unusable_user_info_leaves_the_subject_as_the_name() {
    let answers =
        [json!({ "sub": "another" }), json!({ "sub": null }), json!({ "email": null }), json!({ "email": 7 })];
    let faults = [Fault::Status(503), Fault::Redirect("http://127.0.0.1:1/".into()), Fault::Portal, Fault::Close];
    let worlds = answers.into_iter().map(|answer| (answer, None));
    for (answer, fault) in worlds.chain(faults.into_iter().map(|fault| (json!({}), Some(fault)))) {
        let world = nameless();
        world.set(Knob::UserInfo, answer);
        if let Some(fault) = fault {
            world.set(Knob::UserInfoFault, fault);
        }
        let desk = asking(&world);
        let login = desk.run(["login"]).expect_code(0);
        desk.expect_wording("output", "login: an opaque session name in spite of UserInfo", &login.stderr);
        assert_eq!((names(&world), named_by_subject(&desk)), (vec!["00u-demo-1".to_owned()], json!(true)));
    }
}

#[test]
fn silent_user_info_costs_five_seconds() {
    let world = nameless();
    world.set(Knob::UserInfoFault, Fault::Hang);
    let desk = asking(&world);
    let login = desk.run(["login"]).expect_code(0);
    assert!((5..20).contains(&login.took.as_secs()), "{:?}", login.took);
    assert_eq!(names(&world), ["00u-demo-1"]);
}

#[test]
fn provider_without_user_info_leaves_the_subject() {
    let world = nameless();
    world.clear(Knob::UserInfo);
    let desk = asking(&world);
    desk.credentials();
    assert_eq!((names(&world), world.count(Endpoint::UserInfo)), (vec!["00u-demo-1".to_owned()], 0));
}

#[test]
fn user_info_of_one_user_never_names_another() {
    let world = nameless();
    let desk = asking(&world);
    desk.credentials();
    world.set(Knob::Claims, json!({ "sub": "second", "email": null, "preferred_username": null }));
    world.set(Knob::UserInfoFault, Fault::Status(503));
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(names(&world), ["demo@example.com", "second"]);
}

#[test]
fn session_tags_and_source_identity_ignore_user_info() {
    let world = nameless();
    let tags = json!({ "https://aws.amazon.com/source_identity": "forged", "email": "demo@example.com" });
    world.set(Knob::UserInfo, tags);
    let desk = Desk::with(&world, PROGRAM, "session_name = [\"userinfo:https://aws.amazon.com/source_identity\"]");
    desk.credentials();
    let identity = desk.run(["status", "--json"]).expect_code(0).document()["identity"].clone();
    assert_eq!((names(&world), &identity["source_identity"]), (vec!["forged".to_owned()], &Value::Null));
}

#[test]
fn config_check_notes_that_aws_does_not_see_user_info() {
    let world = World::new();
    let desk = asking(&world);
    let outcome = desk.run(["config", "check"]).expect_code(0);
    let note = outcome.stdout.lines().find(|line| line.starts_with("note: ")).unwrap();
    assert!(note.contains("session_name") && note.contains("sts:RoleSessionName"), "{note}");
    let configuration = desk.run(["doctor", "--json"]).document()["checks"][1].clone();
    assert_eq!((&configuration["name"], &configuration["result"]), (&json!("configuration"), &json!("ok")));
    desk.set_key("session_name", "[\"userinfo:\"]");
    assert_eq!(desk.run(["config", "check"]).code, Some(3));
}
