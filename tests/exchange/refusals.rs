//! What AWS refuses, in its own words, with what to do about it; and what stands in its place.

use serde_json::json;
use testworld::{CLIENT_ID, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{desk, fails};

#[test]
fn a_role_that_does_not_trust_the_token_is_named_with_what_its_policy_needs() {
    let world = World::new();
    let desk = desk(&world);
    let stranger = "arn:aws:iam::123456789012:role/Stranger";
    desk.replace_in_config(ROLE_ARN, stranger);
    let failed = fails(&desk, 7, "aws/access_denied");
    failed.message_has(&["AccessDenied"]).hint_has(&[stranger, &world.issuer(), CLIENT_ID]);
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1), "asked once");
}

#[test]
fn session_tags_that_the_trust_policy_does_not_allow_are_told_as_such() {
    let world = World::new();
    let tags = json!({ "principal_tags": { "Team": ["platform"] }, "transitive_tag_keys": [] });
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/tags": tags }));
    world.set(Knob::WithoutTagSession, true);
    fails(&desk(&world), 7, "aws/tag_session").hint_has(&["sts:TagSession"]);
}

#[test]
fn a_provider_that_iam_does_not_know_is_shown_beside_what_the_token_says() {
    let world = World::new();
    let (issuer, with_slash) = (world.issuer(), format!("{}/", world.issuer()));
    for registered in [json!([]), json!([{ "issuer": with_slash, "audiences": [CLIENT_ID] }])] {
        world.set(Knob::Registered, registered);
        let desk = desk(&world);
        let failed = fails(&desk, 7, "aws/invalid_identity_token");
        failed.message_has(&[&issuer, CLIENT_ID]).hint_has(&[&issuer, CLIENT_ID, "123456789012"]);
        assert_eq!(desk.tabs(), 1, "signing in again would not help, and is not tried");
    }
}

#[test]
fn an_issuer_with_a_slash_is_to_be_registered_with_it() {
    let world = World::new();
    world.set(Knob::IssuerSuffix, "/");
    world.set(Knob::Registered, json!([]));
    let failed = fails(&desk(&world), 7, "aws/invalid_identity_token");
    failed.hint_has(&[&world.issuer(), "(with "]);
}

#[test]
fn an_audience_that_iam_does_not_know_is_told_as_such() {
    let world = World::new();
    let known = json!([{ "issuer": world.issuer(), "audiences": ["another-client"] }]);
    world.set(Knob::Registered, known);
    let failed = fails(&desk(&world), 7, "aws/invalid_identity_token");
    failed.message_has(&["Incorrect token audience"]).hint_has(&[CLIENT_ID, &world.issuer()]);
}

#[test]
fn a_token_that_aws_calls_expired_right_after_a_sign_in_is_reported_and_nobody_is_asked_again() {
    let world = World::new();
    let message = "Token expired: current date/time 1 must be before the expiration date/time 0";
    world.set(Knob::AssumeFault, json!(Fault::aws(400, "ExpiredTokenException", message)));
    let desk = desk(&world);
    fails(&desk, 7, "aws/expired_token").message_has(&[message]);
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1));
}

#[test]
fn what_may_pass_is_tried_three_times_and_then_reported() {
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
fn what_passes_is_never_heard_of() {
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
    assert_eq!(world.count(Endpoint::Assume), 2, "a connection that broke off");
}

#[test]
fn what_will_not_pass_is_asked_once() {
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
fn what_answers_in_place_of_aws_is_told_from_aws() {
    let world = World::new();
    world.set(Knob::AssumeFault, json!(Fault::Portal));
    fails(&desk(&world), 9, "network/not_aws").message_has(&["AWS STS", "200", "text/html"]);
    assert_eq!(world.count(Endpoint::Assume), 1);
}

#[test]
fn an_sts_that_cannot_be_reached_costs_no_second_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_sts();
    fails(&desk, 9, "network/connect").message_has(&[world.sts_endpoint().trim_start_matches("http://")]);
    world.start_sts();
    desk.credentials();
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (1, 1), "the sign-in was kept");
}
