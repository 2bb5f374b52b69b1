//! Many callers, impatient callers, killed callers: one browser, one exchange, nothing stuck, nothing lost.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and spoil files"
)]

use std::time::{Duration, Instant};

use serde_json::json;
use testworld::{Desk, Endpoint, Fault, Knob, Outcome, Running, World, wait_until};

use crate::{counts, desk};

fn all_equal_documents(outcomes: Vec<Outcome>) -> serde_json::Value {
    let documents: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect_code(0).document()).collect();
    assert!(documents.windows(2).all(|pair| pair[0] == pair[1]), "one document for all");
    documents.into_iter().next().expect("at least one")
}

fn crowd(desk: &Desk<'_>, many: usize) -> Vec<Running> {
    (0..many).map(|_| desk.start(["credentials"])).collect()
}

fn together(callers: Vec<Running>) -> Vec<Outcome> {
    callers.into_iter().map(Running::finish).collect()
}

/// A note that another program of the same user has written while it holds the lock.
const PLANTED: &str = r#"{"pid":4711,"since":1800000000,"is_prompting":true,"address":"https://evil.example/\u001b[2J",
    "code":"WDJB-MJHT","sealed_address":[104,116,116,112,115,58,47,47,101,118,105,108]}"#;

/// What a caller logs that waits for another one's worker.
const OTHERS: &str = "waiting for another process";

/// Waits until a sign-in has opened this many tabs in all.
fn until_asked(desk: &Desk<'_>, tabs: usize) {
    wait_until("a tab is open", || desk.tabs() == tabs);
}

fn shorten_patience(desk: &Desk<'_>) {
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&format!("{text}\nlogin_timeout = \"10s\"\n"));
}

#[test]
fn fifty_cold_callers_cost_one_browser_one_exchange_and_get_equal_documents() {
    let world = World::new();
    let desk = desk(&world);
    all_equal_documents(together(crowd(&desk, 50)));
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn twenty_callers_with_spent_credentials_cost_one_refresh() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    all_equal_documents(together(crowd(&desk, 20)));
    assert_eq!((counts(&world), desk.tabs(), world.live_grants()), ([1, 1, 1, 2], 1, 1));
}

#[test]
fn a_sign_in_outlives_its_caller() {
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
fn a_caller_that_comes_back_while_the_person_signs_in_waits_for_the_same_tab() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let first = desk.start(["credentials"]);
    until_asked(&desk, 1);
    first.kill();
    let second = desk.start(["credentials"]);
    wait_until("the second caller waits for the first one's worker", || desk.log().contains(OTHERS));
    world.release();
    second.finish().expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn a_holder_killed_while_it_asks_leaves_nothing_stuck() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let caller = desk.start(["credentials"]);
    until_asked(&desk, 1);
    desk.kill_all();
    caller.kill();
    desk.person("signs-in");
    desk.credentials();
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 2));
}

#[test]
fn a_caller_whose_worker_is_killed_sends_another() {
    let world = World::new();
    world.next(1, Knob::DiscoveryFault, json!(Fault::Hang));
    let desk = desk(&world);
    let caller = desk.start(["credentials"]);
    wait_until("the worker asks the provider", || world.count(Endpoint::Discovery) == 1);
    let worker = desk.processes().into_iter().find(|pid| *pid != caller.pid() as i32).expect("a worker");
    testworld::kill(worker);
    caller.finish().expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 0, 1], 1));
}

#[test]
fn a_holder_killed_at_any_request_of_a_refresh_loses_no_token_it_had() {
    // The answer to a refresh that never arrives is the one thing nobody can keep; every other moment is safe.
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
fn an_unanswered_sign_in_opens_no_second_tab_however_often_a_host_retries() {
    let world = World::new();
    let desk = desk(&world);
    shorten_patience(&desk);
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
fn a_refused_sign_in_closes_the_door_and_a_good_one_opens_it() {
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
    assert_eq!(desk.tabs(), 3, "the door is open again");
}

#[test]
fn waiters_hear_the_failure_of_the_one_they_waited_for_and_open_no_tab() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Delay(1000)));
    world.set(Knob::AuthorizeError, json!({"error": "access_denied", "description": "not you"}));
    let desk = desk(&world);
    let first = desk.start(["credentials"]);
    until_asked(&desk, 1);
    let waiters = crowd(&desk, 8);
    for outcome in together(std::iter::once(first).chain(waiters).collect()) {
        match outcome.code {
            Some(4) => outcome.fails(4, "sign-in/paused"),
            _ => outcome.fails(5, "sign-in/access_denied"),
        };
    }
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_command_that_may_not_ask_does_not_wait_for_a_person_either() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let asking = desk.start(["credentials"]);
    until_asked(&desk, 1);
    desk.run(["credentials", "--no-login"]).fails(4, "sign-in/waiting");
    desk.kill_all();
    asking.kill();
}

#[test]
fn ctrl_c_ends_the_sign_in_and_frees_lock_and_port() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let caller = desk.start(["login"]);
    until_asked(&desk, 1);
    testworld::interrupt(caller.pid() as i32);
    caller.finish().ends_with_failure(130, "interrupted");
    desk.settle();
    desk.person("signs-in");
    desk.run(["login"]).expect_code(0);
}

#[test]
fn termination_of_the_caller_does_not_end_the_sign_in() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let caller = desk.start(["login"]);
    until_asked(&desk, 1);
    testworld::terminate(caller.pid() as i32);
    assert_eq!(caller.finish().code, None);
    world.release();
    desk.settle();
    desk.credentials();
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn a_person_who_runs_login_while_a_sign_in_waits_is_led_to_it() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = desk(&world);
    let automatic = desk.start(["credentials"]);
    until_asked(&desk, 1);
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
fn who_may_ask_is_not_turned_away_with_the_failure_of_one_who_may_not() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 10);
    let desk = desk(&world);
    desk.credentials();
    world.revoke_grants();
    world.next(1, Knob::RefreshFault, json!(Fault::Delay(1500)));
    let silent = desk.start(["credentials", "--no-login"]);
    wait_until("the refresh is on its way", || world.count(Endpoint::Refresh) == 1);
    desk.credentials();
    silent.finish().expect_code(4);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 1, 2], 2));
}

#[test]
fn a_caller_that_waits_too_long_names_the_process_only() {
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
    shorten_patience(&desk);
    let text = std::fs::read_to_string(desk.config_file()).unwrap();
    assert!(text.contains("login_timeout"));
    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    std::fs::write(lock.with_extension("holder"), PLANTED).unwrap();
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

/// A worker whose caller has stopped reading waits for it forever, with the lock in its hand.
#[test]
#[ignore = "waits 85 s for the watchdog: .ci/run administrator"]
fn a_worker_that_hangs_is_ended_and_the_next_caller_served() {
    let world = World::new();
    let desk = desk(&world);
    shorten_patience(&desk);
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
    assert_eq!(end.recv_timeout(Duration::from_secs(100)), Ok(None), "ended by a signal");
    desk.credentials();
    drop(reader);
}

/// Nobody sees a worker's stderr: its caller reads the pipe alone.
#[test]
fn a_worker_that_fails_before_its_work_says_so_in_the_pipe() {
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
