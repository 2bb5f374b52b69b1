//! The service over real HTTP on loopback, with a provider that signs the tokens and a store in a file.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod broken_store;
mod client;
mod client_program;
mod load;
mod notices;
mod program;
mod server;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use bedrock_sso::host::now;
use bedrock_sso_server::{
    limits::{Block, Grant, Scope},
    store::{StoreError, file_store::FileStore},
};
use serde_json::{Value, json};
use testworld::{Browser, Knob, World};

use self::{
    broken_store::BrokenStore,
    server::{INGEST_TOKEN, PERSON, Server, group, person, read_log, record},
};

#[test]
fn check_follows_records_limits_grants_and_blocks() {
    let world = World::new();
    let server = Server::start(&world);
    let token = world.issue_id_token();
    let check = |reason: &str, allowed: bool| {
        let (status, answer) = server.get("/check", &token);
        assert_eq!((status, &answer["reason"], &answer["allowed"]), (200, &json!(reason), &json!(allowed)), "{answer}");
        answer
    };
    check("no_policy", true);
    server.set_limit(Scope::Default, "month 1000");
    assert_eq!(check("within_quota", true)["usage"]["monthly_percent"], 0.0);
    let bearer = format!("Bearer {INGEST_TOKEN}");
    let (status, summary) = server.ingest(&bearer, record("one", 900).as_bytes());
    assert_eq!((status, summary), (200, json!({ "accepted": 1, "repeated": 0, "rejected": 0 })));
    assert_eq!(check("within_quota", true)["usage"]["monthly_percent"], 90.0);
    let lines = [record("one", 900), record("two", 100), "{}".to_owned()].join("\n");
    let (_, summary) = server.ingest(&bearer, lines.as_bytes());
    assert_eq!(summary, json!({ "accepted": 1, "repeated": 1, "rejected": 1 }));
    let denied = check("monthly_exceeded", false);
    assert_eq!(denied["policy"], json!({ "type": "default", "identifier": "default" }));
    assert!(denied["message"].as_str().unwrap().contains("it-help@example.com"), "{denied}");

    let [since, until] = [now(), now().saturating_add(Duration::from_secs(3600))];
    let grant =
        Grant { person: person(), since, until, amount: Some("500".parse().unwrap()), reason: "demo".to_owned() };
    server.wait(server.store.add_grant(&grant));
    assert_eq!(check("unblocked", true)["unblock_status"]["expires_at"], until.to_string());
    server.wait(server.store.set_block(&Block { person: person(), since, until: None, reason: None }));
    check("blocked", false);
    let (status, me) = server.get("/me", &token);
    assert_eq!((status, &me["person"], &me["blocked"]["since"]), (200, &json!(PERSON), &json!(since.to_string())));
    server.wait(server.store.remove_block(&person()));
    check("unblocked", true);
    let (_, me) = server.get("/me", &token);
    let [row] = me["limits"].as_array().unwrap().as_slice() else { panic!("{me}") };
    assert_eq!((&row["limit"], &row["used"], &row["unit"]), (&json!(1500), &json!(1000), &json!("tokens")));
}

#[test]
fn groups_of_the_latest_token_hold() {
    let world = World::new();
    let server = Server::start(&world);
    server.set_limit(group("interns"), "month 0");
    let token_with = |groups: &[&str], seconds: i64| {
        world.next(1, Knob::Claims, json!({ "groups": groups }));
        world.next(1, Knob::IdTokenTimes, json!({ "iat": seconds }));
        world.issue_id_token()
    };
    let reason = |token: &str| server.get("/check", token).1["reason"].as_str().unwrap().to_owned();
    let (first, second) = (token_with(&["interns"], -20), token_with(&["staff"], -10));
    assert_eq!(reason(&first), "monthly_exceeded");
    assert_eq!(reason(&second), "no_policy");
    // An older token does not change the groups back.
    assert_eq!(reason(&first), "no_policy");
    assert_eq!(reason(&token_with(&["staff", "interns"], 0)), "monthly_exceeded");
}

