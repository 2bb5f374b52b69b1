//! The program as Claude Code sees it: each hook that `setup` wrote, called as Claude Code calls it.
//!
//! These tests check what the host gets and what the user has to do. `ladder`, `crowd` and `hooks` test the rest.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::time::Duration;

use serde_json::{Map, Value};
use testworld::{Answer, Call, Desk, Endpoint, Host, Knob, World};

use crate::{PROGRAM, SPENT};

/// A profile with a collector, so that `setup` writes every hook.
const COLLECTOR: &str = "claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example.com\" }";
const WITH_TOKEN: &str = "telemetry.send_token = true\n\
                          telemetry.collectors = [\"https://otel.example.com\"]\n\
                          claude_code.env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"https://otel.example.com\" }";

/// How many times a host calls a failing helper in three minutes.
const RETRIES: usize = 46;

fn set_up<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, more);
    desk.run(["setup", "--yes"]).expect_code(0);
    desk
}

/// A home in which no browser starts, so that the user has to open the address.
fn set_up_without_a_browser(world: &World) -> Desk<'_> {
    let desk = Desk::new(world, PROGRAM);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    desk.run(["setup", "--yes"]).expect_code(0);
    desk
}

/// How many authorizations, code exchanges, refreshes, role requests and tabs there were.
fn counts(world: &World, desk: &Desk<'_>) -> [usize; 5] {
    let [authorized, codes, refreshes, exchanges] =
        world.counts([Endpoint::Authorize, Endpoint::Code, Endpoint::Refresh, Endpoint::Assume]);
    [authorized, codes, refreshes, exchanges, desk.tabs()]
}

#[track_caller]
fn assert_one_document(answers: &[Answer]) -> Value {
    assert!(answers.iter().all(|answer| (answer.code, answer.stderr.as_str()) == (Some(0), "")), "{answers:?}");
    assert!(answers.windows(2).all(|pair| pair[0].stdout == pair[1].stdout), "all answers are the same document");
    answers[0].document()
}

/// Asserts that `login` succeeded and printed the user last and no secret; returns the lines.
#[track_caller]
fn assert_login_output(world: &World, answer: &Answer) -> Vec<String> {
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
    let leaks = world.ledger().leaks("awsAuthRefresh", answer.stdout.as_bytes());
    assert!(leaks.is_empty(), "{leaks:?}");
    let lines: Vec<_> = answer.stdout.lines().map(str::to_owned).collect();
    assert!(lines.last().unwrap().contains("demo@example.com"), "{lines:?}");
    lines
}

#[test]
fn first_host_session_opens_one_tab_and_no_refresh_hook() {
    let world = World::new();
    let desk = set_up(&world, COLLECTOR);
    desk.set_variable("PERSON_THINKS", "0.5");
    let host = Host::at(&desk);
    assert_eq!(host.telemetry(), Some(Map::new()), "before the sign-in the headers are empty");
    let session = host.begin();
    assert!(session.credentials.is_some() && session.refreshed.is_none(), "{session:?}");
    assert_eq!(counts(&world, &desk), [1, 1, 0, 1, 1]);
    let requests = world.ledger().total();
    assert_eq!(host.telemetry().unwrap()["x-user-email"], "demo@example.com");
    assert_eq!(assert_one_document(&host.burst()), session.credentials.unwrap());
    assert_eq!(world.ledger().total(), requests, "hooks send no request while everything is cached");
}

#[test]
fn host_session_continues_when_credentials_expire() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = set_up(&world, COLLECTOR);
    let host = Host::at(&desk);
    let first = assert_one_document(&[host.credentials().unwrap().finish()]);
    let second = assert_one_document(&host.burst());
    assert_ne!(first, second);
    assert_eq!(host.status_of(&second), 200);
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2, 1]);
    assert!(host.telemetry().is_some_and(|headers| headers.len() > 5));
}

#[test]
fn refresh_hook_replaces_revoked_credentials_without_prompt() {
    let world = World::new();
    let desk = set_up(&world, "");
    let host = Host::at(&desk);
    let first = host.begin().credentials.unwrap();
    world.revoke_credentials();
    let session = host.begin();
    let lines = assert_login_output(&world, session.refreshed.as_ref().expect("AWS refused, so the hook ran"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_ne!(session.credentials.expect("the session continues"), first);
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2, 1]);
}

/// Whether a call took less than a second, plus ten bare starts of the program. A call starts several processes, and on
/// a busy machine each start is slow.
fn is_quick((call, start): &(Duration, Duration)) -> bool {
    *call < Duration::from_secs(1) + *start * 10
}

