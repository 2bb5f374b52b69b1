//! `token` and `bearer`: they print an ID token and a Bedrock API key for other programs, and never prompt.

use base64::{Engine, engine::general_purpose::STANDARD};
use openidconnect::url::form_urlencoded;
use serde_json::json;
use testworld::{Fault, Knob, World};

use super::{SPENT, cached_credentials, counts, desk, signed_in};

#[test]
fn token_prints_a_header_or_the_raw_token() {
    let world = World::new();
    let desk = signed_in(&world);
    let requests = world.ledger().total();
    let header = desk.run(["token"]).expect_code(0);
    let bare = desk.run(["token", "--raw"]).expect_code(0);
    let token = bare.stdout.trim_end();
    assert_eq!(header.stdout, format!("{{\"Authorization\":\"Bearer {token}\"}}\n"));
    assert_eq!((header.stderr.as_str(), bare.stderr.as_str()), ("", ""));
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(world.ledger().total(), requests);
}

#[test]
fn token_refreshes_without_calling_aws() {
    let world = World::new();
    world.next(1, Knob::IdTokenLifetime, 60);
    let desk = signed_in(&world);
    let first = desk.run(["token", "--raw"]).expect_code(0).stdout;
    assert_eq!(counts(&world, &desk), [1, 1, 1, 1]);
    assert_eq!(desk.run(["token", "--raw"]).expect_code(0).stdout, first);
    assert_eq!(counts(&world, &desk), [1, 1, 1, 1]);
}

#[test]
fn token_prints_a_valid_token_if_provider_is_unreachable() {
    let world = World::new();
    world.next(1, Knob::IdTokenLifetime, 60);
    let desk = signed_in(&world);
    world.stop_provider();
    let token = desk.run(["token", "--raw"]).expect_code(0);
    assert_eq!(token.stderr, "");
    world.start_provider();
    assert_ne!(desk.run(["token", "--raw"]).expect_code(0).stdout, token.stdout, "the refresh token still works");
}

#[test]
fn concurrent_token_calls_share_one_refresh() {
    let world = World::new();
    world.next(1, Knob::IdTokenLifetime, 60);
    let desk = signed_in(&world);
    world.next(1, Knob::RefreshFault, json!(Fault::Delay(300)));
    let callers: Vec<_> = (0..8).map(|_| desk.start(["token", "--raw"])).collect();
    let tokens: Vec<_> = callers.into_iter().map(|caller| caller.finish().expect_code(0).stdout).collect();
    assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(counts(&world, &desk), [1, 1, 1, 1]);
}

#[test]
fn token_and_bearer_fail_without_a_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    for call in [&["token"][..], &["token", "--raw"], &["bearer"], &["bearer", "--json"]] {
        let mut command = desk.command();
        command.args(call);
        let failed = desk.start_command(command).finish().fails(4, "sign-in/not_allowed");
        failed.hint_has(&["`bedrock-sso login`"]);
    }
    assert_eq!(counts(&world, &desk), [0, 0, 0, 0]);
}

#[test]
fn token_of_a_revoked_session_is_not_printed() {
    let world = World::new();
    world.next(1, Knob::IdTokenLifetime, 60);
    let desk = signed_in(&world);
    world.revoke_grants();
    desk.run(["token"]).fails(4, "sign-in/no_token").hint_has(&["`bedrock-sso login --force`"]);
    // The cached token is valid for another minute, and the refused refresh token has been deleted.
    desk.run(["token"]).fails(4, "sign-in/no_token");
    assert_eq!(desk.run(["status", "--json"]).document()["identity"]["email"], "demo@example.com");
    desk.run(["login", "--force"]).expect_code(0);
    desk.run(["token"]).expect_code(0);
}

/// The parameters of the signed request inside a Bedrock API key.
fn parameters(key: &str) -> Vec<(String, String)> {
    let request = STANDARD.decode(key.strip_prefix("bedrock-api-key-").unwrap()).unwrap();
    let request = String::from_utf8(request).unwrap();
    let (host, query) = request.split_once("/?").unwrap();
    assert_eq!(host, "bedrock.amazonaws.com");
    assert!(query.ends_with("&Version=1"));
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn parameter(parameters: &[(String, String)], name: &str) -> String {
    let mut found = parameters.iter().filter(|(found, _)| found == name);
    let value = found.next().unwrap_or_else(|| panic!("{name} is missing")).1.clone();
    assert!(found.next().is_none(), "{name} comes twice");
    value
}

#[test]
fn bearer_key_expires_with_the_credentials() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 3600);
    let desk = signed_in(&world);
    let (requests, document) = (world.ledger().total(), cached_credentials(&desk));
    let outcome = desk.run(["bearer"]).expect_code(0);
    assert_eq!(outcome.stderr, "");
    let parameters = parameters(outcome.stdout.trim_end());
    let parameter = |name: &str| parameter(&parameters, name);
    assert_eq!(parameter("Action"), "CallWithBearerToken");
    assert_eq!(parameter("X-Amz-Algorithm"), "AWS4-HMAC-SHA256");
    assert_eq!(parameter("X-Amz-SignedHeaders"), "host");
    assert_eq!(parameter("X-Amz-Security-Token"), document["SessionToken"].as_str().unwrap());
    let credential = parameter("X-Amz-Credential");
    let id = document["AccessKeyId"].as_str().unwrap();
    assert!(credential.starts_with(&format!("{id}/20")), "{credential}");
    assert!(credential.ends_with("/us-east-1/bedrock/aws4_request"), "{credential}");
    let life: u64 = parameter("X-Amz-Expires").parse().unwrap();
    assert!((3500..=3600).contains(&life), "{life}");
    assert_eq!(world.ledger().total(), requests, "the key is made without a request");
}

#[test]
fn bearer_json_has_the_shape_for_claude_desktop() {
    let world = World::new();
    let desk = signed_in(&world);
    let document = desk.run(["bearer", "--json"]).expect_code(0).document();
    assert_eq!(document["headers"], json!({}));
    assert_eq!(document.as_object().unwrap().len(), 2);
    let life: u64 = parameter(&parameters(document["token"].as_str().unwrap()), "X-Amz-Expires").parse().unwrap();
    assert!(life <= 43_200, "{life}");
}

#[test]
fn bearer_key_is_signed_with_refreshed_credentials() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, SPENT);
    let desk = signed_in(&world);
    desk.run(["bearer"]).expect_code(0);
    assert_eq!(counts(&world, &desk), [1, 1, 1, 2]);
}