#[test]
fn token_without_room_for_groups_loses_no_group() {
    let world = World::new();
    let server = Server::start(&world);
    server.set_limit(group("interns"), "month 0");
    let check = |claims: Value, seconds: i64| {
        world.next(1, Knob::Claims, claims);
        world.next(1, Knob::IdTokenTimes, json!({ "iat": seconds }));
        server.get("/check", &world.issue_id_token()).1["reason"].as_str().unwrap().to_owned()
    };
    let missing_groups = || server.wait(server.store.load_faults()).missing_groups;
    assert_eq!(check(json!({ "groups": ["interns"] }), -30), "monthly_exceeded");
    assert_eq!(missing_groups(), [].into());
    // As Entra ID writes it for people of more than 200 groups.
    assert_eq!(check(json!({ "_claim_names": { "groups": "src1" } }), -20), "monthly_exceeded");
    assert_eq!(missing_groups(), [(PERSON.to_owned(), 1)].into());
    // A token that names all groups decides again.
    assert_eq!(check(json!({ "groups": ["staff"] }), -10), "no_policy");
}

#[test]
fn names_that_nobody_has_proven_are_reported() {
    let world = World::new();
    let server = Server::start(&world);
    let bearer = format!("Bearer {INGEST_TOKEN}");
    let faults = || server.wait(server.store.load_faults());
    let ingest = |record: &str| server.ingest(&bearer, record.as_bytes()).1["accepted"].clone();
    assert_eq!(ingest(&record("one", 1)), 1);
    assert_eq!(faults().no_verified_token, [(PERSON.to_owned(), 1)].into());
    assert!(read_log().contains("no verified token has named demo@example.com"));
    // A role that only IAM Identity Center can assume, with a name that it has chosen.
    let assigned = record("two", 1).replace("BedrockUser/demo", "AWSReservedSSO_claude_0123456789abcdef/other");
    assert_eq!(ingest(&assigned), 1);
    let pool = record("three", 1).replace(PERSON, "CognitoIdentityCredentials");
    assert_eq!(ingest(&pool), 0);
    assert_eq!(faults().rejected, [("shared_name".to_owned(), 1)].into());
    // Another person of the provider gets the same name.
    for subject in ["first", "second"] {
        world.next(1, Knob::Claims, json!({ "sub": subject }));
        assert_eq!(server.get("/check", &world.issue_id_token()).0, 200);
    }
    assert_eq!(faults().two_subjects, [(PERSON.to_owned(), 1)].into());
    assert!(read_log().contains("demo@example.com has two subjects: first and second"));
    assert_eq!(faults().no_verified_token, [(PERSON.to_owned(), 1)].into());
}

/// Nothing verifies a signature here.
#[test]
fn stand_alone_server_has_no_signed_routes() {
    let world = World::new();
    let server = Server::start(&world);
    for path in ["/signed/check", "/signed/me"] {
        assert_eq!(server.get(path, &world.issue_id_token()).0, 404, "{path}");
    }
}

