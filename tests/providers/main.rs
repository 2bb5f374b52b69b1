//! Every provider of the table: one sign-in, refresh and refusal of each, with the whole program.
//!
//! `rows` says how the providers differ. Tests of common behaviour are in `sign_in` and `ladder`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod rows;

use std::collections::BTreeMap;

use rows::{Renewal, Row};
use serde_json::{Value, json};
use testworld::{CLOCK_LAG, Desk, Endpoint, Fault, Knob, World};

use crate::{PROGRAM, SPENT};

/// Starts a world that behaves like the row's provider.
fn world(row: &Row) -> World {
    let world = World::new();
    for (knob, value) in &row.knobs {
        world.set(*knob, value.clone());
    }
    world
}

/// A desk with the row's configuration, on a registered port if the provider compares the redirect URI exactly.
fn desk<'w>(row: &Row, world: &'w World) -> Desk<'w> {
    let mut lines = row.lines.replace("PROVIDER", &origin(world));
    if row.exact {
        let port = world.free_port();
        world.set(Knob::RedirectUris, json!([format!("{}{port}/callback", row.redirect)]));
        lines.push_str(&format!("\nredirect_ports = [{port}]"));
    }
    let desk = Desk::with(world, PROGRAM, &lines);
    if row.knobs.iter().any(|(knob, _)| *knob == Knob::ClientAuth) {
        desk.run_with(["login", "--client-secret-stdin"], &format!("{}\n", world.client_secret())).expect_code(0);
    }
    desk
}

