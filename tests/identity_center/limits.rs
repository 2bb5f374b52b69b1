//! The quota check of a profile without an ID token: the credentials of the assignment sign it. The test service verifies
//! each signature in full, for the service `execute-api` and the profile's region.

use serde_json::{Value, json};
use testworld::{Desk, Endpoint, Fault, Knob, World};

use crate::{PROGRAM, SPENT};

const NEXT: &str = "arn:aws:iam::210987654321:role/Next";

/// A home whose profile names the quota service, with these further keys for it.
fn desk<'w>(world: &'w World, more: &str) -> Desk<'w> {
    let quota = format!("quota = {{ endpoint = {}{more} }}", json!(world.signed_quota_endpoint()));
    Desk::with_identity_center(world, PROGRAM, &quota)
}

/// How often the portal has issued credentials, and how often the quota service was asked.
fn asked(world: &World) -> [usize; 2] {
    world.counts([Endpoint::RoleCredentials, Endpoint::Quota])
}

fn blocked() -> Value {
    json!({
        "allowed": false, "reason": "blocked", "usage": null, "unblock_status": null,
        "policy": { "type": "user", "identifier": "jane@example.com" },
        "message": "Ask it-help@example.com.", "resets_at": "2100-01-01T00:00:00Z",
    })
}

fn seconds_left(world: &World, document: &Value) -> i64 {
    let end = chrono::DateTime::parse_from_rfc3339(document["Expiration"].as_str().unwrap()).unwrap();
    end.timestamp() - world.now()
}

#[test]
fn check_is_signed_before_anything_is_handed_out() {
    let world = World::new();
    let desk = desk(&world, ", interval = \"30m\", on_error = \"deny\"");
    let first = desk.credentials();
    let left = seconds_left(&world, &first);
    assert!((1700..=1800).contains(&left), "{left} s");
    assert_eq!(asked(&world), [1, 1]);
    let ledger = world.ledger().requests();
    let check = ledger.iter().find(|entry| entry.endpoint == Endpoint::Quota).unwrap();
    assert_eq!((check.method.as_str(), check.target.as_str()), ("GET", "/signed/check"));
    // The warm path sends nothing.
    world.stop_identity_center();
    world.stop_sts();
    world.stop_quota();
    let count = world.ledger().requests().len();
    assert_eq!(desk.credentials(), first);
    assert_eq!((world.ledger().requests().len(), desk.leaks().len()), (count, 0));
}

#[test]
fn ended_approval_asks_only_the_quota_service() {
    let world = World::new();
    let desk = desk(&world, ", interval = \"4m\"");
    let first = desk.credentials();
    let again = desk.credentials();
    assert_eq!(again["AccessKeyId"], first["AccessKeyId"]);
    assert!((200..=240).contains(&seconds_left(&world, &again)), "{again}");
    assert_eq!((asked(&world), desk.tabs()), ([1, 2], 1));
}

#[test]
fn refused_user_gets_no_new_credentials() {
    let world = World::new();
    let desk = desk(&world, "");
    world.set(Knob::Quota, blocked());
    let refused = desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    refused.message_has(&["it-help@example.com"]);
    refused.hint_has(&["2100-01-01"]);
    for command in ["export", "bearer", "env"] {
        desk.run([command]).fails_without_golden(8, "quota/blocked");
    }
    let status = desk.run(["status", "--json"]).document();
    assert_eq!((&status["signed_in"], &status["credentials"]), (&json!(false), &Value::Null));
    world.clear(Knob::Quota);
    desk.credentials();
    assert_eq!(desk.tabs(), 1, "the sign-in survives a refusal");
}

