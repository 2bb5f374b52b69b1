//! `otel-headers`, which Claude Code runs as `otelHeadersHelper`: it always succeeds, and never waits for the network.

use std::{fs, process::Stdio, time::Duration};

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World, wait_until};

use super::{PROGRAM, assert_prints, counts, desk, signed_in};

/// The telemetry collector of these tests.
const COLLECTOR: &str = "https://otel.example.com";
const WITH_TOKEN: &str = "telemetry.send_token = true\n\
                          telemetry.collectors = [\"https://otel.example.com\"]\n\
                          claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example.com\" }";

/// A home whose user has signed in, with more lines of TOML in the profile.
fn signed_in_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    desk.credentials();
    desk
}

/// The headers when they may contain the token. stdout is secret then, so the desk must not search it for secrets.
fn headers_with_token(desk: &Desk<'_>) -> Value {
    let output = desk.command().arg("otel-headers").stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn headers_without_token(desk: &Desk<'_>) -> Value {
    let outcome = desk.run(["otel-headers"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    outcome.document()
}

/// Asserts that a line of the log about telemetry contains this text.
#[track_caller]
fn assert_log_names(desk: &Desk<'_>, fact: &str) {
    let log = desk.log();
    assert!(log.lines().any(|line| line.contains(" telemetry: ") && line.contains(fact)), "{fact}: {log}");
}

/// Makes the first ID token expire early by the clock of this machine. A sign-in tolerates a minute of clock
/// difference, and still accepts it; `otel-headers` tolerates none, and refreshes it.
fn age_first_id_token(world: &World) {
    world.set(Knob::Clock, -50);
    world.next(1, Knob::IdTokenLifetime, 45);
}

#[test]
fn otel_headers_default_to_the_guidance_headers_from_cache() {
    let world = World::new();
    let desk = signed_in(&world);
    let requests = world.ledger().total();
    let version = env!("CARGO_PKG_VERSION");
    let id = "x-user-id";
    let mut headers = headers_without_token(&desk);
    assert_eq!(headers[id].as_str().unwrap().len(), 36);
    headers.as_object_mut().unwrap().remove(id);
    let expected = json!({
        "x-user-email": "demo@example.com", "x-user-name": "demo", "x-organization": "amazon-internal",
        "x-department": "unspecified", "x-team-id": "default-team", "x-cost-center": "general",
        "x-manager": "unassigned", "x-location": "remote", "x-role": "user",
        "x-bedrock-sso-version": version,
    });
    assert_eq!(headers, expected);
    desk.settle();
    assert_eq!(world.ledger().total(), requests);
}

#[test]
fn otel_headers_can_be_set_by_the_profile() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "name": "Zoë\r\nx-admin: yes", "groups": ["a", "b"] }));
    let more = "telemetry.headers = { X-Name = [\"none\", \"name\"], x-groups = \"groups\", x-none = \"none\" }";
    let desk = signed_in_with(&world, more);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "{{\"x-bedrock-sso-version\":\"{version}\",\"x-groups\":\"a,b\",\"x-name\":\"Zo%C3%AB%0D%0Ax-admin: yes\"}}\n"
    );
    assert_prints(&desk.run(["otel-headers"]), &expected);
}

/// The user has signed in, and getting credentials fails later: the telemetry says how.
#[test]
fn otel_headers_name_the_last_failure_until_a_success() {
    let world = World::new();
    let desk = signed_in(&world);
    assert_eq!(headers_without_token(&desk)["x-bedrock-sso-failure"], Value::Null);
    world.set(Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not authorized")));
    assert_ne!(desk.run(["login", "--force"]).code, Some(0));
    let slug = desk.run(["status", "--json"]).document()["last_error"]["slug"].clone();
    assert!(slug.is_string());
    assert_eq!(headers_without_token(&desk)["x-bedrock-sso-failure"], slug);
    world.clear(Knob::AssumeFault);
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(headers_without_token(&desk)["x-bedrock-sso-failure"], Value::Null);
}

#[test]
fn otel_headers_prints_an_empty_object_on_any_error() {
    let world = World::new();
    let desk = desk(&world);
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    assert_prints(&desk.run(["otel-headers", "--profile", "none"]), "{}\n");
    assert_prints(&desk.run(["otel-headers", "--config", "/no/such/file"]), "{}\n");
    let good = fs::read_to_string(desk.config_file()).unwrap();
    desk.configure("not TOML [");
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    desk.configure(&good.replace("\"file\"", "\"keyring\""));
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    desk.configure(&good.replace("\"file\"", "\"none\""));
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    fs::remove_file(desk.config_file()).unwrap();
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    desk.set_variable("BEDROCK_SSO_LOG_FILE", "/no/such/folder/log.txt");
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0));
}

#[test]
fn otel_headers_prints_an_empty_object_if_key_is_unreadable() {
    let world = World::new();
    let desk = signed_in(&world);
    let folder = desk.home().join(".local/share/bedrock-sso");
    fs::remove_file(folder.join("key")).unwrap();
    fs::create_dir(folder.join("key")).unwrap();
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    assert_log_names(&desk, &folder.join("key").display().to_string());
}

