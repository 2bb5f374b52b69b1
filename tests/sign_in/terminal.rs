//! The ways in at a terminal: a pasted address, a code with its picture, and what a caller that hides our streams hides.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use testworld::{
    AtTerminal, Desk, Endpoint, Fault, Knob, Streams, TerminalOutcome, World, address_in, enter_code,
    sign_in_to_unreachable_callback,
};

use super::{desk_with, fails, until};

/// A machine reached by SSH: no display, no browser.
fn far_away(world: &World) -> Desk<'_> {
    let desk = desk_with(world, "");
    desk.configure(&world.configuration(""));
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    desk.set_variable("TERM", "xterm");
    desk.set_variable("LANG", "C.UTF-8");
    desk
}

fn with_codes() -> World {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    world
}

/// Ends of the prompts for the first paste and for each further one.
const FIRST: &str = "(the input is hidden): ";
const AGAIN: &str = " again: ";

/// The prompt has been shown: the address to open.
fn to_open(terminal: &AtTerminal<'_, '_>) -> String {
    let shown = terminal.shows(FIRST);
    shown.lines().find(|line| line.starts_with("http")).expect("an address").to_owned()
}

fn signed_in(seen: &TerminalOutcome) {
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(seen.shown.contains("demo@example.com") && seen.shown.contains("BedrockUser"), "{seen:?}");
}

#[test]
fn an_address_pasted_at_the_terminal_signs_in() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let address = to_open(&terminal);
    assert!(address.starts_with(&format!("{}/authorize?", world.issuer())), "{address}");
    let last = sign_in_to_unreachable_callback(&address, false).unwrap();
    assert!(!terminal.echoes(), "what is pasted is not shown");
    terminal.types(&format!("{last}\r"));
    let seen = terminal.finish();
    signed_in(&seen);
    assert!(!seen.shown.contains("code="), "{seen:?}");
    let code = last.split_once("code=").unwrap().1.split('&').next().unwrap();
    assert!(!desk.log().contains(code), "a code reaches no log");
    assert_eq!((world.count(Endpoint::Code), world.count(Endpoint::Assume)), (1, 1));
    desk.credentials();
}

#[test]
fn with_a_slow_provider_a_profile_that_wants_to_paste_is_still_asked_to() {
    let world = World::new();
    world.next(1, Knob::DiscoveryFault, json!(Fault::Delay(2000)));
    let desk = far_away(&world);
    desk.configure(&world.configuration("flow = \"paste\""));
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&to_open(&terminal), false).unwrap()));
    signed_in(&terminal.finish());
}

#[test]
fn a_caller_that_hides_our_streams_hides_no_question_and_gets_one_document() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Caller, &["credentials"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&to_open(&terminal), false).unwrap()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let document: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(document["Version"], 1);
    assert!(!seen.shown.contains("AccessKeyId"), "{seen:?}");
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    assert!(terminal.echoes());
    to_open(&terminal);
    assert!(!terminal.echoes());
    // Ctrl-C.
    terminal.types("\x03");
    until("the echo", || terminal.echoes().then_some(()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(130), "{seen:?}");
    assert!(seen.shown.contains("[interrupted]"), "{seen:?}");
    desk.settle();
}

#[test]
fn a_wrong_paste_says_what_is_wrong_and_asks_again() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let last = sign_in_to_unreachable_callback(&to_open(&terminal), false).unwrap();
    let state = last.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    let (bare, _) = last.split_once('?').unwrap();
    let wrong = [
        ("no address", "hello".to_owned()),
        ("another address", format!("{}/authorize?state={state}", world.issuer())),
        ("no answer", bare.to_owned()),
        ("no code", format!("{bare}?state={state}")),
        ("no issuer", last.replace("&iss=", "&is=")),
        ("another sign-in", last.replace(&state, "another")),
        ("two states", format!("{last}&state={state}")),
    ];
    for (count, (what, text)) in wrong.iter().enumerate() {
        terminal.types(&format!("{text}\r"));
        let shown = terminal.shows_times(AGAIN, count + 1);
        let (before, _) = shown.rsplit_once(AGAIN).unwrap();
        let mut lines = before.lines().filter(|line| !line.trim().is_empty());
        // The last line is the next prompt. The verdict stands behind the prompt before it.
        let line = lines.nth_back(1).unwrap();
        let line = line.rsplit_once(AGAIN).or_else(|| line.rsplit_once(FIRST)).map_or(line, |(_, line)| line);
        desk.expect_wording("output", &format!("login: a paste with {what}"), line.trim());
    }
    assert_eq!(world.count(Endpoint::Code), 0, "nothing of that was believed");
    terminal.types(&format!(" {last} \r"));
    signed_in(&terminal.finish());
}

#[test]
fn an_address_copied_without_its_scheme_will_do() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let last = sign_in_to_unreachable_callback(&to_open(&terminal), false).unwrap();
    terminal.types(&format!("{}\r", last.strip_prefix("http://").unwrap()));
    signed_in(&terminal.finish());
}

#[test]
fn an_address_longer_than_a_terminals_line_is_taken_whole() {
    let world = World::new();
    world.set(Knob::CallbackQuery, json!({ "session_state": "x".repeat(12_000) }));
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&to_open(&terminal), false).unwrap()));
    signed_in(&terminal.finish());
}

