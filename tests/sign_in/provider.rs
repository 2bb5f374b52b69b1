//! Failures of the provider: it denies the sign-in, sends an invalid document, or does not answer.

use serde_json::{Value, json};
use testworld::{Endpoint, Fault, Knob, World};

use super::{desk, desk_with, fails, final_page};

#[test]
fn provider_error_text_is_escaped_on_stderr_and_page() {
    let world = World::new();
    let said = "\u{1b}[31mUser is not assigned to <b>this</b> app\r\nand a second line";
    world.set(Knob::AuthorizeError, json!({ "error": "access_denied", "description": said }));
    let desk = desk(&world);
    let failed = fails(&desk, 5, "sign-in/access_denied");
    failed.message_has(&["access_denied (\\u{1b}[31mUser is not assigned to <b>this</b> app"]);
    failed.hint_has(&["`bedrock-sso login`"]);
    let page = final_page(&desk);
    assert!(page.contains("Sign-in failed") && page.contains("sign-in/access_denied"), "{page}");
    assert!(page.contains("&lt;b&gt;this&lt;/b&gt;"), "{page}");
    assert!(!page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
    assert!(page.contains("then run <code>bedrock-sso login</code>"), "{page}");
    assert_eq!((world.count(Endpoint::Code), world.count(Endpoint::Assume)), (0, 0));
}

#[test]
fn browser_sign_in_denied_by_the_user_is_reported() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    fails(&desk, 5, "sign-in/access_denied").message_has(&["access_denied"]);
}

#[test]
fn each_authorization_error_has_its_slug() {
    for (error, description) in [
        ("access_denied", "AADSTS50105: Your administrator has configured …"),
        ("consent_required", "AADSTS65001: The user or administrator has not consented …"),
        ("unauthorized_client", "AADSTS700016: Application with identifier … was not found"),
        ("invalid_request", "AADSTS50011: The redirect URI … does not match"),
        ("invalid_scope", ""),
        ("temporarily_unavailable", ""),
    ] {
        let world = World::new();
        world.set(Knob::AuthorizeError, json!({ "error": error, "description": description }));
        let desk = desk(&world);
        fails(&desk, 5, &format!("sign-in/{error}")).message_has(&[description]);
        assert_eq!(world.count(Endpoint::Code), 0);
    }
}

#[test]
fn login_prints_address_on_stdout_and_denial_on_stderr() {
    let world = World::new();
    let desk = desk(&world);
    desk.person("denies");
    let login = desk.run(["login"]);
    let [asking] = login.stdout.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(asking.contains("http://127.0.0.1:"));
    login.ends_with_failure(5, "sign-in/access_denied").message_has(&["access_denied"]);
}

#[test]
fn each_token_endpoint_error_has_its_slug() {
    for (error, description) in [
        ("invalid_client", ""),
        ("invalid_client", "AADSTS7000218: The request body must contain …"),
        ("unauthorized_client", ""),
        ("invalid_grant", "the code is too old"),
        ("invalid_request", "AADSTS9002327: Tokens issued for …"),
        ("server_error", ""),
    ] {
        let world = World::new();
        world.next(1, Knob::CodeFault, json!(Fault::oauth(error, description)));
        let desk = desk(&world);
        fails(&desk, 5, &format!("sign-in/{error}")).message_has(&[error, description]);
        assert!(final_page(&desk).contains(&format!("<code>sign-in/{error}</code>")));
        assert_eq!((world.count(Endpoint::Code), world.count(Endpoint::Assume)), (1, 0), "the code is redeemed once");
        desk.run(["login"]).expect_code(0);
    }
}

#[test]
fn nonstandard_error_code_gets_the_generic_slug() {
    let world = World::new();
    world.set(Knob::AuthorizeError, json!({ "error": "E-42] \u{7}\n[x/y", "description": "" }));
    fails(&desk(&world), 5, "sign-in/refused").message_has(&["E-42] \\u{7}"]);
}

#[test]
fn captive_portal_at_the_token_endpoint_is_reported() {
    let world = World::new();
    world.next(1, Knob::CodeFault, json!(Fault::Portal));
    let desk = desk(&world);
    fails(&desk, 9, "network/not_json");
    let page = final_page(&desk);
    assert!(page.contains("<code>network/not_json</code>"), "{page}");
    assert!(!page.contains("Airport"), "the page does not repeat the text of the portal");
    assert_eq!(world.count(Endpoint::Assume), 0);
    desk.run(["login"]).expect_code(0);
}