fn origin(world: &World) -> String {
    world.issuer().splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

#[track_caller]
fn credentials(desk: &Desk<'_>, row: &Row) -> Value {
    let outcome = desk.run(["credentials"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", row.name);
    outcome.document()
}

fn status(desk: &Desk<'_>) -> Value {
    desk.run(["status", "--json"]).expect_code(0).document()
}

/// The parameters of the last authorization request.
fn asked(world: &World) -> BTreeMap<String, String> {
    let mut requests = world.ledger().requests().into_iter();
    let last = requests.rfind(|request| request.endpoint == Endpoint::Authorize).unwrap();
    let (_, query) = last.target.split_once('?').unwrap();
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[test]
fn each_provider_signs_a_user_in() {
    for row in rows::all() {
        let world = world(&row);
        let desk = desk(&row, &world);
        let credentials = credentials(&desk, &row);
        assert_eq!(credentials["Version"], 1, "{}", row.name);
        let asked = asked(&world);
        assert_eq!(asked["scope"], row.scope, "{}", row.name);
        assert!(asked["redirect_uri"].starts_with(row.redirect), "{}: {asked:?}", row.name);
        assert_eq!(status(&desk)["identity"]["session_name"], row.session_name, "{}", row.name);
        assert_eq!((desk.tabs(), world.live_grants()), (1, 1), "{}", row.name);
    }
}

#[test]
fn each_provider_refreshes_silently() {
    for row in rows::all() {
        let world = world(&row);
        world.set(Knob::CredentialLifetime, SPENT);
        match row.renewal {
            Renewal::Rotates => {}
            Renewal::Stays => world.set(Knob::WithoutRotation, true),
            Renewal::WithoutIdToken => world.set(Knob::RefreshWithoutIdToken, true),
        }
        let desk = desk(&row, &world);
        let before = world.count(Endpoint::Refresh);
        for _ in 0..3 {
            credentials(&desk, &row);
        }
        // A provider that requires a cross-origin request refuses the first attempt, and accepts the retry.
        let refreshes = world.count(Endpoint::Refresh) - before;
        assert!(refreshes >= 2, "{}: {refreshes}", row.name);
        assert_eq!((desk.tabs(), world.live_grants()), (1, 1), "{}", row.name);
        assert_eq!(status(&desk)["identity"]["session_name"], row.session_name, "{}", row.name);
    }
}

#[test]
fn each_provider_refusal_shows_its_words_and_a_hint() {
    for row in rows::all() {
        let (error, description) = row.refusal;
        let world = world(&row);
        let desk = desk(&row, &world);
        // Storing a secret also signs in.
        desk.run(["logout"]);
        let taken = world.count(Endpoint::Assume);
        world.set(Knob::AuthorizeError, json!({ "error": error, "description": description }));
        let failed = desk.run(["credentials"]).fails(5, &format!("sign-in/{error}"));
        failed.message_has(&[error, description]);
        desk.expect_wording("advice of providers", row.name, &failed.hint);
        assert_eq!(world.count(Endpoint::Assume), taken, "{}", row.name);
    }
}

#[test]
fn revoked_session_prompts_again_at_each_provider() {
    for row in rows::all() {
        let world = world(&row);
        world.next(1, Knob::CredentialLifetime, SPENT);
        if row.renewal == Renewal::Stays {
            world.set(Knob::WithoutRotation, true);
        }
        let desk = desk(&row, &world);
        if world.count(Endpoint::Assume) == 0 {
            credentials(&desk, &row);
        }
        world.revoke_grants();
        let tabs = desk.tabs();
        credentials(&desk, &row);
        assert_eq!((desk.tabs(), world.live_grants()), (tabs + 1, 1), "{}", row.name);
    }
}

fn row(name: &str) -> Row {
    rows::all().into_iter().find(|row| row.name.starts_with(name)).unwrap()
}

#[test]
fn account_of_another_organization_is_rejected() {
    for (name, claims, slug) in [
        ("Google", json!({ "hd": "evil.example", "email": "eve@evil.example" }), "token/organization"),
        // A personal Google account has no `hd` claim.
        ("Google", json!({ "hd": null, "email": "eve@gmail.com" }), "token/organization"),
        ("Auth0", json!({ "org_id": "org_other" }), "token/organization"),
    ] {
        let row = row(name);
        let world = world(&row);
        let desk = desk(&row, &world);
        desk.run(["logout"]);
        let taken = world.count(Endpoint::Assume);
        let mut bent = json!({ "at_hash": null });
        bent.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        world.set(Knob::IdTokenClaims, bent);
        desk.run(["credentials"]).fails(6, slug);
        assert_eq!(world.count(Endpoint::Assume), taken, "{name}: the token was sent to AWS");
    }
}

#[test]
fn google_refresh_token_needs_a_consent_prompt() {
    let row = row("Google");
    let world = world(&row);
    let desk = desk(&row, &world);
    assert_eq!((asked(&world)["access_type"].as_str(), asked(&world)["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(world.live_grants(), 1);
    assert!(status(&desk)["can_renew"].as_bool().unwrap());
}

#[test]
fn google_without_consent_serves_until_the_id_token_expires() {
    let row = row("Google");
    let world = world(&row);
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&row, &world);
    desk.configure(
        &std::fs::read_to_string(desk.config_file())
            .unwrap()
            .replace("hd = \"acme.com\"", "hd = \"acme.com\", prompt = \"select_account\""),
    );
    // Other parameters make another sign-in, which has its own client secret.
    desk.run_with(["login", "--client-secret-stdin"], &format!("{}\n", world.client_secret())).expect_code(0);
    let tabs = desk.tabs();
    assert!(!status(&desk)["can_renew"].as_bool().unwrap());
    credentials(&desk, &row);
    assert_eq!((desk.tabs(), world.count(Endpoint::Refresh)), (tabs, 0));
}

/// Keycloak issues ID tokens for five minutes. The AWS session lives longer; after it, the refresh token is used.
#[test]
fn five_minute_id_token_never_prompts_during_its_session() {
    let row = row("Keycloak");
    let world = world(&row);
    world.set(Knob::CredentialLifetime, 3600);
    let desk = desk(&row, &world);
    let first = credentials(&desk, &row);
    world.set(Knob::IdTokenLifetime, 5 * 60);
    assert_eq!(credentials(&desk, &row), first, "a valid session needs no token");
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::Assume)), (0, 1));
    desk.run(["login"]).expect_code(0);
    world.revoke_credentials();
    desk.run(["login"]).expect_code(0);
    assert_eq!((world.count(Endpoint::Refresh), desk.tabs()), (1, 1), "a new session needs a new token");
    assert_ne!(credentials(&desk, &row), first);
}

#[test]
fn expired_cached_id_token_is_refreshed_and_never_sent() {
    let row = row("Keycloak");
    let world = world(&row);
    world.age_id_tokens();
    world.set(Knob::CredentialLifetime, CLOCK_LAG + SPENT);
    let desk = desk(&row, &world);
    credentials(&desk, &row);
    credentials(&desk, &row);
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::Assume), desk.tabs()), (1, 2, 1));
    world.next(1, Knob::RefreshFault, json!(Fault::Status(503)));
    desk.run(["credentials"]).fails(9, "network/status");
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (2, 1), "an expired token was sent to AWS");
}

#[test]
fn entra_group_overage_is_explained_when_aws_denies() {
    let row = row("Entra ID");
    let world = world(&row);
    world.set(
        Knob::AssumeFault,
        json!(Fault::aws(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")),
    );
    let desk = desk(&row, &world);
    let failed = desk.run(["credentials"]).fails(7, "aws/access_denied");
    desk.expect_wording("advice of providers", "Entra ID with too many groups", &failed.hint);
    assert!(desk.log().lines().any(|line| line.contains(" session: ") && line.contains("groups")), "{}", desk.log());
}

#[test]
fn unknown_scope_names_the_scopes_key() {
    let row = row("Cognito");
    let world = world(&row);
    let desk = desk(&row, &world);
    desk.set_key("scopes", "[\"openid\", \"groups\"]");
    desk.run(["credentials"]).fails(5, "sign-in/invalid_scope").hint_has(&["`scopes`"]);
}

#[test]
fn google_issuer_without_scheme_is_accepted() {
    let row = row("Google");
    let world = world(&row);
    let desk = desk(&row, &world);
    let bare = world.issuer().split_once("://").unwrap().1.to_owned();
    world.set(Knob::IdTokenClaims, json!({ "iss": bare, "at_hash": null }));
    world.set(Knob::Registered, json!([{ "issuer": bare, "audiences": [testworld::CLIENT_ID] }]));
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(status(&desk)["identity"]["session_name"], row.session_name);
}