#[test]
fn otel_headers_answers_and_reports_an_unknown_flag() {
    let world = World::new();
    let desk = desk(&world);
    let outcome = desk.run(["otel-headers", "--no-such-flag"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"));
    assert!(outcome.stderr.contains(" [usage/unknown_argument]\n  hint: "), "{}", outcome.stderr);
}

#[test]
fn otel_headers_returns_at_once_on_a_silent_network() {
    let world = World::new();
    age_first_id_token(&world);
    let desk = signed_in(&world);
    for knob in [Knob::RefreshFault, Knob::DiscoveryFault, Knob::AssumeFault] {
        world.set(knob, json!(Fault::Hang));
    }
    wait_until("a refresh is under way", || {
        assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com");
        world.count(Endpoint::Refresh) == 1
    });
    assert!(!desk.processes().is_empty(), "the worker goes on in the background");
    assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com");
    desk.kill_all();
}

#[test]
fn otel_headers_refreshes_an_old_token_in_background() {
    let world = World::new();
    age_first_id_token(&world);
    let desk = signed_in(&world);
    world.set(Knob::Claims, json!({ "email": "renamed@example.com" }));
    wait_until("the refreshed token is used", || headers_without_token(&desk)["x-user-email"] == "renamed@example.com");
    desk.settle();
    assert_eq!(counts(&world, &desk), [1, 1, 1, 1], "one refresh, and no request to AWS");
    headers_without_token(&desk);
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 1, "a new token is not refreshed");
}

#[test]
fn otel_headers_name_the_user_of_a_revoked_session() {
    let world = World::new();
    age_first_id_token(&world);
    let desk = signed_in(&world);
    world.revoke_grants();
    wait_until("the refresh token was refused", || {
        headers_without_token(&desk);
        world.count(Endpoint::Refresh) == 1
    });
    desk.settle();
    assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com");
    assert_eq!(desk.run(["status", "--json"]).document()["last_error"], Value::Null);
    desk.run(["logout"]).expect_code(0);
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
}

#[test]
fn otel_headers_send_the_token_only_to_safe_collectors() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 2 * 60 * 60);
    let desk = signed_in_with(&world, WITH_TOKEN);
    let authorization = desk.run(["token"]).expect_code(0).document()["Authorization"].clone();
    assert!(authorization.as_str().unwrap().starts_with("Bearer eyJ"));
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert_eq!(headers_with_token(&desk)["authorization"], authorization);
    desk.set_variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://otel.example.com:4318");
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    assert_log_names(&desk, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
    desk.unset_variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
    desk.unset_variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(headers_without_token(&desk)["authorization"], Value::Null);
    assert_log_names(&desk, " OTEL_EXPORTER_OTLP_ENDPOINT ");
    assert_eq!(world.count(Endpoint::Refresh), 0);
}

/// The settings of a repository can name another collector for each kind of telemetry.
#[test]
fn otel_headers_are_empty_for_other_collectors() {
    let world = World::new();
    let desk = signed_in_with(&world, "telemetry.collectors = [\"https://otel.example.com\"]");
    assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com");
    for variable in ["", "METRICS_", "LOGS_", "TRACES_"].map(|of| format!("OTEL_EXPORTER_OTLP_{of}ENDPOINT")) {
        desk.set_variable(&variable, "https://collector.example.net");
        assert_prints(&desk.run(["otel-headers"]), "{}\n");
        desk.set_variable(&variable, COLLECTOR);
        assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com", "{variable}");
    }
    assert_log_names(&desk, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT");
}

#[test]
fn otel_headers_log_a_refused_variable() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_variable("BEDROCK_SSO_TELEMETRY_HEADERS", "{ x-planted = \"email\" }");
    assert_prints(&desk.run(["otel-headers"]), "{}\n");
    let log = desk.log();
    assert!(log.contains("[config/variable_refused]") && log.contains("BEDROCK_SSO_TELEMETRY_HEADERS"), "{log}");
    assert!(!log.contains("x-planted"), "{log}");
}

#[test]
fn otel_token_is_refreshed_before_it_expires() {
    let world = World::new();
    // The clock of the provider is behind, so more than a quarter of the token's lifetime has passed already.
    world.set(Knob::Clock, -50);
    world.next(1, Knob::IdTokenLifetime, 180);
    let desk = signed_in_with(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    let older = headers_with_token(&desk)["authorization"].clone();
    assert!(older.is_string());
    assert!(world.ledger().wait_for(Endpoint::Refresh, 1, Duration::from_secs(20)));
    desk.settle();
    let newer = headers_with_token(&desk)["authorization"].clone();
    assert!(newer.is_string() && newer != older);
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 1);
}

#[test]
fn otel_token_with_an_hour_left_is_not_refreshed() {
    let world = World::new();
    let desk = signed_in_with(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert!(headers_with_token(&desk)["authorization"].is_string());
    desk.settle();
    assert_eq!(world.count(Endpoint::Refresh), 0);
}

/// Two callers can each start a worker before one of the workers has the lock. The second worker finds a new token.
#[test]
fn two_workers_refresh_one_old_token_once() {
    let world = World::new();
    age_first_id_token(&world);
    let desk = signed_in(&world);
    for _ in 0..2 {
        desk.run(["worker", r#"{"id_token":"next_call"}"#, "--profile", "claude"]).expect_code(0);
    }
    assert_eq!(world.count(Endpoint::Refresh), 1);
}

#[test]
fn otel_headers_omit_an_expired_token() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    age_first_id_token(&world);
    let desk = signed_in_with(&world, WITH_TOKEN);
    desk.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", COLLECTOR);
    assert_eq!(headers_with_token(&desk)["authorization"], Value::Null);
    assert_eq!(headers_without_token(&desk)["x-user-email"], "demo@example.com");
}