#[test]
fn token_response_without_id_token_is_rejected() {
    let world = World::new();
    let body = json!({ "access_token": "opaque", "token_type": "Bearer" }).to_string();
    world.set(Knob::CodeFault, json!(Fault::Body { status: 200, content_type: "application/json".into(), body }));
    fails(&desk(&world), 5, "provider/incomplete").message_has(&["id_token"]).hint_has(&["`openid`"]);
    assert_eq!(world.count(Endpoint::Assume), 0);
}

#[test]
fn invalid_discovery_document_opens_no_browser() {
    for (member, value, code, slug, word) in [
        ("issuer", json!("https://other.example"), 3, "config/issuer", "https://other.example"),
        ("issuer", json!(null), 5, "provider/incomplete", "issuer"),
        ("token_endpoint", json!("http://id.example/token"), 5, "provider/endpoint", "token_endpoint"),
        ("authorization_endpoint", json!("http://id.example/a"), 5, "provider/endpoint", "authorization_endpoint"),
        ("jwks_uri", json!("http://id.example/keys"), 5, "provider/endpoint", "jwks_uri"),
        ("jwks_uri", json!("file:///etc/passwd"), 5, "provider/endpoint", "jwks_uri"),
        ("token_endpoint", json!(null), 5, "provider/incomplete", "token_endpoint"),
    ] {
        let world = World::new();
        world.next(1, Knob::DiscoveryDocument, json!({ member: value }));
        let desk = desk(&world);
        fails(&desk, code, slug).message_has(&[word]);
        assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (0, 0), "{member} {value}");
        desk.credentials();
    }
}

#[test]
fn issuer_with_an_extra_slash_is_rejected_and_both_are_shown() {
    let world = World::new();
    let desk = desk(&world);
    let with_slash = format!("{}/", world.issuer());
    world.set(Knob::DiscoveryDocument, json!({ "issuer": with_slash }));
    let failed = fails(&desk, 3, "config/issuer");
    failed.message_has(&[&with_slash]);
    assert_eq!(failed.message.matches(&world.issuer()).count(), 2, "{failed:?}");
}

#[test]
fn issuer_with_a_path_or_trailing_slash_works() {
    for suffix in ["/", "/tenant/v2.0"] {
        let world = World::new();
        world.set(Knob::IssuerSuffix, suffix);
        desk(&world).credentials();
    }
}

#[test]
fn discovery_without_algorithms_is_accepted() {
    let world = World::new();
    world.set(Knob::DiscoveryDocument, json!({ "id_token_signing_alg_values_supported": null }));
    desk(&world).credentials();
}

#[test]
fn network_errors_before_sign_in_start_no_backoff() {
    let fault = |fault: Fault| json!(fault);
    for (knob, fault, slug) in [
        (Knob::DiscoveryFault, fault(Fault::Portal), "network/not_json"),
        (Knob::DiscoveryFault, fault(Fault::Status(503)), "network/status"),
        (Knob::DiscoveryFault, fault(Fault::Close), "network/interrupted"),
        (Knob::DiscoveryFault, fault(Fault::Flood), "network/too_large"),
        (Knob::DiscoveryFault, fault(Fault::Redirect("https://portal.example/".into())), "network/redirected"),
        (Knob::KeysFault, fault(Fault::Portal), "network/not_json"),
        (Knob::KeysFault, fault(Fault::Status(500)), "network/status"),
    ] {
        let world = World::new();
        let desk = desk(&world);
        world.set(knob, fault);
        fails(&desk, 9, slug);
        assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (0, 0), "{slug}");
        world.clear(knob);
        desk.credentials();
    }
}

#[test]
fn unreachable_provider_is_recorded_as_the_last_failure() {
    let world = World::new();
    let desk = desk_with(&world, "");
    world.stop_provider();
    fails(&desk, 9, "network/connect").message_has(&[world.issuer().trim_start_matches("http://")]);
    assert_eq!(desk.tabs(), 0);
    let last: Value = desk.run(["status", "--json"]).document();
    assert_eq!(
        last["last_error"]["slug"], "network/connect",
        "the failure is stored for users whose host hides stderr"
    );
    world.start_provider();
    desk.credentials();
}