#[test]
fn request_without_a_believed_token_is_unauthorized() {
    let world = World::new();
    let server = Server::start(&world);
    let mut tokens = vec![String::new(), "hunter2".to_owned(), INGEST_TOKEN.to_owned()];
    for forgery in ["none", "hs256-public-key", "broken-signature", "other-key", "unknown-kid"] {
        world.next(1, Knob::Forgery, forgery);
        tokens.push(world.issue_id_token());
    }
    for claims in
        [json!({ "aud": "foreign" }), json!({ "azp": "foreign" }), json!({ "iss": "https://foreign.example" })]
    {
        world.next(1, Knob::IdTokenClaims, claims);
        tokens.push(world.issue_id_token());
    }
    for times in [json!({ "exp": -100 }), json!({ "nbf": 100 })] {
        world.next(1, Knob::IdTokenTimes, times);
        tokens.push(world.issue_id_token());
    }
    for token in &tokens {
        for path in ["/check", "/me"] {
            let (status, answer) = server.get(path, token);
            assert_eq!((status, answer), (401, json!({ "message": "Unauthorized" })), "{path} {token}");
        }
    }
    for headers in [&[][..], &[("Authorization", "Basic eDp5")], &[("X-Token", &world.issue_id_token())]] {
        let got = server.request("GET", "/check", headers, b"");
        assert_eq!((got.status, got.header("www-authenticate")), (401, Some("Bearer")), "{headers:?}");
    }
    let header = format!("Bearer {}", world.issue_id_token());
    let twice = [("Authorization", header.as_str()), ("Authorization", header.as_str())];
    assert_eq!(server.request("GET", "/check", &twice, b"").status, 401);
    assert_eq!(server.request("GET", "/check", &twice[..1], b"").status, 200);
}

#[test]
fn token_that_names_nobody_is_denied_as_missing_identity() {
    let world = World::new();
    let server = Server::start(&world);
    world.set(Knob::Claims, json!({ "email": null }));
    let token = world.issue_id_token();
    let (status, answer) = server.get("/check", &token);
    assert_eq!((status, &answer["allowed"], &answer["reason"]), (200, &json!(false), &json!("missing_identity")));
    assert_eq!(server.get("/me", &token).0, 401);
    assert_eq!(server.wait(server.store.list_people()), []);
}

#[test]
fn provider_that_is_down_is_no_answer() {
    let world = World::new();
    let server = Server::start(&world);
    let token = world.issue_id_token();
    world.stop_provider();
    for path in ["/check", "/me"] {
        let (status, answer) = server.get(path, &token);
        assert_eq!((status, &answer["allowed"]), (503, &Value::Null), "{answer}");
    }
    world.start_provider();
    assert_eq!(server.get("/check", &token).0, 200);
    world.stop_provider();
    assert_eq!(server.get("/check", &token).0, 200);
}

#[test]
fn store_that_is_down_is_no_answer() {
    let world = World::new();
    let token = world.issue_id_token();
    for error in [StoreError::Unavailable("planted cause".to_owned()), StoreError::Damaged("planted cause".to_owned())]
    {
        let server = Server::with_store(&world, "", |_| Arc::new(BrokenStore(error)));
        for path in ["/check", "/me", "/healthz"] {
            let got = server.request("GET", path, &[("Authorization", &format!("Bearer {token}"))], b"");
            assert_eq!(got.status, 503, "{path}");
            assert!(!got.text().contains("allowed") && !got.text().contains("planted"), "{path}: {}", got.text());
        }
        assert_eq!(server.ingest(&format!("Bearer {INGEST_TOKEN}"), record("one", 1).as_bytes()).0, 503);
    }
}

#[test]
fn ingest_needs_its_own_token() {
    let world = World::new();
    let server = Server::start(&world);
    server.set_limit(Scope::Default, "month 1");
    let token = world.issue_id_token();
    for bearer in
        ["", "Bearer", "Bearer wrong", INGEST_TOKEN, &format!("Bearer {token}"), &format!("Basic {INGEST_TOKEN}")]
    {
        assert_eq!(server.ingest(bearer, record("one", 1).as_bytes()).0, 401, "{bearer}");
    }
    assert_eq!(server.get("/check", &token).1["reason"], "within_quota");
}

#[test]
fn large_requests_are_refused() {
    let world = World::new();
    let server = Server::start(&world);
    let bearer = format!("Bearer {INGEST_TOKEN}");
    let blank = |bytes: usize| vec![b'\n'; bytes];
    assert_eq!(server.ingest(&bearer, &blank(8 << 20)).0, 200);
    assert_eq!(server.ingest(&bearer, &blank((8 << 20) + 1)).0, 413);
    let with_header = |bytes: usize| {
        let long = format!("Bearer {}", "a".repeat(bytes));
        server.request("GET", "/check", &[("Authorization", &long)], b"").status
    };
    // The limit is not exact, because the server reads as much as there is.
    assert_eq!([with_header(60 << 10), with_header(200 << 10)], [401, 431]);
}

