//! The browser as a child process, and the final page that it shows.

use std::fs;

use serde_json::json;
use testworld::{Endpoint, Fault, Knob, World, address_in};

use super::{desk, desk_with, fails, final_page};
use crate::to_local_text;

#[test]
fn browser_that_never_exits_does_not_delay_the_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("stays");
    desk.credentials();
    desk.settle();
}

#[test]
fn browser_output_reaches_neither_stdout_nor_stderr() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("chatters");
    desk.credentials();
    let login = desk.run(["login", "--force"]).expect_code(0);
    assert_eq!((login.stdout.lines().count(), login.stderr.as_str()), (2, ""), "{login:?}");
}

#[test]
fn login_prints_the_address_and_then_the_session() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("TZ", "JST-9");
    let login = desk.run(["login"]).expect_code(0);
    let [asking, signed_in] = login.stdout.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(address_in(asking).starts_with("http://127.0.0.1:"), "{asking}");
    let until = to_local_text(desk.credentials()["Expiration"].as_str().unwrap(), 9);
    for fact in ["demo@example.com", "BedrockUser", "123456789012", &until] {
        assert!(signed_in.contains(fact), "{fact}: {signed_in}");
    }
    assert!(signed_in.contains("11 h 59 min") || signed_in.contains("12 h"), "{signed_in}");
    assert_eq!(login.stderr, "");
}

#[test]
fn browser_that_cannot_start_is_reported_at_once() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&world.configuration("browser = [\"/no/such/browser\", \"{url}\"]"));
    let failed = fails(&desk, 4, "sign-in/no_browser");
    failed.message_has(&["/no/such/browser"]).hint_has(&["`bedrock-sso login --no-browser`"]);
    assert_eq!(world.count(Endpoint::Authorize), 0);
}

/// A configuration whose browser runs this command, in which `$0` is the address, and then fails.
fn failing_browser(world: &World, command: &str, more: &str) -> String {
    let words = json!(["/bin/sh", "-c", format!("{command}\nexit 3"), "{url}"]);
    world.configuration(&format!("browser = {words}\n{more}"))
}

#[test]
fn failed_browser_ends_a_hidden_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&failing_browser(&world, "true", ""));
    let failed = fails(&desk, 4, "sign-in/browser_failed");
    failed.message_has(&["/bin/sh: exit status: 3"]).hint_has(&["`bedrock-sso login --no-browser`"]);
    assert_eq!(world.count(Endpoint::Login), 0);
}

#[test]
fn browser_failure_after_the_page_opened_is_ignored() {
    let world = World::new();
    let desk = desk(&world);
    let configured: toml::Table = fs::read_to_string(desk.config_file()).unwrap().parse().unwrap();
    let person = configured["profiles"]["claude"]["browser"][0].as_str().unwrap().to_owned();
    // The user takes longer than the program waits for the first request after a browser has failed.
    world.next(1, Knob::AuthorizeFault, json!(Fault::Delay(4500)));
    desk.configure(&failing_browser(&world, &format!("'{person}' \"$0\" &"), ""));
    desk.credentials();
}

#[test]
fn login_reports_a_failed_browser_and_waits_for_the_user() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&failing_browser(&world, "true", ""));
    let mut call = desk.start(["login"]);
    let lines = call.lines(2);
    assert!(lines[1].contains("/bin/sh: exit status: 3"), "{lines:?}");
    assert!(testworld::visit(address_in(&lines[1]), false).unwrap().text().contains("123456789012"));
    call.finish().expect_code(0);
}

#[test]
fn login_timeout_names_the_failed_browser() {
    let world = World::new();
    let desk = desk(&world);
    desk.configure(&failing_browser(&world, "true", "login_timeout = \"10s\""));
    let failed = desk.run(["login"]).ends_with_failure(4, "sign-in/browser_failed");
    failed.message_has(&["/bin/sh: exit status: 3"]);
}

#[test]
fn success_page_shows_role_account_and_expiration() {
    let world = World::new();
    let desk = desk(&world);
    desk.set_variable("TZ", "JST-9");
    let until = to_local_text(desk.credentials()["Expiration"].as_str().unwrap(), 9);
    let page = final_page(&desk);
    for fact in ["<title>Signed in ·", "demo@example.com", "BedrockUser", "123456789012", &until] {
        assert!(page.contains(fact), "{fact} is missing in {page}");
    }
    assert!(page.contains("11 h 59 min") || page.contains("12 h"), "{page}");
}

#[test]
fn failure_page_shows_a_refusal_by_aws() {
    let world = World::new();
    world.set(Knob::AssumeFault, json!(Fault::aws(403, "AccessDenied", "Not <b>authorized</b>")));
    let desk = desk(&world);
    let failed = fails(&desk, 7, "aws/access_denied");
    let page = final_page(&desk);
    assert!(page.contains("Sign-in failed") && page.contains("<code>aws/access_denied</code>"), "{page}");
    assert!(page.contains("Not &lt;b&gt;authorized&lt;/b&gt;"), "{page}");
    let hint = failed.hint.split_once('`').map_or(failed.hint.as_str(), |(before, _)| before);
    assert!(page.contains(&hint[1..]), "{hint} is missing in {page}");
    assert!(!page.contains("Signed in as"), "the page does not report a success");
}

#[test]
fn final_page_waits_until_aws_has_answered() {
    let world = World::new();
    world.set(Knob::AssumeFault, json!(Fault::Hold));
    let desk = desk_with(&world, "");
    let call = desk.start(["credentials"]);
    assert!(world.ledger().wait_for(Endpoint::Assume, 1, std::time::Duration::from_secs(20)));
    assert_eq!(desk.page(), None, "no final page is shown before AWS has answered");
    world.release();
    call.finish().expect_code(0);
    assert!(final_page(&desk).contains("123456789012"));
}
