//! The quota service, which the program calls before AWS: it allows, warns, denies, is slow or does not answer.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, World, wait_until};

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

fn denied_answer() -> Value {
    json!({
        "allowed": false, "reason": "monthly_exceeded", "enforcement_mode": "block",
        "usage": { "monthly_tokens": 1030, "monthly_limit": 1000, "monthly_percent": 103.0 },
        "policy": { "type": "user", "identifier": "demo@example.com" },
        "unblock_status": null, "message": "Monthly limit reached",
    })
}

#[test]
fn denial_of_an_hour_or_a_block_says_until_when() {
    let world = World::new();
    let desk = desk(&world, "");
    for (reason, slug, sentence) in [
        ("hourly_cost_exceeded", "quota/hourly_cost_exceeded", "this hour's quota is used up"),
        ("blocked", "quota/blocked", "your administrator has blocked you"),
    ] {
        let mut answer = denied_answer();
        answer["reason"] = json!(reason);
        answer["resets_at"] = json!("2100-01-01T00:00:00Z");
        world.set(Knob::Quota, answer);
        let failed = desk.run(["credentials"]).fails_without_golden(8, slug);
        failed.message_has(&[sentence]);
        failed.hint_has(&["until", "2100-01-01"]);
    }
}

#[test]
fn quota_check_precedes_aws_and_caps_the_expiration() {
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
fn quota_is_checked_again_after_the_interval_is_shortened() {
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
fn due_quota_check_calls_only_the_quota_service() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    desk.run(["credentials"]).expect_code(0);
    let outcome = desk.run(["credentials"]).expect_code(0);
    assert!((200..=240).contains(&seconds_left(&world, &outcome)));
    let asked = [Endpoint::Quota, Endpoint::Assume, Endpoint::Code, Endpoint::Refresh];
    assert_eq!((asked.map(|endpoint| world.count(endpoint)), desk.tabs()), ([2, 1, 1, 0], 1));
}

#[test]
fn expired_id_token_is_refreshed_for_the_quota_check() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    world.age_next_id_token();
    desk.run(["credentials"]).expect_code(0);
    desk.run(["credentials"]).expect_code(0);
    let asked = [Endpoint::Quota, Endpoint::Assume, Endpoint::Refresh];
    assert_eq!((asked.map(|endpoint| world.count(endpoint)), desk.tabs()), ([2, 1, 1], 1));
}

#[test]
fn quota_approval_lasts_while_the_provider_is_unreachable() {
    let world = World::new();
    let (allow, deny) = (desk(&world, "interval = \"4m\""), desk(&world, "interval = \"4m\"\non_error = \"deny\""));
    for desk in [&allow, &deny] {
        world.age_next_id_token();
        desk.run(["credentials"]).expect_code(0);
    }
    world.stop_provider();
    assert_eq!(allow.run(["credentials"]).expect_code(0).stderr, "");
    // The last approval is still valid, and no check has denied it.
    deny.run(["credentials"]).expect_code(0);
}

