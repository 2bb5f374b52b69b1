//! `console`: it opens the AWS console through a sign-in address that AWS returns. That address is a credential.
//!
//! These tests check who gets the address. The unit tests of `aws` check the endpoints of each partition.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use openidconnect::url::{Url, form_urlencoded};
use serde_json::{Value, json};
use testworld::{
    Browser, Desk, Endpoint, Fault, Knob, Outcome, POOL_ID, POOL_ROLE_ARN, ROLE_ARN, World, address_in, wait_until,
};

use crate::{PROGRAM, sign_in::address};

/// A home whose profile names the console endpoint of the world, with more lines of TOML.
fn desk_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let desk = Desk::with(world, PROGRAM, &format!("console_endpoint = {}\n{more}", json!(world.console_endpoint())));
    desk.person("opens-the-console");
    desk
}

fn signed_in(world: &World) -> Desk<'_> {
    let desk = desk_with(world, "");
    desk.credentials();
    desk
}

/// The fields of each form that the federation endpoint got.
fn posted_forms(world: &World) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter().filter(|entry| entry.endpoint == Endpoint::SigninToken);
    requests.map(|entry| form_urlencoded::parse(entry.body.as_bytes()).into_owned().collect()).collect()
}

/// The console page that the simulated user has reached.
fn console_page(desk: &Desk<'_>) -> String {
    let is_console = || desk.page().is_some_and(|page| page.contains("<title>AWS console</title>"));
    wait_until("the console page is shown", is_console);
    desk.page().unwrap()
}

/// Asserts that the command opened the console: one line on stderr with the local address, nothing on stdout.
#[track_caller]
fn assert_opened(outcome: &Outcome) -> String {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(address_in(&outcome.stderr).starts_with("http://127.0.0.1:"), "{outcome:?}");
    outcome.stderr.clone()
}

#[test]
fn console_signs_in_through_a_single_use_local_address() {
    let world = World::new();
    let desk = signed_in(&world);
    let line = assert_opened(&desk.run(["console", "--service", "bedrock"]));
    assert!(line.contains("BedrockUser in account 123456789012"), "{line}");
    let page = console_page(&desk);
    assert!(page.contains("https://us-east-1.console.aws.amazon.com/bedrock/home?region=us-east-1"), "{page}");
    assert!(page.contains(":assumed-role/BedrockUser/"), "{page}");
    let again = desk.second_visit().unwrap();
    assert!(
        ["status 410", "ConnectionRefused", "ConnectionReset", "UnexpectedEof"].contains(&again.as_str()),
        "{again}"
    );
    assert_eq!(world.counts([Endpoint::SigninToken, Endpoint::ConsoleLogin]), [1, 1]);
}

#[test]
fn console_posts_credentials_in_one_request_body() {
    let world = World::new();
    let desk = desk_with(&world, "");
    let credentials = desk.credentials();
    assert_opened(&desk.run(["console"]));
    let session: Value = serde_json::from_str(&posted_forms(&world)[0]["Session"]).unwrap();
    let expected = json!({
        "sessionId": credentials["AccessKeyId"],
        "sessionKey": credentials["SecretAccessKey"],
        "sessionToken": credentials["SessionToken"],
    });
    assert_eq!(session, expected);
    assert_eq!(posted_forms(&world)[0].keys().collect::<Vec<_>>(), ["Action", "Session"]);
    let targets = world.ledger().requests().into_iter().filter(|entry| entry.endpoint == Endpoint::SigninToken);
    assert_eq!(targets.map(|entry| entry.target).collect::<Vec<_>>(), ["/federation"]);
    let page = console_page(&desk);
    assert!(page.contains("https://us-east-1.console.aws.amazon.com/console/home?region=us-east-1"), "{page}");
}

#[test]
fn console_signs_in_first_when_nobody_is_signed_in() {
    let world = World::new();
    let desk = desk_with(&world, "");
    assert_opened(&desk.run(["console", "--region", "eu-west-1"]));
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (2, 1));
    assert!(console_page(&desk).contains("https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"));
}

