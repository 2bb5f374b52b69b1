//! Concurrent callers of one profile, and processes that are killed or interrupted.
//!
//! However many callers wait, one browser tab opens and one role request is sent. A killed process leaves no lock
//! behind and loses no token that was stored.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and damage files"
)]

use std::time::{Duration, Instant};

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, Running, World, wait_until};

use crate::{counts, desk};

fn all_equal_documents(outcomes: Vec<Outcome>) -> serde_json::Value {
    let documents: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect_code(0).document()).collect();
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]), "all callers get the same document");
    documents.into_iter().next().expect("there is at least one caller")
}

fn start_callers(desk: &Desk<'_>, many: usize) -> Vec<Running> {
    (0..many).map(|_| desk.start(["credentials"])).collect()
}

fn finish_all(callers: Vec<Running>) -> Vec<Outcome> {
    callers.into_iter().map(Running::finish).collect()
}

/// A holder's note that another program of the same user wrote; no part of it but the process number may be shown.
const PLANTED_NOTE: &str = r#"{"pid":4711,"since":1800000000,"is_prompting":true,
    "address":"https://evil.example/\u001b[2J","code":"WDJB-MJHT",
    "sealed_address":[104,116,116,112,115,58,47,47,101,118,105,108]}"#;

/// A caller logs this when it waits for the worker of another caller.
const WAITING_FOR_OTHER_WORKER: &str = "waiting for another process";

/// Waits until this many tabs have been opened in all.
fn wait_for_tabs(desk: &Desk<'_>, tabs: usize) {
    wait_until("a tab is open", || desk.tabs() == tabs);
}

fn shorten_login_timeout(desk: &Desk<'_>) {
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\nlogin_timeout = \"10s\"\n"));
}

#[test]
fn fifty_first_callers_share_one_prompt_and_one_exchange() {
    let world = World::new();
    let desk = desk(&world);
    all_equal_documents(finish_all(start_callers(&desk, 50)));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn twenty_callers_with_expired_credentials_share_one_refresh() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    all_equal_documents(finish_all(start_callers(&desk, 20)));
    assert_eq!((counts(&world), desk.tabs(), world.live_grants()), ([1, 1, 1, 2], 1, 1));
}

#[test]
fn browser_sign_in_completes_after_its_caller_is_killed() {
    let world = World::new();
    world.next(1, Knob::CodeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let caller = desk.start(["credentials"]);
    assert!(world.ledger().wait_for(Endpoint::Code, 1, Duration::from_secs(20)));
    let killed = caller.kill();
    world.release();
    assert_eq!((killed.stdout.as_str(), killed.stderr.as_str()), ("", ""));
    desk.settle();
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn retried_caller_waits_for_the_tab_that_is_already_open() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let first = desk.start(["credentials"]);
    wait_for_tabs(&desk, 1);
    first.kill();
    let second = desk.start(["credentials"]);
    wait_until("the second caller waits for the first one's worker", || desk.log().contains(WAITING_FOR_OTHER_WORKER));
    world.release();
    second.finish().expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

/// Starts `login --force` while the browser of another caller is open, then lets the provider answer that browser.
/// Returns what the other caller and `login` ended with.
fn force_login_beside_a_sign_in(world: &World, desk: &Desk<'_>) -> [Outcome; 2] {
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let other = desk.start(["credentials"]);
    wait_for_tabs(desk, 1);
    let mut login = desk.start(["login", "--force"]);
    login.lines(1);
    world.release();
    [other.finish(), login.finish()]
}

/// `login --force` demands a sign-in, and the one that the user completes while it waits is one.
#[test]
fn forced_login_joins_the_sign_in_that_already_waits() {
    let world = World::new();
    let desk = desk(&world);
    let [first, second] = force_login_beside_a_sign_in(&world, &desk);
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn forced_login_prompts_after_another_sign_in_was_refused() {
    let world = World::new();
    world.next(1, Knob::AuthorizeError, json!({ "error": "access_denied", "description": "" }));
    let desk = desk(&world);
    let [first, second] = force_login_beside_a_sign_in(&world, &desk);
    assert_eq!((first.code, second.code), (Some(5), Some(0)), "{first:?} {second:?}");
    assert_eq!((counts(&world), desk.tabs()), ([2, 1, 0, 1], 2));
}

#[test]
fn next_caller_signs_in_after_a_prompting_worker_is_killed() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let caller = desk.start(["credentials"]);
    wait_for_tabs(&desk, 1);
    desk.kill_all();
    caller.kill();
    desk.person("signs-in");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 2));
}

