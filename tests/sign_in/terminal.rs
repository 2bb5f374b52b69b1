//! Sign-ins at a terminal without a browser: a pasted callback address, and a device code with its QR code.
//!
//! Prompts go to the terminal itself, so they appear even when the caller captures stdout and stderr.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use testworld::{
    AtTerminal, Desk, Endpoint, Fault, Knob, Streams, TerminalOutcome, World, address_in, enter_code,
    sign_in_to_unreachable_callback,
};

use super::{desk_with, fails, wait_for};

/// A home on a machine that the user reaches by SSH: no display, no browser.
fn desk_over_ssh(world: &World) -> Desk<'_> {
    let desk = desk_with(world, "");
    desk.configure(&world.configuration(""));
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    desk.set_variable("TERM", "xterm");
    desk.set_variable("LANG", "C.UTF-8");
    desk
}

fn world_with_device_codes() -> World {
    let world = World::new();
    world.set(Knob::DeviceCodes, json!({}));
    world
}

/// The ends of the first prompt for a paste and of each further one.
const FIRST_PROMPT: &str = "(the input is hidden): ";
const NEXT_PROMPT: &str = " again: ";

/// Waits for the prompt; returns the address that the user should open.
fn wait_for_address(terminal: &AtTerminal<'_, '_>) -> String {
    let shown = terminal.shows(FIRST_PROMPT);
    shown.lines().find(|line| line.starts_with("http")).expect("an address").to_owned()
}

fn assert_signed_in(seen: &TerminalOutcome) {
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(seen.shown.contains("demo@example.com") && seen.shown.contains("BedrockUser"), "{seen:?}");
}

#[test]
fn pasted_callback_address_signs_in() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let address = wait_for_address(&terminal);
    assert!(address.starts_with(&format!("{}/authorize?", world.issuer())), "{address}");
    let last = sign_in_to_unreachable_callback(&address, false).unwrap();
    assert!(!terminal.echoes(), "the terminal does not echo the pasted address");
    terminal.types(&format!("{last}\r"));
    let seen = terminal.finish();
    assert_signed_in(&seen);
    assert!(!seen.shown.contains("code="), "{seen:?}");
    let code = last.split_once("code=").unwrap().1.split('&').next().unwrap();
    assert!(!desk.log().contains(code), "the log does not contain the code");
    assert_eq!((world.count(Endpoint::Code), world.count(Endpoint::Assume)), (1, 1));
    desk.credentials();
}

#[test]
fn paste_prompt_appears_with_a_slow_provider() {
    let world = World::new();
    world.next(1, Knob::DiscoveryFault, json!(Fault::Delay(2000)));
    let desk = desk_over_ssh(&world);
    desk.configure(&world.configuration("flow = \"paste\""));
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&wait_for_address(&terminal), false).unwrap()));
    assert_signed_in(&terminal.finish());
}

#[test]
fn paste_prompt_reaches_the_terminal_despite_pipes() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Caller, &["credentials"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&wait_for_address(&terminal), false).unwrap()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let document: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(document["Version"], 1);
    assert!(!seen.shown.contains("AccessKeyId"), "{seen:?}");
}

#[test]
fn ctrl_c_at_the_paste_prompt_restores_the_terminal() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    assert!(terminal.echoes());
    wait_for_address(&terminal);
    assert!(!terminal.echoes());
    // Ctrl-C
    terminal.types("\x03");
    wait_for("the echo", || terminal.echoes().then_some(()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(130), "{seen:?}");
    assert!(seen.shown.contains("[interrupted]"), "{seen:?}");
    desk.settle();
}

#[test]
fn wrong_paste_is_explained_and_prompted_again() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let last = sign_in_to_unreachable_callback(&wait_for_address(&terminal), false).unwrap();
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
        let shown = terminal.shows_times(NEXT_PROMPT, count + 1);
        let (before, _) = shown.rsplit_once(NEXT_PROMPT).unwrap();
        let mut lines = before.lines().filter(|line| !line.trim().is_empty());
        // The last line is the next prompt. The verdict stands behind the prompt before it.
        let line = lines.nth_back(1).unwrap();
        let line =
            line.rsplit_once(NEXT_PROMPT).or_else(|| line.rsplit_once(FIRST_PROMPT)).map_or(line, |(_, line)| line);
        desk.expect_wording("output", &format!("login: a paste with {what}"), line.trim());
    }
    assert_eq!(world.count(Endpoint::Code), 0, "no wrong paste is accepted");
    terminal.types(&format!(" {last} \r"));
    assert_signed_in(&terminal.finish());
}