#[test]
fn console_no_browser_prints_address_role_and_lifetime() {
    let world = World::new();
    let desk = signed_in(&world);
    let (tabs, printed) = (desk.tabs(), desk.run(["console", "--no-browser"]).expect_code(0));
    let address = Url::parse(printed.stdout.strip_suffix('\n').unwrap()).unwrap();
    let query: BTreeMap<_, _> = address.query_pairs().into_owned().collect();
    assert_eq!((query["Action"].as_str(), query["Issuer"].as_str()), ("login", "bedrock-sso"));
    desk.expect_wording("output", "console --no-browser", &printed.stderr);
    for fact in ["15 minutes", "BedrockUser in account 123456789012"] {
        assert!(printed.stderr.contains(fact), "{fact}: {}", printed.stderr);
    }
    assert_eq!(printed.stderr.lines().count(), 1, "{printed:?}");
    assert_eq!((desk.tabs(), world.count(Endpoint::ConsoleLogin)), (tabs, 0));
    let page = Browser::new(None).get(address.as_str()).unwrap();
    assert!(page.text().contains("AWS console"), "{}", page.text());
}

#[test]
fn identity_pool_credentials_open_the_console() {
    let world = World::new();
    let endpoint = json!(world.cognito_endpoint());
    let pool =
        format!("federation = \"identity-pool\"\nidentity_pool_id = \"{POOL_ID}\"\ncognito_endpoint = {endpoint}");
    let desk = desk_with(&world, &pool);
    desk.replace_in_config(&format!("role_arn = \"{ROLE_ARN}\"\n"), "");
    let role = POOL_ROLE_ARN.rsplit('/').next().unwrap();
    let line = assert_opened(&desk.run(["console"]));
    assert!(line.contains(&format!("{role} in account 123456789012")), "{line}");
    assert!(console_page(&desk).contains(&format!(":assumed-role/{role}/")));
}

#[test]
fn chained_role_opens_the_console_without_a_duration() {
    let world = World::new();
    let next = "arn:aws:iam::222222222222:role/Hub";
    world.set(Knob::ChainRoles, json!([{ "arn": next, "trusts": ROLE_ARN }]));
    let desk = desk_with(&world, &format!("role_chain = [\"{next}\"]"));
    let line = assert_opened(&desk.run(["console"]));
    assert!(line.contains("Hub in account 222222222222"), "{line}");
    assert!(console_page(&desk).contains("222222222222:assumed-role/Hub/"));
    assert!(!posted_forms(&world)[0].contains_key("SessionDuration"), "AWS refuses it after a chain");
}

#[test]
fn console_rejects_invalid_service_and_foreign_region() {
    let world = World::new();
    let desk = desk_with(&world, "");
    desk.run(["console", "--service", "s3/../iam"]).fails(2, "usage/wrong_value").message_has(&["s3/../iam"]);
    for region in ["cn-north-1", "us-gov-west-1", "us-east-1.evil.example"] {
        let failed = desk.run(["console", "--region", region]).fails(2, "usage/region");
        failed.message_has(&[region, "us-east-1"]).hint_has(&["`--region`"]);
    }
    assert_eq!((desk.tabs(), world.ledger().total()), (0, 0), "no sign-in precedes the error");
}

