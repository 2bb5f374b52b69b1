//! The live exchange: from the stored sign-in to credentials that AWS accepts. It stores nothing and prompts nobody.

use serde_json::json;
use testworld::{Endpoint, Fault, Knob, World};

use super::{desk, live, results, row, signed_in};

#[test]
fn live_doctor_reports_a_healthy_machine() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let outcome = desk.run(["doctor", "--live"]);
    assert_eq!(outcome.stderr, "");
    let at = outcome.stdout.find("ok       exchange").unwrap_or_else(|| panic!("{}", outcome.stdout));
    let live = outcome.stdout[at..].split("\n\n").next().unwrap();
    assert_eq!(live.lines().filter(|line| line.starts_with("ok ")).count(), 6, "{live}");
    desk.expect_wording("output", "doctor --live: a healthy laptop", live);
}

#[test]
fn live_exchange_is_real_and_stores_nothing() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let stored = desk.run(["credentials"]).expect_code(0).stdout;
    let (assumed, tabs) = (world.count(Endpoint::Assume), desk.tabs());
    live(&desk);
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (assumed + 1, tabs));
    assert_eq!(desk.run(["credentials"]).expect_code(0).stdout, stored);
    let keys: Vec<_> = [Endpoint::Identity, Endpoint::Converse, Endpoint::ConverseStream]
        .map(|endpoint| {
            let asked = world.ledger().requests().into_iter().filter(|entry| entry.endpoint == endpoint);
            let signed = asked.flat_map(|entry| entry.headers);
            let signed = signed.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            signed.unwrap().1.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned()
        })
        .into();
    assert!(keys.iter().all(|key| *key == keys[0] && !stored.contains(key.as_str())), "{keys:?}");
}

#[test]
fn live_doctor_refreshes_an_expired_id_token() {
    let world = World::new();
    world.next(1, Knob::IdTokenLifetime, 60);
    let desk = signed_in(&world, "");
    let found = live(&desk);
    assert_eq!(row(&found, "exchange").result, "ok");
    assert_eq!((world.count(Endpoint::Refresh), desk.tabs()), (1, 1));
}

#[test]
fn live_doctor_uses_cached_credentials_without_a_refresh() {
    let world = World::new();
    world.set(Knob::WithoutRefreshToken, true);
    world.age_next_id_token();
    let desk = signed_in(&world, "");
    let found = live(&desk);
    let exchange = row(&found, "exchange");
    assert_eq!(exchange.result, "skipped");
    assert_eq!(row(&found, "streaming").result, "ok");
    assert_eq!(world.count(Endpoint::Assume), 1);
}

#[test]
fn live_doctor_skips_everything_when_signed_out() {
    let world = World::new();
    let desk = desk(&world, "");
    let found = live(&desk);
    assert!(found.iter().all(|row| row.result == "skipped" && row.remedy.is_none()), "{found:?}");
    row(&found, "exchange").has(&["`bedrock-sso login`"]);
    row(&found, "converse").has(&["`exchange`"]);
    let asked = [Endpoint::Assume, Endpoint::Models, Endpoint::Converse].map(|endpoint| world.count(endpoint));
    assert_eq!((asked, desk.tabs()), ([0, 0, 0], 0));
}

#[test]
fn sts_refusal_skips_the_bedrock_checks() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let denied = Fault::aws(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    world.set(Knob::AssumeFault, denied);
    let outcome = desk.run(["doctor", "--live", "--json"]);
    let found = super::rows(&outcome);
    super::expect_wording(&desk, &found);
    let exchange = row(&found, "exchange");
    assert_eq!(exchange.result, "bad");
    exchange.has(&["sts:AssumeRoleWithWebIdentity"]);
    assert!(results(&found)[1..].iter().all(|(_, result)| *result == "skipped"), "{found:?}");
    assert_eq!(world.count(Endpoint::Models), 0);
    assert_eq!(outcome.code, Some(7));
}

#[test]
fn live_quota_check_refreshes_the_sign_in() {
    let world = World::new();
    let quota = format!("[profiles.claude.quota]\nendpoint = {}\n", json!(world.quota_endpoint()));
    world.age_next_id_token();
    let desk = signed_in(&world, &quota);
    let row = |live: &[&str]| {
        let mut command = desk.command();
        command.args(["doctor", "--json"]).args(live);
        let outcome = desk.start_command(command).finish();
        let checks = outcome.document()["checks"].as_array().unwrap().clone();
        let [row] = checks.into_iter().filter(|check| check["name"] == "quota").collect::<Vec<_>>().try_into().unwrap();
        (row["result"].clone(), row["message"].as_str().unwrap().to_owned())
    };
    world.set(Knob::Quota, json!({ "allowed": true, "usage": { "monthly_percent": 83.4 } }));
    let (result, message) = row(&[]);
    assert!(result == "ok" && message.contains("answers"), "{message}");
    let (result, message) = row(&["--live"]);
    assert!(result == "warn" && message.contains("83 %"), "{message}");
    assert_eq!(world.count(Endpoint::Refresh), 1);
}

#[test]
fn quota_denial_prevents_the_live_exchange() {
    let world = World::new();
    let quota = format!("[profiles.claude.quota]\nendpoint = {}\n", json!(world.quota_endpoint()));
    let desk = signed_in(&world, &quota);
    let assumed = world.count(Endpoint::Assume);
    let over = json!({ "allowed": false, "reason": "monthly_exceeded", "usage": {}, "policy": {}, "message": "Monthly quota exceeded" });
    world.set(Knob::Quota, over);
    let found = live(&desk);
    assert_eq!(row(&found, "exchange").result, "bad", "{found:?}");
    assert_eq!(world.count(Endpoint::Assume), assumed);
}

#[test]
fn credentials_of_another_role_fail_the_identity_check() {
    let world = World::new();
    let desk = signed_in(&world, "");
    let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:aws:sts::999999999999:assumed-role/Other/jane</Arn><UserId>A:jane</UserId>\
                <Account>999999999999</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    world.set(Knob::IdentityFault, Fault::Body { status: 200, content_type: "text/xml".into(), body: body.into() });
    let found = live(&desk);
    let identity = row(&found, "identity");
    assert_eq!(identity.result, "bad");
    identity.has(&["arn:aws:sts::999999999999:assumed-role/Other/jane", "arn:aws:iam::123456789012:role/BedrockUser"]);
    row(&found, "converse").has(&["`identity`"]);
}
