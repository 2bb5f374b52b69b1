//! `otel-headers`, as Claude Code's `otelHeadersHelper`: an answer at once, whatever is the matter.

use std::{fs, process::Stdio, time::Duration};

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World, wait_until};

use super::{PROGRAM, counts, desk, said, signed_in};

/// Where telemetry goes in these tests.
const COLLECTOR: &str = "https://otel.example.com";
const WITH_TOKEN: &str = "telemetry.send_token = true\n\
                          telemetry.collectors = [\"https://otel.example.com\"]\n\
                          claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example.com\" }";

/// More lines for the profile at a desk.
fn configured<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    desk.credentials();
    desk
}

/// The answer where the token may be in it: its stdout is a secret then, and is not searched.
fn with_token(desk: &Desk<'_>) -> Value {
    let output = desk.command().arg("otel-headers").stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn without_token(desk: &Desk<'_>) -> Value {
    let outcome = desk.run(["otel-headers"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    outcome.document()
}

/// A line of the log about telemetry has this in it.
#[track_caller]
fn assert_log_names(desk: &Desk<'_>, fact: &str) {
    let log = desk.log();
    assert!(log.lines().any(|line| line.contains(" telemetry: ") && line.contains(fact)), "{fact}: {log}");
}

/// Its time is over by this machine's clock, and not yet by everybody else's: a sign-in forgives a minute, headers nothing.
fn let_the_first_token_be_old(world: &World) {
    world.set(Knob::Clock, -50);
    world.next(1, Knob::IdTokenLifetime, 45);
}

#[test]
fn the_headers_of_the_guidance_come_from_what_is_kept() {
    let world = World::new();
    let desk = signed_in(&world);
    let requests = world.ledger().total();
    let id = "x-user-id";
    let mut headers = without_token(&desk);
    assert_eq!(headers[id].as_str().unwrap().len(), 36);
    headers.as_object_mut().unwrap().remove(id);
    let expected = json!({
        "x-user-email": "demo@example.com", "x-user-name": "demo", "x-organization": "amazon-internal",
        "x-department": "unspecified", "x-team-id": "default-team", "x-cost-center": "general",
        "x-manager": "unassigned", "x-location": "remote", "x-role": "user",
    });
    assert_eq!(headers, expected);
    desk.settle();
    assert_eq!(world.ledger().total(), requests);
}

#[test]
fn the_profile_may_name_other_headers() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "name": "Zoë\r\nx-admin: yes", "groups": ["a", "b"] }));
    let more = "telemetry.headers = { X-Name = [\"none\", \"name\"], x-groups = \"groups\", x-none = \"none\" }";
    let desk = configured(&world, more);
    let expected = "{\"x-groups\":\"a,b\",\"x-name\":\"Zo%C3%AB%0D%0Ax-admin: yes\"}\n";
    said(&desk.run(["otel-headers"]), expected);
}

#[test]
fn whatever_is_the_matter_the_answer_is_an_empty_object_and_success() {
    let world = World::new();
    let desk = desk(&world);
    said(&desk.run(["otel-headers"]), "{}\n");
    said(&desk.run(["otel-headers", "--profile", "none"]), "{}\n");
    said(&desk.run(["otel-headers", "--config", "/no/such/file"]), "{}\n");
    let good = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure("not TOML [");
    said(&desk.run(["otel-headers"]), "{}\n");
    desk.configure(&good.replace("\"file\"", "\"keyring\""));
    said(&desk.run(["otel-headers"]), "{}\n");
    desk.configure(&good.replace("\"file\"", "\"none\""));
    said(&desk.run(["otel-headers"]), "{}\n");
    fs::remove_file(desk.config_file()).unwrap();
    said(&desk.run(["otel-headers"]), "{}\n");
    desk.set_variable("BEDROCK_SSO_LOG_FILE", "/no/such/folder/log.txt");
    said(&desk.run(["otel-headers"]), "{}\n");
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
}

#[test]
fn what_is_kept_and_cannot_be_read_is_an_empty_object_too() {
    let world = World::new();
    let desk = signed_in(&world);
    let folder = desk.home().join(".local/share/bedrock-sso");
    fs::remove_file(folder.join("key")).unwrap();
    fs::create_dir(folder.join("key")).unwrap();
    said(&desk.run(["otel-headers"]), "{}\n");
    assert_log_names(&desk, &folder.join("key").display().to_string());
}

#[test]
fn a_command_line_that_means_nothing_is_answered_and_told() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["otel-headers", "--no-such-flag"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"));
    assert!(outcome.stderr.contains(" [usage/unknown_argument]\n  hint: "), "{}", outcome.stderr);
}

#[test]
fn nothing_but_an_answer_is_waited_for_with_every_network_silent() {
    let world = World::new();
    let_the_first_token_be_old(&world);
    let desk = signed_in(&world);
    for knob in [Knob::RefreshFault, Knob::DiscoveryFault, Knob::AssumeFault] {
        world.set(knob, json!(Fault::Hang));
    }
    wait_until("a renewal is under way", || {
        assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com");
        world.count(Endpoint::Refresh) == 1
    });
    assert!(!desk.processes().is_empty(), "it goes on, and nobody waits for it");
    assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com");
    desk.kill_all();
}