#[test]
fn refresh_hook_shows_the_sign_in_address_within_a_second() {
    let times = [(); 3].map(|()| {
        let world = World::new();
        let desk = set_up(&world, "");
        let host = Host::at(&desk);
        assert!(host.begin().credentials.is_some());
        world.revoke_credentials();
        world.revoke_grants();
        let session = host.begin();
        let answer = session.refreshed.expect("AWS refused, so the hook ran");
        let lines = assert_login_output(&world, &answer);
        assert!(lines.len() == 2 && lines[0].contains(" go to http://127.0.0.1:"), "{lines:?}");
        assert!(session.credentials.is_some());
        assert_eq!(counts(&world, &desk), [2, 2, 1, 2, 2]);
        (answer.first_line_after.unwrap(), desk.run(["--version"]).took)
    });
    assert!(times.iter().any(is_quick), "the address and a bare start took {times:?}");
}

#[test]
fn host_retries_open_one_tab_and_fail_fast() {
    let world = World::new();
    let desk = set_up(&world, &format!("login_timeout = \"10s\"\n{COLLECTOR}"));
    desk.person("closes-the-tab");
    let host = Host::at(&desk);
    let mut answers = host.burst();
    let asked = answers.len();
    answers.extend((asked..RETRIES).map(|_| host.credentials().unwrap().finish()));
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!((answer.stdout.as_str(), answer.stderr.lines().count()), ("", 2), "{answer:?}");
        // A caller that waited for another caller's worker can time out a moment before that worker.
        let waited_for_another = index < asked && answer.code == Some(11);
        assert!(answer.code == Some(4) || waited_for_another, "{answer:?}");
    }
    // The one request is that of the program itself, which asks whether the browser shows an error page.
    assert_eq!((answers.len(), counts(&world, &desk)), (RETRIES, [1, 0, 0, 0, 1]));
    let mut took: Vec<_> = answers.drain(asked..).map(|answer| answer.took).collect();
    took.sort();
    assert!(is_quick(&(took[took.len() / 2], desk.run(["--version"]).took)), "{took:?}");
    assert_eq!(host.telemetry(), Some(Map::new()));
    desk.person("signs-in");
    let host = Host::at(&desk);
    assert_login_output(&world, &host.refresh().unwrap().finish());
    assert_one_document(&host.burst());
    assert_eq!(counts(&world, &desk), [2, 1, 0, 1, 2]);
}

#[test]
fn sign_in_completes_after_the_host_kills_its_hook() {
    for end in [Call::kill_shell as fn(Call), Call::kill_process_group] {
        let world = World::new();
        let desk = set_up_without_a_browser(&world);
        let host = Host::at(&desk);
        let mut hook = host.refresh().unwrap();
        let line = hook.first_line();
        let address = line.rsplit(' ').next().unwrap();
        end(hook);
        assert_eq!(testworld::visit(address, false).unwrap().status, 200, "{line}");
        let credentials = assert_one_document(&host.burst());
        assert_eq!(host.status_of(&credentials), 200);
        assert_eq!(counts(&world, &desk), [1, 1, 0, 1, 0]);
        desk.settle();
    }
}

#[test]
fn managed_settings_export_opens_no_browser() {
    let world = World::new();
    let desk = Desk::new(&world, PROGRAM);
    let host = Host::with(&desk, policy(&desk));
    assert!(host.credentials().is_none(), "no AWS file is needed");
    let session = host.begin();
    let lines = assert_login_output(&world, session.refreshed.as_ref().expect("the export had no credentials"));
    assert_eq!((lines.len(), counts(&world, &desk)), (2, [1, 1, 0, 1, 1]));
    assert!(session.credentials.is_some());
    let again = host.begin();
    assert!(again.refreshed.is_none() && again.credentials == session.credentials, "{again:?}");
}

/// The managed settings that `setup --system` would write.
fn policy(desk: &Desk<'_>) -> Map<String, Value> {
    let file = desk.config_file().display().to_string();
    let shown = desk.run(["setup", "--system", "--dry-run", "--config", &file]).expect_code(0).stdout;
    let line = |line: &str| {
        let (key, value) = line.strip_prefix("  + ")?.split_once(" = ")?;
        Some((key.to_owned(), serde_json::from_str(value).ok()?))
    };
    shown.lines().filter_map(line).filter(|(key, _)| !key.contains('.')).collect()
}

#[test]
fn repository_settings_cannot_redirect_the_token() {
    let world = World::new();
    world.set(Knob::IdTokenLifetime, 2 * 60 * 60);
    let desk = set_up(&world, WITH_TOKEN);
    let host = Host::at(&desk);
    assert!(host.begin().credentials.is_some());
    assert!(host.telemetry().unwrap()["authorization"].as_str().unwrap().starts_with("Bearer eyJ"));
    const ELSEWHERE: &str = "https://collector.example.net";
    const TABLE: &str = "{ OTEL_EXPORTER_OTLP_ENDPOINT = \"https://collector.example.net\" }";
    for variables in [
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", ELSEWHERE)][..],
        &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", ELSEWHERE)],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel.example.com")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", ELSEWHERE), ("BEDROCK_SSO_CLAUDE_CODE_ENV", TABLE)],
    ] {
        let headers = Host::at(&desk).in_project(variables).telemetry().expect("an answer");
        assert!(headers.is_empty(), "{variables:?}: {headers:?}");
    }
}
