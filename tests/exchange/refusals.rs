//! Refusals by AWS: each shows the text of AWS and a hint. An answer that does not come from AWS is reported as such.

use serde_json::json;
use testworld::{CLIENT_ID, Desk, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{PROGRAM, desk, fails};

#[test]
fn denied_role_is_reported_with_the_required_trust_policy() {
    let world = World::new();
    let desk = desk(&world);
    let stranger = "arn:aws:iam::123456789012:role/Stranger";
    desk.replace_in_config(ROLE_ARN, stranger);
    let failed = fails(&desk, 7, "aws/access_denied");
    failed.message_has(&["AccessDenied"]).hint_has(&[stranger, &world.issuer(), CLIENT_ID]);
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1), "the refusal is not retried");
}

/// STS does not say which condition of the trust policy is not met, so the hint shows what it compares.
#[test]
fn denied_role_is_reported_with_the_compared_claims() {
    let tags = |name: &str, value: &str| json!({ "principal_tags": { name: [value] } });
    let denied = json!(Fault::aws(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"));
    for (claims, session_name, facts) in [
        (
            json!({}),
            r#"["email"]"#,
            &[
                "subject 00u-demo-1",
                "demo@example.com (neither the subject nor a session tag)",
                "no session tags",
                "no amr",
            ][..],
        ),
        (json!({ "amr": ["pwd", "mfa"] }), r#"["sub"]"#, &["session name 00u-demo-1 (the subject)", "amr pwd mfa"]),
        (
            json!({ "https://aws.amazon.com/tags": tags("Email", "demo@example.com") }),
            r#"["email"]"#,
            &["demo@example.com (the session tag Email)", "session tags Email=demo@example.com"],
        ),
        (json!({ "azp": CLIENT_ID, "aud": [CLIENT_ID] }), r#"["email"]"#, &["audience demo-client,"]),
    ] {
        let world = World::new();
        world.set(Knob::Claims, claims);
        world.set(Knob::AssumeFault, denied.clone());
        let desk = Desk::with(&world, PROGRAM, &format!("session_name = {session_name}"));
        fails(&desk, 7, "aws/access_denied").hint_has(&[CLIENT_ID, ROLE_ARN]).hint_has(facts);
    }
}

#[test]
fn denied_session_tags_hint_at_sts_tag_session() {
    let world = World::new();
    let tags = json!({ "principal_tags": { "Team": ["platform"] }, "transitive_tag_keys": [] });
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/tags": tags }));
    world.set(Knob::WithoutTagSession, true);
    fails(&desk(&world), 7, "aws/tag_session").hint_has(&["sts:TagSession", "session tags Team=platform"]);
}

#[test]
fn unregistered_issuer_is_reported_with_token_claims() {
    let world = World::new();
    let (issuer, with_slash) = (world.issuer(), format!("{}/", world.issuer()));
    for registered in [json!([]), json!([{ "issuer": with_slash, "audiences": [CLIENT_ID] }])] {
        world.set(Knob::Registered, registered);
        let desk = desk(&world);
        let failed = fails(&desk, 7, "aws/invalid_identity_token");
        failed.message_has(&[&issuer, CLIENT_ID]).hint_has(&[&issuer, CLIENT_ID, "123456789012"]);
        assert_eq!(desk.tabs(), 1, "the user is not prompted again, because a new sign-in would not help");
    }
}

#[test]
fn unregistered_issuer_hint_preserves_the_trailing_slash() {
    let world = World::new();
    world.set(Knob::IssuerSuffix, "/");
    world.set(Knob::Registered, json!([]));
    let failed = fails(&desk(&world), 7, "aws/invalid_identity_token");
    failed.hint_has(&[&world.issuer(), "(with "]);
}

#[test]
fn unregistered_audience_is_reported_with_the_client_id() {
    let world = World::new();
    let known = json!([{ "issuer": world.issuer(), "audiences": ["another-client"] }]);
    world.set(Knob::Registered, known);
    let failed = fails(&desk(&world), 7, "aws/invalid_identity_token");
    failed.message_has(&["Incorrect token audience"]).hint_has(&[CLIENT_ID, &world.issuer()]);
}

#[test]
fn token_expired_right_after_sign_in_causes_no_new_prompt() {
    let world = World::new();
    let message = "Token expired: current date/time 1 must be before the expiration date/time 0";
    world.set(Knob::AssumeFault, json!(Fault::aws(400, "ExpiredTokenException", message)));
    let desk = desk(&world);
    fails(&desk, 7, "aws/expired_token").message_has(&[message]);
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1));
}

#[test]
fn temporary_sts_errors_are_reported_after_three_attempts() {
    for (status, code, slug) in [
        (400, "IDPCommunicationError", "aws/idp_communication"),
        (400, "Throttling", "aws/throttled"),
        (429, "TooManyRequestsException", "aws/throttled"),
        (500, "InternalFailure", "aws/server"),
        (503, "ServiceUnavailable", "aws/server"),
    ] {
        let world = World::new();
        world.set(Knob::AssumeFault, json!(Fault::aws(status, code, "in AWS's words")));
        fails(&desk(&world), 7, slug).message_has(&[code, "in AWS's words"]);
        assert_eq!(world.count(Endpoint::Assume), 3, "{code}");
    }
}

#[test]
fn temporary_sts_errors_are_hidden_when_a_retry_succeeds() {
    for (status, code) in [
        (400, "IDPCommunicationError"),
        (400, "Throttling"),
        (429, "TooManyRequestsException"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
    ] {
        let world = World::new();
        world.next(2, Knob::AssumeFault, json!(Fault::aws(status, code, "wait")));
        let desk = desk(&world);
        desk.credentials();
        assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (3, 1), "{code}");
    }
    let world = World::new();
    world.next(1, Knob::AssumeFault, json!(Fault::Close));
    desk(&world).credentials();
    assert_eq!(world.count(Endpoint::Assume), 2, "an interrupted connection is retried");
}

#[test]
fn permanent_sts_errors_are_not_retried() {
    for (status, code, slug) in [
        (400, "ValidationError", "aws/validation"),
        (403, "IDPRejectedClaim", "aws/rejected_claim"),
        (400, "PackedPolicyTooLarge", "aws/tags_too_large"),
        (403, "RegionDisabledException", "aws/region_disabled"),
        (400, "SomethingNew", "aws/refused"),
    ] {
        let world = World::new();
        world.set(Knob::AssumeFault, json!(Fault::aws(status, code, "no")));
        fails(&desk(&world), 7, slug).message_has(&[code]);
        assert_eq!(world.count(Endpoint::Assume), 1, "{code}");
    }
}

#[test]
fn captive_portal_is_not_reported_as_an_aws_error() {
    let world = World::new();
    world.set(Knob::AssumeFault, json!(Fault::Portal));
    fails(&desk(&world), 9, "network/not_aws").message_has(&["AWS STS", "200", "text/html"]);
    assert_eq!(world.count(Endpoint::Assume), 1);
}

#[test]
fn unreachable_sts_preserves_the_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_sts();
    fails(&desk, 9, "network/connect").message_has(&[world.sts_endpoint().trim_start_matches("http://")]);
    world.start_sts();
    desk.credentials();
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (1, 1), "the sign-in was stored");
}