#[test]
fn an_old_token_is_renewed_by_a_process_that_nobody_waits_for() {
    let world = World::new();
    let_the_first_token_be_old(&world);
    let desk = signed_in(&world);
    world.set(Knob::Claims, json!({ "email": "renamed@example.com" }));
    wait_until("its renewal has brought a newer one", || without_token(&desk)["x-user-email"] == "renamed@example.com");
    desk.settle();
    assert_eq!(counts(&world, &desk), [1, 1, 1, 1], "one refresh, and AWS is not asked");
    without_token(&desk);
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 1, "a new token is left alone");
}

#[test]
fn a_session_that_the_provider_has_ended_still_says_who_it_was() {
    let world = World::new();
    let_the_first_token_be_old(&world);
    let desk = signed_in(&world);
    world.revoke_grants();
    wait_until("the refresh token was refused", || {
        without_token(&desk);
        world.count(Endpoint::Refresh) == 1
    });
    desk.settle();
    assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com");
    assert_eq!(desk.run(["status", "--json"]).document()["last_error"], Value::Null);
    desk.run(["logout"]).expect_code(0);
    said(&desk.run(["otel-headers"]), "{}\n");
}

#[test]
fn the_token_goes_along_when_asked_for_and_only_where_it_is_safe() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 2 * 60 * 60);
    let desk = configured(&world, WITH_TOKEN);
    let kept = desk.run(["token"]).expect_code(0).document()["Authorization"].clone();
    assert!(kept.as_str().unwrap().starts_with("Bearer eyJ"));
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert_eq!(with_token(&desk)["authorization"], kept);
    desk.set_variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://otel.example.com:4318");
    said(&desk.run(["otel-headers"]), "{}\n");
    assert_log_names(&desk, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
    desk.unset_variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
    desk.unset_variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(without_token(&desk)["authorization"], Value::Null);
    assert_log_names(&desk, " OTEL_EXPORTER_OTLP_ENDPOINT ");
    assert_eq!(world.count(Endpoint::Refresh), 0);
}

/// A repository's settings may name another collector for each kind of telemetry.
#[test]
fn other_collectors_than_the_configured_are_told_nothing() {
    let world = World::new();
    let desk = configured(&world, "telemetry.collectors = [\"https://otel.example.com\"]");
    assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com");
    for variable in ["", "METRICS_", "LOGS_", "TRACES_"].map(|of| format!("OTEL_EXPORTER_OTLP_{of}ENDPOINT")) {
        desk.set_variable(&variable, "https://collector.example.net");
        said(&desk.run(["otel-headers"]), "{}\n");
        desk.set_variable(&variable, COLLECTOR);
        assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com", "{variable}");
    }
    assert_log_names(&desk, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
}

#[test]
fn a_refused_variable_is_an_empty_object_and_the_log_says_why() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_variable("BEDROCK_SSO_TELEMETRY_HEADERS", "{ x-planted = \"email\" }");
    said(&desk.run(["otel-headers"]), "{}\n");
    let log = desk.log();
    assert!(log.contains("[config/variable_refused]") && log.contains("BEDROCK_SSO_TELEMETRY_HEADERS"), "{log}");
    assert!(!log.contains("x-planted"), "{log}");
}

#[test]
fn a_token_that_goes_along_is_renewed_before_it_ends() {
    let world = World::new();
    // The provider's clock is behind, so the token has used up a quarter of its life already.
    world.set(Knob::Clock, -50);
    world.next(1, Knob::IdTokenLifetime, 180);
    let desk = configured(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    let older = with_token(&desk)["authorization"].clone();
    assert!(older.is_string());
    assert!(world.ledger().wait_for(Endpoint::Refresh, 1, Duration::from_secs(20)));
    desk.settle();
    let newer = with_token(&desk)["authorization"].clone();
    assert!(newer.is_string() && newer != older);
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 1);
}

#[test]
fn a_new_token_of_an_hour_is_not_renewed() {
    let world = World::new();
    let desk = configured(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert!(with_token(&desk)["authorization"].is_string());
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 0);
}

/// Two callers may each start a worker before the first of them holds the lock; the second comes to a new token.
#[test]
fn two_workers_for_one_old_token_refresh_it_once() {
    let world = World::new();
    let_the_first_token_be_old(&world);
    let desk = signed_in(&world);
    for _ in 0..2 {
        desk.run(["worker", r#"{"id_token":"next_call"}"#, "--profile", "claude"]).expect_code(0);
    }
    assert_eq!(world.count(Endpoint::Refresh), 1);
}

#[test]
fn an_expired_token_does_not_go_along() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    let_the_first_token_be_old(&world);
    let desk = configured(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert_eq!(with_token(&desk)["authorization"], Value::Null);
    assert_eq!(without_token(&desk)["x-user-email"], "demo@example.com");
}
