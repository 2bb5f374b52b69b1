//! Checks of the provider: discovery document, signing algorithms, keys and the registered redirect URI.

use testworld::{Fault, Knob, POOL_ID, ROLE_ARN};

use super::*;
use crate::SPENT;

fn host(world: &World) -> String {
    world.issuer().trim_start_matches("http://").to_owned()
}

#[test]
fn doctor_skips_provider_checks_when_it_is_unreachable() {
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
fn doctor_reports_an_invalid_discovery_document() {
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
fn doctor_reports_unsupported_signing_algorithms() {
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
fn doctor_marks_algorithms_that_aws_does_not_accept() {
    let world = World::new();
    let offered = json!(["PS256", "ES512", "EdDSA", "HS256", "RS256"]);
    world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": offered }));
    let desk = laptop(&world);
    let said = "the provider can sign with ES512 and RS256, and with PS256 and EdDSA, which AWS does not accept";
    assert_eq!(says(&desk, "algorithms"), said);
}

#[test]
fn doctor_warns_of_signatures_that_pools_do_not_document() {
    let world = World::new();
    let desk = laptop(&world);
    let pool = format!(
        "federation = \"identity-pool\"\nidentity_pool_id = \"{POOL_ID}\"\ncognito_endpoint = \"{}\"\n",
        world.cognito_endpoint()
    );
    desk.replace_in_config(&format!("role_arn = \"{ROLE_ARN}\"\n"), &pool);
    world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": ["ES256", "EdDSA"] }));
    let check = find_check(&desk, "algorithms");
    assert_complaint(&check, "algorithms", "warn", &["ES256 and EdDSA", "RSA", "RS256"]);
}

#[test]
fn doctor_reports_missing_or_unavailable_signing_keys() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::KeysDocument, json!({ "keys": [] }));
    complains(&desk, "keys", "bad", &[&host(&world)]);
    world.set(Knob::KeysFault, Fault::Status(503));
    complains(&desk, "keys", "bad", &[&host(&world), "503"]);
}

#[test]
fn doctor_reports_an_unregistered_redirect_uri() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::RedirectUris, json!(["http://127.0.0.1:8400/other"]));
    let uri = "http://127.0.0.1:8400/callback";
    complains(&desk, "client", "warn", &["demo-client", uri, "HTTP status 400", "`client_id`"]);
}

#[test]
fn doctor_quotes_how_the_provider_refuses_the_client() {
    let world = World::new();
    let desk = laptop(&world);
    for (fault, facts) in [
        // better-auth redirects to a page of its own.
        (Fault::Redirect("/api/auth/error?error=invalid_redirect".into()), ["invalid_redirect", "register exactly"]),
        (Fault::oauth("invalid_request", "DPoP proof is missing"), ["DPoP proof is missing", "switch off DPoP"]),
        (Fault::oauth("invalid_request", "Pushed Authorization Request is only allowed."), ["only allowed", "pushed"]),
        (Fault::oauth("invalid_client", ""), ["invalid_client", "`client_id`"]),
    ] {
        world.set(Knob::AuthorizeFault, json!(fault));
        complains(&desk, "client", "warn", &facts);
    }
}

#[test]
fn doctor_reports_required_pushed_requests() {
    let world = World::new();
    let desk = laptop(&world);
    world.set(Knob::DiscoveryDocument, json!({ "require_pushed_authorization_requests": true }));
    complains(&desk, "client", "bad", &[&host(&world), "pushed"]);
}

#[test]
fn doctor_warns_of_requirements_that_are_not_announced() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "acr": "2", "amr": ["mfa"] }));
    let require = r#"{ acr = ["2"], amr = ["mfa"], max_age = "1h", email_domain = ["example.com"] }"#;
    let desk = laptop_with(&world, &format!("session_duration = \"1h\"\nrequire = {require}"));
    let listed = json!(["acr", "amr", "auth_time", "email"]);
    world.set(Knob::DiscoveryDocument, json!({ "acr_values_supported": ["1", "2"], "claims_supported": listed }));
    assert!(says(&desk, "require").contains("acr 2, amr mfa, max_age 1 h, email_domain example.com"));
    for (document, facts) in [
        (json!({ "acr_values_supported": ["1"] }), ["acr_values_supported", "2"]),
        (json!({ "claims_supported": ["sub", "acr", "amr", "email"] }), ["claims_supported", "auth_time"]),
        (json!({ "claims_supported": ["sub", "acr", "auth_time", "email"] }), ["claims_supported", "amr"]),
    ] {
        world.set(Knob::DiscoveryDocument, document);
        complains(&desk, "require", "warn", &facts);
    }
}

#[test]
fn doctor_session_names_an_unmet_requirement() {
    let world = World::new();
    world.set(Knob::CredentialLifetime, SPENT);
    world.set(Knob::Claims, json!({ "acr": "2" }));
    let desk = laptop_with(&world, "require = { acr = [\"2\"] }");
    world.set(Knob::Claims, json!({ "acr": "1" }));
    desk.run(["credentials", "--no-login"]).expect_code(4);
    let found = complaints(&desk).into_iter().find(|check| check["name"] == "session").unwrap();
    assert_complaint(&found, "session", "warn", &["`acr` 1", "requires 2", "login --force"]);
}