#[test]
fn console_without_a_browser_fails_before_any_prompt() {
    let world = World::new();
    let desk = desk_with(&world, "");
    desk.set_key("browser", "[]");
    desk.set_variable("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let failed = desk.run(["console"]).fails(4, "console/no_browser");
    failed.message_has(&["SSH"]).hint_has(&["`bedrock-sso console --no-browser`"]);
    desk.set_key("browser", "[\"none\"]");
    desk.run(["console"]).fails(4, "console/no_browser");
    assert_eq!(world.ledger().total(), 0);
}

#[test]
fn console_reports_a_failed_browser_and_suggests_no_browser() {
    let world = World::new();
    let desk = signed_in(&world);
    desk.set_key("browser", "[\"/no/such/browser\", \"{url}\"]");
    let failed = desk.run(["console"]).fails(4, "console/browser_failed");
    failed.message_has(&["/no/such/browser"]).hint_has(&["`bedrock-sso console --no-browser`"]);
    desk.set_key("browser", "[\"/usr/bin/false\", \"{url}\"]");
    let failed = desk.run(["console"]);
    assert!(failed.code == Some(4) && failed.stderr.contains("[console/browser_failed]"), "{failed:?}");
    assert_eq!(world.count(Endpoint::ConsoleLogin), 0);
}

#[test]
fn console_times_out_when_its_address_is_not_opened() {
    let world = World::new();
    let desk = desk_with(&world, "login_timeout = \"10s\"");
    desk.credentials();
    desk.person("closes-the-tab");
    let failed = desk.run(["console"]);
    assert!(failed.code == Some(4) && failed.stderr.contains("within 10 s [console/not_opened]"), "{failed:?}");
    assert_eq!(world.count(Endpoint::ConsoleLogin), 0);
}

#[test]
fn console_address_rejects_another_local_user() {
    if !address::can_act_as_another_user() {
        return;
    }
    let world = World::new();
    let desk = signed_in(&world);
    desk.person("closes-the-tab");
    let tabs = desk.tabs();
    let call = desk.start(["console"]);
    wait_until("the browser has been started", || desk.tabs() > tabs);
    let start = desk.last_tab().unwrap();
    let answer = address::fetch_as_another_user(&start);
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("SigninToken"), "{answer}");
    let own = Browser::new(None).get(&start).unwrap();
    assert!(own.status == 303 && own.header("location").unwrap().contains("SigninToken="), "{}", own.status);
    call.finish().expect_code(0);
}

#[test]
fn console_maps_each_endpoint_error_to_a_slug_and_hint() {
    let world = World::new();
    let desk = signed_in(&world);
    let tabs = desk.tabs();
    for (status, slug) in
        [(400, "aws/console_refused"), (403, "aws/console_denied"), (429, "aws/throttled"), (503, "aws/server")]
    {
        world.set(Knob::SigninFault, json!(Fault::Status(status)));
        desk.run(["console"]).fails(7, slug).message_has(&[&status.to_string()]);
    }
    world.set(Knob::SigninFault, json!(Fault::Status(400)));
    desk.run(["console"]).fails(7, "aws/console_refused").hint_has(&["`bedrock-sso login --force`"]);
    assert_eq!(desk.tabs(), tabs, "no browser is opened");
}

#[test]
fn console_reports_revoked_credentials() {
    let world = World::new();
    let desk = signed_in(&world);
    world.revoke_credentials();
    desk.run(["console"]).fails(7, "aws/console_refused");
}

#[test]
fn console_reports_a_foreign_endpoint_as_network_failure() {
    let world = World::new();
    let desk = signed_in(&world);
    for fault in [Fault::Portal, Fault::Redirect("https://elsewhere.example/".into())] {
        world.set(Knob::SigninFault, json!(fault));
        desk.run(["console"]).fails(9, "network/not_aws").hint_has(&["`console_endpoint`"]);
    }
    for (fault, slug) in
        [(Fault::Close, "network/interrupted"), (Fault::Flood, "network/too_large"), (Fault::Hang, "network/timeout")]
    {
        world.set(Knob::SigninFault, json!(fault));
        let outcome = desk.run(["console"]);
        assert!(outcome.code == Some(9) && outcome.stderr.contains(slug), "{fault:?}: {outcome:?}");
    }
    world.stop_console();
    desk.run(["console"]).fails_without_golden(9, "network/connect");
}

#[test]
fn console_endpoint_cannot_be_set_by_a_variable() {
    let (world, stranger) = (World::new(), World::new());
    let desk = signed_in(&world);
    desk.set_variable("BEDROCK_SSO_CONSOLE_ENDPOINT", stranger.console_endpoint());
    desk.run(["console"]).fails(3, "config/variable_refused");
    desk.unset_variable("BEDROCK_SSO_CONSOLE_ENDPOINT");
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SIGNIN"] {
        desk.set_variable(name, stranger.console_endpoint());
    }
    assert_opened(&desk.run(["console"]));
    assert_eq!(stranger.ledger().total(), 0);
}

#[test]
fn changed_console_endpoint_gets_nothing_before_consent() {
    let (world, stranger) = (World::new(), World::new());
    let desk = signed_in(&world);
    desk.set_key("console_endpoint", &json!(stranger.console_endpoint()).to_string());
    desk.run(["console"]).fails(4, "sign-in/destination_changed");
    assert_eq!(stranger.ledger().total(), 0);
}