#[test]
fn a_pasted_refusal_is_the_providers() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&to_open(&terminal), true).unwrap()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(5), "{seen:?}");
    assert!(seen.shown.contains("[sign-in/access_denied]"), "{seen:?}");
}

#[test]
fn a_browser_that_does_reach_us_needs_no_pasting() {
    let world = World::new();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let page = testworld::visit(&to_open(&terminal), false).unwrap();
    assert!(page.text().contains("Signed in"), "{}", page.text());
    signed_in(&terminal.finish());
}

#[test]
fn a_code_is_shown_large_and_as_a_picture() {
    let world = with_codes();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let shown = terminal.shows("Ctrl-C");
    let address = format!("{}/device", world.issuer());
    assert!(shown.contains(&address), "{shown}");
    let (_, rest) = shown.split_once("\x1b[1;7m  ").expect("the code in bold");
    let code = rest.split(' ').next().unwrap();
    assert!(shown.contains('█'), "{shown}");
    enter_code(&address, code, false).unwrap();
    signed_in(&terminal.finish());
}

#[test]
fn a_caller_that_hides_our_streams_does_not_hide_a_code() {
    let world = with_codes();
    let desk = far_away(&world);
    let terminal = desk.at_terminal(Streams::Caller, &["credentials"]);
    let shown = terminal.shows("Ctrl-C");
    let code = shown.split_once("\x1b[1;7m  ").unwrap().1.split(' ').next().unwrap();
    enter_code(&format!("{}/device", world.issuer()), code, false).unwrap();
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(serde_json::from_str::<Value>(&seen.stdout).is_ok(), "{seen:?}");
}

#[test]
fn without_a_terminal_a_caller_far_away_is_refused_at_once_with_the_command_to_run() {
    let world = with_codes();
    let desk = far_away(&world);
    fails(&desk, 4, "sign-in/no_terminal").hint_has(&["`bedrock-sso login`"]);
    assert_eq!(world.ledger().total(), 0);
}

#[test]
fn a_terminal_that_another_program_draws_on_is_left_alone() {
    let world = with_codes();
    let desk = far_away(&world);
    let script = "stty -icanon; \"$0\" credentials; echo \"code $?\"; stty icanon";
    let seen = desk.shell_at_terminal(script).finish();
    assert!(seen.shown.contains("[sign-in/no_terminal]") && seen.shown.contains("code 4"), "{seen:?}");
}

#[test]
fn a_build_machine_is_told_at_once_that_nobody_sits_there() {
    let world = with_codes();
    let desk = far_away(&world);
    desk.set_variable("CI", "true");
    for verb in ["credentials", "login"] {
        desk.run([verb]).fails(4, "sign-in/unattended").hint_has(&["login --device"]);
    }
    assert_eq!(world.ledger().total(), 0);
}

#[test]
fn what_was_chosen_is_logged_with_its_reason() {
    let world = with_codes();
    let desk = far_away(&world);
    let mut call = desk.start(["login"]);
    assert!(address_in(&call.lines(1).concat()).starts_with(&world.issuer()));
    call.kill();
    let log = desk.log();
    let is_choice = |line: &str| line.contains(" session: ") && line.contains("SSH");
    assert!(log.lines().any(is_choice), "{log}");
}

#[test]
fn browser_none_shows_the_address_and_opens_nothing() {
    let world = World::new();
    let desk = far_away(&world);
    desk.unset_variable("SSH_CONNECTION");
    desk.configure(&world.configuration("browser = [\"none\"]"));
    let mut call = desk.start(["login"]);
    let line = call.lines(1).concat();
    let address = address_in(&line);
    assert_eq!(testworld::visit(address, false).unwrap().status, 200);
    call.finish().expect_code(0);
}

/// Somebody at a terminal of their own, with a browser.
#[test]
fn while_a_person_signs_in_one_line_says_how_long_they_have_and_is_gone_in_the_end() {
    let world = World::new();
    world.next(1, Knob::AuthorizeFault, json!(Fault::Hold));
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    desk.set_variable("TERM", "xterm");
    desk.set_variable("NO_COLOR", "1");
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.shows_times("Ctrl-C", 2);
    world.release();
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let parts: Vec<_> = seen.shown.split("\r\u{1b}[K").collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    assert!(address_in(first).starts_with("http://127.0.0.1:") && first.ends_with("\r\n"), "{seen:?}");
    let (asking, waiting) = parts[1..parts.len() - 1].split_last().unwrap();
    assert!(asking.contains("AWS") && !asking.contains("Ctrl-C"), "{seen:?}");
    assert!(waiting.len() >= 2, "it goes on from second to second: {seen:?}");
    for line in waiting {
        assert!(line.contains(" 2 min ") && line.contains("Ctrl-C"), "{line}");
    }
    assert!(last.contains("demo@example.com"), "{seen:?}");
    assert_eq!(last.matches('\n').count(), 1, "{seen:?}");
}

#[test]
fn a_terminal_that_obeys_nothing_is_spared_the_line() {
    let world = World::new();
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    desk.set_variable("TERM", "dumb");
    let seen = desk.at_terminal(Streams::Terminal, &["login"]).finish();
    assert!(seen.code == Some(0) && seen.shown.lines().count() == 2 && !seen.shown.contains('\u{1b}'), "{seen:?}");
}