#[test]
fn refusal_preserves_stored_credentials_unserved() {
    let world = World::new();
    let desk = desk(&world, ", interval = \"4m\"");
    let first = desk.credentials();
    world.set(Knob::Quota, blocked());
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    desk.run(["login"]).fails_without_golden(8, "quota/blocked");
    world.clear(Knob::Quota);
    assert_eq!(desk.credentials()["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!((world.count(Endpoint::RoleCredentials), desk.tabs()), (1, 1));
}

#[test]
fn refused_renewal_ends_the_use_of_valid_credentials() {
    let world = World::new();
    world.next(1, Knob::CredentialLifetime, 4 * 60);
    let desk = desk(&world, ", interval = \"12h\"");
    desk.credentials();
    world.set(Knob::Quota, blocked());
    // AWS would accept them for four minutes, but the service has just refused the user.
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    assert_eq!(desk.tabs(), 1);
}

#[test]
fn refusal_in_the_background_ends_the_approval() {
    let world = World::new();
    let desk = desk(&world, ", interval = \"15m\"");
    desk.credentials();
    world.set(Knob::Quota, blocked());
    // The approval lasts for fifteen minutes more, so this call is served, and starts a renewal.
    desk.credentials();
    desk.settle();
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
}

#[test]
fn missing_answer_follows_on_error() {
    let faults = [
        Fault::Status(500),
        Fault::Status(403),
        Fault::Close,
        Fault::Portal,
        Fault::Body { status: 200, content_type: "application/json".into(), body: "{}".into() },
        Fault::Hang,
    ];
    for fault in faults {
        let world = World::new();
        let (allow, deny) =
            (desk(&world, ", timeout = \"1s\""), desk(&world, ", timeout = \"1s\", on_error = \"deny\""));
        world.set(Knob::QuotaFault, json!(fault));
        allow.credentials();
        let slug = if matches!(fault, Fault::Status(403)) { "quota/unwelcome" } else { "quota/no_answer" };
        deny.run(["credentials"]).fails_without_golden(8, slug);
        world.clear(Knob::QuotaFault);
        deny.credentials();
        assert_eq!((allow.tabs(), deny.tabs()), (1, 1), "{fault:?}");
    }
}

#[test]
fn unwelcome_signature_points_to_clock_and_permission() {
    let world = World::new();
    let desk = desk(&world, ", on_error = \"deny\"");
    world.set(Knob::QuotaFault, json!(Fault::Status(403)));
    desk.run(["credentials"]).fails(8, "quota/unwelcome").hint_has(&["clock", "permission set"]);
}

#[test]
fn revoked_credentials_are_replaced_before_a_403_counts() {
    let world = World::new();
    let desk = desk(&world, ", interval = \"4m\", on_error = \"deny\"");
    let first = desk.credentials();
    world.revoke_credentials();
    let next = desk.credentials();
    assert_ne!(next["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!(asked(&world), [2, 3]);
}

/// A desk whose profile assumes one more role, and asks again at each call.
fn chained_desk(world: &World) -> Desk<'_> {
    let desk = desk(world, ", interval = \"4m\", on_error = \"deny\"");
    let trusted =
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_BedrockUser_0123456789abcdef";
    world.set(Knob::ChainRoles, json!([{ "arn": NEXT, "trusts": trusted }]));
    desk.set_key("role_chain", &format!("[\"{NEXT}\"]"));
    desk
}

#[test]
fn assignment_signs_for_a_chain_of_roles() {
    let world = World::new();
    let desk = chained_desk(&world);
    world.next(1, Knob::Quota, blocked());
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    assert_eq!(world.count(Endpoint::Link), 0, "no role is assumed for a refused user");
    let first = desk.credentials();
    // The service of this test accepts no other role's signature.
    assert_eq!(desk.credentials()["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!((world.count(Endpoint::Link), world.count(Endpoint::Quota)), (1, 3));
}

#[test]
fn expired_access_token_is_refreshed_for_a_chains_check() {
    let world = World::new();
    let desk = chained_desk(&world);
    world.next(1, Knob::PortalTokenLifetime, SPENT);
    desk.credentials();
    desk.credentials();
    assert_eq!((world.count(Endpoint::PortalRefresh), world.count(Endpoint::Link), desk.tabs()), (1, 1, 1));
}

#[test]
fn quota_shows_the_limits_of_a_signed_request() {
    let world = World::new();
    let desk = desk(&world, "");
    desk.run(["quota"]).fails_without_golden(4, "sign-in/not_allowed");
    assert_eq!(world.count(Endpoint::Quota), 0);
    desk.credentials();
    let overview = json!({
        "version": 1, "person": "jane@example.com", "blocked": null,
        "limits": [{ "scope": "default", "period": "month", "unit": "usd", "limit": 200, "used": 171.25,
                     "resets_at": "2030-01-01T00:00:00Z", "action": "block" }],
    });
    world.set(Knob::QuotaOverview, overview.clone());
    let shown = desk.run(["quota"]).expect_code(0);
    assert!(shown.stdout.contains("this month  171.25 of 200.00 USD  █"), "{}", shown.stdout);
    assert_eq!(asked(&world), [1, 2]);
    let printed = desk.run(["quota", "--json"]).expect_code(0).document();
    assert_eq!((&printed["person"], &printed["limits"][0]["limit"]), (&overview["person"], &json!(200.0)));
}

#[test]
fn blocked_user_can_ask_why() {
    let world = World::new();
    let desk = desk(&world, "");
    world.set(Knob::Quota, blocked());
    desk.run(["credentials"]).fails_without_golden(8, "quota/blocked");
    let block = json!({ "since": "2026-11-30T00:00:00Z", "until": null, "reason": "budget review" });
    world.set(
        Knob::QuotaOverview,
        json!({ "version": 1, "person": "jane@example.com", "blocked": block, "limits": [] }),
    );
    // No credentials are stored, so the portal issues some for this one question, which nobody else gets.
    let shown = desk.run(["quota"]).expect_code(0);
    assert!(shown.stdout.contains("budget review"), "{}", shown.stdout);
    assert_eq!((asked(&world), desk.tabs()), ([2, 2], 1));
    assert_eq!(desk.run(["status", "--json"]).document()["credentials"], Value::Null);
}

#[test]
fn usage_warning_is_shown_after_the_sign_in() {
    let world = World::new();
    let desk = desk(&world, "");
    world.set(Knob::Quota, json!({ "allowed": true, "usage": { "monthly_percent": 83.4 } }));
    assert!(desk.run(["login"]).expect_code(0).stdout.contains("83 %"));
}
