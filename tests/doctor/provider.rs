//! Faults of the provider, and of what is registered there.

use testworld::{Fault, Knob};

use super::*;

fn host(world: &World) -> String {
    world.issuer().trim_start_matches("http://").to_owned()
}

#[test]
fn a_provider_that_is_gone_is_named_and_what_hangs_on_it_passed_over() {
    let world = World::new();
    let desk = laptop(&world);
    world.stop_provider();
    complains(&desk, "discovery", "bad", &[&host(&world), "HTTPS_PROXY"]);
    for name in ["algorithms", "keys", "client"] {
        skips(&desk, name);
    }
    desk.run(["doctor"]).expect_code(9);
}

#[test]
fn a_description_that_cannot_be_believed_is_told_in_the_words_of_a_sign_in() {
    let world = World::new();
    let desk = laptop(&world);
    let (host, issuer) = (host(&world), world.issuer());
    for (fault, facts) in [
        (json!({ "issuer": "https://other.example" }), ["https://other.example", &issuer]),
        (json!({ "token_endpoint": "http://sso.example/token" }), ["token_endpoint", "http://sso.example/token"]),
        (json!({ "jwks_uri": null }), ["jwks_uri", &host]),
    ] {
        world.set(Knob::DiscoveryDocument, fault);
        complains(&desk, "discovery", "bad", &facts);
    }
    world.clear(Knob::DiscoveryDocument);
    world.set(Knob::DiscoveryFault, Fault::Portal);
    complains(&desk, "discovery", "bad", &[&host, "`issuer`"]);
}

#[test]
fn algorithms_that_nobody_accepts_are_named() {
    let world = World::new();
    let desk = laptop(&world);
    for (offered, facts) in
        [(json!(["HS256", "none"]), ["HS256", "none"]), (json!(["PS256", "EdDSA"]), ["PS256", "EdDSA"])]
    {
        world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": offered }));
        complains(&desk, "algorithms", "bad", &facts);
    }
}

#[test]
fn keys_that_are_missing_or_cannot_be_fetched_are_said() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::KeysDocument, json!({ "keys": [] }));
    complains(&desk, "keys", "bad", &[&host(&world)]);
    world.set(Knob::KeysFault, Fault::Status(503));
    complains(&desk, "keys", "bad", &[&host(&world), "503"]);
}

#[test]
fn an_address_that_is_not_registered_is_named() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::RedirectUris, json!(["http://127.0.0.1:8400/other"]));
    let uri = "http://127.0.0.1:8400/callback";
    complains(&desk, "client", "warn", &["demo-client", uri, "`client_id`"]);
}
