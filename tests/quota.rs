//! A quota service stands before AWS: allowed, warned, refused, unblocked, gone, slow and odd.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, World};

use crate::PROGRAM;

fn desk<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let quota = format!("[profiles.claude.quota]\nendpoint = {}\n{more}\n", json!(world.quota_endpoint()));
    Desk::with(world, PROGRAM, &quota)
}

fn seconds_left(world: &World, outcome: &Outcome) -> i64 {
    let text = outcome.document()["Expiration"].as_str().unwrap().to_owned();
    let end = chrono::DateTime::parse_from_rfc3339(&text).unwrap().timestamp();
    end - world.now()
}

fn blocked() -> Value {
    json!({
        "allowed": false, "reason": "monthly_exceeded", "enforcement_mode": "block",
        "usage": { "monthly_tokens": 1030, "monthly_limit": 1000, "monthly_percent": 103.0 },
        "policy": { "type": "user", "identifier": "demo@example.com" },
        "unblock_status": null, "message": "Monthly limit reached",
    })
}

#[test]
fn the_service_is_asked_before_aws_and_caps_the_expiration() {
    let world = World::new();
    let desk = desk(&world, "interval = \"30m\"");
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    assert!((1700..=1800).contains(&seconds_left(&world, &outcome)), "{}", outcome.stdout);
    let order: Vec<_> = world.ledger().requests().iter().map(|entry| entry.endpoint).collect();
    let place = |endpoint| order.iter().position(|one| *one == endpoint).unwrap();
    assert!(place(Endpoint::Quota) < place(Endpoint::Assume), "{order:?}");
    let again = desk.run(["credentials"]).expect_code(0);
    assert_eq!((again.stdout, world.count(Endpoint::Quota)), (outcome.stdout, 1));
}

#[test]
fn approval_beyond_the_interval_is_asked_for_again() {
    let world = World::new();
    let long = desk(&world, "interval = \"12h\"");
    long.run(["credentials"]).expect_code(0);
    let text = std::fs::read_to_string(long.config_file()).unwrap();
    long.configure(&text.replace("12h", "30m"));
    let outcome = long.run(["credentials"]).expect_code(0);
    assert_eq!(world.count(Endpoint::Quota), 2);
    assert!((1700..=1800).contains(&seconds_left(&world, &outcome)), "{}", outcome.stdout);
}

#[test]
fn when_only_the_check_is_due_only_the_service_is_asked() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    desk.run(["credentials"]).expect_code(0);
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert!((200..=240).contains(&seconds_left(&world, &outcome)));
    let asked = [Endpoint::Quota, Endpoint::Assume, Endpoint::Code, Endpoint::Refresh];
    assert_eq!((asked.map(|endpoint| world.count(endpoint)), desk.tabs()), ([2, 1, 1, 0], 1));
}

#[test]
fn a_token_that_has_ended_is_renewed_to_ask_with() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    world.age_next_id_token();
    desk.run(["credentials"]).expect_code(0);
    desk.run(["credentials"]).expect_code(0);
    let asked = [Endpoint::Quota, Endpoint::Assume, Endpoint::Refresh];
    assert_eq!((asked.map(|endpoint| world.count(endpoint)), desk.tabs()), ([2, 1, 1], 1));
}

#[test]
fn a_provider_that_is_gone_costs_nobody_a_check() {
    let world = World::new();
    let (allow, deny) = (desk(&world, "interval = \"4m\""), desk(&world, "interval = \"4m\"\non_error = \"deny\""));
    for desk in [&allow, &deny] {
        world.age_next_id_token();
        desk.run(["credentials"]).expect_code(0);
    }
    world.stop_provider();
    assert_eq!(allow.run(["credentials"]).expect_code(0).stderr, "");
    // Served all the same while the last yes holds, for nobody has said no.
    deny.run(["credentials"]).expect_code(0);
}

