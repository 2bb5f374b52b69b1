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
    let message = format!("{} could not be reached", host(&world));
    complains(&desk, &[("discovery", "bad", &message, NETWORK)]);
    for name in ["algorithms", "keys", "client"] {
        skips(&desk, name, "the provider does not describe itself, see `discovery`");
    }
    desk.run(["doctor"]).expect_code(9);
}

#[test]
fn a_description_that_cannot_be_believed_is_told_in_the_words_of_a_sign_in() {
    let world = World::new();
    let desk = laptop(&world);
    let host = host(&world);
    let misnamed =
        format!("the provider calls itself https://other.example, the configuration says {}", world.issuer());
    for (fault, message, remedy) in [
        (
            json!({ "issuer": "https://other.example" }),
            misnamed.as_str(),
            "set `issuer` to the provider's own spelling, trailing slash included, and register the same in IAM",
        ),
        (
            json!({ "token_endpoint": "http://sso.example/token" }),
            "the provider's token_endpoint http://sso.example/token cannot be used: not https; plain http is accepted for \
             this machine only",
            "tell whoever runs the provider: every address must be https",
        ),
        (
            json!({ "jwks_uri": null }),
            &format!("the answer of {host} lacks jwks_uri"),
            "tell whoever runs the provider",
        ),
    ] {
        world.set(Knob::DiscoveryDocument, fault);
        complains(&desk, &[("discovery", "bad", message, remedy)]);
    }
    world.clear(Knob::DiscoveryDocument);
    world.set(Knob::DiscoveryFault, Fault::Portal);
    let message = format!(
        "the provider's discovery at {host} answered with a web page, as a captive portal or a proxy does"
    );
    complains(
        &desk,
        &[("discovery", "bad", &message, "check `issuer`, and open it in a browser to see who answers")],
    );
}

#[test]
fn algorithms_that_nobody_accepts_are_named() {
    let world = World::new();
    let desk = laptop(&world);
    let remedy = "have the application's ID tokens signed with RS256 or ES256";
    for (offered, message) in [
        (
            json!(["HS256", "none"]),
            "the provider signs with HS256 and none, which this program does not accept",
        ),
        (json!(["PS256", "EdDSA"]), "the provider signs with PS256 and EdDSA, which AWS does not accept"),
    ] {
        world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": offered }));
        complains(&desk, &[("algorithms", "bad", message, remedy)]);
    }
}

#[test]
fn keys_that_are_missing_or_cannot_be_fetched_are_said() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::KeysDocument, json!({ "keys": [] }));
    let message = format!("{} publishes no key, so no token of its can be verified", host(&world));
    complains(&desk, &[("keys", "bad", &message, "tell whoever runs the provider")]);
    world.set(Knob::KeysFault, Fault::Status(503));
    let message = format!("the provider's keys at {} answered with HTTP status 503", host(&world));
    let remedy = "try again in a moment; open the issuer in a browser to see who answers";
    complains(&desk, &[("keys", "bad", &message, remedy)]);
}

#[test]
fn an_address_that_is_not_registered_is_named() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::RedirectUris, json!(["http://127.0.0.1:8400/other"]));
    let uri = "http://127.0.0.1:8400/callback";
    complains(
        &desk,
        &[(
            "client",
            "warn",
            &format!("the provider answers the client demo-client at {uri} with an error"),
            &format!("check `client_id`, and that {uri} is registered for it, letter by letter"),
        )],
    );
}