#[test]
fn caller_starts_a_new_worker_when_its_worker_is_killed() {
    let world = World::new();
    world.next(1, Knob::DiscoveryFault, json!(Fault::Hang));
    let desk = desk(&world);
    let caller = desk.start(["credentials"]);
    wait_until("the worker sends a request to the provider", || world.count(Endpoint::Discovery) == 1);
    let worker = desk.processes().into_iter().find(|pid| *pid != caller.pid() as i32).expect("a worker");
    testworld::kill(worker);
    caller.finish().expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn worker_killed_during_a_refresh_loses_no_stored_token() {
    // Only a refresh whose answer never arrives can lose a token, and in this world the provider did not send one.
    for (knob, endpoint, tabs) in [(Knob::AssumeFault, Endpoint::Assume, 1), (Knob::RefreshFault, Endpoint::Refresh, 1)]
    {
        let world = World::new();
        world.next(2, Knob::CredentialLifetime, 10);
        let desk = desk(&world);
        desk.credentials();
        let before = world.count(endpoint);
        world.next(1, knob, json!(Fault::Hang));
        let caller = desk.start(["credentials"]);
        wait_until("the request is under way", || world.count(endpoint) == before + 1);
        desk.kill_all();
        caller.kill();
        desk.credentials();
        assert_eq!(desk.tabs(), tabs, "{knob:?}");
    }
}

#[test]
fn unanswered_prompt_opens_no_second_tab_on_retries() {
    let world = World::new();
    let desk = desk(&world);
    shorten_login_timeout(&desk);
    desk.person("closes-the-tab");
    let failed = desk.run(["credentials"]).fails(4, "sign-in/unanswered");
    failed.message_has(&["10 s"]).hint_has(&["`bedrock-sso login`"]);
    for _ in 0..46 {
        desk.run(["credentials"]).fails(4, "sign-in/paused").hint_has(&["`bedrock-sso login`"]);
    }
    assert_eq!(desk.tabs(), 1);
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn denied_sign_in_starts_the_backoff_and_success_ends_it() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    desk.run(["credentials"]).expect_code(5);
    desk.run(["credentials"]).expect_code(4);
    assert_eq!(desk.tabs(), 1);
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
    world.revoke_grants();
    let folder = desk.home().join(".local/share/bedrock-sso");
    std::fs::remove_file(folder.join("key")).unwrap();
    desk.credentials();
    assert_eq!(desk.tabs(), 3, "the backoff has ended");
}

#[test]
fn waiting_callers_report_the_failure_and_open_no_tab() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Delay(1000)));
    world.set(Knob::AuthorizeError, json!({"error": "access_denied", "description": "not you"}));
    let desk = desk(&world);
    let first = desk.start(["credentials"]);
    wait_for_tabs(&desk, 1);
    let waiters = start_callers(&desk, 8);
    for outcome in finish_all(std::iter::once(first).chain(waiters).collect()) {
        match outcome.code {
            Some(4) => outcome.fails(4, "sign-in/paused"),
            _ => outcome.fails(5, "sign-in/access_denied"),
        };
    }
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn no_login_call_does_not_wait_for_an_open_prompt() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let asking = desk.start(["credentials"]);
    wait_for_tabs(&desk, 1);
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/waiting");
    desk.kill_all();
    asking.kill();
}

#[test]
fn ctrl_c_ends_the_sign_in_and_releases_lock_and_port() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let caller = desk.start(["login"]);
    wait_for_tabs(&desk, 1);
    testworld::interrupt(caller.pid() as i32);
    caller.finish().ends_with_failure(130, "interrupted");
    desk.settle();
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
}

