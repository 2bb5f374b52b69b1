//! The quota check against a service on loopback that answers correctly, wrongly, or not at all.

use std::{sync::LazyLock, time::Duration};

use super::*;
use crate::{
    http::{
        TrustConfig,
        testing::{LoopbackServer, block_on, test_client, write_response},
    },
    oidc::VerifiedToken,
    url::SecureUrl,
};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

static TOKEN: LazyLock<VerifiedToken> =
    LazyLock::new(|| crate::identity::testing::build_token_with(&serde_json::json!({ "email": "jane@example.com" })));

fn service(server: &LoopbackServer, on_error: QuotaErrorPolicy) -> QuotaSettings {
    QuotaSettings {
        endpoint: SecureUrl::parse(&format!("http://{}/check", server.address)).unwrap(),
        interval: Duration::from_secs(600),
        timeout: Duration::from_millis(400),
        on_error,
    }
}

fn answering(status: &'static str, body: &'static str) -> LoopbackServer {
    LoopbackServer::start_plain(move |_, out| {
        write_response(out, status, "Content-Type: application/json\r\n", body);
    })
}

fn cleared(server: &LoopbackServer, on_error: QuotaErrorPolicy) -> Result<TokenClearance<'static>, QuotaError> {
    let service = service(server, on_error);
    block_on(request_clearance(&test_client(&TrustConfig::default()), Some(&service), &TOKEN, NOW))
}

#[test]
fn no_quota_service_approves_every_user() {
    let cleared = block_on(request_clearance(&test_client(&TrustConfig::default()), None, &TOKEN, NOW)).unwrap();
    assert_eq!((cleared.until(), cleared.usage), (None, None));
}

#[test]
fn approval_is_valid_for_the_interval() {
    let server = answering("200 OK", r#"{"allowed":true,"reason":"within_quota","usage":{"monthly_percent":12.5}}"#);
    let clearance = cleared(&server, QuotaErrorPolicy::Deny).unwrap();
    assert_eq!(clearance.until(), Some(NOW.saturating_add(Duration::from_secs(600))));
    assert_eq!(clearance.usage.unwrap().monthly_percent, Some(12.5));
    let request = server.requests.recv().unwrap();
    assert!(request.starts_with("GET /check HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("authorization: Bearer {}\r\n", TOKEN.raw().expose())));
}

#[test]
fn json_list_is_not_a_valid_answer() {
    for body in ["[false]", "[true]", " [false, \"monthly_exceeded\"]"] {
        let denied = cleared(&answering("200 OK", body), QuotaErrorPolicy::Deny).unwrap_err();
        assert!(matches!(denied, QuotaError::NoAnswer(_)), "{body}: {denied:?}");
        cleared(&answering("200 OK", body), QuotaErrorPolicy::Allow).unwrap();
    }
}

#[test]
fn denial_is_final_whatever_on_error_says() {
    let body = r#"{"allowed":false,"reason":"daily_exceeded","message":"no","policy":{"type":"user","identifier":"jane"},"usage":null,"unblock_status":null}"#;
    for mode in [QuotaErrorPolicy::Allow, QuotaErrorPolicy::Deny] {
        let Err(QuotaError::Denied(refusal)) = cleared(&answering("200 OK", body), mode) else { panic!("no refusal") };
        assert_eq!((refusal.period, refusal.policy), (QuotaPeriod::Day, Some(UntrustedText::new("user jane"))));
    }
}

#[test]
fn invalid_answer_is_handled_by_on_error() {
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
        let allowed = cleared(&answering(status, body), QuotaErrorPolicy::Allow).unwrap();
        assert_eq!(allowed.until(), Some(NOW.saturating_add(Duration::from_secs(600))), "{status} {body}");
        let denied = cleared(&answering(status, body), QuotaErrorPolicy::Deny);
        assert!(matches!(denied, Err(QuotaError::NoAnswer(_))), "{status} {body}: {denied:?}");
    }
}

#[test]
fn slow_quota_service_times_out() {
    let server = LoopbackServer::start_plain(|_, _| std::thread::park());
    let denied = cleared(&server, QuotaErrorPolicy::Deny);
    assert!(matches!(denied, Err(QuotaError::NoAnswer(NoQuotaAnswer::Timeout { .. }))), "{denied:?}");
}

#[test]
fn unreachable_quota_service_is_a_network_error() {
    let server = answering("200 OK", "{}");
    let mut gone = service(&server, QuotaErrorPolicy::Deny);
    gone.endpoint = SecureUrl::parse("http://127.0.0.1:9/check").unwrap();
    let denied = block_on(request_clearance(&test_client(&TrustConfig::default()), Some(&gone), &TOKEN, NOW));
    assert!(matches!(denied, Err(QuotaError::NoAnswer(NoQuotaAnswer::Network(_)))), "{denied:?}");
}

#[test]
fn denial_that_quotes_the_token_is_redacted() {
    let quoting = |request: &str, out: &mut dyn std::io::Write| {
        let token = request.split("Bearer ").nth(1).unwrap().split("\r\n").next().unwrap();
        write_response(out, "200 OK", "", &format!(r#"{{"allowed":false,"message":"{token} is over"}}"#));
    };
    let server = LoopbackServer::start_plain(quoting);
    let Err(QuotaError::Denied(refusal)) = cleared(&server, QuotaErrorPolicy::Allow) else { panic!("no refusal") };
    assert_eq!(refusal.message, UntrustedText::new("[secret] is over"));
}
