//! Client authentication with a private key: the assertions at sign-in, refresh and revocation, and their rejection.

use serde_json::{Value, json};
use testworld::{ClientKey, Desk, Endpoint, Knob, World, field};

use super::{PROGRAM, SPENT, counts, sign_in_with_device_code, world};

/// A home whose profile uses this client key, with more lines of TOML.
pub(super) fn desk<'w>(world: &'w World, key: ClientKey, more: &str) -> Desk<'w> {
    let file = json!(world.client_key(key));
    let auth = format!("client_auth = \"private_key_jwt\"\nclient_key = {file}\n{more}");
    Desk::with(world, PROGRAM, &auth)
}

fn base64(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header and claims of each assertion that the provider has got.
pub(super) fn assertions(world: &World) -> Vec<(Value, Value)> {
    let part =
        |jwt: &str, at: usize| -> Value { serde_json::from_slice(&base64(jwt.split('.').nth(at).unwrap())).unwrap() };
    let requests = world.ledger().requests().into_iter();
    requests
        .filter_map(|request| {
            let form = openidconnect::url::form_urlencoded::parse(request.body.as_bytes());
            let form = form.into_owned().collect();
            let jwt = field(&form, "client_assertion")?;
            Some((part(jwt, 0), part(jwt, 1)))
        })
        .collect()
}

/// Signs in, refreshes and signs out; returns the algorithm of each assertion.
#[track_caller]
fn sign_in_refresh_and_sign_out(world: &World, desk: &Desk<'_>) -> Vec<String> {
    world.next(1, Knob::CredentialLifetime, SPENT);
    desk.credentials();
    desk.credentials();
    desk.run(["logout"]).expect_code(0);
    assert_eq!((counts(world), world.live_grants()), ([1, 1, 1, 1], 0));
    let algorithm = |(header, _): (Value, Value)| header["alg"].as_str().unwrap().to_owned();
    assertions(world).into_iter().map(algorithm).collect()
}

#[test]
fn every_key_type_and_file_format_authenticates_the_client() {
    for (key, algorithm) in [
        (ClientKey::Rsa, "RS256"),
        (ClientKey::RsaPkcs1, "RS256"),
        (ClientKey::P256, "ES256"),
        (ClientKey::P256Sec1, "ES256"),
        (ClientKey::P384, "ES384"),
    ] {
        let world = world("private_key_jwt");
        let desk = desk(&world, key, "");
        assert_eq!(sign_in_refresh_and_sign_out(&world, &desk), [algorithm; 3], "{key:?}");
    }
}

#[test]
fn client_assertion_is_short_lived_and_unique() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::P256, "client_key_id = \"laptops\"");
    sign_in_refresh_and_sign_out(&world, &desk);
    let seen = assertions(&world);
    for (header, claims) in &seen {
        assert_eq!(header, &json!({ "alg": "ES256", "typ": "JWT", "kid": "laptops" }));
        assert_eq!(claims["aud"], world.issuer(), "a string, not a list");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("demo-client"), &json!("demo-client")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    }
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|(_, claims)| claims["jti"].to_string()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn assertion_audience_follows_profile_then_provider() {
    for more in ["client_audience = \"endpoint\"", "provider = \"okta\""] {
        let world = world("private_key_jwt");
        world.set(Knob::AssertionAudience, "endpoint");
        let desk = desk(&world, ClientKey::Rsa, more);
        sign_in_refresh_and_sign_out(&world, &desk);
    }
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::Rsa, "provider = \"okta\"\nclient_audience = \"issuer\"");
    sign_in_refresh_and_sign_out(&world, &desk);
}

#[test]
fn assertion_algorithm_follows_profile_then_provider() {
    for (taken, more, algorithm) in [
        (json!(["PS256", "ES256"]), "", "PS256"),
        (json!(["RS256", "PS256"]), "", "RS256"),
        (json!(["RS256", "PS256"]), "client_algorithm = \"PS256\"", "PS256"),
    ] {
        let world = world("private_key_jwt");
        world.set(Knob::AssertionAlgorithms, taken);
        let desk = desk(&world, ClientKey::Rsa, more);
        assert_eq!(sign_in_refresh_and_sign_out(&world, &desk), [algorithm; 3], "{more}");
    }
    let world = world("private_key_jwt");
    world.set(Knob::DiscoveryDocument, json!({ "token_endpoint_auth_signing_alg_values_supported": null }));
    world.set(Knob::AssertionAudience, "endpoint");
    let desk = desk(&world, ClientKey::Rsa, "provider = \"entra\"");
    assert_eq!(sign_in_refresh_and_sign_out(&world, &desk), ["PS256"; 3]);
}

#[test]
fn unknown_client_key_is_reported_and_refresh_token_survives() {
    let world = world("private_key_jwt");
    let desk = desk(&world, ClientKey::Rsa, "");
    world.next(1, Knob::CredentialLifetime, SPENT);
    desk.credentials();
    let known = std::fs::read(world.client_key(ClientKey::Rsa)).unwrap();
    std::fs::copy(world.client_key(ClientKey::Unregistered), world.client_key(ClientKey::Rsa)).unwrap();
    for arguments in [["credentials", "--profile", "claude"], ["login", "--profile", "claude"]] {
        let failed = desk.run(arguments).ends_with_failure(5, "provider/client_refused");
        failed.message_has(&["invalid_client (its signature is wrong)"]);
    }
    assert_eq!(desk.tabs(), 2, "only `login` prompts");
    super::key_files::replace(&world.client_key(ClientKey::Rsa), &known);
    desk.credentials();
    assert_eq!(desk.tabs(), 2);
}

#[test]
fn device_sign_in_sends_an_assertion_with_each_request() {
    let world = world("private_key_jwt");
    world.set(Knob::DeviceCodes, json!({}));
    let desk = desk(&world, ClientKey::P256, "");
    sign_in_with_device_code(&desk, ["login", "--device"]);
    let asked = world.count(Endpoint::DeviceCode) + world.count(Endpoint::Poll);
    assert_eq!(assertions(&world).len(), asked);
}
