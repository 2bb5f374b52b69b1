//! `export`, as Claude Code's `awsCredentialExport`.

use testworld::{Knob, World, wait_until};

use super::{SPENT, counts, desk, kept, said, signed_in};

#[test]
fn the_export_is_one_line_in_the_documented_shape_with_an_expiration() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = kept(&desk);
    let requests = world.ledger().total();
    let part = |name: &str| document[name].as_str().unwrap().to_owned();
    said(
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
fn an_export_without_a_sign_in_asks_nobody_and_says_what_to_do() {
    let world = World::new();
    let desk = desk(&world);
    desk.run(["export"]).fails(4, "sign-in/not_allowed").hint_has(&["`bedrock-sso login`"]);
    assert_eq!(counts(&world, &desk), [0, 0, 0, 0]);
}

#[test]
fn an_export_renews_spent_credentials_and_opens_nothing() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = signed_in(&world);
    let exported = desk.run(["export"]).expect_code(0);
    assert_eq!(exported.stderr, "");
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2]);
    assert_eq!(exported.document()["Credentials"]["Expiration"], kept(&desk)["Expiration"]);
}

#[test]
fn an_export_does_not_wait_for_the_person_who_is_being_asked() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("closes-the-tab");
    let asking = desk.start(["credentials"]);
    wait_until("a tab is open", || desk.tabs() == 1);
    desk.run(["export"]).fails(4, "sign-in/waiting");
    desk.kill_all();
    asking.kill();
}