#[test]
fn other_paths_and_methods_do_not_exist() {
    let world = World::new();
    let server = Server::start(&world);
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/check/", 404),
        ("GET", "/Check", 404),
        ("POST", "/check", 405),
        ("PUT", "/me", 405),
        ("GET", "/ingest", 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/healthz", 200),
    ] {
        let got = server.request(method, path, &[], b"");
        assert_eq!((got.status, got.header("cache-control")), (status, Some("no-store")), "{method} {path}");
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert!(body.is_object(), "{method} {path}: {body}");
    }
}

#[test]
fn idle_connection_does_not_stop_the_end() {
    let world = World::new();
    let mut server = Server::start(&world);
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let begun = Instant::now();
    server.end();
    // An idle connection would be closed after ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[test]
fn tls_is_served_with_the_configured_certificate() {
    let world = World::new();
    let certificates = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let [certificate, key] = ["server.pem", "server.key"].map(|name| certificates.path().join(name));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let tls = format!("tls = {{ certificate = {}, key = {} }}", json!(certificate), json!(key));
    let mut server = Server::with_store(&world, &tls, |path| Arc::new(FileStore::open(path).unwrap()));
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    server.ca_bundle = Some(certificate);
    assert_eq!(server.get("/check", &world.issue_id_token()).0, 200);
    // A client that speaks no TLS gets nothing.
    let plain = Browser::new(None).fetch("GET", &server.url.replace("https", "http"), &[], b"");
    assert!(plain.is_err(), "{plain:?}");
}

#[test]
fn usage_survives_a_restart() {
    let world = World::new();
    let mut server = Server::start(&world);
    server.set_limit(Scope::Default, "month 10");
    server.ingest(&format!("Bearer {INGEST_TOKEN}"), record("one", 10).as_bytes());
    server.end();
    let path = server.folder.path().join("usage.redb");
    drop(std::mem::replace(&mut server.store, Arc::new(BrokenStore(StoreError::Damaged(String::new())))));
    let again = Server::with_store(&world, "", |_| Arc::new(FileStore::open(&path).unwrap()));
    assert_eq!(again.get("/check", &world.issue_id_token()).1["reason"], "monthly_exceeded");
}

#[test]
fn no_secret_reaches_the_log() {
    let world = World::new();
    let server = Server::start(&world);
    let mut secrets = vec![INGEST_TOKEN.to_owned(), "planted prompt".to_owned(), "planted-wrong-bearer".to_owned()];
    for forgery in [Value::Null, json!("broken-signature"), json!("unknown-kid"), json!("none")] {
        world.next(1, Knob::Forgery, forgery);
        let token = world.issue_id_token();
        server.get("/check", &token);
        secrets.extend(token.split('.').filter(|part| part.len() > 20).map(str::to_owned));
    }
    world.next(1, Knob::Claims, json!({ "email": null }));
    server.get("/me", &world.issue_id_token());
    server.get("/check", "planted-wrong-bearer");
    server.ingest("Bearer planted-wrong-bearer", b"");
    let with_prompt = record("one", 1).replace("\"input\":{", "\"input\":{\"inputBodyJson\":\"planted prompt\",");
    assert!(with_prompt.contains("planted prompt"));
    let (_, summary) = server.ingest(&format!("Bearer {INGEST_TOKEN}"), with_prompt.as_bytes());
    assert_eq!(summary["accepted"], 1);
    server.ingest(&format!("Bearer {INGEST_TOKEN}"), b"{\"planted prompt\"");
    let log = read_log();
    assert!(log.contains("a token is not believed"), "{log}");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
}
