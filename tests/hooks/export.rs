//! `export`, which Claude Code runs as `awsCredentialExport`.

use testworld::{Knob, World, wait_until};

use super::{SPENT, assert_prints, cached_credentials, counts, desk, signed_in};

#[test]
fn export_prints_the_documented_json_on_one_line() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = cached_credentials(&desk);
    let requests = world.ledger().total();
    let part = |name: &str| document[name].as_str().unwrap().to_owned();
    assert_prints(
        &desk.run(["export"]),
        &format!(
            "{{\"Credentials\":{{\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"SessionToken\":\"{}\",\
             \"Expiration\":\"{}\"}}}}\n",
            part("AccessKeyId"),
            part("SecretAccessKey"),
            part("SessionToken"),
            part("Expiration"),
        ),
    );
    assert_eq!(world.ledger().total(), requests, "valid credentials need no network");
}

#[test]
fn export_without_a_sign_in_fails_without_a_prompt() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["export"]).fails(4, "sign-in/not_allowed").hint_has(&["`bedrock-sso login`"]);
    assert_eq!(counts(&world, &desk), [0, 0, 0, 0]);
}

#[test]
fn export_refreshes_expired_credentials_without_a_browser() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = signed_in(&world);
    let exported = desk.run(["export"]).expect_code(0);
    assert_eq!(exported.stderr, "");
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2]);
    assert_eq!(exported.document()["Credentials"]["Expiration"], cached_credentials(&desk)["Expiration"]);
}

#[test]
fn export_does_not_wait_for_an_open_prompt() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let asking = desk.start(["credentials"]);
    wait_until("a tab is open", || desk.tabs() == 1);
    desk.run(["export"]).fails(4, "sign-in/waiting");
    desk.kill_all();
    asking.kill();
}