#[test]
fn an_interval_of_nothing_asks_each_time_and_never_hands_out_what_has_ended() {
    let world = World::new();
    let desk = desk(&world, "interval = \"0s\"");
    for asked in 1..=3 {
        let outcome = desk.run(["credentials"]).expect_code(0);
        assert!(seconds_left(&world, &outcome) > 0, "{}", outcome.stdout);
        assert_eq!(world.count(Endpoint::Quota), asked);
    }
    assert_eq!(world.count(Endpoint::Assume), 1);
}

#[test]
fn denied_quota_names_usage_limit_and_reset() {
    let world = World::new();
    let desk = desk(&world, "");
    world.set(Knob::Quota, blocked());
    let failed = desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    failed.message_has(&["103 %", "demo@example.com", "Monthly limit reached"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
    let status = desk.run(["status", "--json"]).document();
    assert_eq!(status["last_error"]["slug"], "quota/monthly_exceeded");
    assert_eq!(status["quota"]["monthly_percent"], 103.0);
}

#[test]
fn a_refusal_costs_nobody_their_sign_in() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    let first = desk.run(["credentials"]).expect_code(0).document();
    world.set(Knob::Quota, blocked());
    // Valid for AWS still, and all the same not served.
    desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    desk.run(["login"]).fails_without_golden(8, "quota/monthly_exceeded");
    world.clear(Knob::Quota);
    let unblocked = desk.run(["credentials"]).expect_code(0).document();
    assert_eq!(unblocked["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn a_warning_comes_once_a_day_and_holds_nobody_up() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    let almost = json!({ "allowed": true, "reason": "within_quota", "usage": { "monthly_percent": 83.4, "daily_percent": 12.0 } });
    world.set(Knob::Quota, almost);
    desk.run(["login"]).prints("login: almost over quota");
    let again = desk.run(["credentials"]).expect_code(0);
    assert_eq!((again.stderr.as_str(), world.count(Endpoint::Quota)), ("", 2));
    desk.run(["status"]).prints("status: almost over quota");
    let status = desk.run(["status", "--json"]).document();
    assert_eq!((&status["quota"]["monthly_percent"], &status["quota"]["daily_percent"]), (&json!(83.4), &json!(12.0)));
}

#[test]
fn a_service_that_gives_no_answer_is_judged_by_the_profile() {
    let faults = [
        Fault::Status(500),
        Fault::Close,
        Fault::Portal,
        Fault::Body { status: 200, content_type: "application/json".into(), body: "{}".into() },
        Fault::Redirect("https://elsewhere.example/".into()),
        Fault::Hang,
    ];
    for fault in faults {
        let world = World::new();
        let (allow, deny) = (desk(&world, "timeout = \"1s\""), desk(&world, "timeout = \"1s\"\non_error = \"deny\""));
        world.set(Knob::QuotaFault, fault.clone());
        assert_eq!(allow.run(["credentials"]).expect_code(0).stderr, "", "{fault:?}");
        deny.run(["credentials"]).fails(8, "quota/no_answer");
        assert_eq!(world.count(Endpoint::Assume), 1, "{fault:?}");
    }
}

#[test]
fn a_service_that_does_not_take_the_token_is_said_to() {
    let world = World::new();
    let desk = desk(&world, "on_error = \"deny\"");
    world.set(Knob::QuotaFault, Fault::Status(401));
    desk.run(["credentials"]).fails(8, "quota/unwelcome").message_has(&["401"]);
}

#[test]
fn a_service_that_is_down_and_comes_back_is_asked_again() {
    let world = World::new();
    let desk = desk(&world, "on_error = \"deny\"\ntimeout = \"1s\"");
    world.stop_quota();
    desk.run(["credentials"]).fails(8, "quota/no_answer");
    world.start_quota();
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_renewal_behind_the_scenes_asks_before_aws_too() {
    let world = World::new();
    let desk = desk(&world, "interval = \"15m\"");
    desk.run(["credentials"]).expect_code(0);
    desk.run(["credentials"]).expect_code(0);
    desk.settle();
    assert_eq!((world.count(Endpoint::Quota), world.count(Endpoint::Assume)), (2, 1));
}
