//! Client authentication with a secret, at sign-in, refresh and revocation, and failures with a wrong or missing
//! secret.

use testworld::{Endpoint, Knob};

use super::{counts, desk, login, sign_in_with_device_code, signed_in, world};

/// For each request to the token and revocation endpoints: whether it has an Authorization header, and its form fields
/// that begin with `client`.
fn client_authentications(world: &testworld::World) -> Vec<(bool, Vec<String>)> {
    let requests = world.ledger().requests().into_iter().filter(|request| request.method == "POST");
    let posted = requests.filter(|request| request.target == "/token" || request.target == "/revoke");
    posted
        .map(|request| {
            let has_header = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            let names = openidconnect::url::form_urlencoded::parse(request.body.as_bytes());
            let names = names.map(|(name, _)| name.into_owned()).filter(|name| name.starts_with("client"));
            (has_header, names.collect())
        })
        .collect()
}

#[test]
fn client_secret_basic_is_sent_with_every_token_request() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 1, 1], 0));
    assert_eq!(client_authentications(&world), vec![(true, vec![]); 3]);
}

#[test]
fn client_secret_post_is_sent_with_every_token_request() {
    let world = world("client_secret_post");
    let desk = signed_in(&world);
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 1, 1], 0));
    let fields = ["client_id", "client_secret"].map(str::to_owned).to_vec();
    assert_eq!(client_authentications(&world), vec![(false, fields); 3]);
}

#[test]
fn revocation_endpoint_gets_an_auth_method_that_it_lists() {
    let world = world("client_secret_basic");
    let methods = serde_json::json!({ "revocation_endpoint_auth_methods_supported": ["client_secret_post"] });
    world.set(Knob::DiscoveryDocument, methods);
    let desk = signed_in(&world);
    desk.run(["logout"]);
    let fields = ["client_id", "client_secret"].map(str::to_owned).to_vec();
    assert_eq!(client_authentications(&world), [(true, vec![]), (false, fields)]);
}

#[test]
fn missing_client_secret_is_reported_before_any_prompt() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    for arguments in [["credentials", "--profile", "claude"], ["login", "--profile", "claude"]] {
        let failed = desk.run(arguments).fails(3, "config/no_client_secret");
        failed.hint_has(&["`bedrock-sso login --client-secret-stdin`"]);
    }
    assert_eq!((counts(&world), desk.tabs()), ([0; 4], 0));
}

#[test]
fn wrong_client_secret_is_reported_and_can_be_replaced() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let failed = login(&desk, "something else").ends_with_failure(5, "provider/client_refused");
    failed.message_has(&["invalid_client (unknown client, or its secret is wrong)"]);
    failed.hint_has(&["`bedrock-sso login --client-secret-stdin`", "`client_id`"]);
    login(&desk, &world.client_secret()).expect_code(0);
    desk.credentials();
}

#[test]
fn changed_client_secret_preserves_the_refresh_token() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    world.change_client_secret();
    for arguments in [["credentials", "--profile", "claude"], ["login", "--profile", "claude"]] {
        desk.run(arguments).ends_with_failure(5, "provider/client_refused");
    }
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 2, 0], 2), "only `login` prompts, and the code is refused too");
    login(&desk, &world.client_secret()).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([2, 2, 3, 0], 2), "the refresh token still works");
}

#[test]
fn logout_deletes_everything_when_client_secret_is_refused() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    world.change_client_secret();
    desk.run(["logout"]).prints("logout: the secret was refused");
    desk.run(["credentials", "--no-login"]).expect_code(4);
}

#[test]
fn client_secret_is_masked_in_provider_error_text() {
    let world = world("client_secret_post");
    let desk = signed_in(&world);
    let quote = format!("bad secret {}", world.client_secret());
    world.set(Knob::RefreshFault, testworld::Fault::oauth("invalid_client", &quote));
    let failed = desk.run(["credentials"]).fails(5, "provider/client_refused");
    failed.message_has(&["invalid_client (bad secret [secret])"]);
}

#[test]
fn public_client_refused_by_provider_reports_invalid_client() {
    let world = world("client_secret_basic");
    let desk = testworld::Desk::new(&world, super::PROGRAM);
    desk.run(["credentials"]).fails(5, "sign-in/invalid_client");
}

#[test]
fn device_sign_in_authenticates_the_client_on_every_poll() {
    let world = world("client_secret_basic");
    world.set(Knob::DeviceCodes, serde_json::json!({}));
    let desk = signed_in(&world);
    sign_in_with_device_code(&desk, ["login", "--force", "--device"]);
    let requests = world.ledger().requests().into_iter();
    let asked = requests.filter(|request| matches!(request.endpoint, Endpoint::DeviceCode | Endpoint::Poll));
    let headers: Vec<bool> = asked
        .map(|request| request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")))
        .collect();
    assert!(headers.len() >= 2 && headers.iter().all(|it| *it), "{headers:?}");
}