#[test]
fn pasted_address_without_scheme_is_accepted() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let last = sign_in_to_unreachable_callback(&wait_for_address(&terminal), false).unwrap();
    terminal.types(&format!("{}\r", last.strip_prefix("http://").unwrap()));
    assert_signed_in(&terminal.finish());
}

#[test]
fn pasted_address_longer_than_a_line_is_accepted() {
    let world = World::new();
    world.set(Knob::CallbackQuery, json!({ "session_state": "x".repeat(12_000) }));
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&wait_for_address(&terminal), false).unwrap()));
    assert_signed_in(&terminal.finish());
}

#[test]
fn pasted_denial_reports_the_provider_error() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    terminal.types(&format!("{}\r", sign_in_to_unreachable_callback(&wait_for_address(&terminal), true).unwrap()));
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(5), "{seen:?}");
    assert!(seen.shown.contains("[sign-in/access_denied]"), "{seen:?}");
}

#[test]
fn callback_through_the_browser_ends_the_paste_prompt() {
    let world = World::new();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let page = testworld::visit(&wait_for_address(&terminal), false).unwrap();
    assert!(page.text().contains("Signed in"), "{}", page.text());
    assert_signed_in(&terminal.finish());
}

#[test]
fn device_code_is_shown_large_with_a_qr_code() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Terminal, &["login"]);
    let shown = terminal.shows("Ctrl-C");
    let address = format!("{}/device", world.issuer());
    assert!(shown.contains(&address), "{shown}");
    let (_, rest) = shown.split_once("\x1b[1;7m  ").expect("the code in bold");
    let code = rest.split(' ').next().unwrap();
    assert!(shown.contains('█'), "{shown}");
    enter_code(&address, code, false).unwrap();
    assert_signed_in(&terminal.finish());
}

#[test]
fn device_code_reaches_the_terminal_despite_pipes() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
    let terminal = desk.at_terminal(Streams::Caller, &["credentials"]);
    let shown = terminal.shows("Ctrl-C");
    let code = shown.split_once("\x1b[1;7m  ").unwrap().1.split(' ').next().unwrap();
    enter_code(&format!("{}/device", world.issuer()), code, false).unwrap();
    let seen = terminal.finish();
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(serde_json::from_str::<Value>(&seen.stdout).is_ok(), "{seen:?}");
}

#[test]
fn remote_caller_without_a_terminal_gets_the_login_command() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
    fails(&desk, 4, "sign-in/no_terminal").hint_has(&["`bedrock-sso login`"]);
    assert_eq!(world.ledger().total(), 0);
}

#[test]
fn terminal_in_raw_mode_is_not_used() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
    let script = "stty -icanon; \"$0\" credentials; echo \"code $?\"; stty icanon";
    let seen = desk.shell_at_terminal(script).finish();
    assert!(seen.shown.contains("[sign-in/no_terminal]") && seen.shown.contains("code 4"), "{seen:?}");
}

#[test]
fn ci_machine_is_refused_as_unattended() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
    desk.set_variable("CI", "true");
    for verb in ["credentials", "login"] {
        desk.run([verb]).fails(4, "sign-in/unattended").hint_has(&["login --device"]);
    }
    assert_eq!(world.ledger().total(), 0);
}

#[test]
fn chosen_sign_in_flow_is_logged_with_its_reason() {
    let world = world_with_device_codes();
    let desk = desk_over_ssh(&world);
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
    let desk = desk_over_ssh(&world);
    desk.unset_variable("SSH_CONNECTION");
    desk.configure(&world.configuration("browser = [\"none\"]"));
    let mut call = desk.start(["login"]);
    let line = call.lines(1).concat();
    let address = address_in(&line);
    assert_eq!(testworld::visit(address, false).unwrap().status, 200);
    call.finish().expect_code(0);
}

/// The user sits at the terminal of a machine with a browser.
#[test]
fn countdown_line_is_shown_and_then_erased() {
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
    assert!(waiting.len() >= 2, "the line is updated every second: {seen:?}");
    for line in waiting {
        assert!(line.contains(" 2 min ") && line.contains("Ctrl-C"), "{line}");
    }
    assert!(last.contains("demo@example.com"), "{seen:?}");
    assert_eq!(last.matches('\n').count(), 1, "{seen:?}");
}

#[test]
fn dumb_terminal_shows_no_countdown() {
    let world = World::new();
    let desk = Desk::new(&world, env!("CARGO_BIN_EXE_bedrock-sso"));
    desk.set_variable("TERM", "dumb");
    let seen = desk.at_terminal(Streams::Terminal, &["login"]).finish();
    assert!(seen.code == Some(0) && seen.shown.lines().count() == 2 && !seen.shown.contains('\u{1b}'), "{seen:?}");
}
