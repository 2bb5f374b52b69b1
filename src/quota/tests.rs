//! A service on loopback, well and unwell.

use std::time::Duration;

use super::*;
use crate::{
    http::{
        Trust,
        testing::{Server, block_on, client, respond},
    },
    oidc::VerifiedToken,
    url::SecureUrl,
};

const NOW: Moment = Moment::from_unix(1_800_000_000);

/// A token as our own store brings it back.
fn token() -> VerifiedToken {
    crate::identity::testing::token_with(&serde_json::json!({ "email": "jane@example.com" }))
}

fn service(server: &Server, on_error: OnError) -> Quota {
    Quota {
        endpoint: SecureUrl::parse(&format!("http://{}/check", server.address)).unwrap(),
        interval: Duration::from_secs(600),
        timeout: Duration::from_millis(400),
        on_error,
    }
}

fn answering(status: &'static str, body: &'static str) -> Server {
    Server::plain(move |_, out| respond(out, status, "Content-Type: application/json\r\n", body))
}

fn cleared(server: &Server, on_error: OnError) -> Result<Clearance, Denied> {
    let service = service(server, on_error);
    block_on(clear(&client(&Trust::default()), Some(&service), &token(), NOW))
}

#[test]
fn without_a_service_everybody_may() {
    let cleared = block_on(clear(&client(&Trust::default()), None, &token(), NOW)).unwrap();
    assert_eq!((cleared.until(), cleared.usage), (None, None));
}

#[test]
fn a_yes_holds_for_the_interval_and_shows_the_token_once() {
    let server =
        answering("200 OK", r#"{"allowed":true,"reason":"within_quota","usage":{"monthly_percent":12.5}}"#);
    let clearance = cleared(&server, OnError::Deny).unwrap();
    assert_eq!(clearance.until(), Some(NOW.plus(Duration::from_secs(600))));
    assert_eq!(clearance.usage.unwrap().monthly_percent, Some(12.5));
    let request = server.requests.recv().unwrap();
    assert!(request.starts_with("GET /check HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {}\r\n", token().raw().expose())));
}

#[test]
fn a_list_in_place_of_an_object_is_no_answer() {
    for body in ["[false]", "[true]", " [false, \"monthly_exceeded\"]"] {
        let denied = cleared(&answering("200 OK", body), OnError::Deny).unwrap_err();
        assert!(matches!(denied, Denied::NoAnswer(_)), "{body}: {denied:?}");
        cleared(&answering("200 OK", body), OnError::Allow).unwrap();
    }
}

#[test]
fn a_no_is_a_no_in_either_mode() {
    let body = r#"{"allowed":false,"reason":"daily_exceeded","message":"no","policy":{"type":"user","identifier":"jane"},"usage":null,"unblock_status":null}"#;
    for mode in [OnError::Allow, OnError::Deny] {
        let Err(Denied::Over(refusal)) = cleared(&answering("200 OK", body), mode) else {
            panic!("no refusal")
        };
        assert_eq!((refusal.scope, refusal.policy), (Scope::Day, Some(Foreign::new("user jane"))));
    }
}

#[test]
fn what_is_no_answer_is_judged_by_the_profile() {
    for (status, body) in [
        ("200 OK", "{}"),
        ("200 OK", "<html>"),
        ("200 OK", r#"{"allowed":"yes"}"#),
        ("200 OK", ""),
        ("401 Unauthorized", r#"{"message":"Unauthorized"}"#),
        ("403 Forbidden", r#"{"allowed":false}"#),
        ("500 Oops", r#"{"allowed":false}"#),
        ("302 Found", r#"{"allowed":true}"#),
    ] {
        let allowed = cleared(&answering(status, body), OnError::Allow).unwrap();
        assert_eq!(allowed.until(), Some(NOW.plus(Duration::from_secs(600))), "{status} {body}");
        let denied = cleared(&answering(status, body), OnError::Deny);
        assert!(matches!(denied, Err(Denied::NoAnswer(_))), "{status} {body}: {denied:?}");
    }
}

#[test]
fn a_slow_service_is_not_waited_for() {
    let server = Server::plain(|_, _| std::thread::park());
    let denied = cleared(&server, OnError::Deny);
    assert!(matches!(denied, Err(Denied::NoAnswer(Silence::Late { .. }))), "{denied:?}");
}

#[test]
fn a_service_that_is_gone_is_named() {
    let server = answering("200 OK", "{}");
    let mut gone = service(&server, OnError::Deny);
    gone.endpoint = SecureUrl::parse("http://127.0.0.1:9/check").unwrap();
    let denied = block_on(clear(&client(&Trust::default()), Some(&gone), &token(), NOW));
    assert!(matches!(denied, Err(Denied::NoAnswer(Silence::Network(_)))), "{denied:?}");
}

#[test]
fn a_refusal_that_quotes_the_token_is_told_without_it() {
    let quoting = |request: &str, out: &mut dyn std::io::Write| {
        let token = request.split("Bearer ").nth(1).unwrap().split("\r\n").next().unwrap();
        respond(out, "200 OK", "", &format!(r#"{{"allowed":false,"message":"{token} is over"}}"#));
    };
    let server = Server::plain(quoting);
    let Err(Denied::Over(refusal)) = cleared(&server, OnError::Allow) else { panic!("no refusal") };
    assert_eq!(refusal.message, Foreign::new("[secret] is over"));
}
