//! What the client makes of the server's answers: its own code of the quota check, against the real server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bedrock_sso::{
    config::{Issuer, QuotaErrorPolicy, QuotaSettings},
    host::{Environment, now},
    http::{Client, HttpSettings},
    oidc::{self, ExpectedClaims, TokenGrant, UnverifiedToken, VerifiedToken},
    quota::{NoQuotaAnswer, QuotaError, QuotaPeriod, QuotaUsage, request_clearance},
    secret::Secret,
    url::SecureUrl,
};
use bedrock_sso_server::{
    calendar::{Calendar, Period},
    limits::{Block, Scope},
    store::StoreError,
};
use serde_json::json;
use testworld::{CLIENT_ID, Knob, World};

use crate::{
    broken_store::BrokenStore,
    server::{INGEST_TOKEN, Server, group, person, record},
};

/// A client with a token of its own.
struct Asking {
    client: Client,
    token: VerifiedToken,
}

impl Asking {
    fn new(world: &World, server: &Server) -> Self {
        let environment = Environment::Fixed(BTreeMap::new());
        let client = Client::new(HttpSettings::from_environment(&environment)).unwrap();
        let issuer = Issuer::parse(&world.issuer()).unwrap();
        let (metadata, keys) = server.runtime.block_on(async {
            let metadata = oidc::discover_issuer(&client, &issuer).await.unwrap();
            let keys = oidc::fetch_keys(&client, &metadata).await.unwrap();
            (metadata, keys)
        });
        let expected = ExpectedClaims {
            issuer: issuer.as_str(),
            issuer_alias: None,
            client_id: CLIENT_ID,
            organization: None,
            exchange_algorithms: None,
            proof: None,
            grant: TokenGrant::DeviceCode,
            access_token: None,
            now: now(),
            server_date: None,
        };
        let raw = UnverifiedToken::new(Secret::new(world.issue_id_token()));
        Self { client, token: oidc::verify_token(raw, &keys, &metadata, &expected).unwrap() }
    }

    fn ask(&self, server: &Server, on_error: QuotaErrorPolicy) -> Result<Option<QuotaUsage>, QuotaError> {
        let settings = QuotaSettings {
            endpoint: SecureUrl::parse(&format!("{}/check", server.url)).unwrap(),
            interval: Duration::from_secs(600),
            timeout: Duration::from_secs(30),
            on_error,
        };
        let asked = request_clearance(&self.client, Some(&settings), &self.token, now());
        server.runtime.block_on(asked).map(|clearance| clearance.usage)
    }
}

fn use_tokens(server: &Server, count: u64) {
    let (status, _) = server.ingest(&format!("Bearer {INGEST_TOKEN}"), record("one", count).as_bytes());
    assert_eq!(status, 200);
}

#[test]
fn client_is_approved_and_warned() {
    let world = World::new();
    let server = Server::start(&world);
    let asking = Asking::new(&world, &server);
    let usage = asking.ask(&server, QuotaErrorPolicy::Deny).unwrap().unwrap();
    assert!(!usage.is_almost_spent() && usage.describe_shares().is_none(), "{usage:?}");
    server.set_limit(Scope::Default, "day 1000");
    use_tokens(&server, 900);
    let usage = asking.ask(&server, QuotaErrorPolicy::Deny).unwrap().unwrap();
    assert!(usage.is_almost_spent());
    assert_eq!(usage.describe_shares().as_deref(), Some("900 of 1000 tokens today (90 %)"));
}

#[test]
fn client_in_cost_mode_is_warned() {
    let world = World::new();
    let server = Server::start(&world);
    let asking = Asking::new(&world, &server);
    server.set_limit(Scope::Default, "month 10000USD");
    use_tokens(&server, 1_000_000);
    let cost = asking.ask(&server, QuotaErrorPolicy::Deny).unwrap().unwrap().monthly_cost.unwrap();
    assert!(cost > 0.0);
    server.set_limit(Scope::Default, &format!("month {:.2}USD", cost / 0.9));
    let usage = asking.ask(&server, QuotaErrorPolicy::Deny).unwrap().unwrap();
    assert!(usage.is_almost_spent() && usage.monthly_percent.unwrap() >= 80.0, "{usage:?}");
}

#[test]
fn client_understands_each_denial() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "groups": ["engineering"] }));
    let server = Server::start(&world);
    let asking = Asking::new(&world, &server);
    use_tokens(&server, 1000);
    let denied = || match asking.ask(&server, QuotaErrorPolicy::Allow) {
        Err(QuotaError::Denied(denied)) => denied,
        other => panic!("{other:?}"),
    };
    server.set_limit(group("engineering"), "month 1000");
    let month = denied();
    assert_eq!((month.reason.to_safe_line().as_str(), month.period), ("monthly_exceeded", QuotaPeriod::Month));
    assert_eq!(month.resets_at, Some(Calendar::utc().end_of(Period::Month, now())));
    assert_eq!(month.policy.unwrap().to_safe_line(), "group engineering");
    assert_eq!(month.usage.unwrap().describe_shares().as_deref(), Some("1000 of 1000 tokens this month (100 %)"));
    let message = month.message.to_safe_line();
    assert!(message.contains("1,000 of 1,000 tokens") && message.contains("UTC"), "{message}");

    server.set_limit(Scope::Person(person()), "month 5000");
    server.set_limit(Scope::Person(person()), "day 0.001USD");
    let day = denied();
    assert_eq!((day.reason.to_safe_line().as_str(), day.period), ("daily_cost_exceeded", QuotaPeriod::Day));
    server.wait(server.store.set_block(&Block { person: person(), since: now(), until: None, reason: None }));
    let blocked = denied();
    assert_eq!((blocked.reason.to_safe_line().as_str(), blocked.period), ("blocked", QuotaPeriod::Blocked));
    assert_eq!(blocked.policy.unwrap().to_safe_line(), "user demo@example.com");
}

#[test]
fn client_without_a_name_is_denied() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": null }));
    let server = Server::start(&world);
    let asking = Asking::new(&world, &server);
    let Err(QuotaError::Denied(denied)) = asking.ask(&server, QuotaErrorPolicy::Allow) else { panic!("not denied") };
    assert_eq!(denied.reason.to_safe_line(), "missing_identity");
}

#[test]
fn server_without_an_answer_leaves_the_choice_to_the_client() {
    let world = World::new();
    let broken = Server::with_store(&world, "", |_| {
        Arc::new(BrokenStore(StoreError::Unavailable("the disk is full".to_owned())))
    });
    let without_keys = Server::start(&world);
    let asking = Asking::new(&world, &broken);
    world.stop_provider();
    for server in [&broken, &without_keys] {
        let refused = asking.ask(server, QuotaErrorPolicy::Deny);
        assert!(
            matches!(&refused, Err(QuotaError::NoAnswer(NoQuotaAnswer::Status { status, .. })) if status.as_u16() == 503),
            "{refused:?}"
        );
        assert_eq!(asking.ask(server, QuotaErrorPolicy::Allow), Ok(None));
    }
}

#[test]
fn client_of_another_application_is_unwelcome() {
    let world = World::new();
    let (server, other) = (Server::start(&world), World::new());
    let elsewhere = Server::start(&other);
    let asking = Asking::new(&world, &server);
    let refused = asking.ask(&elsewhere, QuotaErrorPolicy::Deny);
    assert!(matches!(refused, Err(QuotaError::NoAnswer(NoQuotaAnswer::Unauthorized { .. }))), "{refused:?}");
}