#[test]
fn quota_interval_zero_checks_on_every_call() {
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
    world.set(Knob::Quota, denied_answer());
    let failed = desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    failed.message_has(&["103 %", "demo@example.com", "Monthly limit reached"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
    let status = desk.run(["status", "--json"]).document();
    assert_eq!(status["last_error"]["slug"], "quota/monthly_exceeded");
    assert_eq!(status["quota"]["monthly_percent"], 103.0);
}

#[test]
fn quota_denial_preserves_the_sign_in() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    let first = desk.run(["credentials"]).expect_code(0).document();
    world.set(Knob::Quota, denied_answer());
    // AWS would still accept the credentials, but they are not served.
    desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    desk.run(["login"]).fails_without_golden(8, "quota/monthly_exceeded");
    world.clear(Knob::Quota);
    let unblocked = desk.run(["credentials"]).expect_code(0).document();
    assert_eq!(unblocked["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
fn quota_warning_is_shown_once_a_day() {
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
fn status_says_blocked_why_until_when_and_whom_to_ask() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    desk.run(["credentials"]).expect_code(0);
    let blocked = json!({
        "allowed": false, "reason": "blocked", "policy": { "type": "user", "identifier": "demo@example.com" },
        "message": "You have been blocked. Reason: left. Ask it-help@example.com.", "resets_at": "2100-01-01T00:00:00Z",
    });
    world.set(Knob::Quota, blocked);
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    desk.run(["status"]).prints("status: blocked");
    let denied = desk.run(["status", "--json"]).document()["quota"]["denied"].clone();
    assert_eq!((&denied["blocked"], &denied["reason"]), (&json!(true), &json!("blocked")));
    assert_eq!(
        (&denied["until"], &denied["policy"]),
        (&json!("2100-01-01T00:00:00Z"), &json!("user demo@example.com"))
    );
    assert!(denied["message"].as_str().unwrap().contains("it-help@example.com"), "{denied}");
    world.set(Knob::Quota, denied_answer());
    desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    desk.run(["status"]).prints("status: a limit is reached");
    assert_eq!(desk.run(["status", "--json"]).document()["quota"]["denied"]["blocked"], false);
    // A block whose end has come is history.
    world.set(Knob::Quota, json!({ "allowed": false, "reason": "blocked", "resets_at": "2020-01-01T00:00:00Z" }));
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    assert_eq!(desk.run(["status", "--json"]).document()["quota"]["denied"], Value::Null);
    world.clear(Knob::Quota);
    desk.run(["credentials"]).expect_code(0);
    let quota = desk.run(["status", "--json"]).document()["quota"].clone();
    assert_eq!((&quota["denied"], &quota["monthly_percent"]), (&Value::Null, &json!(1.0)));
}

#[test]
fn login_shows_each_time_what_is_almost_spent() {
    let world = World::new();
    let desk = desk(&world, "");
    world.set(Knob::Quota, json!({ "allowed": true, "usage": { "monthly_percent": 83.4, "daily_percent": 12.0 } }));
    for _ in 0..2 {
        let shown = desk.run(["login"]).expect_code(0).stdout;
        assert!(shown.contains("83 %") && !shown.contains("12 %"), "{shown}");
    }
    assert_eq!(world.count(Endpoint::Quota), 1);
}

#[test]
fn status_shows_the_usage_of_the_latest_check() {
    let world = World::new();
    let desk = desk(&world, "interval = \"4m\"");
    for percent in [12.5, 40.0] {
        world.set(Knob::Quota, json!({ "allowed": true, "usage": { "monthly_percent": percent } }));
        desk.run(["credentials"]).expect_code(0);
        assert_eq!(desk.run(["status", "--json"]).document()["quota"]["monthly_percent"], percent);
    }
    assert_eq!((world.count(Endpoint::Quota), world.count(Endpoint::Assume)), (2, 1));
}

#[test]
fn quota_service_failure_follows_on_error() {
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
fn missing_answer_ends_no_approval_that_is_valid() {
    for interval in ["4m", "15m"] {
        let world = World::new();
        let desk = desk(&world, &format!("on_error = \"deny\"\ninterval = \"{interval}\""));
        let first = desk.credentials();
        world.set(Knob::QuotaFault, Fault::Status(503));
        // With the shorter interval the first call itself asks in vain, with the longer one its background renewal. The
        // next calls leave the service alone for a minute.
        for _ in 0..3 {
            assert_eq!(desk.credentials(), first, "{interval}");
            desk.settle();
        }
        assert_eq!(world.count(Endpoint::Quota), 2, "{interval}");
    }
}

#[test]
fn quota_service_that_rejects_the_token_is_reported() {
    let world = World::new();
    let desk = desk(&world, "on_error = \"deny\"");
    world.set(Knob::QuotaFault, Fault::Status(401));
    desk.run(["credentials"]).fails(8, "quota/unwelcome").message_has(&["401"]);
}

#[test]
fn quota_service_is_called_again_after_an_outage() {
    let world = World::new();
    let desk = desk(&world, "on_error = \"deny\"\ntimeout = \"1s\"");
    world.stop_quota();
    desk.run(["credentials"]).fails(8, "quota/no_answer");
    world.start_quota();
    assert_eq!(desk.run(["credentials"]).expect_code(0).stderr, "");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn background_refresh_checks_the_quota_first() {
    let world = World::new();
    let desk = desk(&world, "interval = \"15m\"");
    desk.run(["credentials"]).expect_code(0);
    desk.run(["credentials"]).expect_code(0);
    desk.settle();
    assert_eq!((world.count(Endpoint::Quota), world.count(Endpoint::Assume)), (2, 1));
}

#[test]
fn limits_are_shown_with_what_is_used() {
    let world = World::new();
    let desk = desk(&world, "");
    desk.run(["credentials"]).expect_code(0);
    let overview = json!({
        "version": 1, "person": "demo@example.com", "blocked": null,
        "limits": [{ "scope": "default", "period": "month", "unit": "usd", "limit": 200, "used": 171.25,
                     "resets_at": "2030-01-01T00:00:00Z", "action": "block" }],
    });
    world.set(Knob::QuotaOverview, overview.clone());
    let shown = desk.run(["quota"]).expect_code(0);
    assert!(shown.stdout.contains("this month  171.25 of 200.00 USD  █"), "{}", shown.stdout);
    assert!(shown.stdout.contains("86 %  resets 20"), "{}", shown.stdout);
    assert_eq!(shown.stderr, "");
    world.set(Knob::QuotaOverview, overview.clone());
    let printed = desk.run(["quota", "--json"]).expect_code(0).document();
    assert_eq!(printed["limits"][0]["limit"], 200.0);
    assert_eq!(printed["person"], overview["person"]);
}

/// A home whose service reports a limit, a block and hostile names.
fn desk_with_overview(world: &World) -> Desk<'_> {
    let desk = desk(world, "");
    desk.run(["credentials"]).expect_code(0);
    let hostile = "</p><script>alert(1)</script>";
    world.set(
        Knob::QuotaOverview,
        json!({
            "version": 1, "person": hostile, "contact": hostile,
            "blocked": { "since": null, "until": null, "reason": hostile },
            "limits": [{ "scope": "default", "period": "month", "unit": "usd", "limit": 200, "used": 171.25,
                         "resets_at": "2030-01-01T00:00:00Z", "action": "block" }],
        }),
    );
    desk
}

#[test]
fn page_is_shown_once_in_the_browser() {
    let world = World::new();
    let desk = desk_with_overview(&world);
    desk.person("opens-the-console");
    let shown = desk.run(["quota", "--html"]).expect_code(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.lines().count()), ("", 1), "{shown:?}");
    wait_until("the page is shown", || desk.page().is_some_and(|page| page.contains("You are blocked")));
    let page = desk.page().unwrap();
    assert!(page.contains("171.25 of 200.00 USD") && page.contains("86 % used"), "{page}");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    wait_until("the address was opened again", || desk.second_visit().is_some());
    assert_ne!(desk.second_visit().as_deref(), Some("status 200"));
    assert!(!desk.data().join("limits.html").exists());
}

#[test]
fn page_is_in_a_private_file_without_a_browser() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let desk = desk_with_overview(&world);
    desk.set_key("browser", "[\"none\"]");
    let tabs = desk.tabs();
    let printed = desk.run(["quota", "--html"]).expect_code(0);
    let file = desk.data().join("limits.html");
    assert_eq!(printed.stdout, format!("{}\n", file.display()));
    let (page, mode) =
        (std::fs::read_to_string(&file).unwrap(), std::fs::metadata(&file).unwrap().permissions().mode());
    assert!(page.contains("Content-Security-Policy") && !page.contains("<script"), "{page}");
    assert_eq!((mode & 0o777, desk.tabs()), (0o600, tabs));
    desk.run(["logout"]).expect_code(0);
    assert!(!file.exists());
    desk.run(["quota", "--html", "--json"]).expect_code(2);
}

#[test]
fn browser_that_fails_leads_to_the_file() {
    let world = World::new();
    let desk = desk_with_overview(&world);
    desk.set_key("browser", "[\"/bin/false\", \"{url}\"]");
    let printed = desk.run(["quota", "--html"]).expect_code(0);
    assert_eq!(printed.stdout, format!("{}\n", desk.data().join("limits.html").display()));
}

#[test]
fn contact_is_shown_to_those_who_need_it() {
    let world = World::new();
    let desk = desk(&world, "");
    desk.run(["credentials"]).expect_code(0);
    let overview = |used: u32| {
        json!({ "version": 1, "person": "demo@example.com", "contact": "it-help@example.com", "blocked": null,
                "limits": [{ "period": "day", "unit": "usd", "limit": 10, "used": used, "resets_at": null }] })
    };
    for (used, is_shown) in [(1, false), (9, true)] {
        world.set(Knob::QuotaOverview, overview(used));
        let shown = desk.run(["quota"]).expect_code(0).stdout;
        assert_eq!(shown.contains("Whom to ask: it-help@example.com"), is_shown, "{shown}");
    }
}

#[test]
fn sample_shows_the_usage_that_its_check_reports() {
    let world = World::new();
    let desk = desk(&world, "");
    desk.run(["credentials"]).expect_code(0);
    world.set(Knob::Quota, denied_answer());
    let shown = desk.run(["quota"]).expect_code(0);
    assert!(shown.stdout.starts_with("this month  1030 of 1000 tokens"), "{}", shown.stdout);
}

#[test]
fn limits_need_a_sign_in_a_service_and_its_answer() {
    let world = World::new();
    let desk = desk(&world, "timeout = \"1s\"");
    desk.run(["quota"]).fails_without_golden(4, "sign-in/not_allowed");
    assert_eq!(world.count(Endpoint::Quota), 0);
    desk.run(["credentials"]).expect_code(0);
    world.set(Knob::QuotaFault, Fault::Status(503));
    desk.run(["quota"]).fails_without_golden(8, "quota/no_answer");
    let plain = Desk::new(&world, PROGRAM);
    plain.run(["quota"]).fails(3, "config/no_quota_service");
}
