//! A secret before the provider: sign-in, renewal and revocation, and what a wrong or missing one costs.

use testworld::{Endpoint, Knob};

use super::{counts, desk, login, sign_in_by_code, signed_in, world};

/// What the provider was sent to its token and revocation endpoints: whether with a header, and the form's names.
fn presented(world: &testworld::World) -> Vec<(bool, Vec<String>)> {
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
fn a_header_proves_the_application_at_sign_in_renewal_and_revocation() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 1, 1], 0));
    assert_eq!(presented(&world), vec![(true, vec![]); 3]);
}

#[test]
fn the_form_proves_it_where_the_provider_takes_it_nowhere_else() {
    let world = world("client_secret_post");
    let desk = signed_in(&world);
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((counts(&world), world.live_grants()), ([1, 1, 1, 1], 0));
    let fields = ["client_id", "client_secret"].map(str::to_owned).to_vec();
    assert_eq!(presented(&world), vec![(false, fields); 3]);
}

#[test]
fn a_revocation_endpoint_with_methods_of_its_own_gets_what_it_takes() {
    let world = world("client_secret_basic");
    let methods = serde_json::json!({ "revocation_endpoint_auth_methods_supported": ["client_secret_post"] });
    world.set(Knob::DiscoveryDocument, methods);
    let desk = signed_in(&world);
    desk.run(["logout"]);
    let fields = ["client_id", "client_secret"].map(str::to_owned).to_vec();
    assert_eq!(presented(&world), [(true, vec![]), (false, fields)]);
}

#[test]
fn without_its_secret_nobody_is_asked_and_the_command_is_told() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    for arguments in [["credentials", "--profile", "claude"], ["login", "--profile", "claude"]] {
        let failed = desk.run(arguments).fails(3, "config/no_client_secret");
        failed.hint_has(&["`bedrock-sso login --client-secret-stdin`"]);
    }
    assert_eq!((counts(&world), desk.tabs()), ([0; 4], 0));
}

#[test]
fn a_wrong_secret_says_so_on_the_page_and_on_stderr_and_the_right_one_mends_it() {
    let world = world("client_secret_basic");
    let desk = desk(&world);
    let failed = login(&desk, "something else").ends_with_failure(5, "provider/client_refused");
    failed.message_has(&["invalid_client (unknown client, or its secret is wrong)"]);
    failed.hint_has(&["`bedrock-sso login --client-secret-stdin`", "`client_id`"]);
    login(&desk, &world.client_secret()).expect_code(0);
    desk.credentials();
}

#[test]
fn a_secret_that_was_changed_costs_no_refresh_token_and_no_browser() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    world.change_client_secret();
    for arguments in [["credentials", "--profile", "claude"], ["login", "--profile", "claude"]] {
        desk.run(arguments).fails(5, "provider/client_refused");
    }
    assert_eq!((counts(&world), desk.tabs(), world.live_grants()), ([1, 1, 2, 0], 1, 1));
    login(&desk, &world.client_secret()).expect_code(0);
    assert_eq!((counts(&world), desk.tabs()), ([1, 1, 3, 0], 1), "the refresh token was still good");
}

#[test]
fn a_secret_that_is_refused_when_signing_out_is_told_and_what_was_kept_is_forgotten() {
    let world = world("client_secret_basic");
    let desk = signed_in(&world);
    world.change_client_secret();
    desk.run(["logout"]).prints("logout: the secret was refused");
    desk.run(["credentials", "--no-login"]).expect_code(4);
}

#[test]
fn a_provider_that_quotes_the_secret_is_quoted_without_it() {
    let world = world("client_secret_post");
    let desk = signed_in(&world);
    let quote = format!("bad secret {}", world.client_secret());
    world.set(Knob::RefreshFault, testworld::Fault::oauth("invalid_client", &quote));
    let failed = desk.run(["credentials"]).fails(5, "provider/client_refused");
    failed.message_has(&["invalid_client (bad secret [secret])"]);
}

#[test]
fn a_public_profile_before_a_provider_that_wants_a_secret_is_refused_as_before() {
    let world = world("client_secret_basic");
    let desk = testworld::Desk::new(&world, super::PROGRAM);
    desk.run(["credentials"]).fails(5, "sign-in/invalid_client");
}

#[test]
fn a_sign_in_by_code_proves_the_application_when_it_asks_and_whenever_it_asks_on() {
    let world = world("client_secret_basic");
    world.set(Knob::DeviceCodes, serde_json::json!({}));
    let desk = signed_in(&world);
    sign_in_by_code(&desk, ["login", "--force", "--device"]);
    let requests = world.ledger().requests().into_iter();
    let asked = requests.filter(|request| matches!(request.endpoint, Endpoint::DeviceCode | Endpoint::Poll));
    let headers: Vec<bool> = asked
        .map(|request| request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")))
        .collect();
    assert!(headers.len() >= 2 && headers.iter().all(|it| *it), "{headers:?}");
}
