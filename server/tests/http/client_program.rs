//! The client's program against the server, from the sign-in to the refusal.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use bedrock_sso::host::now;
use bedrock_sso_server::{
    limits::{Block, Grant, Scope},
    store::StoreError,
};
use serde_json::json;
use testworld::{Desk, Endpoint, World};

use crate::{
    broken_store::BrokenStore,
    server::{INGEST_TOKEN, Server, person, record},
};

/// The client's program, beside the server's if cargo has built both.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_bedrock-sso-server"))
        .with_file_name(format!("bedrock-sso{}", env::consts::EXE_SUFFIX))
}

#[test]
#[ignore = "needs the client's program: cargo build --bins --example person"]
fn client_program_obeys_limits_grants_and_blocks() {
    let world = World::new();
    let server = Server::start(&world);
    server.set_limit(Scope::Default, "month 1000");
    let quota =
        format!("[profiles.claude.quota]\nendpoint = {}\ninterval = \"0s\"\non_error = \"deny\"\n", json!(server.url));
    let desk = Desk::with(&world, program(), &quota);
    desk.run(["credentials"]).expect_code(0);
    let use_tokens = |id: &str, count: u64| {
        let (status, _) = server.ingest(&format!("Bearer {INGEST_TOKEN}"), record(id, count).as_bytes());
        assert_eq!(status, 200);
    };
    use_tokens("one", 900);
    let status = desk.run(["credentials"]).expect_code(0);
    assert_eq!(status.stderr, "");
    assert_eq!(desk.run(["status", "--json"]).document()["quota"]["monthly_percent"], 90.0);
    desk.run(["quota"]).expect_code(0);
    let overview = desk.run(["quota", "--json"]).expect_code(0).document();
    assert_eq!((&overview["person"], &overview["limits"][0]["used"]), (&json!("demo@example.com"), &json!(900.0)));
    use_tokens("two", 200);
    let refused = desk.run(["credentials"]).fails_without_golden(8, "quota/monthly_exceeded");
    refused.message_has(&["1,100 of 1,000 tokens", "it-help@example.com"]);

    let [since, until] = [now(), now().saturating_add(Duration::from_secs(3600))];
    let grant = Grant { person: person(), since, until, amount: None, reason: "demo".to_owned() };
    server.wait(server.store.add_grant(&grant));
    desk.run(["credentials"]).expect_code(0);
    server.wait(server.store.set_block(&Block { person: person(), since, until: None, reason: None }));
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    server.wait(server.store.remove_block(&person()));
    desk.run(["credentials"]).expect_code(0);
    assert_eq!(desk.run(["quota", "--json"]).expect_code(0).document()["blocked"], json!(null));
    // None of this needed another sign-in.
    assert_eq!((desk.tabs(), world.count(Endpoint::Assume)), (1, 1));
}

#[test]
#[ignore = "needs the client's program: cargo build --bins --example person"]
fn client_program_without_an_answer_follows_on_error() {
    let world = World::new();
    let broken = || StoreError::Unavailable("the disk is full".to_owned());
    let server = Server::with_store(&world, "", |_| Arc::new(BrokenStore(broken())));
    let desk_with = |on_error: &str| {
        let quota = format!("[profiles.claude.quota]\nendpoint = {}\non_error = \"{on_error}\"\n", json!(server.url));
        Desk::with(&world, program(), &quota)
    };
    assert_eq!(desk_with("allow").run(["credentials"]).expect_code(0).stderr, "");
    let refused = desk_with("deny").run(["credentials"]).fails_without_golden(8, "quota/no_answer");
    refused.message_has(&["503"]);
}
