//! Every provider of the table with its peculiarities: a sign-in, a renewal and a refusal of each, with the whole program.
//!
//! How they differ is in `rows`; what is common to all is the business of `sign_in` and `ladder`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod rows;

use std::collections::BTreeMap;

use rows::{Renewal, Row};
use serde_json::{Value, json};
use testworld::{BEHIND, Desk, Endpoint, Fault, Knob, World};

use crate::{PROGRAM, SPENT};

/// A world that behaves as the row says.
fn world(row: &Row) -> World {
    let world = World::new();
    for (knob, value) in &row.knobs {
        world.set(*knob, value.clone());
    }
    world
}

/// A desk configured as the row says, on a port that is registered where one has to be.
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
fn each_provider_signs_a_person_in_with_its_own_peculiarities() {
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
fn each_provider_renews_silently_in_its_own_way() {
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
        // A page in a browser is refused first, and then served.
        let refreshes = world.count(Endpoint::Refresh) - before;
        assert!(refreshes >= 2, "{}: {refreshes}", row.name);
        assert_eq!((desk.tabs(), world.live_grants()), (1, 1), "{}", row.name);
        assert_eq!(status(&desk)["identity"]["session_name"], row.session_name, "{}", row.name);
    }
}

#[test]
fn each_providers_refusal_is_told_in_its_words_with_its_own_advice() {
    for row in rows::all() {
        let (error, description) = row.refusal;
        let world = world(&row);
        let desk = desk(&row, &world);
        // Storing a secret signs in.
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
fn each_provider_that_ends_the_session_asks_the_person_again() {
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
fn an_account_of_another_organization_is_not_let_in() {
    for (name, claims, slug) in [
        ("Google", json!({ "hd": "evil.example", "email": "eve@evil.example" }), "token/organization"),
        // A private account has no domain at all.
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
        assert_eq!(world.count(Endpoint::Assume), taken, "{name}: AWS hears nothing of it");
    }
}

#[test]
fn google_gives_a_refresh_token_only_to_who_asks_with_consent() {
    let row = row("Google");
    let world = world(&row);
    let desk = desk(&row, &world);
    assert_eq!((asked(&world)["access_type"].as_str(), asked(&world)["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(world.live_grants(), 1);
    assert!(status(&desk)["can_renew"].as_bool().unwrap());
}

#[test]
fn without_googles_consent_there_is_no_refresh_token_and_the_id_token_serves_its_hour() {
    let row = row("Google");
    let world = world(&row);
    world.set(Knob::CredentialLifetime, SPENT);
    let desk = desk(&row, &world);
    desk.configure(
        &std::fs::read_to_string(desk.config_file())
            .unwrap()
            .replace("hd = \"acme.com\"", "hd = \"acme.com\", prompt = \"select_account\""),
    );
    // Another parameter is another sign-in, with a secret of its own.
    desk.run_with(["login", "--client-secret-stdin"], &format!("{}\n", world.client_secret())).expect_code(0);
    let tabs = desk.tabs();
    assert!(!status(&desk)["can_renew"].as_bool().unwrap());
    credentials(&desk, &row);
    assert_eq!((desk.tabs(), world.count(Endpoint::Refresh)), (tabs, 0));
}

/// Keycloak's default. The AWS session outlives the token; when it ends, the refresh token serves.
#[test]
fn an_id_token_of_five_minutes_is_over_long_before_its_session_and_nobody_is_asked_again() {
    let row = row("Keycloak");
    let world = world(&row);
    world.set(Knob::CredentialLifetime, 3600);
    let desk = desk(&row, &world);
    let first = credentials(&desk, &row);
    world.set(Knob::IdTokenLifetime, 5 * 60);
    assert_eq!(credentials(&desk, &row), first, "no token is needed for a valid session");
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::Assume)), (0, 1));
    desk.run(["login"]).expect_code(0);
    world.revoke_credentials();
    desk.run(["login"]).expect_code(0);
    assert_eq!((world.count(Endpoint::Refresh), desk.tabs()), (1, 1), "a fresh token for a fresh session");
    assert_ne!(credentials(&desk, &row), first);
}

#[test]
fn a_kept_token_that_is_over_is_renewed_and_never_sent() {
    let row = row("Keycloak");
    let world = world(&row);
    world.age_id_tokens();
    world.set(Knob::CredentialLifetime, BEHIND + SPENT);
    let desk = desk(&row, &world);
    credentials(&desk, &row);
    credentials(&desk, &row);
    assert_eq!((world.count(Endpoint::Refresh), world.count(Endpoint::Assume), desk.tabs()), (1, 2, 1));
    world.next(1, Knob::RefreshFault, json!(Fault::Status(503)));
    desk.run(["credentials"]).fails(9, "network/status");
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (2, 1), "AWS is not sent a token that is over");
}

#[test]
fn entras_groups_that_do_not_fit_are_explained_when_aws_misses_them() {
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
fn a_scope_that_the_provider_does_not_know_is_told_with_the_setting() {
    let row = row("Cognito");
    let world = world(&row);
    let desk = desk(&row, &world);
    desk.set_key("scopes", "[\"openid\", \"groups\"]");
    desk.run(["credentials"]).fails(5, "sign-in/invalid_scope").hint_has(&["`scopes`"]);
}

#[test]
fn google_is_known_without_its_scheme_too() {
    let row = row("Google");
    let world = world(&row);
    let desk = desk(&row, &world);
    let bare = world.issuer().split_once("://").unwrap().1.to_owned();
    world.set(Knob::IdTokenClaims, json!({ "iss": bare, "at_hash": null }));
    world.set(Knob::Registered, json!([{ "issuer": bare, "audiences": [testworld::CLIENT_ID] }]));
    desk.run(["login", "--force"]).expect_code(0);
    assert_eq!(status(&desk)["identity"]["session_name"], row.session_name);
}
