//! What AWS refuses, in its own words, with what to do about it; and what stands in its place.

use serde_json::json;
use testworld::{CLIENT_ID, Endpoint, Fault, Knob, ROLE_ARN, World};

use super::{credentials, desk, reconfigure, refused};

#[test]
fn a_role_that_does_not_trust_the_token_is_named_with_what_its_policy_needs() {
    let world = World::new();
    let desk = desk(&world);
    let stranger = "arn:aws:iam::123456789012:role/Stranger";
    reconfigure(&desk, ROLE_ARN, stranger);
    let (what, hint) = refused(&desk, 7, "aws/access_denied");
    assert_eq!(what, "AWS refused: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity");
    assert_eq!(
        hint,
        format!(
            "check that {stranger} exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for {} with \
             audience {CLIENT_ID}",
            world.issuer()
        )
    );
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1), "asked once");
}

#[test]
fn session_tags_that_the_trust_policy_does_not_allow_are_told_as_such() {
    let world = World::new();
    let tags = json!({ "principal_tags": { "Team": ["platform"] }, "transitive_tag_keys": [] });
    world.set(Knob::Claims, json!({ "https://aws.amazon.com/tags": tags }));
    world.set(Knob::WithoutTagSession, true);
    let (what, hint) = refused(&desk(&world), 7, "aws/tag_session");
    assert_eq!(what, "AWS refused: AccessDenied: Not authorized to perform sts:TagSession");
    assert_eq!(
        hint,
        "allow the action sts:TagSession beside sts:AssumeRoleWithWebIdentity in the role's trust policy"
    );
}

#[test]
fn a_provider_that_iam_does_not_know_is_shown_beside_what_the_token_says() {
    let world = World::new();
    let (issuer, with_slash) = (world.issuer(), format!("{}/", world.issuer()));
    for registered in [json!([]), json!([{ "issuer": with_slash, "audiences": [CLIENT_ID] }])] {
        world.set(Knob::Registered, registered);
        let desk = desk(&world);
        let (what, hint) = refused(&desk, 7, "aws/invalid_identity_token");
        assert_eq!(
            what,
            format!(
                "AWS refused: InvalidIdentityToken: No OpenIDConnect provider found in your account for {issuer}; the \
                 token says issuer {issuer} and audience {CLIENT_ID}, the profile {issuer} and {CLIENT_ID}"
            )
        );
        assert_eq!(
            hint,
            format!(
                "register {issuer} (without the trailing slash) as an OpenID Connect provider in IAM of account \
                 123456789012, with audience {CLIENT_ID}"
            )
        );
        assert_eq!(desk.tabs(), 1, "signing in again would not help, and is not tried");
    }
}

#[test]
fn an_issuer_with_a_slash_is_to_be_registered_with_it() {
    let world = World::new();
    world.set(Knob::IssuerSuffix, "/");
    world.set(Knob::Registered, json!([]));
    let (_, hint) = refused(&desk(&world), 7, "aws/invalid_identity_token");
    assert!(hint.starts_with(&format!("register {} (with the trailing slash)", world.issuer())), "{hint}");
}

#[test]
fn an_audience_that_iam_does_not_know_is_told_as_such() {
    let world = World::new();
    let known = json!([{ "issuer": world.issuer(), "audiences": ["another-client"] }]);
    world.set(Knob::Registered, known);
    let (what, hint) = refused(&desk(&world), 7, "aws/invalid_identity_token");
    assert!(what.starts_with("AWS refused: InvalidIdentityToken: Incorrect token audience; "), "{what}");
    assert_eq!(
        hint,
        format!("add {CLIENT_ID} to the audiences of the IAM identity provider {}", world.issuer())
    );
}

#[test]
fn a_token_that_aws_calls_expired_right_after_a_sign_in_is_reported_and_nobody_is_asked_again() {
    let world = World::new();
    let message = "Token expired: current date/time 1 must be before the expiration date/time 0";
    world.set(Knob::AssumeFault, json!(Fault::aws(400, "ExpiredTokenException", message)));
    let desk = desk(&world);
    let (what, hint) = refused(&desk, 7, "aws/expired_token");
    assert_eq!(what, format!("AWS refused: ExpiredTokenException: {message}"));
    assert!(hint.starts_with("set this computer's clock"), "{hint}");
    assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (1, 1));
}

#[test]
fn what_may_pass_is_tried_three_times_and_then_reported() {
    for (status, code, slug, word) in [
        (400, "IDPCommunicationError", "aws/idp_communication", "is reachable from the internet"),
        (400, "Throttling", "aws/throttled", "try again in a minute"),
        (429, "TooManyRequestsException", "aws/throttled", "try again in a minute"),
        (500, "InternalFailure", "aws/server", "AWS has a fault of its own"),
        (503, "ServiceUnavailable", "aws/server", "AWS has a fault of its own"),
    ] {
        let world = World::new();
        world.set(Knob::AssumeFault, json!(Fault::aws(status, code, "in AWS's words")));
        let (what, hint) = refused(&desk(&world), 7, slug);
        assert_eq!(what, format!("AWS refused: {code}: in AWS's words"));
        assert!(hint.contains(word), "{hint}");
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
        credentials(&desk);
        assert_eq!((world.count(Endpoint::Assume), desk.tabs()), (3, 1), "{code}");
    }
    let world = World::new();
    world.next(1, Knob::AssumeFault, json!(Fault::Close));
    credentials(&desk(&world));
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
        let (what, _) = refused(&desk(&world), 7, slug);
        assert_eq!(what, format!("AWS refused: {code}: no"));
        assert_eq!(world.count(Endpoint::Assume), 1, "{code}");
    }
}

#[test]
fn what_answers_in_place_of_aws_is_told_from_aws() {
    let world = World::new();
    world.set(Knob::AssumeFault, json!(Fault::Portal));
    let (what, hint) = refused(&desk(&world), 9, "network/not_aws");
    assert_eq!(what, "something answered in place of AWS STS: HTTP status 200 of type text/html");
    assert!(hint.contains("captive portal"), "{hint}");
    assert_eq!(world.count(Endpoint::Assume), 1);
}

#[test]
fn an_sts_that_cannot_be_reached_costs_no_second_sign_in() {
    let world = World::new();
    let desk = desk(&world);
    world.stop_sts();
    let (what, _) = refused(&desk, 9, "network/connect");
    assert_eq!(what, format!("{} could not be reached", world.sts_endpoint().trim_start_matches("http://")));
    world.start_sts();
    credentials(&desk);
    assert_eq!((desk.tabs(), world.count(Endpoint::Authorize)), (1, 1), "the sign-in was kept");
}