#[test]
fn sign_in_continues_after_sigterm_to_its_caller() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let caller = desk.start(["login"]);
    wait_for_tabs(&desk, 1);
    testworld::terminate(caller.pid() as i32);
    assert_eq!(caller.finish().code, None);
    world.release();
    desk.settle();
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn login_shows_the_address_of_the_pending_sign_in() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let automatic = desk.start(["credentials"]);
    wait_for_tabs(&desk, 1);
    let mut person = desk.start(["login"]);
    person.lines(1);
    world.release();
    let person = person.finish().expect_code(0);
    assert!(person.stdout.lines().next().unwrap().contains("http://127.0.0.1:"), "{}", person.stdout);
    assert!(person.stdout.lines().last().unwrap().contains("demo@example.com"), "{}", person.stdout);
    automatic.finish().expect_code(0);
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn caller_prompts_after_a_no_login_call_failed() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    world.revoke_grants();
    world.next(1, Knob::RefreshFault, json!(Fault::Delay(1500)));
    let silent = desk.start(["credentials", "--no-login"]);
    wait_until("the refresh has been sent", || world.count(Endpoint::Refresh) == 1);
    desk.credentials();
    silent.finish().expect_code(4);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

#[test]
fn lock_timeout_names_only_the_process_of_the_holder() {
    let world = World::new();
    let desk = desk(&world);
    let folder = desk.home().join(".local/share/bedrock-sso");
    desk.credentials();
    desk.settle();
    let lock = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension().is_some_and(|kind| kind == "lock") && path.file_stem().is_some_and(|stem| stem != "key")
        })
        .expect("the profile's lock");
    shorten_login_timeout(&desk);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    assert!(text.contains("login_timeout"));
    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    std::fs::write(lock.with_extension("holder"), PLANTED_NOTE).unwrap();
    std::fs::remove_file(folder.join("key")).unwrap();
    let waited = Instant::now();
    let outcome = desk.run(["credentials"]);
    outcome.fails(11, "busy/sign_in").message_has(&["process 4711"]);
    assert!(waited.elapsed() >= Duration::from_secs(9));
    let login = desk.run(["login"]).expect_code(11);
    assert!(login.stdout.contains("process 4711") && login.stderr.contains("process 4711"), "{login:?}");
    let silent = desk.run(["credentials", "--no-login"]).expect_code(4);
    for outcome in [outcome, login, silent] {
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(["evil", "WDJB", "\u{1b}"].iter().all(|planted| !said.contains(planted)), "{said}");
    }
    assert_eq!(desk.tabs(), 1);
}

/// A worker that writes to a full pipe blocks while it holds the lock, because its caller does not read.
#[test]
#[ignore = "waits 85 s for the watchdog: .ci/run administrator"]
fn watchdog_ends_a_hung_worker_and_serves_the_next_caller() {
    let world = World::new();
    let desk = desk(&world);
    shorten_login_timeout(&desk);
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &[b'\n'; 1 << 16]).unwrap();
    let mut worker = desk.command();
    worker
        .args(["worker", r#"{"credentials":{"automatic":"allowed"}}"#, "--profile", "claude"])
        .stdin(std::process::Stdio::null());
    let mut worker = worker.stdout(writer).spawn().unwrap();
    wait_until("the worker opens a tab", || desk.tabs() == 1);
    let busy = desk.run(["credentials"]).fails_without_golden(11, "busy/sign_in");
    busy.message_has(&[&format!("process {}", worker.id())]);
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(worker.wait().unwrap().code()));
    assert_eq!(end.recv_timeout(Duration::from_secs(100)), Ok(None), "a signal ends the worker");
    desk.credentials();
    drop(reader);
}

/// A caller reads only the worker's stdout, so a failure must be reported there.
#[test]
fn worker_reports_an_early_failure_through_its_pipe() {
    let world = World::new();
    let desk = desk(&world);
    let failure = |profile: &str, code: i32| {
        let outcome = desk.run(["worker", r#"{"credentials":"renewal"}"#, "--profile", profile]).expect_code(code);
        let message: serde_json::Value = serde_json::from_str(outcome.stdout.trim_end()).unwrap();
        message["failed"]["slug"].as_str().unwrap_or_default().to_owned()
    };
    assert!(failure("nobody", 3).starts_with("config/"));
    std::fs::create_dir_all(desk.home().join(".local/share")).unwrap();
    std::fs::write(desk.home().join(".local/share/bedrock-sso"), "").unwrap();
    assert!(failure("claude", 10).starts_with("storage/"));
}
